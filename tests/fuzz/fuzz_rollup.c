/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <math.h>
#include <stdint.h>

#include "gravel/rollup/rollup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RULES 3
#define TARGETS 4
#define BODY_MAX (64 * 1024)

static struct gs_expo_parser *parser;
static struct gs_labels *labels;

struct input {
	const uint8_t *p;
	size_t n;
};

static uint8_t take(struct input *in) {
	if (in->n == 0)
		return 0;
	in->n--;
	return *in->p++;
}

/* One byte for each rule: operation, labels, names. */
static struct gs_rollup *make(struct input *in) {
	static const char *const of[] = {"a|b", "h", "a|h", ".*", "h_sum|s", "s", "[a-m].*", "h_.*"};
	static const char *const as[RULES] = {"r0", "r1", "r2"};
	static const char *const by[] = {"x", "instance"};
	struct gs_rollup_rule rules[RULES];
	struct gs_rollup *rollup = NULL;
	for (size_t i = 0; i < RULES; i++) {
		uint8_t byte = take(in);
		rules[i] = (struct gs_rollup_rule){.op = (enum gs_rollup_op)(byte % 5),
		    .of = of[(byte >> 5) & 7],
		    .as = as[i],
		    .labels = by,
		    .nlabels = byte / 5 % 3,
		    .without = (byte & 16) != 0,
		    .drop = true};
	}
	assert(gs_rollup_new(rules, RULES, 16 + 8 * (size_t)take(in), &rollup, NULL) == GS_OK);
	return rollup;
}

/* Feed a body as the scrape of a target; it ends well if it parses and its flag says so. */
static void scrape(struct gs_rollup *rollup, uint8_t byte, struct gs_str body) {
	static const char *const instances[TARGETS] = {"0", "1", "2", "3"};
	struct gs_expo_options options = {.format = (byte & 8) != 0 ? GS_FORMAT_OPENMETRICS : GS_FORMAT_TEXT};
	struct gs_expo_event event;
	enum gs_status status, taken = GS_OK;
	gs_rollup_begin(rollup, byte % TARGETS);
	gs_expo_begin(parser, &options);
	gs_expo_feed(parser, body, true);
	while ((status = gs_expo_next(parser, &event, NULL)) == GS_OK && event.kind != GS_EXPO_END) {
		bool drop;
		if (event.kind != GS_EXPO_SAMPLE || taken != GS_OK)
			continue;
		gs_labels_clear(labels);
		taken = gs_labels_set(labels, GS_STR("__name__"), event.name);
		for (size_t i = 0; taken == GS_OK && i < event.nlabels; i++)
			taken = gs_labels_set(labels, event.labels[i].name, event.labels[i].value);
		if (taken == GS_OK)
			taken = gs_labels_set(labels, GS_STR("instance"), gs_str_of(instances[byte % TARGETS]));
		if (taken == GS_OK)
			taken = gs_rollup_sample(rollup, &event, labels, &drop);
	}
	gs_rollup_end(rollup, status == GS_OK && taken == GS_OK && (byte & 16) == 0);
}

/* What is written parses, stands there once, and buckets rise. */
static void check_results(struct gs_rollup *rollup, struct gs_buf *out, struct gs_expo_seen *seen) {
	struct gs_expo_options options = {.format = GS_FORMAT_TEXT_1, .seen = seen};
	struct gs_expo_event event;
	double bucket = 0;
	gs_buf_clear(out);
	assert(gs_rollup_write(rollup, out) == GS_OK);
	gs_expo_begin(parser, &options);
	gs_expo_feed(parser, gs_buf_slice(out), true);
	do {
		assert(gs_expo_next(parser, &event, NULL) == GS_OK);
		if (event.kind != GS_EXPO_SAMPLE)
			continue;
		if (event.type == GS_TYPE_COUNTER || event.part == GS_PART_BUCKET || event.part == GS_PART_COUNT)
			assert(isfinite(event.value) && event.value >= 0);
		if (event.part == GS_PART_BUCKET && event.joined)
			assert(event.value >= bucket);
		if (event.part == GS_PART_BUCKET)
			bucket = event.value;
	} while (event.kind != GS_EXPO_END);
}

/* Bytes: three rules, max_series, then scrapes: a byte of target and flags, a body up to a zero byte. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct input in = {.p = data, .n = size < BODY_MAX ? size : BODY_MAX};
	struct gs_expo_seen *seen = gs_expo_seen_new();
	struct gs_buf out;
	if (parser == NULL) {
		parser = gs_expo_parser_new();
		labels = gs_labels_new();
	}
	assert(parser != NULL && labels != NULL && seen != NULL);
	gs_buf_init(&out, SIZE_MAX);
	struct gs_rollup *rollup = make(&in);
	while (in.n != 0) {
		uint8_t byte = take(&in);
		size_t n = 0;
		while (n < in.n && in.p[n] != 0)
			n++;
		if ((byte & 96) == 96)
			gs_rollup_remove(rollup, byte % TARGETS);
		scrape(rollup, byte, gs_str_make((const char *)in.p, n));
		in.p += n;
		in.n -= n;
		take(&in);
		gs_rollup_check(rollup);
		check_results(rollup, &out, seen);
	}
	for (uint64_t t = 0; t < TARGETS; t++)
		gs_rollup_remove(rollup, t);
	assert(gs_rollup_series(rollup) == 0);
	gs_rollup_free(rollup);
	gs_expo_seen_free(seen);
	gs_buf_free(&out);
	return 0;
}
