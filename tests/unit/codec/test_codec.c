/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <zlib.h>
#include <zstd.h>

#include "gravel/base/buf.h"
#include "gravel/base/mem.h"
#include "gravel/codec/codec.h"

static const enum gs_codec_kind kinds[] = {GS_CODEC_IDENTITY, GS_CODEC_GZIP, GS_CODEC_ZSTD};
static const enum gs_codec_kind packing[] = {GS_CODEC_GZIP, GS_CODEC_ZSTD};

#define MIB ((size_t)1024 * 1024)
#define SMALL "metric_one 1\nmetric_two 2\nmetric_three{label=\"value\"} 3\n"

/* ${n} bytes that look a little like an exposition and do not repeat exactly. */
static char *sample_text(size_t n) {
	char *p = gs_alloc(n);
	assert_non_null(p);
	uint32_t x = 12345;
	for (size_t i = 0; i < n; i++) {
		x = x * 1664525 + 1013904223;
		p[i] = i % 24 < 16 ? "node_cpu_seconds"[i % 24 % 16] : (char)('0' + x / 65536 % 10);
	}
	return p;
}

static struct gs_buf pack(enum gs_codec_kind kind, int level, struct gs_str in) {
	struct gs_buf out;
	struct gs_codec *codec = gs_codec_new();
	gs_buf_init(&out, 64 * MIB);
	assert_int_equal(gs_codec_compress(codec, kind, level, in, &out), GS_OK);
	gs_buf_check(&out);
	gs_codec_free(codec);
	return out;
}

static void assert_holds(const struct gs_buf *buf, struct gs_str want) {
	assert_int_equal(buf->n, want.n);
	assert_int_equal(buf->status, GS_OK);
	if (want.n != 0)
		assert_memory_equal(buf->p, want.p, want.n);
}

static void round_trip(struct gs_codec *codec, enum gs_codec_kind kind, int level, struct gs_str in) {
	struct gs_buf packed;
	struct gs_buf plain;
	gs_buf_init(&packed, 64 * MIB);
	gs_buf_init(&plain, 64 * MIB);
	assert_int_equal(gs_codec_compress(codec, kind, level, in, &packed), GS_OK);
	assert_int_equal(gs_codec_decompress(codec, kind, gs_buf_slice(&packed), &plain), GS_OK);
	assert_holds(&plain, in);
	gs_buf_check(&plain);
	gs_buf_free(&packed);
	gs_buf_free(&plain);
}

static void test_round_trips(void **state) {
	(void)state;
	static const size_t sizes[] = {0, 1, 255, 16383, 16384, 16385, 300000, 5 * 1024 * 1024 + 7};
	static const int levels[] = {0, 1, 6, 9};
	struct gs_codec *codec = gs_codec_new();
	char *text = sample_text(sizes[7]);
	for (size_t i = 0; i < 8; i++) {
		for (size_t k = 0; k < 3; k++)
			round_trip(codec, kinds[k], levels[i % 4], gs_str_make(text, sizes[i]));
	}
	gs_free(text);
	/* The highest levels would choose a window that we refuse to read. */
	char *zeros = gs_alloc(20 * MIB);
	round_trip(codec, GS_CODEC_ZSTD, 20, gs_str_make(zeros, 20 * MIB));
	gs_free(zeros);
	gs_codec_free(codec);
}

static void test_levels(void **state) {
	(void)state;
	char *text = sample_text(300000);
	struct gs_str in = gs_str_make(text, 300000);
	for (size_t k = 0; k < 2; k++) {
		struct gs_buf low = pack(packing[k], 1, in);
		struct gs_buf high = pack(packing[k], packing[k] == GS_CODEC_ZSTD ? 19 : 9, in);
		assert_true(high.n < low.n);
		assert_true(low.n < in.n);
		gs_buf_free(&low);
		gs_buf_free(&high);
	}
	struct gs_buf usual = pack(GS_CODEC_GZIP, 0, in);
	struct gs_buf six = pack(GS_CODEC_GZIP, 6, in);
	assert_int_equal(usual.n, six.n);
	gs_buf_free(&usual);
	gs_buf_free(&six);
	struct gs_codec *codec = gs_codec_new();
	struct gs_buf out;
	gs_buf_init(&out, MIB);
	assert_int_equal(gs_codec_compress(codec, GS_CODEC_GZIP, 17, in, &out), GS_EINVAL);
	assert_int_equal(gs_codec_compress(codec, GS_CODEC_ZSTD, 99, in, &out), GS_EINVAL);
	assert_int_equal(gs_codec_compress(codec, GS_CODEC_GZIP, 1, in, &out), GS_OK); /* usable after that */
	gs_buf_free(&out);
	gs_codec_free(codec);
	gs_free(text);
}

