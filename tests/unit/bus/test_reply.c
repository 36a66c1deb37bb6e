/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../lib/bus/private.h"

static void test_meta_of_both_forms(void **state) {
	(void)state;
	static const char *const forms[] = {"$JS.ACK.S.C.1.22.3.1700000000123456789.4",
	    "$JS.ACK._.acc.S.C.1.22.3.1700000000123456789.4", "$JS.ACK.hub.acc.S.C.1.22.3.1700000000123456789.4.rnd",
	    "$JS.ACK.hub.acc.S.C.1.22.3.1700000000123456789.4.rnd.more"};
	for (size_t i = 0; i < 4; i++) {
		struct gs_reply_meta meta;
		assert_int_equal(gs_reply_meta(gs_str_of(forms[i]), &meta), GS_OK);
		assert_int_equal(meta.stream_seq, 22);
		assert_int_equal(meta.consumer_seq, 3);
		assert_true(meta.time_ns == 1700000000123456789);
		assert_int_equal(meta.pending, 4);
	}
}

static void test_meta_refuses(void **state) {
	(void)state;
	static const char *const bad[] = {"", "$JS.ACK.", "$JS.FC.S.C.1.22.3.4.5", "$JS.ACK.S.C.1.22.3.4",
	    "$JS.ACK.S.C.1.22.3.4.5.6", "$JS.ACK.S.C.1.x.3.4.5", "$JS.ACK.S.C.1.0.3.4.5", "$JS.ACK.S.C.1.22.0.4.5",
	    "$JS.ACK.S.C.1.22.-3.4.5", "$JS.ACK.S.C.1.99999999999999999999.3.4.5", "$JS.ACK.S.C.1.22.3.4."};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct gs_reply_meta meta;
		assert_int_equal(gs_reply_meta(gs_str_of(bad[i]), &meta), GS_EINVAL);
	}
}

static void check_ack(const char *body, enum gs_status wanted, const char *why) {
	char reason[64] = "";
	assert_int_equal(gs_reply_ack(gs_str_of(body), reason, sizeof(reason)), wanted);
	assert_string_equal(reason, why);
}

static void test_acks(void **state) {
	(void)state;
	check_ack("{\"stream\":\"GRAVEL\", \"seq\":3}", GS_OK, "");
	check_ack("{\"stream\":\"error\",\"seq\":3,\"duplicate\": true}", GS_OK, "");
	check_ack("{\"error\":{\"code\":503,\"err_code\":10077,\"description\":\"maximum messages exceeded\"},"
		  "\"stream\":\"S\",\"seq\":0}",
	    GS_EIO, "maximum messages exceeded");
	check_ack("{\"error\" : {}}", GS_EIO, "JetStream refused, without saying why");
	check_ack("{\"error\":{\"description\":\"cut", GS_EIO, "cut");
	check_ack("+OK", GS_EIO, "the answer to a publish is not JetStream's");
	check_ack("", GS_EIO, "the answer to a publish is not JetStream's");
	check_ack("{\"stream\":\"S\"}", GS_EIO, "the answer to a publish is not JetStream's");
}

static void test_tokens(void **state) {
	(void)state;
	static const char *const bad[] = {"", "12-7", "a.", "a.12", "a.x-7", "a.12-", "a.-7", "a.12-7x"};
	uint64_t slot, serial;
	assert_int_equal(gs_reply_token(GS_STR("_INBOX.x.ack.12-7"), &slot, &serial), GS_OK);
	assert_int_equal(slot, 12);
	assert_int_equal(serial, 7);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_true(gs_reply_token(gs_str_of(bad[i]), &slot, &serial) != GS_OK);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_meta_of_both_forms),
	    cmocka_unit_test(test_meta_refuses),
	    cmocka_unit_test(test_acks),
	    cmocka_unit_test(test_tokens),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
