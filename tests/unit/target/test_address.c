/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "parts.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

static void test_ports(void **state) {
	(void)state;
	static const struct {
		const char *address;
		enum gs_address_port expected;
	} cases[] = {
	    {"host:80", GS_ADDRESS_PORT},
	    {"host:", GS_ADDRESS_PORT},
	    {":80", GS_ADDRESS_PORT},
	    {"host:http", GS_ADDRESS_PORT},
	    {"[::1]:80", GS_ADDRESS_PORT},
	    {"[::1]:", GS_ADDRESS_PORT},
	    {"[]:1", GS_ADDRESS_PORT},
	    {"host", GS_ADDRESS_NO_PORT},
	    {"10.0.0.1", GS_ADDRESS_NO_PORT},
	    {"[::1]", GS_ADDRESS_NO_PORT},
	    {"[]", GS_ADDRESS_NO_PORT},
	    {"", GS_ADDRESS_NO_PORT},
	    {"::1", GS_ADDRESS_BAD},
	    {"a:b:c", GS_ADDRESS_BAD},
	    {"[::1", GS_ADDRESS_BAD},
	    {"[", GS_ADDRESS_BAD},
	    {"::1]", GS_ADDRESS_BAD},
	    {"a]:1", GS_ADDRESS_BAD},
	    {"a[b:1", GS_ADDRESS_BAD},
	    {"[::1]x:80", GS_ADDRESS_BAD},
	    {"[::1]x", GS_ADDRESS_BAD},
	    {"[::1]:80:90", GS_ADDRESS_BAD},
	    {"[a[b]:80", GS_ADDRESS_BAD},
	    {"[a]b]:80", GS_ADDRESS_BAD},
	    {"[a]:[", GS_ADDRESS_BAD},
	    {"[a]:]", GS_ADDRESS_BAD},
	};
	for (size_t i = 0; i < N(cases); i++) {
		enum gs_address_port found = gs_address_port(gs_str_of(cases[i].address));
		if (found != cases[i].expected)
			fail_msg("%s: %d", cases[i].address, found);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_ports)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
