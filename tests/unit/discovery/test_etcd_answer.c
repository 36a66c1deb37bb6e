/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "etcd_answer.h"
#include "gravel/base/mem.h"
#include "show.h"

static void test_addresses(void **state) {
	static const char *const good[] = {"a:1", "a.b-c_d:65535", "127.0.0.1:80", "[::1]:9100", "[fe80::1%25]:1"};
	static const char *const bad[] = {"", "a", ":1", "a:", "a:0", "a:65536", "a:1x", "a:+1", "a:000001", "a b:1",
	    "a/b:1", "::1:80", "[]:1", "[a]:1", "http://a:1", "a:1 ", "\xc3\xa4:1", "a:1:2"};
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(gs_sd_is_address(gs_str_of(good[i])));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(gs_sd_is_address(gs_str_of(bad[i])));
}

static void check_ask(struct gs_str first, struct gs_str prefix, int64_t revision, const char *wanted) {
	struct gs_buf out;
	gs_buf_init(&out, 4096);
	gs_sd_etcd_ask(first, prefix, revision, 7, &out);
	gs_buf_char(&out, '\0');
	assert_int_equal(out.status, GS_OK);
	assert_string_equal(out.p, wanted);
	gs_buf_free(&out);
}

static void test_asking(void **state) {
	struct gs_buf out;
	(void)state;
	/* "/t/", and "/t0", which is what follows it */
	check_ask(GS_STR("/t/"), GS_STR("/t/"), 0, "{\"key\":\"L3Qv\",\"range_end\":\"L3Qw\",\"limit\":7}");
	check_ask(GS_STR("/t/a\0"), GS_STR("/t/"), 12,
	    "{\"key\":\"L3QvYQA=\",\"range_end\":\"L3Qw\",\"limit\":7,\"revision\":12}");
	check_ask(GS_STR("a\xff\xff"), GS_STR("a\xff\xff"), 0, "{\"key\":\"Yf//\",\"range_end\":\"Yg==\",\"limit\":7}");
	check_ask(GS_STR(""), GS_STR(""), 0, "{\"key\":\"AA==\",\"range_end\":\"AA==\",\"limit\":7}");
	check_ask(GS_STR("\xff"), GS_STR("\xff"), 0, "{\"key\":\"/w==\",\"range_end\":\"AA==\",\"limit\":7}");
	gs_buf_init(&out, 4096);
	gs_sd_etcd_login(GS_STR("me\""), GS_STR("p\\w"), &out);
	assert_true(gs_str_eq(gs_buf_slice(&out), GS_STR("{\"name\":\"me\\\"\",\"password\":\"p\\\\w\"}")));
	gs_buf_free(&out);
	gs_buf_init(&out, 4096);
	for (int64_t i = 0; i < 2; i++) {
		gs_buf_free(&out);
		gs_buf_init(&out, 4096);
		gs_mem_fail_after(i);
		gs_sd_etcd_ask(GS_STR("a"), GS_STR("a"), 0, 1, &out);
		gs_mem_fail_after(-1);
		assert_int_equal(out.status, GS_ENOMEM);
	}
	gs_buf_free(&out);
}

struct fixture {
	struct gs_sd_doc *doc;
	struct gs_buf last;
	struct gs_sd_etcd_page page;
	struct gs_error err;
};

static enum gs_status read_page(struct fixture *f, const char *text) {
	*f = (struct fixture){.doc = gs_sd_doc_new()};
	gs_buf_init(&f->last, 1024);
	f->page.last = &f->last;
	return f->doc != NULL ? gs_sd_etcd_read(gs_str_of(text), f->doc, &f->page, &f->err) : GS_ENOMEM;
}

static void end(struct fixture *f) {
	gs_sd_doc_free(f->doc);
	gs_buf_free(&f->last);
}

/* /t/a:1, /t/b = c:2 and a line feed, /t/none = x, and one that is no UTF-8, \xff/d:1 */
static const char page[] =
    "{\"header\":{\"revision\":\"12\",\"x\":1},\"kvs\":[{\"key\":\"L3QvYTox\",\"version\":\"1\"},"
    "{\"key\":\"L3QvYg==\",\"value\":\"YzoyCg==\"},{\"key\":\"L3Qvbm9uZQ==\",\"value\":\"eA==\"},"
    "{\"key\":\"/y9kOjE=\"}],\"more\":true,\"count\":\"5\"}";

