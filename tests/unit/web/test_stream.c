/* SPDX-License-Identifier: Apache-2.0 */
#include <stdatomic.h>

#include "client.h"

#define PIECE ((size_t)50000)
#define FOR_EVER 1000000

/* A stream of so many pieces, each of its own letter; then it ends, or fails. */
struct source {
	uint64_t pieces;
	uint64_t made;
	enum gs_status end;
	const char *text; /* of the error */
	char piece[PIECE];
};

static atomic_int alive;
static atomic_int most_made;

static enum gs_status source_next(void *ctx, struct gs_str *ret, struct gs_error *err) {
	struct source *source = ctx;
	if (source->made == source->pieces) {
		*ret = (struct gs_str){0};
		return source->end == GS_OK ? GS_OK : gs_error_set(err, source->end, 0, 0, "%s", source->text);
	}
	memset(source->piece, 'a' + (int)(source->made++ % 26), PIECE);
	atomic_store(&most_made, (int)source->made);
	*ret = gs_str_make(source->piece, PIECE);
	return GS_OK;
}

static void source_free(void *ctx) {
	gs_free(ctx);
	atomic_fetch_sub(&alive, 1);
}

static uint64_t number(struct gs_web_request *request, const char *name) {
	uint64_t n = 0;
	struct gs_str text = gs_web_query(request, name, 0);
	assert_true(text.p == NULL || gs_num_parse_u64(text, &n) == GS_OK);
	return n;
}

/* /stream?n=3&end=0&zip=0 */
static void on_stream(void *ctx, struct gs_web_request *request) {
	struct source *source = gs_alloc(sizeof(*source));
	(void)ctx;
	assert_non_null(source);
	source->pieces = number(request, "n");
	source->end = (enum gs_status)number(request, "end");
	source->text = source->end == GS_ENOMEM ? "" : "no more";
	struct gs_web_stream stream = {source_next, source_free, source};
	atomic_fetch_add(&alive, 1);
	gs_web_add_header(request, "Vary", "Accept");
	gs_web_answer_stream(request, 200, "text/plain", (enum gs_codec_kind)number(request, "zip"), &stream);
}

static const struct gs_web_route routes[] = {{"/stream", false, GS_WEB_GET, on_stream}, {0}};

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

static struct response fetch(const char *method, const char *target) {
	char request[256];
	snprintf(request, sizeof(request), "%s %s HTTP/1.1\r\n" HOST "\r\n", method, target);
	return ask_text(web, request);
}

/* What is answered may be freed a little later. */
static void assert_all_freed(void) {
	for (int64_t until = gs_clock_mono_ms() + CLIENT_PATIENCE_MS; atomic_load(&alive) != 0;) {
		assert_true(gs_clock_mono_ms() < until);
		usleep(1000);
	}
}

static void assert_pieces(const struct response *r, size_t n) {
	assert_int_equal(r->body.n, n * PIECE);
	for (size_t i = 0; i < r->body.n; i++) {
		if (r->body.p[i] != 'a' + (char)(i / PIECE % 26))
			fail_msg("byte %zu is %d", i, r->body.p[i]);
	}
}

static void test_every_length(void **state) {
	(void)state;
	for (size_t n = 0; n < 8; n++) {
		char target[32];
		snprintf(target, sizeof(target), "/stream?n=%zu", n);
		struct response r = fetch("GET", target);
		assert_int_equal(r.code, 200);
		/* The first 64 KiB decide. */
		assert_int_equal(r.chunked, n > 1);
		assert_false(r.cut);
		assert_field(&r, "Vary", "Accept, Accept-Encoding");
		assert_field(&r, "Content-Encoding", "");
		assert_field(&r, "Content-Type", "text/plain");
		assert_pieces(&r, n);
		response_free(&r);
	}
	assert_all_freed();
}

static void test_the_encoding_is_named(void **state) {
	(void)state;
	static const char *const names[] = {"", "gzip", "zstd"};
	for (int zip = 0; zip < 3; zip++) {
		for (int n = 1; n < 4; n += 2) {
			char target[32];
			snprintf(target, sizeof(target), "/stream?n=%d&zip=%d", n, zip);
			struct response r = fetch("GET", target);
			assert_field(&r, "Content-Encoding", names[zip]);
			assert_field(&r, "Vary", "Accept, Accept-Encoding");
			assert_pieces(&r, (size_t)n); /* as it was given */
			response_free(&r);
		}
	}
}

