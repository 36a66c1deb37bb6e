/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/relabel/relabel.h"

#include "case.h"
#include "gravel/base/limits.h"
#include "gravel/base/mem.h"
#include "gravel/base/num.h"
#include "md5.h"
#include "rule.h"

struct gs_relabel {
	struct gs_arena *arena; /* texts of the rules */
	struct gs_relabel_step *rules;
	size_t n;
	struct gs_md5 *md5; /* NULL: no rule is hashmod */
	struct gs_buf joined; /* values of source labels */
	struct gs_buf name; /* an expanded target_label or labelmap's name */
	struct gs_buf value; /* an expanded replacement */
};

static enum gs_status open_rules(
    struct gs_relabel *relabel, const struct gs_relabel_rule *rules, size_t n, struct gs_error *err) {
	relabel->arena = gs_arena_new(SIZE_MAX / 2);
	relabel->rules = gs_alloc_array(n != 0 ? n : 1, sizeof(*relabel->rules));
	if (relabel->arena == NULL || relabel->rules == NULL)
		return GS_ENOMEM;
	enum gs_status status = GS_OK;
	for (size_t i = 0; i < n && status == GS_OK; i++) {
		relabel->n++;
		status = gs_relabel_rule_open(&relabel->rules[i], &rules[i], (uint32_t)i + 1, relabel->arena, err);
		if (status != GS_OK || rules[i].action != GS_RELABEL_HASHMOD || relabel->md5 != NULL)
			continue;
		status = gs_md5_new(&relabel->md5);
		if (status == GS_EUNSUPPORTED)
			status = gs_error_set(err, GS_EINVAL, (uint32_t)i + 1, 0,
			    "the action hashmod needs MD5, which OpenSSL does not have here");
	}
	return status;
}

enum gs_status gs_relabel_new(
    const struct gs_relabel_rule *rules, size_t n, struct gs_relabel **ret_relabel, struct gs_error *err) {
	struct gs_relabel *relabel = gs_alloc(sizeof(*relabel));
	if (relabel == NULL)
		return GS_ENOMEM;
	gs_buf_init(&relabel->joined, GS_LIMIT_LINE);
	gs_buf_init(&relabel->name, GS_LIMIT_NAME);
	/* Room for one character more: what is too long is refused by the label, not in the middle of the last one. */
	gs_buf_init(&relabel->value, GS_LIMIT_LABEL_VALUE + 4);
	enum gs_status status = open_rules(relabel, rules, n, err);
	if (status != GS_OK) {
		gs_relabel_free(relabel);
		return status;
	}
	*ret_relabel = relabel;
	return GS_OK;
}

void gs_relabel_free(struct gs_relabel *relabel) {
	if (relabel == NULL)
		return;
	for (size_t i = 0; i < relabel->n; i++)
		gs_relabel_rule_close(&relabel->rules[i]);
	gs_free(relabel->rules);
	gs_arena_free(relabel->arena);
	gs_md5_free(relabel->md5);
	gs_buf_free(&relabel->joined);
	gs_buf_free(&relabel->name);
	gs_buf_free(&relabel->value);
	gs_free(relabel);
}

/* The values of the source labels with separators between them. */
static enum gs_status join(struct gs_relabel *relabel, const struct gs_relabel_step *rule,
    const struct gs_labels *labels, struct gs_str *ret) {
	struct gs_buf *out = &relabel->joined;
	*ret = rule->nsource != 0 ? gs_labels_get(labels, rule->source[0]) : (struct gs_str){0};
	if (rule->nsource <= 1)
		return GS_OK;
	gs_buf_clear(out);
	gs_buf_str(out, *ret);
	for (size_t i = 1; i < rule->nsource; i++) {
		gs_buf_str(out, rule->separator);
		gs_buf_str(out, gs_labels_get(labels, rule->source[i]));
	}
	*ret = gs_buf_slice(out);
	return out->status;
}

/* Whether ${part} begins inside of ${whole}. */
static bool is_within(struct gs_str part, struct gs_str whole) {
	return whole.n != 0 && (uintptr_t)part.p - (uintptr_t)whole.p < whole.n;
}

/* Set a label that has a name of the rule. What is a text of the rule, or a part of a value that stands in the labels, need not be copied. */
static enum gs_status set(const struct gs_relabel *relabel, const struct gs_relabel_step *rule,
    struct gs_labels *labels, struct gs_str text) {
	bool stays =
	    !is_within(text, gs_buf_slice(&relabel->joined)) && !is_within(text, gs_buf_slice(&relabel->value));
	return stays ? gs_labels_put(labels, rule->target, text) : gs_labels_set(labels, rule->target, text);
}

