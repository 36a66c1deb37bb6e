/* SPDX-License-Identifier: Apache-2.0 */
/* What is in force, and how something else takes its place. */
#include "gravel/manager/manager.h"

#include <assert.h>
#include <stdio.h>
#include <unistd.h>

#include "gravel/base/clock.h"
#include "gravel/base/hash.h"
#include "gravel/base/mem.h"
#include "gravel/log/log.h"
#include "gravel/telemetry/telemetry.h"
#include "manager_internal.h"

#define RESULTS_MAX ((size_t)GS_LIMIT_WIRE_BODY)

/* The scraper's thread */

/* Until every target has had its turn, a sum would be one of those that were early. */
static void publish_results(struct gs_manager *manager, struct target *target) {
	struct scope *scope = target->scope;
	if (gs_clock_mono_ms() - scope->created_ms < target->interval_ms)
		return;
	if (!scope->published && gs_rollup_series(scope->rollup) == 0)
		return;
	gs_buf_clear(&manager->results);
	enum gs_status status = gs_rollup_write(scope->rollup, &manager->results);
	if (status == GS_OK) {
		scope->published = true;
		gs_relay_exposition(manager->relay, target->group->job, target->group->instance, target->interval_ms,
		    gs_clock_wall_ms(), gs_buf_slice(&manager->results));
	} else {
		gs_metric_add_l(GS_M_PUBLISH_DROPPED, 1, gs_status_name(status), NULL);
	}
}

static const char *on_start(void *ctx, const struct gs_scrape_target *scraped) {
	struct gs_manager *manager = ctx;
	struct target *target = scraped->user;
	if (target->kind == TARGET_RESULTS) {
		publish_results(manager, target);
		return "";
	}
	size_t over = atomic_load(&target->scope->over);
	if (over == 0)
		return NULL;
	snprintf(manager->refusal, sizeof(manager->refusal),
	    "target_limit exceeded (number of targets: %zu, limit: %lld)", over,
	    (long long)atomic_load(&target->scope->limit));
	return manager->refusal;
}

/* What the scraper has as its user is ours; what the relay is to have is its own. */
static void on_result(void *ctx, const struct gs_scrape_result *result) {
	struct gs_manager *manager = ctx;
	const struct target *target = result->target->user;
	struct gs_scrape_target scraped = *result->target;
	struct gs_scrape_result given = *result;
	if (target->kind == TARGET_RESULTS)
		return;
	scraped.user = target->relayed; /* it stays until on_removed, on this thread */
	given.target = &scraped;
	gs_relay_result(manager->relay, &given);
}

static bool on_body(void *ctx, const struct gs_scrape_target *target, struct gs_str content_type, struct gs_str piece) {
	struct gs_manager *manager = ctx;
	struct gs_scrape_target scraped = *target;
	scraped.user = ((const struct target *)target->user)->relayed;
	return gs_relay_body(manager->relay, &scraped, content_type, piece);
}

/* Updates: one at a time */

static void begin_update(struct gs_manager *manager) {
	gs_lock_take(&manager->lock);
	while (manager->updating)
		(void)gs_cond_wait(&manager->free_to_update, &manager->lock, -1);
	manager->updating = true;
	gs_lock_release(&manager->lock);
	manager->epoch++;
}

static void end_update(struct gs_manager *manager) {
	gs_lock_take(&manager->lock);
	manager->updating = false;
	gs_cond_signal(&manager->free_to_update);
	gs_lock_release(&manager->lock);
}

/* What will be in force. */
struct update {
	struct job **jobs;
	size_t njobs;
	struct board *board;
};

static bool is_in_force(const struct gs_manager *manager, const struct job *job) {
	for (size_t i = 0; i < manager->njobs; i++) {
		if (manager->jobs[i] == job)
			return true;
	}
	return false;
}

/* Those of its jobs that are new; the others stay with the manager. */
static void drop_update(struct gs_manager *manager, struct update *update) {
	for (size_t i = 0; i < update->njobs; i++) {
		if (!is_in_force(manager, update->jobs[i]))
			gs_job_free(update->jobs[i]);
	}
	gs_free(update->jobs);
	gs_board_unref(update->board);
}

