/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/ingest/ingest.h"

#include "gravel/base/clock.h"
#include "gravel/base/mem.h"
#include "gravel/log/log.h"
#include "gravel/telemetry/telemetry.h"
#include "ingest_internal.h"

#define QUEUE_SCRAPES 256 /* parsed and waiting; then the stream waits */
#define TICK_MS 1000 /* of expiry */
#define INGEST_TTL_MS (5 * 60 * 1000) /* of POST /ingest, as PushGatewayRedis has it */
#define REFRESH_MS 1000 /* a reader waits no longer than this for fresh own metrics */
#define OWN_TEXT_MAX ((size_t)1024 * 1024 * 1024)

void gs_ingest_store_take(struct gs_ingest *ingest) {
	gs_lock_take(&ingest->turn_lock);
	gs_lock_pass(&ingest->turn_lock, &ingest->store_lock);
}

bool gs_ingest_store_try(struct gs_ingest *ingest) {
	return gs_lock_try(&ingest->turn_lock) && gs_lock_pass_try(&ingest->turn_lock, &ingest->store_lock);
}

void gs_ingest_store_release(struct gs_ingest *ingest) {
	gs_lock_release(&ingest->store_lock);
}

void gs_ingest_queue(struct gs_ingest *ingest, struct entry *entry) {
	entry->next = NULL;
	gs_lock_take(&ingest->queue_lock);
	bool fed = gs_entry_is_scraped(entry) || entry->edge;
	bool logs = gs_ingest_keeps_log(ingest) && !gs_entry_is_scraped(entry);
	size_t *queued = logs ? &ingest->log_queued : &ingest->queued;
	while (fed && *queued >= QUEUE_SCRAPES && !ingest->let_go)
		gs_cond_wait(&ingest->space, &ingest->queue_lock, -1);
	struct entry ***tail = logs ? &ingest->log_tail : &ingest->tail;
	**tail = entry;
	*tail = &entry->next;
	*queued += fed;
	gs_cond_signal(logs ? &ingest->log_work : &ingest->work);
	gs_lock_release(&ingest->queue_lock);
}

/* A time that no entry to come will be before, so that what is expired until then is expired for it too, here and whenever the log is read again. False where there are entries
 * under way whose times are behind: they expire what they find. *before is for withdraw_time. */
static bool claim_time(struct gs_ingest *ingest, int64_t *ret_ms, int64_t *before_ms) {
	int64_t now_ms = gs_clock_wall_ms();
	gs_lock_take(&ingest->queue_lock);
	bool idle = ingest->unapplied == 0;
	*before_ms = ingest->log_time_ms;
	if (idle && ingest->log_time_ms < now_ms)
		ingest->log_time_ms = now_ms;
	*ret_ms = ingest->log_time_ms;
	gs_lock_release(&ingest->queue_lock);
	return idle;
}

/* Nothing was expired: an older push of the edge may still come with a time of its own. */
static void withdraw_time(struct gs_ingest *ingest, int64_t time_ms, int64_t before_ms) {
	gs_lock_take(&ingest->queue_lock);
	if (ingest->unapplied == 0 && ingest->log_time_ms == time_ms)
		ingest->log_time_ms = before_ms;
	gs_lock_release(&ingest->queue_lock);
}

static size_t expire_logged(struct gs_ingest *ingest) {
	int64_t time_ms = 0, before_ms = 0;
	if (!claim_time(ingest, &time_ms, &before_ms))
		return 0;
	gs_ingest_store_take(ingest);
	size_t expired = gs_store_expire_pushed(ingest->store, time_ms);
	if (expired != 0 && ingest->applied.time_ms < time_ms)
		ingest->applied.time_ms = time_ms;
	gs_ingest_store_release(ingest);
	if (expired == 0)
		withdraw_time(ingest, time_ms, before_ms);
	return expired;
}

/* What expires by the clock would do so at another position of the log in every receiver: it takes an entry, which may be an empty one. */
static void wake_log(struct gs_ingest *ingest) {
	gs_lock_take(&ingest->queue_lock);
	bool idle = ingest->unapplied == 0;
	gs_lock_release(&ingest->queue_lock);
	if (idle)
		ingest->stream.wake(ingest->stream.ctx);
}

