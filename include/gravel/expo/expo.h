/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_EXPO_EXPO_H
#define GRAVEL_EXPO_EXPO_H

#include <stdbool.h>
#include <stdint.h>

#include "gravel/base/buf.h"
#include "gravel/base/error.h"
#include "gravel/base/limits.h"

/*
 * Expositions: bytes in, events out. Pure: no I/O, no store, no heap beyond the parser itself.
 *
 * Text (0.0.4 and 1.0.0 are read alike) follows Prometheus' own parser (model/textparse); where expfmt is stricter or laxer the function that
 * decides says so. OpenMetrics 1.0 and the protobuf exposition are read strictly, by their specifications.
 *
 * Names in quotes are read as Prometheus 3 reads them: in the braces a string in quotes before ',' or '}' is the metric name, wherever it stands,
 * and before '=' a label name; HELP, TYPE and UNIT may have the name in quotes too. Escapes are those of label values. The name must be UTF-8
 * and not empty; a sample has exactly one metric name.
 *
 * Text is laxer than Prometheus in: CRLF, blanks before a metric name and around a type, the type words of OpenMetrics, "# UNIT name
 * unit", a sign before a timestamp (as expfmt), an OpenMetrics exemplar behind the value or timestamp.
 * Stricter: a line break in a label value or a name in quotes and the label __name__ are refused (as expfmt does), as is a name in quotes that is
 * empty or not UTF-8, NUL ends nothing, and after a metric name must come a blank or '{': "cpu.0 5" is not metric cpu of value .0 at time
 * 5, and "# HELP a.b text" is a mere comment. Blanks before a metric name are no part of it, as they are to Prometheus.
 *
 * OpenMetrics is read by the ABNF of its specification ("Text format") and the sentences around it. So it is stricter than the parsers that are
 * around in: no number with sign is a NaN, none is out of the range of a double ("Numbers"), a time is no NaN or Inf, quotes in a HELP text are
 * escaped ("escaped-string"), no line ends with CR ("Overall Structure"), no comma before '}', nothing follows "# EOF". Laxer: a label name may
 * begin with an underscore (reserved, but in the grammar). Prometheus' reading is followed where the grammar says nothing: a backslash before any
 * other character stands for itself, what is below a millisecond in a timestamp is dropped, and with utf8_names come names in quotes, and
 * units of any UTF-8.
 *
 * The protobuf exposition gives the samples that the text of the same producer has, in the same order, with le and quantile as Go writes them
 * there, and on top of them _created and native histograms; a gauge histogram has _gsum and _gcount. A native histogram has its classic samples
 * even where it has no classic buckets: +Inf, sum and count. Stricter than Prometheus: a metric has the value of its type (as in expfmt), bounds of
 * buckets rise, spans match buckets, no count is negative, schemas are -4 to 8, times those of google.protobuf.Timestamp, __name__ and the
 * family's own le or quantile are no labels of a metric, an empty message is an error and so is a group (wire types 3 and 4).
 */

enum gs_expo_format {
	GS_FORMAT_TEXT, /* text/plain; version=0.0.4, and whatever names no other format */
	GS_FORMAT_TEXT_1, /* text/plain; version=1.0.0: names in quotes; read like GS_FORMAT_TEXT */
	GS_FORMAT_OPENMETRICS, /* application/openmetrics-text; version=1.0.0 (and 0.0.1) */
	GS_FORMAT_PROTOBUF, /* application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited */
};

enum gs_expo_type {
	GS_TYPE_UNTYPED, /* also "unknown" */
	GS_TYPE_COUNTER,
	GS_TYPE_GAUGE,
	GS_TYPE_HISTOGRAM,
	GS_TYPE_SUMMARY,
	GS_TYPE_INFO,
	GS_TYPE_STATESET,
	GS_TYPE_GAUGEHISTOGRAM,
};

/** gs_expo_type_name(type): The word of a TYPE line ("untyped", "counter", ...); static. */
const char *gs_expo_type_name(enum gs_expo_type type);

struct gs_label {
	struct gs_str name;
	struct gs_str value; /* unescaped */
};

enum gs_expo_kind {
	GS_EXPO_END,
	GS_EXPO_TYPE, /* name, type */
	GS_EXPO_HELP, /* name, text (unescaped) */
	GS_EXPO_UNIT, /* name, text */
	GS_EXPO_SAMPLE, /* name, labels, value, timestamp, and what it is a part of */
};

/* What a sample is of the value of its metric. */
enum gs_expo_part {
	GS_PART_VALUE, /* all of it: gauge, counter, untyped, info, one state of a stateset */
	GS_PART_BUCKET, /* event.bound: its le */
	GS_PART_QUANTILE, /* event.bound: its quantile */
	GS_PART_SUM, /* also _gsum */
	GS_PART_COUNT, /* also _gcount */
	GS_PART_CREATED, /* seconds since the epoch; OpenMetrics and protobuf only */
	GS_PART_NATIVE, /* protobuf only: event.native; event.value is the count */
};

struct gs_exemplar {
	const struct gs_label *labels;
	size_t nlabels;
	double value;
	bool has_timestamp;
	int64_t timestamp_ms;
};

/* A run of buckets of a native histogram: ${offset} from the end of the run before (of the first: the index of its first bucket). */
struct gs_span {
	int32_t offset;
	uint32_t length;
};

/* One side, positive or negative, of a native histogram. */
struct gs_native_side {
	const struct gs_span *spans;
	size_t nspans;
	const int64_t *deltas; /* of integer histograms: each bucket less the one before */
	size_t ndeltas;
	const double *counts; /* of float histograms: absolute */
	size_t ncounts;
};

