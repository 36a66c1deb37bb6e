/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/match/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "gravel/base/limits.h"
#include "gravel/base/mem.h"
#include "plain.h"

/* Fixed: far above what a sane expression needs for a name of GS_LIMIT_NAME bytes, and less than a millisecond or so. */
#define MATCH_STEPS 100000
#define MATCH_HEAP_KIB 1024

#define OPTIONS (PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C | PCRE2_DOLLAR_ENDONLY)

struct gs_regex {
	pcre2_general_context *general;
	pcre2_match_context *match;
	pcre2_match_data *data;
	pcre2_code *code;
	struct gs_plain *plain; /* NULL: nothing is known about it */
	bool jit;
	bool lines; /* '.' matches no line break */
	bool one_group; /* it is (.*): groups 0 and 1 are all of the text */
	uint32_t groups; /* of the last match, 0 among them; fewer where the last ones took no part */
	struct gs_str text; /* that matched */
};

static void *pcre_alloc(size_t n, void *ctx) {
	(void)ctx;
	return gs_alloc(n);
}

static void pcre_free(void *p, void *ctx) {
	(void)ctx;
	gs_free(p);
}

static enum gs_status open_contexts(struct gs_regex *regex) {
	regex->general = pcre2_general_context_create(pcre_alloc, pcre_free, NULL);
	if (regex->general == NULL)
		return GS_ENOMEM;
	regex->match = pcre2_match_context_create(regex->general);
	if (regex->match == NULL)
		return GS_ENOMEM;
	pcre2_set_match_limit(regex->match, MATCH_STEPS);
	pcre2_set_heap_limit(regex->match, MATCH_HEAP_KIB);
	return GS_OK;
}

static enum gs_status compile(struct gs_regex *regex, struct gs_str pattern, struct gs_error *err) {
	pcre2_compile_context *context = pcre2_compile_context_create(regex->general);
	int code;
	PCRE2_SIZE at;
	if (context == NULL)
		return GS_ENOMEM;
	/* By default this is up to who built the library. */
	pcre2_set_newline(context, PCRE2_NEWLINE_LF);
	regex->code = pcre2_compile((PCRE2_SPTR)(pattern.n != 0 ? pattern.p : ""), pattern.n,
	    OPTIONS | (regex->lines ? 0 : PCRE2_DOTALL), &code, &at, context);
	pcre2_compile_context_free(context);
	if (regex->code == NULL && code == PCRE2_ERROR_HEAP_FAILED)
		return GS_ENOMEM;
	if (regex->code == NULL) {
		PCRE2_UCHAR text[128];
		pcre2_get_error_message(code, text, sizeof(text));
		return gs_error_set(err, GS_EINVAL, 0, 0, "\"%.*s\" is no regular expression: %s at byte %zu",
		    GS_FMT(pattern), (const char *)text, (size_t)at + 1);
	}
	/* Where there is no JIT, or it may not make code executable, the interpreter does. */
	regex->jit = pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE) == 0;
	regex->data = pcre2_match_data_create_from_pattern(regex->code, regex->general);
	return regex->data != NULL ? GS_OK : GS_ENOMEM;
}

static enum gs_status make(struct gs_str pattern, bool lines, struct gs_regex **ret_regex, struct gs_error *err) {
	if (pattern.n > GS_LIMIT_REGEX)
		return gs_error_set(
		    err, GS_ELIMIT, 0, 0, "a regular expression is longer than %d bytes", GS_LIMIT_REGEX);
	struct gs_regex *regex = gs_alloc(sizeof(*regex));
	enum gs_status status = regex != NULL ? open_contexts(regex) : GS_ENOMEM;
	if (status == GS_OK) {
		regex->lines = lines;
		regex->one_group = gs_str_eq(pattern, GS_STR("(.*)"));
		status = compile(regex, pattern, err);
	}
	if (status == GS_OK)
		status = gs_plain_new(pattern, lines, &regex->plain);
	if (status != GS_OK) {
		gs_regex_free(regex);
		return status;
	}
	*ret_regex = regex;
	return GS_OK;
}

enum gs_status gs_regex_new(struct gs_str pattern, struct gs_regex **ret_regex, struct gs_error *err) {
	return make(pattern, false, ret_regex, err);
}