static void tick(struct gs_ingest *ingest) {
	size_t stale = 0, expired = 0;
	int64_t now = gs_clock_mono_ms();
	if (now < ingest->next_tick_ms || ingest->phase != PHASE_READY)
		return;
	ingest->next_tick_ms = now + TICK_MS;
	gs_ingest_store_take(ingest);
	if (gs_ingest_is_kept(ingest))
		stale = gs_store_expire_scraped(ingest->store, gs_clock_wall_ms());
	else
		gs_store_expire(ingest->store, gs_clock_wall_ms(), &stale, &expired);
	gs_metric_set(GS_M_KEYS, (double)gs_push_keys_held(ingest->keys));
	bool due = gs_store_expires_ms(ingest->store) <= gs_clock_wall_ms();
	gs_ingest_store_release(ingest);
	if (due && gs_ingest_keeps_log(ingest))
		expired = expire_logged(ingest);
	else if (due && gs_ingest_reads_log(ingest))
		wake_log(ingest);
	gs_metric_add(GS_M_EXPIRED, (double)expired);
	gs_publishers_forget(ingest);
	gs_snapper_tick(ingest);
	if (stale != 0)
		gs_log(GS_LOG_WARN,
		    "%zu targets went stale: no scrape of them came for max_age; their series have left", stale);
}

/* Take the whole queue, or NULL after a tick or when a refresh is asked for. Sets *stop when there is nothing left to do for ever. */
static struct entry *wait_for_work(struct gs_ingest *ingest, uint64_t *refresh, bool *stop) {
	gs_lock_take(&ingest->queue_lock);
	if (ingest->first == NULL && ingest->refresh_asked == ingest->refresh_done && !ingest->stopping)
		gs_cond_wait(&ingest->work, &ingest->queue_lock, TICK_MS);
	struct entry *list = ingest->first;
	ingest->first = NULL;
	ingest->tail = &ingest->first;
	ingest->queued = 0;
	*refresh = ingest->refresh_asked != ingest->refresh_done ? ingest->refresh_asked : 0;
	*stop = ingest->stopping && list == NULL;
	gs_cond_broadcast(&ingest->space);
	gs_lock_release(&ingest->queue_lock);
	return list;
}

static void refresh(struct gs_ingest *ingest, uint64_t ticket) {
	gs_ingest_refresh_own(ingest);
	gs_lock_take(&ingest->queue_lock);
	ingest->refresh_done = ticket;
	gs_cond_broadcast(&ingest->fresh);
	gs_lock_release(&ingest->queue_lock);
}

static void *writer(void *arg) {
	struct gs_ingest *ingest = arg;
	uint64_t ticket = 0;
	bool stop = false;
	pthread_setname_np(pthread_self(), "ingest");
	gs_ingest_recover(ingest);
	while (!stop) {
		struct entry *list = wait_for_work(ingest, &ticket, &stop);
		if (ticket != 0)
			refresh(ingest, ticket);
		while (list != NULL)
			list = gs_ingest_apply(ingest, list);
		tick(ingest);
	}
	gs_snapper_finish(ingest);
	return NULL;
}

static enum gs_status init_sync(struct gs_ingest *ingest) {
	if (gs_lock_init(&ingest->turn_lock, GS_RANK_TURN) != GS_OK ||
	    gs_lock_init(&ingest->store_lock, GS_RANK_STORE) != GS_OK ||
	    gs_lock_init(&ingest->queue_lock, GS_RANK_INGEST) != GS_OK || gs_cond_init(&ingest->work) != GS_OK ||
	    gs_cond_init(&ingest->space) != GS_OK || gs_cond_init(&ingest->fresh) != GS_OK ||
	    gs_cond_init(&ingest->log_work) != GS_OK)
		return GS_ENOMEM;
	return GS_OK;
}

