/* SPDX-License-Identifier: Apache-2.0 */
/* Every kind of blocks reads as the general reader does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dump.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct gs_expo_options text = {.format = GS_FORMAT_TEXT};
static const struct gs_expo_options openmetrics = {.format = GS_FORMAT_OPENMETRICS};
static const struct gs_expo_options openmetrics_utf8 = {.format = GS_FORMAT_OPENMETRICS, .utf8_names = true};
static const struct gs_expo_options few = {.format = GS_FORMAT_TEXT, .max_samples = 2};

/* The slices of a sample stand in its own line, as far as they need no unescaping. */
static void check_slices(const struct gs_expo_event *e, struct gs_str body) {
	if (e->kind != GS_EXPO_SAMPLE)
		return;
	const char *end = e->series.p + e->series.n;
	assert_true(e->series.p >= body.p && end <= body.p + body.n);
	for (size_t i = 0; i < e->nlabels; i++) {
		const char *p = e->labels[i].value.p;
		bool in_body = p >= body.p && p < body.p + body.n;
		assert_true(!in_body || (p > e->series.p && p + e->labels[i].value.n < end));
	}
}

/* All events and errors of body, read with blocks. */
static void dump_all(
    struct gs_expo_parser *parser, const struct gs_expo_options *options, struct gs_str body, struct gs_buf *out) {
	struct gs_expo_event event = {.kind = GS_EXPO_SAMPLE};
	gs_expo_begin(parser, options);
	gs_expo_feed(parser, body, true);
	for (bool more = true; more;) {
		struct gs_error err = {0};
		enum gs_status status = gs_expo_next(parser, &event, &err);
		if (status == GS_OK) {
			gs_buf_printf(out, "%u %zu ", event.line, gs_expo_used(parser));
			gs_buf_str(out, event.series);
			dump_event(out, &event);
			check_slices(&event, body);
			more = event.kind != GS_EXPO_END;
		} else {
			gs_buf_printf(out, "%u:%u %s;", err.line, err.column, err.text);
			more = gs_expo_recover(parser);
		}
	}
	gs_buf_char(out, '\0');
	assert_int_equal(out->status, GS_OK);
}

/* body as memory of exactly its size, read with every kind of blocks. */
static void check_alike(struct gs_expo_parser *parser, const struct gs_expo_options *options, struct gs_str body) {
	struct gs_buf want, out;
	char *copy = malloc(body.n != 0 ? body.n : 1);
	assert_non_null(copy);
	memcpy(copy, body.p, body.n);
	gs_buf_init(&want, 1 << 22);
	gs_buf_init(&out, 1 << 22);
	assert_true(gs_expo_use_blocks(parser, GS_EXPO_BLOCKS_NONE));
	dump_all(parser, options, gs_str_make(copy, body.n), &want);
	for (int blocks = GS_EXPO_BLOCKS_PLAIN; blocks <= GS_EXPO_BLOCKS_AVX2; blocks++) {
		if (!gs_expo_use_blocks(parser, (enum gs_expo_blocks)blocks))
			continue;
		gs_buf_clear(&out);
		dump_all(parser, options, gs_str_make(copy, body.n), &out);
		if (strcmp(out.p, want.p) != 0)
			fail_msg("blocks %d of '%.*s': %s not %s", blocks, GS_FMT(body), out.p, want.p);
	}
	gs_buf_free(&want);
	gs_buf_free(&out);
	free(copy);
}

static void check_as_all(struct gs_expo_parser *parser, struct gs_str body) {
	check_alike(parser, &text, body);
	check_alike(parser, &openmetrics, body);
	check_alike(parser, &openmetrics_utf8, body);
	check_alike(parser, &few, body);
}

static void test_which_blocks(void **state) {
	(void)state;
	struct gs_expo_parser *parser = gs_expo_parser_new();
	assert_true(gs_expo_use_blocks(parser, GS_EXPO_BLOCKS_NONE));
	assert_true(gs_expo_use_blocks(parser, GS_EXPO_BLOCKS_PLAIN));
#ifdef __x86_64__
	assert_true(gs_expo_use_blocks(parser, GS_EXPO_BLOCKS_SSE2));
#else
	assert_false(gs_expo_use_blocks(parser, GS_EXPO_BLOCKS_SSE2));
	assert_false(gs_expo_use_blocks(parser, GS_EXPO_BLOCKS_AVX2));
#endif
	gs_expo_parser_free(parser);
}

