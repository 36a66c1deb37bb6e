/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "gravel/base/mem.h"
#include "gravel/codec/codec.h"

static const enum gs_codec_kind kinds[] = {GS_CODEC_IDENTITY, GS_CODEC_GZIP, GS_CODEC_ZSTD};

static void compress(enum gs_codec_kind kind, struct gs_str text, struct gs_buf *out) {
	struct gs_codec *codec = gs_codec_new();
	assert_int_equal(gs_codec_compress(codec, kind, 0, text, out), GS_OK);
	gs_codec_free(codec);
}

/* Feed ${in} in pieces of ${n} bytes, taking ${max} bytes out at a time. */
static enum gs_status decode(enum gs_codec_kind kind, struct gs_str in, size_t n, size_t max, struct gs_buf *out) {
	struct gs_decoder *decoder = gs_decoder_new(kind);
	enum gs_status status = decoder != NULL ? GS_OK : GS_ENOMEM;
	for (size_t at = 0; status == GS_OK && at < in.n; at += n) {
		struct gs_str piece = gs_str_make(in.p + at, in.n - at < n ? in.n - at : n);
		size_t before;
		do {
			before = out->n;
			status = gs_decoder_feed(decoder, &piece, max, out);
			assert_true(out->n - before <= max);
		} while (status == GS_OK && (piece.n != 0 || out->n != before));
	}
	if (status == GS_OK)
		status = gs_decoder_end(decoder);
	gs_decoder_free(decoder);
	return status;
}

static void fill(struct gs_buf *text, size_t n) {
	for (unsigned i = 0; text->n < n; i++)
		gs_buf_printf(text, "metric_%u{label=\"%u\"} %u\n", i % 100, i * 7919 % 1000, i * i);
}

static void test_every_cut_gives_the_text(void **state) {
	(void)state;
	struct gs_buf text, packed, out;
	gs_buf_init(&text, SIZE_MAX);
	gs_buf_init(&packed, SIZE_MAX);
	gs_buf_init(&out, SIZE_MAX);
	fill(&text, 300);
	for (size_t k = 0; k < 3; k++) {
		/* Twice: members and frames one after the other are one text. */
		gs_buf_clear(&packed);
		compress(kinds[k], gs_buf_slice(&text), &packed);
		size_t once = packed.n;
		compress(kinds[k], gs_buf_slice(&text), &packed);
		for (size_t n = 1; n <= packed.n; n++) {
			for (size_t max = 1; max <= 1000; max *= 31) {
				gs_buf_clear(&out);
				assert_int_equal(decode(kinds[k], gs_buf_slice(&packed), n, max, &out), GS_OK);
				assert_int_equal(out.n, 2 * text.n);
				assert_memory_equal(out.p, text.p, text.n);
				assert_memory_equal(out.p + text.n, text.p, text.n);
			}
			gs_buf_clear(&out);
			struct gs_str cut = gs_str_make(packed.p, n - 1);
			bool whole = kinds[k] == GS_CODEC_IDENTITY || n - 1 == once;
			assert_int_equal(decode(kinds[k], cut, 7, 100, &out), whole ? GS_OK : GS_EINVAL);
		}
	}
	gs_buf_free(&text);
	gs_buf_free(&packed);
	gs_buf_free(&out);
}

static void test_a_large_text(void **state) {
	(void)state;
	struct gs_buf text, packed, out;
	gs_buf_init(&text, SIZE_MAX);
	gs_buf_init(&packed, SIZE_MAX);
	gs_buf_init(&out, SIZE_MAX);
	fill(&text, 5000000);
	for (size_t k = 0; k < 3; k++) {
		gs_buf_clear(&packed);
		gs_buf_clear(&out);
		compress(kinds[k], gs_buf_slice(&text), &packed);
		assert_int_equal(decode(kinds[k], gs_buf_slice(&packed), 16384, 65536, &out), GS_OK);
		assert_true(gs_str_eq(gs_buf_slice(&out), gs_buf_slice(&text)));
	}
	gs_buf_free(&text);
	gs_buf_free(&packed);
	gs_buf_free(&out);
}