static enum gs_status open_parts(struct gs_ingest *ingest) {
	const struct gs_ingest_options *options = &ingest->options;
	int64_t window_ms = options->log.key_window_ms;
	ingest->topic = gs_strdup(gs_str_of(options->topic));
	ingest->pushed = gs_pushed_new();
	ingest->store = gs_store_new(&options->store);
	ingest->keys = gs_push_keys_new(window_ms != 0 ? window_ms : GS_LIMIT_KEY_WINDOW_MS, GS_LIMIT_KEYS);
	ingest->pieces = gs_pieces_new(GS_LIMIT_RENDER_CACHE);
	ingest->publishers = gs_map_new(GS_LIMIT_GROUPS);
	ingest->own_batch = gs_batch_new();
	ingest->own_parser = gs_expo_parser_new();
	if (ingest->topic == NULL || ingest->pushed == NULL || ingest->store == NULL || ingest->keys == NULL ||
	    ingest->pieces == NULL || ingest->publishers == NULL || ingest->own_batch == NULL ||
	    ingest->own_parser == NULL)
		return GS_ENOMEM;
	if (options->log.folder == NULL)
		return gs_journal_open_memory(&ingest->journal);
	ingest->folder = gs_strdup(gs_str_of(options->log.folder));
	ingest->options.log.folder = ingest->folder;
	if (options->log.stream != NULL)
		ingest->stream = *options->log.stream;
	return ingest->folder != NULL ? GS_OK : GS_ENOMEM;
}

enum gs_status gs_ingest_new(const struct gs_ingest_options *options, struct gs_ingest **ret, struct gs_error *err) {
	struct gs_ingest *ingest = gs_alloc(sizeof(*ingest));
	if (ingest == NULL)
		return GS_ENOMEM;
	ingest->options = *options;
	ingest->start_ms = gs_clock_wall_ms();
	ingest->tail = &ingest->first;
	ingest->log_tail = &ingest->log_first;
	gs_buf_init(&ingest->own_text, OWN_TEXT_MAX);
	enum gs_status status = init_sync(ingest);
	if (status == GS_OK)
		status = gs_message_open(ingest);
	if (status == GS_OK)
		status = open_parts(ingest);
	if (status != GS_OK)
		gs_error_set(err, status, 0, 0, "out of memory");
	else if (gs_ingest_keeps_log(ingest))
		status = gs_logger_new(ingest, err);
	else if (!gs_ingest_is_kept(ingest))
		ingest->phase = PHASE_READY;
	if (status != GS_OK) {
		gs_ingest_free(ingest);
		return status;
	}
	gs_snapper_init(ingest);
	if (pthread_create(&ingest->thread, NULL, writer, ingest) != 0) {
		gs_ingest_free(ingest);
		return gs_error_set(
		    err, GS_EIO, 0, 0, "cannot start the ingest thread: the system has no more threads");
	}
	ingest->thread_started = true;
	*ret = ingest;
	return GS_OK;
}

enum gs_status gs_ingest_ready(struct gs_ingest *ingest, struct gs_error *err) {
	enum ingest_phase phase = (enum ingest_phase)ingest->phase;
	if (phase == PHASE_READY)
		return GS_OK;
	if (phase != PHASE_FAILED) {
		unsigned long long all = ingest->to_replay, done = ingest->replayed;
		const char *first = phase == PHASE_CATCHING_UP    ? "waiting for the stream of the push log"
				    : gs_ingest_reads_log(ingest) ? "looking for a snapshot in NATS, and reading it"
								  : "reading the snapshot";
		if (all == 0)
			return gs_error_set(err, GS_EAGAIN, 0, 0, "starting: %s", first);
		return gs_error_set(err, GS_EAGAIN, 0, 0, "starting: replaying: %llu of %llu entries", done, all);
	}
	gs_lock_take(&ingest->queue_lock);
	if (err != NULL)
		*err = ingest->failure;
	gs_lock_release(&ingest->queue_lock);
	return GS_EIO;
}

void gs_ingest_let_go(struct gs_ingest *ingest) {
	gs_lock_take(&ingest->queue_lock);
	ingest->let_go = true;
	gs_cond_broadcast(&ingest->space);
	gs_lock_release(&ingest->queue_lock);
}