enum gs_status gs_regex_new_lines(struct gs_str pattern, struct gs_regex **ret_regex, struct gs_error *err) {
	return make(pattern, true, ret_regex, err);
}

void gs_regex_free(struct gs_regex *regex) {
	if (regex == NULL)
		return;
	gs_plain_free(regex->plain);
	pcre2_code_free(regex->code);
	pcre2_match_data_free(regex->data);
	pcre2_match_context_free(regex->match);
	pcre2_general_context_free(regex->general);
	gs_free(regex);
}

/* Ask the engine. */
static int run(struct gs_regex *regex, struct gs_str text) {
	PCRE2_SPTR p = (PCRE2_SPTR)(text.n != 0 ? text.p : "");
	int rc = PCRE2_ERROR_JIT_STACKLIMIT;
	/* The short way to the compiled code does not look whether it is UTF-8. */
	if (!gs_str_is_utf8(text))
		return PCRE2_ERROR_NOMATCH;
	if (regex->jit)
		rc = pcre2_jit_match(regex->code, p, text.n, 0, 0, regex->data, regex->match);
	/* Its stack is small; the interpreter has the heap. */
	if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
		rc = pcre2_match(regex->code, p, text.n, 0, PCRE2_NO_JIT, regex->data, regex->match);
	return rc;
}

static enum gs_status verdict(int rc, bool *ret_matches) {
	*ret_matches = rc >= 0;
	if (rc >= 0 || rc == PCRE2_ERROR_NOMATCH)
		return GS_OK;
	return rc == PCRE2_ERROR_NOMEMORY ? GS_ENOMEM : GS_ELIMIT;
}

enum gs_status gs_regex_match(struct gs_regex *regex, struct gs_str text, bool *ret_matches) {
	enum gs_plain_answer answer = regex->plain != NULL ? gs_plain_match(regex->plain, text) : GS_PLAIN_ASK;
	regex->groups = 0;
	if (answer != GS_PLAIN_ASK) {
		*ret_matches = answer == GS_PLAIN_YES;
		return GS_OK;
	}
	return verdict(run(regex, text), ret_matches);
}

enum gs_status gs_regex_match_groups(struct gs_regex *regex, struct gs_str text, bool *ret_matches) {
	enum gs_plain_answer answer = regex->plain != NULL ? gs_plain_match(regex->plain, text) : GS_PLAIN_ASK;
	bool known = answer == GS_PLAIN_NO || (answer == GS_PLAIN_YES && regex->one_group);
	int rc = !known ? run(regex, text) : answer == GS_PLAIN_YES ? 2 : PCRE2_ERROR_NOMATCH;
	regex->groups = rc > 0 ? (uint32_t)rc : 0;
	regex->text = text;
	return verdict(rc, ret_matches);
}

struct gs_str gs_regex_group(const struct gs_regex *regex, uint32_t i) {
	if (i >= regex->groups)
		return (struct gs_str){0};
	if (regex->one_group || i == 0)
		return regex->text;
	const PCRE2_SIZE *at = pcre2_get_ovector_pointer(regex->data) + 2 * (size_t)i;
	if (at[0] == PCRE2_UNSET || at[1] <= at[0])
		return (struct gs_str){0};
	return gs_str_make(regex->text.p + at[0], at[1] - at[0]);
}

uint32_t gs_regex_group_of(const struct gs_regex *regex, struct gs_str name) {
	uint32_t n = 0, size = 0;
	PCRE2_SPTR entry = NULL;
	pcre2_pattern_info(regex->code, PCRE2_INFO_NAMECOUNT, &n);
	pcre2_pattern_info(regex->code, PCRE2_INFO_NAMEENTRYSIZE, &size);
	pcre2_pattern_info(regex->code, PCRE2_INFO_NAMETABLE, &entry);
	/* Two bytes of number, then the name and a NUL. */
	for (; n != 0; n--, entry += size) {
		if (gs_str_eq(gs_str_of((const char *)entry + 2), name))
			return (uint32_t)entry[0] << 8 | entry[1];
	}
	return UINT32_MAX;
}
