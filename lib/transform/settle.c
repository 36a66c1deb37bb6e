/* SPDX-License-Identifier: Apache-2.0 */
/* What a series is called with the labels of its target, and the limits of that: mutateSampleLabels, resolveConflictingExposedLabels and verifyLabelLimits
 * of Prometheus 2.42 (scrape/scrape.go). */
#include <stdio.h>

#include "gravel/base/limits.h"
#include "gravel/base/mem.h"
#include "internal.h"

#define PREFIX "exported_"
#define PREFIX_N (sizeof(PREFIX) - 1)
#define SHOWN 50 /* characters of a name or value that an error shows */

enum gs_status gs_settle_begin(struct gs_settle *settle, const struct gs_label *labels, size_t n) {
	settle->ntarget = 0;
	settle->longest_name = settle->longest_value = 0;
	for (size_t i = 0; i < n; i++) {
		if (labels[i].value.n == 0)
			continue;
		struct gs_label *target =
		    gs_grow_array(settle->target, &settle->cap_target, settle->ntarget, sizeof(*target));
		if (target == NULL)
			return GS_ENOMEM;
		settle->target = target;
		size_t at = settle->ntarget++;
		for (; at > 0 && gs_str_cmp(target[at - 1].name, labels[i].name) > 0; at--)
			target[at] = target[at - 1];
		target[at] = labels[i];
		if (labels[i].name.n > settle->longest_name)
			settle->longest_name = labels[i].name.n;
		if (labels[i].value.n > settle->longest_value)
			settle->longest_value = labels[i].value.n;
	}
	return GS_OK;
}

static const struct gs_label *find(const struct gs_label *labels, size_t n, struct gs_str name) {
	for (size_t i = 0; i < n; i++) {
		if (gs_str_eq(labels[i].name, name))
			return &labels[i];
	}
	return NULL;
}

/* A label of the sample that the target has too. */
struct conflict {
	const struct gs_label *own;
	size_t prefixes; /* in front of its name */
};

/* A name with prefixes in front of it. */
struct renamed {
	size_t n;
	char text[GS_LIMIT_NAME + 1];
};

static bool rename_label(const struct conflict *conflict, struct renamed *ret) {
	struct gs_str name = conflict->own->name;
	ret->n = conflict->prefixes * PREFIX_N + name.n;
	if (ret->n > GS_LIMIT_NAME)
		return false;
	for (size_t i = 0; i < conflict->prefixes; i++)
		memcpy(ret->text + i * PREFIX_N, PREFIX, PREFIX_N);
	memcpy(ret->text + conflict->prefixes * PREFIX_N, name.p, name.n);
	return true;
}

static bool is_taken(const struct gs_settle *settle, const struct gs_expo_event *event,
    const struct conflict *conflicts, size_t n, struct gs_str name) {
	struct renamed other;
	if (find(event->labels, event->nlabels, name) != NULL || find(settle->target, settle->ntarget, name) != NULL)
		return true;
	for (size_t i = 0; i < n; i++) {
		if (rename_label(&conflicts[i], &other) && gs_str_eq(name, gs_str_make(other.text, other.n)))
			return true;
	}
	return false;
}

static bool comes_before(const struct conflict *a, const struct conflict *b) {
	struct gs_str name = a->own->name, other = b->own->name;
	return name.n != other.n ? name.n < other.n : gs_str_cmp(name, other) < 0;
}

/* Shortest names first; those of one length in the order of the target, which is sorted. */
static void sort_conflicts(struct conflict *conflicts, size_t n) {
	for (size_t i = 1; i < n; i++) {
		struct conflict conflict = conflicts[i];
		size_t at = i;
		for (; at > 0 && comes_before(&conflict, &conflicts[at - 1]); at--)
			conflicts[at] = conflicts[at - 1];
		conflicts[at] = conflict;
	}
}

static enum gs_status resolve(
    struct gs_settle *settle, const struct gs_expo_event *event, struct conflict *conflicts, size_t n) {
	struct renamed renamed;
	enum gs_status status = GS_OK;
	sort_conflicts(conflicts, n);
	for (size_t i = 0; i < n; i++) {
		do {
			conflicts[i].prefixes++;
			if (!rename_label(&conflicts[i], &renamed))
				return GS_ELIMIT;
		} while (is_taken(settle, event, conflicts, i, gs_str_make(renamed.text, renamed.n)));
	}
	for (size_t i = 0; i < n && status == GS_OK; i++) {
		if (rename_label(&conflicts[i], &renamed))
			status = gs_labels_set(
			    settle->labels, gs_str_make(renamed.text, renamed.n), conflicts[i].own->value);
	}
	return status;
}

