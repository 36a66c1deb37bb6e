/* SPDX-License-Identifier: Apache-2.0 */
#include "client.h"

static void on_any(void *ctx, struct gs_web_request *request) {
	(void)ctx;
	gs_web_answer_text(request, 200, "here\n");
}

static const struct gs_web_route routes[] = {{"/", false, GS_WEB_GET, on_any}, {0}};

static enum gs_status start(const char *listen_at, const char *setting, struct gs_web **ret, struct gs_error *err) {
	struct gs_web_options options = {.listen = listen_at, .setting = setting, .routes = routes, .threads = 1};
	*err = (struct gs_error){0};
	return gs_web_start(&options, ret, err);
}

static void test_bad_addresses(void **state) {
	(void)state;
	static const char *const bad[] = {"", "4278", "localhost", ":", "localhost:", ":http", "localhost:65536",
	    "localhost:-1", "localhost:+1", "localhost: 1", "::1:4278", "[::1", "[::1]", "[]:1", "a:b:1",
	    "127.0.0.1:4278x", "127.0.0.1:99999999999999999999"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct gs_web *web = NULL;
		struct gs_error err;
		if (start(bad[i], NULL, &web, &err) != GS_EINVAL)
			fail_msg("'%s' was taken", bad[i]);
		assert_null(web);
		assert_non_null(strstr(err.text, "write host:port"));
	}
	char huge[400];
	memset(huge, 'h', sizeof(huge));
	memcpy(huge + sizeof(huge) - 4, ":80", 4);
	struct gs_web *web = NULL;
	struct gs_error err;
	assert_int_equal(start(huge, NULL, &web, &err), GS_EINVAL);
}

static void test_good_addresses(void **state) {
	(void)state;
	static const char *const good[] = {"127.0.0.1:0", "localhost:0", ":0", "0.0.0.0:0"};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct gs_web *web = NULL;
		struct gs_error err;
		if (start(good[i], NULL, &web, &err) != GS_OK)
			fail_msg("'%s': %s", good[i], err.text);
		assert_true(gs_web_port(web) != 0);
		expect(web, "GET / HTTP/1.1\r\n" HOST "\r\n", 200, "here\n"); /* on 127.0.0.1 */
		gs_web_stop(web);
	}
}

/* Where the host has IPv6. */
static void test_v6(void **state) {
	(void)state;
	struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int fd = socket(AF_INET6, SOCK_STREAM, 0);
	bool has = fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0;
	if (fd >= 0)
		close(fd);
	if (!has)
		skip();
	static const char *const listens[] = {"[::1]:0", ":0"};
	for (size_t i = 0; i < 2; i++) {
		struct gs_web *web = NULL;
		struct gs_error err;
		assert_int_equal(start(listens[i], NULL, &web, &err), GS_OK);
		at.sin6_port = htons((uint16_t)gs_web_port(web));
		fd = socket(AF_INET6, SOCK_STREAM, 0);
		assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
		put(fd, GS_STR("GET / HTTP/1.1\r\n" HOST "\r\n"));
		struct response r = read_response(fd, false);
		assert_int_equal(r.code, 200);
		response_free(&r);
		close(fd);
		gs_web_stop(web);
	}
}

static void test_in_use(void **state) {
	(void)state;
	struct gs_web *first = NULL;
	struct gs_web *second = NULL;
	struct gs_error err;
	char address[64];
	char want[256];
	assert_int_equal(start("127.0.0.1:0", NULL, &first, &err), GS_OK);
	snprintf(address, sizeof(address), "127.0.0.1:%u", gs_web_port(first));
	assert_int_equal(start(address, NULL, &second, &err), GS_EIO);
	assert_null(second);
	snprintf(want, sizeof(want),
	    "cannot listen on %s: address already in use; stop the other program or choose another address with -l or "
	    "receiver.listen",
	    address);
	assert_string_equal(err.text, want);
	assert_int_equal(start(address, "monitor_port", &second, &err), GS_EIO);
	assert_non_null(strstr(err.text, "another address with monitor_port"));
	gs_web_stop(first);
	/* And free again at once. */
	assert_int_equal(start(address, NULL, &second, &err), GS_OK);
	gs_web_stop(second);
}

static void test_refused_by_the_system(void **state) {
	(void)state;
	struct gs_web *web = NULL;
	struct gs_error err;
	assert_int_equal(start("192.0.2.1:0", NULL, &web, &err), GS_EIO); /* TEST-NET: nobody's */
	assert_non_null(strstr(err.text, "no such address"));
	assert_int_equal(start("no-such-name.invalid:0", NULL, &web, &err), GS_EIO);
	assert_non_null(strstr(err.text, "'no-such-name.invalid' does not resolve"));
	assert_null(web);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_bad_addresses),
	    cmocka_unit_test(test_good_addresses),
	    cmocka_unit_test(test_v6),
	    cmocka_unit_test(test_in_use),
	    cmocka_unit_test(test_refused_by_the_system),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