/* Lines that have much in common with the one before, each of which the reader may begin with what it knows. */
static const char *const lines[] = {
    "http_bucket{job=\"api\",instance=\"app-01.example.com:9100\",method=\"GET\",le=\"0.5\"} 12\n",
    "http_bucket{job=\"api\",instance=\"app-01.example.com:9100\",method=\"GET\",le=\"+Inf\"} 13\n",
    "http_sum{job=\"api\",instance=\"app-01.example.com:9100\",method=\"GET\"} 1.5e-3\n",
    "http_count{job=\"api\",instance=\"app-01.example.com:9100\",method=\"GET\"} 13\n",
    "http_count{job=\"api\",instance=\"app-01.example.com:9100\",method=\"GETS\"} 13\n",
    "http_count{job=\"api\",instance=\"app-01.example.com:9100\",methods=\"GET\"} 13\n",
    "http_count{job=\"api\",instance=\"app-01.example.com:9100\",method=\"GET\",job=\"x\"} 13\n",
    "http_count{job=\"api\",instance=\"app-01.example.com:9100\",method=\"GET\",} 13\n",
    "http_count{job=\"api\",instance=\"app-01.example.com:9100\" ,method=\"GET\"} 13\n",
    "http_count{instance=\"app-01.example.com:9100\",job=\"api\",method=\"GET\"} 13\n",
    "http_count{job=\"\",instance=\"\",method=\"\"} 13\n",
    "http_count{job=\"a\\\"i\",instance=\"\\n\",method=\"GET\"} 13\n",
    "http_count{job=\"\xc3\xa4\xe2\x82\xac\",instance=\"app-01.example\xc3\xa4\",method=\"\xf0\x9f\x98\x80GET\"} 13\n",
    "http_count{job=\"\xc3\",instance=\"app\",method=\"GET\"} 13\n",
    "http_count{} 13\n",
    "http_count 13\n",
    "http_count 13 1395066363000\n",
    "http_count{job=\"api\",instance=\"app-01.example.com:9100\"} 13 # {trace=\"x\"} 1 1.5\n",
    "http_count{job=\"api\",instance=\"app-01.example.com:9100\"} 13 \r\n",
    "http_count{job=\"api\",instance=\"app-01.example.com:9100\"} 13\r\n",
    "http_count{job=\"api\",instance=\"app-01.example.com:9100\"} 13\rx\n",
    "http_count{job=\"api\",instance=\"app-01.example.com:9100\"} NaN\n",
    "http_count{job=\"api\",instance=\"app-01.example.com:9100\"} -Inf\n",
    "http_count{job=\"api\",instance=\"app-01.example.com:9100\"} 1e999\n",
    "http_count{job=\"api\",instance=\"app-01.example.com:9100\"} 0x1p4\n",
    "http_count{__name__=\"api\",instance=\"app-01.example.com:9100\"} 1\n",
    "{\"http.count\"} 1\n",
    "{\"http.count\",job=\"api\"} 1\n",
    "{\"http.count\",job=\"api\",\"instance\"=\"app-01.example.com:9100\",\"me.od\"=\"x\"} 1\n",
    "{\"http.count\",job=\"api\",\"instance\"=\"app-01.example.com:9100\",\"me.od\"=\"y\",le=\"1\"} 1\n",
    "{\"http.counts\",job=\"api\",\"instance\"=\"app-01.example.com:9100\",\"me.od\"=\"y\",le=\"2\"} 1\n",
    "{\"http.count\\n\",job=\"api\",\"inst\\n\"=\"app-01.example.com:9100\"} 1\n",
    "{\"http.\xc3\xa4\",job=\"api\",\"\xc3\xa4\"=\"app-01.example.com:9100\",\"\xc3\"=\"\"} 1\n",
    "{job=\"api\",\"http.count\",instance=\"app-01.example.com:9100\"} 1\n",
    "{\"http.count\" ,job=\"api\"} 1\n",
    "{\"http.count\",\"__name__\"=\"api\",job=\"x\",\"job\"=\"y\"} 1\n",
    "{\"http.count\",job=\"api\",\"job\"=\"y\"} 1\n",
    "http_count{\"http.count\",job=\"api\"} 1\n",
    "{\"\",job=\"api\"} 1\n",
    "# HELP \"http.count\" text\n",
    "# TYPE \"http.count\" counter\n",
    "# HELP http_count a \"text\" of \\n \\\\ \xc3\xa4\n",
    "# HELP http_count \n",
    "# HELP http_count\n",
    "# HELP \"http.count\n",
    "# TYPE http untyped\n",
    "# TYPE http bogus\n",
    "http_count{job=\"C:\\\\dir\\\\\",instance=\"\\\"\\\"\",method=\"\\n\"} 13\n",
    "http_count{job=\"C:\\\\dir\\\\\",instance=\"\\\"\\\"\",method=\"\\n2\"} 13\n",
    "http_count{job=\"\\\xc3\xa4\",instance=\"\\\xc3\",method=\"\\q\"} 13\n",
    "http_count{job=\"\\\n",
    "http_count{job=\"api\\\",instance=\"app-01.example.com:9100\"} 1\n",
    "{\"http.count\",job=\"api\",instance=\"app-01.example.com:9100\"} 1\n",
    "http_count{\"job\"=\"api\",instance=\"app-01.example.com:9100\"} 1\n",
    "# TYPE http histogram\n",
    "\n",
    " http_count{job=\"api\"} 1\n",
    "http_count{job=\"a\tp\x01i\",instance=\"\x7f\"} 1\n",
    "http_count{job=\"api\"} 1\t2\n",
    "http_count{job=\"api\"} 1\x01\n",
};

