/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_TARGET_TARGET_H
#define GRAVEL_TARGET_TARGET_H

#include "gravel/base/arena.h"
#include "gravel/relabel/relabel.h"

/*
 * From what was discovered to what is scraped, as Prometheus does it (scrape/target.go, PopulateLabels): defaults of the job, relabelling,
 * the port, the URL, and no label left that begins with "__". Pure.
 */
struct gs_target_defaults {
	struct gs_str job; /* label job */
	struct gs_str scheme; /* __scheme__ */
	struct gs_str metrics_path; /* __metrics_path__ */
	const struct gs_label *
	    params; /* __param_<name>; a name may come more than once: only the first value is a label, all are in the URL */
	size_t nparams;
	int64_t interval_ms; /* __scrape_interval__ */
	int64_t timeout_ms; /* __scrape_timeout__ */
	struct gs_relabel *relabel; /* NULL: none */
};

struct gs_target {
	const struct gs_label
	    *labels; /* after relabelling, sorted; with job and instance unless relabelling removed them */
	size_t nlabels;
	const struct gs_label *discovered; /* before it, sorted; with those of "__" */
	size_t ndiscovered;
	struct gs_str url; /* with all parameters; NUL-terminated beyond n */
	int64_t interval_ms;
	int64_t timeout_ms;
};

/** gs_target_build(defaults, found, nfound, scratch, arena, ret_target, ret_keep, err):
 * Make the target of the discovered labels ${found} (__address__ among them; they win over the defaults). All that ${ret_target} points to is copied into ${arena}. With
 * ${ret_keep} false relabelling dropped it, and only ${discovered} is set. GS_EINVAL with ${err} for what is no target: no or a bad address, an
 * interval or label that is none, a label that is no UTF-8; GS_ELIMIT, GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_target_build(const struct gs_target_defaults *defaults, const struct gs_label *found,
    size_t nfound, struct gs_labels *scratch, struct gs_arena *arena, struct gs_target *ret_target, bool *ret_keep,
    struct gs_error *err);

#endif
