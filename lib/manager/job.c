/* SPDX-License-Identifier: Apache-2.0 */
/* A job: its settings, the lists of its sources, and the targets they are together. And what is shown of all. */
#include "gravel/base/mem.h"
#include "manager_internal.h"

/* Views and boards */

static void view_unref(struct view *view) {
	if (view == NULL || atomic_fetch_sub(&view->refs, 1) != 1)
		return;
	for (size_t i = 0; i < view->n; i++)
		gs_managed_unref(view->targets[i]);
	gs_free(view->targets);
	gs_free(view);
}

static struct view *view_new(const char *name, size_t max) {
	size_t n = strlen(name) + 1;
	struct view *view = gs_alloc(sizeof(*view) + n);
	if (view == NULL)
		return NULL;
	atomic_init(&view->refs, 1);
	memcpy(view->name, name, n);
	view->targets = gs_alloc_array(max, sizeof(struct target *));
	if (view->targets != NULL)
		return view;
	gs_free(view);
	return NULL;
}

struct board *gs_board_new(struct job *const *jobs, size_t n) {
	struct board *board = gs_alloc(sizeof(*board) + n * sizeof(struct view *));
	if (board == NULL)
		return NULL;
	atomic_init(&board->refs, 1);
	for (size_t i = 0; i < n; i++) {
		board->views[i] = jobs[i]->view;
		atomic_fetch_add(&board->views[i]->refs, 1);
	}
	board->n = n;
	return board;
}

struct board *gs_board_ref(struct board *board) {
	atomic_fetch_add(&board->refs, 1);
	return board;
}

void gs_board_unref(struct board *board) {
	if (board == NULL || atomic_fetch_sub(&board->refs, 1) != 1)
		return;
	for (size_t i = 0; i < board->n; i++)
		view_unref(board->views[i]);
	gs_free(board);
}

/* Jobs */

void gs_job_free(struct job *job) {
	if (job == NULL)
		return;
	for (size_t i = 0; job->sources != NULL && i < job->nsources; i++)
		gs_source_unref(job->sources[i]);
	gs_free(job->sources);
	gs_map_free(job->targets);
	gs_managed_unref(job->results);
	view_unref(job->view);
	gs_relabel_free(job->relabel);
	gs_free(job->params);
	gs_scope_unref(job->scope);
	gs_generation_unref(job->generation);
	gs_free(job);
}

static size_t count_items(const struct job *job) {
	size_t n = 0;
	for (size_t i = 0; i < job->nsources; i++)
		n += job->sources[i] != NULL ? job->sources[i]->n : 0;
	return n;
}

/* Targets with the same labels and URL are one, whichever of its items found it. */
static enum gs_status take_item(struct job *job, struct item *item) {
	struct target *target = item->target;
	if (target->kind == TARGET_SCRAPED) {
		struct target *first = gs_map_get(job->targets, target->key);
		if (first != NULL && first != target) {
			item->target = gs_managed_ref(first);
			gs_managed_unref(target);
		}
		if (first != NULL)
			return GS_OK;
		enum gs_status status = gs_map_put(job->targets, target->key, target);
		if (status != GS_OK)
			return status;
		target->epoch = job->epoch;
		job->nscraped++;
	}
	job->view->targets[job->view->n++] = gs_managed_ref(target);
	return GS_OK;
}

static enum gs_status take_results(struct job *job, const struct job *old) {
	struct gs_label labels[] = {
	    {GS_STR_INIT("instance"), GS_STR_INIT("aggregation")},
	    {GS_STR_INIT("job"), gs_str_of(job->config->name)},
	};
	struct target_parts parts = {
	    .kind = TARGET_RESULTS,
	    .scope = job->scope,
	    .labels = labels,
	    .nlabels = sizeof(labels) / sizeof(labels[0]),
	    .url = GS_STR("http://aggregation.invalid/"), /* nobody asks there */
	    .interval_ms = job->config->scrape_interval,
	    .timeout_ms = job->config->scrape_timeout,
	};
	if (job->scope->rollup == NULL)
		return GS_OK;
	if (old != NULL && old->scope == job->scope)
		job->results = gs_managed_ref(old->results);
	else
		job->results = gs_managed_new(&parts);
	if (job->results == NULL)
		return GS_ENOMEM;
	job->results->epoch = job->epoch;
	return GS_OK;
}

