/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "gravel/base/hash.h"
#include "gravel/base/num.h"
#include "gravel/wire/wire.h"

#define KIND_TOKEN "scrape"

void gs_wire_subject(struct gs_buf *out, struct gs_str topic, const struct gs_wire_group *group, uint32_t slot) {
	gs_buf_str(out, topic);
	gs_buf_cstr(out, "." KIND_TOKEN ".");
	gs_wire_escape(out, group->publisher);
	gs_buf_char(out, '.');
	gs_wire_escape(out, group->job);
	gs_buf_char(out, '.');
	gs_wire_escape(out, group->instance);
	gs_buf_char(out, '.');
	gs_buf_u64(out, slot);
}

/* Take the token before the next dot off *rest and its plain text into scratch, which has the room already: no slice moves. */
static enum gs_status take_token(struct gs_str *rest, struct gs_buf *scratch, struct gs_str *ret) {
	struct gs_str token, tail;
	size_t at = scratch->n;
	if (!gs_str_cut(*rest, '.', &token, &tail))
		return GS_EINVAL;
	*rest = tail;
	enum gs_status status = gs_wire_unescape(scratch, token);
	*ret = gs_str_make(scratch->p + at, scratch->n - at);
	return status;
}

static enum gs_status parse_slot(struct gs_str s, uint32_t *ret) {
	uint64_t v;
	bool padded = s.n > 1 && s.p[0] == '0';
	if (padded || gs_num_parse_u64(s, &v) != GS_OK || v > UINT32_MAX)
		return GS_EINVAL;
	*ret = (uint32_t)v;
	return GS_OK;
}

enum gs_status gs_wire_parse_subject(struct gs_str subject, struct gs_str topic, struct gs_buf *scratch,
    struct gs_wire_group *ret_group, uint32_t *ret_slot) {
	struct gs_str infix = GS_STR("." KIND_TOKEN ".");
	gs_buf_clear(scratch);
	if (subject.n > GS_LIMIT_SUBJECT || !gs_str_starts(subject, topic))
		return GS_EINVAL;
	struct gs_str rest = gs_str_make(subject.p + topic.n, subject.n - topic.n);
	if (!gs_str_starts(rest, infix))
		return GS_EINVAL;
	rest = gs_str_make(rest.p + infix.n, rest.n - infix.n);
	/* Plain text is never longer than escaped text. */
	if (gs_buf_reserve(scratch, rest.n + 1) == NULL)
		return scratch->status;
	enum gs_status status = take_token(&rest, scratch, &ret_group->publisher);
	if (status == GS_OK)
		status = take_token(&rest, scratch, &ret_group->job);
	if (status == GS_OK)
		status = take_token(&rest, scratch, &ret_group->instance);
	return status == GS_OK ? parse_slot(rest, ret_slot) : status;
}

/* What the ids of one group and time have in common. */
static void add_id(struct gs_buf *out, const struct gs_wire_group *group, int64_t time_ms) {
	/* Each hash seeds the next, so that ("ab", "c") and ("a", "bc") differ. */
	uint64_t hash = gs_hash_stable(group->publisher, 0);
	hash = gs_hash_stable(group->job, hash);
	hash = gs_hash_stable(group->instance, hash);
	gs_buf_printf(out, "%016" PRIx64 ".", hash);
	gs_buf_i64(out, time_ms);
	gs_buf_char(out, '.');
}

void gs_wire_message_id(struct gs_buf *out, const struct gs_wire_group *group, int64_t time_ms, uint32_t slot) {
	add_id(out, group, time_ms);
	gs_buf_u64(out, slot);
}

void gs_wire_gone_id(struct gs_buf *out, const struct gs_wire_group *group, int64_t time_ms) {
	add_id(out, group, time_ms);
	gs_buf_cstr(out, "gone");
}