/* Both directions append. */
static void test_appends(void **state) {
	(void)state;
	struct gs_codec *codec = gs_codec_new();
	for (size_t k = 0; k < 3; k++) {
		struct gs_buf packed;
		struct gs_buf plain;
		gs_buf_init(&packed, MIB);
		gs_buf_init(&plain, MIB);
		gs_buf_cstr(&packed, "head");
		gs_buf_cstr(&plain, "before ");
		assert_int_equal(gs_codec_compress(codec, kinds[k], 0, GS_STR("after"), &packed), GS_OK);
		assert_memory_equal(packed.p, "head", 4);
		struct gs_str body = gs_str_make(packed.p + 4, packed.n - 4);
		assert_int_equal(gs_codec_decompress(codec, kinds[k], body, &plain), GS_OK);
		assert_holds(&plain, GS_STR("before after"));
		gs_buf_free(&packed);
		gs_buf_free(&plain);
	}
	gs_codec_free(codec);
}

static void test_concatenated(void **state) {
	(void)state;
	struct gs_codec *codec = gs_codec_new();
	for (size_t k = 0; k < 2; k++) {
		struct gs_buf packed;
		struct gs_buf plain;
		gs_buf_init(&packed, MIB);
		gs_buf_init(&plain, MIB);
		assert_int_equal(gs_codec_compress(codec, packing[k], 0, GS_STR("one,"), &packed), GS_OK);
		assert_int_equal(gs_codec_compress(codec, packing[k], 0, GS_STR(""), &packed), GS_OK);
		assert_int_equal(gs_codec_compress(codec, packing[k], 9, GS_STR("two"), &packed), GS_OK);
		assert_int_equal(gs_codec_decompress(codec, packing[k], gs_buf_slice(&packed), &plain), GS_OK);
		assert_holds(&plain, GS_STR("one,two"));
		gs_buf_free(&packed);
		gs_buf_free(&plain);
	}
	gs_codec_free(codec);
}

static void test_every_truncation(void **state) {
	(void)state;
	struct gs_codec *codec = gs_codec_new();
	for (size_t k = 0; k < 2; k++) {
		struct gs_buf packed = pack(packing[k], 0, GS_STR(SMALL));
		struct gs_buf plain;
		gs_buf_init(&plain, MIB);
		gs_buf_cstr(&plain, "kept");
		for (size_t n = 0; n < packed.n; n++) {
			/* An own copy, so that ASan sees a read behind the end. */
			char *cut = gs_alloc(n);
			memcpy(cut, packed.p, n);
			assert_int_equal(
			    gs_codec_decompress(codec, packing[k], gs_str_make(cut, n), &plain), GS_EINVAL);
			assert_holds(&plain, GS_STR("kept"));
			gs_free(cut);
		}
		assert_int_equal(gs_codec_decompress(codec, packing[k], gs_buf_slice(&packed), &plain), GS_OK);
		assert_holds(&plain, GS_STR("kept" SMALL));
		gs_buf_free(&packed);
		gs_buf_free(&plain);
	}
	gs_codec_free(codec);
}

