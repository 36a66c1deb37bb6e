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

/* A secret: in the file, or in one of its own, which is read at each use so that it can be rotated. Never dumped or logged. At most one of both is not NULL. */
struct gs_config_secret {
	const char *value; /* dumped as "<hidden>" */
	const char *file;
};

enum gs_config_tls_version { GS_TLS_DEFAULT, GS_TLS_10, GS_TLS_11, GS_TLS_12, GS_TLS_13 };

/* One value of a header of http_headers. */
struct gs_config_header {
	const char *name;
	const char *value; /* values */
	struct gs_config_secret secret; /* secrets, files */
};

/* How a server is asked: the HTTP settings of a job, and of discovery by HTTP and etcd. Names as in Prometheus. */
struct gs_config_http {
	bool basic_auth; /* the section is there */
	const char *username;
	struct gs_config_secret password; /* password, password_file */
	bool authorization; /* likewise; not with basic_auth */
	const char *authorization_type; /* "Bearer" */
	struct gs_config_secret credentials; /* credentials, credentials_file */
	const char *ca_file; /* tls_config; NULL: the system's */
	const char *cert_file;
	const char *key_file;
	const char *server_name; /* NULL: the host of the URL */
	bool insecure_skip_verify;
	enum gs_config_tls_version min_version;
	struct gs_config_header *headers; /* http_headers: name to values, secrets or files */
	size_t nheaders;
	const char *proxy_url; /* http, https, socks5; NULL: none. Dumped without password */
	bool follow_redirects; /* on */
};

/* relabel_configs, metric_relabel_configs: as in relabel/relabel.h, which checks them; enum gs_relabel_action in words. */
struct gs_config_relabel {
	int action; /* enum gs_relabel_action */
	const char **source_labels;
	size_t nsource_labels;
	const char *separator;
	const char *regex;
	int64_t modulus;
	const char *target_label; /* NULL: not given */
	const char *replacement;
	uint32_t line;
	uint32_t column;
};

/* A rule of aggregation at the edge, as in rollup/rollup.h. */
struct gs_config_rollup {
	int op; /* enum gs_rollup_op; the key that names it is one of sum, min, max, avg, count, its value the regex of names */
	const char *of;
	const char *as;
	const char **labels; /* of "by" or "without" */
	size_t nlabels;
	bool without;
	bool drop; /* inputs: drop; else keep */
	uint32_t line;
	uint32_t column;
};

enum gs_config_sd_kind { GS_SD_STATIC, GS_SD_FILE, GS_SD_DNS, GS_SD_HTTP, GS_SD_ETCD, GS_SD_NATS_KV };
enum gs_config_dns_type { GS_DNS_SRV, GS_DNS_A, GS_DNS_AAAA };

/* One item of static_configs, file_sd_configs, dns_sd_configs, http_sd_configs, etcd_sd_configs, nats_kv_sd_configs. */
struct gs_config_sd {
	enum gs_config_sd_kind kind;
	int64_t refresh_interval; /* file 5m, dns 30s, http 1m, etcd 30s; of KV: of the fallback beside its watch, 5m */
	const char **
	    names; /* static: targets; file: files (patterns); dns: names; http: one url; etcd: urls of its endpoints; KV: one bucket */
	size_t nnames;
	struct gs_config_label *labels; /* static */
	size_t nlabels;
	enum gs_config_dns_type dns_type; /* dns: SRV */
	int64_t dns_port; /* of A and AAAA */
	const char *prefix; /* etcd: of the keys that end in host:port; KV: of its keys */
	struct gs_config_http http; /* http, etcd */
	uint32_t line;
	uint32_t column;
};

/* A job, from "jobs" or from "scrape_configs". */
struct gs_config_job {
	const char *name; /* unique over both lists */
	uint32_t line; /* of its name */
	uint32_t column;
	int64_t scrape_interval; /* the job's own, else the global one */
	int64_t scrape_timeout; /* likewise; never above the interval */
	const char *metrics_path; /* "/metrics" */
	const char *scheme; /* "http" or "https" */
	struct gs_config_label *params; /* in order; a name with several values comes several times */
	size_t nparams;
	bool honor_labels;
	bool honor_timestamps; /* on */
	struct gs_config_http http;
	bool enable_compression; /* on */
	int64_t body_size_limit; /* bytes; 0: scrape_body_limit */
	int64_t sample_limit; /* 0: none, as the next four */
	int64_t label_limit;
	int64_t label_name_length_limit;
	int64_t label_value_length_limit;
	int64_t target_limit;
	struct gs_config_relabel *relabel; /* relabel_configs */
	size_t nrelabel;
	struct gs_config_relabel *metric_relabel; /* metric_relabel_configs */
	size_t nmetric_relabel;
	struct gs_config_rollup *rollups; /* aggregations */
	size_t nrollups;
	struct gs_config_rule *rules; /* clearmodes */
	size_t nrules;
	struct gs_config_target *targets; /* targets: URLs, ours */
	size_t ntargets;
	struct gs_config_sd *sds; /* in the order of the file */
	size_t nsds;
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
	const char *push_stream; /* JetStream stream of pushes; "" means that of the scrapes and "_PUSH" */
	int64_t push_retention; /* max age of that stream; 2h */
};

enum gs_config_log_kind { GS_CONFIG_LOG_FILE, GS_CONFIG_LOG_STREAM, GS_CONFIG_LOG_MEMORY };

/* receiver.log: where accepted pushes are written down (docs/LOG.md). */
struct gs_config_log {
	enum gs_config_log_kind kind;
	const char *path; /* folder of the log and its snapshots; "": see docs/OPERATING.md, "Files" */
	int64_t max_size; /* bytes of the log; 0: as long as there is room */
	int64_t key_window; /* how long an Idempotency-Key is remembered; 2h */
	int64_t snapshot_interval; /* 10m */
};

struct gs_config_receiver {
	const char *listen; /* host:port, [v6]:port, :port; "localhost:4278" */
	bool publisher_label; /* on */
	int64_t expiration; /* of pushed series; 0 is never */
	struct gs_config_log log;
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
