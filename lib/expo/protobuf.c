/* SPDX-License-Identifier: Apache-2.0 */
/* The protobuf exposition down to its metrics: lengths, messages, and the fields of a MetricFamily. */
#include "protobuf.h"

#include <assert.h>

#include "parser.h"

#define VARINT_MAX 10 /* bytes */

/* Wire types. 3 and 4 are groups, which no message of this format has ever had. */
#define WIRE_VARINT 0
#define WIRE_64BIT 1
#define WIRE_BYTES 2
#define WIRE_32BIT 5

/* Numbers of the fields of a MetricFamily. */
#define FAMILY_NAME 1
#define FAMILY_HELP 2
#define FAMILY_TYPE 3
#define FAMILY_METRIC 4
#define FAMILY_UNIT 5

/* One field of a message. */
struct field {
	size_t at;
	uint64_t number;
	unsigned wire;
	uint64_t value; /* of a varint */
	struct gs_expo_extent place; /* of the bytes */
};

/* The numbers of MetricType. */
static const enum gs_expo_type types[] = {
    GS_TYPE_COUNTER,
    GS_TYPE_GAUGE,
    GS_TYPE_SUMMARY,
    GS_TYPE_UNTYPED,
    GS_TYPE_HISTOGRAM,
    GS_TYPE_GAUGEHISTOGRAM,
};

/* Read the varint at *at; *at is then behind it. False if it does not end before s does, or is larger than 64 bits. */
static bool read_varint(struct gs_str s, size_t *at, uint64_t *ret) {
	uint64_t v = 0;
	for (unsigned shift = 0; *at < s.n; shift += 7) {
		unsigned char c = (unsigned char)s.p[(*at)++];
		if (shift == 63 && c > 1)
			return false;
		v |= (uint64_t)(c & 0x7f) << shift;
		if (c < 0x80) {
			*ret = v;
			return true;
		}
	}
	return false;
}

/* Read the field at *at; *at is then behind it. Returns what is wrong with it, or NULL. */
static const char *read_field(struct gs_str message, size_t *at, struct field *ret) {
	uint64_t tag = 0, n = 0;
	ret->at = *at;
	if (!read_varint(message, at, &tag))
		return "a field has no whole tag";
	*ret = (struct field){.at = ret->at, .number = tag >> 3, .wire = tag & 7};
	if (ret->number == 0 || ret->number > 0x1fffffff)
		return "a field has an impossible number";
	switch (ret->wire) {
	case WIRE_VARINT:
		return read_varint(message, at, &ret->value) ? NULL : "a field is no whole varint";
	case WIRE_64BIT:
		n = 8;
		break;
	case WIRE_BYTES:
		if (!read_varint(message, at, &n))
			return "a field has no whole length";
		break;
	case WIRE_32BIT:
		n = 4;
		break;
	case 3:
	case 4:
		return "a field is a group";
	default:
		return "a field has an unknown wire type";
	}
	if (n > message.n - *at)
		return "a field is longer than what it stands in";
	ret->place = (struct gs_expo_extent){.at = *at, .n = n};
	*at += n;
	return NULL;
}

static struct gs_str message_of(const struct gs_expo_parser *parser) {
	const struct gs_expo_protobuf *pb = &parser->protobuf;
	assert(pb->head + pb->n <= (size_t)(parser->bounds.limit - parser->next));
	return gs_str_make(parser->next + pb->head, pb->n);
}

static struct gs_str at_place(struct gs_str message, struct gs_expo_extent place) {
	return gs_str_make(message.p + place.at, place.n);
}

/* What follows the next ${head} bytes cannot be read, and so nothing behind it. */
static enum gs_status fail_lost(struct gs_expo_parser *parser, size_t head, const char *at, const char *text) {
	parser->line++;
	parser->line_start = parser->next + head;
	parser->ended = true;
	return gs_expo_fail(parser, GS_EINVAL, at, "%s", text);
}

/* The window ends within a message whose length takes ${head} bytes, or within the length. */
static enum gs_status message_is_open(struct gs_expo_parser *parser, size_t head) {
	return parser->last ? fail_lost(parser, head, parser->bounds.limit, "the body ends within a message")
			    : GS_EAGAIN;
}

