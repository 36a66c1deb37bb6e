/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "gravel/base/mem.h"
#include "intake.h"

static const struct gs_label of_target[] = {
    {GS_STR_INIT("instance"), GS_STR_INIT("i")}, {GS_STR_INIT("job"), GS_STR_INIT("j")}};

struct fixture {
	struct gs_intake *intake;
	struct gs_codec *codec;
	struct gs_series_set *series;
	struct gs_buf sent; /* the parts, decompressed, one after the other */
};

static struct fixture fixture_new(void) {
	struct fixture f = {gs_intake_new(), gs_codec_new(), gs_series_set_new(), {0}};
	assert_true(f.intake != NULL && f.codec != NULL && f.series != NULL);
	gs_buf_init(&f.sent, SIZE_MAX);
	return f;
}

static void fixture_free(struct fixture *f) {
	gs_intake_free(f->intake);
	gs_codec_free(f->codec);
	gs_series_set_free(f->series);
	gs_buf_free(&f->sent);
}

static void begin(struct fixture *f, const char *content_type, size_t part_size, struct gs_transform *transform) {
	struct gs_intake_options options = {
	    .content_type = gs_str_of(content_type),
	    .series = f->series,
	    .transform = transform,
	    .labels = of_target,
	    .nlabels = 2,
	    .pieces = transform != NULL,
	    .codec = f->codec,
	    .part_size = part_size,
	};
	gs_intake_begin(f->intake, &options);
}

/* Feed ${body} in pieces of ${n} bytes, whole with 0. */
static void feed(struct fixture *f, struct gs_str body, size_t n) {
	size_t at = 0;
	for (; n != 0 && body.n - at > n; at += n) {
		if (!gs_intake_feed(f->intake, gs_str_make(body.p + at, n), false))
			return;
	}
	(void)gs_intake_feed(f->intake, gs_str_make(body.p + at, body.n - at), true);
}

static void unpack(struct fixture *f, const struct gs_intake_result *result, size_t part_size) {
	gs_buf_clear(&f->sent);
	for (size_t i = 0; i < result->nparts; i++) {
		size_t before = f->sent.n;
		assert_int_equal(gs_codec_decompress(f->codec, GS_CODEC_ZSTD, result->parts[i].data, &f->sent), GS_OK);
		assert_int_equal(f->sent.n - before, result->parts[i].size);
		assert_in_range(result->parts[i].size, 1, part_size);
	}
}

static const char *const text =
    "# HELP a text\n# TYPE a counter\na{b=\"c\"} 1\na{b=\"d\"} 2 1000\n"
    "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\nlast 5";

/* However it is cut, what is sent is what came. */
static void test_every_cut_gives_the_same(void **state) {
	(void)state;
	struct fixture f = fixture_new();
	static const size_t part_sizes[] = {10, 60, 100000};
	struct gs_str body = gs_str_of(text);
	for (size_t p = 0; p < 3; p++) {
		for (size_t n = 0; n <= body.n; n++) {
			struct gs_intake_result result = {0};
			begin(&f, "text/plain; version=0.0.4", part_sizes[p], NULL);
			feed(&f, body, n);
			assert_int_equal(gs_intake_end(f.intake, &result, NULL), GS_OK);
			assert_int_equal(result.samples, 7);
			assert_int_equal(result.series_added, p == 0 && n == 0 ? 7 : 0);
			assert_int_equal(result.format.format, GS_FORMAT_TEXT);
			unpack(&f, &result, part_sizes[p]);
			assert_true(gs_str_eq(gs_buf_slice(&f.sent), body));
			if (p == 2)
				assert_int_equal(result.nparts, 1);
		}
	}
	fixture_free(&f);
}

static void test_errors_have_their_place_however_cut(void **state) {
	(void)state;
	struct fixture f = fixture_new();
	struct gs_str body = GS_STR("a 1\nb 2\nc{x=\"y\"} zzz\nd 4\n");
	for (size_t n = 0; n <= body.n; n++) {
		struct gs_intake_result result;
		struct gs_error err = {0};
		begin(&f, "", 1000, NULL);
		feed(&f, body, n);
		assert_int_equal(gs_intake_end(f.intake, &result, &err), GS_EINVAL);
		assert_int_equal(err.line, 3);
		assert_int_equal(err.column, 10);
		assert_false(gs_intake_feed(f.intake, GS_STR("a 1\n"), true));
	}
	assert_int_equal(gs_series_set_count(f.series), 0);
	fixture_free(&f);
}

