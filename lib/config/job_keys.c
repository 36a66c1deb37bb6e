/* SPDX-License-Identifier: Apache-2.0 */
/* The part of the table that says what a job is; its keys are Prometheus' own, with their meaning there. */
#include "check.h"
#include "gravel/base/limits.h"
#include "keys.h"
#include "load.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define DAY (24 * 60 * MINUTE)
#define COUNT_MAX INT64_C(1000000000000) /* of what is counted: no limit for anyone */

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define SECTION(name, heading, about, rows)                                                                            \
	const struct gs_config_section name = {                                                                        \
	    .title = (heading), .help = (about), .keys = (rows), .nkeys = COUNT(rows)}
#define IGNORED(key, about)                                                                                            \
	{ .name = (key), .type = GS_KEY_ANY, .marks = GS_KEY_INERT, .help = (about) }
#define REFUSED(key, reason)                                                                                           \
	{ .name = (key), .type = GS_KEY_REFUSED, .help = (reason) }

/* HTTP: the sections of a job, and of discovery by HTTP. One key group for all that sets Authorization. */

#define GROUP_AUTHORIZATION 1
#define GROUP_SECRET 2

#define AT(field) .offset = offsetof(struct gs_config_http, field)
static const struct gs_config_key basic_auth_keys[] = {
    {.name = "username",
	.type = GS_KEY_STRING,
	AT(username),
	.max = GS_KEYS_TEXT_MAX,
	.text = "",
	.def = "empty",
	.help = "User."},
    {.name = "password",
	.type = GS_KEY_STRING,
	.marks = GS_KEY_SECRET,
	.one_of = GROUP_SECRET,
	AT(password.value),
	.max = GS_KEYS_TEXT_MAX,
	.help = "Password."},
    {.name = "password_file",
	.type = GS_KEY_STRING,
	.marks = GS_KEY_PATH,
	.one_of = GROUP_SECRET,
	AT(password.file),
	.max = GS_KEYS_TEXT_MAX,
	.help = "File that holds the password; read again for every request."},
    REFUSED("username_file", "use username"),
};
static SECTION(basic_auth_section, "basic_auth", "HTTP's basic authentication.", basic_auth_keys);

static const struct gs_config_key authorization_keys[] = {
    {.name = "type",
	.type = GS_KEY_STRING,
	AT(authorization_type),
	.max = GS_KEYS_TEXT_MAX,
	.text = "Bearer",
	.check = gs_check_authorization_type,
	.help = "Type, the first word of the header."},
    {.name = "credentials",
	.type = GS_KEY_STRING,
	.marks = GS_KEY_SECRET,
	.one_of = GROUP_SECRET,
	AT(credentials.value),
	.max = GS_KEYS_TEXT_MAX,
	.help = "What follows."},
    {.name = "credentials_file",
	.type = GS_KEY_STRING,
	.marks = GS_KEY_PATH,
	.one_of = GROUP_SECRET,
	AT(credentials.file),
	.max = GS_KEYS_TEXT_MAX,
	.help = "File that holds it; read again for every request."},
};
static SECTION(authorization_section, "authorization", "The header Authorization.", authorization_keys);

static const char *const tls_versions[] = {"", "TLS10", "TLS11", "TLS12", "TLS13", NULL};

