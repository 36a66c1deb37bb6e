/* SPDX-License-Identifier: Apache-2.0 */
#include "keys.h"

#include <stdio.h>

#include "check.h"
#include "gravel/base/limits.h"
#include "load.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define DAY (24 * 60 * MINUTE)
#define YEAR (365 * DAY)
#define GIB (INT64_C(1) << 30)

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define SECTION(name, heading, about, rows)                                                                            \
	const struct gs_config_section name = {                                                                        \
	    .title = (heading), .help = (about), .keys = (rows), .nkeys = COUNT(rows)}

static const char *const storage_choices[] = {"file", "memory", NULL};
static const char *const log_choices[] = {"file", "stream", "memory", NULL};
static const char *const scheme_choices[] = {"puppet", "manual", NULL};

#define TEXT(key, about)                                                                                               \
	{ .name = (key), .type = GS_KEY_STRING, .max = GS_KEYS_TEXT_MAX, .help = (about) }

/* A section without effect has no struct: all offsets are 0, and its values are read into nowhere. */
static const struct gs_config_key tls_keys[] = {
    TEXT("identity", "Name in the certificate."),
    TEXT("ssl_dir", "Folder of keys and certificates."),
    {.name = "scheme", .type = GS_KEY_CHOICE, .choices = scheme_choices, .help = "Where certificates come from."},
    TEXT("ca", "File of the CA's certificate."),
    TEXT("cert", "File of the own certificate."),
    TEXT("key", "File of the private key."),
    TEXT("cache", "Folder for what was fetched."),
};
static SECTION(tls_section, "tls", "Certificates.", tls_keys);

#define TLS_KEY                                                                                                        \
	{                                                                                                              \
		.name = "tls", .type = GS_KEY_SECTION, .marks = GS_KEY_INERT, .section = &tls_section,                 \
		.help =                                                                                                \
		    "Certificates: `identity`, `ssl_dir`, `scheme` (puppet, manual), `ca`, `cert`, `key`, `cache`."    \
	}

#define AT(field) .offset = offsetof(struct gs_config_stream, field)
static const struct gs_config_key stream_keys[] = {
    {.name = "urls",
	.type = GS_KEY_URLS,
	.marks = GS_KEY_REQUIRED,
	AT(urls),
	.max = GS_KEYS_TEXT_MAX,
	.def = "must be given",
	.help = "NATS servers, `nats://[user:password@]host[:port]` or `tls://...`: a list, or one text with commas."},
    {.name = "topic",
	.type = GS_KEY_STRING,
	AT(topic),
	.max = GS_KEYS_NAME_MAX,
	.text = "prometheus",
	.check = gs_check_topic,
	.help = "First part of every subject; the same on both sides."},
    {.name = "client_id",
	.type = GS_KEY_STRING,
	AT(client_id),
	.max = GS_KEYS_NAME_MAX,
	.text = "",
	.def = "gravel-*program*-*identity*",
	.help = "Name of the connection, as the NATS server shows it."},
    {.name = "stream",
	.type = GS_KEY_STRING,
	AT(stream),
	.max = GS_KEYS_NAME_MAX,
	.text = "",
	.check = gs_check_stream,
	.def = "the topic in capitals",
	.help = "Name of the JetStream stream. It is created if missing, else only compared."},
    {.name = "replicas",
	.type = GS_KEY_INT,
	AT(replicas),
	.min = 1,
	.max = 5,
	.number = 1,
	.help = "Copies that JetStream keeps of the stream."},
    {.name = "retention",
	.type = GS_KEY_DURATION,
	AT(retention),
	.min = SECOND,
	.max = YEAR,
	.number = 10 * MINUTE,
	.help = "How long the stream keeps a message."},
    {.name = "storage",
	.type = GS_KEY_CHOICE,
	AT(storage),
	.choices = storage_choices,
	.number = GS_STORAGE_FILE,
	.help = "Where JetStream keeps the stream."},
    {.name = "push_stream",
	.type = GS_KEY_STRING,
	AT(push_stream),
	.max = GS_KEYS_NAME_MAX,
	.text = "",
	.check = gs_check_stream,
	.def = "the stream and `_PUSH`",
	.help = "Name of the JetStream stream of pushes that pollers take; the same on both sides. It is created if "
		"missing, else only compared."},
    {.name = "push_retention",
	.type = GS_KEY_DURATION,
	AT(push_retention),
	.min = SECOND,
	.max = YEAR,
	.number = 120 * MINUTE,
	.help = "How long that stream keeps a push."},
    {.name = "cluster_id",
	.type = GS_KEY_STRING,
	.marks = GS_KEY_INERT,
	.max = GS_KEYS_TEXT_MAX,
	.help = "Name of a NATS Streaming cluster; JetStream has none."},
    TLS_KEY,
    /* Of poller_stream only, hence the last. */
    {.name = "buffer",
	.type = GS_KEY_SIZE,
	AT(buffer),
	.min = 64 * 1024,
	.max = 64 * GIB,
	.number = GS_LIMIT_OUTBOX,
	.help = "Memory for scrapes that cannot be sent now; beyond it older ones give way."},
};
static const struct gs_config_section poller_stream_section = {
    .title = "poller_stream",
    .help = "Where the poller publishes.",
    .keys = stream_keys,
    .nkeys = COUNT(stream_keys),
    .after = gs_load_stream,
};
static const struct gs_config_section receiver_stream_section = {
    .title = "receiver_stream",
    .help = "What the receiver consumes. Without this section it is a push gateway alone.",
    .keys = stream_keys,
    .nkeys = COUNT(stream_keys) - 1,
    .after = gs_load_stream,
};
#undef AT

