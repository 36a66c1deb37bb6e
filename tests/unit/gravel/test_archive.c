/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "../../../lib/gravel/archive.h"
#include "gravel_test.h"

/* Bytes on their way there and back. */
struct wire {
	struct gs_buf bytes;
	size_t at;
	size_t step; /* bytes of a piece */
};

static enum gs_status put(void *ctx, struct gs_str bytes) {
	struct wire *wire = ctx;
	gs_buf_str(&wire->bytes, bytes);
	return wire->bytes.status;
}

static enum gs_status get(void *ctx, struct gs_str *ret) {
	struct wire *wire = ctx;
	size_t left = wire->bytes.n - wire->at;
	*ret = gs_str_make(wire->bytes.p + wire->at, left < wire->step ? left : wire->step);
	wire->at += ret->n;
	return GS_OK;
}

static struct archive saver(struct wire *wire) {
	struct archive archive = {.put = put, .ctx = wire};
	*wire = (struct wire){.step = SIZE_MAX};
	gs_buf_init(&wire->bytes, SIZE_MAX);
	gs_buf_init(&archive.bytes, SIZE_MAX);
	return archive;
}

static struct archive loader(struct wire *wire, size_t step) {
	struct archive archive = {.loading = true, .get = get, .ctx = wire};
	wire->at = 0;
	wire->step = step;
	gs_buf_init(&archive.bytes, SIZE_MAX);
	return archive;
}

/* The bytes are the same on every machine, so they stand here. */
static void test_form(void **state) {
	(void)state;
	struct wire wire;
	struct archive archive = saver(&wire);
	uint64_t u = 300;
	int64_t i = -2;
	double d = 1.5;
	bool b = true;
	struct gs_str s = GS_STR("ab");
	gs_archive_u64(&archive, &u);
	gs_archive_i64(&archive, &i);
	gs_archive_double(&archive, &d);
	gs_archive_bool(&archive, &b);
	gs_archive_str(&archive, &s, 10);
	gs_archive_end(&archive);
	static const unsigned char form[] = {0xac, 0x02, 0x03, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f, 1, 2, 'a', 'b'};
	assert_int_equal(archive.status, GS_OK);
	assert_int_equal(wire.bytes.n, sizeof(form));
	assert_memory_equal(wire.bytes.p, form, sizeof(form));
	gs_buf_free(&archive.bytes);
	gs_buf_free(&wire.bytes);
}

static const uint64_t wholes[] = {0, 1, 127, 128, 16383, 16384, UINT32_MAX, UINT64_C(1) << 63, UINT64_MAX};
static const int64_t signeds[] = {0, -1, 1, 63, -64, 64, INT32_MIN, INT64_MAX, INT64_MIN};

static void archive_numbers(struct archive *archive, bool check) {
	for (size_t i = 0; i < sizeof(wholes) / sizeof(wholes[0]); i++) {
		uint64_t x = check ? 7 : wholes[i];
		gs_archive_u64(archive, &x);
		assert_true(x == wholes[i]);
		int64_t y = check ? 7 : signeds[i];
		gs_archive_i64(archive, &y);
		assert_true(y == signeds[i]);
	}
	static const double doubles[] = {0.0, -0.0, 1e-310, INFINITY, -1.7976931348623157e308};
	for (size_t i = 0; i < sizeof(doubles) / sizeof(doubles[0]); i++) {
		double x = check ? 7 : doubles[i];
		gs_archive_double(archive, &x);
		assert_memory_equal(&x, &doubles[i], sizeof(x));
	}
}

static void test_numbers(void **state) {
	(void)state;
	struct wire wire;
	struct archive archive = saver(&wire);
	archive_numbers(&archive, false);
	gs_archive_end(&archive);
	gs_buf_free(&archive.bytes);
	for (size_t step = 1; step < 20; step++) {
		archive = loader(&wire, step);
		archive_numbers(&archive, true);
		gs_archive_end(&archive);
		assert_int_equal(archive.status, GS_OK);
		gs_buf_free(&archive.bytes);
	}
	gs_buf_free(&wire.bytes);
}

