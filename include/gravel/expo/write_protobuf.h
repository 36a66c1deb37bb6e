/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_EXPO_WRITE_PROTOBUF_H
#define GRAVEL_EXPO_WRITE_PROTOBUF_H

#include "gravel/expo/write.h"

/*
 * Writing of the protobuf exposition: MetricFamily messages, the length of each before it. A family is begun, then its metrics come, each begun, given
 * its parts and ended, then it is ended. Straight into the buffer: nothing is allocated for a metric.
 *
 * The writer is given what text 0.0.4 says, like that of text (write.h). Names are escaped where they stand; a label without a value is written. What the
 * message cannot say is the caller's: counts that are no whole numbers can only stand in a histogram with a native part of floats.
 */

/* A value: copied and dropped freely. ${out} must outlive it. */
struct gs_expo_pb_writer {
	struct gs_buf *out;
	enum gs_escaping escaping;
	enum gs_expo_type type;
	size_t family; /* where in out the open message begins; so below */
	size_t metric;
	size_t value;
};

/* What a histogram or summary has besides its buckets or quantiles. */
struct gs_expo_pb_totals {
	double sum;
	double count;
	const struct gs_native *native; /* NULL: none; its sum and count hold instead of those above */
};

/** gs_expo_pb_init(writer, out, escaping): Write to the end of ${out}, whose error tells at last whether there was room and memory. */
void gs_expo_pb_init(struct gs_expo_pb_writer *writer, struct gs_buf *out, enum gs_escaping escaping);

/** gs_expo_pb_begin_family(writer, family, suffix):
 * Types that the format does not know are written as the nearest: info and stateset as gauge. The unit is left out where the name does not end in it. A
 * name longer than GS_LIMIT_NAME: GS_ELIMIT in the buffer. With a ${suffix} (at most 16 bytes) the family is the metric that text has of that suffix, as which it must be
 * untyped: as there the suffix stands behind the name as that is written. */
void gs_expo_pb_begin_family(
    struct gs_expo_pb_writer *writer, const struct gs_expo_family *family, struct gs_str suffix);

/** gs_expo_pb_end_family(writer): One family may be written as several messages. */
void gs_expo_pb_end_family(struct gs_expo_pb_writer *writer);

/** gs_expo_pb_begin_metric(writer, labels, n): Without le and quantile of a part. */
void gs_expo_pb_begin_metric(struct gs_expo_pb_writer *writer, const struct gs_label *labels, size_t n);

/** gs_expo_pb_value(writer, value, exemplar): The value of a counter, gauge, info, stateset or untyped; ${exemplar} of a counter, or NULL. */
void gs_expo_pb_value(struct gs_expo_pb_writer *writer, double value, const struct gs_exemplar *exemplar);

/** gs_expo_pb_part(writer, bound, value, exemplar): The next bucket (cumulative) or quantile; ${exemplar} of a bucket, or NULL. */
void gs_expo_pb_part(struct gs_expo_pb_writer *writer, double bound, double value, const struct gs_exemplar *exemplar);

/** gs_expo_pb_totals(writer, totals): What else a histogram or summary has, behind its parts; once. */
void gs_expo_pb_totals(struct gs_expo_pb_writer *writer, const struct gs_expo_pb_totals *totals);

void gs_expo_pb_end_metric(struct gs_expo_pb_writer *writer);

#endif
