/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "verdict.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

static void test_causes_have_distinct_names(void **state) {
	(void)state;
	for (int i = 0; i < GS_SCRAPE_CAUSES; i++) {
		assert_non_null(gs_scrape_cause_name((enum gs_scrape_cause)i));
		for (int j = 0; j < i; j++)
			assert_string_not_equal(gs_scrape_cause_name((enum gs_scrape_cause)i),
			    gs_scrape_cause_name((enum gs_scrape_cause)j));
	}
	assert_string_equal(gs_scrape_cause_name(GS_SCRAPE_BODY_LIMIT), "body_limit");
	assert_string_equal(gs_scrape_cause_name(GS_SCRAPE_CAUSES), "other");
}

/* A transfer that did not run: what libcurl would have said is in the code alone. */
static struct gs_transfer *idle_transfer(const char *url) {
	struct gs_transfer *transfer = gs_transfer_new("test", 1000);
	struct gs_transfer_request request = {.url = url, .timeout_ms = 1500};
	assert_non_null(transfer);
	assert_int_equal(gs_transfer_prepare(transfer, &request), GS_OK);
	return transfer;
}

static void test_each_code_has_a_cause_and_a_sentence(void **state) {
	(void)state;
	static const struct {
		CURLcode code;
		enum gs_scrape_cause cause;
		const char *text;
	} codes[] = {
	    {CURLE_COULDNT_RESOLVE_HOST, GS_SCRAPE_RESOLVE, "h:9100: "},
	    {CURLE_COULDNT_CONNECT, GS_SCRAPE_CONNECT, "cannot connect to h:9100: "},
	    {CURLE_OPERATION_TIMEDOUT, GS_SCRAPE_TIMEOUT, "the name of h:9100 was not resolved within 1s500ms"},
	    {CURLE_SSL_CONNECT_ERROR, GS_SCRAPE_TLS, "h:9100: "},
	    {CURLE_PEER_FAILED_VERIFICATION, GS_SCRAPE_TLS, "h:9100: "},
	    {CURLE_TOO_MANY_REDIRECTS, GS_SCRAPE_REDIRECTS, "more than 5 redirects, the last one by h:9100"},
	    {CURLE_FILESIZE_EXCEEDED, GS_SCRAPE_BODY_LIMIT, "limit of 1000 bytes"},
	    {CURLE_GOT_NOTHING, GS_SCRAPE_EMPTY, "h:9100 closed the connection before"},
	    {CURLE_RECV_ERROR, GS_SCRAPE_EMPTY, "h:9100 closed the connection before"},
	    {CURLE_SEND_ERROR, GS_SCRAPE_EMPTY, "h:9100 closed the connection before"},
	    {CURLE_OUT_OF_MEMORY, GS_SCRAPE_OTHER, "out of memory"},
	    {CURLE_UNSUPPORTED_PROTOCOL, GS_SCRAPE_OTHER, "what h:9100 answered is not HTTP"},
	    {CURLE_WEIRD_SERVER_REPLY, GS_SCRAPE_OTHER, "is not HTTP"},
	    {CURLE_OK, GS_SCRAPE_OTHER, "is not HTTP"}, /* HTTP/0.9 of an old libcurl: no status */
	    {CURLE_HTTP2, GS_SCRAPE_OTHER, "h:9100: "},
	};
	struct gs_transfer *transfer = idle_transfer("http://user:se@cret@h:9100/metrics?token=hidden");
	for (size_t i = 0; i < N(codes); i++) {
		struct gs_error error = {0};
		assert_int_equal(gs_verdict(transfer, codes[i].code, &error), codes[i].cause);
		assert_non_null(strstr(error.text, codes[i].text));
		assert_null(strstr(error.text, "cret"));
		assert_null(strstr(error.text, "hidden"));
	}
	gs_transfer_free(transfer);
}

static void test_an_answer_that_had_begun_is_truncated(void **state) {
	(void)state;
	struct gs_error error = {0};
	struct gs_transfer *transfer = idle_transfer("http://h/");
	transfer->begun = true;
	transfer->received = 42;
	assert_int_equal(gs_verdict(transfer, CURLE_RECV_ERROR, &error), GS_SCRAPE_TRUNCATED);
	assert_string_equal(error.text, "h closed the connection in the middle of the answer, after 42 bytes of body");
	assert_int_equal(gs_verdict(transfer, CURLE_PARTIAL_FILE, &error), GS_SCRAPE_TRUNCATED);
	assert_int_equal(gs_verdict(transfer, CURLE_OPERATION_TIMEDOUT, &error), GS_SCRAPE_TIMEOUT);
	assert_string_equal(error.text, "the answer of h was not complete within 1s500ms (42 bytes came)");
	/* A redirect had been answered, what it leads to was not. */
	transfer->begun = false;
	transfer->header_bytes = 100;
	assert_int_equal(gs_verdict(transfer, CURLE_RECV_ERROR, &error), GS_SCRAPE_EMPTY);
	gs_transfer_free(transfer);
}

static void test_what_our_callbacks_refused(void **state) {
	(void)state;
	struct gs_error error = {0};
	struct gs_transfer *transfer = idle_transfer("https://[::1]:1/");
	transfer->raw.status = GS_ELIMIT;
	assert_int_equal(gs_verdict(transfer, CURLE_WRITE_ERROR, &error), GS_SCRAPE_BODY_LIMIT);
	transfer->raw.status = GS_ENOMEM;
	assert_int_equal(gs_verdict(transfer, CURLE_WRITE_ERROR, &error), GS_SCRAPE_OTHER);
	assert_string_equal(error.text, "out of memory");
	transfer->raw.status = GS_OK;
	assert_int_equal(gs_verdict(transfer, CURLE_WRITE_ERROR, &error), GS_SCRAPE_OTHER);
	assert_string_equal(error.text, "[::1]:1 sent more than 262144 bytes of headers");
	gs_transfer_free(transfer);
}

static void test_an_alert_is_of_tls(void **state) {
	(void)state;
	struct gs_transfer *transfer = idle_transfer("https://h:9100/metrics");
	struct gs_error error = {0};
	snprintf(transfer->curl_text, sizeof(transfer->curl_text),
	    "OpenSSL SSL_read: error:0A00045C:SSL routines::tlsv13 alert certificate required, errno 0");
	assert_int_equal(gs_verdict(transfer, CURLE_RECV_ERROR, &error), GS_SCRAPE_TLS);
	assert_non_null(strstr(error.text, "h:9100 refused us: "));
	gs_transfer_free(transfer);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_an_alert_is_of_tls),
	    cmocka_unit_test(test_causes_have_distinct_names),
	    cmocka_unit_test(test_each_code_has_a_cause_and_a_sentence),
	    cmocka_unit_test(test_an_answer_that_had_begun_is_truncated),
	    cmocka_unit_test(test_what_our_callbacks_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
