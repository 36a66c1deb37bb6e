/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_CONFIG_LOAD_H
#define GRAVEL_CONFIG_LOAD_H

#include "keys.h"
#include "tree.h"

/* Where in the config a value stands, from the leaf up; on the stack of those who walk. */
struct gs_path {
	const struct gs_path *up; /* NULL at the top */
	struct gs_str name; /* p is NULL for a place in a list */
	size_t index;
};

/* Values of a duration that could not be read: nothing is compared with it. */
#define GS_LOAD_BROKEN (-2)

/* One walk over the tree, from nodes to options. All errors are noted; only out of memory ends it. */
struct gs_loader {
	struct gs_problems *problems;
	struct gs_arena *arena; /* of the config */
	struct gs_config *config;
	struct gs_str folder; /* where relative paths begin; empty: the current one */
	struct gs_map *names; /* of jobs, to the nodes of their names */
	size_t items; /* of all lists of sections */
	bool no_memory;
};

/** gs_load_tree(root, folder, problems, arena, config):
 * Fill ${config}, which holds the defaults, from ${root} (NULL: nothing). Relative paths begin at ${folder} (empty: they stay as they are). Strings and arrays go into ${arena}. GS_ENOMEM, else GS_OK even
 * when there are errors in ${problems}. */
GS_MUST_USE enum gs_status gs_load_tree(const struct gs_node *root, struct gs_str folder, struct gs_problems *problems,
    struct gs_arena *arena, struct gs_config *config);

/* What load.c, lists.c and jobs.c need of each other. */
void gs_load_section(struct gs_loader *l, const struct gs_config_section *section, const struct gs_path *path,
    const struct gs_node *node, void *base);
void gs_load_texts(struct gs_loader *l, const struct gs_config_key *key, const struct gs_path *path,
    const struct gs_node *node, void *base);
void gs_load_labels(struct gs_loader *l, const struct gs_config_key *key, const struct gs_path *path,
    const struct gs_node *node, void *base);
void gs_load_params(struct gs_loader *l, const struct gs_config_key *key, const struct gs_path *path,
    const struct gs_node *node, void *base);
void gs_load_headers(struct gs_loader *l, const struct gs_config_key *key, const struct gs_path *path,
    const struct gs_node *node, void *base);
void gs_load_items(struct gs_loader *l, const struct gs_config_key *key, const struct gs_path *path,
    const struct gs_node *node, void *base);
void gs_load_rules(struct gs_loader *l, const struct gs_config_key *key, const struct gs_path *path,
    const struct gs_node *node, struct gs_config_job *job);

/** gs_load_jobs(l, key, node): Append the jobs of ${node}, the value of ${key} at the top (NULL: none); room for them is there. */
void gs_load_jobs(struct gs_loader *l, const struct gs_config_key *key, const struct gs_node *node);

/* Hooks of the table. */
void gs_load_targets(struct gs_loader *l, const struct gs_path *path, const struct gs_node *node, void *base);
void gs_load_stream(struct gs_loader *l, const struct gs_path *path, const struct gs_node *node, void *base);
void gs_load_dns(struct gs_loader *l, const struct gs_path *path, const struct gs_node *node, void *base);

/** gs_load_reserve(l, path, node, n): Count ${n} items more; false, which is noted, when they are too many. */
bool gs_load_reserve(struct gs_loader *l, const struct gs_path *path, const struct gs_node *node, size_t n);

/** gs_load_string(l, key, path, node): The text of a node as ${key} has it, checked; NULL for none or with an error noted. */
const char *gs_load_string(
    struct gs_loader *l, const struct gs_config_key *key, const struct gs_path *path, const struct gs_node *node);

/** gs_load_times(l, path, node, interval, timeout): An explicit scrape_timeout of the mapping ${node} above the interval is an error. */
void gs_load_times(
    struct gs_loader *l, const struct gs_path *path, const struct gs_node *node, int64_t interval, int64_t timeout);

/** gs_load_error(l, path, node, fmt, ...): Note an error about the value ${node} of the key at ${path}. */
void gs_load_error(struct gs_loader *l, const struct gs_path *path, const struct gs_node *node, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/** gs_load_alloc(l, count, size): Zeroed memory of the config, or NULL with no_memory set. */
void *gs_load_alloc(struct gs_loader *l, size_t count, size_t size);

/** gs_load_text(l, path, node, min, max): The string of a node, NUL-terminated in the arena; NULL with an error noted. */
const char *gs_load_text(
    struct gs_loader *l, const struct gs_path *path, const struct gs_node *node, int64_t min, int64_t max);

/** gs_load_is(l, path, node, kind): Whether ${node} is of that kind; if not, that is noted. */
bool gs_load_is(struct gs_loader *l, const struct gs_path *path, const struct gs_node *node, enum gs_node_kind kind);

#endif