static bool stays(const struct update *update, const struct job *job) {
	for (size_t i = 0; i < update->njobs; i++) {
		if (update->jobs[i] == job)
			return true;
	}
	return false;
}

/* The targets of ${job} that this update did not want again. */
static size_t leave_job(struct gs_manager *manager, const struct job *job) {
	size_t n = 0;
	for (size_t i = 0; i < job->view->n; i++) {
		struct target *target = job->view->targets[i];
		if (target->kind != TARGET_SCRAPED || target->epoch == manager->epoch)
			continue;
		gs_managed_leave(manager, target);
		n++;
	}
	if (job->results != NULL && job->results->epoch != manager->epoch)
		gs_managed_leave(manager, job->results);
	return n;
}

static size_t start_job(struct gs_manager *manager, struct job *job) {
	size_t n = 0;
	job->nunstarted = 0;
	if (job->results != NULL && !job->results->started)
		gs_managed_start(manager, job->results);
	for (size_t i = 0; i < job->view->n; i++) {
		struct target *target = job->view->targets[i];
		if (target->kind != TARGET_SCRAPED || target->started)
			continue;
		gs_managed_start(manager, target);
		n += target->started;
		job->nunstarted += !target->started;
	}
	return n;
}

static void limit_job(struct job *job) {
	bool was_over = atomic_load(&job->scope->over) != 0;
	atomic_store(&job->scope->limit, (int64_t)job->target_limit);
	atomic_store(&job->scope->over, job->over ? job->nscraped : 0);
	if (job->over && !was_over)
		gs_metric_add(GS_M_TARGET_LIMIT_EXCEEDED, 1);
}

static void log_refused(const struct job *job) {
	static struct gs_log_limit limit;
	for (size_t i = 0; i < job->view->n; i++) {
		const struct target *target = job->view->targets[i];
		const char *error = atomic_load(&target->error);
		if (error == NULL)
			continue;
		gs_log_limited(&limit, 60000, GS_LOG_WARN, "a target of job \"%s\" cannot be scraped: %s; see /targets",
		    job->config->name, error);
		return;
	}
}

/* The change itself: from here on nothing fails but single targets. */
static struct gs_manager_changes commit(struct gs_manager *manager, struct update *update) {
	struct gs_manager_changes changes = {0};
	struct job **old = manager->jobs;
	size_t nold = manager->njobs;
	for (size_t i = 0; i < nold; i++)
		changes.left += stays(update, old[i]) ? 0 : leave_job(manager, old[i]);
	manager->jobs = update->jobs;
	manager->njobs = update->njobs;
	for (size_t i = 0; i < manager->njobs; i++) {
		struct job *job = manager->jobs[i];
		changes.targets += job->nscraped;
		if (job->epoch != manager->epoch && job->nunstarted == 0)
			continue;
		limit_job(job);
		changes.came += start_job(manager, job);
		log_refused(job);
	}
	gs_lock_take(&manager->lock);
	struct board *shown = manager->board;
	manager->board = update->board;
	gs_lock_release(&manager->lock);
	gs_board_unref(shown);
	for (size_t i = 0; i < nold; i++) {
		if (!is_in_force(manager, old[i]))
			gs_job_free(old[i]);
	}
	gs_free(old);
	return changes;
}

/* Lists */

static struct job *find_job(const struct gs_manager *manager, const char *name) {
	for (size_t i = 0; i < manager->njobs; i++) {
		if (strcmp(manager->jobs[i]->config->name, name) == 0 && manager->jobs[i]->config->nsds != 0)
			return manager->jobs[i];
	}
	return NULL;
}

static enum gs_status prepare_list(struct gs_manager *manager, const struct place *place,
    const struct gs_discovered *targets, size_t n, struct update *update) {
	const struct job *old = find_job(manager, place->job);
	update->jobs = gs_alloc_array(manager->njobs, sizeof(struct job *));
	if (update->jobs == NULL)
		return GS_ENOMEM;
	assert(old != NULL);
	for (size_t i = 0; i < manager->njobs; i++) {
		enum gs_status status = GS_OK;
		if (manager->jobs[i] != old)
			update->jobs[i] = manager->jobs[i];
		else
			status = gs_job_listed(manager, old, place->hash, targets, n, &update->jobs[i]);
		if (status != GS_OK)
			return status;
		update->njobs++;
	}
	update->board = gs_board_new(update->jobs, update->njobs);
	return update->board != NULL ? GS_OK : GS_ENOMEM;
}

