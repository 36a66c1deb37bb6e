/* SPDX-License-Identifier: Apache-2.0 */
/* The first byte says in pieces of which size the rest is checked, the second in which format (4: guessed). The same is found as when it comes
 * at once; every error has its place, unless the borders of messages are lost. */
#include <stdint.h>
#include <stdlib.h>

#include "gravel/base/hash.h"
#include "gravel/check/check.h"

static void must(int holds) {
	if (!holds)
		abort();
}

/* What was reported, in short. */
struct summary {
	uint64_t reports;
	uint64_t hash;
};

static void summarise(void *ctx, enum gs_check_severity severity, const struct gs_error *problem) {
	struct summary *summary = ctx;
	must(problem->text[0] != '\0' && problem->line >= 1);
	must(severity == GS_CHECK_WARNING || problem->column >= 1);
	summary->reports++;
	summary->hash = gs_hash_stable(gs_str_of(problem->text), summary->hash + problem->line * 31 + problem->column);
}

static struct gs_check *new_check(struct summary *summary) {
	struct gs_check_options options = {.report = summarise, .ctx = summary, .lint = true};
	struct gs_check *check = gs_check_new(&options);
	must(check != NULL);
	return check;
}

static void feed(struct gs_check *check, enum gs_expo_format format, struct gs_str body, size_t n) {
	gs_check_begin(check, format, false);
	while (body.n > n && !gs_check_is_over(check)) {
		must(gs_check_feed(check, gs_str_make(body.p, n), false) == GS_OK);
		body = gs_str_make(body.p + n, body.n - n);
	}
	must(gs_check_feed(check, body, true) == GS_OK);
	must(gs_check_is_over(check));
}

static void compare(struct gs_check *a, struct gs_check *b) {
	struct gs_check_family left[10], right[10];
	struct gs_check_totals all = gs_check_totals(a), pieces = gs_check_totals(b);
	must(all.families == pieces.families && all.series == pieces.series && all.samples == pieces.samples);
	must(all.errors == pieces.errors && all.warnings == pieces.warnings && all.stopped == pieces.stopped);
	must(all.bytes == pieces.bytes || all.stopped);
	must(all.series <= all.samples && all.samples <= all.bytes);
	size_t n = gs_check_largest(a, left, 10);
	must(gs_check_largest(b, right, 10) == n);
	for (size_t i = 0; i < n; i++) {
		must(gs_str_eq(left[i].name, right[i].name));
		must(left[i].series == right[i].series && left[i].bytes == right[i].bytes);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	static struct summary first_summary, second_summary;
	static struct gs_check *first, *second;
	if (first == NULL) {
		first = new_check(&first_summary);
		second = new_check(&second_summary);
	}
	if (size < 2)
		return 0;
	struct gs_str body = gs_str_make((const char *)data + 2, size - 2);
	static const enum gs_expo_format formats[] = {
	    GS_FORMAT_TEXT, GS_FORMAT_TEXT_1, GS_FORMAT_OPENMETRICS, GS_FORMAT_PROTOBUF};
	unsigned choice = data[1] % 5;
	enum gs_expo_format format = choice < 4 ? formats[choice] : gs_check_format((struct gs_str){0}, body, &body);
	first_summary = second_summary = (struct summary){0};
	feed(first, format, body, SIZE_MAX);
	feed(second, format, body, (size_t)data[0] + 1);
	must(first_summary.reports == second_summary.reports && first_summary.hash == second_summary.hash);
	must(first_summary.reports == gs_check_totals(first).errors + gs_check_totals(first).warnings);
	compare(first, second);
	return 0;
}