void gs_ingest_free(struct gs_ingest *ingest) {
	if (ingest == NULL)
		return;
	if (ingest->thread_started) {
		gs_ingest_let_go(ingest);
		ingest->give_up = true;
	}
	gs_logger_free(ingest);
	if (ingest->thread_started) {
		gs_lock_take(&ingest->queue_lock);
		ingest->stopping = true;
		gs_cond_signal(&ingest->work);
		gs_lock_release(&ingest->queue_lock);
		pthread_join(ingest->thread, NULL);
	}
	while (ingest->free_entries != NULL) {
		struct entry *next = ingest->free_entries->next;
		gs_entry_free(ingest->free_entries);
		ingest->free_entries = next;
	}
	while (ingest->free_kits != NULL) {
		struct kit *next = ingest->free_kits->next;
		gs_kit_free(ingest->free_kits);
		ingest->free_kits = next;
	}
	gs_message_close(ingest);
	gs_pushed_free(ingest->pushed);
	gs_publishers_free(ingest);
	gs_journal_close(ingest->journal);
	gs_pieces_free(ingest->pieces);
	gs_store_free(ingest->store);
	gs_push_keys_free(ingest->keys);
	gs_free(ingest->folder);
	gs_batch_free(ingest->own_batch);
	gs_expo_parser_free(ingest->own_parser);
	gs_buf_free(&ingest->own_text);
	gs_free(ingest->topic);
	gs_cond_destroy(&ingest->work);
	gs_cond_destroy(&ingest->space);
	gs_cond_destroy(&ingest->fresh);
	gs_cond_destroy(&ingest->log_work);
	gs_lock_destroy(&ingest->queue_lock);
	gs_lock_destroy(&ingest->store_lock);
	gs_lock_destroy(&ingest->turn_lock);
	gs_free(ingest);
}

/* Count a push in, if there is room. */
static bool admit(struct gs_ingest *ingest, struct gs_error *err) {
	struct gs_error why;
	gs_lock_take(&ingest->queue_lock);
	bool room = ingest->pushes < ingest->options.pushes_in_flight && !ingest->stopping;
	ingest->pushes += room;
	gs_lock_release(&ingest->queue_lock);
	if (room)
		return true;
	gs_error_set(
	    &why, GS_EAGAIN, 0, 0, "there are %zu pushes in flight; try again", ingest->options.pushes_in_flight);
	gs_error_limit(&why, "pushes_in_flight");
	gs_ingest_limited(&why);
	if (err != NULL)
		*err = why;
	return false;
}

static void take_back(struct gs_ingest *ingest) {
	gs_lock_take(&ingest->queue_lock);
	ingest->pushes--;
	gs_lock_release(&ingest->queue_lock);
}

static void take_over(struct entry *entry, const struct gs_ingest_push *push) {
	entry->once = push->key.n != 0;
	if (entry->once)
		entry->key = gs_key_hash(push->key);
	entry->body = push->body;
	entry->labels = push->labels;
	entry->nlabels = push->nlabels;
	entry->done = push->done;
	entry->ctx = push->ctx;
}

static struct entry *push_entry(struct gs_ingest *ingest, const struct gs_ingest_push *push, enum entry_kind kind) {
	struct entry *entry = gs_entry_get(ingest, kind);
	if (entry == NULL)
		return NULL;
	take_over(entry, push);
	return entry;
}

static size_t max_samples_in_flight(const struct gs_ingest *ingest) {
	size_t twice = 2 * ingest->options.push_samples;
	if (ingest->options.samples_in_flight != 0)
		return ingest->options.samples_in_flight;
	return twice > GS_LIMIT_SAMPLES_IN_FLIGHT ? twice : GS_LIMIT_SAMPLES_IN_FLIGHT;
}

/* Count its samples in, if there is room: a body of some MB may be hundreds as a batch. */
static bool hold(struct gs_ingest *ingest, struct entry *entry, struct gs_error *err) {
	size_t n = gs_batch_stats(entry->batch).samples, max = max_samples_in_flight(ingest);
	gs_lock_take(&ingest->queue_lock);
	bool room = ingest->samples + n <= max;
	if (room)
		ingest->samples += entry->held = n;
	gs_lock_release(&ingest->queue_lock);
	if (room)
		return true;
	gs_error_set(err, GS_EAGAIN, 0, 0, "there are %zu samples in flight; try again", max);
	gs_metric_add_l(GS_M_LIMITED, 1, "samples", NULL);
	return false;
}