/* Every flipped byte of the text is an error, or (header fields that mean nothing) gives the same text. */
static void test_damage(void **state) {
	(void)state;
	struct gs_codec *codec = gs_codec_new();
	size_t refused = 0;
	for (size_t k = 0; k < 2; k++) {
		struct gs_buf packed = pack(packing[k], 0, GS_STR(SMALL));
		struct gs_buf plain;
		gs_buf_init(&plain, MIB);
		for (size_t i = 0; i < packed.n; i++) {
			packed.p[i] ^= 0x40;
			enum gs_status status = gs_codec_decompress(codec, packing[k], gs_buf_slice(&packed), &plain);
			assert_holds(&plain, status == GS_OK ? GS_STR(SMALL) : GS_STR(""));
			refused += status != GS_OK;
			packed.p[i] ^= 0x40;
			gs_buf_clear(&plain);
		}
		assert_true(refused > packed.n * 3 / 4);
		gs_buf_free(&packed);
		gs_buf_free(&plain);
	}
	gs_codec_free(codec);
}

static void test_trailing_junk(void **state) {
	(void)state;
	static const struct gs_str junk[] = {GS_STR_INIT("x"), GS_STR_INIT("\0"), GS_STR_INIT("\0\0\0\0\0\0\0\0"),
	    GS_STR_INIT("junk after the end"), GS_STR_INIT("\x1f\x8b"), GS_STR_INIT("\x28\xb5\x2f\xfd")};
	struct gs_codec *codec = gs_codec_new();
	for (size_t k = 0; k < 2; k++) {
		for (size_t j = 0; j < sizeof(junk) / sizeof(junk[0]); j++) {
			struct gs_buf packed = pack(packing[k], 0, GS_STR(SMALL));
			struct gs_buf plain;
			gs_buf_init(&plain, MIB);
			gs_buf_str(&packed, junk[j]);
			assert_int_equal(
			    gs_codec_decompress(codec, packing[k], gs_buf_slice(&packed), &plain), GS_EINVAL);
			assert_holds(&plain, GS_STR(""));
			gs_buf_free(&packed);
			gs_buf_free(&plain);
		}
	}
	gs_codec_free(codec);
}

static void test_wrong_kind(void **state) {
	(void)state;
	struct gs_codec *codec = gs_codec_new();
	struct gs_buf plain;
	gs_buf_init(&plain, MIB);
	for (size_t k = 0; k < 2; k++) {
		struct gs_buf other = pack(packing[1 - k], 0, GS_STR(SMALL));
		assert_int_equal(gs_codec_decompress(codec, packing[k], gs_buf_slice(&other), &plain), GS_EINVAL);
		assert_int_equal(gs_codec_decompress(codec, packing[k], GS_STR("plain text"), &plain), GS_EINVAL);
		assert_int_equal(gs_codec_decompress(codec, packing[k], GS_STR(""), &plain), GS_EINVAL);
		gs_buf_free(&other);
	}
	/* zstd 0.7's magic: the library may know it, we do not. */
	assert_int_equal(
	    gs_codec_decompress(codec, GS_CODEC_ZSTD, GS_STR("\x27\xb5\x2f\xfd\x00\x00\x00\x00"), &plain), GS_EINVAL);
	gs_buf_free(&plain);
	gs_codec_free(codec);
}

/* 64 MiB of zeros in few bytes: stops at max, and has not taken more than max. */
static void test_bomb(void **state) {
	(void)state;
	static const size_t maxima[] = {0, 1, 1000, 65536, 1000000};
	struct gs_codec *codec = gs_codec_new();
	char *zeros = gs_alloc(64 * MIB);
	for (size_t k = 0; k < 2; k++) {
		struct gs_buf bomb = pack(packing[k], 9, gs_str_make(zeros, 64 * MIB));
		assert_true(bomb.n < 128 * 1024);
		for (size_t m = 0; m < sizeof(maxima) / sizeof(maxima[0]); m++) {
			struct gs_buf plain;
			gs_buf_init(&plain, maxima[m]);
			assert_int_equal(
			    gs_codec_decompress(codec, packing[k], gs_buf_slice(&bomb), &plain), GS_ELIMIT);
			assert_int_equal(plain.cap, 0); /* it says how long it is */
			assert_holds(&plain, GS_STR(""));
			gs_buf_free(&plain);
		}
		gs_buf_free(&bomb);
	}
	gs_free(zeros);
	gs_codec_free(codec);
}

