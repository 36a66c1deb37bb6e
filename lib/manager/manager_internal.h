/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_MANAGER_MANAGER_INTERNAL_H
#define GRAVEL_LIB_MANAGER_MANAGER_INTERNAL_H

#include <stdatomic.h>

#include "gravel/base/arena.h"
#include "gravel/base/lock.h"
#include "gravel/base/map.h"
#include "gravel/discovery/discovery.h"
#include "gravel/manager/manager.h"
#include "gravel/target/target.h"

/*
 * A configuration, its settings compiled (scope), the lists of its sources (source, item), what is made of them (target) and all of that for a
 * job. Nothing of it changes once it is in force: an update builds a new job beside the old one, of which it shares what is the same, and
 * then takes its place. So an update that fails has changed nothing, and a page reads what it got hold of without a lock.
 *
 * One thread at a time updates (gs_manager.updating): what is marked "updater" is its.
 */

/* A configuration. Lives as long as a scope or a job uses it. */
struct generation {
	_Atomic uint32_t refs;
	struct gs_config *config;
	struct gs_config_job self; /* our own metrics */
	struct gs_config_target self_target;
};

/* What a job does to the scrapes of its targets. Lives as long as one of those. */
struct scope {
	_Atomic uint32_t refs;
	struct generation *generation;
	const struct gs_config_job *config;
	uint64_t hash; /* of all settings that stand behind it */
	uint64_t id; /* unique in the process */
	struct gs_rollup *rollup; /* NULL: none. The scraper's thread, as the next ones */
	struct gs_transform *transform;
	bool published; /* results of the rollup */
	int64_t created_ms; /* monotonic */
	size_t body_limit;
	/* target_limit, where it is exceeded, and by how many targets; else 0. */
	_Atomic int64_t limit;
	_Atomic size_t over;
};

enum target_kind {
	TARGET_SCRAPED,
	TARGET_DROPPED, /* by relabelling */
	TARGET_REFUSED, /* no target: error says why */
	TARGET_RESULTS, /* of the job's aggregation: nobody is asked */
};

/* The name of a target on the wire. With the manager's lock. */
struct group {
	struct gs_str key; /* job, NUL, instance */
	size_t refs;
	struct target *owner; /* NULL: who had it leaves */
	const char *job;
	const char *instance;
	char bytes[];
};

struct target {
	_Atomic uint32_t refs;
	enum target_kind kind;
	struct scope *scope; /* SCRAPED, RESULTS */
	struct gs_str key; /* labels, URL, times and scope; SCRAPED */
	const struct gs_label *labels;
	size_t nlabels;
	const struct gs_label *discovered;
	size_t ndiscovered;
	const char *url;
	_Atomic(const char *) error; /* why it is not scraped */
	int64_t interval_ms;
	int64_t timeout_ms;
	uint64_t epoch; /* the last update that wanted it; updater, as the next */
	bool started;
	/* With the manager's lock. */
	struct group *group;
	struct gs_relay_target *relayed; /* NULL: not yet, or no more */
	struct target *next; /* of those that leave */
	struct target *prev;
	char bytes[];
};

/* What a source found: one target, or what was to become one. Updater. */
struct item {
	uint32_t refs;
	struct gs_str key; /* all that was found of it (list.c) */
	struct target *target;
	char bytes[];
};

/* The list of a source. Updater. */
struct source {
	uint32_t refs;
	uint64_t hash; /* of its settings; 0: the static one */
	struct item **items;
	size_t n;
	struct gs_map *map; /* key to item */
};

/* The targets of a job, for those who look. */
struct view {
	_Atomic uint32_t refs;
	size_t n;
	struct target **targets;
	char name[];
};

/* All jobs, likewise. */
struct board {
	_Atomic uint32_t refs;
	size_t n;
	struct view *views[];
};

