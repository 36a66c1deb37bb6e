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
				  "scrape_body_limit: 128MiB\n"
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

/* What a job has that says nothing. */
#define HTTP_DEFAULTS                                                                                                  \
	"    metrics_path: \"/metrics\"\n"                                                                             \
	"    scheme: \"http\"\n"                                                                                       \
	"    params: {}\n"                                                                                             \
	"    honor_labels: false\n"                                                                                    \
	"    honor_timestamps: true\n"                                                                                 \
	"    tls_config:\n"                                                                                            \
	"      ca_file: \"\"\n"                                                                                        \
	"      cert_file: \"\"\n"                                                                                      \
	"      key_file: \"\"\n"                                                                                       \
	"      server_name: \"\"\n"                                                                                    \
	"      insecure_skip_verify: false\n"                                                                          \
	"      min_version: \"\"\n"                                                                                    \
	"    http_headers: {}\n"                                                                                       \
	"    proxy_url: \"\"\n"                                                                                        \
	"    follow_redirects: true\n"                                                                                 \
	"    enable_compression: true\n"                                                                               \
	"    body_size_limit: 0\n"                                                                                     \
	"    sample_limit: 0\n"                                                                                        \
	"    label_limit: 0\n"                                                                                         \
	"    label_name_length_limit: 0\n"                                                                             \
	"    label_value_length_limit: 0\n"                                                                            \
	"    target_limit: 0\n"                                                                                        \
	"    relabel_configs: []\n"                                                                                    \
	"    metric_relabel_configs: []\n"                                                                             \
	"    aggregations: []\n"
#define NO_DISCOVERY                                                                                                   \
	"    static_configs: []\n"                                                                                     \
	"    file_sd_configs: []\n"                                                                                    \
	"    dns_sd_configs: []\n"                                                                                     \
	"    http_sd_configs: []\n"                                                                                    \
	"    etcd_sd_configs: []\n"                                                                                    \
	"    nats_kv_sd_configs: []\n"

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
				     "  push_stream: \"\"\n"
				     "  push_retention: 2h\n"
				     "  buffer: 64MiB\n"
				     "receiver:\n"));
	assert_non_null(strstr(text, "  publisher_label: false\n"));
	assert_non_null(strstr(text,
	    "\njobs:\n"
	    "  \"a \\\"b\\\"\":\n"
	    "    scrape_interval: 15s\n"
	    "    scrape_timeout: 10s\n" HTTP_DEFAULTS "    clearmodes:\n"
	    "      \"x\\\\d\": \"sum\"\n"
	    "      \"y\": \"mean5m\"\n" NO_DISCOVERY "    targets:\n"
	    "      - url: \"http://<hidden>@x:1/m?a=b\"\n"
	    "        name: \"n\"\n"
	    "        labels:\n"
	    "          \"dc\": \"a: #b\"\n"
	    "      - url: \"http://y\"\n"
	    "        name: \"y:80\"\n"
	    "        labels: {}\n"
	    "  \"empty\":\n"
	    "    scrape_interval: 15s\n"
	    "    scrape_timeout: 10s\n" HTTP_DEFAULTS "    clearmodes: {}\n" NO_DISCOVERY "    targets: []\n"));
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
	same(a->push_stream, b->push_stream);
	assert_int_equal(a->push_retention, b->push_retention);
}

static void same_secret(const struct gs_config_secret *a, const struct gs_config_secret *b) {
	same(a->value != NULL ? "<hidden>" : NULL, b->value);
	same(a->file, b->file);
}

static void same_http(const struct gs_config_http *a, const struct gs_config_http *b) {
	assert_int_equal(a->basic_auth, b->basic_auth);
	same(a->username, b->username);
	same_secret(&a->password, &b->password);
	assert_int_equal(a->authorization, b->authorization);
	same(a->authorization_type, b->authorization_type);
	same_secret(&a->credentials, &b->credentials);
	same(a->ca_file, b->ca_file);
	same(a->cert_file, b->cert_file);
	same(a->key_file, b->key_file);
	same(a->server_name, b->server_name);
	assert_int_equal(a->insecure_skip_verify, b->insecure_skip_verify);
	assert_int_equal(a->min_version, b->min_version);
	assert_int_equal(a->nheaders, b->nheaders);
	for (size_t i = 0; i < a->nheaders; i++) {
		same(a->headers[i].name, b->headers[i].name);
		same(a->headers[i].value, b->headers[i].value);
		same_secret(&a->headers[i].secret, &b->headers[i].secret);
	}
	same(a->proxy_url, b->proxy_url);
	assert_int_equal(a->follow_redirects, b->follow_redirects);
}

static void same_labels(const struct gs_config_label *a, size_t na, const struct gs_config_label *b, size_t nb) {
	assert_int_equal(na, nb);
	for (size_t i = 0; i < na; i++) {
		same(a[i].name, b[i].name);
		same(a[i].value, b[i].value);
	}
}

