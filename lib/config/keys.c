/* SPDX-License-Identifier: Apache-2.0 */
#include "keys.h"

#include <stdio.h>

#include "check.h"
#include "gravel/base/limits.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define DAY (24 * 60 * MINUTE)
#define YEAR (365 * DAY)
#define GIB (INT64_C(1) << 30)

#define NAME_MAX_BYTES 250 /* identity, job, instance: three of them, escaped, stand in a subject */
#define TEXT_MAX_BYTES 4096

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define SECTION(name, heading, about, rows)                                                                            \
	const struct gs_config_section name = {                                                                        \
	    .title = (heading), .help = (about), .keys = (rows), .nkeys = COUNT(rows)}

static const char *const storage_choices[] = {"file", "memory", NULL};
static const char *const log_choices[] = {"file", "stream", "memory", NULL};
static const char *const scheme_choices[] = {"puppet", "manual", NULL};

#define TEXT(key, about)                                                                                               \
	{ .name = (key), .type = GS_KEY_STRING, .max = TEXT_MAX_BYTES, .help = (about) }

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

_Static_assert(offsetof(struct gs_config_stream, present) == 0, "GS_KEY_PRESENCE writes there");

#define AT(field) .offset = offsetof(struct gs_config_stream, field)
static const struct gs_config_key stream_keys[] = {
    {.name = "urls",
	.type = GS_KEY_URLS,
	.marks = GS_KEY_REQUIRED,
	AT(urls),
	.max = TEXT_MAX_BYTES,
	.def = "must be given",
	.help = "NATS servers, `nats://[user:password@]host[:port]` or `tls://...`: a list, or one text with commas."},
    {.name = "topic",
	.type = GS_KEY_STRING,
	AT(topic),
	.max = NAME_MAX_BYTES,
	.text = "prometheus",
	.check = gs_check_topic,
	.help = "First part of every subject; the same on both sides."},
    {.name = "client_id",
	.type = GS_KEY_STRING,
	AT(client_id),
	.max = NAME_MAX_BYTES,
	.text = "",
	.def = "gravel-*program*-*identity*",
	.help = "Name of the connection, as the NATS server shows it."},
    {.name = "stream",
	.type = GS_KEY_STRING,
	AT(stream),
	.max = NAME_MAX_BYTES,
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
    {.name = "cluster_id",
	.type = GS_KEY_STRING,
	.marks = GS_KEY_INERT,
	.max = TEXT_MAX_BYTES,
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
static SECTION(poller_stream_section, "poller_stream", "Where the poller publishes.", stream_keys);
static const struct gs_config_section receiver_stream_section = {
    .title = "receiver_stream",
    .help = "What the receiver consumes. Without this section it is a push gateway alone.",
    .keys = stream_keys,
    .nkeys = COUNT(stream_keys) - 1,
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
		"JetStream (not "
		"yet); `memory`, nowhere: pushes live as long as the process."},
    {.name = "path",
	.type = GS_KEY_STRING,
	AT(log.path),
	.max = TEXT_MAX_BYTES,
	.text = "",
	.def = "`$STATE_DIRECTORY`, else `/var/lib/gravel-streams`; without a configuration file "
	       "`$XDG_STATE_HOME/gravel-streams`",
	.help = "Folder of the log and its snapshots; of one receiver only. It is made if it is missing."},
    {.name = "max_size",
	.type = GS_KEY_SIZE,
	AT(log.max_size),
	.min = 0,
	.max = 1024 * 1024 * GIB,
	.number = 8 * GIB,
	.help = "What the log may take on the disk, its snapshots not counted; 0: as much as there is. When it is full "
		"pushes are "
		"answered 503."},
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
	.help = "How often the whole store is written beside the log, so that the log can be cut and a start is fast."},
};
static SECTION(log_section, "receiver.log",
    "The push log: what was answered 200 is in it. See LOG.md and OPERATING.md.", log_keys);

static const struct gs_config_key receiver_keys[] = {
    {.name = "listen",
	.type = GS_KEY_STRING,
	AT(listen),
	.max = TEXT_MAX_BYTES,
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
	.max = TEXT_MAX_BYTES,
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

#define AT(field) .offset = offsetof(struct gs_config_target, field)
static const struct gs_config_key target_keys[] = {
    {.name = "url",
	.type = GS_KEY_STRING,
	.marks = GS_KEY_REQUIRED,
	AT(url),
	.max = TEXT_MAX_BYTES,
	.check = gs_check_target_url,
	.def = "must be given",
	.help = "What is scraped, `http://...` or `https://...`."},
    {.name = "name",
	.type = GS_KEY_STRING,
	AT(name),
	.min = 1,
	.max = NAME_MAX_BYTES,
	.def = "host:port of the URL",
	.help = "The label `instance`; once in a job."},
    {.name = "labels",
	.type = GS_KEY_LABELS,
	.max = TEXT_MAX_BYTES,
	.check = gs_check_label_name,
	.def = "none",
	.help = "More labels of every series of this target: name to value."},
};
SECTION(gs_keys_target, "jobs.*name*.targets[]", "One target.", target_keys);
#undef AT

#define AT(field) .offset = offsetof(struct gs_config_job, field)
static const struct gs_config_key job_keys[] = {
    {.name = "scrape_interval",
	.type = GS_KEY_DURATION,
	AT(scrape_interval),
	.min = 100,
	.max = DAY,
	.number = GS_KEYS_INHERIT,
	.def = "the global one",
	.help = "As the global one, for this job."},
    {.name = "scrape_timeout",
	.type = GS_KEY_DURATION,
	AT(scrape_timeout),
	.min = 10,
	.max = DAY,
	.number = GS_KEYS_INHERIT,
	.def = "the global one, at most the interval",
	.help = "As the global one, for this job."},
    {.name = "honor_labels",
	.type = GS_KEY_BOOL,
	AT(honor_labels),
	.number = false,
	.help = "On: labels in the scrape win over job, instance, publisher and labels of the target. Off: they become "
		"`exported_...`."},
    {.name = "clearmodes",
	.type = GS_KEY_RULES,
	.max = TEXT_MAX_BYTES,
	.def = "none",
	.help = "Clearmodes by metric name, `regex: clearmode`; the first that fits the whole name counts."},
    {.name = "targets", .type = GS_KEY_TARGETS, .def = "none", .help = "What is scraped; a list, see below."},
};
SECTION(gs_keys_job, "jobs.*name*", "A named set of targets. The name becomes the label `job`.", job_keys);
#undef AT

#define AT(field) .offset = offsetof(struct gs_config, field)
static const struct gs_config_key top_keys[] = {
    {.name = "identity",
	.type = GS_KEY_STRING,
	AT(identity),
	.min = 1,
	.max = NAME_MAX_BYTES,
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
	.number = GS_LIMIT_SCRAPE_BODY,
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
	.max = NAME_MAX_BYTES,
	.text = "localhost",
	.help = "Address or host name of that server; `0.0.0.0` for all IPv4 addresses."},
    {.name = "logfile",
	.type = GS_KEY_STRING,
	AT(logfile),
	.max = TEXT_MAX_BYTES,
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
	.section = &poller_stream_section,
	.help = "See below."},
    {.name = "receiver_stream",
	.type = GS_KEY_SECTION,
	.marks = GS_KEY_PRESENCE,
	AT(receiver_stream),
	.section = &receiver_stream_section,
	.help = "See below."},
    {.name = "receiver", .type = GS_KEY_SECTION, AT(receiver), .section = &receiver_section, .help = "See below."},
    {.name = "jobs", .type = GS_KEY_JOBS, .max = NAME_MAX_BYTES, .def = "none", .help = "Jobs by name, see below."},
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

static bool find_below(
    const struct gs_config_section *section, const char *prefix, struct gs_str name, char *ret, size_t n) {
	char path[64];
	if (gs_keys_find(section, name) != NULL) {
		snprintf(ret, n, "%s%.*s", prefix, GS_FMT(name));
		return true;
	}
	for (size_t i = 0; i < section->nkeys; i++) {
		const struct gs_config_key *key = &section->keys[i];
		snprintf(path, sizeof(path), "%s%s.", prefix, key->name);
		bool searched = key->type == GS_KEY_SECTION && !(key->marks & GS_KEY_INERT);
		if (searched && find_below(key->section, path, name, ret, n))
			return true;
	}
	return false;
}

bool gs_keys_elsewhere(struct gs_str name, char *ret, size_t n) {
	return find_below(&gs_keys_top, "", name, ret, n) || find_below(&gs_keys_job, "jobs.<name>.", name, ret, n) ||
	       find_below(&gs_keys_target, "jobs.<name>.targets[].", name, ret, n);
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
		*(enum gs_config_storage *)at = (enum gs_config_storage)key->number;
		break;
	case GS_KEY_STRING:
		*(const char **)at = key->text;
		break;
	case GS_KEY_SECTION:
		gs_keys_defaults(key->section, at);
		break;
	case GS_KEY_URLS:
	case GS_KEY_FREE:
	case GS_KEY_JOBS:
	case GS_KEY_TARGETS:
	case GS_KEY_RULES:
	case GS_KEY_LABELS:
		break; /* nothing is their default */
	}
}

void gs_keys_defaults(const struct gs_config_section *section, void *base) {
	for (size_t i = 0; i < section->nkeys; i++) {
		const struct gs_config_key *key = &section->keys[i];
		if (!(key->marks & (GS_KEY_INERT | GS_KEY_ALIAS)))
			set_default(key, (char *)base + key->offset);
	}
}
