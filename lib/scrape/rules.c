/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/scrape/rules.h"

#include "gravel/base/limits.h"
#include "gravel/base/mem.h"
#include "gravel/expo/write.h"
#include "gravel/match/regex.h"

#define LABEL GS_STR("clearmode")

struct rule {
	struct gs_regex *regex;
	struct gs_buf label; /* clearmode="...", escaped */
};

struct gs_rules {
	struct rule *rules;
	size_t n;
};

static enum gs_status add_rule(struct gs_rules *rules, const struct gs_rule *given, struct gs_error *err) {
	struct rule *rule = &rules->rules[rules->n];
	enum gs_status status = gs_regex_new(gs_str_of(given->metric), &rule->regex, err);
	if (status != GS_OK)
		return status;
	gs_buf_init(&rule->label, GS_LIMIT_LABEL_VALUE);
	rules->n++;
	gs_expo_write_label(&rule->label, true, LABEL, gs_str_of(given->clearmode));
	if (rule->label.status == GS_ELIMIT)
		return gs_error_set(err, GS_ELIMIT, 0, 0, "a clearmode is longer than %d bytes", GS_LIMIT_LABEL_VALUE);
	return rule->label.status;
}

enum gs_status gs_rules_new(const struct gs_rule *given, size_t n, struct gs_rules **ret_rules, struct gs_error *err) {
	struct gs_rules *rules = gs_alloc(sizeof(*rules));
	enum gs_status status = GS_ENOMEM;
	if (rules == NULL)
		goto out;
	rules->rules = gs_alloc_array(n, sizeof(*rules->rules));
	if (rules->rules != NULL)
		status = GS_OK;
	for (size_t i = 0; i < n && status == GS_OK; i++)
		status = add_rule(rules, &given[i], err);
	if (status != GS_OK)
		goto out;
	*ret_rules = rules;
	rules = NULL;
out:
	if (status == GS_ENOMEM)
		(void)gs_error_set(err, status, 0, 0, "out of memory");
	gs_rules_free(rules);
	return status;
}

void gs_rules_free(struct gs_rules *rules) {
	if (rules == NULL)
		return;
	for (size_t i = 0; i < rules->n; i++) {
		gs_regex_free(rules->rules[i].regex);
		gs_buf_free(&rules->rules[i].label);
	}
	gs_free(rules->rules);
	gs_free(rules);
}

/* The first rule that fits, or NULL in ${ret_rule}. */
static enum gs_status find(struct gs_rules *rules, struct gs_str name, const struct rule **ret_rule) {
	*ret_rule = NULL;
	for (size_t i = 0; i < rules->n; i++) {
		bool matches;
		enum gs_status status = gs_regex_match(rules->rules[i].regex, name, &matches);
		if (status != GS_OK)
			return status;
		if (matches) {
			*ret_rule = &rules->rules[i];
			return GS_OK;
		}
	}
	return GS_OK;
}

static bool has_label(const struct gs_expo_event *event) {
	for (size_t i = 0; i < event->nlabels; i++) {
		if (gs_str_eq(event->labels[i].name, LABEL))
			return true;
	}
	return false;
}

/* Append *rest up to the end of the series, with the label put into it, and advance *rest. */
static void write_labelled(struct gs_buf *out, struct gs_str *rest, struct gs_str series, struct gs_str label) {
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

enum gs_status gs_rules_apply(struct gs_rules *rules, struct gs_expo_parser *parser,
    const struct gs_expo_options *options, struct gs_str body, struct gs_buf *out) {
	size_t before = out->n;
	struct gs_str rest = body, name = {0};
	struct gs_expo_event event = {0};
	const struct rule *rule = NULL;
	enum gs_status status;
	if (options->format == GS_FORMAT_PROTOBUF)
		return GS_EUNSUPPORTED;
	gs_expo_begin(parser, options);
	gs_expo_feed(parser, body, true);
	while ((status = gs_expo_next(parser, &event, NULL)) == GS_OK && event.kind != GS_EXPO_END) {
		if (event.kind != GS_EXPO_SAMPLE)
			continue;
		/* Samples of a family stand together, so most names are the one before. */
		if (!gs_str_eq(event.name, name))
			status = find(rules, event.name, &rule);
		if (status != GS_OK)
			break;
		/* The name as it stands in the body, which lives longer than the event; not that of one in quotes. */
		name = gs_str_make(event.series.p, gs_str_starts(event.series, event.name) ? event.name.n : 0);
		if (rule != NULL && !has_label(&event))
			write_labelled(out, &rest, event.series, gs_buf_slice(&rule->label));
	}
	if (status == GS_OK) {
		gs_buf_str(out, rest);
		status = out->status;
	}
	if (status != GS_OK)
		out->n = before;
	return status;
}
