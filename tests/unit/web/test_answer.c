/* SPDX-License-Identifier: Apache-2.0 */
#include "client.h"
#include "gravel/codec/codec.h"

#define LINE "gravel_example_metric{label=\"value\"} 12345\n"

/* /lines?n=3: so many lines. */
static void on_lines(void *ctx, struct gs_web_request *request) {
	struct gs_buf out;
	uint64_t n = 0;
	(void)ctx;
	assert_int_equal(gs_num_parse_u64(gs_web_query(request, "n", 0), &n), GS_OK);
	gs_buf_init(&out, (size_t)256 * 1024 * 1024);
	for (uint64_t i = 0; i < n; i++)
		gs_buf_cstr(&out, LINE);
	gs_web_answer(request, 200, "text/plain; version=0.0.4", &out);
	assert_null(out.p); /* taken over */
	assert_int_equal(out.n, 0);
}

static void on_nothing(void *ctx, struct gs_web_request *request) {
	(void)ctx;
	gs_web_answer(request, 202, NULL, NULL);
}

/* Bytes that no compression makes smaller. */
static void on_noise(void *ctx, struct gs_web_request *request) {
	struct gs_buf out;
	uint32_t x = 1;
	(void)ctx;
	gs_buf_init(&out, 65536);
	for (int i = 0; i < 20000; i++) {
		x = x * 1664525 + 1013904223;
		gs_buf_char(&out, (char)(x >> 24));
	}
	gs_web_answer(request, 200, "application/octet-stream", &out);
}

static void on_encoded(void *ctx, struct gs_web_request *request) {
	struct gs_buf out;
	(void)ctx;
	gs_buf_init(&out, 65536);
	for (int i = 0; i < 1000; i++)
		gs_buf_cstr(&out, "encoded ");
	gs_web_add_header(request, "Content-Encoding", "br");
	gs_web_answer(request, 200, "text/plain", &out);
}

static void on_headers(void *ctx, struct gs_web_request *request) {
	char name[] = "X-One";
	(void)ctx;
	gs_web_add_header(request, name, "1");
	memcpy(name, "X-Two", sizeof(name)); /* copied */
	gs_web_add_header(request, name, "2");
	gs_web_answer_text(request, 418, "short and stout\n");
}

/* An answer that did not fit into its buffer. */
static void on_overflow(void *ctx, struct gs_web_request *request) {
	struct gs_buf out;
	(void)ctx;
	gs_buf_init(&out, 10);
	gs_buf_cstr(&out, "far more than ten bytes");
	gs_web_answer(request, 200, "text/plain", &out);
}

static void on_silence(void *ctx, struct gs_web_request *request) {
	(void)ctx;
	(void)request;
}

static const struct gs_web_route routes[] = {
    {"/lines", false, GS_WEB_GET, on_lines},
    {"/nothing", false, GS_WEB_GET, on_nothing},
    {"/noise", false, GS_WEB_GET, on_noise},
    {"/encoded", false, GS_WEB_GET, on_encoded},
    {"/headers", true, GS_WEB_GET, on_headers},
    {"/overflow", false, GS_WEB_GET, on_overflow},
    {"/silence", false, GS_WEB_GET, on_silence},
    {0},
};

static struct gs_web *web;

static int setup(void **state) {
	(void)state;
	web = serve(routes, NULL, 1000);
	return 0;
}

static int teardown(void **state) {
	(void)state;
	gs_web_stop(web);
	return 0;
}

#define GZIP "Accept-Encoding: gzip\r\n"

static struct response fetch(const char *method, const char *target, const char *headers) {
	char request[256];
	snprintf(request, sizeof(request), "%s %s HTTP/1.1\r\n" HOST "%s\r\n", method, target, headers);
	return ask_text(web, request);
}

/* Only from 1 KiB on, and only for those who ask. */
static void test_gzip(void **state) {
	(void)state;
	size_t small = 1023 / (sizeof(LINE) - 1);
	static const struct {
		const char *headers;
		bool big;
		bool zipped;
	} rows[] = {{"", false, false}, {GZIP, false, false}, {"", true, false}, {GZIP, true, true}};
	for (size_t i = 0; i < 4; i++) {
		char target[64];
		size_t lines = small + rows[i].big;
		snprintf(target, sizeof(target), "/lines?n=%zu", lines);
		struct response r = fetch("GET", target, rows[i].headers);
		assert_int_equal(r.code, 200);
		assert_field(&r, "Content-Type", "text/plain; version=0.0.4");
		assert_field(&r, "Content-Encoding", rows[i].zipped ? "gzip" : "");
		assert_field(&r, "Vary", rows[i].big ? "Accept-Encoding" : "");
		struct gs_buf plain;
		struct gs_codec *codec = gs_codec_new();
		gs_buf_init(&plain, 100000);
		assert_int_equal(gs_codec_decompress(codec, rows[i].zipped ? GS_CODEC_GZIP : GS_CODEC_IDENTITY,
				     gs_buf_slice(&r.body), &plain),
		    GS_OK);
		assert_int_equal(plain.n, lines * (sizeof(LINE) - 1));
		assert_memory_equal(plain.p, LINE, sizeof(LINE) - 1);
		assert_true(rows[i].zipped == (r.body.n < plain.n));
		gs_codec_free(codec);
		gs_buf_free(&plain);
		response_free(&r);
	}
}