/* Read the length of the next message, of which there is at least a byte, and see that all of it is there. */
static enum gs_status read_head(struct gs_expo_parser *parser) {
	struct gs_expo_protobuf *pb = &parser->protobuf;
	struct gs_str window = gs_expo_between(parser->next, parser->bounds.limit);
	size_t head = 0;
	uint64_t n;
	if (!read_varint(window, &head, &n)) {
		if (head < VARINT_MAX)
			return message_is_open(parser, 0);
		return fail_lost(parser, 0, parser->next, "the length of the message is larger than 64 bits");
	}
	if (n > GS_LIMIT_SCRAPE_BODY) {
		pb->head = head;
		pb->n = n < SIZE_MAX - VARINT_MAX ? (size_t)n : SIZE_MAX - VARINT_MAX;
		parser->line++;
		parser->line_start = parser->next;
		return gs_expo_fail(
		    parser, GS_ELIMIT, parser->next, "the message is longer than %d bytes", GS_LIMIT_SCRAPE_BODY);
	}
	if (n > window.n - head)
		return message_is_open(parser, head);
	pb->head = head;
	pb->n = n;
	parser->line++;
	return GS_OK;
}

/* Keep what a field of the family says; the last of its kind holds. False if it has the wire type of another. */
static bool keep_field(struct gs_expo_protobuf *pb, const struct field *field, struct field *type) {
	switch (field->number) {
	case FAMILY_NAME:
		pb->name = field->place;
		break;
	case FAMILY_HELP:
		pb->help = field->place;
		break;
	case FAMILY_UNIT:
		pb->unit = field->place;
		break;
	case FAMILY_TYPE:
		*type = *field;
		return field->wire == WIRE_VARINT;
	case FAMILY_METRIC:
		break;
	default:
		return true;
	}
	return field->wire == WIRE_BYTES;
}

/* Whether the name of the family ends with its unit, before the _total of a counter. */
static bool has_unit(enum gs_expo_type type, struct gs_str name, struct gs_str unit) {
	if (type == GS_TYPE_COUNTER && gs_str_ends(name, GS_STR("_total")))
		name.n -= GS_STR("_total").n;
	return gs_str_ends(name, unit) && name.n > unit.n && name.p[name.n - unit.n - 1] == '_';
}

static enum gs_status check_text(
    struct gs_expo_parser *parser, struct gs_str message, struct gs_expo_extent place, const char *what) {
	struct gs_str text = at_place(message, place), name = at_place(message, parser->protobuf.name);
	if (text.n > GS_LIMIT_LABEL_VALUE)
		return gs_expo_fail(parser, GS_ELIMIT, text.p, "the %s of %s is longer than %d bytes", what,
		    gs_expo_quote(name).text, GS_LIMIT_LABEL_VALUE);
	if (!gs_str_is_utf8(text))
		return gs_expo_fail(
		    parser, GS_EINVAL, text.p, "the %s of %s is not UTF-8", what, gs_expo_quote(name).text);
	return GS_OK;
}

static enum gs_status check_family(struct gs_expo_parser *parser, struct gs_str message, const struct field *type) {
	struct gs_expo_protobuf *pb = &parser->protobuf;
	struct gs_str name = at_place(message, pb->name), unit = at_place(message, pb->unit);
	if (name.n == 0)
		return gs_expo_fail(parser, GS_EINVAL, name.p, "the family has no name");
	if (name.n > GS_LIMIT_NAME)
		return gs_expo_limit(parser, "name_length",
		    gs_expo_fail(parser, GS_ELIMIT, name.p, "the metric name %s is longer than %d bytes",
			gs_expo_quote(name).text, GS_LIMIT_NAME));
	if (!gs_str_is_utf8(name))
		return gs_expo_fail(
		    parser, GS_EINVAL, name.p, "the metric name %s is not UTF-8", gs_expo_quote(name).text);
	if (type->value >= sizeof(types) / sizeof(types[0]))
		return gs_expo_fail(parser, GS_EINVAL, message.p + type->at, "unknown type %llu of metric %s",
		    (unsigned long long)type->value, gs_expo_quote(name).text);
	pb->type = types[type->value];
	enum gs_status status = check_text(parser, message, pb->help, "HELP text");
	if (status == GS_OK)
		status = check_text(parser, message, pb->unit, "unit");
	if (status == GS_OK && unit.n != 0 && !has_unit(pb->type, name, unit))
		return gs_expo_fail(parser, GS_EINVAL, unit.p, "the name of metric %s does not end with its unit %s",
		    gs_expo_quote(name).text, gs_expo_quote(unit).text);
	return status;
}

/* The first pass over a message: what the family is, and that its metrics can be found. */
static enum gs_status read_family(struct gs_expo_parser *parser) {
	struct gs_expo_protobuf *pb = &parser->protobuf;
	struct gs_str message = message_of(parser);
	struct field type = {0}; /* as in proto2, the first of the enum where none is given */
	pb->at = 0;
	pb->name = pb->help = pb->unit = (struct gs_expo_extent){0};
	parser->line_start = message.p;
	for (size_t at = 0; at < message.n;) {
		struct field field;
		const char *fault = read_field(message, &at, &field);
		if (fault == NULL && !keep_field(pb, &field, &type))
			fault = "a field of the family has a wire type that is not its own";
		if (fault != NULL)
			return gs_expo_fail(parser, GS_EINVAL, message.p + field.at, "%s", fault);
	}
	return check_family(parser, message, &type);
}

