/* SPDX-License-Identifier: Apache-2.0 */
/* The clearmode rules of a job: which of its metrics aggregate how, decided where they are scraped. */
#include "gravel/base/limits.h"
#include "gravel/base/mem.h"
#include "gravel/match/regex.h"
#include "internal.h"

struct rule {
	struct gs_regex *regex;
	struct gs_buf label; /* clearmode="...", escaped */
};

/* Invariant: found is the answer for last, unless that is empty. */
struct gs_clearmodes {
	struct rule *rules;
	size_t n;
	struct gs_buf last; /* samples of a family stand together, so most names are the one before */
	const struct rule *found;
};

static enum gs_status add_rule(
    struct gs_clearmodes *modes, const struct gs_clearmode_rule *given, struct gs_error *err) {
	struct rule *rule = &modes->rules[modes->n];
	enum gs_status status = gs_regex_new(gs_str_of(given->metric), &rule->regex, err);
	if (status != GS_OK)
		return status;
	gs_buf_init(&rule->label, GS_LIMIT_LABEL_VALUE);
	modes->n++;
	gs_expo_write_label(&rule->label, true, GS_STR("clearmode"), gs_str_of(given->clearmode));
	if (rule->label.status == GS_ELIMIT)
		return gs_error_set(err, GS_ELIMIT, 0, 0, "a clearmode is longer than %d bytes", GS_LIMIT_LABEL_VALUE);
	return rule->label.status;
}

enum gs_status gs_clearmodes_new(
    const struct gs_clearmode_rule *given, size_t n, struct gs_clearmodes **ret, struct gs_error *err) {
	struct gs_clearmodes *modes = gs_alloc(sizeof(*modes));
	enum gs_status status = GS_ENOMEM;
	if (modes == NULL)
		goto out;
	gs_buf_init(&modes->last, GS_LIMIT_NAME);
	modes->rules = gs_alloc_array(n, sizeof(*modes->rules));
	if (modes->rules != NULL)
		status = GS_OK;
	for (size_t i = 0; i < n && status == GS_OK; i++)
		status = add_rule(modes, &given[i], err);
	if (status != GS_OK)
		goto out;
	*ret = modes;
	modes = NULL;
out:
	if (status == GS_ENOMEM)
		(void)gs_error_set(err, status, 0, 0, "out of memory");
	gs_clearmodes_free(modes);
	return status;
}

void gs_clearmodes_free(struct gs_clearmodes *modes) {
	if (modes == NULL)
		return;
	for (size_t i = 0; i < modes->n; i++) {
		gs_regex_free(modes->rules[i].regex);
		gs_buf_free(&modes->rules[i].label);
	}
	gs_free(modes->rules);
	gs_buf_free(&modes->last);
	gs_free(modes);
}

static enum gs_status search(struct gs_clearmodes *modes, struct gs_str name) {
	modes->found = NULL;
	for (size_t i = 0; i < modes->n; i++) {
		bool matches;
		enum gs_status status = gs_regex_match(modes->rules[i].regex, name, &matches);
		if (status != GS_OK)
			return status;
		if (matches) {
			modes->found = &modes->rules[i];
			return GS_OK;
		}
	}
	return GS_OK;
}

enum gs_status gs_clearmodes_find(struct gs_clearmodes *modes, struct gs_str name, struct gs_str *ret_label) {
	if (name.n == 0 || !gs_str_eq(name, gs_buf_slice(&modes->last))) {
		gs_buf_clear(&modes->last);
		enum gs_status status = search(modes, name);
		if (status != GS_OK)
			return status;
		gs_buf_str(&modes->last, name);
	}
	*ret_label = modes->found != NULL ? gs_buf_slice(&modes->found->label) : (struct gs_str){0};
	return GS_OK;
}

void gs_clearmodes_insert(struct gs_buf *out, struct gs_str *rest, struct gs_str series, struct gs_str label) {
	const char *end = series.p + series.n; /* behind the brace, if there is one */
	bool braces = series.n != 0 && end[-1] == '}';
	const char *at = braces ? end - 1 : end;
	gs_buf_add(out, rest->p, (size_t)(at - rest->p));
	if (braces) {
		struct gs_str before = gs_str_trim(gs_str_make(series.p, (size_t)(at - series.p)));
		char last = before.p[before.n - 1];
		if (last != '{' && last != ',')
			gs_buf_char(out, ',');
	} else {
		gs_buf_char(out, '{');
	}
	gs_buf_str(out, label);
	gs_buf_char(out, '}');
	*rest = gs_str_make(end, rest->n - (size_t)(end - rest->p));
}