/* What the set is to be filled with, and what has to be renamed first. */
struct plan {
	struct gs_label items[GS_LIMIT_LABELS];
	size_t n;
	struct conflict conflicts[GS_LIMIT_LABELS];
	size_t nconflicts;
	bool too_many;
};

static void plan_label(struct plan *plan, const struct gs_label *label) {
	if (label->value.n == 0)
		return;
	if (plan->n < GS_LIMIT_LABELS)
		plan->items[plan->n++] = *label;
	else
		plan->too_many = true;
}

/* A label that both have. */
static void plan_both(
    const struct gs_settle *settle, struct plan *plan, const struct gs_label *own, const struct gs_label *target) {
	if (own->value.n != 0 && !settle->honor)
		plan->conflicts[plan->nconflicts++] = (struct conflict){.own = own};
	plan_label(plan, settle->honor ? own : target);
}

/* The labels of the sample and its target merged, where both are sorted; false where the sample's are not. */
static bool plan_sorted(const struct gs_settle *settle, const struct gs_expo_event *event, struct plan *plan) {
	const struct gs_label *target = settle->target, *own = event->labels;
	size_t t = 0;
	for (size_t i = 0; i < event->nlabels; i++) {
		int order = 1;
		if (i > 0 && gs_name_cmp(own[i - 1].name, own[i].name) >= 0)
			return false;
		while (t < settle->ntarget && (order = gs_name_cmp(target[t].name, own[i].name)) < 0)
			plan_label(plan, &target[t++]);
		if (t < settle->ntarget && order == 0)
			plan_both(settle, plan, &own[i], &target[t++]);
		else
			plan_label(plan, &own[i]);
	}
	while (t < settle->ntarget)
		plan_label(plan, &target[t++]);
	return true;
}

static void plan_any(const struct gs_settle *settle, const struct gs_expo_event *event, struct plan *plan) {
	for (size_t i = 0; i < event->nlabels; i++) {
		const struct gs_label *target = find(settle->target, settle->ntarget, event->labels[i].name);
		if (target != NULL)
			plan_both(settle, plan, &event->labels[i], target);
		else
			plan_label(plan, &event->labels[i]);
	}
	for (size_t i = 0; i < settle->ntarget; i++) {
		if (find(event->labels, event->nlabels, settle->target[i].name) == NULL)
			plan_label(plan, &settle->target[i]);
	}
}

static void plan_begin(struct plan *plan, struct gs_str name) {
	plan->items[0] = (struct gs_label){.name = GS_STR("__name__"), .value = name};
	plan->n = 1;
	plan->nconflicts = 0;
	plan->too_many = false;
}

enum gs_status gs_settle(struct gs_settle *settle, const struct gs_expo_event *event) {
	struct plan plan;
	plan_begin(&plan, event->name);
	if (!plan_sorted(settle, event, &plan)) {
		plan_begin(&plan, event->name);
		plan_any(settle, event, &plan);
	}
	if (plan.too_many)
		return GS_ELIMIT;
	enum gs_status status = gs_labels_fill(settle->labels, plan.items, plan.n);
	if (status != GS_OK || plan.nconflicts == 0)
		return status;
	return resolve(settle, event, plan.conflicts, plan.nconflicts);
}

/* Limits */

static bool is_within(uint64_t limit, size_t n) {
	return limit == 0 || n <= limit;
}

bool gs_limits_surely_kept(
    const struct gs_label_limits *limits, const struct gs_settle *settle, const struct gs_expo_event *event) {
	if (!is_within(limits->labels, event->nlabels + settle->ntarget + 1))
		return false;
	if (!is_within(limits->name_length, settle->longest_name) ||
	    !is_within(limits->name_length, sizeof("__name__") - 1) ||
	    !is_within(limits->value_length, settle->longest_value) || !is_within(limits->value_length, event->name.n))
		return false;
	for (size_t i = 0; i < event->nlabels; i++) {
		if (!is_within(limits->name_length, event->labels[i].name.n + PREFIX_N) ||
		    !is_within(limits->value_length, event->labels[i].value.n))
			return false;
	}
	return true;
}

