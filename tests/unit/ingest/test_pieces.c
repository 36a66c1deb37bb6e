/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <pthread.h>
#include <string.h>

#include "gravel/base/clock.h"
#include "gravel/base/mem.h"
#include "gravel/telemetry/telemetry.h"
#include "pieces.h"

#define MIB ((size_t)1024 * 1024)
#define SLICE ((size_t)128 * 1024)

static struct gs_buf text_of(size_t n, unsigned seed) {
	struct gs_buf text;
	gs_buf_init(&text, SIZE_MAX);
	char *p = gs_buf_reserve(&text, n + 1);
	assert_non_null(p);
	for (size_t i = 0; i < n; i++) {
		seed = seed * 1664525 + 1013904223;
		p[i] = (char)('a' + (seed >> 28));
	}
	text.n = n;
	return text;
}

/* Take the piece, rendering it where it is new; whether it was. */
static bool take(struct gs_pieces *pieces, enum gs_codec_kind kind, uint64_t key, size_t n, struct gs_piece **ret) {
	const uint64_t words[] = {7, key};
	bool render;
	*ret = gs_pieces_take(pieces, kind, words, 2, &render);
	assert_non_null(*ret);
	if (render) {
		struct gs_buf text = text_of(n, (unsigned)key);
		gs_pieces_rendered(pieces, *ret, &text);
		gs_buf_free(&text);
	}
	return render;
}

/* All slices joined and decompressed. */
static void assert_text(
    struct gs_pieces *pieces, struct gs_piece *piece, enum gs_codec_kind kind, size_t n, unsigned seed) {
	struct gs_buf joined, plain, expected = text_of(n, seed);
	struct gs_codec *codec = gs_codec_new();
	struct gs_codec_sum sum = {0}, one;
	struct gs_str slice;
	char tail[GS_CODEC_TAIL_MAX];
	size_t i = 0;
	gs_buf_init(&joined, SIZE_MAX);
	gs_buf_init(&plain, SIZE_MAX);
	gs_buf_str(&joined, gs_codec_head(kind));
	for (;; i++) {
		assert_int_equal(gs_pieces_slice(pieces, piece, i, &slice, &one), GS_OK);
		if (slice.n == 0)
			break;
		gs_buf_str(&joined, slice);
		gs_codec_sum_add(&sum, &one);
	}
	assert_int_equal(i, (n + SLICE - 1) / SLICE);
	if (kind != GS_CODEC_IDENTITY)
		assert_int_equal(sum.n, n);
	gs_buf_add(&joined, tail, gs_codec_tail(kind, &sum, tail));
	assert_int_equal(gs_codec_decompress(codec, kind, gs_buf_slice(&joined), &plain), GS_OK);
	assert_true(gs_str_eq(gs_buf_slice(&plain), gs_buf_slice(&expected)));
	gs_codec_free(codec);
	gs_buf_free(&joined);
	gs_buf_free(&plain);
	gs_buf_free(&expected);
}

static const enum gs_codec_kind kinds[] = {GS_CODEC_IDENTITY, GS_CODEC_GZIP, GS_CODEC_ZSTD};

static void test_every_kind_and_length(void **state) {
	(void)state;
	static const size_t lengths[] = {0, 1, SLICE - 1, SLICE, SLICE + 1, 5 * SLICE + 3};
	struct gs_pieces *pieces = gs_pieces_new(64 * MIB);
	for (size_t k = 0; k < 3; k++) {
		for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
			struct gs_piece *piece;
			uint64_t key = k * 100 + i;
			assert_true(take(pieces, kinds[k], key, lengths[i], &piece));
			assert_text(pieces, piece, kinds[k], lengths[i], (unsigned)key);
			assert_text(pieces, piece, kinds[k], lengths[i], (unsigned)key);
			gs_pieces_check(pieces);
			gs_pieces_give(pieces, piece);
			gs_pieces_check(pieces);
		}
	}
	gs_pieces_free(pieces);
}

/* What is compressed is there for the next; what is sent as it is only as long as somebody has it. */
static void test_sharing_and_keeping(void **state) {
	(void)state;
	struct gs_pieces *pieces = gs_pieces_new(64 * MIB);
	gs_telemetry_reset();
	for (size_t k = 0; k < 3; k++) {
		struct gs_piece *a, *b;
		bool kept = kinds[k] != GS_CODEC_IDENTITY;
		assert_true(take(pieces, kinds[k], k, 1000, &a));
		assert_false(take(pieces, kinds[k], k, 1000, &b));
		assert_ptr_equal(a, b);
		gs_pieces_give(pieces, a);
		assert_text(pieces, b, kinds[k], 1000, (unsigned)k);
		gs_pieces_give(pieces, b);
		gs_pieces_check(pieces);
		assert_int_equal(take(pieces, kinds[k], k, 1000, &a), !kept);
		assert_text(pieces, a, kinds[k], 1000, (unsigned)k);
		gs_pieces_give(pieces, a);
	}
	assert_int_equal(gs_pieces_stats(pieces).pieces, 2);
	assert_true(gs_metric_get(GS_M_RENDER_MISSES, NULL, NULL) == 4);
	assert_true(gs_metric_get(GS_M_RENDER_HITS, NULL, NULL) == 5);
	assert_true(gs_metric_get(GS_M_RENDER_BYTES, NULL, NULL) == (double)gs_pieces_stats(pieces).bytes);
	gs_pieces_free(pieces);
}

