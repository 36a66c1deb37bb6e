/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/bus/kv.h"

#include "gravel/base/clock.h"
#include "gravel/base/lock.h"
#include "gravel/base/map.h"
#include "gravel/base/mem.h"
#include "private.h"

/*
 * NATS KV: the value of each key is a document in the form of http_sd. The thread of the watch only copies what comes into a queue and waits while that is
 * full; documents are read on the thread of discovery.
 */

/* Fixed: bytes that wait in the queue, one value at least. */
#define QUEUE_MAX ((size_t)8 * 1024 * 1024)
/* Fixed: what came together is published together. */
#define BATCH_MS 50

struct change {
	struct change *next;
	enum gs_kv_kind kind;
	size_t nkey;
	size_t nvalue;
	char bytes[]; /* key and value; of GS_KV_LOST the reason, NUL-terminated, as the value */
};

struct key {
	struct gs_sd_doc *doc; /* of the last good value; NULL: none yet */
	bool listed; /* by the listing under way */
	struct gs_sd_reason error;
	size_t n;
	char name[]; /* NUL-terminated beyond n */
};

struct state {
	struct gs_kv *kv;
	struct gs_lock lock;
	struct gs_cond cond;
	bool locks; /* these two are made */

	/* Guarded by lock. */
	struct change *first;
	struct change **end;
	size_t bytes;
	bool closing;
	bool no_memory; /* something could not be queued */

	/* The thread of discovery. */
	struct gs_map *keys;
	bool complete; /* a listing was complete once */
	bool listing; /* one is under way */
	bool changed; /* since the last list was published */
	bool limited; /* there are more keys than may be */
	struct gs_sd_reason lost; /* why there is no watch now; empty: there is one */
};

/* The thread of the watch. */

static struct change *copy(const struct gs_kv_event *event) {
	struct gs_str value = event->kind == GS_KV_LOST ? gs_str_of(event->reason) : event->value;
	if (value.n > GS_LIMIT_SD_DOCUMENT)
		value.n = 0; /* no document: said when it is read */
	struct change *change = gs_alloc(sizeof(*change) + event->key.n + value.n + 1);
	if (change == NULL)
		return NULL;
	change->kind = event->kind;
	change->nkey = event->key.n;
	change->nvalue = value.n;
	if (event->key.n != 0)
		memcpy(change->bytes, event->key.p, event->key.n);
	if (value.n != 0)
		memcpy(change->bytes + event->key.n, value.p, value.n);
	return change;
}

static void on_event(void *ctx, const struct gs_kv_event *event) {
	struct gs_sd_source *source = ctx;
	struct state *s = source->state;
	struct change *change = copy(event);
	gs_lock_take(&s->lock);
	while (s->bytes > QUEUE_MAX && !s->closing)
		gs_cond_wait(&s->cond, &s->lock, -1);
	bool wake = s->first == NULL;
	if (change == NULL) {
		s->no_memory = true;
	} else if (!s->closing) {
		s->bytes += sizeof(*change) + change->nkey + change->nvalue;
		*s->end = change;
		s->end = &change->next;
		change = NULL;
	}
	gs_lock_release(&s->lock);
	gs_free(change);
	if (wake)
		gs_sd_wake(source->discovery);
}

/* The thread of discovery. */

static void parse(struct key *key, struct gs_str value) {
	struct gs_sd_parse how = {
	    .meta = {{.name = GS_STR("__meta_nats_kv_key"), .value = gs_str_make(key->name, key->n)}},
	    .nmeta = 1,
	    .one = true};
	struct gs_sd_doc *doc;
	struct gs_error err;
	key->error.text[0] = '\0';
	if (gs_sd_parse_json(value, &how, &doc, &err) == GS_OK) {
		gs_sd_doc_free(key->doc);
		key->doc = doc;
	} else if (err.line != 0) {
		gs_sd_because(&key->error, "key %s: line %lu: %s", key->name, (unsigned long)err.line, err.text);
	} else {
		gs_sd_because(&key->error, "key %s: %s", key->name, err.text);
	}
}

