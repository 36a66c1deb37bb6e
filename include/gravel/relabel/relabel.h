/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_RELABEL_RELABEL_H
#define GRAVEL_RELABEL_RELABEL_H

#include "gravel/relabel/labels.h"

/*
 * relabel_configs and metric_relabel_configs, with the meaning they have in Prometheus 2.42 (model/relabel). A compiled list is used by one
 * thread at a time: compile it once for each.
 */
enum gs_relabel_action {
	GS_RELABEL_REPLACE,
	GS_RELABEL_KEEP,
	GS_RELABEL_DROP,
	GS_RELABEL_KEEPEQUAL,
	GS_RELABEL_DROPEQUAL,
	GS_RELABEL_HASHMOD,
	GS_RELABEL_LABELMAP,
	GS_RELABEL_LABELDROP,
	GS_RELABEL_LABELKEEP,
	GS_RELABEL_LOWERCASE,
	GS_RELABEL_UPPERCASE,
};

/* One of them, defaults filled in: separator ";", regex "(.*)", replacement "$1". */
struct gs_relabel_rule {
	enum gs_relabel_action action;
	const char *const *source_labels;
	size_t nsource_labels;
	const char *separator;
	const char *regex; /* fully anchored; its groups are $1, ${1}, $name, ${name} in replacement and target_label */
	uint64_t modulus; /* of hashmod; not 0 */
	const char *target_label;
	const char *replacement;
};

struct gs_relabel;

/** gs_relabel_new(rules, n, ret_relabel, err):
 * Compile; nothing of ${rules} is kept. GS_EINVAL or GS_ELIMIT with ${err} for a rule that Prometheus would refuse: err->line is its number from 1;
 * GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_relabel_new(
    const struct gs_relabel_rule *rules, size_t n, struct gs_relabel **ret_relabel, struct gs_error *err);
void gs_relabel_free(struct gs_relabel *relabel);

/** gs_relabel_apply(relabel, labels, ret_keep):
 * Change ${labels} rule by rule; ${ret_keep} is false where one dropped it (${labels} are then as they were at that rule). The metric name is the label
 * __name__. GS_ELIMIT for an expression that takes too many steps, or what gs_labels_set refuses; GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_relabel_apply(struct gs_relabel *relabel, struct gs_labels *labels, bool *ret_keep);

#endif