/* Updater. */
struct job {
	struct generation *generation;
	const struct gs_config_job *config;
	uint64_t build_hash; /* of what makes targets of what was found */
	uint64_t target_limit;
	struct scope *scope;
	struct gs_relabel *relabel; /* NULL: none */
	struct gs_label *params;
	struct source **sources; /* the first one is static, the others in the order of config->sds */
	size_t nsources;
	struct gs_map *targets; /* by key: SCRAPED */
	struct target *results; /* NULL: no aggregation */
	struct view *view;
	size_t nscraped;
	size_t nunstarted; /* that the scraper or the relay refused: the next update tries again */
	bool over; /* its target_limit */
	uint64_t epoch; /* the update that made or kept it */
};

/* Discovery of a configuration. ctx of its callbacks. */
struct watch {
	struct gs_manager *manager;
	struct generation *generation;
	struct gs_discovery *discovery; /* NULL: nothing to discover */
	uint64_t hash; /* of all sources */
	struct place {
		size_t source; /* as discovery calls it */
		const char *job;
		uint64_t hash;
	} * places;
	size_t nplaces;
};

struct gs_manager {
	struct gs_relay *relay;
	struct gs_bus *bus;
	struct gs_scraper *scraper;
	char *user_agent;
	char *self_url;
	char *identity;
	char hostname[256];
	struct gs_lock lock;
	struct gs_cond free_to_update;
	bool updating; /* lock */
	struct board *board; /* lock */
	struct gs_map *groups; /* lock */
	struct target *leaving; /* lock: removed from the scraper, which may still use them */
	struct watch *watch; /* updater, as the next ones */
	struct job **jobs;
	size_t njobs;
	uint64_t epoch;
	uint64_t next_scope;
	struct gs_buf results; /* scraper's thread, as the next */
	char refusal[160];
};

/* settings.c: what is the same */

/** gs_settings_scope(config, job, ret): A hash of all that touches a scrape, secrets too. GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_settings_scope(
    const struct gs_config *config, const struct gs_config_job *job, uint64_t *ret);

/** gs_settings_build(job, ret): The same of what makes targets of what was found. */
GS_MUST_USE enum gs_status gs_settings_build(const struct gs_config_job *job, uint64_t *ret);

/** gs_settings_source(sd, ret): The same of a source, never 0. */
GS_MUST_USE enum gs_status gs_settings_source(const struct gs_config_sd *sd, uint64_t *ret);

/* scope.c: what is compiled */

/** gs_generation_new(config, manager): Takes ${config} over if it is not NULL that comes back. */
struct generation *gs_generation_new(struct gs_config *config, const char *identity, const char *self_url);
struct generation *gs_generation_ref(struct generation *generation);
void gs_generation_unref(struct generation *generation);

/** gs_generation_job(generation, i): The ${i}-th job, our own last; NULL behind it. */
const struct gs_config_job *gs_generation_job(const struct generation *generation, size_t i);

/** gs_scope_new(generation, job, hash, id, ret, err): Compile; ${ret} has one reference. GS_EINVAL, GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_scope_new(struct generation *generation, const struct gs_config_job *job, uint64_t hash,
    uint64_t id, struct scope **ret, struct gs_error *err);
struct scope *gs_scope_ref(struct scope *scope);
void gs_scope_unref(struct scope *scope);

/** gs_scope_relabel(job, ret, err): The relabelling of its targets; NULL where there is none. */
GS_MUST_USE enum gs_status gs_scope_relabel(
    const struct gs_config_job *job, struct gs_relabel **ret, struct gs_error *err);

/* target.c: one target, and its name on the wire */

struct target_parts {
	enum target_kind kind;
	struct scope *scope;
	struct gs_str key;
	const struct gs_label *labels;
	size_t nlabels;
	const struct gs_label *discovered;
	size_t ndiscovered;
	struct gs_str url;
	struct gs_str error;
	int64_t interval_ms;
	int64_t timeout_ms;
};

/** gs_managed_new(parts): A copy of all of it; NULL when out of memory. */
struct target *gs_managed_new(const struct target_parts *parts);
struct target *gs_managed_ref(struct target *target);
void gs_managed_unref(struct target *target);

/** gs_managed_label(target, name): Of those after relabelling; empty if there is none. */
struct gs_str gs_managed_label(const struct target *target, struct gs_str name);

