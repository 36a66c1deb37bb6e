/* SPDX-License-Identifier: Apache-2.0 */
#include "client.h"

static void on_big(void *ctx, struct gs_web_request *request) {
	struct gs_buf body;
	(void)ctx;
	gs_buf_init(&body, 4096);
	for (int i = 0; i < 256; i++)
		gs_buf_cstr(&body, "metric 1\n");
	gs_web_answer(request, 200, "text/plain", &body);
}

static const struct gs_web_route routes[] = {{"/big", false, GS_WEB_GET, on_big}, {0}};

static void test_table(void **state) {
	(void)state;
	static const struct {
		const char *accept; /* NULL: no header */
		bool gzip;
	} rows[] = {
	    {NULL, false},
	    {"", false},
	    {"gzip", true},
	    {"GZIP", true},
	    {"x-gzip", true},
	    {"gzip, deflate, br", true},
	    {"deflate,gzip", true},
	    {"br;q=1.0, gzip;q=0.8, *;q=0.1", true},
	    {"gzip;q=0", false},
	    {"gzip;q=0.000", false},
	    {"gzip ; q=0", false},
	    {"gzip;Q=0", false},
	    {"gzip;q=0.001", true},
	    {"gzip;level=1;q=0", false},
	    {"*", true},
	    {"*;q=0", false},
	    {"*, gzip;q=0", false},
	    {"gzip;q=0, *", false},
	    {"identity", false},
	    {"gzipped", false},
	    {"gzi", false},
	    {"deflate, zstd", false},
	    {",,;,gzip", true},
	};
	struct gs_web *web = serve(routes, NULL, 1000);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char request[256];
		const char *a = rows[i].accept;
		snprintf(request, sizeof(request), "GET /big HTTP/1.1\r\n" HOST "%s%s%s\r\n",
		    a != NULL ? "Accept-Encoding: " : "", a != NULL ? a : "", a != NULL ? "\r\n" : "");
		struct response r = ask_text(web, request);
		assert_int_equal(r.code, 200);
		if ((field(&r, "Content-Encoding").n != 0) != rows[i].gzip)
			fail_msg("Accept-Encoding '%s': gzip should be %d", a != NULL ? a : "(none)", rows[i].gzip);
		response_free(&r);
	}
	gs_web_stop(web);
}

int main(void) {
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_table)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