static void test_not_worth_it(void **state) {
	(void)state;
	struct response r = fetch("GET", "/noise", GZIP);
	assert_field(&r, "Content-Encoding", "");
	assert_field(&r, "Vary", "Accept-Encoding");
	assert_int_equal(r.body.n, 20000);
	response_free(&r);
	r = fetch("GET", "/encoded", GZIP);
	assert_field(&r, "Content-Encoding", "br");
	assert_int_equal(r.body.n, 8000);
	response_free(&r);
}

static void test_large(void **state) {
	(void)state;
	struct response r = fetch("GET", "/lines?n=500000", "");
	assert_int_equal(r.body.n, 500000 * (sizeof(LINE) - 1));
	assert_memory_equal(r.body.p + r.body.n - (sizeof(LINE) - 1), LINE, sizeof(LINE) - 1);
	response_free(&r);
}

/* HEAD says what GET would, and sends no body. */
static void test_head(void **state) {
	(void)state;
	static const char *const targets[] = {"/lines?n=1", "/lines?n=100", "/nothing", "/none"};
	for (size_t i = 0; i < 4; i++) {
		for (int zipped = 0; zipped < 2; zipped++) {
			struct response a = fetch("GET", targets[i], zipped ? GZIP : "");
			struct response b = fetch("HEAD", targets[i], zipped ? GZIP : "");
			static const char *const same[] = {
			    "Content-Length", "Content-Type", "Content-Encoding", "Vary"};
			assert_int_equal(a.code, b.code);
			for (size_t f = 0; f < 4; f++)
				assert_true(gs_str_eq(field(&a, same[f]), field(&b, same[f])));
			response_free(&a);
			response_free(&b);
		}
	}
	/* Nothing follows the head: the next answer on the connection is the next answer. */
	int fd = dial(web);
	put(fd, GS_STR("HEAD /lines?n=100 HTTP/1.1\r\n" HOST "\r\nGET /nothing HTTP/1.1\r\n" HOST "\r\n"));
	struct response head = read_response(fd, true);
	struct response next = read_response(fd, false);
	assert_int_equal(head.code, 200);
	assert_int_equal(next.code, 202);
	response_free(&head);
	response_free(&next);
	close(fd);
}

static void test_empty(void **state) {
	(void)state;
	struct response r = fetch("GET", "/nothing", GZIP);
	assert_int_equal(r.code, 202);
	assert_field(&r, "Content-Length", "0");
	assert_field(&r, "Content-Type", "");
	assert_field(&r, "Vary", "");
	response_free(&r);
}

static void test_headers(void **state) {
	(void)state;
	struct response r = fetch("GET", "/headers", "");
	assert_int_equal(r.code, 418);
	assert_field(&r, "X-One", "1");
	assert_field(&r, "X-Two", "2");
	assert_field(&r, "Content-Type", "text/plain; charset=utf-8");
	assert_body(&r, "short and stout\n");
	response_free(&r);
}

/* Mistakes of ours are answers too. */
static void test_mistakes(void **state) {
	(void)state;
	struct response r = fetch("GET", "/overflow", "");
	assert_int_equal(r.code, 500);
	response_free(&r);
	r = fetch("GET", "/silence", "");
	assert_int_equal(r.code, 500);
	response_free(&r);
}

static void test_counted(void **state) {
	(void)state;
	gs_telemetry_reset();
	for (int i = 0; i < 3; i++)
		expect(web, "GET /headers/with/more HTTP/1.1\r\n" HOST "\r\n", 418, NULL);
	expect(web, "HEAD /lines?n=100 HTTP/1.1\r\n" HOST "\r\n", 200, NULL);
	assert_true(gs_metric_get(GS_M_HTTP_BYTES, NULL, NULL) == 3 * strlen("short and stout\n"));
	expect(web, "DELETE /headers HTTP/1.1\r\n" HOST "\r\n", 405, NULL);
	expect(web, "GET /no/such/path HTTP/1.1\r\n" HOST "\r\n", 404, NULL);
	expect(web, "PUT /neither HTTP/1.1\r\n" HOST "\r\n", 404, NULL);
	assert_true(gs_metric_get(GS_M_HTTP_REQUESTS, "/headers", "418") == 3);
	assert_true(gs_metric_get(GS_M_HTTP_REQUESTS, "/headers", "405") == 1);
	assert_true(gs_metric_get(GS_M_HTTP_REQUESTS, "/lines", "200") == 1);
	assert_true(gs_metric_get(GS_M_HTTP_REQUESTS, "other", "404") == 2);
	double before = gs_metric_get(GS_M_HTTP_BYTES, NULL, NULL);
	struct response r = fetch("GET", "/lines?n=1000", GZIP);
	assert_true(gs_metric_get(GS_M_HTTP_BYTES, NULL, NULL) - before == (double)r.body.n); /* as sent */
	response_free(&r);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_gzip),
	    cmocka_unit_test(test_not_worth_it),
	    cmocka_unit_test(test_large),
	    cmocka_unit_test(test_head),
	    cmocka_unit_test(test_empty),
	    cmocka_unit_test(test_headers),
	    cmocka_unit_test(test_mistakes),
	    cmocka_unit_test(test_counted),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
