/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "canned.h"
#include "run.h"

static const char *names[] = {"a.example."};
static struct gs_config_sd sd = {
    .kind = GS_SD_DNS, .refresh_interval = 20, .names = names, .nnames = 1, .dns_type = GS_DNS_A, .dns_port = 80};

/* The question again, with these flags and so many A records 192.0.2.1, ... */
static size_t reply(const char *request, size_t n, char *answer, unsigned flags, unsigned records) {
	size_t question = 12;
	while (question < n && request[question] != 0)
		question += (size_t)(unsigned char)request[question] + 1;
	question += 5;
	memcpy(answer, request, question);
	answer[2] = (char)(flags >> 8);
	answer[3] = (char)flags;
	memset(answer + 4, 0, 8);
	answer[5] = 1;
	answer[7] = (char)records;
	for (unsigned i = 0; i < records; i++) {
		const char record[] = {(char)0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, (char)192, 0, 2, (char)(1 + i)};
		memcpy(answer + question, record, sizeof(record));
		question += sizeof(record);
	}
	return question;
}

static size_t steps(struct canned *server, const char *request, size_t n, char *answer, size_t max) {
	(void)max;
	if (n < 17)
		return 0;
	switch ((int)server->step) {
	case 0:
		return reply(request, n, answer, 0x8180, 2);
	case 1: /* SERVFAIL */
		return reply(request, n, answer, 0x8182, 0);
	case 2: /* a record that is cut in two */
		return reply(request, n, answer, 0x8180, 2) - 5;
	case 3: /* NXDOMAIN */
		return reply(request, n, answer, 0x8183, 0);
	default: /* none of that kind */
		return reply(request, n, answer, 0x8180, 0);
	}
}

static const char two[] = "{__address__=\"192.0.2.1:80\",__meta_dns_name=\"a.example.\"} "
			  "{__address__=\"192.0.2.2:80\",__meta_dns_name=\"a.example.\"}";

static void test_answers(void **state) {
	struct canned server = {.fn = steps, .udp = true};
	struct run run;
	char address[32];
	(void)state;
	gs_telemetry_reset();
	canned_start(&server);
	snprintf(address, sizeof(address), "127.0.0.1:%d", server.port);
	assert_int_equal(run_start(&run, &sd, address, NULL), GS_OK);
	run_wait(&run, two);
	for (int i = 1; i <= 2; i++) {
		double before = gs_metric_get(GS_M_SD_FAILURES, "job", "dns");
		server.step = i;
		run_wait_failures("dns", before + 2);
		assert_true(run_is(&run, two));
	}
	assert_int_equal(run.lists, 1);
	server.step = 3;
	run_wait(&run, "");
	server.step = 0;
	run_wait(&run, two);
	server.step = 4;
	run_wait(&run, "");
	run_stop(&run);
	canned_stop(&server);
}

static void test_memory(void **state) {
	struct canned server = {.fn = steps, .udp = true};
	char address[32];
	(void)state;
	canned_start(&server);
	snprintf(address, sizeof(address), "127.0.0.1:%d", server.port);
	run_without_memory(&sd, address, two, 200);
	canned_stop(&server);
}

int main(void) {
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_answers), cmocka_unit_test(test_memory)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