/* One that hides behind a small text: stops at max all the same, and has taken no more. */
static void test_lying_bomb(void **state) {
	(void)state;
	static const size_t maxima[] = {4, 1000, 65536, 1000000};
	struct gs_codec *codec = gs_codec_new();
	char *zeros = gs_alloc(64 * MIB);
	for (size_t k = 0; k < 2; k++) {
		struct gs_buf bomb = pack(packing[k], 9, gs_str_make(zeros, 64 * MIB)),
			      small = pack(packing[k], 9, GS_STR("abc"));
		struct gs_buf both;
		gs_buf_init(&both, MIB);
		/* gzip says at its end how long it is, zstd at its beginning. */
		gs_buf_str(&both, gs_buf_slice(packing[k] == GS_CODEC_ZSTD ? &small : &bomb));
		gs_buf_str(&both, gs_buf_slice(packing[k] == GS_CODEC_ZSTD ? &bomb : &small));
		for (size_t m = 0; m < sizeof(maxima) / sizeof(maxima[0]); m++) {
			struct gs_buf plain;
			gs_buf_init(&plain, maxima[m]);
			assert_int_equal(
			    gs_codec_decompress(codec, packing[k], gs_buf_slice(&both), &plain), GS_ELIMIT);
			assert_in_range(plain.cap, 1, maxima[m]);
			assert_holds(&plain, GS_STR(""));
			gs_buf_free(&plain);
		}
		gs_buf_free(&both);
		gs_buf_free(&bomb);
		gs_buf_free(&small);
	}
	gs_free(zeros);
	gs_codec_free(codec);
}

/* What was cut short is damaged, whatever the bytes that are last now would say of its length. */
static void test_cut_is_not_too_long(void **state) {
	(void)state;
	struct gs_codec *codec = gs_codec_new();
	char *text = sample_text(100000);
	for (size_t k = 0; k < 2; k++) {
		struct gs_buf packed = pack(packing[k], 0, gs_str_make(text, 100000));
		for (size_t cut = 1; cut < 300; cut++) {
			struct gs_buf plain;
			gs_buf_init(&plain, 100000);
			assert_int_equal(
			    gs_codec_decompress(codec, packing[k], gs_str_make(packed.p, packed.n - cut), &plain),
			    GS_EINVAL);
			assert_holds(&plain, GS_STR(""));
			gs_buf_free(&plain);
		}
		gs_buf_free(&packed);
	}
	gs_free(text);
	gs_codec_free(codec);
}

/* A text of exactly max bytes fits, one byte more does not. */
static void test_exact_maximum(void **state) {
	(void)state;
	struct gs_codec *codec = gs_codec_new();
	char *text = sample_text(100000);
	for (size_t k = 0; k < 3; k++) {
		struct gs_buf packed = pack(kinds[k], 0, gs_str_make(text, 100000));
		struct gs_buf plain;
		gs_buf_init(&plain, 100000);
		assert_int_equal(gs_codec_decompress(codec, kinds[k], gs_buf_slice(&packed), &plain), GS_OK);
		assert_holds(&plain, gs_str_make(text, 100000));
		gs_buf_free(&plain);
		gs_buf_init(&plain, 99999);
		assert_int_equal(gs_codec_decompress(codec, kinds[k], gs_buf_slice(&packed), &plain), GS_ELIMIT);
		assert_holds(&plain, GS_STR(""));
		gs_buf_free(&plain);
		struct gs_buf again;
		gs_buf_init(&again, packed.n);
		assert_int_equal(gs_codec_compress(codec, kinds[k], 0, gs_str_make(text, 100000), &again), GS_OK);
		assert_holds(&again, gs_buf_slice(&packed));
		gs_buf_free(&again);
		gs_buf_init(&again, packed.n - 1);
		gs_buf_cstr(&again, "x");
		assert_int_equal(gs_codec_compress(codec, kinds[k], 0, gs_str_make(text, 100000), &again), GS_ELIMIT);
		assert_holds(&again, GS_STR("x"));
		gs_buf_free(&again);
		gs_buf_free(&packed);
	}
	gs_free(text);
	gs_codec_free(codec);
}