/* Who pushed it has his answer: so it waits for its turn, however long. */
void gs_ingest_hold_edge(struct gs_ingest *ingest, struct entry *entry) {
	size_t n = gs_batch_stats(entry->batch).samples, max = max_samples_in_flight(ingest);
	gs_lock_take(&ingest->queue_lock);
	while (ingest->samples != 0 && ingest->samples + n > max && !ingest->let_go) {
		ingest->edge_waits = true;
		gs_cond_wait(&ingest->space, &ingest->queue_lock, -1);
	}
	ingest->edge_waits = false;
	ingest->samples += entry->held = n;
	gs_lock_release(&ingest->queue_lock);
}

static int64_t ttl_of(const struct gs_ingest *ingest, const struct gs_ingest_push *push) {
	bool named = push->ttl_ms != 0 || !push->leaves || ingest->options.store.expiration_ms != 0;
	return named ? push->ttl_ms : INGEST_TTL_MS;
}

/* Of one entry: at least the default, so that it binds all receivers alike unless they go beyond it. */
static size_t stream_samples(const struct gs_ingest *ingest) {
	size_t n = ingest->options.push_samples;
	return n > GS_LIMIT_PUSH_SAMPLES ? n : GS_LIMIT_PUSH_SAMPLES;
}

static enum gs_status read_push(struct gs_ingest *ingest, struct entry *entry, const struct gs_ingest_push *push,
    bool logged, struct gs_error *why) {
	struct gs_batch_options options = {
	    .labels = push->labels,
	    .nlabels = push->nlabels,
	    .rule = GS_LABELS_OVERRIDE,
	    .mode = push->leaves ? (struct gs_mode){.kind = GS_MODE_REPLACE} : push->mode,
	    .ttl_ms = ttl_of(ingest, push),
	    .gateway = entry->kind == ENTRY_GATEWAY,
	    .max_samples = SIZE_MAX,
	};
	/* What stands in a stream anybody may have put there, and it is read again and again. */
	if (gs_ingest_reads_log(ingest))
		options.max_samples = stream_samples(ingest);
	if (!logged) {
		options.max_samples = ingest->options.push_samples;
		options.max_labels = ingest->options.max_labels;
		options.max_name = ingest->options.max_name;
		options.max_value = ingest->options.max_value;
	}
	struct kit *kit = gs_kit_get(ingest);
	if (kit == NULL)
		return GS_ENOMEM;
	gs_batch_begin(entry->batch, &options);
	enum gs_status status = gs_batch_read(entry->batch, kit->parser, &push->format, push->body, why);
	gs_kit_put(ingest, kit);
	if (status == GS_ELIMIT)
		gs_ingest_limited(why);
	return status;
}

static enum gs_status parse_push(
    struct gs_ingest *ingest, struct entry *entry, const struct gs_ingest_push *push, struct gs_error *err) {
	struct gs_error why = {0};
	enum gs_status status = read_push(ingest, entry, push, false, &why);
	if (status == GS_OK && !hold(ingest, entry, &why))
		status = GS_EAGAIN;
	if (err != NULL)
		*err = why;
	return status;
}

/* An entry that was counted in. */
static enum gs_status begin_push(struct gs_ingest *ingest, const struct gs_ingest_push *push, enum entry_kind kind,
    struct entry **ret, struct gs_error *err) {
	if (gs_ingest_ready(ingest, err) != GS_OK)
		return GS_EIO;
	if (!admit(ingest, err))
		return GS_EAGAIN;
	*ret = push_entry(ingest, push, kind);
	if (*ret != NULL)
		return GS_OK;
	take_back(ingest);
	return GS_ENOMEM;
}

static enum gs_status end_push(struct gs_ingest *ingest, struct entry *entry, const struct gs_ingest_push *push,
    enum gs_wire_push_op op, enum gs_status status, struct gs_error *err) {
	if (status == GS_OK && gs_ingest_keeps_log(ingest)) {
		struct record record = {.op = op, .push = push, .id = push->key, .time_ms = gs_clock_wall_ms()};
		status = gs_record_write(ingest, entry, &record, err);
	}
	if (status == GS_OK) {
		if (!gs_ingest_apply_at_once(ingest, entry))
			gs_ingest_queue(ingest, entry);
		return GS_OK;
	}
	gs_lock_take(&ingest->queue_lock);
	ingest->pushes--;
	ingest->samples -= entry->held;
	gs_lock_release(&ingest->queue_lock);
	gs_entry_put(ingest, entry);
	if (err != NULL)
		gs_log(GS_LOG_VERBOSE, "refused a push: %u:%u: %s", err->line, err->column, err->text);
	return status;
}

