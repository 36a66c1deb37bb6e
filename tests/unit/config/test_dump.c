/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "expect.h"
#include "gravel/base/mem.h"

static char *dump(const struct gs_config *c) {
	struct gs_buf out;
	size_t n;
	gs_buf_init(&out, 1 << 24);
	gs_config_dump(c, &out);
	gs_buf_char(&out, '\0');
	assert_int_equal(out.status, GS_OK);
	return gs_buf_take(&out, &n);
}

static void test_defaults(void **state) {
	(void)state;
	struct gs_config *c = accept("identity: me\n");
	char *text = dump(c);
	assert_string_equal(text, "identity: \"me\"\n"
				  "scrape_interval: 15s\n"
				  "scrape_timeout: 10s\n"
				  "scrape_body_limit: 64MiB\n"
				  "max_age: 1m20s\n"
				  "monitor_port: 4279\n"
				  "monitor_address: \"localhost\"\n"
				  "logfile: \"\"\n"
				  "verbose: false\n"
				  "debug: false\n"
				  "receiver:\n"
				  "  listen: \"localhost:4278\"\n"
				  "  publisher_label: true\n"
				  "  expiration: 0s\n"
				  "  log:\n"
				  "    kind: file\n"
				  "    path: \"\"\n"
				  "    max_size: 8GiB\n"
				  "    key_window: 2h\n"
				  "    snapshot_interval: 10m\n"
				  "  limits:\n"
				  "    push_body: 64MiB\n"
				  "    push_samples: 1000000\n"
				  "    pushes_in_flight: 1024\n"
				  "    series: 20000000\n"
				  "    series_per_group: 5000000\n"
				  "    series_per_family: 10000000\n"
				  "    groups: 1000000\n"
				  "    labels_per_series: 128\n"
				  "    name_length: 1KiB\n"
				  "    value_length: 64KiB\n"
				  "jobs: {}\n");
	gs_free(text);
	gs_config_free(c);
}

static void test_full(void **state) {
	(void)state;
	struct gs_config *c =
	    accept_with("identity: me\n"
			"tls: {}\n"
			"push_gateway: {publisher_label: off}\n"
			"poller_stream: {urls: \"nats://user:secret@a:1,tls://b\", storage: memory}\n"
			"jobs:\n"
			"  'a \"b\"':\n"
			"    clearmodes: {'x\\d': sum, y: mean5m}\n"
			"    targets:\n"
			"      - {name: n, url: 'http://user:secret@x:1/m?a=b', labels: {dc: 'a: #b'}}\n"
			"      - {url: http://y}\n"
			"  empty:\n",
		"f:2:1: warning: key \"tls\" is known but has no effect yet\n");
	char *text = dump(c);
	assert_null(strstr(text, "secret"));
	assert_null(strstr(text, "user"));
	assert_null(strstr(text, "tls:\n"));
	assert_non_null(strstr(text, "\npoller_stream:\n"
				     "  urls: [\"nats://<hidden>@a:1\", \"tls://b\"]\n"
				     "  topic: \"prometheus\"\n"
				     "  client_id: \"\"\n"
				     "  stream: \"\"\n"
				     "  replicas: 1\n"
				     "  retention: 10m\n"
				     "  storage: memory\n"
				     "  buffer: 64MiB\n"
				     "receiver:\n"));
	assert_non_null(strstr(text, "  publisher_label: false\n"));
	assert_non_null(strstr(text, "\njobs:\n"
				     "  \"a \\\"b\\\"\":\n"
				     "    scrape_interval: 15s\n"
				     "    scrape_timeout: 10s\n"
				     "    honor_labels: false\n"
				     "    clearmodes:\n"
				     "      \"x\\\\d\": \"sum\"\n"
				     "      \"y\": \"mean5m\"\n"
				     "    targets:\n"
				     "      - url: \"http://<hidden>@x:1/m?a=b\"\n"
				     "        name: \"n\"\n"
				     "        labels:\n"
				     "          \"dc\": \"a: #b\"\n"
				     "      - url: \"http://y\"\n"
				     "        name: \"y:80\"\n"
				     "        labels: {}\n"
				     "  \"empty\":\n"
				     "    scrape_interval: 15s\n"
				     "    scrape_timeout: 10s\n"
				     "    honor_labels: false\n"
				     "    clearmodes: {}\n"
				     "    targets: []\n"));
	gs_free(text);
	gs_config_free(c);
}