/* A native histogram as io.prometheus.client.Histogram has it. */
struct gs_native {
	bool is_float; /* counts instead of deltas; zero_count and count need not be whole */
	int32_t schema;
	double zero_threshold;
	double zero_count;
	double count;
	double sum;
	struct gs_native_side positive;
	struct gs_native_side negative;
	const struct gs_exemplar *exemplars;
	size_t nexemplars;
};

/*
 * One event. Slices and pointers stand in the caller's window or in the parser; all are valid until the next call of gs_expo_next or gs_expo_feed.
 *
 * The parts of a histogram or summary come as samples of their own, as the text has them, each saying which part of which family it is. A
 * sample that is ${joined} belongs to the same metric point as the sample before: same family and timestamp, and the same labels apart from le or
 * quantile. So one value with its parts is a run of joined samples; where a body mixes the parts of several metrics, it is several runs. What
 * is not like a part (a bucket without le, in text) is a metric of its own.
 */
struct gs_expo_event {
	enum gs_expo_kind kind;
	enum gs_expo_type type; /* of TYPE; of a sample: the type of its family, as far as a TYPE line before it said */
	enum gs_expo_part part;
	uint32_t line; /* of the event, from 1; protobuf: number of its MetricFamily message */
	bool has_timestamp;
	bool joined;
	size_t nlabels;
	struct gs_label *labels; /* in the order of the text; names are distinct */
	struct gs_str name;
	struct gs_str text;
	struct gs_str family; /* of a sample: the name that the TYPE line gives its family, else its own name */
	struct gs_str
	    series; /* of a sample: its bytes from the name, or the brace before it, to the closing brace, as they stand in the body; protobuf: empty */
	double value;
	double bound; /* of a bucket or quantile */
	int64_t timestamp_ms;
	const struct gs_exemplar *exemplar; /* NULL if the sample has none */
	const struct gs_native *native; /* NULL but for GS_PART_NATIVE */
};

/* The families and series of one exposition, to find what stands twice in it. Grows on the heap, 8 to 32 bytes a series. */
struct gs_expo_seen;

/** gs_expo_seen_new(): NULL when out of memory. Emptied by gs_expo_begin. */
struct gs_expo_seen *gs_expo_seen_new(void);
void gs_expo_seen_free(struct gs_expo_seen *seen);

struct gs_expo_options {
	enum gs_expo_format format;
	bool
	    utf8_names; /* OpenMetrics: names in quotes are allowed (its content type said escaping=allow-utf-8); text has them always */
	bool
	    lines_only; /* OpenMetrics: the rules that go beyond one line were checked before, and are not again; nor is what stands twice */
	size_t max_samples; /* 0: no limit */
	/* NULL: what only a memory of the whole exposition can tell (series and families that stand twice, metrics that are mixed) is left to
	 * the caller, as Prometheus' parser does: so pass the two families "go_memstats_alloc_bytes" of most programs in Go. Else it is an
	 * error, and running out of memory GS_ENOMEM. */
	struct gs_expo_seen *seen;
};

/* The fixed state of a parse. Opaque; about 900 KiB, of which only the protobuf exposition touches more than 100. Not thread-safe: one owner
 * at a time. */
struct gs_expo_parser;

/** gs_expo_parser_new(): Allocate a parser, reusable for any number of bodies; NULL when out of memory. */
struct gs_expo_parser *gs_expo_parser_new(void);
void gs_expo_parser_free(struct gs_expo_parser *parser);

/** gs_expo_begin(parser, options): Start over; ${options} is copied, NULL stands for text without a limit. Then feed. */
void gs_expo_begin(struct gs_expo_parser *parser, const struct gs_expo_options *options);

/** gs_expo_feed(parser, window, last):
 * Give the next bytes, and whether they are the last. A body may come at once or in pieces of any size: ${window} begins with what
 * gs_expo_used left of the window before, and what follows it in the body. It must live, unmoved, until the next feed. The events do not
 * depend on how the body was cut. */
void gs_expo_feed(struct gs_expo_parser *parser, struct gs_str window, bool last);

/** gs_expo_used(parser): How many bytes of the window the events so far have used up; the caller may drop those. */
size_t gs_expo_used(const struct gs_expo_parser *parser);

/** gs_expo_next(parser, event, err):
 * Give the next event; after the last one an event of kind GS_EXPO_END, again at every further call. GS_EAGAIN when the rest of a window that was
 * not the last is no whole line (protobuf: message): feed. GS_EINVAL with ${err} (line, column in bytes, reason; may be NULL) where the
 * body breaks a rule, GS_ELIMIT where it exceeds a limit of limits.h or of the options; every further call gives the same
 * answer. Label values and names in quotes with escapes of one line may have GS_LIMIT_LABEL_VALUE bytes together. */
GS_MUST_USE enum gs_status gs_expo_next(
    struct gs_expo_parser *parser, struct gs_expo_event *event, struct gs_error *err);

/** gs_expo_recover(parser):
 * After GS_EINVAL or GS_ELIMIT: go on behind the line (protobuf: message) that was wrong, for tools that report every error; an error in the
 * last line is followed by the end, and so are too many samples and what stands behind "# EOF". False if nothing can follow: the end itself was
 * wrong, the borders of the messages are lost, or there is no error to leave. */
bool gs_expo_recover(struct gs_expo_parser *parser);

/** gs_expo_begin_text(parser, body): gs_expo_begin without options and gs_expo_feed of all of ${body}. */
void gs_expo_begin_text(struct gs_expo_parser *parser, struct gs_str body);

/** gs_expo_is_metric_name(s), gs_expo_is_label_name(s): The classic character sets. */
bool gs_expo_is_metric_name(struct gs_str s);
bool gs_expo_is_label_name(struct gs_str s);

#endif