#define AT(field) .offset = offsetof(struct gs_config_receiver, field)
static const struct gs_config_key limits_keys[] = {
    {.name = "push_body",
	.type = GS_KEY_SIZE,
	AT(limits.push_body),
	.min = 1024,
	.max = GIB,
	.number = GS_LIMIT_PUSH_BODY,
	.help = "Size of the body of a push, as sent and decompressed; beyond: 413. All bodies together may take four "
		"times as much; "
		"beyond: 429."},
    {.name = "push_samples",
	.type = GS_KEY_INT,
	AT(limits.push_samples),
	.min = 1,
	.max = 100000000,
	.number = GS_LIMIT_PUSH_SAMPLES,
	.help = "Samples of one push; beyond: 413."},
    {.name = "pushes_in_flight",
	.type = GS_KEY_INT,
	AT(limits.pushes_in_flight),
	.min = 1,
	.max = 1000000,
	.number = GS_LIMIT_PUSHES_IN_FLIGHT,
	.help = "Pushes that wait for their answer; beyond: 429."},
    {.name = "series",
	.type = GS_KEY_INT,
	AT(limits.series),
	.min = 1,
	.max = INT64_C(1000000000),
	.number = GS_LIMIT_SERIES,
	.help = "Series in the store, the receiver's own not counted; beyond: 429."},
    {.name = "series_per_group",
	.type = GS_KEY_INT,
	AT(limits.series_per_group),
	.min = 1,
	.max = INT64_C(1000000000),
	.number = GS_LIMIT_SERIES_PER_GROUP,
	.help = "Series of a target that is scraped, of a group of the Pushgateway's dialect, or pushed with the same "
		"job, instance and "
		"publisher; beyond: 429."},
    {.name = "series_per_family",
	.type = GS_KEY_INT,
	AT(limits.series_per_family),
	.min = 1,
	.max = INT64_C(1000000000),
	.number = GS_LIMIT_SERIES_PER_FAMILY,
	.help = "Series of a family; beyond: 429."},
    {.name = "groups",
	.type = GS_KEY_INT,
	AT(limits.groups),
	.min = 1,
	.max = INT64_C(100000000),
	.number = GS_LIMIT_GROUPS,
	.help = "Targets in the store, and groups of the Pushgateway's dialect likewise; beyond: 429."},
    {.name = "labels_per_series",
	.type = GS_KEY_INT,
	AT(limits.labels_per_series),
	.min = 1,
	.max = GS_LIMIT_LABELS,
	.number = GS_LIMIT_LABELS,
	.help = "Labels of a series, those of its path or target too; beyond: 413."},
    {.name = "name_length",
	.type = GS_KEY_SIZE,
	AT(limits.name_length),
	.min = 1,
	.max = GS_LIMIT_NAME,
	.number = GS_LIMIT_NAME,
	.help = "Bytes of the name of a metric or label; beyond: 413."},
    {.name = "value_length",
	.type = GS_KEY_SIZE,
	AT(limits.value_length),
	.min = 1,
	.max = GS_LIMIT_LABEL_VALUE,
	.number = GS_LIMIT_LABEL_VALUE,
	.help = "Bytes of the value of a label; beyond: 413."},
};
static SECTION(limits_section, "receiver.limits",
    "What the receiver refuses to exceed: a push with this status, a scrape as a whole. See OPERATING.md.",
    limits_keys);

