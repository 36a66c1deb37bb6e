/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "check.h"

struct checked {
	const char *text;
	const char *wrong; /* NULL: right */
};

static void check_all(const char *(*check)(struct gs_str s), const struct checked *cases, size_t n) {
	for (size_t i = 0; i < n; i++) {
		const char *got = check(gs_str_of(cases[i].text));
		bool same =
		    (got == NULL) == (cases[i].wrong == NULL) && (got == NULL || strcmp(got, cases[i].wrong) == 0);
		if (!same)
			fail_msg("\"%s\" %s", cases[i].text, got != NULL ? got : "is right");
	}
}

#define CHECK_ALL(check, cases) check_all(check, cases, sizeof(cases) / sizeof((cases)[0]))

static void test_url_parts(void **state) {
	struct gs_url url;
	(void)state;
	assert_null(gs_check_url(GS_STR("https://us@er:pa:ss@[fe80::1%25e]:9100/m/x?a=b:c@d#f"), &url));
	assert_true(gs_str_eq(url.scheme, GS_STR("https")));
	assert_true(gs_str_eq(url.userinfo, GS_STR("us@er:pa:ss")));
	assert_true(gs_str_eq(url.host, GS_STR("[fe80::1%25e]")));
	assert_true(gs_str_eq(url.port, GS_STR("9100")));
	assert_true(gs_str_eq(url.rest, GS_STR("/m/x?a=b:c@d#f")));
	assert_null(gs_check_url(GS_STR("http://host?x@y"), &url));
	assert_true(gs_str_eq(url.host, GS_STR("host")));
	assert_null(url.userinfo.p);
	assert_int_equal(url.port.n, 0);
	assert_true(gs_str_eq(url.rest, GS_STR("?x@y")));
}

static void test_target_url(void **state) {
	static const struct checked cases[] = {
	    {"http://a", NULL},
	    {"https://a.b-c:65535/metrics?x=1", NULL},
	    {"http://10.0.0.1:9100/metrics", NULL},
	    {"http://[::1]", NULL},
	    {"ftp://a", "must begin with http:// or https://"},
	    {"HTTP://a", "must begin with http:// or https://"},
	    {"", "does not begin with scheme://"},
	    {"a:9100/metrics", "does not begin with scheme://"},
	    {"://a", "does not begin with scheme://"},
	    {"http:/a", "does not begin with scheme://"},
	    {"http://", "has no host"},
	    {"http:///metrics", "has no host"},
	    {"http://:80/", "has no host"},
	    {"http://u@:80/", "has no host"},
	    {"http://a b/", "has a blank in it"},
	    {"http://a\tb/", "has a control character"},
	    {"http://a<b/", "has a host that is none"},
	    {"http://[::1/", "has no host"},
	    {"http://[xyz]/", "has a host that is none"},
	    {"http://[::1]x/", "has a host that is none"},
	    {"http://::1/", "has no host"},
	    {"http://a:/", "has a port that is none (1 to 65535)"},
	    {"http://a:0/", "has a port that is none (1 to 65535)"},
	    {"http://a:65536/", "has a port that is none (1 to 65535)"},
	    {"http://a:8x/", "has a port that is none (1 to 65535)"},
	    {"http://a:000080/", "has a port that is none (1 to 65535)"},
	};
	(void)state;
	CHECK_ALL(gs_check_target_url, cases);
}

static void test_nats_url(void **state) {
	static const struct checked cases[] = {
	    {"nats://a", NULL},
	    {"tls://u:p@a:4222", NULL},
	    {"nats://<hidden>@a:4222/", NULL},
	    {"nats://token@[::1]:4222", NULL},
	    {"http://a", "must begin with nats:// or tls://"},
	    {"nats://a/b", "must end after host and port"},
	    {"nats://a?b", "must end after host and port"},
	    {"localhost:4222", "does not begin with scheme://"},
	};
	(void)state;
	CHECK_ALL(gs_check_nats_url, cases);
}