/* Go to the next metric of the message, or behind the message. */
static enum gs_status next_metric(struct gs_expo_parser *parser) {
	struct gs_expo_protobuf *pb = &parser->protobuf;
	struct gs_str message = message_of(parser);
	struct field field;
	while (pb->at < message.n) {
		const char *fault = read_field(message, &pb->at, &field);
		assert(fault == NULL); /* as before */
		if (field.number != FAMILY_METRIC)
			continue;
		pb->metric_at = field.at;
		pb->step = GS_EXPO_STEP_SAMPLE;
		return gs_expo_metric_open(parser, at_place(message, field.place));
	}
	parser->next += pb->head + pb->n;
	pb->step = GS_EXPO_STEP_MESSAGE;
	return GS_OK;
}

static enum gs_status next_sample(struct gs_expo_parser *parser, struct gs_expo_event *event) {
	struct gs_expo_protobuf *pb = &parser->protobuf;
	if (!gs_expo_metric_has_next(pb)) {
		pb->step = GS_EXPO_STEP_METRIC;
		return GS_OK;
	}
	if (parser->options.max_samples != 0 && parser->samples == parser->options.max_samples)
		return gs_expo_fail(parser, GS_ELIMIT, parser->line_start + pb->metric_at, "more than %zu samples",
		    parser->options.max_samples);
	parser->samples++;
	event->family = event->name;
	return gs_expo_metric_next(parser, event);
}

/* One step within a message. The kind of the event stays GS_EXPO_END if it gives none. */
static enum gs_status take_step(struct gs_expo_parser *parser, struct gs_expo_event *event) {
	struct gs_expo_protobuf *pb = &parser->protobuf;
	struct gs_str message = message_of(parser);
	parser->line_start = message.p;
	*event = (struct gs_expo_event){
	    .kind = GS_EXPO_END, .line = parser->line, .type = pb->type, .name = at_place(message, pb->name)};
	switch (pb->step) {
	case GS_EXPO_STEP_HELP:
		pb->step = GS_EXPO_STEP_TYPE;
		event->text = at_place(message, pb->help);
		event->kind = event->text.n != 0 ? GS_EXPO_HELP : GS_EXPO_END;
		return GS_OK;
	case GS_EXPO_STEP_TYPE:
		pb->step = GS_EXPO_STEP_UNIT;
		event->kind = GS_EXPO_TYPE;
		return GS_OK;
	case GS_EXPO_STEP_UNIT:
		pb->step = GS_EXPO_STEP_METRIC;
		event->text = at_place(message, pb->unit);
		event->kind = event->text.n != 0 ? GS_EXPO_UNIT : GS_EXPO_END;
		return GS_OK;
	case GS_EXPO_STEP_METRIC:
		return next_metric(parser);
	case GS_EXPO_STEP_SAMPLE:
		return next_sample(parser, event);
	case GS_EXPO_STEP_MESSAGE:
		break;
	}
	return GS_OK;
}

/* Drop what the window has of a message that was given up. */
static void skip_message(struct gs_expo_parser *parser) {
	size_t there = (size_t)(parser->bounds.limit - parser->next);
	size_t n = parser->protobuf.skip < there ? parser->protobuf.skip : there;
	parser->next += n;
	parser->protobuf.skip -= n;
}

enum gs_status gs_expo_protobuf(struct gs_expo_parser *parser, struct gs_expo_event *event) {
	struct gs_expo_protobuf *pb = &parser->protobuf;
	for (;;) {
		enum gs_status status = GS_OK;
		if (pb->step != GS_EXPO_STEP_MESSAGE) {
			status = take_step(parser, event);
			if (status != GS_OK || event->kind != GS_EXPO_END)
				return status;
			continue;
		}
		skip_message(parser);
		*event = (struct gs_expo_event){.kind = GS_EXPO_END, .line = parser->line};
		if (parser->next == parser->bounds.limit)
			return parser->last ? GS_OK : GS_EAGAIN;
		status = read_head(parser);
		if (status == GS_OK)
			status = read_family(parser);
		if (status != GS_OK)
			return status;
		pb->step = GS_EXPO_STEP_HELP;
	}
}

void gs_expo_protobuf_begin(struct gs_expo_protobuf *pb) {
	pb->step = GS_EXPO_STEP_MESSAGE;
	pb->skip = 0;
}

void gs_expo_protobuf_recover(struct gs_expo_protobuf *pb) {
	pb->step = GS_EXPO_STEP_MESSAGE;
	pb->skip = pb->head + pb->n;
}