static const struct gs_config_key log_keys[] = {
    {.name = "kind",
	.type = GS_KEY_CHOICE,
	AT(log.kind),
	.choices = log_choices,
	.number = GS_CONFIG_LOG_FILE,
	.help = "Where a push is written down before it is answered: `file`, on this machine's disk; `stream`, in "
		"the stream of pushes of `receiver_stream`, for one receiver or several that are equal; `memory`, "
		"nowhere: pushes live as long as the process."},
    {.name = "path",
	.type = GS_KEY_STRING,
	AT(log.path),
	.max = GS_KEYS_TEXT_MAX,
	.text = "",
	.def = "`$STATE_DIRECTORY`, else `/var/lib/gravel-streams`; without a configuration file "
	       "`$XDG_STATE_HOME/gravel-streams`",
	.help =
	    "Folder of the log and its snapshots (of a `stream` the snapshots only); of one receiver only. It is made "
	    "if it is missing."},
    {.name = "max_size",
	.type = GS_KEY_SIZE,
	AT(log.max_size),
	.min = 0,
	.max = 1024 * 1024 * GIB,
	.number = 8 * GIB,
	.help = "What a log in a `file` may take, its snapshots not counted; 0: as much as there is. When it is full "
		"pushes are answered 503."},
    {.name = "key_window",
	.type = GS_KEY_DURATION,
	AT(log.key_window),
	.min = SECOND,
	.max = YEAR,
	.number = 120 * MINUTE,
	.help = "How long the `Idempotency-Key` of a push is remembered, a million of them at most."},
    {.name = "snapshot_interval",
	.type = GS_KEY_DURATION,
	AT(log.snapshot_interval),
	.min = SECOND,
	.max = DAY,
	.number = 10 * MINUTE,
	.help = "How often the whole store is written beside the log, so that the log can be cut and a start is fast. "
		"With a `stream` it is put into NATS too, and is a quarter of `push_retention` at most."},
};
static SECTION(log_section, "receiver.log",
    "The push log: what was answered 200 is in it. See LOG.md and OPERATING.md.", log_keys);

static const struct gs_config_key receiver_keys[] = {
    {.name = "listen",
	.type = GS_KEY_STRING,
	AT(listen),
	.max = GS_KEYS_TEXT_MAX,
	.text = "localhost:4278",
	.check = gs_check_listen,
	.help = "Address of the HTTP server: `host:port`, `[v6]:port`, or `:port` for all addresses."},
    {.name = "publisher_label",
	.type = GS_KEY_BOOL,
	AT(publisher_label),
	.number = true,
	.help = "Whether scraped series carry the label `publisher`."},
    {.name = "expiration",
	.type = GS_KEY_DURATION,
	AT(expiration),
	.min = 0,
	.max = YEAR,
	.number = 0,
	.help = "Pushed series that are not renewed for so long leave; 0 is never."},
    {.name = "log", .type = GS_KEY_SECTION, .section = &log_section, .help = "See below."},
    {.name = "limits", .type = GS_KEY_SECTION, .section = &limits_section, .help = "See below."},
};
static SECTION(receiver_section, "receiver", "The receiver's HTTP server and store.", receiver_keys);
#undef AT

static const struct gs_config_key push_gateway_keys[] = {
    {.name = "url",
	.type = GS_KEY_STRING,
	.marks = GS_KEY_INERT,
	.max = GS_KEYS_TEXT_MAX,
	.check = gs_check_target_url,
	.help = "A Pushgateway; the receiver is its own."},
    {.name = "publisher_label",
	.type = GS_KEY_BOOL,
	.marks = GS_KEY_ALIAS,
	.offset = offsetof(struct gs_config, receiver.publisher_label),
	.def = "receiver.publisher_label",
	.help = "The same as `receiver.publisher_label`."},
};
static SECTION(push_gateway_section, "push_gateway", "Kept from prometheus-streams.", push_gateway_keys);