static void same(const char *a, const char *b) {
	if (a == NULL || b == NULL)
		assert_ptr_equal(a, b);
	else
		assert_string_equal(a, b);
}

static void same_stream(const struct gs_config_stream *a, const struct gs_config_stream *b) {
	assert_int_equal(a->present, b->present);
	assert_int_equal(a->nurls, b->nurls);
	for (size_t i = 0; i < a->nurls; i++)
		same(a->urls[i], b->urls[i]);
	same(a->topic, b->topic);
	same(a->client_id, b->client_id);
	same(a->stream, b->stream);
	assert_int_equal(a->replicas, b->replicas);
	assert_int_equal(a->retention, b->retention);
	assert_int_equal(a->storage, b->storage);
	assert_int_equal(a->buffer, b->buffer);
}

static void same_job(const struct gs_config_job *a, const struct gs_config_job *b) {
	same(a->name, b->name);
	assert_int_equal(a->scrape_interval, b->scrape_interval);
	assert_int_equal(a->scrape_timeout, b->scrape_timeout);
	assert_int_equal(a->honor_labels, b->honor_labels);
	assert_int_equal(a->nrules, b->nrules);
	for (size_t i = 0; i < a->nrules; i++) {
		same(a->rules[i].metric, b->rules[i].metric);
		same(a->rules[i].clearmode, b->rules[i].clearmode);
	}
	assert_int_equal(a->ntargets, b->ntargets);
	for (size_t i = 0; i < a->ntargets; i++) {
		same(a->targets[i].name, b->targets[i].name);
		same(a->targets[i].url, b->targets[i].url);
		assert_int_equal(a->targets[i].nlabels, b->targets[i].nlabels);
		for (size_t k = 0; k < a->targets[i].nlabels; k++) {
			same(a->targets[i].labels[k].name, b->targets[i].labels[k].name);
			same(a->targets[i].labels[k].value, b->targets[i].labels[k].value);
		}
	}
}

static void same_config(const struct gs_config *a, const struct gs_config *b) {
	same(a->identity, b->identity);
	assert_int_equal(a->scrape_interval, b->scrape_interval);
	assert_int_equal(a->scrape_timeout, b->scrape_timeout);
	assert_int_equal(a->scrape_body_limit, b->scrape_body_limit);
	assert_int_equal(a->max_age, b->max_age);
	assert_int_equal(a->monitor_port, b->monitor_port);
	assert_string_equal(a->monitor_address, b->monitor_address);
	same(a->logfile, b->logfile);
	assert_int_equal(a->verbose, b->verbose);
	assert_int_equal(a->debug, b->debug);
	same_stream(&a->poller_stream, &b->poller_stream);
	same_stream(&a->receiver_stream, &b->receiver_stream);
	same(a->receiver.listen, b->receiver.listen);
	assert_int_equal(a->receiver.publisher_label, b->receiver.publisher_label);
	assert_int_equal(a->receiver.expiration, b->receiver.expiration);
	assert_memory_equal(&a->receiver.limits, &b->receiver.limits, sizeof(a->receiver.limits));
	assert_int_equal(a->njobs, b->njobs);
	for (size_t i = 0; i < a->njobs; i++)
		same_job(&a->jobs[i], &b->jobs[i]);
}

/* A little generator of right configs; each choice is a bit of a linear congruence. */
static uint32_t seed;

static uint32_t pick(uint32_t n) {
	seed = seed * 1664525 + 1013904223;
	return (seed >> 16) % n;
}