static void test_every_pair(void **state) {
	(void)state;
	struct gs_expo_parser *parser = gs_expo_parser_new();
	for (size_t i = 0; i < COUNT(lines); i++) {
		for (size_t k = 0; k < COUNT(lines); k++) {
			char body[1000];
			int n = snprintf(body, sizeof(body), "%s%s%s%s", lines[i], lines[k], lines[i], lines[k]);
			check_as_all(parser, gs_str_make(body, (size_t)n));
		}
	}
	gs_expo_parser_free(parser);
}

/* The window ends at every place of the second line, and at every distance behind it. */
static void test_every_end(void **state) {
	(void)state;
	struct gs_expo_parser *parser = gs_expo_parser_new();
	for (size_t i = 0; i < COUNT(lines); i++) {
		char body[1000];
		int n = snprintf(body, sizeof(body), "%s%s#%s", lines[0], lines[i], PAD64);
		for (size_t k = strlen(lines[0]); k <= (size_t)n; k++)
			check_alike(parser, &text, gs_str_make(body, k));
	}
	gs_expo_parser_free(parser);
}

/* Every byte of a line that follows its like, changed to every other. */
static void test_every_byte(void **state) {
	(void)state;
	struct gs_expo_parser *parser = gs_expo_parser_new();
	static const char *const bodies[] = {
	    "a_b{job=\"api\",le=\"0.5\"} 12\na_b{job=\"api\",le=\"1.5\"} -1.5e3\n#" PAD64,
	    "{\"a.b\",job=\"\\n\",\"l.e\"=\"1\"} 1\n{\"a.b\",job=\"\\n\",\"l.e\"=\"2\"} 1\n#" PAD64,
	    "# TYPE a gauge\n# HELP a_b c\\n\n#" PAD64,
	};
	for (size_t i = 0; i < COUNT(bodies); i++) {
		char body[200];
		size_t n = strlen(bodies[i]);
		for (const char *p = strchr(bodies[i], '\n') + 1; p < bodies[i] + n - 65; p++) {
			for (int c = 0; c < 256; c++) {
				memcpy(body, bodies[i], n);
				body[p - bodies[i]] = (char)c;
				check_alike(parser, &text, gs_str_make(body, n));
				check_alike(parser, &openmetrics_utf8, gs_str_make(body, n));
			}
		}
	}
	gs_expo_parser_free(parser);
}

