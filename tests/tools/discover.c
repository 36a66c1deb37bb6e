/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Discovery alone, for the end-to-end tests: prints each list as a line of JSON, {"source":0,"targets":[{"__address__":...},...]}, until its input ends; then
 * {"freed_ms":...}. A line "metrics" of its input is answered with {"failures":...,"targets":...,"last_success":...} of the first source.
 *
 * usage: gravel-discover [--nats URL] [--dns SERVERS] { --kind file|dns|http|etcd|nats_kv [--name NAME]... [--refresh MS] [--prefix P] [--type SRV|A|AAAA]
 *        [--port N] [--user NAME --password P|--password-file FILE] [--bearer TOKEN] }...
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gravel/base/clock.h"
#include "gravel/base/json.h"
#include "gravel/base/num.h"
#include "gravel/bus/bus.h"
#include "gravel/discovery/discovery.h"
#include "gravel/log/log.h"
#include "gravel/telemetry/telemetry.h"

enum { SOURCES = 8, NAMES = 16 };

static struct gs_config_sd sds[SOURCES];
static const char *names[SOURCES][NAMES];
static size_t nsds;
static const char *nats, *dns;

static void write_out(struct gs_buf *out) {
	gs_buf_char(out, '\n');
	if (out->status != GS_OK || write(1, out->p, out->n) != (ssize_t)out->n)
		abort();
	gs_buf_free(out);
}

static void begin(struct gs_buf *out, struct gs_json *json) {
	gs_buf_init(out, (size_t)1 << 30);
	gs_json_init(json, out);
	gs_json_open(json, '{');
}

static void on_list(void *ctx, size_t source, const struct gs_discovered *targets, size_t n) {
	struct gs_buf out;
	struct gs_json json;
	(void)ctx;
	begin(&out, &json);
	gs_json_key(&json, GS_STR("source"));
	gs_json_u64(&json, source);
	gs_json_key(&json, GS_STR("targets"));
	gs_json_open(&json, '[');
	for (size_t i = 0; i < n; i++) {
		gs_json_open(&json, '{');
		for (size_t j = 0; j < targets[i].nlabels; j++) {
			gs_json_key(&json, targets[i].labels[j].name);
			gs_json_str(&json, targets[i].labels[j].value);
		}
		gs_json_close(&json, '}');
	}
	gs_json_close(&json, ']');
	gs_json_close(&json, '}');
	write_out(&out);
}

static void die(const char *what, const char *why) {
	fprintf(stderr, "%s: %s\n", what, why);
	exit(2);
}

static int64_t number(const char *text) {
	int64_t n;
	if (gs_num_parse_i64(gs_str_of(text), &n) != GS_OK)
		die("no number", text);
	return n;
}

static enum gs_config_sd_kind kind_of(const char *word) {
	static const char *const words[] = {"static", "file", "dns", "http", "etcd", "nats_kv"};
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(words[i], word) == 0)
			return (enum gs_config_sd_kind)i;
	}
	die("no kind", word);
	return GS_SD_STATIC;
}

static void option_of_source(struct gs_config_sd *sd, const char *option, const char *value) {
	if (strcmp(option, "--name") == 0 && sd->nnames < NAMES) {
		names[nsds - 1][sd->nnames++] = value;
	} else if (strcmp(option, "--refresh") == 0) {
		sd->refresh_interval = number(value);
	} else if (strcmp(option, "--prefix") == 0) {
		sd->prefix = value;
	} else if (strcmp(option, "--type") == 0) {
		sd->dns_type = strcmp(value, "A") == 0      ? GS_DNS_A
			       : strcmp(value, "AAAA") == 0 ? GS_DNS_AAAA
							    : GS_DNS_SRV;
	} else if (strcmp(option, "--port") == 0) {
		sd->dns_port = number(value);
	} else if (strcmp(option, "--user") == 0) {
		sd->http.basic_auth = true;
		sd->http.username = value;
	} else if (strcmp(option, "--password") == 0) {
		sd->http.password.value = value;
	} else if (strcmp(option, "--password-file") == 0) {
		sd->http.password.file = value;
	} else if (strcmp(option, "--bearer") == 0) {
		sd->http.authorization = true;
		sd->http.authorization_type = "Bearer";
		sd->http.credentials.value = value;
	} else {
		die("unknown option", option);
	}
}

