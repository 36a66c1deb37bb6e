/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "gravel/base/num.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect_same(double a, double b) {
	assert(memcmp(&a, &b, sizeof(a)) == 0 || (isnan(a) && isnan(b)));
}

/* What is taken is what strtod takes, and as the same double. */
static void check_text(struct gs_str text) {
	double v = 42, scanned = 42;
	enum gs_status status = gs_num_parse_double(text, &v);
	const char *after = gs_num_scan_double(text.p, text.p + text.n, &scanned);
	assert((status == GS_OK || v == 42) && (after != NULL || scanned == 42));
	if (after != NULL) {
		assert(after > text.p && after <= text.p + text.n);
		double alone = 42;
		enum gs_status part = gs_num_parse_double(gs_str_make(text.p, (size_t)(after - text.p)), &alone);
		assert(part == GS_OK);
		expect_same(alone, scanned);
	}
	bool hex = memchr(text.p, 'x', text.n) != NULL || memchr(text.p, 'X', text.n) != NULL;
	if (status != GS_OK)
		return;
	assert(hex || after == text.p + text.n);
	char copy[513], *end;
	assert(text.n < sizeof(copy));
	memcpy(copy, text.p, text.n);
	copy[text.n] = '\0';
	double libc = strtod(copy, &end);
	assert(end == copy + text.n);
	if (!hex || fabs(v) >= DBL_MIN) /* glibc 2.36 rounds hexadecimal subnormals wrongly */
		expect_same(v, libc);
}

static void check_round_trip(double v) {
	char out[GS_NUM_DOUBLE_MAX];
	double back = 42;
	struct gs_str text = gs_str_make(out, gs_num_print_double(out, v));
	enum gs_status status = gs_num_parse_double(text, &back);
	assert(status == GS_OK);
	expect_same(v, back);
	check_text(text);
}

static void check_integers(struct gs_str text, int64_t bits) {
	char out[GS_NUM_DOUBLE_MAX];
	uint64_t u = 0;
	int64_t i = 0;
	double ms = 0;
	size_t n = gs_num_print_u64(out, (uint64_t)bits);
	enum gs_status status = gs_num_parse_u64(gs_str_make(out, n), &u);
	assert(status == GS_OK && u == (uint64_t)bits);
	n = gs_num_print_i64(out, bits);
	status = gs_num_parse_i64(gs_str_make(out, n), &i);
	assert(status == GS_OK && i == bits);
	n = gs_num_print_ms_as_seconds(out, bits);
	status = gs_num_parse_double(gs_str_make(out, n), &ms);
	assert(status == GS_OK && fabs(ms - (double)bits / 1000) <= fabs(ms) * 0x1p-52);
	/* Every integer is a decimal float too. */
	if (text.n <= 512 && gs_num_parse_i64(text, &i) == GS_OK) {
		double v = 0;
		status = gs_num_parse_double(text, &v);
		assert(status == GS_OK && v == (double)i);
	}
}

/* The bytes as the text of a number, and their first eight as the bits of one. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct gs_str text = gs_str_make((const char *)data, size);
	uint64_t bits = 0;
	double v;
	memcpy(&bits, data, size < sizeof(bits) ? size : sizeof(bits));
	memcpy(&v, &bits, sizeof(v));
	check_text(text);
	check_round_trip(v);
	check_integers(text, (int64_t)bits);
	return 0;
}