/** gs_managed_start(manager, target): Name it, and let it be scraped. What cannot be is its error. Updater. */
void gs_managed_start(struct gs_manager *manager, struct target *target);

/** gs_managed_leave(manager, target): Let its name go and end its scrapes; what was started only. Updater. */
void gs_managed_leave(struct gs_manager *manager, struct target *target);

/** gs_managed_removed(ctx, scraped): A gs_scrape_removed_fn; ${ctx} is the manager. */
void gs_managed_removed(void *ctx, const struct gs_scrape_target *scraped);

/** gs_managed_end(manager): The scraper is gone: so are all that leave. */
void gs_managed_end(struct gs_manager *manager);

/** gs_managed_forget(manager, target): The same for one that does not leave but stop with us. */
void gs_managed_forget(struct gs_manager *manager, struct target *target);

/* list.c: from what was found to targets */

struct found {
	const struct gs_label *labels; /* sorted */
	size_t nlabels;
	const char *url; /* as it was given; NULL: made of the labels */
};

struct builder {
	const struct gs_config_job *config;
	struct gs_relabel *relabel;
	const struct gs_label *params;
	struct scope *scope;
	const struct gs_map *known; /* targets that are there, by key; NULL: none */
	struct gs_labels *scratch;
	struct gs_arena *arena; /* of one target */
	struct gs_buf key;
	struct gs_buf found_key;
	struct gs_buf url;
	size_t built; /* how many were not known */
};

GS_MUST_USE enum gs_status gs_builder_init(struct builder *builder);
void gs_builder_free(struct builder *builder);

/** gs_source_new(builder, hash, old, found, n, ret): The list of a source: of what ${old} (may be NULL) has already nothing is built. GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_source_new(struct builder *builder, uint64_t hash, const struct source *old,
    const struct found *found, size_t n, struct source **ret);

/** gs_source_again(builder, old, ret): Build all that ${old} found once more. */
GS_MUST_USE enum gs_status gs_source_again(struct builder *builder, const struct source *old, struct source **ret);

/** gs_source_static(builder, old, ret): The targets that the configuration itself names. */
GS_MUST_USE enum gs_status gs_source_static(struct builder *builder, const struct source *old, struct source **ret);
struct source *gs_source_ref(struct source *source);
void gs_source_unref(struct source *source);

/* job.c: a job and its targets */

/** gs_job_new(manager, generation, config, old, ret, err): The job of ${config}, with the lists of ${old} (may be NULL) as far as its sources are the same. */
GS_MUST_USE enum gs_status gs_job_new(struct gs_manager *manager, struct generation *generation,
    const struct gs_config_job *config, const struct job *old, struct job **ret, struct gs_error *err);

/** gs_job_same(config, job, whole_config, ret): Whether ${job} is what ${config} asks for. */
GS_MUST_USE enum gs_status gs_job_same(
    const struct generation *generation, const struct gs_config_job *config, const struct job *job, bool *ret);

/** gs_job_listed(manager, old, hash, found, n, ret): ${old} with a new list of its sources of that hash. */
GS_MUST_USE enum gs_status gs_job_listed(struct gs_manager *manager, const struct job *old, uint64_t hash,
    const struct gs_discovered *found, size_t n, struct job **ret);
void gs_job_free(struct job *job);

struct board *gs_board_new(struct job *const *jobs, size_t n);
struct board *gs_board_ref(struct board *board);
void gs_board_unref(struct board *board);

/* page.c */

/** gs_page_board(manager): What is shown now, to be given back with gs_board_unref. */
struct board *gs_page_board(struct gs_manager *manager);

struct shown {
	const char *health; /* up, down, unknown */
	const char *error;
	struct gs_relay_target_state state;
};

/** gs_page_state(manager, target, ret): How it is; ${ret} is valid while ${target} is. */
void gs_page_state(struct gs_manager *manager, const struct target *target, struct shown *ret);

/** gs_page_url(out, url): Without a password. */
void gs_page_url(struct gs_buf *out, struct gs_str url);

#endif
