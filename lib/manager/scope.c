/* SPDX-License-Identifier: Apache-2.0 */
/* What is compiled from a job, and whether it can be. */
#include "gravel/base/clock.h"
#include "gravel/base/mem.h"
#include "gravel/gravel/mode.h"
#include "manager_internal.h"

/* Inputs and results of a job's aggregation together: some hundred MiB. */
#define ROLLUP_SERIES 2000000

/* Generations */

struct generation *gs_generation_new(struct gs_config *config, const char *identity, const char *self_url) {
	struct generation *generation = gs_alloc(sizeof(*generation));
	if (generation == NULL)
		return NULL;
	atomic_init(&generation->refs, 1);
	generation->config = config;
	if (self_url == NULL)
		return generation;
	generation->self_target = (struct gs_config_target){.name = identity, .url = self_url};
	generation->self = (struct gs_config_job){
	    .name = "prometheus_streams", /* as the ancestor's */
	    .scrape_interval = config->scrape_interval,
	    .scrape_timeout = config->scrape_timeout,
	    .metrics_path = "/metrics",
	    .scheme = "http",
	    .honor_timestamps = true,
	    .enable_compression = true,
	    .http = {.follow_redirects = true},
	    .targets = &generation->self_target,
	    .ntargets = 1,
	};
	return generation;
}

struct generation *gs_generation_ref(struct generation *generation) {
	atomic_fetch_add(&generation->refs, 1);
	return generation;
}

void gs_generation_unref(struct generation *generation) {
	if (generation == NULL || atomic_fetch_sub(&generation->refs, 1) != 1)
		return;
	gs_config_free(generation->config);
	gs_free(generation);
}

const struct gs_config_job *gs_generation_job(const struct generation *generation, size_t i) {
	if (i < generation->config->njobs)
		return &generation->config->jobs[i];
	return i == generation->config->njobs && generation->self.ntargets != 0 ? &generation->self : NULL;
}

/* From what the configuration has to what is compiled */

static struct gs_relabel_rule relabel_rule(const struct gs_config_relabel *from) {
	return (struct gs_relabel_rule){
	    .action = (enum gs_relabel_action)from->action,
	    .source_labels = from->source_labels,
	    .nsource_labels = from->nsource_labels,
	    .separator = from->separator,
	    .regex = from->regex,
	    .modulus = (uint64_t)from->modulus,
	    .target_label = from->target_label,
	    .replacement = from->replacement,
	};
}

static struct gs_rollup_rule rollup_rule(const struct gs_config_rollup *from) {
	return (struct gs_rollup_rule){
	    .op = (enum gs_rollup_op)from->op,
	    .of = from->of,
	    .as = from->as,
	    .labels = from->labels,
	    .nlabels = from->nlabels,
	    .without = from->without,
	    .drop = from->drop,
	};
}

static struct gs_relabel_rule *relabel_rules(const struct gs_config_relabel *from, size_t n) {
	struct gs_relabel_rule *rules = gs_alloc_array(n, sizeof(*rules));
	for (size_t i = 0; rules != NULL && i < n; i++)
		rules[i] = relabel_rule(&from[i]);
	return rules;
}

enum gs_status gs_scope_relabel(const struct gs_config_job *job, struct gs_relabel **ret, struct gs_error *err) {
	*ret = NULL;
	if (job->nrelabel == 0)
		return GS_OK;
	struct gs_relabel_rule *rules = relabel_rules(job->relabel, job->nrelabel);
	if (rules == NULL)
		return GS_ENOMEM;
	enum gs_status status = gs_relabel_new(rules, job->nrelabel, ret, err);
	gs_free(rules);
	return status;
}

static enum gs_status compile_rollup(const struct gs_config_job *job, struct gs_rollup **ret, struct gs_error *err) {
	if (job->nrollups == 0)
		return GS_OK;
	struct gs_rollup_rule *rules = gs_alloc_array(job->nrollups, sizeof(*rules));
	if (rules == NULL)
		return GS_ENOMEM;
	for (size_t i = 0; i < job->nrollups; i++)
		rules[i] = rollup_rule(&job->rollups[i]);
	enum gs_status status = gs_rollup_new(rules, job->nrollups, ROLLUP_SERIES, ret, err);
	gs_free(rules);
	return status;
}

static enum gs_status compile_transform(struct scope *scope, struct gs_error *err) {
	const struct gs_config_job *job = scope->config;
	struct gs_relabel_rule *relabel = relabel_rules(job->metric_relabel, job->nmetric_relabel);
	struct gs_clearmode_rule *clearmodes = gs_alloc_array(job->nrules, sizeof(*clearmodes));
	enum gs_status status = GS_ENOMEM;
	if (relabel != NULL && clearmodes != NULL) {
		for (size_t i = 0; i < job->nrules; i++)
			clearmodes[i] = (struct gs_clearmode_rule){job->rules[i].metric, job->rules[i].clearmode};
		struct gs_transform_options options = {
		    .relabel = relabel,
		    .nrelabel = job->nmetric_relabel,
		    .clearmodes = clearmodes,
		    .nclearmodes = job->nrules,
		    .rollup = scope->rollup,
		    .honor_labels = job->honor_labels,
		    .honor_timestamps = job->honor_timestamps,
		    .sample_limit = (uint64_t)job->sample_limit,
		    .label_limit = (uint64_t)job->label_limit,
		    .label_name_length_limit = (uint64_t)job->label_name_length_limit,
		    .label_value_length_limit = (uint64_t)job->label_value_length_limit,
		};
		status = gs_transform_new(&options, &scope->transform, err);
	}
	gs_free(relabel);
	gs_free(clearmodes);
	return status;
}