/* The targets of all its sources. */
static enum gs_status take_all(struct job *job, const struct job *old) {
	size_t n = count_items(job);
	job->targets = gs_map_new(n + 1);
	job->view = view_new(job->config->name, n);
	enum gs_status status = job->targets != NULL && job->view != NULL ? take_results(job, old) : GS_ENOMEM;
	for (size_t i = 0; i < job->nsources; i++) {
		const struct source *source = job->sources[i];
		for (size_t k = 0; source != NULL && k < source->n && status == GS_OK; k++)
			status = take_item(job, source->items[k]);
	}
	job->over = job->target_limit != 0 && job->nscraped > job->target_limit;
	return status;
}

static enum gs_status copy_params(struct job *job, const struct gs_config_job *config) {
	job->params = gs_alloc_array(config->nparams, sizeof(*job->params));
	if (job->params == NULL)
		return GS_ENOMEM;
	for (size_t i = 0; i < config->nparams; i++)
		job->params[i] =
		    (struct gs_label){gs_str_of(config->params[i].name), gs_str_of(config->params[i].value)};
	return GS_OK;
}

/* An empty job of these settings, which it may share with ${old}. */
static enum gs_status open_job(struct gs_manager *manager, struct generation *generation,
    const struct gs_config_job *config, const struct job *old, struct job *job, struct gs_error *err) {
	uint64_t scope;
	job->generation = gs_generation_ref(generation);
	job->config = config;
	job->target_limit = (uint64_t)config->target_limit;
	job->epoch = manager->epoch;
	job->nsources = config->nsds + 1;
	job->sources = gs_alloc_array(job->nsources, sizeof(struct source *));
	enum gs_status status = job->sources != NULL ? copy_params(job, config) : GS_ENOMEM;
	if (status == GS_OK)
		status = gs_settings_build(config, &job->build_hash);
	if (status == GS_OK)
		status = gs_settings_scope(generation->config, config, &scope);
	if (status != GS_OK)
		return status;
	if (old != NULL && old->scope->hash == scope)
		job->scope = gs_scope_ref(old->scope);
	else
		status = gs_scope_new(generation, config, scope, ++manager->next_scope, &job->scope, err);
	return status == GS_OK ? gs_scope_relabel(config, &job->relabel, err) : status;
}

static enum gs_status open_builder(struct builder *builder, const struct job *job, const struct job *old) {
	*builder = (struct builder){
	    .config = job->config,
	    .relabel = job->relabel,
	    .params = job->params,
	    .scope = job->scope,
	    .known = old != NULL && old->scope == job->scope ? old->targets : NULL,
	};
	return gs_builder_init(builder);
}

static struct source *find_source(const struct job *job, uint64_t hash) {
	for (size_t i = 1; i < job->nsources; i++) {
		if (job->sources[i] != NULL && job->sources[i]->hash == hash)
			return job->sources[i];
	}
	return NULL;
}

/* The lists of ${old}, until its sources say something new. */
static enum gs_status inherit(struct builder *builder, struct job *job, const struct job *old) {
	bool same = old != NULL && old->scope == job->scope && old->build_hash == job->build_hash;
	enum gs_status status = gs_source_static(builder, same ? old->sources[0] : NULL, &job->sources[0]);
	for (size_t i = 0; old != NULL && i < job->config->nsds && status == GS_OK; i++) {
		uint64_t hash;
		status = gs_settings_source(&job->config->sds[i], &hash);
		struct source *found = status == GS_OK ? find_source(old, hash) : NULL;
		if (found != NULL && same)
			job->sources[i + 1] = gs_source_ref(found);
		else if (found != NULL)
			status = gs_source_again(builder, found, &job->sources[i + 1]);
	}
	return status;
}

enum gs_status gs_job_new(struct gs_manager *manager, struct generation *generation, const struct gs_config_job *config,
    const struct job *old, struct job **ret, struct gs_error *err) {
	struct builder builder = {0};
	struct job *job = gs_alloc(sizeof(*job));
	if (job == NULL)
		return GS_ENOMEM;
	enum gs_status status = open_job(manager, generation, config, old, job, err);
	if (status == GS_OK)
		status = open_builder(&builder, job, old);
	if (status == GS_OK)
		status = inherit(&builder, job, old);
	gs_builder_free(&builder);
	if (status == GS_OK)
		status = take_all(job, old);
	if (status == GS_OK)
		*ret = job;
	else
		gs_job_free(job);
	return status;
}