/* Claims of a frame's header are not believed: a content of 4 GiB and more, a window of 1 GiB. */
static void test_zstd_claims(void **state) {
	(void)state;
	struct gs_codec *codec = gs_codec_new();
	struct gs_buf plain;
	gs_buf_init(&plain, (size_t)16 * 1024 * MIB);
	/* 8-byte content size, window descriptor of 1 KiB, then a raw last block of 1 byte */
	struct gs_str content = GS_STR("\x28\xb5\x2f\xfd\xc0\x00\xff\xff\xff\xff\x03\x00\x00\x00\x09\x00\x00"
				       "a");
	assert_int_equal(gs_codec_decompress(codec, GS_CODEC_ZSTD, content, &plain), GS_EINVAL);
	assert_true(plain.cap <= 64 * 1024);
	struct gs_str window = GS_STR("\x28\xb5\x2f\xfd\x00\xa0\x09\x00\x00"
				      "a");
	assert_int_equal(gs_codec_decompress(codec, GS_CODEC_ZSTD, window, &plain), GS_ELIMIT);
	assert_true(plain.cap <= 64 * 1024);
	struct gs_str skipped = GS_STR("\x50\x2a\x4d\x18\x02\x00\x00\x00"
				       "ab\x28\xb5\x2f\xfd\x00\x00\x09\x00\x00"
				       "z");
	assert_int_equal(gs_codec_decompress(codec, GS_CODEC_ZSTD, skipped, &plain), GS_OK);
	assert_holds(&plain, GS_STR("z"));
	gs_buf_free(&plain);
	gs_codec_free(codec);
}

/* The formats are everyone's: what we write the libraries read in one shot. */
static void test_foreign_reader(void **state) {
	(void)state;
	char plain[256];
	struct gs_buf packed = pack(GS_CODEC_ZSTD, 0, GS_STR(SMALL));
	assert_int_equal(ZSTD_getFrameContentSize(packed.p, packed.n), sizeof(SMALL) - 1);
	assert_int_equal(ZSTD_decompress(plain, sizeof(plain), packed.p, packed.n), sizeof(SMALL) - 1);
	assert_memory_equal(plain, SMALL, sizeof(SMALL) - 1);
	gs_buf_free(&packed);
	packed = pack(GS_CODEC_GZIP, 0, GS_STR(SMALL));
	assert_memory_equal(packed.p, "\x1f\x8b\x08", 3);
	z_stream z = {.next_in = (Bytef *)packed.p, .avail_in = (uInt)packed.n};
	z.next_out = (Bytef *)plain;
	z.avail_out = sizeof(plain);
	assert_int_equal(inflateInit2(&z, 31), Z_OK);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(z.total_out, sizeof(SMALL) - 1);
	inflateEnd(&z);
	gs_buf_free(&packed);
}

/* A buffer that failed before stays as it is. */
static void test_sticky_buffer(void **state) {
	(void)state;
	struct gs_codec *codec = gs_codec_new();
	struct gs_buf out;
	gs_buf_init(&out, 2);
	gs_buf_cstr(&out, "abc");
	assert_int_equal(gs_codec_compress(codec, GS_CODEC_GZIP, 0, GS_STR("x"), &out), GS_ELIMIT);
	assert_int_equal(gs_codec_decompress(codec, GS_CODEC_IDENTITY, GS_STR("x"), &out), GS_ELIMIT);
	assert_int_equal(out.status, GS_ELIMIT);
	gs_buf_free(&out);
	gs_codec_free(codec);
}

static void test_failing_allocations(void **state) {
	(void)state;
	char *text = sample_text(200000);
	for (size_t k = 0; k < 3; k++) {
		int fails = 0;
		for (int64_t n = 0;; n++) {
			struct gs_buf packed;
			struct gs_buf plain;
			gs_buf_init(&packed, MIB);
			gs_buf_init(&plain, MIB);
			gs_mem_fail_after(n);
			struct gs_codec *codec = gs_codec_new();
			enum gs_status status = codec != NULL ? GS_OK : GS_ENOMEM;
			if (status == GS_OK)
				status = gs_codec_compress(codec, kinds[k], 0, gs_str_make(text, 200000), &packed);
			if (status == GS_OK)
				status = gs_codec_decompress(codec, kinds[k], gs_buf_slice(&packed), &plain);
			int failed = gs_mem_failed();
			gs_mem_fail_after(-1);
			assert_int_equal(status, failed ? GS_ENOMEM : GS_OK);
			assert_int_equal(plain.n, failed ? 0 : 200000);
			gs_buf_free(&packed);
			gs_buf_free(&plain);
			gs_codec_free(codec);
			if (!failed)
				break;
			fails++;
		}
		assert_true(fails >= 3);
	}
	gs_free(text);
}