/* On the thread of discovery. */
static void on_list(void *ctx, size_t source, const struct gs_discovered *targets, size_t n) {
	struct watch *watch = ctx;
	struct gs_manager *manager = watch->manager;
	const struct place *place = NULL;
	struct update update = {0};
	struct gs_manager_changes changes = {0};
	enum gs_status status = GS_OK;
	for (size_t i = 0; i < watch->nplaces; i++) {
		if (watch->places[i].source == source)
			place = &watch->places[i];
	}
	begin_update(manager);
	if (watch == manager->watch && place != NULL) {
		status = prepare_list(manager, place, targets, n, &update);
		if (status == GS_OK)
			changes = commit(manager, &update);
		else
			drop_update(manager, &update);
	}
	end_update(manager);
	if (status != GS_OK)
		gs_log(GS_LOG_ERROR, "job \"%s\" keeps its old list of targets: out of memory", place->job);
	else if (changes.came != 0 || changes.left != 0)
		gs_log(GS_LOG_VERBOSE, "discovery of job \"%s\": %zu targets came, %zu left", place->job, changes.came,
		    changes.left);
}

/* Discovery */

static void watch_free(struct watch *watch) {
	if (watch == NULL)
		return;
	gs_discovery_free(watch->discovery);
	gs_generation_unref(watch->generation);
	gs_free(watch->places);
	gs_free(watch);
}

static enum gs_status add_sources(struct watch *watch, const struct gs_config_job *job, struct gs_error *err) {
	for (size_t i = 0; i < job->nsds; i++) {
		struct place *place = &watch->places[watch->nplaces];
		if (job->sds[i].kind == GS_SD_STATIC)
			continue;
		enum gs_status status = gs_settings_source(&job->sds[i], &place->hash);
		if (status == GS_OK && watch->discovery != NULL)
			status = gs_discovery_add(watch->discovery, job->name, &job->sds[i], &place->source, err);
		if (status != GS_OK)
			return status;
		place->job = job->name;
		uint64_t texts[] = {watch->hash, gs_hash(gs_str_of(job->name)), place->hash};
		watch->hash = gs_hash(gs_str_make((const char *)texts, sizeof(texts)));
		watch->nplaces++;
	}
	return GS_OK;
}

static size_t count_sources(const struct gs_config *config) {
	size_t n = 0;
	for (size_t i = 0; i < config->njobs; i++)
		n += config->jobs[i].nsds;
	return n;
}

/* Discovery of ${generation}, which does not run yet; without ${open} only what is needed to compare it. */
static enum gs_status watch_new(
    struct gs_manager *manager, struct generation *generation, bool open, struct watch **ret, struct gs_error *err) {
	const struct gs_config *config = generation->config;
	struct watch *watch = gs_alloc(sizeof(*watch));
	if (watch == NULL)
		return GS_ENOMEM;
	watch->manager = manager;
	watch->generation = gs_generation_ref(generation);
	watch->places = gs_alloc_array(count_sources(config) + 1, sizeof(struct place));
	struct gs_discovery_options options = {
	    .user_agent = manager->user_agent, .bus = manager->bus, .on_list = on_list, .ctx = watch};
	enum gs_status status = watch->places != NULL ? GS_OK : GS_ENOMEM;
	if (status == GS_OK && open)
		status = gs_discovery_new(&options, &watch->discovery, err);
	for (size_t i = 0; i < config->njobs && status == GS_OK; i++)
		status = add_sources(watch, &config->jobs[i], err);
	if (status == GS_OK)
		*ret = watch;
	else
		watch_free(watch);
	return status;
}

/* The discovery that ${generation} needs, to be started: NULL where it is the one that runs. */
static enum gs_status next_watch(
    struct gs_manager *manager, struct generation *generation, struct watch **ret, struct gs_error *err) {
	struct watch *watch = NULL;
	*ret = NULL;
	enum gs_status status = watch_new(manager, generation, false, &watch, err);
	if (status != GS_OK)
		return status;
	bool same = manager->watch != NULL ? manager->watch->hash == watch->hash : watch->nplaces == 0;
	bool needed = watch->nplaces != 0;
	if (same || !needed) {
		if (!same)
			*ret = watch; /* an empty one takes the place of the old one */
		else
			watch_free(watch);
		return GS_OK;
	}
	watch_free(watch);
	watch = NULL;
	return watch_new(manager, generation, true, ret, err);
}

