/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_EXPO_SEEN_H
#define GRAVEL_LIB_EXPO_SEEN_H

#include "gravel/expo/expo.h"

/* What stood in an exposition already, as a set of 64-bit hashes. Not for other modules.
 *
 * Two things of the same hash count as one. That 20 million series hold such a pair by chance happens once in 90,000 expositions. A
 * producer cannot prepare one, since the hashes are seeded per process; and if he could, it is his own body that is then refused. */

/* What a key is about: the same name is another key under another tag. */
enum gs_expo_tag {
	GS_SEEN_SERIES = 1,
	GS_SEEN_TIME, /* OpenMetrics: the time of a series that may have several */
	GS_SEEN_GROUP, /* OpenMetrics: a metric of a family */
	GS_SEEN_NAME, /* OpenMetrics: what no other family may be called, or its samples */
	GS_SEEN_TYPE, /* text: the family has a TYPE line */
	GS_SEEN_HELP, /* text: the family has a HELP line */
	GS_SEEN_TYPE_VALUE, /* text: which one, in the other hash */
	GS_SEEN_HELP_VALUE,
	GS_SEEN_FAMILY, /* text: the family has samples */
	GS_SEEN_UNTYPED, /* text: there are samples of this name that no TYPE line stands for */
};

/** gs_expo_seen_key(tag, a, b): The key of what ${tag} says and the hashes ${a} and ${b} tell apart. */
uint64_t gs_expo_seen_key(enum gs_expo_tag tag, uint64_t a, uint64_t b);

/** gs_expo_hash_labels(labels, n, except): A hash of the set of labels but the one of index ${except} (n and more: none); their order does not
 * count. */
uint64_t gs_expo_hash_labels(const struct gs_label *labels, size_t n, size_t except);

/** gs_expo_seen_clear(seen): Forget all. */
void gs_expo_seen_clear(struct gs_expo_seen *seen);

/** gs_expo_seen_has(seen, key): Whether ${key} was added. */
bool gs_expo_seen_has(const struct gs_expo_seen *seen, uint64_t key);

/** gs_expo_seen_add(seen, key, ret_again): Add ${key}; *${ret_again} is whether it was there. GS_ENOMEM when memory or the limit of
 * GS_LIMIT_SEEN keys is used up; the set is then as it was. */
GS_MUST_USE enum gs_status gs_expo_seen_add(struct gs_expo_seen *seen, uint64_t key, bool *ret_again);

void gs_expo_seen_check(const struct gs_expo_seen *seen);

#endif
