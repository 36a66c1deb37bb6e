/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_CONFIG_CONFIG_H
#define GRAVEL_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gravel/base/buf.h"
#include "gravel/base/error.h"

/*
 * The configuration of both programs: one YAML file, one table of keys (lib/config/keys.c) from which parsing, validation,
 * --dump-config and docs/CONFIG.md come. All strings are NUL-terminated and owned by the gs_config; all times are in
 * milliseconds, all sizes in bytes. Immutable once loaded.
 */

struct gs_config_label {
	const char *name;
	const char *value;
};

/* A rule "metric-name regex -> clearmode" of a job; the regex is fully anchored. */
struct gs_config_rule {
	const char *metric;
	const char *clearmode;
	uint32_t line; /* of the metric; both are checked by who compiles them (scrape, gravel) */
	uint32_t column;
	uint32_t clearmode_line;
	uint32_t clearmode_column;
};

struct gs_config_target {
	const char *name; /* the instance: as given, else host:port of the URL */
	const char *url;
	struct gs_config_label *labels;
	size_t nlabels;
};

struct gs_config_job {
	const char *name;
	int64_t scrape_interval; /* the job's own, else the global one */
	int64_t scrape_timeout; /* likewise; never above the interval */
	bool honor_labels;
	struct gs_config_rule *rules; /* key "clearmodes" */
	size_t nrules;
	struct gs_config_target *targets;
	size_t ntargets;
};

enum gs_config_storage { GS_STORAGE_FILE, GS_STORAGE_MEMORY };

/* poller_stream, receiver_stream */
struct gs_config_stream {
	bool present; /* the section is in the file; stays the first member (lib/config/keys.c) */
	const char **
	    urls; /* nats://[user:password@]host:port; a list, or one string with commas. Secrets: dumped as "<hidden>" */
	size_t nurls;
	const char *topic; /* first part of every subject; "prometheus" */
	const char *client_id; /* name of the connection; "" means gravel-<program>-<identity> */
	const char *stream; /* JetStream stream; "" means the topic in upper case, bytes outside [A-Z0-9_-] as '_' */
	int64_t replicas; /* 1 to 5 */
	int64_t retention; /* max age of the stream; 10m */
	enum gs_config_storage storage;
	int64_t buffer; /* poller_stream only: memory for what could not be sent; GS_LIMIT_OUTBOX */
};

struct gs_config_receiver {
	const char *listen; /* host:port, [v6]:port, :port; "localhost:4278" */
	bool publisher_label; /* on */
	int64_t expiration; /* of pushed series; 0 is never */
	struct {
		int64_t push_body;
		int64_t push_samples;
		int64_t pushes_in_flight;
		int64_t series;
		int64_t series_per_group;
		int64_t series_per_family;
		int64_t groups;
		int64_t labels_per_series;
		int64_t name_length;
		int64_t value_length;
	} limits;
};

struct gs_config {
	const char *file; /* NULL without one */
	const char *identity;
	int64_t scrape_interval;
	int64_t scrape_timeout;
	int64_t scrape_body_limit;
	int64_t max_age;
	int64_t monitor_port; /* 0: none */
	const char *monitor_address;
	const char *logfile; /* NULL: stderr */
	bool verbose;
	bool debug;
	struct gs_config_stream poller_stream;
	struct gs_config_stream receiver_stream;
	struct gs_config_receiver receiver;
	struct gs_config_job *jobs;
	size_t njobs;
};

/* What was found in a config: every error, and warnings for known keys that have no effect yet. */
struct gs_config_report {
	struct gs_buf
	    text; /* lines "file:line:column: message", in the order of the file; warnings as "file:line:column: warning: ..." */
	size_t errors;
	size_t warnings;
};

/** gs_config_load(file, report, ret_config):
 * Read ${file} (NULL: defaults alone) and check all of it. ${report} is initialised here and lists every error found, not only the first;
 * free it with gs_config_report_free in any case. Returns GS_EIO (the file cannot be read), GS_EINVAL (errors),
 * GS_ELIMIT (too large), GS_ENOMEM; *${ret_config} is set only with GS_OK. */
GS_MUST_USE enum gs_status gs_config_load(
    const char *file, struct gs_config_report *report, struct gs_config **ret_config);

/** gs_config_parse(text, file, report, ret_config): The same from bytes; ${file} is only a name for messages. For tests and fuzzers. */
GS_MUST_USE enum gs_status gs_config_parse(
    struct gs_str text, const char *file, struct gs_config_report *report, struct gs_config **ret_config);

/** gs_config_set_listen(config, address, err):
 * Let ${address} (copied) take the place of receiver.listen: for the option -l. GS_EINVAL when it has not the form; GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_config_set_listen(struct gs_config *config, const char *address, struct gs_error *err);

/** gs_config_free(config): Free it and all that it points to; NULL is nothing. */
void gs_config_free(struct gs_config *config);
void gs_config_report_free(struct gs_config_report *report);

/** gs_config_dump(config, out): Append the effective configuration as YAML, defaults included, that loads again to the same; secrets are
 * "<hidden>". */
void gs_config_dump(const struct gs_config *config, struct gs_buf *out);

/** gs_config_reference(out): Append docs/CONFIG.md, made from the table. */
void gs_config_reference(struct gs_buf *out);

#endif
