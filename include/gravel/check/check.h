/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_CHECK_CHECK_H
#define GRAVEL_CHECK_CHECK_H

#include "gravel/expo/expo.h"

/*
 * Whole expositions checked for a person: every problem, not the first alone, and what is in the body. Pure: bytes in, problems and numbers
 * out. Memory does not grow with the body, but with its families (GS_LIMIT_CHECK_FAMILIES) and, to find what stands twice, its series.
 */

enum gs_check_severity {
	GS_CHECK_ERROR, /* the body breaks a rule or exceeds a limit */
	GS_CHECK_WARNING, /* lint: allowed, but not the custom */
};

/* One problem; line and column as in gs_expo_next, 0 where there is none. Valid during the call. */
typedef void gs_check_report(void *ctx, enum gs_check_severity severity, const struct gs_error *problem);

struct gs_check_options {
	gs_check_report *report;
	void *ctx;
	bool lint; /* warnings at the end of each body, in the order of its families */
	uint64_t max_reports; /* of each severity in each body; all are counted. 0: no limit */
	size_t max_families; /* GS_LIMIT_CHECK_FAMILIES if 0 */
};

struct gs_check_family {
	struct gs_str name;
	enum gs_expo_type type; /* untyped where no TYPE line says otherwise */
	bool has_type;
	bool has_help;
	uint32_t line; /* of its first event */
	uint64_t series;
	uint64_t samples;
	uint64_t bytes; /* lines of comments and errors belong to no family, or to the one that follows */
};

/* What was found in one body. A series whose samples stand at several times in a row is one series. */
struct gs_check_totals {
	uint64_t families;
	uint64_t series;
	uint64_t samples;
	uint64_t bytes;
	uint64_t errors;
	uint64_t warnings;
	bool more_families; /* those beyond the limit are in no count but that of series, samples and bytes */
	bool stopped; /* an error of which nothing recovers: what follows it was not checked */
};

/* Checks one body after the other. Not thread-safe: one owner at a time. */
struct gs_check;

/** gs_check_new(options): Copies ${options}; NULL when out of memory. */
struct gs_check *gs_check_new(const struct gs_check_options *options);
void gs_check_free(struct gs_check *check);

/** gs_check_begin(check, format, utf8_names): Start a body, forgetting the one before. ${utf8_names}: as in gs_expo_options. */
void gs_check_begin(struct gs_check *check, enum gs_expo_format format, bool utf8_names);

/** gs_check_feed(check, piece, last):
 * Check the next bytes of the body, of any number, which may go away after the call; ${last} if nothing follows them. What is found does not
 * depend on how the body is cut. Calls report. GS_ENOMEM when out of memory; then the body cannot go on. */
GS_MUST_USE enum gs_status gs_check_feed(struct gs_check *check, struct gs_str piece, bool last);

/** gs_check_is_over(check): Whether nothing more can be learned from further pieces: the last was fed, or the totals say stopped. */
bool gs_check_is_over(const struct gs_check *check);

/** gs_check_totals(check): Of what was fed since gs_check_begin. */
struct gs_check_totals gs_check_totals(const struct gs_check *check);

/** gs_check_largest(check, ret, n):
 * Fill ${ret} with the ${n} families of the most series (then bytes, then the order of the body), largest first, and return how many there
 * are. The names live until the next gs_check_begin. */
size_t gs_check_largest(const struct gs_check *check, struct gs_check_family *ret, size_t n);

/** gs_check_format(name, head, tail):
 * Guess the format of a body from the name of its file (may be empty), its first bytes and its last (NULL if they are not known). In this order:
 * - protobuf if it begins as a delimited MetricFamily does: a length, then a name that fits into it;
 * - what the name ends with: .prom text; .om and .openmetrics OpenMetrics; .pb, .binpb and .protobuf protobuf;
 * - OpenMetrics if the last line is "# EOF";
 * - where the tail is not known, OpenMetrics if the head has what text 0.0.4 does not know: a UNIT line, a type unknown, info, stateset
 *   or gaugehistogram, or a counter whose samples alone end in "_total";
 * - text. */
enum gs_expo_format gs_check_format(struct gs_str name, struct gs_str head, const struct gs_str *tail);

#endif