static enum gs_status same_sources(const struct gs_config_job *a, const struct gs_config_job *b, bool *ret) {
	uint64_t x = 0, y = 0;
	*ret = a->nsds == b->nsds && a->ntargets == b->ntargets;
	for (size_t i = 0; *ret && i < a->nsds; i++) {
		enum gs_status status = gs_settings_source(&a->sds[i], &x);
		if (status == GS_OK)
			status = gs_settings_source(&b->sds[i], &y);
		if (status != GS_OK)
			return status;
		*ret = x == y;
	}
	for (size_t i = 0; *ret && i < a->ntargets; i++) {
		const struct gs_config_target *t = &a->targets[i], *u = &b->targets[i];
		*ret = strcmp(t->name, u->name) == 0 && strcmp(t->url, u->url) == 0 && t->nlabels == u->nlabels;
		for (size_t k = 0; *ret && k < t->nlabels; k++)
			*ret = strcmp(t->labels[k].name, u->labels[k].name) == 0 &&
			       strcmp(t->labels[k].value, u->labels[k].value) == 0;
	}
	return GS_OK;
}

enum gs_status gs_job_same(
    const struct generation *generation, const struct gs_config_job *config, const struct job *job, bool *ret) {
	uint64_t scope, build;
	*ret = false;
	enum gs_status status = gs_settings_scope(generation->config, config, &scope);
	if (status == GS_OK)
		status = gs_settings_build(config, &build);
	if (status != GS_OK || scope != job->scope->hash || build != job->build_hash ||
	    (uint64_t)config->target_limit != job->target_limit)
		return status;
	return same_sources(config, job->config, ret);
}

/* All of ${old} but its lists and what is made of them. */
static enum gs_status copy_job(const struct job *old, uint64_t epoch, struct job *job) {
	struct gs_error err;
	job->generation = gs_generation_ref(old->generation);
	job->config = old->config;
	job->build_hash = old->build_hash;
	job->target_limit = old->target_limit;
	job->epoch = epoch;
	job->scope = gs_scope_ref(old->scope);
	job->nsources = old->nsources;
	job->sources = gs_alloc_array(job->nsources, sizeof(struct source *));
	enum gs_status status = job->sources != NULL ? copy_params(job, old->config) : GS_ENOMEM;
	return status == GS_OK ? gs_scope_relabel(job->config, &job->relabel, &err) : status;
}

static enum gs_status new_list(struct builder *builder, uint64_t hash, const struct source *old,
    const struct gs_discovered *discovered, size_t n, struct source **ret) {
	struct found *found = gs_alloc_array(n, sizeof(*found));
	if (found == NULL)
		return GS_ENOMEM;
	for (size_t i = 0; i < n; i++)
		found[i] = (struct found){.labels = discovered[i].labels, .nlabels = discovered[i].nlabels};
	enum gs_status status = gs_source_new(builder, hash, old, found, n, ret);
	gs_free(found);
	return status;
}

enum gs_status gs_job_listed(struct gs_manager *manager, const struct job *old, uint64_t hash,
    const struct gs_discovered *found, size_t n, struct job **ret) {
	struct builder builder = {0};
	struct job *job = gs_alloc(sizeof(*job));
	if (job == NULL)
		return GS_ENOMEM;
	enum gs_status status = copy_job(old, manager->epoch, job);
	if (status == GS_OK)
		status = open_builder(&builder, job, old);
	for (size_t i = 0; i < job->nsources && status == GS_OK; i++) {
		uint64_t here = 0;
		if (i != 0)
			status = gs_settings_source(&job->config->sds[i - 1], &here);
		if (status == GS_OK && here == hash)
			status = new_list(&builder, hash, old->sources[i], found, n, &job->sources[i]);
		else if (old->sources[i] != NULL)
			job->sources[i] = gs_source_ref(old->sources[i]);
	}
	gs_builder_free(&builder);
	if (status == GS_OK)
		status = take_all(job, old);
	if (status == GS_OK)
		*ret = job;
	else
		gs_job_free(job);
	return status;
}