/* The first characters of a text. */
static struct gs_str shown(struct gs_str s) {
	size_t n = 0, characters = 0;
	for (; n < s.n; n++) {
		if (((unsigned char)s.p[n] & 0xc0) != 0x80 && ++characters > SHOWN)
			break;
	}
	return gs_str_make(s.p, n);
}

/* As Go's %q writes it. */
static void quote(struct gs_buf *out, struct gs_str s) {
	static const char escapes[][2] = {
	    {'\a', 'a'}, {'\b', 'b'}, {'\f', 'f'}, {'\n', 'n'}, {'\r', 'r'}, {'\t', 't'}, {'\v', 'v'}};
	gs_buf_char(out, '"');
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i], escape = c == '"' || c == '\\' ? c : '\0';
		for (size_t k = 0; k < sizeof(escapes) / sizeof(escapes[0]); k++)
			escape = c == escapes[k][0] ? escapes[k][1] : escape;
		if (escape != '\0') {
			gs_buf_char(out, '\\');
			gs_buf_char(out, escape);
		} else if ((unsigned char)c < 0x20 || c == 0x7f) {
			gs_buf_printf(out, "\\x%02x", (unsigned)(unsigned char)c);
		} else {
			gs_buf_char(out, c);
		}
	}
	gs_buf_char(out, '"');
}

static enum gs_status fail_length(
    struct gs_str metric, const struct gs_label *label, bool value, uint64_t limit, struct gs_error *err) {
	struct gs_str name = shown(label->name);
	if (!value) {
		gs_error_set(err, GS_ELIMIT, 0, 0,
		    "label_name_length_limit exceeded (metric: %.*s, label name: %.*s, length: %zu, limit: %llu)",
		    GS_FMT(metric), GS_FMT(name), label->name.n, (unsigned long long)limit);
		return gs_error_limit(err, "label_name_length_limit");
	}
	struct gs_buf quoted;
	gs_buf_init(&quoted, 1024);
	quote(&quoted, shown(label->value));
	gs_error_set(err, GS_ELIMIT, 0, 0,
	    "label_value_length_limit exceeded (metric: %.*s, label name: %.*s, value: %.*s, length: %zu, limit: %llu)",
	    GS_FMT(metric), GS_FMT(name), GS_FMT(gs_buf_slice(&quoted)), label->value.n, (unsigned long long)limit);
	gs_buf_free(&quoted);
	return gs_error_limit(err, "label_value_length_limit");
}

enum gs_status gs_limits_check(
    const struct gs_label_limits *limits, const struct gs_label *labels, size_t n, struct gs_error *err) {
	bool many = !is_within(limits->labels, n), lengths = limits->name_length != 0 || limits->value_length != 0;
	if (!many && !lengths)
		return GS_OK;
	const struct gs_label *name = find(labels, n, GS_STR("__name__"));
	struct gs_str metric = name != NULL ? shown(name->value) : (struct gs_str){0};
	if (many) {
		gs_error_set(err, GS_ELIMIT, 0, 0,
		    "label_limit exceeded (metric: %.*s, number of labels: %zu, limit: %llu)", GS_FMT(metric), n,
		    (unsigned long long)limits->labels);
		return gs_error_limit(err, "label_limit");
	}
	for (size_t i = 0; i < n; i++) {
		if (!is_within(limits->name_length, labels[i].name.n))
			return fail_length(metric, &labels[i], false, limits->name_length, err);
		if (!is_within(limits->value_length, labels[i].value.n))
			return fail_length(metric, &labels[i], true, limits->value_length, err);
	}
	return GS_OK;
}

enum gs_status gs_settle_fail_names(const struct gs_label *labels, size_t n, struct gs_error *err) {
	struct gs_buf text;
	gs_buf_init(&text, sizeof(err->text));
	gs_buf_char(&text, '{');
	for (size_t i = 0; i < n; i++) {
		if (i != 0)
			gs_buf_cstr(&text, ", ");
		gs_buf_str(&text, labels[i].name);
		gs_buf_char(&text, '=');
		quote(&text, labels[i].value);
	}
	gs_buf_char(&text, '}');
	gs_error_set(err, GS_EINVAL, 0, 0, "invalid metric name or label names: %.*s", GS_FMT(gs_buf_slice(&text)));
	gs_buf_free(&text);
	return GS_EINVAL;
}
