/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_CONFIG_CHECK_H
#define GRAVEL_CONFIG_CHECK_H

#include "gravel/base/str.h"

/* Whether strings of the config have their form. Each returns NULL, or a static clause that says what is wrong ("has no host"). */

/* The parts of an address; slices of what was parsed. */
struct gs_url {
	struct gs_str scheme;
	struct gs_str userinfo; /* without '@'; p is NULL if there is none */
	struct gs_str host; /* IPv6 with its brackets */
	struct gs_str port; /* empty if there is none */
	struct gs_str rest; /* from the first '/', '?' or '#' on */
};

/** gs_check_url(s, ret): Split scheme://[userinfo@]host[:port][rest]. Knows no scheme. */
const char *gs_check_url(struct gs_str s, struct gs_url *ret);

const char *gs_check_target_url(struct gs_str s); /* http or https */
const char *gs_check_nats_url(struct gs_str s); /* nats or tls, without path */
const char *gs_check_listen(struct gs_str s); /* host:port, [v6]:port or :port */
const char *gs_check_topic(struct gs_str s); /* a NATS subject without wildcards */
const char *gs_check_stream(struct gs_str s); /* a JetStream name, or "" */
const char *gs_check_label_name(struct gs_str s); /* what a target's own label may be called */
const char *gs_check_any_label_name(struct gs_str s); /* what any label may, also "__address__" */
const char *gs_check_metric_name(struct gs_str s);
const char *gs_check_scheme(struct gs_str s); /* "http" or "https" */
const char *gs_check_proxy_url(struct gs_str s); /* http, https or socks5, without path */
const char *gs_check_authorization_type(struct gs_str s);
const char *gs_check_header_name(struct gs_str s); /* of a request, and not one that the poller sets itself */
const char *gs_check_server_name(struct gs_str s);
const char *gs_check_address(struct gs_str s); /* of a static target: has no '/' */
const char *gs_check_sd_file(struct gs_str s); /* x.json, x.yml, x.yaml; with '*' in its last part */
const char *gs_check_no_blank(struct gs_str s);
const char *gs_check_bucket(struct gs_str s); /* of NATS KV */
const char *gs_check_kv_prefix(struct gs_str s); /* of keys of NATS KV */

/** gs_check_text(s): No control characters, well-formed UTF-8. For every string. */
const char *gs_check_text(struct gs_str s);

/** gs_check_raw(s): The same where controls of ASCII may stand, but not NUL. */
const char *gs_check_raw(struct gs_str s);

#endif
