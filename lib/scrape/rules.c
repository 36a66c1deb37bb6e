/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/scrape/rules.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "gravel/base/limits.h"
#include "gravel/base/mem.h"
#include "gravel/expo/write.h"

/* Fixed: far above what a sane expression needs for a name of GS_LIMIT_NAME bytes, and less than a millisecond or so. */
#define MATCH_STEPS 100000
#define MATCH_HEAP_KIB 1024

#define LABEL GS_STR("clearmode")

struct rule {
	pcre2_code *code;
	struct gs_buf label; /* clearmode="...", escaped */
};

struct gs_rules {
	pcre2_general_context *general;
	pcre2_match_context *match;
	pcre2_match_data *data;
	struct rule *rules;
	size_t n;
};

static void *pcre_alloc(size_t n, void *ctx) {
	(void)ctx;
	return gs_alloc(n);
}

static void pcre_free(void *p, void *ctx) {
	(void)ctx;
	gs_free(p);
}

static enum gs_status open_contexts(struct gs_rules *rules) {
	rules->general = pcre2_general_context_create(pcre_alloc, pcre_free, NULL);
	if (rules->general == NULL)
		return GS_ENOMEM;
	rules->match = pcre2_match_context_create(rules->general);
	rules->data = pcre2_match_data_create(1, rules->general);
	if (rules->match == NULL || rules->data == NULL)
		return GS_ENOMEM;
	pcre2_set_match_limit(rules->match, MATCH_STEPS);
	pcre2_set_heap_limit(rules->match, MATCH_HEAP_KIB);
	return GS_OK;
}

static enum gs_status compile(struct gs_rules *rules, const struct gs_rule *given, struct gs_error *err) {
	struct rule *rule = &rules->rules[rules->n];
	pcre2_compile_context *context = pcre2_compile_context_create(rules->general);
	int code;
	PCRE2_SIZE at;
	if (context == NULL)
		return GS_ENOMEM;
	rule->code = pcre2_compile((PCRE2_SPTR)given->metric, PCRE2_ZERO_TERMINATED,
	    PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C, &code, &at, context);
	pcre2_compile_context_free(context);
	if (rule->code == NULL && code == PCRE2_ERROR_HEAP_FAILED)
		return GS_ENOMEM;
	if (rule->code == NULL) {
		PCRE2_UCHAR text[128];
		pcre2_get_error_message(code, text, sizeof(text));
		return gs_error_set(err, GS_EINVAL, 0, 0, "\"%s\" is no regular expression: %s at byte %zu",
		    given->metric, (const char *)text, (size_t)at + 1);
	}
	/* Where there is no JIT, or it may not make code executable, the interpreter does. */
	(void)pcre2_jit_compile(rule->code, PCRE2_JIT_COMPLETE);
	return GS_OK;
}

static enum gs_status add_rule(struct gs_rules *rules, const struct gs_rule *given, struct gs_error *err) {
	struct rule *rule = &rules->rules[rules->n];
	enum gs_status status = compile(rules, given, err);
	if (status != GS_OK)
		return status;
	gs_buf_init(&rule->label, GS_LIMIT_LABEL_VALUE);
	rules->n++;
	gs_expo_write_label(&rule->label, true, LABEL, gs_str_of(given->clearmode));
	return rule->label.status;
}

enum gs_status gs_rules_new(const struct gs_rule *given, size_t n, struct gs_rules **ret_rules, struct gs_error *err) {
	struct gs_rules *rules = gs_alloc(sizeof(*rules));
	enum gs_status status = GS_ENOMEM;
	if (rules == NULL)
		goto out;
	status = open_contexts(rules);
	if (status == GS_OK)
		rules->rules = gs_alloc_array(n, sizeof(*rules->rules));
	if (rules->rules == NULL)
		status = GS_ENOMEM;
	for (size_t i = 0; i < n && status == GS_OK; i++)
		status = add_rule(rules, &given[i], err);
	if (status != GS_OK)
		goto out;
	*ret_rules = rules;
	rules = NULL;
out:
	if (status == GS_ENOMEM)
		(void)gs_error_set(err, status, 0, 0, "out of memory");
	else if (status == GS_ELIMIT)
		(void)gs_error_set(err, status, 0, 0, "a clearmode is longer than %d bytes", GS_LIMIT_LABEL_VALUE);
	gs_rules_free(rules);
	return status;
}

void gs_rules_free(struct gs_rules *rules) {
	if (rules == NULL)
		return;
	for (size_t i = 0; i < rules->n; i++) {
		pcre2_code_free(rules->rules[i].code);
		gs_buf_free(&rules->rules[i].label);
	}
	gs_free(rules->rules);
	pcre2_match_data_free(rules->data);
	pcre2_match_context_free(rules->match);
	pcre2_general_context_free(rules->general);
	gs_free(rules);
}

/* The first rule that fits, or NULL in ${ret_rule}. */
static enum gs_status find(struct gs_rules *rules, struct gs_str name, const struct rule **ret_rule) {
	*ret_rule = NULL;
	for (size_t i = 0; i < rules->n; i++) {
		int rc = pcre2_match(rules->rules[i].code, (PCRE2_SPTR)name.p, name.n, 0, 0, rules->data, rules->match);
		if (rc >= 0) {
			*ret_rule = &rules->rules[i];
			return GS_OK;
		}
		if (rc != PCRE2_ERROR_NOMATCH)
			return rc == PCRE2_ERROR_NOMEMORY ? GS_ENOMEM : GS_ELIMIT;
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