#define ONE_OF(...)                                                                                                    \
	pick_text((const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static const char *pick_text(const char *const *texts, size_t n) {
	return texts[pick((uint32_t)n)];
}

static void make_stream(struct gs_buf *out, const char *name) {
	if (pick(3) == 0)
		return;
	gs_buf_printf(
	    out, "%s:\n  urls: %s\n", name, ONE_OF("nats://a", "[nats://a, 'tls://[::1]:5']", "'nats://a, nats://b'"));
	gs_buf_printf(out, "  topic: %s\n  replicas: %u\n", ONE_OF("t", "a.b.c", "'\xc3\xbc'"), 1 + pick(5));
	gs_buf_printf(out, "  retention: %u\n  storage: %s\n", 1 + pick(100000), ONE_OF("file", "memory"));
}

static void make_target(struct gs_buf *out, uint32_t i) {
	gs_buf_printf(out, "      - url: %s\n", ONE_OF("http://x/", "'https://y:1/m?a=\"b\\\"'", "http://z/#c"));
	gs_buf_printf(out, "        name: \"%s%u\"\n",
	    ONE_OF("n", "a \\\"q\\\" ", "\\\\", "- ", "#", "\xf0\x9f\x90\x98 ", "null "), i);
	if (pick(2))
		gs_buf_printf(out, "        labels: {a: %s, _b9: %s}\n", ONE_OF("x", "'  blanks  '", "'~'", "'yes'"),
		    ONE_OF("7", "\"'\"", "'{}'", "'%x'", "'a: b'"));
}

static void make_config(struct gs_buf *out) {
	gs_buf_printf(
	    out, "identity: %s\n", ONE_OF("me", "'null'", "'a: b'", "\"\\\\ \\\"\"", "'- x'", "'123'", "\xc3\xbc"));
	gs_buf_printf(out, "scrape_interval: %ums\n", 100 + pick(60000) * pick(1000));
	gs_buf_printf(out, "max_age: %u\nmonitor_port: %u\n", 1 + pick(100000), pick(65536));
	gs_buf_printf(out, "logfile: %s\nverbose: %s\n", ONE_OF("/a", "''", "~", "'x y'"), ONE_OF("yes", "no"));
	gs_buf_printf(out, "scrape_body_limit: %s\n", ONE_OF("1KiB", "1025", "5MB", "64 MiB"));
	make_stream(out, "poller_stream");
	make_stream(out, "receiver_stream");
	gs_buf_printf(out, "receiver: {listen: '%s', expiration: %u}\n", ONE_OF(":1", "[::]:0", "a:1"), pick(3) * 77);
	gs_buf_cstr(out, "jobs:\n");
	uint32_t jobs = pick(4);
	for (uint32_t j = 0; j < jobs; j++) {
		gs_buf_printf(out, "  \"%s%u\":\n", ONE_OF("job", "a b", "\\\"", "\xc3\xbc", "? ", "&a "), j);
		gs_buf_printf(out, "    honor_labels: %s\n", ONE_OF("true", "false"));
		if (pick(2))
			gs_buf_printf(out, "    clearmodes: {%s: sum, 'b|c': %s}\n", ONE_OF("a.*", "'\\\\d'", "'[a]'"),
			    ONE_OF("'p99:5m'", "family"));
		gs_buf_cstr(out, "    targets:\n");
		for (uint32_t i = pick(4); i > 0; i--)
			make_target(out, i);
	}
}

static void test_round_trip(void **state) {
	(void)state;
	for (seed = 0; seed < 300; seed++) {
		struct gs_buf text;
		uint32_t this = seed;
		gs_buf_init(&text, 1 << 20);
		make_config(&text);
		gs_buf_char(&text, '\0');
		struct gs_config *a = accept(text.p);
		char *first = dump(a);
		struct gs_config *b = accept(first);
		char *second = dump(b);
		same_config(a, b);
		assert_string_equal(first, second);
		gs_free(first);
		gs_free(second);
		gs_config_free(a);
		gs_config_free(b);
		gs_buf_free(&text);
		seed = this;
	}
}

static void test_memory(void **state) {
	struct gs_config *c = accept("poller_stream: {urls: \"nats://u:p@a\"}\n");
	(void)state;
	for (int n = 0;; n++) {
		struct gs_buf out;
		gs_buf_init(&out, 1 << 20);
		gs_mem_fail_after(n);
		gs_config_dump(c, &out);
		int failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		assert_int_equal(out.status, failed ? GS_ENOMEM : GS_OK);
		gs_buf_free(&out);
		if (!failed)
			break;
	}
	gs_config_free(c);
}

int main(void) {
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_defaults), cmocka_unit_test(test_full),
	    cmocka_unit_test(test_round_trip), cmocka_unit_test(test_memory)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
