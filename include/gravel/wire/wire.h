/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_WIRE_WIRE_H
#define GRAVEL_WIRE_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "gravel/base/buf.h"
#include "gravel/base/error.h"
#include "gravel/base/limits.h"
#include "gravel/expo/expo.h"

/*
 * What goes over NATS (docs/PROTOCOL.md is its home): subjects, our one header line, parts. Pure: no I/O, no compression (the caller
 * has a codec), no clock.
 */

#define GS_WIRE_VERSION 1
#define GS_WIRE_HEADER "Gravel" /* name of our NATS header */

/* Who a scrape belongs to: the key of its group. */
struct gs_wire_group {
	struct gs_str publisher;
	struct gs_str job;
	struct gs_str instance;
};

/** gs_wire_escape(out, token): Append ${token} as one subject token: bytes outside [A-Za-z0-9_-] as "=XX" in hex, the empty token as "=". */
void gs_wire_escape(struct gs_buf *out, struct gs_str token);

/** gs_wire_unescape(out, token): The reverse; GS_EINVAL, with ${out} as it was, for what gs_wire_escape cannot have written. */
GS_MUST_USE enum gs_status gs_wire_unescape(struct gs_buf *out, struct gs_str token);

/** gs_wire_subject(out, topic, group, slot): Append "<topic>.scrape.<publisher>.<job>.<instance>.<slot>". ${topic} may have dots and is not escaped.
 * The caller keeps it within GS_LIMIT_SUBJECT (by the maximum of ${out}): longer ones are refused by the reader. */
void gs_wire_subject(struct gs_buf *out, struct gs_str topic, const struct gs_wire_group *group, uint32_t slot);

/** gs_wire_parse_subject(subject, topic, scratch, ret_group, ret_slot):
 * Take such a subject apart; the slices of ${ret_group} stand in ${scratch} (cleared first; it may need as many bytes as the subject has). GS_EINVAL for any
 * other subject; GS_ENOMEM, or GS_ELIMIT when the maximum of ${scratch} is too small. */
GS_MUST_USE enum gs_status gs_wire_parse_subject(struct gs_str subject, struct gs_str topic, struct gs_buf *scratch,
    struct gs_wire_group *ret_group, uint32_t *ret_slot);

enum gs_wire_kind {
	GS_WIRE_SCRAPE = 1,
	GS_WIRE_GONE, /* the target left for good: only the two times count */
};

/* The header line. Times are the publisher's clock. */
struct gs_wire_header {
	enum gs_wire_kind kind;
	bool up;
	bool honor_labels;
	bool
	    results; /* of an aggregation, not what a target exposed: its samples have all their labels, and there is no up */
	int64_t time_ms; /* start of the scrape; of GS_WIRE_GONE: when it left */
	int64_t sent_ms; /* when the message was first handed to NATS */
	int64_t interval_ms; /* of the target */
	int64_t duration_us; /* of the scrape */
	uint64_t samples; /* scrape_samples_scraped */
	uint64_t samples_kept; /* scrape_samples_post_metric_relabeling */
	uint64_t series_added; /* scrape_series_added */
	uint64_t body_size; /* bytes of this part, decompressed */
	uint32_t part; /* 0 .. parts-1 */
	uint32_t parts; /* 1 .. GS_LIMIT_PARTS */
	enum gs_expo_format format; /* of the body; GS_FORMAT_TEXT stands for GS_FORMAT_TEXT_1 too */
	bool utf8_names; /* of an OpenMetrics body: as in gs_expo_options */
	struct gs_str cause; /* of up 0: one word; empty with up 1 */
	struct gs_str
	    labels; /* of the target: as in an exposition, a="b",c="d"; empty for none. A job or instance among them stands in place of the subject's */
};

/** gs_wire_header_write(out, header): Append the header line: "v=1 k=s t=... ...", printable ASCII only whatever the fields hold. A cause is
 * bent into [a-z_]{1,32} ("unknown" for an empty one with up 0); numbers out of range are written as they are, for the reader to refuse. */
void gs_wire_header_write(struct gs_buf *out, const struct gs_wire_header *header);

/** gs_wire_header_parse(line, scratch, ret_header, err):
 * Read one. Unknown keys are skipped, every number is bounded. GS_EUNSUPPORTED for another version, kind or format, GS_EINVAL
 * for a broken line, GS_ELIMIT for a claim above our limits (body_size, parts, GS_LIMIT_HEADER) or a maximum of ${scratch} below the
 * line's length, GS_ENOMEM. Slices stand in ${scratch} (cleared first). ${ret_header} is written with GS_OK only. What ${labels} says is
 * not looked at: it is any text. */