static uint32_t next_random(uint32_t *seed) {
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

/* Bodies made of pieces of the lines, so that what is compared ends anywhere. */
static void test_spliced_lines(void **state) {
	(void)state;
	struct gs_expo_parser *parser = gs_expo_parser_new();
	uint32_t seed = 1;
	for (int round = 0; round < 3000; round++) {
		struct gs_buf body;
		gs_buf_init(&body, 1 << 16);
		for (int i = 0; i < 6; i++) {
			const char *a = lines[next_random(&seed) % COUNT(lines)];
			const char *b = lines[next_random(&seed) % COUNT(lines)];
			size_t at = next_random(&seed) % (strlen(a) + 1);
			gs_buf_add(&body, a, at);
			gs_buf_cstr(&body, b + (at < strlen(b) ? at : strlen(b) - 1));
		}
		check_as_all(parser, gs_buf_slice(&body));
		gs_buf_free(&body);
	}
	gs_expo_parser_free(parser);
}

/* What the fast reader must leave alone: lines, names, values and labels beyond the limits. */
static void check_long(const char *before, size_t n, const char *after) {
	struct gs_expo_parser *parser = gs_expo_parser_new();
	struct gs_buf body;
	gs_buf_init(&body, 4 << 20);
	gs_buf_cstr(&body, "a{b=\"c\"} 1\n");
	gs_buf_cstr(&body, before);
	char *at = gs_buf_reserve(&body, n);
	assert_non_null(at);
	memset(at, 'x', n);
	body.n += n;
	gs_buf_cstr(&body, after);
	gs_buf_cstr(&body, "\n" PAD64);
	check_alike(parser, &text, gs_buf_slice(&body));
	gs_buf_free(&body);
	gs_expo_parser_free(parser);
}

static void test_limits(void **state) {
	(void)state;
	for (size_t n = 0; n < 2; n++) {
		check_long("", GS_LIMIT_NAME + n, " 1");
		check_long("", GS_LIMIT_NAME + n, "{b=\"c\"} 1");
		check_long("a{", GS_LIMIT_NAME + n, "=\"c\"} 1");
		check_long("a{b=\"", GS_LIMIT_LABEL_VALUE + n, "\"} 1");
		check_long("a{b=\"", GS_LIMIT_LABEL_VALUE - 1 + n, "\\n\"} 1");
		check_long("a{b=\"\\n\",c=\"", GS_LIMIT_LABEL_VALUE - 3 + n, "\\n\"} 1");
		check_long("{\"", GS_LIMIT_NAME + n, "\"} 1");
		check_long("a{\"", GS_LIMIT_NAME + n, "\"=\"\"} 1");
		check_long("# TYPE ", GS_LIMIT_NAME + n, " gauge");
		check_long("# TYPE \"", GS_LIMIT_NAME + n, "\" gauge");
		check_long("# HELP a ", GS_LIMIT_LABEL_VALUE + n, "");
		check_long("a{b=\"c\"} 1 ", GS_LIMIT_LINE - 11 + n, "");
	}
}

static void test_many_labels(void **state) {
	(void)state;
	struct gs_expo_parser *parser = gs_expo_parser_new();
	for (size_t n = GS_LIMIT_LABELS - 1; n <= GS_LIMIT_LABELS + 1; n++) {
		struct gs_buf body;
		gs_buf_init(&body, 1 << 20);
		for (int line = 0; line < 3; line++) {
			gs_buf_cstr(&body, "a{");
			for (size_t i = 0; i < n; i++)
				gs_buf_printf(
				    &body, "%sl%zu=\"%zu\"", i != 0 ? "," : "", i, i < n - 1 ? i : i + (size_t)line);
			gs_buf_cstr(&body, "} 1\n");
		}
		gs_buf_cstr(&body, "#" PAD64);
		check_alike(parser, &text, gs_buf_slice(&body));
		gs_buf_free(&body);
	}
	gs_expo_parser_free(parser);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_which_blocks),
	    cmocka_unit_test(test_every_pair),
	    cmocka_unit_test(test_every_end),
	    cmocka_unit_test(test_every_byte),
	    cmocka_unit_test(test_spliced_lines),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_many_labels),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