static void free_key(struct key *key) {
	gs_sd_doc_free(key->doc);
	gs_free(key);
}

static struct key *add(struct state *s, struct gs_str name) {
	struct key *key = gs_alloc(sizeof(*key) + name.n + 1);
	if (key == NULL)
		return NULL;
	key->n = name.n;
	memcpy(key->name, name.p, name.n);
	enum gs_status status = gs_map_put(s->keys, gs_str_make(key->name, key->n), key);
	if (status == GS_OK)
		return key;
	s->limited |= status == GS_ELIMIT;
	gs_free(key);
	return NULL;
}

static void put(struct state *s, struct gs_str name, struct gs_str value) {
	struct key *key = gs_map_get(s->keys, name);
	if (key == NULL)
		key = add(s, name);
	if (key == NULL) {
		if (!s->limited)
			gs_sd_because(&s->lost, "out of memory");
		return;
	}
	key->listed = true;
	parse(key, value);
}

static void forget_unlisted(struct state *s) {
	size_t cursor = 0;
	struct gs_str name;
	for (struct key *key; (key = gs_map_next(s->keys, &cursor, &name)) != NULL;) {
		if (key->listed)
			continue;
		gs_map_remove(s->keys, name);
		free_key(key);
	}
}

static void begin_listing(struct state *s) {
	size_t cursor = 0;
	for (struct key *key; (key = gs_map_next(s->keys, &cursor, NULL)) != NULL;)
		key->listed = false;
	s->listing = true;
	s->limited = false;
}

static void apply(struct state *s, const struct change *change) {
	struct gs_str name = gs_str_make(change->bytes, change->nkey);
	struct key *key = NULL;
	s->changed = true;
	switch (change->kind) {
	case GS_KV_BEGIN:
		begin_listing(s);
		break;
	case GS_KV_PUT:
		put(s, name, gs_str_make(change->bytes + change->nkey, change->nvalue));
		break;
	case GS_KV_DELETE:
		key = gs_map_remove(s->keys, name);
		if (key != NULL)
			free_key(key);
		break;
	case GS_KV_COMPLETE:
		forget_unlisted(s);
		s->listing = false;
		s->complete = true;
		s->lost.text[0] = '\0';
		break;
	case GS_KV_LOST:
		gs_sd_because(&s->lost, "%s", change->bytes + change->nkey);
		break;
	}
}

static struct change *take(struct state *s, bool *ret_no_memory) {
	gs_lock_take(&s->lock);
	struct change *first = s->first;
	s->first = NULL;
	s->end = &s->first;
	s->bytes = 0;
	*ret_no_memory = s->no_memory;
	s->no_memory = false;
	gs_cond_broadcast(&s->cond);
	gs_lock_release(&s->lock);
	return first;
}

static void woken(struct gs_sd_source *source) {
	struct state *s = source->state;
	bool no_memory;
	struct change *change = take(s, &no_memory);
	while (change != NULL) {
		struct change *next = change->next;
		if (!source->discovery->stopping)
			apply(s, change);
		gs_free(change);
		change = next;
	}
	if (no_memory)
		gs_sd_because(&s->lost, "out of memory");
	if ((s->changed || no_memory) && source->tick_ms == GS_SD_NEVER)
		source->tick_ms = gs_clock_mono_ms() + BATCH_MS;
}

static bool publish(struct gs_sd_source *source) {
	struct state *s = source->state;
	size_t n = 0, cursor = 0;
	struct gs_sd_doc **docs = gs_alloc_array(gs_map_count(s->keys) + 1, sizeof(struct gs_sd_doc *));
	if (docs == NULL) {
		gs_sd_failed(source, "out of memory");
		return false;
	}
	for (struct key *key; (key = gs_map_next(s->keys, &cursor, NULL)) != NULL;)
		docs[n++] = key->doc;
	bool ok = gs_sd_publish(source, docs, n);
	gs_free(docs);
	return ok;
}