static void parse_options(int argc, char **argv) {
	for (int i = 1; i + 1 < argc; i += 2) {
		const char *option = argv[i], *value = argv[i + 1];
		if (strcmp(option, "--nats") == 0) {
			nats = value;
		} else if (strcmp(option, "--dns") == 0) {
			dns = value;
		} else if (strcmp(option, "--kind") == 0 && nsds < SOURCES) {
			sds[nsds] = (struct gs_config_sd){.kind = kind_of(value),
			    .refresh_interval = 300000,
			    .names = names[nsds],
			    .prefix = "",
			    .http = {.follow_redirects = true}};
			nsds++;
		} else if (nsds != 0) {
			option_of_source(&sds[nsds - 1], option, value);
		}
	}
}

static struct gs_bus *open_bus(void) {
	struct gs_bus_options options = {.urls = &nats,
	    .nurls = 1,
	    .name = "gravel-discover",
	    .stream = {.name = "DISCOVER",
		.subjects = "discover.>",
		.replicas = 1,
		.max_msgs_per_subject = 1,
		.memory = true}};
	struct gs_bus *bus = NULL;
	struct gs_error err;
	if (nats != NULL && gs_bus_open(&options, &bus, &err) != GS_OK)
		die("nats", err.text);
	return bus;
}

static void print_metrics(void) {
	struct gs_buf out;
	struct gs_json json;
	static const char *const kinds[] = {"static", "file", "dns", "http", "etcd", "nats_kv"};
	const char *kind = kinds[sds[0].kind];
	begin(&out, &json);
	gs_json_key(&json, GS_STR("failures"));
	gs_json_u64(&json, (uint64_t)gs_metric_get(GS_M_SD_FAILURES, "job", kind));
	gs_json_key(&json, GS_STR("targets"));
	gs_json_u64(&json, (uint64_t)gs_metric_get(GS_M_SD_TARGETS, "job", kind));
	gs_json_key(&json, GS_STR("last_success"));
	gs_json_u64(&json, (uint64_t)gs_metric_get(GS_M_SD_LAST_SUCCESS, "job", kind));
	gs_json_close(&json, '}');
	write_out(&out);
}

static void print_freed(int64_t ms) {
	struct gs_buf out;
	struct gs_json json;
	begin(&out, &json);
	gs_json_key(&json, GS_STR("freed_ms"));
	gs_json_u64(&json, (uint64_t)ms);
	gs_json_close(&json, '}');
	write_out(&out);
}

int main(int argc, char **argv) {
	struct gs_error err;
	struct gs_discovery *discovery = NULL;
	char line[64];
	parse_options(argc, argv);
	if (gs_log_open("gravel-discover", NULL, GS_LOG_VERBOSE, &err) != GS_OK)
		die("log", err.text);
	struct gs_bus *bus = open_bus();
	struct gs_discovery_options options = {
	    .user_agent = "gravel-discover", .bus = bus, .dns_servers = dns, .on_list = on_list};
	if (gs_discovery_new(&options, &discovery, &err) != GS_OK)
		die("discovery", err.text);
	for (size_t i = 0; i < nsds; i++) {
		size_t source;
		if (gs_discovery_add(discovery, "job", &sds[i], &source, &err) != GS_OK)
			die("source", err.text);
	}
	if (gs_discovery_start(discovery, &err) != GS_OK)
		die("discovery", err.text);
	while (fgets(line, sizeof(line), stdin) != NULL) {
		if (strcmp(line, "metrics\n") == 0)
			print_metrics();
	}
	int64_t since = gs_clock_mono_ms();
	gs_discovery_free(discovery);
	print_freed(gs_clock_mono_ms() - since);
	gs_bus_close(bus, 1000);
	gs_log_close();
	return 0;
}
