/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "gravel/base/limits.h"
#include "gravel/base/num.h"
#include "internal.h"

#define WRITTEN_MAX (2 * GS_LIMIT_LABELS + 80) /* own labels, and those of the target that are gone */

/* Where a sample belongs. */
struct place {
	struct gs_str family;
	enum gs_expo_type type;
	enum gs_piece piece;
	struct gs_str bound; /* name of the label that tells its part; empty: it is none */
};

static const struct gs_label *find(const struct gs_label *labels, size_t n, struct gs_str name) {
	for (size_t i = n; i > 0; i--) {
		if (gs_str_eq(labels[i - 1].name, name))
			return &labels[i - 1];
	}
	return NULL;
}

static enum gs_piece piece_of(const struct gs_expo_event *event) {
	bool gauge = event->type == GS_TYPE_GAUGEHISTOGRAM;
	switch (event->part) {
	case GS_PART_BUCKET:
		return GS_PIECE_BUCKET;
	case GS_PART_SUM:
		return gauge ? GS_PIECE_GSUM : GS_PIECE_SUM;
	case GS_PART_COUNT:
		return gauge ? GS_PIECE_GCOUNT : GS_PIECE_COUNT;
	case GS_PART_VALUE:
	case GS_PART_QUANTILE:
	case GS_PART_CREATED:
	case GS_PART_NATIVE:
		break;
	}
	return GS_PIECE_NONE;
}

static bool is_bound(struct gs_str text, const struct gs_label *given) {
	double v;
	if (given != NULL && gs_str_eq(given->value, text))
		return true;
	return gs_num_parse_double(text, &v) == GS_OK && !isnan(v);
}

/* Whether the sample is still the part that it was, so that the family keeps its type. */
static bool is_part_still(const struct gs_sample_out *sample, enum gs_piece piece) {
	const struct gs_expo_event *event = sample->event;
	struct gs_str suffix = gs_piece_text(piece);
	struct gs_str bound = event->type == GS_TYPE_SUMMARY ? GS_STR("quantile") : GS_STR("le");
	bool bounded = event->part == GS_PART_BUCKET || event->part == GS_PART_QUANTILE;
	if (sample->name.n <= suffix.n || !gs_str_ends(sample->name, suffix))
		return false;
	const struct gs_label *label = find(sample->labels, sample->nlabels, bound);
	if (label == NULL || !bounded)
		return (label != NULL) == bounded;
	return is_bound(label->value, find(event->labels, event->nlabels, bound));
}

static struct place place_of(const struct gs_sample_out *sample) {
	const struct gs_expo_event *event = sample->event;
	struct place place = {.family = sample->name, .type = event->type};
	if (event->part == GS_PART_CREATED) {
		place.type = GS_TYPE_GAUGE; /* as in the text of the clients */
		return place;
	}
	if (!gs_type_is_composite(event->type))
		return place;
	enum gs_piece piece = piece_of(event);
	place.type = GS_TYPE_UNTYPED;
	if (event->part == GS_PART_VALUE || (sample->moved && !is_part_still(sample, piece)))
		return place;
	place.type = event->type;
	place.piece = piece;
	place.family.n -= gs_piece_text(piece).n;
	if (event->part == GS_PART_BUCKET)
		place.bound = GS_STR("le");
	if (event->part == GS_PART_QUANTILE)
		place.bound = GS_STR("quantile");
	return place;
}

/* What is written of the labels, and how much of it has to be escaped. */
struct written {
	struct gs_label labels[WRITTEN_MAX];
	size_t n;
	const struct gs_label *bound;
};

static bool put(struct written *written, struct gs_label label) {
	if (written->n == WRITTEN_MAX)
		return false;
	written->labels[written->n++] = label;
	return true;
}

/* Only what differs from the target's labels; a label of the target that is gone gets an empty value. Both are sorted. */
static bool choose_labels(const struct gs_sample_out *sample, struct gs_str bound, struct written *ret) {
	const struct gs_label *target = sample->target;
	size_t t = 0;
	bool fits = true;
	ret->n = 0;
	ret->bound = NULL;
	for (size_t i = 0; i < sample->nlabels && fits; i++) {
		const struct gs_label *label = &sample->labels[i];
		int order = -1;
		while (t < sample->ntarget && (order = gs_name_cmp(target[t].name, label->name)) < 0 && fits)
			fits = put(ret, (struct gs_label){.name = target[t++].name, .value = GS_STR("")});
		bool both = t < sample->ntarget && order == 0;
		bool same = both && gs_str_eq(target[t].value, label->value);
		t += both;
		if (bound.n != 0 && gs_str_eq(label->name, bound))
			ret->bound = label;
		else if (fits && !same)
			fits = put(ret, *label);
	}
	for (; t < sample->ntarget && fits; t++)
		fits = put(ret, (struct gs_label){.name = target[t].name, .value = GS_STR("")});
	return fits;
}

