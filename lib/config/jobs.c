/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "check.h"
#include "gravel/base/limits.h"
#include "gravel/base/map.h"
#include "load.h"

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

void gs_load_targets(struct gs_loader *l, const struct gs_path *path, const struct gs_node *node, void *base) {
	struct gs_config_job *job = base;
	if (node->kind != GS_NODE_LIST || job->ntargets < node->nitems)
		return; /* noted before */
	struct gs_config_target *targets = job->targets + (job->ntargets - node->nitems);
	struct gs_map *seen = gs_map_new(node->nitems + 1);
	l->no_memory = l->no_memory || seen == NULL;
	for (size_t i = 0; i < node->nitems && !l->no_memory; i++) {
		struct gs_path here = {.up = path, .index = i};
		if (targets[i].name == NULL && targets[i].url != NULL)
			targets[i].name = host_and_port(l, targets[i].url);
		if (targets[i].name != NULL)
			check_instance(l, &here, node->items[i], &targets[i], seen);
	}
	gs_map_free(seen);
}

void gs_load_dns(struct gs_loader *l, const struct gs_path *path, const struct gs_node *node, void *base) {
	const struct gs_config_sd *sd = base;
	if (sd->dns_type != GS_DNS_SRV && sd->dns_port == 0)
		gs_load_error(l, path, node, "needs a port: only SRV records have one");
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

/* One job; ${name} is the node that says how it is called. */
static void load_job(struct gs_loader *l, const struct gs_config_section *section, const struct gs_path *path,
    const struct gs_node *name, const struct gs_node *node, struct gs_config_job *job) {
	const char *given = job->name;
	gs_keys_defaults(section, job);
	job->name = given;
	job->line = name->line;
	job->column = name->column;
	if (!gs_node_is_null(node))
		gs_load_section(l, section, path, node, job);
	inherit_times(l, path, node, job);
	if (job->body_size_limit > GS_LIMIT_WIRE_BODY)
		job->body_size_limit = GS_LIMIT_WIRE_BODY;
}

static void remember_name(
    struct gs_loader *l, const struct gs_path *path, const struct gs_node *name, const struct gs_config_job *job) {
	if (job->name == NULL)
		return; /* noted before */
	struct gs_str key = gs_str_of(job->name);
	const struct gs_node *first = gs_map_get(l->names, key);
	if (first == NULL && gs_map_put(l->names, key, (void *)(uintptr_t)name) != GS_OK)
		l->no_memory = true;
	else if (first != NULL && path != NULL)
		gs_load_error(l, path, name, "is a duplicate: a job \"%s\" stands first in line %lu", job->name,
		    (unsigned long)first->line);
}

static void load_mapping(
    struct gs_loader *l, const struct gs_config_key *key, const struct gs_path *path, const struct gs_node *node) {
	for (size_t i = 0; i < node->nitems && !l->no_memory; i += 2) {
		const struct gs_node *name = node->items[i];
		struct gs_path here = {.up = path, .name = name->text};
		struct gs_config_job *job = &l->config->jobs[l->config->njobs++];
		job->name = gs_load_text(l, path, name, 1, key->max);
		load_job(l, key->section, &here, name, node->items[i + 1], job);
		remember_name(l, NULL, name, job); /* twice in the mapping was noted as a duplicate key */
	}
}

static void load_list(
    struct gs_loader *l, const struct gs_config_key *key, const struct gs_path *path, const struct gs_node *node) {
	for (size_t i = 0; i < node->nitems && !l->no_memory; i++) {
		const struct gs_node *item = node->items[i], *name = gs_node_get(item, GS_STR("job_name"));
		struct gs_path here = {.up = path, .index = i};
		struct gs_path name_path = {.up = &here, .name = GS_STR("job_name")};
		struct gs_config_job *job = &l->config->jobs[l->config->njobs++];
		if (!gs_load_is(l, &here, item, GS_NODE_MAPPING))
			continue;
		name = name != NULL ? name : item;
		load_job(l, key->section, &here, name, item, job);
		remember_name(l, &name_path, name, job);
	}
}

void gs_load_jobs(struct gs_loader *l, const struct gs_config_key *key, const struct gs_node *node) {
	struct gs_path path = {.name = gs_str_of(key->name)};
	bool list = key->section->size != 0;
	if (node == NULL || gs_node_is_null(node) || !gs_load_is(l, &path, node, list ? GS_NODE_LIST : GS_NODE_MAPPING))
		return;
	if (list)
		load_list(l, key, &path, node);
	else
		load_mapping(l, key, &path, node);
}
