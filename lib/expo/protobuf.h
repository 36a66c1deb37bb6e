/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_EXPO_PROTOBUF_H
#define GRAVEL_LIB_EXPO_PROTOBUF_H

/*
 * The protobuf exposition: MetricFamily messages, the length of each before it. A message is walked field by field, and its metrics are
 * unpacked one after the other, so that the memory of one is enough. Not for other modules.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gravel/base/num.h"
#include "gravel/expo/expo.h"

/* Bytes for one unpacked Metric. One with GS_LIMIT_BUCKETS buckets takes 640 KiB. Pages that nobody writes to cost nothing. */
#define GS_EXPO_ARENA (768 * 1024)

/* What the next event is looked for in. */
enum gs_expo_step {
	GS_EXPO_STEP_MESSAGE, /* between two messages */
	GS_EXPO_STEP_HELP,
	GS_EXPO_STEP_TYPE,
	GS_EXPO_STEP_UNIT,
	GS_EXPO_STEP_METRIC, /* the next metric of the message */
	GS_EXPO_STEP_SAMPLE, /* the next sample of the metric */
};

/* A part of the message: it moves with the window. */
struct gs_expo_extent {
	size_t at;
	size_t n;
};

/*
 * Invariants:
 * 1. From HELP to SAMPLE, parser.next is where the length of the message begins, all of which is in the window: head bytes of length, then n.
 * 2. metric, the native histogram and the labels of samples point into the arena, and so stay when the window moves.
 */
struct gs_expo_protobuf {
	enum gs_expo_step step;
	size_t skip; /* from parser.next on: bytes of a message that was given up */
	size_t head;
	size_t n;
	size_t at; /* in the message: the next field */
	size_t metric_at; /* in the message: the current metric */
	enum gs_expo_type type;
	struct gs_expo_extent name;
	struct gs_expo_extent help;
	struct gs_expo_extent unit;
	/* The metric and its samples: buckets or quantiles, then the parts in tail. */
	const void *metric;
	size_t next_sample;
	size_t nleading;
	size_t ntail;
	enum gs_expo_part tail[4];
	struct gs_native native;
	char number[GS_NUM_DOUBLE_MAX]; /* the value of label le or quantile */
	char sample_name[GS_LIMIT_NAME];
	size_t used;
	bool full; /* something did not fit into the arena */
	_Alignas(16) unsigned char arena[GS_EXPO_ARENA];
};

/** gs_expo_protobuf_begin(pb): As before the first byte of a body. */
void gs_expo_protobuf_begin(struct gs_expo_protobuf *pb);

/** gs_expo_protobuf(parser, event): gs_expo_next of the protobuf exposition. */
GS_MUST_USE enum gs_status gs_expo_protobuf(struct gs_expo_parser *parser, struct gs_expo_event *event);

/** gs_expo_protobuf_recover(pb): After an error in a message whose length is known: go on behind it. */
void gs_expo_protobuf_recover(struct gs_expo_protobuf *pb);

/** gs_expo_metric_open(parser, bytes): Unpack and check the Metric in ${bytes}, a part of the message, of the family that the state tells. */
GS_MUST_USE enum gs_status gs_expo_metric_open(struct gs_expo_parser *parser, struct gs_str bytes);

/** gs_expo_metric_has_next(pb): Whether the metric has one more sample. */
bool gs_expo_metric_has_next(const struct gs_expo_protobuf *pb);

/** gs_expo_metric_next(parser, event): Fill the rest of ${event}, whose family is set, with the next sample of the metric; it must have one. */
GS_MUST_USE enum gs_status gs_expo_metric_next(struct gs_expo_parser *parser, struct gs_expo_event *event);

#endif