static void test_nothing_is_no_part(void **state) {
	(void)state;
	struct fixture f = fixture_new();
	struct gs_intake_result result = {.nparts = 9};
	begin(&f, "", 1000, NULL);
	feed(&f, GS_STR(""), 0);
	assert_int_equal(gs_intake_end(f.intake, &result, NULL), GS_OK);
	assert_int_equal(result.nparts, 0);
	/* Its end never came. */
	begin(&f, "", 1000, NULL);
	assert_true(gs_intake_feed(f.intake, GS_STR("a 1\n"), false));
	assert_int_equal(gs_intake_end(f.intake, &result, NULL), GS_EINVAL);
	fixture_free(&f);
}

static void test_formats(void **state) {
	(void)state;
	struct fixture f = fixture_new();
	struct gs_intake_result result;
	struct gs_error err = {0};
	begin(&f, "application/openmetrics-text; version=1.0.0; escaping=allow-utf-8", 1000, NULL);
	feed(&f, GS_STR("# TYPE a counter\na_total 1\n# EOF\n"), 5);
	assert_int_equal(gs_intake_end(f.intake, &result, NULL), GS_OK);
	assert_true(result.format.format == GS_FORMAT_OPENMETRICS && result.format.utf8_names);
	begin(&f, "application/openmetrics-text; version=1.0.0", 1000, NULL);
	feed(&f, GS_STR("a 1\n"), 0);
	assert_int_equal(gs_intake_end(f.intake, &result, &err), GS_EINVAL); /* no end */
	begin(&f, "application/vnd.google.protobuf; proto=other.Message; encoding=delimited", 1000, NULL);
	feed(&f, GS_STR("a 1\n"), 0);
	assert_int_equal(gs_intake_end(f.intake, &result, &err), GS_EUNSUPPORTED);
	assert_string_not_equal(err.text, "");
	fixture_free(&f);
}

static void test_more_parts_than_a_scrape_may_have(void **state) {
	(void)state;
	struct fixture f = fixture_new();
	struct gs_intake_result result;
	struct gs_error err = {0};
	struct gs_buf body;
	gs_buf_init(&body, SIZE_MAX);
	for (int i = 0; i < GS_LIMIT_PARTS + 1; i++)
		gs_buf_printf(&body, "a%04d 1\n", i);
	for (size_t n = 0; n <= 1000; n += 1000) {
		begin(&f, "", 8, NULL);
		feed(&f, gs_buf_slice(&body), n);
		assert_int_equal(gs_intake_end(f.intake, &result, &err), GS_ELIMIT);
		assert_string_equal(err.text, "an exposition is larger than what can be sent");
		begin(&f, "", 8, NULL);
		feed(&f, gs_str_make(body.p, body.n - 8), n);
		assert_int_equal(gs_intake_end(f.intake, &result, &err), GS_OK);
		assert_int_equal(result.nparts, GS_LIMIT_PARTS);
	}
	gs_buf_free(&body);
	fixture_free(&f);
}

struct job {
	struct gs_transform_options options;
	const char *sent; /* of the text below */
	uint64_t kept;
};

/* What a job does to an exposition does not depend on how that is cut; and while one comes in pieces others of the job come whole. */
static void test_transforms_of_a_body_in_pieces(void **state) {
	(void)state;
	static const char *const name = "__name__";
	static const struct gs_clearmode_rule sum = {.metric = "a", .clearmode = "sum"};
	static const struct gs_relabel_rule drop = {
	    .action = GS_RELABEL_DROP, .source_labels = &name, .nsource_labels = 1, .separator = ";", .regex = "b"};
	static const struct job jobs[] = {
	    {{.honor_timestamps = true}, "a 1\nb 2\nc 3\n", 3},
	    {{.honor_timestamps = true, .clearmodes = &sum, .nclearmodes = 1}, "a{clearmode=\"sum\"} 1\nb 2\nc 3\n", 3},
	    {{.honor_timestamps = true, .relabel = &drop, .nrelabel = 1}, "a 1\nc 3\n", 2},
	};
	struct fixture f = fixture_new(), other = fixture_new();
	struct gs_str body = GS_STR("a 1\nb 2\nc 3\n");
	for (size_t j = 0; j < 3; j++) {
		struct gs_transform *transform = NULL;
		struct gs_intake_result result;
		assert_int_equal(gs_transform_new(&jobs[j].options, &transform, NULL), GS_OK);
		for (size_t n = 0; n < body.n; n++) {
			begin(&f, "", 1000, transform);
			if (n != 0)
				assert_true(gs_intake_feed(f.intake, gs_str_make(body.p, n), false));
			begin(&other, "", 1000, transform);
			feed(&other, body, 0);
			assert_int_equal(gs_intake_end(other.intake, &result, NULL), GS_OK);
			unpack(&other, &result, 1000);
			assert_true(gs_str_eq(gs_buf_slice(&other.sent), gs_str_of(jobs[j].sent)));
			feed(&f, gs_str_make(body.p + n, body.n - n), 1);
			assert_int_equal(gs_intake_end(f.intake, &result, NULL), GS_OK);
			assert_int_equal(result.samples, 3);
			assert_int_equal(result.kept, jobs[j].kept);
			unpack(&f, &result, 1000);
			assert_true(gs_str_eq(gs_buf_slice(&f.sent), gs_str_of(jobs[j].sent)));
		}
		gs_intake_drop(f.intake);
		gs_intake_drop(other.intake);
		gs_transform_free(transform);
	}
	fixture_free(&f);
	fixture_free(&other);
}