enum gs_status gs_ingest_push(struct gs_ingest *ingest, const struct gs_ingest_push *push, struct gs_error *err) {
	struct entry *entry = NULL;
	enum gs_status status = begin_push(ingest, push, ENTRY_PUSH, &entry, err);
	if (status != GS_OK)
		return status;
	status = parse_push(ingest, entry, push, err);
	return end_push(ingest, entry, push, push->leaves ? GS_WIRE_PUSH_INGEST : GS_WIRE_PUSH, status, err);
}

enum gs_status gs_ingest_delete(struct gs_ingest *ingest, const struct gs_ingest_push *push, struct gs_error *err) {
	struct entry *entry = NULL;
	enum gs_status status = begin_push(ingest, push, ENTRY_DELETE, &entry, err);
	return status == GS_OK ? end_push(ingest, entry, push, GS_WIRE_PUSH_DELETE, GS_OK, err) : status;
}

/* Make the entry one that says that its push was refused. */
static enum gs_status turn_into_failure(struct entry *entry, const struct gs_error *why) {
	struct gs_error *copy = gs_arena_alloc(entry->arena, sizeof(*copy));
	if (copy == NULL)
		return GS_ENOMEM;
	*copy = *why;
	entry->refused = copy;
	entry->op = GS_GATEWAY_FAILED;
	return GS_OK;
}

enum gs_status gs_ingest_gateway(
    struct gs_ingest *ingest, enum gs_gateway_op op, const struct gs_ingest_push *push, struct gs_error *err) {
	struct gs_error why = {0};
	struct entry *entry = NULL;
	enum gs_status status = begin_push(ingest, push, ENTRY_GATEWAY, &entry, err);
	if (status != GS_OK)
		return status;
	entry->op = op;
	if (op != GS_GATEWAY_DELETE)
		status = parse_push(ingest, entry, push, &why);
	if (status == GS_EINVAL && gs_batch_stats(entry->batch).parsed)
		status = turn_into_failure(entry, &why);
	static const enum gs_wire_push_op ops[] = {
	    [GS_GATEWAY_PUT] = GS_WIRE_PUSH_GATEWAY_PUT,
	    [GS_GATEWAY_POST] = GS_WIRE_PUSH_GATEWAY_POST,
	    [GS_GATEWAY_DELETE] = GS_WIRE_PUSH_GATEWAY_DELETE,
	};
	status = end_push(ingest, entry, push, ops[op], status, &why);
	if (status != GS_OK && err != NULL)
		*err = why;
	return status;
}

enum gs_status gs_ingest_fill_push(struct gs_ingest *ingest, struct entry *entry, const struct gs_ingest_push *push,
    bool logged, struct gs_error *err) {
	enum gs_status status = GS_OK;
	struct gs_error why = {0};
	take_over(entry, push);
	bool reads = entry->kind == ENTRY_PUSH || (entry->kind == ENTRY_GATEWAY && entry->op != GS_GATEWAY_DELETE);
	if (reads)
		status = read_push(ingest, entry, push, logged, &why);
	if (entry->kind == ENTRY_GATEWAY && status == GS_EINVAL && gs_batch_stats(entry->batch).parsed)
		status = turn_into_failure(entry, &why);
	if (err != NULL)
		*err = why;
	return status;
}

void gs_ingest_refresh(struct gs_ingest *ingest) {
	int64_t until = gs_clock_mono_ms() + REFRESH_MS;
	gs_lock_take(&ingest->queue_lock);
	uint64_t ticket = ++ingest->refresh_asked;
	gs_cond_signal(&ingest->work);
	for (int64_t left = REFRESH_MS; ingest->refresh_done < ticket && left > 0; left = until - gs_clock_mono_ms())
		gs_cond_wait(&ingest->fresh, &ingest->queue_lock, left);
	gs_lock_release(&ingest->queue_lock);
}

struct gs_store_stats gs_ingest_stats(struct gs_ingest *ingest) {
	gs_ingest_store_take(ingest);
	struct gs_store_stats stats = gs_store_stats(ingest->store);
	gs_ingest_store_release(ingest);
	return stats;
}
