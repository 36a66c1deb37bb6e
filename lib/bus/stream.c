/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "gravel/base/buf.h"
#include "gravel/base/num.h"
#include "gravel/log/log.h"
#include "private.h"

#define NS_PER_MS 1000000
#define DEDUP_MS (2 * 60 * 1000)

static int64_t dedup_ms(const struct gs_bus_stream *stream) {
	return stream->max_age_ms > 0 && stream->max_age_ms < DEDUP_MS ? stream->max_age_ms : DEDUP_MS;
}

/* 0 and -1 both mean "no limit". */
static int64_t limit(int64_t v) {
	return v > 0 ? v : -1;
}

static void differs(struct gs_buf *out, const char *setting) {
	gs_buf_printf(out, "%s%s", out->n != 0 ? "; " : "", setting);
}

static void differs_n(struct gs_buf *out, const char *setting, int64_t is, int64_t wanted) {
	if (is == wanted)
		return;
	differs(out, setting);
	gs_buf_cstr(out, " is ");
	gs_buf_i64(out, is);
	gs_buf_cstr(out, ", wanted ");
	gs_buf_i64(out, wanted);
}

static void differs_age(struct gs_buf *out, const char *setting, int64_t is_ms, int64_t wanted_ms) {
	char is[48] = "unlimited", wanted[48] = "unlimited";
	if (is_ms == wanted_ms)
		return;
	if (is_ms > 0)
		gs_num_print_duration(is, sizeof(is), is_ms);
	if (wanted_ms > 0)
		gs_num_print_duration(wanted, sizeof(wanted), wanted_ms);
	differs(out, setting);
	gs_buf_printf(out, " is %s, wanted %s", is, wanted);
}

static void compare_subjects(struct gs_buf *out, const jsStreamConfig *is, const char *wanted) {
	if (is->SubjectsLen == 1 && strcmp(is->Subjects[0], wanted) == 0)
		return;
	differs(out, "subjects");
	gs_buf_cstr(out, " are");
	for (int i = 0; i < is->SubjectsLen; i++)
		gs_buf_printf(out, " %s", is->Subjects[i]);
	gs_buf_printf(out, ", wanted %s", wanted);
}

/* Name in ${out} every setting that is not as we would have made it. */
static void compare(struct gs_buf *out, const jsStreamConfig *is, const struct gs_bus_stream *wanted) {
	compare_subjects(out, is, wanted->subjects);
	if ((is->Storage == js_MemoryStorage) != wanted->memory)
		differs(out, wanted->memory ? "storage is file, wanted memory" : "storage is memory, wanted file");
	if (is->Retention != js_LimitsPolicy)
		differs(out, "retention is not limits");
	if (is->Discard != js_DiscardOld)
		differs(out, "discard is not old");
	if (is->NoAck)
		differs(out, "no_ack is set, so no publish will ever be known to have arrived");
	differs_age(out, "max_age", is->MaxAge / NS_PER_MS, wanted->max_age_ms > 0 ? wanted->max_age_ms : 0);
	differs_n(out, "max_msgs_per_subject", limit(is->MaxMsgsPerSubject), limit(wanted->max_msgs_per_subject));
	differs_n(
	    out, "num_replicas", is->Replicas > 0 ? is->Replicas : 1, wanted->replicas > 0 ? wanted->replicas : 1);
	differs_age(out, "duplicate_window", is->Duplicates / NS_PER_MS, dedup_ms(wanted));
}

static void warn_differences(struct gs_bus_lane_state *lane, const jsStreamConfig *is) {
	struct gs_buf out;
	gs_buf_init(&out, 4096);
	compare(&out, is, &lane->stream);
	gs_buf_char(&out, '\0');
	if (out.status == GS_OK && gs_bus_say(&lane->stream_warned, out.p) && out.n > 1)
		gs_log(GS_LOG_WARN,
		    "the stream is there with other settings, which stay as they are stream=\"%s\" differences=\"%s\"",
		    lane->stream_name, out.p);
	gs_buf_free(&out);
}

natsStatus gs_stream_add(jsCtx *js, const struct gs_bus_stream *wanted, jsErrCode *ret_code) {
	const char *subjects[1] = {wanted->subjects};
	jsStreamConfig config;
	natsStatus s = jsStreamConfig_Init(&config);
	if (s != NATS_OK)
		return s;
	config.Name = wanted->name;
	config.Subjects = subjects;
	config.SubjectsLen = 1;
	config.Retention = js_LimitsPolicy;
	config.Discard = js_DiscardOld;
	config.Storage = wanted->memory ? js_MemoryStorage : js_FileStorage;
	config.MaxAge = wanted->max_age_ms > 0 ? wanted->max_age_ms * NS_PER_MS : 0;
	config.MaxMsgsPerSubject = limit(wanted->max_msgs_per_subject);
	config.Replicas = wanted->replicas > 0 ? wanted->replicas : 1;
	config.Duplicates = dedup_ms(wanted) * NS_PER_MS;
	return js_AddStream(NULL, js, &config, NULL, ret_code);
}

static void describe(natsStatus s, char *reason, size_t n) {
	if (s == NATS_NO_RESPONDERS)
		snprintf(reason, n, "JetStream does not answer: it is not enabled for this account, or has no leader");
	else
		gs_bus_why(s, reason, n);
}

enum gs_stream_result gs_stream_ensure(struct gs_bus_lane_state *lane, jsCtx *js, char *reason, size_t n) {
	jsStreamInfo *info = NULL;
	natsStatus s = js_GetStreamInfo(&info, js, lane->stream_name, NULL, NULL);
	if (s == NATS_OK) {
		warn_differences(lane, info->Config);
		jsStreamInfo_Destroy(info);
		return GS_STREAM_THERE;
	}
	if (s == NATS_NOT_FOUND)
		s = gs_stream_add(js, &lane->stream, NULL);
	if (s != NATS_OK) {
		describe(s, reason, n);
		return GS_STREAM_FAILED;
	}
	gs_log(GS_LOG_INFO, "made the stream stream=\"%s\" subjects=\"%s\"", lane->stream_name, lane->subjects);
	return GS_STREAM_MADE;
}