static void test_without_key_nothing_is_shared(void **state) {
	(void)state;
	struct gs_pieces *pieces = gs_pieces_new(64 * MIB);
	struct gs_piece *piece[2];
	for (int i = 0; i < 2; i++) {
		bool render = false;
		piece[i] = gs_pieces_take(pieces, GS_CODEC_GZIP, NULL, 0, &render);
		assert_true(render);
		struct gs_buf text = text_of(1000, (unsigned)i);
		gs_pieces_rendered(pieces, piece[i], &text);
	}
	for (int i = 0; i < 2; i++) {
		assert_text(pieces, piece[i], GS_CODEC_GZIP, 1000, (unsigned)i);
		gs_pieces_give(pieces, piece[i]);
	}
	assert_int_equal(gs_pieces_stats(pieces).bytes, 0);
	gs_pieces_give(pieces, NULL);
	gs_pieces_free(pieces);
	gs_pieces_free(NULL);
}

/* Half a piece is nobody's use; a reader may come for the other half meanwhile. */
static void test_readers_that_leave(void **state) {
	(void)state;
	struct gs_pieces *pieces = gs_pieces_new(64 * MIB);
	struct gs_piece *a, *b;
	struct gs_str slice;
	struct gs_codec_sum sum;
	assert_true(take(pieces, GS_CODEC_GZIP, 1, 3 * SLICE, &a));
	assert_int_equal(gs_pieces_slice(pieces, a, 1, &slice, &sum), GS_OK);
	assert_false(take(pieces, GS_CODEC_GZIP, 1, 3 * SLICE, &b));
	gs_pieces_give(pieces, a);
	assert_text(pieces, b, GS_CODEC_GZIP, 3 * SLICE, 1);
	gs_pieces_give(pieces, b);
	assert_int_equal(gs_pieces_stats(pieces).pieces, 1);
	assert_true(take(pieces, GS_CODEC_GZIP, 2, 3 * SLICE, &a));
	assert_int_equal(gs_pieces_slice(pieces, a, 0, &slice, &sum), GS_OK);
	gs_pieces_give(pieces, a);
	gs_pieces_check(pieces);
	assert_int_equal(gs_pieces_stats(pieces).pieces, 1);
	gs_pieces_free(pieces);
}

/* What does not fit is not kept, and does not push out what is there. */
static void test_room(void **state) {
	(void)state;
	struct gs_pieces *pieces = gs_pieces_new(100000);
	struct gs_piece *piece;
	for (unsigned round = 0; round < 3; round++) {
		size_t misses = 0;
		for (uint64_t key = 0; key < 10; key++) {
			misses += take(pieces, GS_CODEC_ZSTD, key, 50000, &piece);
			assert_text(pieces, piece, GS_CODEC_ZSTD, 50000, (unsigned)key);
			gs_pieces_give(pieces, piece);
			gs_pieces_check(pieces);
			assert_true(gs_pieces_stats(pieces).bytes <= 100000);
		}
		size_t kept = gs_pieces_stats(pieces).pieces;
		assert_true(kept > 1 && kept < 10);
		assert_int_equal(misses, round == 0 ? 10 : 10 - kept);
	}
	gs_pieces_free(pieces);
}

static void test_forgetting(void **state) {
	(void)state;
	struct gs_pieces *pieces = gs_pieces_new(64 * MIB);
	struct gs_piece *piece, *used;
	for (uint64_t key = 0; key < 4; key++) {
		take(pieces, GS_CODEC_GZIP, key, 1000, &piece);
		assert_text(pieces, piece, GS_CODEC_GZIP, 1000, (unsigned)key);
		gs_pieces_give(pieces, piece);
	}
	take(pieces, GS_CODEC_ZSTD, 10, 1000, &piece);
	assert_text(pieces, piece, GS_CODEC_ZSTD, 1000, 10);
	gs_pieces_give(pieces, piece);
	take(pieces, GS_CODEC_GZIP, 3, 1000, &used);
	uint64_t mark = gs_pieces_mark(pieces);
	assert_false(take(pieces, GS_CODEC_GZIP, 0, 1000, &piece));
	gs_pieces_give(pieces, piece);
	/* Another first word, another kind: not meant. */
	gs_pieces_forget(pieces, GS_CODEC_GZIP, 8, mark, 1000000);
	assert_int_equal(gs_pieces_stats(pieces).pieces, 5);
	/* 1 and 2 go; 0 was taken since, 3 is in use. */
	gs_pieces_forget(pieces, GS_CODEC_GZIP, 7, mark, 1000000);
	gs_pieces_check(pieces);
	assert_int_equal(gs_pieces_stats(pieces).pieces, 3);
	assert_false(take(pieces, GS_CODEC_GZIP, 0, 1000, &piece));
	gs_pieces_give(pieces, piece);
	assert_text(pieces, used, GS_CODEC_GZIP, 1000, 3);
	gs_pieces_give(pieces, used);
	/* Nobody took the other kind for no time at all. */
	gs_pieces_forget(pieces, GS_CODEC_GZIP, 7, mark, 0);
	assert_int_equal(gs_pieces_stats(pieces).pieces, 1);
	gs_pieces_free(pieces);
}

