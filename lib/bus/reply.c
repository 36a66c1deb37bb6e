/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "gravel/base/num.h"
#include "private.h"

#define TOKENS 11 /* of the new form; what may follow means nothing to us */

enum gs_status gs_reply_meta(struct gs_str reply, struct gs_reply_meta *ret) {
	struct gs_str tokens[TOKENS];
	size_t n = 0;
	if (!gs_str_starts(reply, GS_STR("$JS.ACK.")))
		return GS_EINVAL;
	for (bool more = true; more && n < TOKENS; n++)
		more = gs_str_cut(reply, '.', &tokens[n], &reply);
	/* The new form puts domain and account before stream, consumer, deliveries and then the numbers that we want. */
	size_t first = n == 9 ? 5 : n == TOKENS ? 7 : 0;
	if (first == 0)
		return GS_EINVAL;
	bool ok = gs_num_parse_u64(tokens[first], &ret->stream_seq) == GS_OK &&
		  gs_num_parse_u64(tokens[first + 1], &ret->consumer_seq) == GS_OK &&
		  gs_num_parse_i64(tokens[first + 2], &ret->time_ns) == GS_OK &&
		  gs_num_parse_u64(tokens[first + 3], &ret->pending) == GS_OK;
	return ok && ret->stream_seq != 0 && ret->consumer_seq != 0 ? GS_OK : GS_EINVAL;
}

/* What follows the JSON key ${key} ("name" with its quotes) and its colon; false if it is no key here. A string value of the
 * same text is not followed by a colon. Stream names and our subjects cannot hold quotes, so no string hides a key. */
static bool after_key(struct gs_str body, struct gs_str key, struct gs_str *ret) {
	while (body.n >= key.n) {
		const char *at = memmem(body.p, body.n, key.p, key.n);
		if (at == NULL)
			return false;
		body = gs_str_make(at + key.n, body.n - (size_t)(at - body.p) - key.n);
		struct gs_str rest = gs_str_trim(body);
		if (gs_str_starts(rest, GS_STR(":"))) {
			*ret = gs_str_trim(gs_str_make(rest.p + 1, rest.n - 1));
			return true;
		}
	}
	return false;
}

static void describe(struct gs_str error, char *reason, size_t n) {
	struct gs_str text = {0}, rest;
	if (after_key(error, GS_STR("\"description\""), &rest) && gs_str_starts(rest, GS_STR("\"")))
		gs_str_cut(gs_str_make(rest.p + 1, rest.n - 1), '"', &text, &rest);
	if (text.n == 0)
		text = GS_STR("JetStream refused, without saying why");
	snprintf(reason, n, "%.*s", GS_FMT(text));
}

enum gs_status gs_reply_ack(struct gs_str body, char *reason, size_t n) {
	struct gs_str rest;
	if (after_key(body, GS_STR("\"error\""), &rest)) {
		describe(rest, reason, n);
		return GS_EIO;
	}
	if (gs_str_starts(gs_str_trim(body), GS_STR("{")) && after_key(body, GS_STR("\"seq\""), &rest))
		return GS_OK;
	snprintf(reason, n, "the answer to a publish is not JetStream's");
	return GS_EIO;
}

enum gs_status gs_reply_token(struct gs_str subject, uint64_t *ret_slot, uint64_t *ret_serial) {
	struct gs_str slot, serial;
	const char *dot = subject.n != 0 ? memrchr(subject.p, '.', subject.n) : NULL;
	if (dot == NULL)
		return GS_EINVAL;
	subject = gs_str_make(dot + 1, subject.n - (size_t)(dot - subject.p) - 1);
	if (!gs_str_cut(subject, '-', &slot, &serial) || gs_num_parse_u64(slot, ret_slot) != GS_OK)
		return GS_EINVAL;
	return gs_num_parse_u64(serial, ret_serial);
}