/* The text in pieces that end at these places, joined. */
static struct gs_buf joined(enum gs_codec_kind kind, struct gs_str text, const size_t *ends, size_t n) {
	struct gs_codec *codec = gs_codec_new();
	struct gs_codec_sum sum = {0}, piece;
	char tail[GS_CODEC_TAIL_MAX];
	struct gs_buf out;
	size_t at = 0;
	gs_buf_init(&out, 64 * MIB);
	gs_buf_str(&out, gs_codec_head(kind));
	for (size_t i = 0; i < n; i++) {
		struct gs_str part = gs_str_make(text.p + at, ends[i] - at);
		assert_int_equal(gs_codec_piece(codec, kind, 1, part, &out, &piece), GS_OK);
		assert_int_equal(piece.n, part.n);
		gs_codec_sum_add(&sum, &piece);
		at = ends[i];
	}
	assert_int_equal(sum.n, text.n);
	gs_buf_add(&out, tail, gs_codec_tail(kind, &sum, tail));
	gs_codec_free(codec);
	return out;
}

/* One gzip member to zlib, which reads no second one by itself; any number of frames to zstd. */
static void test_pieces_are_one_text(void **state) {
	(void)state;
	size_t n = 300000;
	char *text = sample_text(n), *plain = gs_alloc(n + 1);
	const size_t cuts[][5] = {{n, n, n, n, n}, {1, 2, 3, 100000, n}, {0, 70000, 70000, 299999, n}, {0, 0, 0, 0, 0}};
	for (size_t c = 0; c < sizeof(cuts) / sizeof(cuts[0]); c++) {
		struct gs_str in = gs_str_make(text, cuts[c][4]);
		struct gs_buf gzip = joined(GS_CODEC_GZIP, in, cuts[c], 5);
		z_stream z = {.next_in = (Bytef *)gzip.p,
		    .avail_in = (uInt)gzip.n,
		    .next_out = (Bytef *)plain,
		    .avail_out = (uInt)n + 1};
		assert_int_equal(inflateInit2(&z, 31), Z_OK);
		/* With the end its checksum and length were found right. */
		assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
		assert_int_equal(z.total_out, in.n);
		assert_int_equal(z.avail_in, 0);
		assert_memory_equal(plain, text, in.n);
		inflateEnd(&z);
		gs_buf_free(&gzip);
		struct gs_buf zstd = joined(GS_CODEC_ZSTD, in, cuts[c], 5);
		assert_int_equal(ZSTD_decompress(plain, n + 1, zstd.p, zstd.n), in.n);
		assert_memory_equal(plain, text, in.n);
		gs_buf_free(&zstd);
		struct gs_buf identity = joined(GS_CODEC_IDENTITY, in, cuts[c], 5);
		assert_holds(&identity, in);
		gs_buf_free(&identity);
	}
	gs_free(plain);
	gs_free(text);
}

static void test_a_piece_that_fails_leaves_no_trace(void **state) {
	(void)state;
	struct gs_codec *codec = gs_codec_new();
	struct gs_codec_sum sum;
	struct gs_buf out;
	char *text = sample_text(10000);
	struct gs_str in = gs_str_make(text, 10000);
	for (size_t k = 0; k < 2; k++) {
		gs_buf_init(&out, 100);
		gs_buf_cstr(&out, "before");
		assert_int_equal(gs_codec_piece(codec, packing[k], 1, in, &out, &sum), GS_ELIMIT);
		assert_holds(&out, GS_STR("before"));
		assert_int_equal(gs_codec_piece(codec, packing[k], 10000, in, &out, &sum), GS_EINVAL);
		assert_holds(&out, GS_STR("before"));
		gs_buf_free(&out);
	}
	assert_int_equal(
	    gs_codec_piece(codec, GS_CODEC_GZIP, 1, gs_str_make(text, GS_CODEC_PIECE_MAX + 1), &out, &sum), GS_ELIMIT);
	for (int n = 0;; n++) {
		struct gs_codec *fresh = gs_codec_new();
		gs_buf_init(&out, MIB);
		gs_mem_fail_after(n);
		enum gs_status status = gs_codec_piece(fresh, GS_CODEC_GZIP, 1, in, &out, &sum);
		bool failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		assert_int_equal(status, failed ? GS_ENOMEM : GS_OK);
		assert_true(!failed || out.n == 0);
		gs_buf_free(&out);
		gs_codec_free(fresh);
		assert_true(n < 100);
		if (!failed)
			break;
	}
	gs_free(text);
	gs_codec_free(codec);
}