static void test_head_has_the_headers_of_get(void **state) {
	(void)state;
	static const char *const targets[] = {"/stream?n=0", "/stream?n=1&zip=1", "/stream?n=5&zip=2", "/stream?end=2"};
	static const char *const same[] = {
	    "Content-Length", "Transfer-Encoding", "Content-Type", "Content-Encoding", "Vary"};
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		struct response a = fetch("GET", targets[i]);
		struct response b = fetch("HEAD", targets[i]);
		assert_int_equal(a.code, b.code);
		for (size_t f = 0; f < sizeof(same) / sizeof(same[0]); f++) {
			if (!gs_str_eq(field(&a, same[f]), field(&b, same[f])))
				fail_msg("%s: %s differs", targets[i], same[f]);
		}
		response_free(&a);
		response_free(&b);
	}
	assert_all_freed();
}

/* What fails before anything was sent is an answer; later the reader must see that it was not all. */
static void test_failures(void **state) {
	(void)state;
	struct response r = fetch("GET", "/stream?n=1&zip=1&end=2");
	assert_int_equal(r.code, 400);
	assert_field(&r, "Content-Encoding", "");
	assert_body(&r, "no more\n");
	response_free(&r);
	r = fetch("GET", "/stream?n=0&end=1");
	assert_int_equal(r.code, 503);
	assert_field(&r, "Retry-After", "1");
	assert_body(&r, "out of memory; try again\n");
	response_free(&r);
	double before = gs_metric_get(GS_M_HTTP_CUT, NULL, NULL);
	r = fetch("GET", "/stream?n=9&end=2");
	assert_int_equal(r.code, 200);
	assert_true(r.chunked && r.cut);
	response_free(&r);
	assert_true(gs_metric_get(GS_M_HTTP_CUT, NULL, NULL) == before + 1);
	assert_all_freed();
}

/* A reader that goes away ends its stream; one that does not read holds what is being sent to it and no thread. */
static void test_slow_and_lost_readers(void **state) {
	(void)state;
	int fds[8];
	for (int i = 0; i < 8; i++) {
		char request[64];
		struct gs_buf some;
		fds[i] = dial(web);
		snprintf(request, sizeof(request), "GET /stream?n=%d HTTP/1.1\r\n" HOST "\r\n", FOR_EVER);
		put(fds[i], gs_str_of(request));
		gs_buf_init(&some, 65536);
		assert_true(get(fds[i], &some, 1000) != 0);
		gs_buf_free(&some);
	}
	struct response r = fetch("GET", "/stream?n=100");
	assert_pieces(&r, 100);
	response_free(&r);
	assert_true(atomic_load(&alive) >= 8);
	assert_true(atomic_load(&most_made) < FOR_EVER);
	for (int i = 0; i < 8; i++)
		close(fds[i]);
	assert_all_freed();
}

static void test_old_clients_get_no_chunks(void **state) {
	(void)state;
	int fd = dial(web);
	struct gs_buf all;
	gs_buf_init(&all, 1 << 20);
	put(fd, GS_STR("GET /stream?n=6 HTTP/1.0\r\n" HOST "\r\n"));
	while (get(fd, &all, 65536) != 0)
		;
	close(fd);
	assert_true(gs_str_starts(gs_buf_slice(&all), GS_STR("HTTP/1.")));
	gs_buf_char(&all, '\0');
	const char *body = strstr(all.p, "\r\n\r\n");
	assert_non_null(body);
	assert_int_equal(all.n - 1 - (size_t)(body + 4 - all.p), 6 * PIECE);
	gs_buf_free(&all);
	assert_all_freed();
}

static void test_bytes_are_counted(void **state) {
	(void)state;
	gs_telemetry_reset();
	struct response r = fetch("GET", "/stream?n=1");
	response_free(&r);
	assert_true(gs_metric_get(GS_M_HTTP_BYTES, NULL, NULL) == (double)PIECE);
	r = fetch("GET", "/stream?n=10");
	response_free(&r);
	assert_all_freed();
	assert_true(gs_metric_get(GS_M_HTTP_BYTES, NULL, NULL) == 11.0 * (double)PIECE);
}

/* The end of the server is the end of all streams. */
static void test_stop_ends_streams(void **state) {
	(void)state;
	struct gs_web *other = serve(routes, NULL, 1000);
	int fd = dial(other);
	char request[64];
	struct gs_buf some;
	snprintf(request, sizeof(request), "GET /stream?n=%d HTTP/1.1\r\n" HOST "\r\n", FOR_EVER);
	put(fd, gs_str_of(request));
	gs_buf_init(&some, 65536);
	assert_true(get(fd, &some, 1000) != 0);
	gs_buf_free(&some);
	gs_web_stop(other);
	assert_int_equal(atomic_load(&alive), 0);
	close(fd);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_length),
	    cmocka_unit_test(test_the_encoding_is_named),
	    cmocka_unit_test(test_head_has_the_headers_of_get),
	    cmocka_unit_test(test_failures),
	    cmocka_unit_test(test_slow_and_lost_readers),
	    cmocka_unit_test(test_old_clients_get_no_chunks),
	    cmocka_unit_test(test_bytes_are_counted),
	    cmocka_unit_test(test_stop_ends_streams),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