static void same_texts(const char **a, size_t na, const char **b, size_t nb) {
	assert_int_equal(na, nb);
	for (size_t i = 0; i < na; i++)
		same(a[i], b[i]);
}

static void same_sd(const struct gs_config_sd *a, const struct gs_config_sd *b) {
	assert_int_equal(a->kind, b->kind);
	assert_int_equal(a->refresh_interval, b->refresh_interval);
	same_texts(a->names, a->nnames, b->names, b->nnames);
	same_labels(a->labels, a->nlabels, b->labels, b->nlabels);
	assert_int_equal(a->dns_type, b->dns_type);
	assert_int_equal(a->dns_port, b->dns_port);
	same(a->prefix, b->prefix);
	same_http(&a->http, &b->http);
}

static void same_relabel(const struct gs_config_relabel *a, size_t na, const struct gs_config_relabel *b, size_t nb) {
	assert_int_equal(na, nb);
	for (size_t i = 0; i < na; i++) {
		assert_int_equal(a[i].action, b[i].action);
		same_texts(a[i].source_labels, a[i].nsource_labels, b[i].source_labels, b[i].nsource_labels);
		same(a[i].separator, b[i].separator);
		same(a[i].regex, b[i].regex);
		assert_int_equal(a[i].modulus, b[i].modulus);
		same(a[i].target_label, b[i].target_label);
		same(a[i].replacement, b[i].replacement);
	}
}

static void same_rollup(const struct gs_config_rollup *a, const struct gs_config_rollup *b) {
	assert_int_equal(a->op, b->op);
	same(a->of, b->of);
	same(a->as, b->as);
	same_texts(a->labels, a->nlabels, b->labels, b->nlabels);
	assert_int_equal(a->without, b->without);
	assert_int_equal(a->drop, b->drop);
}

/* What a job has of Prometheus. */
static void same_settings(const struct gs_config_job *a, const struct gs_config_job *b) {
	same(a->metrics_path, b->metrics_path);
	same(a->scheme, b->scheme);
	same_labels(a->params, a->nparams, b->params, b->nparams);
	assert_int_equal(a->honor_timestamps, b->honor_timestamps);
	same_http(&a->http, &b->http);
	assert_int_equal(a->enable_compression, b->enable_compression);
	assert_int_equal(a->body_size_limit, b->body_size_limit);
	assert_int_equal(a->sample_limit, b->sample_limit);
	assert_int_equal(a->label_limit, b->label_limit);
	assert_int_equal(a->label_name_length_limit, b->label_name_length_limit);
	assert_int_equal(a->label_value_length_limit, b->label_value_length_limit);
	assert_int_equal(a->target_limit, b->target_limit);
	same_relabel(a->relabel, a->nrelabel, b->relabel, b->nrelabel);
	same_relabel(a->metric_relabel, a->nmetric_relabel, b->metric_relabel, b->nmetric_relabel);
	assert_int_equal(a->nrollups, b->nrollups);
	for (size_t i = 0; i < a->nrollups; i++)
		same_rollup(&a->rollups[i], &b->rollups[i]);
	assert_int_equal(a->nsds, b->nsds);
	for (size_t i = 0; i < a->nsds; i++)
		same_sd(&a->sds[i], &b->sds[i]);
}