static size_t odd_bytes(struct gs_str s) {
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\' || s.p[i] == '"' || s.p[i] == '\n')
			return s.n;
	}
	return 0;
}

static size_t all_bytes(const struct gs_label *labels, size_t n, bool odd) {
	size_t bytes = 0;
	for (size_t i = 0; i < n; i++) {
		bytes += odd ? odd_bytes(labels[i].name) : labels[i].name.n;
		bytes += odd ? odd_bytes(labels[i].value) : labels[i].value.n;
	}
	return bytes;
}

/* Whether a parser takes the line: its number of labels, and what of it has escapes. Relabelling can make more of both than the target sent. */
static bool is_readable(const struct gs_sample_out *sample, const struct written *written) {
	const struct gs_exemplar *exemplar = sample->event->exemplar;
	size_t n = written->n + (written->bound != NULL) + (sample->clearmode.n != 0);
	if (n > GS_LIMIT_LABELS || sample->name.n > GS_LIMIT_NAME)
		return false;
	for (int odd = 0; odd < 2; odd++) {
		size_t bytes = all_bytes(written->labels, written->n, odd != 0) + sample->clearmode.n;
		if (written->bound != NULL)
			bytes += all_bytes(written->bound, 1, odd != 0);
		if (exemplar != NULL)
			bytes += all_bytes(exemplar->labels, exemplar->nlabels, odd != 0);
		bytes += odd != 0 ? odd_bytes(sample->name) : sample->name.n;
		if (bytes <= GS_LIMIT_LABEL_VALUE)
			return true;
	}
	return false;
}

static void write_quoted(struct gs_buf *out, struct gs_str s) {
	gs_buf_char(out, '"');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\' || s.p[i] == '"' || s.p[i] == '\n')
			gs_buf_char(out, '\\');
		gs_buf_char(out, s.p[i] != '\n' ? s.p[i] : 'n');
	}
	gs_buf_char(out, '"');
}

/* Behind the value or timestamp, as OpenMetrics has it; our text has it too. */
static void write_exemplar(struct gs_buf *out, const struct gs_exemplar *exemplar) {
	char number[GS_NUM_DOUBLE_MAX];
	if (out->status != GS_OK || out->n == 0)
		return;
	out->n--; /* the line break */
	gs_buf_cstr(out, " # {");
	for (size_t i = 0; i < exemplar->nlabels; i++) {
		if (i != 0)
			gs_buf_char(out, ',');
		if (gs_expo_is_label_name(exemplar->labels[i].name))
			gs_buf_str(out, exemplar->labels[i].name);
		else
			write_quoted(out, exemplar->labels[i].name);
		gs_buf_char(out, '=');
		write_quoted(out, exemplar->labels[i].value);
	}
	gs_buf_cstr(out, "} ");
	gs_buf_double(out, exemplar->value);
	if (exemplar->has_timestamp) {
		gs_buf_char(out, ' ');
		gs_buf_add(out, number, gs_num_print_ms_as_seconds(number, exemplar->timestamp_ms));
	}
	gs_buf_char(out, '\n');
}

enum gs_status gs_sample_write(struct gs_families *families, const struct gs_sample_out *sample, struct gs_error *err) {
	const struct gs_expo_event *event = sample->event;
	struct written written;
	struct place place = place_of(sample);
	if (!choose_labels(sample, place.bound, &written) || !is_readable(sample, &written))
		return gs_error_set(err, GS_ELIMIT, 0, 0, "relabelling made a series that is too long to be read");
	enum gs_status status = gs_families_open(families, place.family, place.type, place.piece, event->family);
	if (status != GS_OK)
		return status;
	size_t before = families->out->n;
	struct gs_expo_sample line = {
	    .suffix = gs_piece_text(place.piece),
	    .ready = {sample->clearmode},
	    .labels = written.labels,
	    .nlabels = written.n,
	    .bound = written.bound,
	    .bound_stands = true,
	    .value = event->value,
	    .has_timestamp = event->has_timestamp && sample->timestamp,
	    .timestamp_ms = event->timestamp_ms,
	};
	gs_expo_write_sample(&families->writer, &line);
	if (event->exemplar != NULL)
		write_exemplar(families->out, event->exemplar);
	if (families->out->status == GS_OK && families->out->n - before > GS_LIMIT_LINE)
		return gs_error_set(
		    err, GS_ELIMIT, 0, 0, "relabelling made a line of more than %d bytes", GS_LIMIT_LINE);
	return families->out->status;
}