/* Configurations */

static struct job *job_of(const struct gs_manager *manager, const struct gs_config_job *config, bool self) {
	for (size_t i = 0; i < manager->njobs; i++) {
		struct job *job = manager->jobs[i];
		bool is_self = job->config == &job->generation->self;
		if (is_self == self && strcmp(job->config->name, config->name) == 0)
			return job;
	}
	return NULL;
}

static enum gs_status prepare_job(struct gs_manager *manager, struct generation *generation,
    const struct gs_config_job *config, struct update *update, struct gs_error *err) {
	struct job *old = job_of(manager, config, config == &generation->self);
	bool same = false;
	enum gs_status status = old != NULL ? gs_job_same(generation, config, old, &same) : GS_OK;
	if (status == GS_OK && same)
		update->jobs[update->njobs] = old;
	else if (status == GS_OK)
		status = gs_job_new(manager, generation, config, old, &update->jobs[update->njobs], err);
	if (status == GS_OK)
		update->njobs++;
	return status;
}

static enum gs_status prepare(
    struct gs_manager *manager, struct generation *generation, struct update *update, struct gs_error *err) {
	enum gs_status status = GS_OK;
	const struct gs_config_job *config;
	update->jobs = gs_alloc_array(generation->config->njobs + 1, sizeof(struct job *));
	if (update->jobs == NULL)
		return GS_ENOMEM;
	for (size_t i = 0; status == GS_OK && (config = gs_generation_job(generation, i)) != NULL; i++)
		status = prepare_job(manager, generation, config, update, err);
	if (status == GS_OK)
		update->board = gs_board_new(update->jobs, update->njobs);
	return status == GS_OK && update->board == NULL ? GS_ENOMEM : status;
}

static enum gs_status fail(enum gs_status status, struct gs_error *err) {
	if (err != NULL && err->text[0] == '\0')
		(void)gs_error_set(err, status, 0, 0, "%s", status == GS_ENOMEM ? "out of memory" : "cannot be used");
	return status;
}

/* One discovery ends before the next one starts: both have the same metrics. */
static void change_watch(struct watch *old, struct watch *new) {
	struct gs_error err = {0};
	watch_free(old); /* its lists were nobody's any more */
	if (new->discovery != NULL && gs_discovery_start(new->discovery, &err) != GS_OK)
		gs_log(GS_LOG_ERROR, "targets that are found once stay: %s", err.text);
}

static enum gs_status apply(struct gs_manager *manager, struct generation *generation,
    struct gs_manager_changes *changes, struct gs_error *err) {
	struct update update = {0};
	struct watch *watch = NULL, *old = NULL;
	begin_update(manager);
	enum gs_status status = prepare(manager, generation, &update, err);
	if (status == GS_OK)
		status = next_watch(manager, generation, &watch, err);
	if (status == GS_OK)
		*changes = commit(manager, &update);
	else
		drop_update(manager, &update);
	if (status == GS_OK && watch != NULL) {
		old = manager->watch;
		manager->watch = watch;
	}
	end_update(manager);
	if (status == GS_OK && watch != NULL)
		change_watch(old, watch);
	return status;
}

enum gs_status gs_manager_reload(struct gs_manager *manager, struct gs_config *config,
    struct gs_manager_changes *ret_changes, struct gs_error *err) {
	struct gs_manager_changes changes = {0};
	if (err != NULL)
		err->text[0] = '\0';
	struct generation *generation = gs_generation_new(config, manager->identity, manager->self_url);
	if (generation == NULL)
		return fail(GS_ENOMEM, err);
	enum gs_status status = apply(manager, generation, &changes, err);
	if (status != GS_OK)
		generation->config = NULL; /* it stays the caller's */
	gs_generation_unref(generation);
	if (ret_changes != NULL)
		*ret_changes = changes;
	return status == GS_OK ? GS_OK : fail(status, err);
}