static void test_damage_and_junk(void **state) {
	(void)state;
	struct gs_buf text, packed, out;
	gs_buf_init(&text, SIZE_MAX);
	gs_buf_init(&packed, SIZE_MAX);
	gs_buf_init(&out, SIZE_MAX);
	fill(&text, 3000);
	for (size_t k = 1; k < 3; k++) {
		gs_buf_clear(&packed);
		compress(kinds[k], gs_buf_slice(&text), &packed);
		gs_buf_cstr(&packed, "junk");
		assert_int_equal(decode(kinds[k], gs_buf_slice(&packed), 11, 100, &out), GS_EINVAL);
		packed.n -= 4;
		packed.p[packed.n / 2] ^= 0x55;
		assert_int_equal(decode(kinds[k], gs_buf_slice(&packed), 11, 100, &out), GS_EINVAL);
		assert_int_equal(decode(kinds[k], GS_STR(""), 1, 100, &out), GS_EINVAL);
		assert_int_equal(decode(kinds[k], GS_STR("no magic at all"), 3, 100, &out), GS_EINVAL);
	}
	/* zstd 0.7, and a frame that claims a window of 2 GiB. */
	assert_int_equal(decode(GS_CODEC_ZSTD, GS_STR("\x27\xb5\x2f\xfd\x00\x00\x00\x00"), 1, 100, &out), GS_EINVAL);
	assert_int_equal(
	    decode(GS_CODEC_ZSTD, GS_STR("\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00"), 1, 100, &out), GS_ELIMIT);
	gs_buf_free(&text);
	gs_buf_free(&packed);
	gs_buf_free(&out);
}

static void test_the_maximum_is_exact(void **state) {
	(void)state;
	struct gs_buf text, packed, out;
	gs_buf_init(&text, SIZE_MAX);
	gs_buf_init(&packed, SIZE_MAX);
	fill(&text, 100000);
	for (size_t k = 1; k < 3; k++) {
		gs_buf_clear(&packed);
		compress(kinds[k], gs_buf_slice(&text), &packed);
		gs_buf_init(&out, text.n);
		assert_int_equal(decode(kinds[k], gs_buf_slice(&packed), 1000, 5000, &out), GS_OK);
		gs_buf_free(&out);
		gs_buf_init(&out, text.n - 1);
		assert_int_equal(decode(kinds[k], gs_buf_slice(&packed), 1000, 5000, &out), GS_ELIMIT);
		assert_true(out.cap <= text.n - 1);
		gs_buf_free(&out);
	}
	gs_buf_free(&text);
	gs_buf_free(&packed);
}

static void test_out_of_memory(void **state) {
	(void)state;
	struct gs_buf packed, out;
	gs_buf_init(&packed, SIZE_MAX);
	for (size_t k = 0; k < 3; k++) {
		gs_buf_clear(&packed);
		compress(kinds[k], GS_STR("a 1\n"), &packed);
		for (int n = 0;; n++) {
			gs_buf_init(&out, SIZE_MAX);
			gs_mem_fail_after(n);
			enum gs_status status = decode(kinds[k], gs_buf_slice(&packed), 5, 100, &out);
			bool failed = gs_mem_failed();
			gs_mem_fail_after(-1);
			gs_buf_free(&out);
			assert_int_equal(status, failed ? GS_ENOMEM : GS_OK);
			if (!failed)
				break;
		}
	}
	gs_buf_free(&packed);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_cut_gives_the_text),
	    cmocka_unit_test(test_a_large_text),
	    cmocka_unit_test(test_damage_and_junk),
	    cmocka_unit_test(test_the_maximum_is_exact),
	    cmocka_unit_test(test_out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
