/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RELABEL_RULE_H
#define RELABEL_RULE_H

#include "gravel/base/arena.h"
#include "gravel/match/template.h"
#include "gravel/relabel/relabel.h"

/* A rule that was checked. Its texts live in an arena of the list. */
struct gs_relabel_step {
	enum gs_relabel_action action;
	struct gs_str *source;
	size_t nsource;
	struct gs_str separator;
	struct gs_str target; /* as it was given */
	uint64_t modulus;
	struct gs_regex *regex; /* NULL where the action does not use it */
	struct gs_template *target_template; /* NULL: the target is a name */
	struct gs_template *replacement; /* of replace and labelmap */
};

/** gs_relabel_rule_open(rule, given, number, arena, err): Check and compile; ${rule} is zeroed, and in any case for gs_relabel_rule_close. As gs_relabel_new. */
GS_MUST_USE enum gs_status gs_relabel_rule_open(struct gs_relabel_step *rule, const struct gs_relabel_rule *given,
    uint32_t number, struct gs_arena *arena, struct gs_error *err);
void gs_relabel_rule_close(struct gs_relabel_step *rule);

#endif