static enum gs_status replace(
    struct gs_relabel *relabel, const struct gs_relabel_step *rule, struct gs_labels *labels, struct gs_str value) {
	bool matches;
	struct gs_str name = rule->target, text;
	enum gs_status status = gs_regex_match_groups(rule->regex, value, &matches);
	if (status != GS_OK || !matches)
		return status;
	if (rule->target_template != NULL)
		status = gs_template_expand(rule->target_template, rule->regex, &relabel->name, &name);
	if (status == GS_OK)
		status = gs_template_expand(rule->replacement, rule->regex, &relabel->value, &text);
	if (status != GS_OK)
		return status;
	if (rule->target_template == NULL)
		return set(relabel, rule, labels, text);
	/* Prometheus 2.42 then deletes the label that is called as the template: not the expanded one, as later ones do. */
	if (text.n == 0 || !gs_expo_is_label_name(name))
		return gs_labels_set(labels, rule->target, (struct gs_str){0});
	return gs_labels_set(labels, name, text);
}

static enum gs_status set_hash(
    struct gs_relabel *relabel, const struct gs_relabel_step *rule, struct gs_labels *labels, struct gs_str value) {
	char text[20];
	uint64_t hash;
	enum gs_status status = gs_md5_tail(relabel->md5, value, &hash);
	if (status != GS_OK)
		return status;
	return gs_labels_set(labels, rule->target, gs_str_make(text, gs_num_print_u64(text, hash % rule->modulus)));
}

static enum gs_status set_case(
    struct gs_relabel *relabel, const struct gs_relabel_step *rule, struct gs_labels *labels, struct gs_str value) {
	struct gs_buf *out = &relabel->value;
	gs_buf_clear(out);
	if (rule->action == GS_RELABEL_LOWERCASE)
		gs_case_lower(value, out);
	else
		gs_case_upper(value, out);
	return out->status != GS_OK ? out->status : gs_labels_set(labels, rule->target, gs_buf_slice(out));
}

/* Names are matched and values taken as they were before the rule; of two labels that get one name the one whose old name is greater wins. */
static enum gs_status map_names(
    struct gs_relabel *relabel, const struct gs_relabel_step *rule, struct gs_labels *labels) {
	struct gs_label before[GS_LIMIT_LABELS];
	size_t n;
	const struct gs_label *sorted = gs_labels_sorted(labels, &n);
	memcpy(before, sorted, n * sizeof(before[0]));
	for (size_t i = 0; i < n; i++) {
		bool matches;
		struct gs_str name;
		enum gs_status status = gs_regex_match_groups(rule->regex, before[i].name, &matches);
		if (status == GS_OK && matches)
			status = gs_template_expand(rule->replacement, rule->regex, &relabel->name, &name);
		if (status == GS_OK && matches)
			status = gs_labels_set(labels, name, before[i].value);
		if (status != GS_OK)
			return status;
	}
	return GS_OK;
}

/* Remove the labels whose names match, or do not. */
static enum gs_status filter_names(const struct gs_relabel_step *rule, struct gs_labels *labels) {
	size_t n;
	const struct gs_label *items = gs_labels_sorted(labels, &n);
	/* From the end, so that what is still to come stays in its place; it stays sorted. */
	for (size_t i = n; i-- > 0;) {
		bool matches;
		enum gs_status status = gs_regex_match(rule->regex, items[i].name, &matches);
		if (status == GS_OK && matches == (rule->action == GS_RELABEL_LABELDROP))
			status = gs_labels_set(labels, items[i].name, (struct gs_str){0});
		if (status != GS_OK)
			return status;
	}
	return GS_OK;
}

static enum gs_status select_value(const struct gs_relabel_step *rule, struct gs_str value, bool *ret_keep) {
	bool matches;
	enum gs_status status = gs_regex_match(rule->regex, value, &matches);
	*ret_keep = matches == (rule->action == GS_RELABEL_KEEP);
	return status;
}

static enum gs_status apply(
    struct gs_relabel *relabel, const struct gs_relabel_step *rule, struct gs_labels *labels, bool *ret_keep) {
	struct gs_str value;
	enum gs_status status = join(relabel, rule, labels, &value);
	if (status != GS_OK)
		return status;
	switch (rule->action) {
	case GS_RELABEL_REPLACE:
		return replace(relabel, rule, labels, value);
	case GS_RELABEL_KEEP:
	case GS_RELABEL_DROP:
		return select_value(rule, value, ret_keep);
	case GS_RELABEL_KEEPEQUAL:
	case GS_RELABEL_DROPEQUAL:
		*ret_keep =
		    gs_str_eq(gs_labels_get(labels, rule->target), value) == (rule->action == GS_RELABEL_KEEPEQUAL);
		return GS_OK;
	case GS_RELABEL_HASHMOD:
		return set_hash(relabel, rule, labels, value);
	case GS_RELABEL_LABELMAP:
		return map_names(relabel, rule, labels);
	case GS_RELABEL_LABELDROP:
	case GS_RELABEL_LABELKEEP:
		return filter_names(rule, labels);
	case GS_RELABEL_LOWERCASE:
	case GS_RELABEL_UPPERCASE:
		return set_case(relabel, rule, labels, value);
	}
	return GS_EINVAL;
}

enum gs_status gs_relabel_apply(struct gs_relabel *relabel, struct gs_labels *labels, bool *ret_keep) {
	enum gs_status status = GS_OK;
	*ret_keep = true;
	for (size_t i = 0; i < relabel->n && status == GS_OK && *ret_keep; i++)
		status = apply(relabel, &relabel->rules[i], labels, ret_keep);
	return status;
}