/* Rollups take one scrape after the other, so the body waits until it is whole. */
static void test_a_rollup_of_a_body_in_pieces(void **state) {
	(void)state;
	struct gs_rollup_rule rule = {.op = GS_ROLLUP_SUM, .of = "a", .as = "sum_of_a", .drop = true};
	struct gs_rollup *rollup = NULL;
	struct gs_transform *transform = NULL;
	struct fixture f = fixture_new();
	struct gs_intake_result result;
	struct gs_buf sum;
	gs_buf_init(&sum, SIZE_MAX);
	assert_int_equal(gs_rollup_new(&rule, 1, 1000, &rollup, NULL), GS_OK);
	struct gs_transform_options options = {.honor_timestamps = true, .rollup = rollup};
	assert_int_equal(gs_transform_new(&options, &transform, NULL), GS_OK);
	begin(&f, "", 1000, transform);
	feed(&f, GS_STR("a{x=\"1\"} 1\na{x=\"2\"} 2\nb 3\n"), 3);
	assert_int_equal(gs_intake_end(f.intake, &result, NULL), GS_OK);
	unpack(&f, &result, 1000);
	assert_true(gs_str_eq(gs_buf_slice(&f.sent), GS_STR("b 3\n")));
	assert_int_equal(gs_rollup_write(rollup, &sum), GS_OK);
	gs_buf_char(&sum, '\0');
	assert_non_null(strstr(sum.p, " 3\n"));
	gs_intake_drop(f.intake);
	gs_transform_free(transform);
	gs_rollup_free(rollup);
	gs_buf_free(&sum);
	fixture_free(&f);
}

static void test_out_of_memory(void **state) {
	(void)state;
	for (size_t piece = 0; piece <= 20; piece += 20) {
		for (int n = 0;; n++) {
			struct gs_intake_result result = {0};
			struct gs_error err = {0};
			gs_mem_fail_after(n);
			struct gs_codec *codec = gs_codec_new();
			struct gs_series_set *series = gs_series_set_new();
			struct gs_intake *intake = gs_intake_new();
			struct fixture f = {intake, codec, series, {0}};
			enum gs_status status = GS_ENOMEM;
			if (codec != NULL && series != NULL && intake != NULL) {
				begin(&f, "", 30, NULL);
				feed(&f, gs_str_of(text), piece);
				status = gs_intake_end(intake, &result, &err);
			}
			bool failed = gs_mem_failed();
			gs_mem_fail_after(-1);
			/* To give memory back may fail. */
			assert_true(status == GS_OK || (failed && status == GS_ENOMEM));
			if (failed && err.text[0] != '\0')
				assert_string_equal(err.text, "out of memory");
			fixture_free(&f);
			if (!failed) {
				assert_true(n > 4);
				break;
			}
		}
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_cut_gives_the_same),
	    cmocka_unit_test(test_errors_have_their_place_however_cut),
	    cmocka_unit_test(test_nothing_is_no_part),
	    cmocka_unit_test(test_formats),
	    cmocka_unit_test(test_more_parts_than_a_scrape_may_have),
	    cmocka_unit_test(test_transforms_of_a_body_in_pieces),
	    cmocka_unit_test(test_a_rollup_of_a_body_in_pieces),
	    cmocka_unit_test(test_out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