/* Say how it is: with a watch and every key in order, or not. */
static void judge(struct gs_sd_source *source) {
	struct state *s = source->state;
	const struct key *bad = NULL;
	size_t nbad = 0, cursor = 0;
	for (const struct key *key; (key = gs_map_next(s->keys, &cursor, NULL)) != NULL;) {
		if (key->error.text[0] == '\0')
			continue;
		nbad++;
		/* The map has no order: the same one must be named each time. */
		if (bad == NULL || strcmp(key->name, bad->name) < 0)
			bad = key;
	}
	if (s->lost.text[0] != '\0')
		gs_sd_failed(source, "%s", s->lost.text);
	else if (s->limited)
		gs_sd_failed(source, "more than %d keys", GS_LIMIT_SD_KEYS);
	else if (nbad > 1)
		gs_sd_failed(source, "%s (and %zu more)", bad->error.text, nbad - 1);
	else if (nbad == 1)
		gs_sd_failed(source, "%s", bad->error.text);
	else if (s->complete)
		gs_sd_good(source);
}

static void tick(struct gs_sd_source *source) {
	struct state *s = source->state;
	s->changed = false;
	/* In the middle of a listing there are keys of which nothing is known yet. */
	if (s->complete && !s->listing && !publish(source))
		return;
	if (!s->listing || s->lost.text[0] != '\0')
		judge(source);
}

/* The watch goes on by itself; what it is worth is said now and then, for the metrics. */
static void refresh(struct gs_sd_source *source) {
	struct state *s = source->state;
	if (s->lost.text[0] != '\0' || (s->complete && !s->listing))
		judge(source);
}

static void start(struct gs_sd_source *source) {
	struct state *s = source->state;
	struct gs_kv_options options = {
	    .bucket = source->sd->names[0],
	    .prefix = source->sd->prefix,
	    .relist_ms = source->sd->refresh_interval,
	    .fn = on_event,
	    .ctx = source,
	};
	struct gs_error err;
	if (gs_kv_watch(source->discovery->options.bus, &options, &s->kv, &err) != GS_OK) {
		gs_sd_because(&s->lost, "%s", err.text);
		gs_sd_failed(source, "%s", err.text);
	}
}

static enum gs_status open_kv(struct gs_sd_source *source, struct gs_error *err) {
	struct state *s = gs_alloc(sizeof(*s));
	source->state = s;
	if (source->discovery->options.bus == NULL)
		return gs_error_set(
		    err, GS_EINVAL, source->sd->line, source->sd->column, "there is no connection to NATS");
	if (s == NULL || (s->keys = gs_map_new(GS_LIMIT_SD_KEYS)) == NULL ||
	    gs_lock_init(&s->lock, GS_RANK_DISCOVERY) != GS_OK)
		return gs_error_set(err, GS_ENOMEM, 0, 0, "out of memory");
	if (gs_cond_init(&s->cond) != GS_OK) {
		gs_lock_destroy(&s->lock);
		return gs_error_set(err, GS_ENOMEM, 0, 0, "out of memory");
	}
	s->locks = true;
	s->end = &s->first;
	return GS_OK;
}

static void stop_watch(struct state *s) {
	bool no_memory;
	gs_lock_take(&s->lock);
	s->closing = true;
	gs_cond_broadcast(&s->cond);
	gs_lock_release(&s->lock);
	gs_kv_close(s->kv);
	for (struct change *change = take(s, &no_memory), *next; change != NULL; change = next) {
		next = change->next;
		gs_free(change);
	}
}

static void close_kv(struct gs_sd_source *source) {
	struct state *s = source->state;
	size_t cursor = 0;
	if (s == NULL)
		return;
	if (s->locks) {
		stop_watch(s);
		gs_cond_destroy(&s->cond);
		gs_lock_destroy(&s->lock);
	}
	for (struct key *key; s->keys != NULL && (key = gs_map_next(s->keys, &cursor, NULL)) != NULL;)
		free_key(key);
	gs_map_free(s->keys);
	gs_free(s);
}

const struct gs_sd_ops gs_sd_kv_ops = {.name = "nats_kv",
    .open = open_kv,
    .start = start,
    .refresh = refresh,
    .tick = tick,
    .woken = woken,
    .close = close_kv};