/* Scopes */

enum gs_status gs_scope_new(struct generation *generation, const struct gs_config_job *job, uint64_t hash, uint64_t id,
    struct scope **ret, struct gs_error *err) {
	struct scope *scope = gs_alloc(sizeof(*scope));
	if (scope == NULL)
		return GS_ENOMEM;
	atomic_init(&scope->refs, 1);
	scope->generation = gs_generation_ref(generation);
	scope->config = job;
	scope->hash = hash;
	scope->id = id;
	scope->created_ms = gs_clock_mono_ms();
	scope->body_limit =
	    (size_t)(job->body_size_limit != 0 ? job->body_size_limit : generation->config->scrape_body_limit);
	enum gs_status status = compile_rollup(job, &scope->rollup, err);
	if (status == GS_OK)
		status = compile_transform(scope, err);
	if (status != GS_OK) {
		gs_scope_unref(scope);
		return status;
	}
	*ret = scope;
	return GS_OK;
}

struct scope *gs_scope_ref(struct scope *scope) {
	atomic_fetch_add(&scope->refs, 1);
	return scope;
}

void gs_scope_unref(struct scope *scope) {
	if (scope == NULL || atomic_fetch_sub(&scope->refs, 1) != 1)
		return;
	gs_transform_free(scope->transform);
	gs_rollup_free(scope->rollup);
	gs_generation_unref(scope->generation);
	gs_free(scope);
}

/* Checking: each rule alone, so that its place can be named */

struct problems {
	gs_manager_problem_fn *fn;
	void *ctx;
	bool none;
};

static void problem(struct problems *problems, uint32_t line, uint32_t column, const char *text) {
	problems->none = false;
	problems->fn(problems->ctx, line, column, text);
}

static const char *words(const struct gs_error *err, enum gs_status status) {
	return err->text[0] != '\0' ? err->text : gs_status_name(status);
}

static void check_relabel(struct problems *problems, const struct gs_config_relabel *rules, size_t n) {
	for (size_t i = 0; i < n; i++) {
		struct gs_relabel_rule rule = relabel_rule(&rules[i]);
		struct gs_relabel *compiled = NULL;
		struct gs_error err = {0};
		enum gs_status status = gs_relabel_new(&rule, 1, &compiled, &err);
		gs_relabel_free(compiled);
		if (status != GS_OK)
			problem(problems, rules[i].line, rules[i].column, words(&err, status));
	}
}

static void check_rollups(struct problems *problems, const struct gs_config_job *job) {
	for (size_t i = 0; i < job->nrollups; i++) {
		struct gs_rollup_rule rule = rollup_rule(&job->rollups[i]);
		struct gs_rollup *compiled = NULL;
		struct gs_error err = {0};
		enum gs_status status = gs_rollup_new(&rule, 1, 1, &compiled, &err);
		gs_rollup_free(compiled);
		if (status != GS_OK)
			problem(problems, job->rollups[i].line, job->rollups[i].column, words(&err, status));
	}
}

static void check_clearmode(struct problems *problems, const struct gs_config_rule *rule) {
	struct gs_clearmode_rule one = {.metric = rule->metric, .clearmode = rule->clearmode};
	struct gs_transform_options options = {.clearmodes = &one, .nclearmodes = 1, .honor_timestamps = true};
	struct gs_transform *compiled = NULL;
	struct gs_error err = {0};
	struct gs_mode mode;
	enum gs_status status = gs_transform_new(&options, &compiled, &err);
	gs_transform_free(compiled);
	if (status != GS_OK)
		problem(problems, rule->line, rule->column, words(&err, status));
	err.text[0] = '\0';
	status = gs_mode_parse(gs_str_of(rule->clearmode), &mode, &err);
	if (status != GS_OK)
		problem(problems, rule->clearmode_line, rule->clearmode_column, words(&err, status));
}

/* What its rules are together, where each is good. */
static void check_whole(struct problems *problems, const struct gs_config_job *job) {
	struct gs_rollup *compiled = NULL;
	struct gs_error err = {0};
	enum gs_status status = compile_rollup(job, &compiled, &err);
	gs_rollup_free(compiled);
	if (status != GS_OK)
		problem(problems, job->line, job->column, words(&err, status));
}

bool gs_manager_check(const struct gs_config *config, gs_manager_problem_fn *fn, void *ctx) {
	struct problems all = {.fn = fn, .ctx = ctx, .none = true};
	for (size_t i = 0; i < config->njobs; i++) {
		const struct gs_config_job *job = &config->jobs[i];
		struct problems problems = {.fn = fn, .ctx = ctx, .none = true};
		check_relabel(&problems, job->relabel, job->nrelabel);
		check_relabel(&problems, job->metric_relabel, job->nmetric_relabel);
		check_rollups(&problems, job);
		for (size_t r = 0; r < job->nrules; r++)
			check_clearmode(&problems, &job->rules[r]);
		if (problems.none)
			check_whole(&problems, job);
		all.none &= problems.none;
	}
	return all.none;
}