#define AT(field) .offset = offsetof(struct gs_config, field)
static const struct gs_config_key top_keys[] = {
    {.name = "identity",
	.type = GS_KEY_STRING,
	AT(identity),
	.min = 1,
	.max = GS_KEYS_NAME_MAX,
	.def = "the host's name",
	.help = "Who publishes: the label `publisher`. Once in the world."},
    {.name = "scrape_interval",
	.type = GS_KEY_DURATION,
	AT(scrape_interval),
	.min = 100,
	.max = DAY,
	.number = 15 * SECOND,
	.help = "How often a target is scraped."},
    {.name = "scrape_timeout",
	.type = GS_KEY_DURATION,
	AT(scrape_timeout),
	.min = 10,
	.max = DAY,
	.number = 10 * SECOND,
	.def = "10s, at most the interval",
	.help = "How long a scrape may take; not above the interval."},
    {.name = "scrape_body_limit",
	.type = GS_KEY_SIZE,
	AT(scrape_body_limit),
	.min = 1024,
	.max = GS_LIMIT_WIRE_BODY,
	.number = GS_LIMIT_WIRE_BODY,
	.help = "Size of what a target may answer, decompressed."},
    {.name = "max_age",
	.type = GS_KEY_DURATION,
	AT(max_age),
	.min = 100,
	.max = YEAR,
	.number = 80 * SECOND,
	.help = "Scrapes older than this are dropped, and a group without a scrape for so long (or three intervals) is "
		"stale."},
    {.name = "monitor_port",
	.type = GS_KEY_INT,
	AT(monitor_port),
	.min = 0,
	.max = 65535,
	.number = 4279,
	.help = "Port of the poller's own HTTP server, which is scraped as job `prometheus_streams` too; 0: none."},
    {.name = "monitor_address",
	.type = GS_KEY_STRING,
	AT(monitor_address),
	.max = GS_KEYS_NAME_MAX,
	.text = "localhost",
	.help = "Address or host name of that server; `0.0.0.0` for all IPv4 addresses."},
    {.name = "logfile",
	.type = GS_KEY_STRING,
	AT(logfile),
	.max = GS_KEYS_TEXT_MAX,
	.def = "standard error",
	.help = "File that the log is appended to."},
    {.name = "verbose",
	.type = GS_KEY_BOOL,
	AT(verbose),
	.help = "Log more: every failed scrape and every refused push, not only changes of state."},
    {.name = "debug", .type = GS_KEY_BOOL, AT(debug), .help = "Log everything: every scrape, message and push."},
    {.name = "poller_stream",
	.type = GS_KEY_SECTION,
	.marks = GS_KEY_PRESENCE,
	AT(poller_stream),
	.also = offsetof(struct gs_config, poller_stream.present),
	.section = &poller_stream_section,
	.help = "See below."},
    {.name = "receiver_stream",
	.type = GS_KEY_SECTION,
	.marks = GS_KEY_PRESENCE,
	AT(receiver_stream),
	.also = offsetof(struct gs_config, receiver_stream.present),
	.section = &receiver_stream_section,
	.help = "See below."},
    {.name = "receiver", .type = GS_KEY_SECTION, AT(receiver), .section = &receiver_section, .help = "See below."},
    {.name = "jobs",
	.type = GS_KEY_JOBS,
	.max = GS_KEYS_NAME_MAX,
	.def = "none",
	.section = &gs_keys_job,
	.help = "Jobs by name, see below."},
    {.name = "scrape_configs",
	.type = GS_KEY_JOBS,
	.marks = GS_KEY_ALIAS,
	.section = &gs_keys_scrape_config,
	.def = "none",
	.help = "The same as a list, as Prometheus writes it; both may be there, see below."},
    {.name = "push_gateway",
	.type = GS_KEY_SECTION,
	.marks = GS_KEY_ALIAS,
	.section = &push_gateway_section,
	.help = "See below."},
    {.name = "management",
	.type = GS_KEY_FREE,
	.marks = GS_KEY_INERT,
	.help = "Remote management, as prometheus-streams has it; any mapping."},
    TLS_KEY,
};
SECTION(gs_keys_top, "Top level", "Of the file as a whole.", top_keys);
#undef AT