static void same_job(const struct gs_config_job *a, const struct gs_config_job *b) {
	same(a->name, b->name);
	assert_int_equal(a->scrape_interval, b->scrape_interval);
	assert_int_equal(a->scrape_timeout, b->scrape_timeout);
	assert_int_equal(a->honor_labels, b->honor_labels);
	same_settings(a, b);
	assert_int_equal(a->nrules, b->nrules);
	for (size_t i = 0; i < a->nrules; i++) {
		same(a->rules[i].metric, b->rules[i].metric);
		same(a->rules[i].clearmode, b->rules[i].clearmode);
	}
	assert_int_equal(a->ntargets, b->ntargets);
	for (size_t i = 0; i < a->ntargets; i++) {
		same(a->targets[i].name, b->targets[i].name);
		same(a->targets[i].url, b->targets[i].url);
		same_labels(a->targets[i].labels, a->targets[i].nlabels, b->targets[i].labels, b->targets[i].nlabels);
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

/* The HTTP settings of a job or of discovery, as the rest of a mapping in braces. */
static void make_http(struct gs_buf *out) {
	gs_buf_cstr(out, ONE_OF("", ", basic_auth: {}", ", basic_auth: {username: u, password: ' p'}",
			     ", basic_auth: {password_file: a/b}", ", authorization: {}",
			     ", authorization: {type: T, credentials: 'x y'}",
			     ", authorization: {credentials_file: /c}", ", bearer_token: t", ", bearer_token_file: d"));
	gs_buf_cstr(out, ONE_OF("", ", tls_config: {ca_file: a, min_version: TLS13}",
			     ", tls_config: {cert_file: '#', key_file: /k, server_name: s, insecure_skip_verify: on}"));
	gs_buf_cstr(out, ONE_OF("", ", http_headers: {X: {values: [a, '']}, Y: {}}",
			     ", http_headers: {Y: {files: [f], secrets: [s, t]}, X: {values: ['{']}}"));
	gs_buf_cstr(out, ONE_OF("", ", proxy_url: 'socks5://p:1080'", ", follow_redirects: off"));
}

static void make_relabel(struct gs_buf *out) {
	gs_buf_printf(out, "{action: %s", ONE_OF("replace", "KEEP", "Drop", "hashmod", "labelmap", "uppercase"));
	gs_buf_cstr(out, ONE_OF("", ", source_labels: []", ", source_labels: [a, __b]"));
	gs_buf_cstr(out, ONE_OF("", ", regex: ''", ", regex: '(a|\"b\")\\.c'"));
	gs_buf_cstr(out, ONE_OF("", ", separator: ''", ", separator: \"\\n\\t\\x01\"", ", replacement: ''",
			     ", replacement: '${1}'"));
	gs_buf_cstr(out, ONE_OF("}", ", target_label: t}", ", modulus: 8}"));
}

static void make_rollup(struct gs_buf *out) {
	gs_buf_printf(out, "{%s: a.*, as: b", ONE_OF("sum", "min", "max", "avg", "count"));
	gs_buf_cstr(out, ONE_OF("", ", by: []", ", by: [x, y]", ", without: []", ", without: [z]"));
	gs_buf_cstr(out, ONE_OF("}", ", inputs: keep}", ", inputs: drop}"));
}

static void make_list(struct gs_buf *out, const char *name, void (*make)(struct gs_buf *out)) {
	gs_buf_printf(out, ", %s: [", name);
	for (uint32_t n = pick(3); n > 0; n--) {
		make(out);
		gs_buf_cstr(out, ", ");
	}
	gs_buf_cstr(out, "]");
}

static void make_static(struct gs_buf *out) {
	gs_buf_printf(
	    out, "{targets: [%s]%s}", ONE_OF("", "a:1", "a:1, '[::1]:2'"), ONE_OF("", ", labels: {__a: '', b: 'c d'}"));
}

static void make_file(struct gs_buf *out) {
	gs_buf_printf(
	    out, "{files: [%s]%s}", ONE_OF("a.json", "'*.yml', b.yaml"), ONE_OF("", ", refresh_interval: 1m"));
}

static void make_dns(struct gs_buf *out) {
	gs_buf_printf(
	    out, "{names: [%s]%s}", ONE_OF("a", "a, b"), ONE_OF("", ", type: a, port: 5", ", type: AAAA, port: 6"));
}

static void make_http_sd(struct gs_buf *out) {
	gs_buf_printf(out, "{url: %s", ONE_OF("http://x", "'https://y:1/z?a=b#c'"));
	make_http(out);
	gs_buf_cstr(out, "}");
}

static void make_etcd(struct gs_buf *out) {
	gs_buf_printf(out, "{prefix: %s, urls: [%s]", ONE_OF("/a", "' '"), ONE_OF("http://x", "http://x, https://y"));
	make_http(out);
	gs_buf_cstr(out, "}");
}

static void make_kv(struct gs_buf *out) {
	gs_buf_printf(out, "{bucket: %s%s}", ONE_OF("b", "B-_9"), ONE_OF("", ", prefix: a.b"));
}

static void make_scrape_configs(struct gs_buf *out) {
	gs_buf_cstr(out, "scrape_configs:\n");
	for (uint32_t i = pick(3); i > 0; i--) {
		gs_buf_printf(out, "- {job_name: 's %u'", i);
		make_http(out);
		make_list(out, "http_sd_configs", make_http_sd);
		make_list(out, "relabel_configs", make_relabel);
		make_list(out, "static_configs", make_static);
		make_list(out, "aggregations", make_rollup);
		make_list(out, "nats_kv_sd_configs", make_kv);
		make_list(out, "metric_relabel_configs", make_relabel);
		make_list(out, "dns_sd_configs", make_dns);
		make_list(out, "etcd_sd_configs", make_etcd);
		make_list(out, "file_sd_configs", make_file);
		gs_buf_cstr(out, ONE_OF("", ", params: {a: [b, ''], 'c d': [], e: ['\"']}"));
		gs_buf_cstr(out, ONE_OF("", ", scheme: https, metrics_path: ''", ", metrics_path: /x"));
		gs_buf_cstr(out, ONE_OF("", ", honor_timestamps: off", ", enable_compression: off, honor_labels: on"));
		gs_buf_cstr(out, ONE_OF("", ", body_size_limit: 1.5KB", ", body_size_limit: 1, target_limit: 2"));
		gs_buf_cstr(out, ONE_OF("}\n", ", sample_limit: 3, label_limit: 4}\n",
				     ", label_name_length_limit: 5, label_value_length_limit: 6}\n"));
	}
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
	make_scrape_configs(out);
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