static const struct gs_config_key tls_config_keys[] = {
    {.name = "ca_file",
	.type = GS_KEY_STRING,
	.marks = GS_KEY_PATH,
	AT(ca_file),
	.max = GS_KEYS_TEXT_MAX,
	.def = "those of the system",
	.help = "Certificates (PEM) of the CAs that servers are checked against."},
    {.name = "cert_file",
	.type = GS_KEY_STRING,
	.marks = GS_KEY_PATH,
	AT(cert_file),
	.max = GS_KEYS_TEXT_MAX,
	.needs = "key_file",
	.help = "Certificate (PEM) that is shown to servers."},
    {.name = "key_file",
	.type = GS_KEY_STRING,
	.marks = GS_KEY_PATH,
	AT(key_file),
	.max = GS_KEYS_TEXT_MAX,
	.needs = "cert_file",
	.help = "Its private key."},
    {.name = "server_name",
	.type = GS_KEY_STRING,
	AT(server_name),
	.max = GS_KEYS_TEXT_MAX,
	.check = gs_check_server_name,
	.def = "host of the URL",
	.help = "Name that the server's certificate must have."},
    {.name = "insecure_skip_verify",
	.type = GS_KEY_BOOL,
	AT(insecure_skip_verify),
	.help = "Do not check the server's certificate."},
    {.name = "min_version",
	.type = GS_KEY_CHOICE,
	AT(min_version),
	.choices = tls_versions,
	.number = GS_TLS_DEFAULT,
	.def = "that of the TLS library",
	.help = "Oldest version of TLS that is accepted."},
    REFUSED("max_version", "only min_version can be set"),
    REFUSED("ca", "use ca_file"),
    REFUSED("cert", "use cert_file"),
    REFUSED("key", "use key_file"),
};
static SECTION(tls_config_section, "tls_config", "How servers of https are checked.", tls_config_keys);
#undef AT