const struct gs_config_key *gs_keys_find(const struct gs_config_section *section, struct gs_str name) {
	for (size_t i = 0; i < section->nkeys; i++) {
		if (gs_str_eq(gs_str_of(section->keys[i].name), name))
			return &section->keys[i];
	}
	return NULL;
}

const struct gs_config_key *gs_keys_suggest(const struct gs_config_section *section, struct gs_str name) {
	const struct gs_config_key *nearest = NULL;
	size_t best = 2 + name.n / 4; /* what still looks like a slip of the finger */
	for (size_t i = 0; i < section->nkeys; i++) {
		struct gs_str known = gs_str_of(section->keys[i].name);
		size_t d = gs_str_distance(known, name);
		if (d < best && d < known.n) {
			best = d;
			nearest = &section->keys[i];
		}
	}
	return nearest;
}

/* How the keys of a section below stand in a path; NULL where none does. */
static const char *joint(const struct gs_config_key *key) {
	if (key->section == NULL || key->type == GS_KEY_HEADERS || (key->marks & GS_KEY_INERT))
		return NULL;
	if (key->type == GS_KEY_SECTION)
		return ".";
	return key->type == GS_KEY_JOBS && key->section->size == 0 ? ".<name>." : "[].";
}

static bool find_below(
    const struct gs_config_section *section, const char *prefix, struct gs_str name, char *ret, size_t n) {
	char path[128];
	if (gs_keys_find(section, name) != NULL) {
		snprintf(ret, n, "%s%.*s", prefix, GS_FMT(name));
		return true;
	}
	for (size_t i = 0; i < section->nkeys; i++) {
		const struct gs_config_key *key = &section->keys[i];
		if (joint(key) == NULL)
			continue;
		snprintf(path, sizeof(path), "%s%s%s", prefix, key->name, joint(key));
		if (find_below(key->section, path, name, ret, n))
			return true;
	}
	return false;
}

bool gs_keys_elsewhere(struct gs_str name, char *ret, size_t n) {
	return find_below(&gs_keys_top, "", name, ret, n);
}

void *gs_keys_array(const struct gs_config_key *key, const void *base) {
	void *array;
	memcpy(&array, (const char *)base + key->offset, sizeof(array)); /* its type differs from key to key */
	return array;
}

size_t gs_keys_count(const struct gs_config_key *key, const void *base) {
	return *(const size_t *)(const void *)((const char *)base + key->count);
}

void gs_keys_set_array(const struct gs_config_key *key, void *base, void *array, size_t n) {
	memcpy((char *)base + key->offset, &array, sizeof(array));
	*(size_t *)(void *)((char *)base + key->count) = n;
}

static void set_default(const struct gs_config_key *key, void *at) {
	switch (key->type) {
	case GS_KEY_BOOL:
		*(bool *)at = key->number != 0;
		break;
	case GS_KEY_INT:
	case GS_KEY_DURATION:
	case GS_KEY_SIZE:
		*(int64_t *)at = key->number;
		break;
	case GS_KEY_CHOICE:
		*(unsigned *)at = (unsigned)key->number; /* what every enum of ours is */
		break;
	case GS_KEY_STRING:
		*(const char **)at = key->text;
		break;
	case GS_KEY_SECTION:
		gs_keys_defaults(key->section, at);
		break;
	case GS_KEY_URLS:
	case GS_KEY_TEXTS:
	case GS_KEY_LABELS:
	case GS_KEY_PARAMS:
	case GS_KEY_HEADERS:
	case GS_KEY_ITEMS:
	case GS_KEY_JOBS:
	case GS_KEY_RULES:
	case GS_KEY_FREE:
	case GS_KEY_ANY:
	case GS_KEY_REFUSED:
		break; /* nothing is their default */
	}
}

void gs_keys_defaults(const struct gs_config_section *section, void *base) {
	for (size_t i = 0; i < section->nkeys; i++) {
		const struct gs_config_key *key = &section->keys[i];
		if (!(key->marks & (GS_KEY_INERT | GS_KEY_ALIAS)))
			set_default(key, (char *)base + key->offset);
	}
	if (section->tagged)
		*(int *)(void *)((char *)base + section->tag_at) = section->tag;
}
