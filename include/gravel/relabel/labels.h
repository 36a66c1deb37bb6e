/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_RELABEL_LABELS_H
#define GRAVEL_RELABEL_LABELS_H

#include "gravel/expo/expo.h"

/*
 * A set of labels that is being changed: of a target before it is scraped, of a series before it is sent. Names are distinct; a label with an
 * empty value is none. Reused from one series to the next without a heap once it has grown. One thread at a time.
 */
struct gs_labels;

/** gs_labels_new(): An empty set; NULL when out of memory. */
struct gs_labels *gs_labels_new(void);
void gs_labels_free(struct gs_labels *labels);

/** gs_labels_clear(labels): Remove all; slices that it gave are void. */
void gs_labels_clear(struct gs_labels *labels);

/** gs_labels_set(labels, name, value): Both are copied; an empty ${value} removes. GS_ELIMIT above GS_LIMIT_LABELS labels, GS_LIMIT_NAME or
 * GS_LIMIT_LABEL_VALUE bytes; GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_labels_set(struct gs_labels *labels, struct gs_str name, struct gs_str value);

/** gs_labels_put(labels, name, value): As gs_labels_set, without copies: both must live and stay until the next clear. */
GS_MUST_USE enum gs_status gs_labels_put(struct gs_labels *labels, struct gs_str name, struct gs_str value);

/** gs_labels_get(labels, name): The value; empty if there is none. Valid until that label is set again or the set cleared. */
struct gs_str gs_labels_get(const struct gs_labels *labels, struct gs_str name);

/** gs_labels_sorted(labels, ret_n): All of them, sorted by the bytes of their names; valid until the next change. */
const struct gs_label *gs_labels_sorted(struct gs_labels *labels, size_t *ret_n);

#endif