static void test_listen(void **state) {
	static const struct checked cases[] = {
	    {"localhost:4278", NULL},
	    {":4278", NULL},
	    {"[::]:0", NULL},
	    {"0.0.0.0:1", NULL},
	    {"", "is no host:port, [v6]:port or :port"},
	    {"localhost", "is no host:port, [v6]:port or :port"},
	    {"4278", "is no host:port, [v6]:port or :port"},
	    {"::1:4278", "is no host:port, [v6]:port or :port"},
	    {"[::1]", "is no host:port, [v6]:port or :port"},
	    {"a/b:1", "is no host:port, [v6]:port or :port"},
	    {"a:", "has a port that is none (0 to 65535)"},
	    {"a:70000", "has a port that is none (0 to 65535)"},
	    {"a:http", "has a port that is none (0 to 65535)"},
	};
	(void)state;
	CHECK_ALL(gs_check_listen, cases);
}

static void test_names(void **state) {
	static const struct checked topics[] = {
	    {"prometheus", NULL},
	    {"dc1.prometheus-x_y", NULL},
	    {"", "must not be empty, nor begin or end with a dot"},
	    {".a", "must not be empty, nor begin or end with a dot"},
	    {"a.", "must not be empty, nor begin or end with a dot"},
	    {"a..b", "must not hold two dots in a row"},
	    {"a b", "must not hold a blank, '*', '>' or '$'"},
	    {"a.*", "must not hold a blank, '*', '>' or '$'"},
	    {">", "must not hold a blank, '*', '>' or '$'"},
	};
	static const struct checked streams[] = {
	    {"", NULL},
	    {"PROMETHEUS_1-x", NULL},
	    {"a.b", "must not hold a blank, '.', '*', '>', '/', '\\' or '$'"},
	};
	static const struct checked labels[] = {
	    {"dc", NULL},
	    {"_x9", NULL},
	    {"jobs", NULL},
	    {"", "is no label name ([a-zA-Z_][a-zA-Z0-9_]*)"},
	    {"9x", "is no label name ([a-zA-Z_][a-zA-Z0-9_]*)"},
	    {"a-b", "is no label name ([a-zA-Z_][a-zA-Z0-9_]*)"},
	    {"r\xc3\xa4", "is no label name ([a-zA-Z_][a-zA-Z0-9_]*)"},
	    {"__x", "begins with \"__\", which is reserved"},
	    {"job", "is set by the poller itself"},
	    {"instance", "is set by the poller itself"},
	    {"publisher", "is set by the poller itself"},
	    {"clearmode", "is no label of a target; use the job's \"clearmodes\""},
	};
	(void)state;
	CHECK_ALL(gs_check_topic, topics);
	CHECK_ALL(gs_check_stream, streams);
	CHECK_ALL(gs_check_label_name, labels);
}

static void test_settings_of_http(void **state) {
	static const struct checked proxies[] = {
	    {"http://a", NULL},
	    {"https://u:p@a:3128/", NULL},
	    {"socks5://[::1]:1080", NULL},
	    {"ftp://a", "must begin with http://, https:// or socks5://"},
	    {"http://a/b", "must end after host and port"},
	    {"a:3128", "does not begin with scheme://"},
	};
	static const struct checked types[] = {
	    {"Bearer", NULL},
	    {"x-Token_1", NULL},
	    {"basic", "is not Basic here: use basic_auth"},
	    {"Basic", "is not Basic here: use basic_auth"},
	    {"", NULL},
	    {"a b", "is one word without blanks"},
	};
	static const struct checked headers[] = {
	    {"X-Scope-OrgID", NULL},
	    {"accepting", NULL},
	    {"ACCEPT", "is set by the poller itself"},
	    {"host", "is set by the poller itself"},
	    {"Authorization", "is set by the poller itself"},
	    {"a:b", "is no name of a header"},
	    {"", "is no name of a header"},
	    {"\xc3\xa4", "is no name of a header"},
	};
	static const struct checked schemes[] = {
	    {"http", NULL},
	    {"https", NULL},
	    {"HTTP", "is http or https"},
	    {"", "is http or https"},
	};
	(void)state;
	CHECK_ALL(gs_check_proxy_url, proxies);
	CHECK_ALL(gs_check_authorization_type, types);
	CHECK_ALL(gs_check_header_name, headers);
	CHECK_ALL(gs_check_scheme, schemes);
	assert_null(gs_check_server_name(GS_STR("a.b")));
	assert_string_equal(gs_check_server_name(GS_STR("a/b")), "is no name of a host");
	assert_string_equal(gs_check_header_name(GS_STR("a\0b")), "is no name of a header");
}

