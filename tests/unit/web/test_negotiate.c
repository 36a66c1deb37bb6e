/* SPDX-License-Identifier: Apache-2.0 */
#include "client.h"
#include "gravel/codec/codec.h"

static void on_big(void *ctx, struct gs_web_request *request) {
	struct gs_buf body;
	(void)ctx;
	gs_buf_init(&body, 4096);
	for (int i = 0; i < 256; i++)
		gs_buf_cstr(&body, "metric 1\n");
	gs_web_answer(request, 200, "text/plain", &body);
}

static void on_small(void *ctx, struct gs_web_request *request) {
	(void)ctx;
	gs_web_answer_text(request, 200, "small\n");
}

static const struct gs_web_route routes[] = {
    {"/big", false, GS_WEB_GET, on_big}, {"/small", false, GS_WEB_GET | GS_WEB_DELETE, on_small}, {0}};

static const struct {
	const char *accept; /* NULL: no header */
	const char *encoding; /* NULL: 406 */
} rows[] = {
    {NULL, ""},
    {"", ""},
    {"gzip", "gzip"},
    {"GZIP", "gzip"},
    {"x-gzip", "gzip"},
    {"zstd", "zstd"},
    {"gzip, deflate, br", "gzip"},
    {"deflate,gzip", "gzip"},
    {"deflate, gzip, br, zstd", "gzip"},
    {"zstd, gzip", "gzip"},
    {"zstd, gzip;q=0.9", "zstd"},
    {"zstd;q=0.5, gzip;q=0.499", "zstd"},
    {"zstd;q=0.5, gzip;q=0.51", "gzip"},
    {"zstd;q=0.123, gzip;q=0.122", "zstd"},
    {"zstd;q=0.1234, gzip;q=0.1239", "gzip"},
    {"br;q=1.0, gzip;q=0.8, *;q=0.1", "gzip"},
    {"gzip;q=0", ""},
    {"gzip;q=0.000", ""},
    {"gzip;q=", "gzip"},
    {"gzip;q=x", "gzip"},
    {"gzip ; q=0", ""},
    {"gzip;Q=0", ""},
    {"gzip;q=0, zstd", "zstd"},
    {"gzip;q=0.001", "gzip"},
    {"gzip;level=1;q=0", ""},
    {"gzip;q=0, gzip", ""},
    {"*", "gzip"},
    {"*;q=0.1", "gzip"},
    {"*;q=0", NULL},
    {"*;q=0, gzip", "gzip"},
    {"*;q=0, identity", ""},
    {"*;q=0, zstd;q=0.1", "zstd"},
    {"*, gzip;q=0", "zstd"},
    {"gzip;q=0, *", "zstd"},
    {"gzip;q=0, zstd;q=0, *", ""},
    {"identity", ""},
    {"identity, gzip", "gzip"},
    {"identity, gzip;q=0.5", ""},
    {"identity;q=0.5, gzip;q=0.4, zstd;q=0.6", "zstd"},
    {"identity;q=0", NULL},
    {"identity;q=0, br", NULL},
    {"identity;q=0.0, gzip;q=0.1", "gzip"},
    {"identity;q=0, *", "gzip"},
    {"gzipped", ""},
    {"gzi", ""},
    {"deflate", ""},
    {",,;,gzip", "gzip"},
};

static void test_table(void **state) {
	(void)state;
	struct gs_web *web = serve(routes, NULL, 1000);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char request[256];
		const char *a = rows[i].accept;
		snprintf(request, sizeof(request), "GET /big HTTP/1.1\r\n" HOST "%s%s%s\r\n",
		    a != NULL ? "Accept-Encoding: " : "", a != NULL ? a : "", a != NULL ? "\r\n" : "");
		struct response r = ask_text(web, request);
		struct gs_str got = field(&r, "Content-Encoding");
		if (r.code != (rows[i].encoding != NULL ? 200 : 406) || !gs_str_eq(got, gs_str_of(rows[i].encoding)))
			fail_msg("Accept-Encoding '%s': %u '%.*s'", a != NULL ? a : "(none)", r.code, GS_FMT(got));
		response_free(&r);
	}
	gs_web_stop(web);
}

/* Who does not take a body as it is gets even a short one compressed; who sends one is not asked. */
static void test_never_plain(void **state) {
	(void)state;
	struct gs_web *web = serve(routes, NULL, 1000);
	static const char *const encodings[] = {"gzip", "zstd"};
	for (size_t i = 0; i < 2; i++) {
		char request[256];
		snprintf(request, sizeof(request),
		    "GET /small HTTP/1.1\r\n" HOST "Accept-Encoding: identity;q=0, %s\r\n\r\n", encodings[i]);
		struct response r = ask_text(web, request);
		struct gs_codec *codec = gs_codec_new();
		struct gs_buf plain;
		gs_buf_init(&plain, 100);
		assert_int_equal(r.code, 200);
		assert_field(&r, "Content-Encoding", encodings[i]);
		assert_field(&r, "Vary", "Accept-Encoding");
		assert_int_equal(
		    gs_codec_decompress(codec, i == 0 ? GS_CODEC_GZIP : GS_CODEC_ZSTD, gs_buf_slice(&r.body), &plain),
		    GS_OK);
		assert_true(gs_str_eq(gs_buf_slice(&plain), GS_STR("small\n")));
		gs_buf_free(&plain);
		gs_codec_free(codec);
		response_free(&r);
	}
	expect(web, "DELETE /small HTTP/1.1\r\n" HOST "Accept-Encoding: *;q=0\r\n\r\n", 200, NULL);
	gs_web_stop(web);
}

int main(void) {
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_table), cmocka_unit_test(test_never_plain)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
