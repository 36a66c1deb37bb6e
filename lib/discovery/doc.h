/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_DISCOVERY_DOC_H
#define GRAVEL_LIB_DISCOVERY_DOC_H

#include "gravel/base/arena.h"
#include "gravel/base/error.h"
#include "gravel/base/limits.h"
#include "gravel/discovery/discovery.h"

/*
 * The targets of one document, in memory of their own. Made once and not changed afterwards. Invariants (gs_sd_doc_check):
 * 1. n <= cap, n <= GS_LIMIT_TARGETS.
 * 2. The labels of each target are sorted by name and distinct; __address__ is among them unless it is empty; no value is empty.
 * 3. hash does not depend on the order of the targets.
 */
struct gs_sd_doc {
	struct gs_arena *arena;
	struct gs_discovered *targets;
	size_t n;
	size_t cap;
	uint64_t hash;
};

/* The labels that the next targets share, sorted; strings stand in the arena of the document. */
struct gs_sd_group {
	struct gs_sd_doc *doc;
	struct gs_label labels[GS_LIMIT_LABELS];
	size_t n;
};

/** gs_sd_doc_new(): An empty document; NULL when out of memory. */
struct gs_sd_doc *gs_sd_doc_new(void);
void gs_sd_doc_free(struct gs_sd_doc *doc);
void gs_sd_doc_check(const struct gs_sd_doc *doc);

/** gs_sd_group_begin(group, doc): No labels. */
void gs_sd_group_begin(struct gs_sd_group *group, struct gs_sd_doc *doc);

/** gs_sd_group_put(group, name, value, err):
 * Set a label (copied); an empty value removes it. GS_EINVAL for a bad name or a value that is no UTF-8, GS_ELIMIT, GS_ENOMEM, with ${err} without a place. */
GS_MUST_USE enum gs_status gs_sd_group_put(
    struct gs_sd_group *group, struct gs_str name, struct gs_str value, struct gs_error *err);

/** gs_sd_group_target(group, address, err): Add a target of these labels and __address__, which wins over one of the group. As gs_sd_group_put. */
GS_MUST_USE enum gs_status gs_sd_group_target(struct gs_sd_group *group, struct gs_str address, struct gs_error *err);

/** gs_sd_hash(docs, n, ret_targets): The hash over the targets of several documents (NULL: none), and how many they are. */
uint64_t gs_sd_hash(struct gs_sd_doc *const *docs, size_t n, size_t *ret_targets);

/* parse.c: documents in the form of Prometheus: a list of {"targets": [...], "labels": {...}}. */

struct gs_sd_parse {
	struct gs_label meta[2]; /* set on every target, over what the document says */
	size_t nmeta;
	bool one; /* a single group may stand for a list of one */
};

/** gs_sd_parse_json(text, parse, ret_doc, err), gs_sd_parse_yaml(...):
 * *${ret_doc} is the caller's. GS_EINVAL with ${err}, which says line and column as far as they are known; GS_ELIMIT, GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_sd_parse_json(
    struct gs_str text, const struct gs_sd_parse *parse, struct gs_sd_doc **ret_doc, struct gs_error *err);
GS_MUST_USE enum gs_status gs_sd_parse_yaml(
    struct gs_str text, const struct gs_sd_parse *parse, struct gs_sd_doc **ret_doc, struct gs_error *err);

#endif
