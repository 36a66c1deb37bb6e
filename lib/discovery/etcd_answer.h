/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_DISCOVERY_ETCD_ANSWER_H
#define GRAVEL_LIB_DISCOVERY_ETCD_ANSWER_H

#include "doc.h"
#include "gravel/base/buf.h"

/* What is said to etcd's JSON gateway and what it answers. Pure. */

/** gs_sd_etcd_ask(first, prefix, revision, limit, out):
 * Append a range request: at most ${limit} keys that begin with ${prefix} (empty: all), from ${first} on, as they were at ${revision} (0: now). */
void gs_sd_etcd_ask(struct gs_str first, struct gs_str prefix, int64_t revision, size_t limit, struct gs_buf *out);

/** gs_sd_etcd_login(name, password, out): Append a request for a token. What is no UTF-8 in them is replaced. */
void gs_sd_etcd_login(struct gs_str name, struct gs_str password, struct gs_buf *out);

struct gs_sd_etcd_page {
	int64_t revision; /* that it was read at */
	bool more; /* keys behind the last one */
	struct gs_buf *last; /* the caller's: gets the last key; holds that of the page before, or nothing */
	size_t skipped; /* keys without an address */
};

/** gs_sd_etcd_read(text, doc, page, err):
 * Add a target for each key of an answer to ${doc}: of what stands behind the key's last '/', if it is host:port, else of the value, if that is. GS_EINVAL, GS_ELIMIT,
 * GS_ENOMEM with ${err}. */
GS_MUST_USE enum gs_status gs_sd_etcd_read(
    struct gs_str text, struct gs_sd_doc *doc, struct gs_sd_etcd_page *page, struct gs_error *err);

/** gs_sd_etcd_token(text, out, err): Put the token of an answer into ${out}. GS_EINVAL, GS_ENOMEM; ${err} never quotes it. */
GS_MUST_USE enum gs_status gs_sd_etcd_token(struct gs_str text, struct gs_buf *out, struct gs_error *err);

/** gs_sd_is_address(s): Whether it is host:port: a name, an IPv4 address or an IPv6 address in brackets, and a port from 1 to 65535. */
bool gs_sd_is_address(struct gs_str s);

#endif
