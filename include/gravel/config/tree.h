/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_CONFIG_TREE_H
#define GRAVEL_CONFIG_TREE_H

#include "gravel/base/arena.h"
#include "gravel/base/error.h"

/*
 * YAML as nodes with places: what a config is read from, and other documents that people write (file_sd).
 */

enum gs_node_kind { GS_NODE_SCALAR, GS_NODE_LIST, GS_NODE_MAPPING };

/*
 * A YAML document with the place of everything. Invariants:
 * 1. Keys of a mapping are scalars; a repeated one has been noted as an error.
 * 2. Walking from any node visits `nodes` nodes and `bytes` bytes of text, and ends (aliases share, but never form a loop).
 */
struct gs_node {
	enum gs_node_kind kind;
	bool plain; /* a scalar without quotes */
	uint32_t line;
	uint32_t column;
	uint32_t nodes;
	uint32_t bytes;
	struct gs_str text; /* of a scalar, NUL-terminated beyond n */
	struct gs_node **items; /* of a list; of a mapping key, value, key, value... */
	size_t nitems;
};

/** gs_tree_read(text, arena, ret_root, err):
 * Read one document into nodes that live in ${arena}. *${ret_root} is NULL for an empty one. GS_EINVAL with ${err} (line, column, what: the first error) when the
 * text is no YAML of ours (tags, a key twice, more than one document, nested or grown by aliases beyond what is sane), GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_tree_read(
    struct gs_str text, struct gs_arena *arena, struct gs_node **ret_root, struct gs_error *err);

/** gs_node_is_null(node): Whether it is what YAML calls null: nothing, "~" or "null" without quotes. */
bool gs_node_is_null(const struct gs_node *node);

/** gs_node_kind_name(node): "a word", "a list" or "a mapping". */
const char *gs_node_kind_name(const struct gs_node *node);

/** gs_node_get(mapping, key): The first value of ${key}, or NULL; NULL also where ${mapping} is NULL or no mapping. */
struct gs_node *gs_node_get(const struct gs_node *mapping, struct gs_str key);

#endif