GS_MUST_USE enum gs_status gs_wire_header_parse(
    struct gs_str line, struct gs_buf *scratch, struct gs_wire_header *ret_header, struct gs_error *err);

/** gs_wire_message_id(out, group, time_ms, slot): Append the Nats-Msg-Id of a part: the same target, time and slot give the same id on every run.
 * 64 bits of hash of the group stand for it, in at most 48 bytes. */
void gs_wire_message_id(struct gs_buf *out, const struct gs_wire_group *group, int64_t time_ms, uint32_t slot);

/** gs_wire_gone_id(out, group, time_ms): Likewise of GS_WIRE_GONE: never that of a scrape, not even of one that began at ${time_ms}. */
void gs_wire_gone_id(struct gs_buf *out, const struct gs_wire_group *group, int64_t time_ms);

/** gs_wire_split(body, part_size, cursor): Return the next part of ${body}, at most ${part_size} bytes and cut after a newline where there is one,
 * from *${cursor} on (0 at first), and advance it. The empty slice at the end; an empty body has no parts. */
struct gs_str gs_wire_split(struct gs_str body, size_t part_size, size_t *cursor);

/*
 * Putting parts together: bounded memory, newest scrape of a group wins. One thread at a time.
 * Invariants (gs_wire_joiner_check):
 * 1. A group has at most one unfinished scrape; the map and the list hold the same ones, the list in the order of their first parts.
 * 2. An unfinished scrape has at least one part, never all of them, and at most GS_LIMIT_WIRE_BODY bytes of body.
 * 3. bytes is the sum of what they cost (bodies, keys, bookkeeping), and <= max_bytes.
 */
struct gs_wire_joiner;

/** gs_wire_joiner_new(max_bytes): ${max_bytes} for all unfinished scrapes together; beside them stands one whole body until the next call. NULL
 * when out of memory. */
struct gs_wire_joiner *gs_wire_joiner_new(size_t max_bytes);
void gs_wire_joiner_free(struct gs_wire_joiner *joiner);

enum gs_wire_joined {
	GS_WIRE_WAIT, /* kept; more parts are to come */
	GS_WIRE_WHOLE, /* complete: see ret_body */
	GS_WIRE_DROP, /* older than what the group collects, a repetition, a contradiction, or no room */
};

/** gs_wire_joiner_add(joiner, group, header, body, result, ret_body, ret_dropped):
 * Give it one decompressed part. With GS_WIRE_WHOLE ${ret_body} is the whole body, valid until the next call (a scrape of one
 * part is passed through without a copy). A part of a newer scrape discards what was collected of an older one; when the memory is used up the
 * scrape that waits longest is discarded (one that alone exceeds it: only that one); parts of one scrape that disagree on their number, or exceed GS_LIMIT_WIRE_BODY together, discard it.
 * ${ret_dropped} is set to the number of unfinished scrapes that this call discarded. ${header} has passed gs_wire_header_parse, and ${body} is
 * what it claims (the caller compares body_size). Returns GS_OK, or GS_ENOMEM: the scrape is then discarded, the others stay. GS_ELIMIT for
 * names that no subject can hold. */
GS_MUST_USE enum gs_status gs_wire_joiner_add(struct gs_wire_joiner *joiner, const struct gs_wire_group *group,
    const struct gs_wire_header *header, struct gs_str body, enum gs_wire_joined *ret_result, struct gs_str *ret_body,
    size_t *ret_dropped);

/** gs_wire_joiner_forget(joiner, group, time_ms, ret_dropped):
 * The group is gone since ${time_ms}: discard what it collects, unless that is of a newer scrape. ${ret_dropped}: the number of unfinished scrapes discarded.
 * GS_ELIMIT for names that no subject can hold. */
GS_MUST_USE enum gs_status gs_wire_joiner_forget(
    struct gs_wire_joiner *joiner, const struct gs_wire_group *group, int64_t time_ms, size_t *ret_dropped);

/** gs_wire_joiner_bytes(joiner): What the unfinished scrapes cost now. */
size_t gs_wire_joiner_bytes(const struct gs_wire_joiner *joiner);

void gs_wire_joiner_check(const struct gs_wire_joiner *joiner);

#endif