static void test_parse(void **state) {
	(void)state;
	static const struct {
		struct gs_str name;
		enum gs_status status;
		enum gs_codec_kind kind;
	} rows[] = {
	    {{NULL, 0}, GS_OK, GS_CODEC_IDENTITY},
	    {GS_STR_INIT("identity"), GS_OK, GS_CODEC_IDENTITY},
	    {GS_STR_INIT("gzip"), GS_OK, GS_CODEC_GZIP},
	    {GS_STR_INIT("GZip"), GS_OK, GS_CODEC_GZIP},
	    {GS_STR_INIT("X-GZIP"), GS_OK, GS_CODEC_GZIP},
	    {GS_STR_INIT(" zstd "), GS_OK, GS_CODEC_ZSTD},
	    {GS_STR_INIT("gzi"), GS_EUNSUPPORTED, 0},
	    {GS_STR_INIT("gzip2"), GS_EUNSUPPORTED, 0},
	    {GS_STR_INIT("gzip, gzip"), GS_EUNSUPPORTED, 0},
	    {GS_STR_INIT("deflate"), GS_EUNSUPPORTED, 0},
	    {GS_STR_INIT("zstd\0"), GS_EUNSUPPORTED, 0},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum gs_codec_kind kind = GS_CODEC_ZSTD;
		assert_int_equal(gs_codec_parse(rows[i].name, &kind), rows[i].status);
		if (rows[i].status == GS_OK)
			assert_int_equal(kind, rows[i].kind);
	}
}

static void test_sniff(void **state) {
	(void)state;
	for (size_t k = 0; k < 2; k++) {
		struct gs_buf packed = pack(packing[k], 0, GS_STR(SMALL));
		for (size_t n = 0; n < 20; n++) {
			size_t magic = packing[k] == GS_CODEC_GZIP ? 2 : 4;
			enum gs_codec_kind want = n < magic ? GS_CODEC_IDENTITY : packing[k];
			assert_int_equal(gs_codec_sniff(gs_str_make(packed.p, n)), want);
		}
		gs_buf_free(&packed);
	}
	assert_int_equal(gs_codec_sniff((struct gs_str){0}), GS_CODEC_IDENTITY);
	assert_int_equal(gs_codec_sniff(GS_STR(SMALL)), GS_CODEC_IDENTITY);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trips),
	    cmocka_unit_test(test_levels),
	    cmocka_unit_test(test_appends),
	    cmocka_unit_test(test_concatenated),
	    cmocka_unit_test(test_every_truncation),
	    cmocka_unit_test(test_damage),
	    cmocka_unit_test(test_trailing_junk),
	    cmocka_unit_test(test_wrong_kind),
	    cmocka_unit_test(test_bomb),
	    cmocka_unit_test(test_lying_bomb),
	    cmocka_unit_test(test_cut_is_not_too_long),
	    cmocka_unit_test(test_exact_maximum),
	    cmocka_unit_test(test_zstd_claims),
	    cmocka_unit_test(test_foreign_reader),
	    cmocka_unit_test(test_sticky_buffer),
	    cmocka_unit_test(test_failing_allocations),
	    cmocka_unit_test(test_pieces_are_one_text),
	    cmocka_unit_test(test_a_piece_that_fails_leaves_no_trace),
	    cmocka_unit_test(test_parse),
	    cmocka_unit_test(test_sniff),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
