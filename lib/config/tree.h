/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_CONFIG_TREE_H
#define GRAVEL_LIB_CONFIG_TREE_H

#include "gravel/config/tree.h"
#include "problems.h"

/* Fixed: nothing in a config is nested deeper than 6, but "management" is free. */
#define GS_TREE_DEPTH 32
/* Fixed: values and bytes of text that walking the whole tree meets, aliases counted each time: no alias bomb. GS_LIMIT_TARGETS
 * of three values each fit. */
#define GS_TREE_NODES 3500000
#define GS_TREE_BYTES (64 * 1024 * 1024)

/** gs_tree_parse(text, arena, problems, ret_root):
 * As gs_tree_read, but every error is noted in ${problems}; a key that stands twice is one without being GS_EINVAL. */
GS_MUST_USE enum gs_status gs_tree_parse(
    struct gs_str text, struct gs_arena *arena, struct gs_problems *problems, struct gs_node **ret_root);

#endif
