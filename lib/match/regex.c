/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/match/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "gravel/base/limits.h"
#include "gravel/base/mem.h"

/* Fixed: far above what a sane expression needs for a name of GS_LIMIT_NAME bytes, and less than a millisecond or so. */
#define MATCH_STEPS 100000
#define MATCH_HEAP_KIB 1024

#define OPTIONS                                                                                                        \
	(PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C | PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY)

struct gs_regex {
	pcre2_general_context *general;
	pcre2_match_context *match;
	pcre2_match_data *data;
	pcre2_code *code;
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
	regex->data = pcre2_match_data_create(1, regex->general);
	if (regex->match == NULL || regex->data == NULL)
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
	regex->code =
	    pcre2_compile((PCRE2_SPTR)(pattern.n != 0 ? pattern.p : ""), pattern.n, OPTIONS, &code, &at, context);
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
	(void)pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE);
	return GS_OK;
}

enum gs_status gs_regex_new(struct gs_str pattern, struct gs_regex **ret_regex, struct gs_error *err) {
	if (pattern.n > GS_LIMIT_REGEX)
		return gs_error_set(
		    err, GS_ELIMIT, 0, 0, "a regular expression is longer than %d bytes", GS_LIMIT_REGEX);
	struct gs_regex *regex = gs_alloc(sizeof(*regex));
	enum gs_status status = regex != NULL ? open_contexts(regex) : GS_ENOMEM;
	if (status == GS_OK)
		status = compile(regex, pattern, err);
	if (status != GS_OK) {
		gs_regex_free(regex);
		return status;
	}
	*ret_regex = regex;
	return GS_OK;
}

void gs_regex_free(struct gs_regex *regex) {
	if (regex == NULL)
		return;
	pcre2_code_free(regex->code);
	pcre2_match_data_free(regex->data);
	pcre2_match_context_free(regex->match);
	pcre2_general_context_free(regex->general);
	gs_free(regex);
}

enum gs_status gs_regex_match(struct gs_regex *regex, struct gs_str text, bool *ret_matches) {
	PCRE2_SPTR p = (PCRE2_SPTR)(text.n != 0 ? text.p : "");
	int rc = pcre2_match(regex->code, p, text.n, 0, 0, regex->data, regex->match);
	/* The stack of compiled code is small; the interpreter has the heap. */
	if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
		rc = pcre2_match(regex->code, p, text.n, 0, PCRE2_NO_JIT, regex->data, regex->match);
	*ret_matches = rc >= 0;
	if (rc >= 0 || rc == PCRE2_ERROR_NOMATCH || (rc <= PCRE2_ERROR_UTF8_ERR1 && rc >= PCRE2_ERROR_UTF8_ERR21))
		return GS_OK;
	return rc == PCRE2_ERROR_NOMEMORY ? GS_ENOMEM : GS_ELIMIT;
}
