/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_WIRE_PUSH_H
#define GRAVEL_WIRE_PUSH_H

#include "gravel/wire/wire.h"

/*
 * A push on its way from the edge (docs/PROTOCOL.md, "Pushes"): all that a receiver needs to do as if it had been pushed there. The content of a message, in
 * parts or whole, is the labels of the path and behind them the body as it was pushed.
 */

enum gs_wire_push_op {
	GS_WIRE_PUSH, /* POST and PUT /metrics */
	GS_WIRE_PUSH_INGEST, /* POST /ingest */
	GS_WIRE_PUSH_DELETE, /* DELETE /metrics */
	GS_WIRE_PUSH_GATEWAY_PUT, /* of the Pushgateway's dialect */
	GS_WIRE_PUSH_GATEWAY_POST,
	GS_WIRE_PUSH_GATEWAY_DELETE,
};

#define GS_WIRE_PUSH_OPS 6
#define GS_WIRE_PUSH_ID_MAX 256

struct gs_wire_push {
	enum gs_wire_push_op op;
	int64_t time_ms; /* when it was taken, publisher's clock */
	int64_t ttl_ms; /* 0: none was named */
	uint64_t body_size; /* bytes of this part, decompressed */
	uint64_t labels_size; /* bytes in front of the whole content that are labels */
	uint32_t part; /* 0 .. parts-1 */
	uint32_t parts; /* 1 .. GS_LIMIT_PARTS */
	enum gs_expo_format format; /* of the body, as in gs_wire_header */
	bool utf8_names;
	struct gs_str publisher;
	struct gs_str id; /* of the push: what has the same is the same push; 1 to GS_WIRE_PUSH_ID_MAX bytes */
	struct gs_str mode; /* clearmode of the path; empty: none */
	struct gs_str
	    token; /* how the receiver that wrote it knows it again; empty: a poller wrote it. Of a push without a key it is the id */
};

/** gs_wire_push_subject(out, topic, shard): Append "<topic>.push.<shard>". */
void gs_wire_push_subject(struct gs_buf *out, struct gs_str topic, uint32_t shard);

/** gs_wire_push_parse_subject(subject, topic, ret_shard): GS_EINVAL for any other subject. */
GS_MUST_USE enum gs_status gs_wire_push_parse_subject(struct gs_str subject, struct gs_str topic, uint32_t *ret_shard);

/** gs_wire_push_message_id(out, id, part): Append the Nats-Msg-Id of a part, printable ASCII. */
void gs_wire_push_message_id(struct gs_buf *out, struct gs_str id, uint32_t part);

/** gs_wire_push_write(out, push): Append the header line: "v=1 k=p t=... ...", printable ASCII whatever the fields hold. */
void gs_wire_push_write(struct gs_buf *out, const struct gs_wire_push *push);

/** gs_wire_push_parse(line, scratch, ret_push, err): Read one; as gs_wire_header_parse. */
GS_MUST_USE enum gs_status gs_wire_push_parse(
    struct gs_str line, struct gs_buf *scratch, struct gs_wire_push *ret_push, struct gs_error *err);

/** gs_wire_push_add_labels(out, labels, n): Append labels, any bytes: "<length>:<name><length>:<value>" for each. */
void gs_wire_push_add_labels(struct gs_buf *out, const struct gs_label *labels, size_t n);

/** gs_wire_push_read_labels(text, labels, max, ret_n): The reverse; slices stand in ${text}. GS_EINVAL, GS_ELIMIT for more than ${max}. */
GS_MUST_USE enum gs_status gs_wire_push_read_labels(
    struct gs_str text, struct gs_label *labels, size_t max, size_t *ret_n);

#endif