/* Life */

static enum gs_status copy_options(
    struct gs_manager *manager, const struct gs_manager_options *options, const struct gs_config *config) {
	manager->relay = options->relay;
	manager->bus = options->bus;
	manager->user_agent = gs_strdup(gs_str_of(options->user_agent));
	manager->identity = gs_strdup(gs_str_of(config->identity));
	if (options->self_url != NULL)
		manager->self_url = gs_strdup(gs_str_of(options->self_url));
	if (gethostname(manager->hostname, sizeof(manager->hostname) - 1) != 0)
		snprintf(manager->hostname, sizeof(manager->hostname), "localhost");
	manager->groups = gs_map_new((size_t)GS_LIMIT_TARGETS * 2);
	gs_buf_init(&manager->results, RESULTS_MAX);
	bool whole = manager->user_agent != NULL && manager->identity != NULL && manager->groups != NULL &&
		     (options->self_url == NULL || manager->self_url != NULL);
	return whole ? GS_OK : GS_ENOMEM;
}

static enum gs_status open_scraper(struct gs_manager *manager, struct gs_error *err) {
	struct gs_scraper_options options = {
	    .user_agent = manager->user_agent,
	    .identity = manager->identity,
	    .on_start = on_start,
	    .on_result = on_result,
	    .on_body = on_body,
	    .on_removed = gs_managed_removed,
	    .ctx = manager,
	};
	return gs_scraper_new(&options, &manager->scraper, err);
}

static void manager_free(struct gs_manager *manager) {
	gs_free(manager->user_agent);
	gs_free(manager->identity);
	gs_free(manager->self_url);
	gs_map_free(manager->groups);
	gs_buf_free(&manager->results);
	gs_cond_destroy(&manager->free_to_update);
	gs_lock_destroy(&manager->lock);
	gs_free(manager);
}

static struct gs_manager *manager_alloc(void) {
	struct gs_manager *manager = gs_alloc(sizeof(*manager));
	if (manager == NULL)
		return NULL;
	if (gs_lock_init(&manager->lock, GS_RANK_MANAGER) != GS_OK) {
		gs_free(manager);
		return NULL;
	}
	if (gs_cond_init(&manager->free_to_update) != GS_OK) {
		gs_lock_destroy(&manager->lock);
		gs_free(manager);
		return NULL;
	}
	return manager;
}

enum gs_status gs_manager_new(const struct gs_manager_options *options, struct gs_config *config,
    struct gs_manager **ret_manager, struct gs_error *err) {
	struct gs_manager *manager = manager_alloc();
	if (err != NULL)
		err->text[0] = '\0';
	if (manager == NULL)
		return fail(GS_ENOMEM, err);
	enum gs_status status = copy_options(manager, options, config);
	if (status == GS_OK)
		status = open_scraper(manager, err);
	if (status == GS_OK)
		status = gs_scraper_start(manager->scraper, err);
	if (status == GS_OK)
		status = gs_manager_reload(manager, config, NULL, err);
	if (status == GS_OK) {
		*ret_manager = manager;
		return GS_OK;
	}
	gs_manager_free(manager);
	return fail(status, err);
}

void gs_manager_stop(struct gs_manager *manager, int64_t grace_ms) {
	begin_update(manager);
	struct watch *watch = manager->watch;
	manager->watch = NULL;
	end_update(manager);
	watch_free(watch);
	if (manager->scraper != NULL)
		gs_scraper_stop(manager->scraper, grace_ms);
}

static void free_job(struct gs_manager *manager, struct job *job) {
	for (size_t i = 0; i < job->view->n; i++)
		gs_managed_forget(manager, job->view->targets[i]);
	if (job->results != NULL)
		gs_managed_forget(manager, job->results);
	gs_job_free(job);
}

void gs_manager_free(struct gs_manager *manager) {
	if (manager == NULL)
		return;
	gs_manager_stop(manager, 0);
	gs_scraper_free(manager->scraper);
	gs_managed_end(manager);
	for (size_t i = 0; i < manager->njobs; i++)
		free_job(manager, manager->jobs[i]);
	gs_board_unref(manager->board);
	gs_free(manager->jobs);
	manager_free(manager);
}