static void load_bytes(const char *bytes, size_t n, struct wire *wire, struct archive *archive) {
	*archive = saver(wire);
	gs_buf_add(&wire->bytes, bytes, n);
	gs_buf_free(&archive->bytes);
	*archive = loader(wire, SIZE_MAX);
}

/* What cannot be is an error, and all after it is nothing. */
static void test_bad_bytes(void **state) {
	(void)state;
	struct wire wire;
	struct archive archive;
	uint64_t u = 5;
	uint32_t small = 5;
	bool b = true;
	int64_t time = 5;
	double d = 5;
	struct gs_str s = GS_STR("x");
	load_bytes("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10, &wire, &archive); /* 65 bits */
	gs_archive_u64(&archive, &u);
	assert_int_equal(archive.status, GS_EINVAL);
	assert_true(u == 0);
	gs_archive_double(&archive, &d);
	assert_true(d == 0);
	gs_archive_str(&archive, &s, 100);
	assert_int_equal(s.n, 0);
	gs_buf_free(&archive.bytes);
	gs_buf_free(&wire.bytes);
	load_bytes("\x80", 1, &wire, &archive); /* and then no more */
	gs_archive_u64(&archive, &u);
	assert_int_equal(archive.status, GS_EINVAL);
	gs_buf_free(&archive.bytes);
	gs_buf_free(&wire.bytes);
	load_bytes("\x05", 1, &wire, &archive);
	gs_archive_u32(&archive, &small, 4);
	assert_int_equal(archive.status, GS_EINVAL);
	assert_int_equal(small, 0);
	gs_buf_free(&archive.bytes);
	gs_buf_free(&wire.bytes);
	load_bytes("\x02", 1, &wire, &archive);
	gs_archive_bool(&archive, &b);
	assert_int_equal(archive.status, GS_EINVAL);
	assert_false(b);
	gs_buf_free(&archive.bytes);
	gs_buf_free(&wire.bytes);
	load_bytes("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10, &wire, &archive);
	gs_archive_time(&archive, &time);
	assert_int_equal(archive.status, GS_EINVAL);
	assert_true(time == 0);
	gs_buf_free(&archive.bytes);
	gs_buf_free(&wire.bytes);
	load_bytes("\x03"
		   "ab",
	    3, &wire, &archive); /* a string that is longer than what comes */
	gs_archive_str(&archive, &s, 100);
	assert_int_equal(archive.status, GS_EINVAL);
	gs_buf_free(&archive.bytes);
	gs_buf_free(&wire.bytes);
	load_bytes("\x03"
		   "abc",
	    4, &wire, &archive); /* one that is longer than it may be */
	gs_archive_str(&archive, &s, 2);
	assert_int_equal(archive.status, GS_EINVAL);
	gs_buf_free(&archive.bytes);
	gs_buf_free(&wire.bytes);
	load_bytes("\x01"
		   "x",
	    2, &wire, &archive); /* more than there should be */
	gs_archive_bool(&archive, &b);
	assert_int_equal(archive.status, GS_OK);
	gs_archive_end(&archive);
	assert_int_equal(archive.status, GS_EINVAL);
	gs_buf_free(&archive.bytes);
	gs_buf_free(&wire.bytes);
}

static enum gs_status refuse(void *ctx, struct gs_str bytes) {
	(void)bytes;
	++*(int *)ctx;
	return GS_EIO;
}

/* Whoever takes the bytes is not asked again. */
static void test_refused(void **state) {
	(void)state;
	int calls = 0;
	struct archive archive = {.put = refuse, .ctx = &calls};
	gs_buf_init(&archive.bytes, SIZE_MAX);
	for (int i = 0; i < 100000; i++) {
		double d = i;
		gs_archive_double(&archive, &d);
	}
	gs_archive_end(&archive);
	assert_int_equal(archive.status, GS_EIO);
	assert_int_equal(calls, 1);
	gs_buf_free(&archive.bytes);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_form),
	    cmocka_unit_test(test_numbers),
	    cmocka_unit_test(test_bad_bytes),
	    cmocka_unit_test(test_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