#define AT(field)                                                                                                      \
	.offset = offsetof(struct gs_config_header_values, field),                                                     \
	.count = offsetof(struct gs_config_header_values, n##field)
static const struct gs_config_key header_keys[] = {
    {.name = "values", .type = GS_KEY_TEXTS, AT(values), .max = GS_KEYS_TEXT_MAX, .help = "Values of the header."},
    {.name = "secrets",
	.type = GS_KEY_TEXTS,
	.marks = GS_KEY_SECRET,
	AT(secrets),
	.max = GS_KEYS_TEXT_MAX,
	.help = "The same, hidden by `--dump-config`."},
    {.name = "files",
	.type = GS_KEY_TEXTS,
	.marks = GS_KEY_PATH,
	AT(files),
	.min = 1,
	.max = GS_KEYS_TEXT_MAX,
	.help = "Files that hold values; read again for every request."},
};
#undef AT
static SECTION(
    header_section, "http_headers.*name*", "Values of one header; each is sent as a header of its own.", header_keys);

/* The rows of a struct gs_config_http at ${at} of the struct of their section. */
#define HTTP_AT(at, field) .offset = (at) + offsetof(struct gs_config_http, field)
#define HTTP_KEYS(at)                                                                                                  \
	{.name = "basic_auth",                                                                                         \
	    .type = GS_KEY_SECTION,                                                                                    \
	    .marks = GS_KEY_PRESENCE,                                                                                  \
	    .one_of = GROUP_AUTHORIZATION,                                                                             \
	    .offset = (at),                                                                                            \
	    .also = (at) + offsetof(struct gs_config_http, basic_auth),                                                \
	    .section = &basic_auth_section,                                                                            \
	    .help = "User and password, see below."},                                                                  \
	    {.name = "authorization",                                                                                  \
		.type = GS_KEY_SECTION,                                                                                \
		.marks = GS_KEY_PRESENCE,                                                                              \
		.one_of = GROUP_AUTHORIZATION,                                                                         \
		.offset = (at),                                                                                        \
		.also = (at) + offsetof(struct gs_config_http, authorization),                                         \
		.section = &authorization_section,                                                                     \
		.help = "A token instead, see below."},                                                                \
	    {.name = "bearer_token",                                                                                   \
		.type = GS_KEY_STRING,                                                                                 \
		.marks = GS_KEY_ALIAS | GS_KEY_SECRET | GS_KEY_PRESENCE,                                               \
		.one_of = GROUP_AUTHORIZATION,                                                                         \
		HTTP_AT(at, credentials.value),                                                                        \
		.also = (at) + offsetof(struct gs_config_http, authorization),                                         \
		.max = GS_KEYS_TEXT_MAX,                                                                               \
		.help = "Old form of `authorization.credentials`."},                                                   \
	    {.name = "bearer_token_file",                                                                              \
		.type = GS_KEY_STRING,                                                                                 \
		.marks = GS_KEY_ALIAS | GS_KEY_PATH | GS_KEY_PRESENCE,                                                 \
		.one_of = GROUP_AUTHORIZATION,                                                                         \
		HTTP_AT(at, credentials.file),                                                                         \
		.also = (at) + offsetof(struct gs_config_http, authorization),                                         \
		.max = GS_KEYS_TEXT_MAX,                                                                               \
		.help = "Old form of `authorization.credentials_file`."},                                              \
	    {.name = "tls_config",                                                                                     \
		.type = GS_KEY_SECTION,                                                                                \
		.offset = (at),                                                                                        \
		.section = &tls_config_section,                                                                        \
		.help = "TLS, see below."},                                                                            \
	    {.name = "http_headers",                                                                                   \
		.type = GS_KEY_HEADERS,                                                                                \
		HTTP_AT(at, headers),                                                                                  \
		.count = (at) + offsetof(struct gs_config_http, nheaders),                                             \
		.section = &header_section,                                                                            \
		.max = GS_KEYS_NAME_MAX,                                                                               \
		.check = gs_check_header_name,                                                                         \
		.help = "More headers of requests, by name, see below."},                                              \
	    {.name = "proxy_url",                                                                                      \
		.type = GS_KEY_STRING,                                                                                 \
		.marks = GS_KEY_ADDRESS,                                                                               \
		HTTP_AT(at, proxy_url),                                                                                \
		.max = GS_KEYS_TEXT_MAX,                                                                               \
		.check = gs_check_proxy_url,                                                                           \
		.help = "Proxy: `http://`, `https://` or `socks5://`; the environment is not asked."},                 \
	    {.name = "follow_redirects",                                                                               \
		.type = GS_KEY_BOOL,                                                                                   \
		HTTP_AT(at, follow_redirects),                                                                         \
		.number = true,                                                                                        \
		.help = "Whether redirects are followed; else they are failures."},                                    \
	    IGNORED("enable_http2", "HTTP/1.1 is spoken."),                                                            \
	    REFUSED("oauth2", "requests would go out without their token; use authorization.credentials_file"),        \
	    REFUSED("proxy_from_environment", "use proxy_url"),                                                        \
	    REFUSED("proxy_connect_header", "proxies are asked without headers of their own"),                         \
	    REFUSED("no_proxy", "what proxy_url says holds for all targets")

/* Relabelling. */

static const char *const relabel_actions[] = {"replace", "keep", "drop", "keepequal", "dropequal", "hashmod",
    "labelmap", "labeldrop", "labelkeep", "lowercase", "uppercase", NULL};

#define AT(field) .offset = offsetof(struct gs_config_relabel, field)
static const struct gs_config_key relabel_keys[] = {
    {.name = "source_labels",
	.type = GS_KEY_TEXTS,
	AT(source_labels),
	.count = offsetof(struct gs_config_relabel, nsource_labels),
	.min = 1,
	.max = GS_LIMIT_NAME,
	.check = gs_check_any_label_name,
	.help = "Labels whose values, joined by the separator, are matched."},
    {.name = "separator",
	.type = GS_KEY_STRING,
	.marks = GS_KEY_EMPTY | GS_KEY_RAW,
	AT(separator),
	.max = GS_KEYS_TEXT_MAX,
	.text = ";",
	.help = "What stands between them."},
    {.name = "regex",
	.type = GS_KEY_STRING,
	.marks = GS_KEY_EMPTY | GS_KEY_RAW,
	AT(regex),
	.max = GS_LIMIT_REGEX,
	.text = "(.*)",
	.help = "Regular expression that must match the whole."},
    {.name = "modulus",
	.type = GS_KEY_INT,
	AT(modulus),
	.min = 0,
	.max = INT64_MAX,
	.def = "none",
	.help = "Of `hashmod`: results are below it."},
    {.name = "target_label",
	.type = GS_KEY_STRING,
	AT(target_label),
	.max = GS_KEYS_TEXT_MAX,
	.help = "Label that is set, or compared with by `keepequal` and `dropequal`. May name groups: `${1}`."},
    {.name = "replacement",
	.type = GS_KEY_STRING,
	.marks = GS_KEY_EMPTY | GS_KEY_RAW,
	AT(replacement),
	.max = GS_LIMIT_LABEL_VALUE,
	.text = "$1",
	.help = "What it is set to; `$1`, `${name}` are groups of the expression. An empty label is none."},
    {.name = "action",
	.type = GS_KEY_CHOICE,
	.marks = GS_KEY_FOLD,
	AT(action),
	.choices = relabel_actions,
	.number = 0,
	.help = "What is done."},
};
#undef AT
static const struct gs_config_section relabel_section = {.title = "relabel_configs[], metric_relabel_configs[]",
    .help = "One step of relabelling, as in Prometheus.",
    .keys = relabel_keys,
    .nkeys = COUNT(relabel_keys),
    .size = sizeof(struct gs_config_relabel),
    .place = offsetof(struct gs_config_relabel, line)};

/* Aggregation at the edge. In the order of enum gs_rollup_op. */

#define GROUP_OP 1
#define GROUP_LABELS 2
#define OP(word, rank, about)                                                                                          \
	{                                                                                                              \
		.name = (word), .type = GS_KEY_STRING, .marks = GS_KEY_VARIANT | GS_KEY_REQUIRED, .one_of = GROUP_OP,  \
		.offset = offsetof(struct gs_config_rollup, of), .also = offsetof(struct gs_config_rollup, op),        \
		.number = (rank), .min = 1, .max = GS_LIMIT_REGEX, .def = "one of the five must be given",             \
		.help = (about)                                                                                        \
	}

static const char *const input_choices[] = {"keep", "drop", NULL};

static const struct gs_config_key rollup_keys[] = {
    OP("sum", 0, "Names of metrics (a regular expression of whole names) that are added up."),
    OP("min", 1, "The same; the smallest value."),
    OP("max", 2, "The same; the largest value."),
    OP("avg", 3, "The same; the mean."),
    OP("count", 4, "The same; the number of series."),
    {.name = "by",
	.type = GS_KEY_TEXTS,
	.marks = GS_KEY_ABSENCE,
	.one_of = GROUP_LABELS,
	.offset = offsetof(struct gs_config_rollup, labels),
	.count = offsetof(struct gs_config_rollup, nlabels),
	.also = offsetof(struct gs_config_rollup, without),
	.min = 1,
	.max = GS_LIMIT_NAME,
	.check = gs_check_any_label_name,
	.help = "Labels that stay; all other ones go."},
    {.name = "without",
	.type = GS_KEY_TEXTS,
	.marks = GS_KEY_PRESENCE,
	.one_of = GROUP_LABELS,
	.offset = offsetof(struct gs_config_rollup, labels),
	.count = offsetof(struct gs_config_rollup, nlabels),
	.also = offsetof(struct gs_config_rollup, without),
	.min = 1,
	.max = GS_LIMIT_NAME,
	.check = gs_check_any_label_name,
	.help = "Labels that go; all other ones stay."},
    {.name = "as",
	.type = GS_KEY_STRING,
	.marks = GS_KEY_REQUIRED,
	.offset = offsetof(struct gs_config_rollup, as),
	.min = 1,
	.max = GS_LIMIT_NAME,
	.check = gs_check_metric_name,
	.def = "must be given",
	.help = "Name of the result."},
    {.name = "inputs",
	.type = GS_KEY_BOOL,
	.offset = offsetof(struct gs_config_rollup, drop),
	.choices = input_choices,
	.help = "Whether what was aggregated is sent itself."},
};
static const struct gs_config_section rollup_section = {.title = "aggregations[]",
    .help =
	"One rule of aggregation at the edge, over all targets of the job. Without `by` and `without` no label stays.",
    .keys = rollup_keys,
    .nkeys = COUNT(rollup_keys),
    .size = sizeof(struct gs_config_rollup),
    .place = offsetof(struct gs_config_rollup, line)};

/* Discovery: each of the lists is a section of its own, all of them are gs_config_job.sds. */

#define AT(field) .offset = offsetof(struct gs_config_sd, field)
#define NAMES AT(names), .count = offsetof(struct gs_config_sd, nnames)
#define REFRESH(default_ms, about)                                                                                     \
	{                                                                                                              \
		.name = "refresh_interval", .type = GS_KEY_DURATION, AT(refresh_interval), .min = 100, .max = DAY,     \
		.number = (default_ms), .help = (about)                                                                \
	}
#define SD_SECTION(name, heading, about, rows, sd_kind)                                                                \
	static const struct gs_config_section name = {.title = (heading),                                              \
	    .help = (about),                                                                                           \
	    .keys = (rows),                                                                                            \
	    .nkeys = COUNT(rows),                                                                                      \
	    .size = sizeof(struct gs_config_sd),                                                                       \
	    .place = offsetof(struct gs_config_sd, line),                                                              \
	    .tagged = true,                                                                                            \
	    .tag = (sd_kind),                                                                                          \
	    .tag_at = offsetof(struct gs_config_sd, kind)}

static const struct gs_config_key static_sd_keys[] = {
    {.name = "targets",
	.type = GS_KEY_TEXTS,
	NAMES,
	.min = 1,
	.max = GS_KEYS_TEXT_MAX,
	.check = gs_check_address,
	.help = "Addresses, `host:port`."},
    {.name = "labels",
	.type = GS_KEY_LABELS,
	AT(labels),
	.count = offsetof(struct gs_config_sd, nlabels),
	.max = GS_LIMIT_LABEL_VALUE,
	.check = gs_check_any_label_name,
	.help = "Labels of all of them, before relabelling: name to value."},
};
SD_SECTION(static_sd_section, "static_configs[]", "Targets that stand here.", static_sd_keys, GS_SD_STATIC);

static const struct gs_config_key file_sd_keys[] = {
    {.name = "files",
	.type = GS_KEY_TEXTS,
	.marks = GS_KEY_REQUIRED | GS_KEY_PATH,
	NAMES,
	.min = 1,
	.max = GS_KEYS_TEXT_MAX,
	.check = gs_check_sd_file,
	.def = "must be given",
	.help = "Files (`.json`, `.yml`, `.yaml`) with lists of targets; the last part of a path may have `*`."},
    REFRESH(5 * MINUTE, "How often they are read beside being watched."),
};
SD_SECTION(file_sd_section, "file_sd_configs[]", "Targets in files that others write.", file_sd_keys, GS_SD_FILE);

static const char *const dns_types[] = {"SRV", "A", "AAAA", NULL};
static const struct gs_config_key dns_sd_keys[] = {
    {.name = "names",
	.type = GS_KEY_TEXTS,
	.marks = GS_KEY_REQUIRED,
	NAMES,
	.min = 1,
	.max = GS_KEYS_NAME_MAX + 5,
	.check = gs_check_no_blank,
	.def = "must be given",
	.help = "Names that are asked for."},
    {.name = "type",
	.type = GS_KEY_CHOICE,
	.marks = GS_KEY_FOLD,
	AT(dns_type),
	.choices = dns_types,
	.number = GS_DNS_SRV,
	.help = "Records that are asked for."},
    {.name = "port",
	.type = GS_KEY_INT,
	AT(dns_port),
	.min = 0,
	.max = 65535,
	.def = "that of the SRV record",
	.help = "Port of the targets; must be given for A and AAAA."},
    REFRESH(30 * SECOND, "How often they are asked for."),
};
static const struct gs_config_section dns_sd_section = {.title = "dns_sd_configs[]",
    .help = "Targets by DNS.",
    .keys = dns_sd_keys,
    .nkeys = COUNT(dns_sd_keys),
    .size = sizeof(struct gs_config_sd),
    .place = offsetof(struct gs_config_sd, line),
    .tagged = true,
    .tag = GS_SD_DNS,
    .tag_at = offsetof(struct gs_config_sd, kind),
    .after = gs_load_dns};

static const struct gs_config_key http_sd_keys[] = {
    {.name = "url",
	.type = GS_KEY_TEXTS,
	.marks = GS_KEY_REQUIRED | GS_KEY_SINGLE | GS_KEY_ADDRESS,
	NAMES,
	.min = 1,
	.max = GS_KEYS_TEXT_MAX,
	.check = gs_check_target_url,
	.def = "must be given",
	.help = "What is asked; answers with a list of targets in JSON, as Prometheus' http_sd."},
    REFRESH(MINUTE, "How often it is asked."),
    HTTP_KEYS(offsetof(struct gs_config_sd, http)),
};
SD_SECTION(http_sd_section, "http_sd_configs[]", "Targets by HTTP. The keys of HTTP are those of a job.", http_sd_keys,
    GS_SD_HTTP);

static const struct gs_config_key etcd_sd_keys[] = {
    {.name = "urls",
	.type = GS_KEY_TEXTS,
	.marks = GS_KEY_REQUIRED | GS_KEY_ADDRESS,
	NAMES,
	.min = 1,
	.max = GS_KEYS_TEXT_MAX,
	.check = gs_check_target_url,
	.def = "must be given",
	.help = "Endpoints of one etcd cluster (v3), `http://...` or `https://...`; the next is asked when one fails."},
    {.name = "prefix",
	.type = GS_KEY_STRING,
	.marks = GS_KEY_REQUIRED,
	AT(prefix),
	.min = 1,
	.max = GS_KEYS_TEXT_MAX,
	.def = "must be given",
	.help = "Beginning of the keys whose last part is `host:port`."},
    REFRESH(30 * SECOND, "How often it is asked."),
    HTTP_KEYS(offsetof(struct gs_config_sd, http)),
};
SD_SECTION(etcd_sd_section, "etcd_sd_configs[]",
    "Targets in etcd. The keys of HTTP are those of a job. Prometheus has no such list.", etcd_sd_keys, GS_SD_ETCD);

static const struct gs_config_key nats_kv_sd_keys[] = {
    {.name = "bucket",
	.type = GS_KEY_TEXTS,
	.marks = GS_KEY_REQUIRED | GS_KEY_SINGLE,
	NAMES,
	.min = 1,
	.max = GS_KEYS_NAME_MAX,
	.check = gs_check_bucket,
	.def = "must be given",
	.help = "Bucket of the NATS servers of `poller_stream`; its values are lists of targets, as files have them."},
    {.name = "prefix",
	.type = GS_KEY_STRING,
	AT(prefix),
	.max = GS_KEYS_NAME_MAX,
	.text = "",
	.check = gs_check_kv_prefix,
	.def = "all keys",
	.help = "Beginning of the keys that count."},
    REFRESH(5 * MINUTE, "How often all is read beside being watched."),
};
SD_SECTION(nats_kv_sd_section, "nats_kv_sd_configs[]", "Targets in a bucket of NATS. Prometheus has no such list.",
    nats_kv_sd_keys, GS_SD_NATS_KV);
#undef NAMES
#undef AT

/* Targets of ours. */

#define AT(field) .offset = offsetof(struct gs_config_target, field)
static const struct gs_config_key target_keys[] = {
    {.name = "url",
	.type = GS_KEY_STRING,
	.marks = GS_KEY_REQUIRED | GS_KEY_ADDRESS,
	AT(url),
	.max = GS_KEYS_TEXT_MAX,
	.check = gs_check_target_url,
	.def = "must be given",
	.help = "What is scraped, `http://...` or `https://...`."},
    {.name = "name",
	.type = GS_KEY_STRING,
	AT(name),
	.min = 1,
	.max = GS_KEYS_NAME_MAX,
	.def = "host:port of the URL",
	.help = "The label `instance`; once in a job."},
    {.name = "labels",
	.type = GS_KEY_LABELS,
	AT(labels),
	.count = offsetof(struct gs_config_target, nlabels),
	.min = 1,
	.max = GS_KEYS_TEXT_MAX,
	.check = gs_check_label_name,
	.help = "More labels of every series of this target: name to value."},
};
#undef AT
const struct gs_config_section gs_keys_target = {.title = "jobs.*name*.targets[]",
    .help = "One target.",
    .keys = target_keys,
    .nkeys = COUNT(target_keys),
    .size = sizeof(struct gs_config_target)};

/* The job. */

#define AT(field) .offset = offsetof(struct gs_config_job, field)
#define LIMIT(field, about)                                                                                            \
	{ .name = #field, .type = GS_KEY_INT, AT(field), .min = 0, .max = COUNT_MAX, .help = (about) }
#define ITEMS(key, field, of, about)                                                                                   \
	{                                                                                                              \
		.name = (key), .type = GS_KEY_ITEMS, AT(field), .count = offsetof(struct gs_config_job, n##field),     \
		.section = (of), .help = (about)                                                                       \
	}

static const struct gs_config_key job_keys[] = {
    /* Of scrape_configs only, hence the first. */
    {.name = "job_name",
	.type = GS_KEY_STRING,
	.marks = GS_KEY_REQUIRED,
	AT(name),
	.min = 1,
	.max = GS_KEYS_NAME_MAX,
	.def = "must be given",
	.help = "The label `job`; once in the file."},
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
    {.name = "metrics_path",
	.type = GS_KEY_STRING,
	.marks = GS_KEY_EMPTY,
	AT(metrics_path),
	.max = GS_KEYS_TEXT_MAX,
	.text = "/metrics",
	.help = "Path of the URL of discovered targets; relabelling knows it as `__metrics_path__`."},
    {.name = "scheme",
	.type = GS_KEY_STRING,
	AT(scheme),
	.max = GS_KEYS_TEXT_MAX,
	.text = "http",
	.check = gs_check_scheme,
	.help = "`http` or `https`, of discovered targets; relabelling knows it as `__scheme__`."},
    {.name = "params",
	.type = GS_KEY_PARAMS,
	AT(params),
	.count = offsetof(struct gs_config_job, nparams),
	.max = GS_KEYS_TEXT_MAX,
	.help = "Parameters of the URL of discovered targets: name to list of values. Relabelling knows the first as "
		"`__param_`*name*."},
    {.name = "honor_labels",
	.type = GS_KEY_BOOL,
	AT(honor_labels),
	.number = false,
	.help = "On: labels in the scrape win over job, instance, publisher and labels of the target. Off: they become "
		"`exported_...`."},
    {.name = "honor_timestamps",
	.type = GS_KEY_BOOL,
	AT(honor_timestamps),
	.number = true,
	.help = "Off: timestamps in the scrape are ignored."},
    HTTP_KEYS(offsetof(struct gs_config_job, http)),
    {.name = "enable_compression",
	.type = GS_KEY_BOOL,
	AT(enable_compression),
	.number = true,
	.help = "Off: targets are asked for uncompressed answers."},
    {.name = "body_size_limit",
	.type = GS_KEY_SIZE,
	.marks = GS_KEY_BINARY,
	AT(body_size_limit),
	.min = 0,
	.max = INT64_C(1) << 50,
	.def = "`scrape_body_limit`",
	.help =
	    "Size of what a target may answer, decompressed; 0: the default. Here KB, MB, GB are powers of 1024, as "
	    "in Prometheus. More than `scrape_body_limit` can say counts as that."},
    LIMIT(sample_limit, "Samples of a scrape after relabelling; beyond it fails. 0, here and below: no limit."),
    LIMIT(label_limit, "Labels of a series, name and those of the target counted; beyond the scrape fails."),
    LIMIT(label_name_length_limit, "Bytes of the name of a label; beyond the scrape fails."),
    LIMIT(label_value_length_limit, "Bytes of the value of a label; beyond the scrape fails."),
    LIMIT(target_limit, "Targets of the job after relabelling; beyond all their scrapes fail."),
    ITEMS("relabel_configs", relabel, &relabel_section, "Relabelling of discovered targets, see below."),
    ITEMS("metric_relabel_configs", metric_relabel, &relabel_section, "Relabelling of what was scraped, see below."),
    ITEMS("aggregations", rollups, &rollup_section, "Aggregation at the edge, see below."),
    {.name = "clearmodes",
	.type = GS_KEY_RULES,
	.max = GS_KEYS_TEXT_MAX,
	.def = "none",
	.help = "Clearmodes by metric name, `regex: clearmode`; the first that fits the whole name counts."},
    ITEMS("static_configs", sds, &static_sd_section, "Discovery: targets that stand here, see below."),
    ITEMS("file_sd_configs", sds, &file_sd_section, "Discovery: files, see below."),
    ITEMS("dns_sd_configs", sds, &dns_sd_section, "Discovery: DNS, see below."),
    ITEMS("http_sd_configs", sds, &http_sd_section, "Discovery: HTTP, see below."),
    ITEMS("etcd_sd_configs", sds, &etcd_sd_section, "Discovery: etcd, see below."),
    ITEMS("nats_kv_sd_configs", sds, &nats_kv_sd_section, "Discovery: a bucket of NATS, see below."),
    IGNORED("track_timestamps_staleness", "What left a target leaves the receiver."),
    IGNORED("keep_dropped_targets", "All of them are shown."),
    IGNORED("scrape_protocols", "The text formats are asked for."),
    IGNORED("fallback_scrape_protocol", "Without a Content-Type the text format is read."),
    IGNORED("scrape_classic_histograms", "Classic histograms are always scraped."),
    IGNORED("always_scrape_classic_histograms", "Classic histograms are always scraped."),
    IGNORED("native_histogram_bucket_limit", "There are no native histograms in the text formats."),
    IGNORED("native_histogram_min_bucket_factor", "There are no native histograms in the text formats."),
    IGNORED("metric_name_validation_scheme", "Names that the format allows are taken."),
    IGNORED("metric_name_escaping_scheme", "Names that the format allows are taken."),
    IGNORED("scrape_failure_log_file", "With `verbose` failures stand in the log."),
    /* Of jobs only, hence the last. */
    {.name = "targets",
	.type = GS_KEY_ITEMS,
	AT(targets),
	.count = offsetof(struct gs_config_job, ntargets),
	.section = &gs_keys_target,
	.after = gs_load_targets,
	.help = "What is scraped as it stands, without discovery and relabelling; a list, see below."},
};

const struct gs_config_section gs_keys_job = {.title = "jobs.*name*",
    .help = "A named set of targets. The name becomes the label `job`.",
    .keys = job_keys + 1,
    .nkeys = COUNT(job_keys) - 1};
const struct gs_config_section gs_keys_scrape_config = {.title = "scrape_configs[]",
    .help = "A job as Prometheus writes it: `job_name`, and all keys of jobs.*name* but `targets`.",
    .keys = job_keys,
    .nkeys = COUNT(job_keys) - 1,
    .size = sizeof(struct gs_config_job),
    .documented = 1};