static void test_reading(void **state) {
	struct fixture f;
	(void)state;
	assert_int_equal(read_page(&f, page), GS_OK);
	gs_sd_doc_check(f.doc);
	char *text = show(f.doc->targets, f.doc->n);
	assert_string_equal(
	    text, "{__address__=\"a:1\",__meta_etcd_key=\"/t/a:1\"} {__address__=\"c:2\",__meta_etcd_key=\"/t/b\"}");
	free(text);
	assert_int_equal(f.page.revision, 12);
	assert_true(f.page.more);
	assert_int_equal(f.page.skipped, 2);
	assert_true(gs_str_eq(gs_buf_slice(&f.last), GS_STR("\xff/d:1")));
	end(&f);
	assert_int_equal(read_page(&f, "{\"header\":{\"revision\":3}}"), GS_OK);
	assert_int_equal(f.doc->n, 0);
	assert_int_equal(f.page.revision, 3);
	assert_false(f.page.more);
	end(&f);
}

static enum gs_status read_more(struct fixture *f, const char *key) {
	char text[128];
	snprintf(text, sizeof(text), "{\"header\":{\"revision\":\"1\"},\"kvs\":[{\"key\":\"%s\"}],\"more\":true}", key);
	return gs_sd_etcd_read(gs_str_of(text), f->doc, &f->page, &f->err);
}

/* A server that gives the same page again and again, or an earlier one. */
static void test_keys_rise(void **state) {
	struct fixture f;
	(void)state;
	assert_int_equal(read_page(&f, "{\"header\":{},\"kvs\":[{\"key\":\"Yg==\"},{\"key\":\"Yg==\"}]}"), GS_OK);
	end(&f);
	assert_int_equal(read_page(&f, "{\"header\":{},\"kvs\":[{\"key\":\"Yg==\"},{\"key\":\"YQ==\"}]}"), GS_EINVAL);
	end(&f);
	assert_int_equal(read_page(&f, "{\"header\":{},\"kvs\":[{\"key\":\"Yg==\"}],\"more\":true}"), GS_OK);
	assert_int_equal(read_more(&f, "Yw=="), GS_OK);
	assert_true(gs_str_eq(gs_buf_slice(&f.last), GS_STR("c")));
	assert_int_equal(read_more(&f, "Yw=="), GS_EINVAL);
	end(&f);
}

static void test_what_is_not_etcd(void **state) {
	static const char *const bad[] = {"[]", "{}", "{\"header\":1}", "{\"header\":{},\"kvs\":1}",
	    "{\"header\":{},\"kvs\":[1]}", "{\"header\":{},\"kvs\":[{\"key\":\"!\"}]}",
	    "{\"header\":{},\"kvs\":[{\"key\":\"YQ==\",\"value\":\"!\"}]}", "{\"header\":{},\"more\":true}"};
	struct fixture f;
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(read_page(&f, bad[i]), GS_EINVAL);
		assert_string_equal(f.err.text, "the answer is not one of etcd's");
		end(&f);
	}
	assert_int_equal(read_page(&f, "<html>"), GS_EINVAL);
	end(&f);
}

static void test_token(void **state) {
	struct gs_buf out;
	struct gs_error err;
	(void)state;
	gs_buf_init(&out, 16);
	assert_int_equal(gs_sd_etcd_token(GS_STR("{\"token\":\"abc.12\"}"), &out, &err), GS_OK);
	assert_true(gs_str_eq(gs_buf_slice(&out), GS_STR("abc.12")));
	assert_int_equal(gs_sd_etcd_token(GS_STR("{\"token\":\"topsecret\"} x"), &out, &err), GS_EINVAL);
	assert_string_equal(err.text, "the answer to the login has no token");
	assert_int_equal(gs_sd_etcd_token(GS_STR("{\"tok\":\"x\"}"), &out, &err), GS_EINVAL);
	assert_int_equal(gs_sd_etcd_token(GS_STR("{\"token\":\"a\\r\\nb: c\"}"), &out, &err), GS_EINVAL);
	assert_int_equal(gs_sd_etcd_token(GS_STR("{\"token\":\"01234567890123456\"}"), &out, &err), GS_ELIMIT);
	gs_buf_free(&out);
}

static void test_memory(void **state) {
	struct fixture f;
	(void)state;
	for (int64_t i = 0;; i++) {
		gs_mem_fail_after(i);
		enum gs_status status = read_page(&f, page);
		bool failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		end(&f);
		assert_int_equal(status, failed ? GS_ENOMEM : GS_OK);
		if (!failed)
			break;
	}
	for (int64_t i = 0;; i++) {
		struct gs_buf out;
		gs_buf_init(&out, 16);
		gs_mem_fail_after(i);
		enum gs_status status = gs_sd_etcd_token(GS_STR("{\"token\":\"abc\"}"), &out, NULL);
		bool failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		gs_buf_free(&out);
		assert_int_equal(status, failed ? GS_ENOMEM : GS_OK);
		if (!failed)
			break;
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_addresses),
	    cmocka_unit_test(test_asking),
	    cmocka_unit_test(test_reading),
	    cmocka_unit_test(test_keys_rise),
	    cmocka_unit_test(test_what_is_not_etcd),
	    cmocka_unit_test(test_token),
	    cmocka_unit_test(test_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
