/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "check.h"
#include "gravel/base/limits.h"
#include "gravel/base/map.h"
#include "load.h"

#define LABELS_MAX (GS_LIMIT_LABELS / 2) /* a target's own; the scrape brings more */

void gs_load_rules(struct gs_loader *l, const struct gs_config_key *key, const struct gs_path *path,
    const struct gs_node *node, struct gs_config_job *job) {
	if (!gs_load_is(l, path, node, GS_NODE_MAPPING))
		return;
	job->nrules = 0; /* a repeated key is an error, and comes here all the same */
	job->rules = gs_load_alloc(l, node->nitems / 2, sizeof(job->rules[0]));
	for (size_t i = 0; i < node->nitems && !l->no_memory; i += 2) {
		struct gs_path here = {.up = path, .name = node->items[i]->text};
		struct gs_config_rule *rule = &job->rules[job->nrules++];
		rule->metric = gs_load_text(l, path, node->items[i], 1, key->max);
		rule->clearmode = gs_load_text(l, &here, node->items[i + 1], 1, key->max);
		rule->line = node->items[i]->line;
		rule->column = node->items[i]->column;
		rule->clearmode_line = node->items[i + 1]->line;
		rule->clearmode_column = node->items[i + 1]->column;
	}
}

void gs_load_labels(struct gs_loader *l, const struct gs_config_key *key, const struct gs_path *path,
    const struct gs_node *node, struct gs_config_target *target) {
	if (!gs_load_is(l, path, node, GS_NODE_MAPPING))
		return;
	if (node->nitems / 2 > LABELS_MAX)
		gs_load_error(l, path, node, "has more than %d labels", LABELS_MAX);
	target->nlabels = 0;
	target->labels = gs_load_alloc(l, node->nitems / 2, sizeof(target->labels[0]));
	for (size_t i = 0; i < node->nitems && !l->no_memory; i += 2) {
		const struct gs_node *name = node->items[i];
		struct gs_path here = {.up = path, .name = name->text};
		struct gs_config_label *label = &target->labels[target->nlabels++];
		const char *wrong = key->check(name->text);
		if (wrong != NULL)
			gs_load_error(l, &here, name, "%s", wrong);
		else
			label->name = gs_load_text(l, path, name, 0, key->max);
		label->value = gs_load_text(l, &here, node->items[i + 1], 1, key->max);
	}
}

/* The instance of a target without a name. */
static const char *host_and_port(struct gs_loader *l, const char *text) {
	struct gs_url url;
	if (gs_check_url(gs_str_of(text), &url) != NULL)
		return NULL; /* noted before */
	struct gs_str port = url.port;
	if (port.n == 0)
		port = gs_str_eq(url.scheme, GS_STR("https")) ? GS_STR("443") : GS_STR("80");
	size_t n = url.host.n + port.n + 2;
	char *name = gs_load_alloc(l, n, 1);
	if (name != NULL)
		snprintf(name, n, "%.*s:%.*s", GS_FMT(url.host), GS_FMT(port));
	return name;
}

/* Where the instance comes from, for messages. */
static const struct gs_node *name_node(const struct gs_node *target) {
	const struct gs_node *name = gs_node_get(target, GS_STR("name"));
	const struct gs_node *url = gs_node_get(target, GS_STR("url"));
	if (name != NULL && !gs_node_is_null(name))
		return name;
	return url != NULL ? url : target;
}

static void check_instance(struct gs_loader *l, const struct gs_path *path, const struct gs_node *node,
    const struct gs_config_target *target, struct gs_map *seen) {
	const struct gs_config_key *key = gs_keys_find(&gs_keys_target, GS_STR("name"));
	struct gs_str name = gs_str_of(target->name);
	const struct gs_node *place = name_node(node), *first = gs_map_get(seen, name);
	if (name.n > (size_t)key->max)
		gs_load_error(l, path, place, "needs a name: its host is longer than %lld bytes", (long long)key->max);
	else if (first != NULL)
		gs_load_error(l, path, place, "is a duplicate: instance \"%.*s\" of this job stands first in line %lu",
		    GS_FMT(name), (unsigned long)first->line);
	else if (gs_map_put(seen, name, (void *)(uintptr_t)place) != GS_OK)
		l->no_memory = true;
}

static void load_target(struct gs_loader *l, const struct gs_path *path, const struct gs_node *node,
    struct gs_config_target *target, struct gs_map *seen) {
	gs_keys_defaults(&gs_keys_target, target);
	gs_load_section(l, &gs_keys_target, path, node, target);
	if (target->name == NULL && target->url != NULL)
		target->name = host_and_port(l, target->url);
	if (target->name != NULL)
		check_instance(l, path, node, target, seen);
}

void gs_load_targets(
    struct gs_loader *l, const struct gs_path *path, const struct gs_node *node, struct gs_config_job *job) {
	if (!gs_load_is(l, path, node, GS_NODE_LIST))
		return;
	l->targets += node->nitems;
	if (l->targets > GS_LIMIT_TARGETS) {
		gs_load_error(l, path, node, "is too long: more than %d targets in all", GS_LIMIT_TARGETS);
		return;
	}
	struct gs_map *seen = gs_map_new(node->nitems + 1);
	job->ntargets = 0;
	job->targets = gs_load_alloc(l, node->nitems, sizeof(job->targets[0]));
	l->no_memory = l->no_memory || seen == NULL;
	for (size_t i = 0; i < node->nitems && !l->no_memory; i++) {
		struct gs_path here = {.up = path, .index = i};
		load_target(l, &here, node->items[i], &job->targets[job->ntargets++], seen);
	}
	gs_map_free(seen);
}

static void inherit_times(
    struct gs_loader *l, const struct gs_path *path, const struct gs_node *node, struct gs_config_job *job) {
	if (job->scrape_interval == GS_KEYS_INHERIT)
		job->scrape_interval = l->config->scrape_interval;
	if (job->scrape_timeout != GS_KEYS_INHERIT)
		gs_load_times(l, path, node, job->scrape_interval, job->scrape_timeout);
	else if (l->config->scrape_timeout < job->scrape_interval)
		job->scrape_timeout = l->config->scrape_timeout;
	else
		job->scrape_timeout = job->scrape_interval;
}

void gs_load_jobs(
    struct gs_loader *l, const struct gs_config_key *key, const struct gs_path *path, const struct gs_node *node) {
	struct gs_config *config = l->config;
	if (!gs_load_is(l, path, node, GS_NODE_MAPPING))
		return;
	config->jobs = gs_load_alloc(l, node->nitems / 2, sizeof(config->jobs[0]));
	for (size_t i = 0; i < node->nitems && !l->no_memory; i += 2) {
		const struct gs_node *name = node->items[i], *value = node->items[i + 1];
		struct gs_path here = {.up = path, .name = name->text};
		struct gs_config_job *job = &config->jobs[config->njobs++];
		job->name = gs_load_text(l, path, name, 1, key->max);
		gs_keys_defaults(&gs_keys_job, job);
		if (!gs_node_is_null(value))
			gs_load_section(l, &gs_keys_job, &here, value, job);
		inherit_times(l, &here, value, job);
	}
}