/* Who renders and fails tells those who wait; who comes later may have more luck. */
static void test_failed_renderings(void **state) {
	(void)state;
	struct gs_pieces *pieces = gs_pieces_new(64 * MIB);
	const uint64_t words[] = {7, 1};
	struct gs_piece *a, *b;
	struct gs_str slice;
	struct gs_codec_sum sum;
	struct gs_buf broken;
	bool render;
	a = gs_pieces_take(pieces, GS_CODEC_GZIP, words, 2, &render);
	assert_true(render);
	b = gs_pieces_take(pieces, GS_CODEC_GZIP, words, 2, &render);
	assert_false(render);
	gs_buf_init(&broken, 1);
	gs_buf_cstr(&broken, "too long");
	gs_pieces_rendered(pieces, a, &broken);
	gs_buf_free(&broken);
	assert_int_equal(gs_pieces_slice(pieces, b, 0, &slice, &sum), GS_ELIMIT);
	assert_int_equal(slice.n, 0);
	gs_pieces_give(pieces, a);
	assert_true(take(pieces, GS_CODEC_GZIP, 1, 1000, &a));
	assert_int_equal(gs_pieces_slice(pieces, b, 0, &slice, &sum), GS_ELIMIT);
	gs_pieces_give(pieces, b);
	assert_text(pieces, a, GS_CODEC_GZIP, 1000, 1);
	gs_pieces_give(pieces, a);
	gs_pieces_check(pieces);
	assert_int_equal(gs_pieces_stats(pieces).pieces, 1);
	gs_pieces_free(pieces);
}

#define THREADS 4
#define KEYS 8

static void *reader(void *arg) {
	struct gs_pieces *pieces = arg;
	for (uint64_t i = 0; i < 200; i++) {
		uint64_t key = i * i % KEYS, mark = gs_pieces_mark(pieces);
		enum gs_codec_kind kind = kinds[key % 3];
		struct gs_piece *piece;
		take(pieces, kind, key, (1 + (size_t)key) * 50000, &piece);
		assert_text(pieces, piece, kind, (1 + (size_t)key) * 50000, (unsigned)key);
		gs_pieces_give(pieces, piece);
		if (i % 7 == 0)
			gs_pieces_forget(pieces, kind, 7, mark, 1000000);
		if (i % 10 == 0)
			gs_pieces_check(pieces);
	}
	return NULL;
}

/* For TSan as well. */
static void test_threads(void **state) {
	(void)state;
	struct gs_pieces *pieces = gs_pieces_new(MIB);
	pthread_t threads[THREADS];
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, reader, pieces), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	gs_pieces_check(pieces);
	gs_pieces_free(pieces);
}

static enum gs_status use(struct gs_pieces *pieces) {
	const uint64_t words[] = {7, 1};
	struct gs_codec_sum sum;
	struct gs_str slice;
	struct gs_buf text;
	bool render;
	struct gs_piece *piece = gs_pieces_take(pieces, GS_CODEC_GZIP, words, 2, &render);
	if (piece == NULL)
		return GS_ENOMEM;
	assert_true(render);
	gs_buf_init(&text, SIZE_MAX);
	gs_buf_cstr(&text, "some text");
	gs_pieces_rendered(pieces, piece, &text);
	gs_buf_free(&text);
	enum gs_status status = gs_pieces_slice(pieces, piece, 0, &slice, &sum);
	assert_int_equal(slice.n != 0, status == GS_OK);
	gs_pieces_check(pieces);
	gs_pieces_give(pieces, piece);
	gs_pieces_check(pieces);
	return status;
}

static void test_out_of_memory(void **state) {
	(void)state;
	for (int n = 0;; n++) {
		gs_mem_fail_after(n);
		struct gs_pieces *pieces = gs_pieces_new(MIB);
		enum gs_status status = pieces != NULL ? use(pieces) : GS_ENOMEM;
		bool failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		gs_pieces_free(pieces);
		assert_int_equal(status, failed ? GS_ENOMEM : GS_OK);
		assert_true(n < 100);
		if (!failed) {
			assert_true(n > 8);
			break;
		}
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_kind_and_length),
	    cmocka_unit_test(test_sharing_and_keeping),
	    cmocka_unit_test(test_without_key_nothing_is_shared),
	    cmocka_unit_test(test_readers_that_leave),
	    cmocka_unit_test(test_room),
	    cmocka_unit_test(test_forgetting),
	    cmocka_unit_test(test_failed_renderings),
	    cmocka_unit_test(test_threads),
	    cmocka_unit_test(test_out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