static void test_settings_of_discovery(void **state) {
	static const struct checked files[] = {
	    {"a.json", NULL},
	    {"/a/b.yml", NULL},
	    {"a/*.yaml", NULL},
	    {"*.JSON", NULL},
	    {"a*b*.YML", NULL},
	    {"a.txt", "must end in .json, .yml or .yaml"},
	    {"json", "must end in .json, .yml or .yaml"},
	    {"*/a.json", "has '*' before its last part"},
	    {"a*/*.json", "has '*' before its last part"},
	};
	static const struct checked addresses[] = {
	    {"a:1", NULL},
	    {"[::1]:9100", NULL},
	    {"a", NULL},
	    {"http://a", "is an address (host:port) and has no '/'; see scheme and metrics_path"},
	    {"a b", "has a blank in it"},
	};
	static const struct checked prefixes[] = {
	    {"", NULL},
	    {"a.b/c=d_-1", NULL},
	    {".a", "begins with a dot, as no key does"},
	    {"a*", "is no beginning of a key ([a-zA-Z0-9_=./-]+)"},
	    {"a b", "is no beginning of a key ([a-zA-Z0-9_=./-]+)"},
	};
	(void)state;
	CHECK_ALL(gs_check_sd_file, files);
	CHECK_ALL(gs_check_address, addresses);
	CHECK_ALL(gs_check_kv_prefix, prefixes);
	assert_null(gs_check_bucket(GS_STR("a-B_9")));
	assert_string_equal(gs_check_bucket(GS_STR("a.b")), "is no name of a bucket ([a-zA-Z0-9_-]+)");
	assert_null(gs_check_any_label_name(GS_STR("__address__")));
	assert_null(gs_check_any_label_name(GS_STR("job")));
	assert_non_null(gs_check_any_label_name(GS_STR("a:b")));
	assert_non_null(gs_check_any_label_name(GS_STR("a\0b")));
	assert_null(gs_check_metric_name(GS_STR("a:b_9")));
	assert_string_equal(gs_check_metric_name(GS_STR("9a")), "is no metric name ([a-zA-Z_:][a-zA-Z0-9_:]*)");
}

static void test_text(void **state) {
	static const struct checked cases[] = {
	    {"", NULL},
	    {"plain, \xc3\xbc, \xe2\x82\xac, \xf0\x9f\x90\x98, \xc2\xa0, \xe2\x80\xa7, \xef\xbf\xbd", NULL},
	    {"\x01", "has a control character"},
	    {"a\nb", "has a control character"},
	    {"\t", "has a control character"},
	    {"\x7f", "has a control character"},
	    {"\xc2\x85", "has a control character"},
	    {"\xe2\x80\xa8", "has a control character"},
	    {"\xef\xbb\xbf", "has a control character"},
	    {"\xef\xbf\xbe", "has a control character"},
	    {"\xff", "is not UTF-8"},
	};
	(void)state;
	CHECK_ALL(gs_check_text, cases);
	assert_string_equal(gs_check_text(GS_STR("a\0b")), "has a control character");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *got = gs_check_raw(gs_str_of(cases[i].text));
		bool ascii = (unsigned char)cases[i].text[0] < 0x80 && strchr(cases[i].text, '\xc2') == NULL;
		assert_int_equal(got == NULL, ascii || cases[i].wrong == NULL);
	}
	assert_string_equal(gs_check_raw(GS_STR("a\0b")), "has a control character");
}

int main(void) {
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_url_parts), cmocka_unit_test(test_target_url),
	    cmocka_unit_test(test_nats_url), cmocka_unit_test(test_listen), cmocka_unit_test(test_names),
	    cmocka_unit_test(test_settings_of_http), cmocka_unit_test(test_settings_of_discovery),
	    cmocka_unit_test(test_text)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
