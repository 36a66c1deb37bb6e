/* SPDX-License-Identifier: Apache-2.0 */
#include "rewrite.h"

#include <stdio.h>

#include "gravel/base/mem.h"

/* A copy of a text, which may hold NUL. */
struct text {
	char *p;
	size_t n;
};

/* What the metadata of a body says of a family; text may say it behind the samples. */
struct meta {
	struct meta *next;
	struct text name;
	struct text help;
	struct text unit;
	enum gs_expo_type type;
	bool has_type;
	bool written;
};

struct rewriter {
	struct gs_expo_writer writer;
	struct gs_expo_parser *parser;
	struct gs_expo_parser *checker;
	struct gs_expo_options options;
	struct gs_str body;
	struct meta *first;
	struct meta **last;
	struct meta *current;
	char name[GS_LIMIT_NAME + sizeof("_total")]; /* of the current family, as text 0.0.4 has it */
	struct gs_label labels[GS_LIMIT_LABELS];
};

static struct gs_str slice(struct text text) {
	return gs_str_make(text.p, text.n);
}

static bool set_text(struct text *text, struct gs_str s) {
	char *copy = gs_strdup(s);
	if (copy == NULL)
		return false;
	gs_free(text->p);
	*text = (struct text){.p = copy, .n = s.n};
	return true;
}

static struct meta *find_meta(struct rewriter *r, struct gs_str name) {
	for (struct meta *meta = r->first; meta != NULL; meta = meta->next) {
		if (gs_str_eq(slice(meta->name), name))
			return meta;
	}
	struct meta *meta = gs_alloc(sizeof(*meta));
	if (meta == NULL)
		return NULL;
	if (!set_text(&meta->name, name)) {
		gs_free(meta);
		return NULL;
	}
	*r->last = meta;
	r->last = &meta->next;
	return meta;
}

static bool keep_meta(struct rewriter *r, const struct gs_expo_event *event) {
	struct meta *meta = find_meta(r, event->kind == GS_EXPO_SAMPLE ? event->family : event->name);
	if (meta == NULL)
		return false;
	if (event->kind == GS_EXPO_HELP)
		return set_text(&meta->help, event->text);
	if (event->kind == GS_EXPO_UNIT)
		return set_text(&meta->unit, event->text);
	if (event->kind == GS_EXPO_TYPE) {
		meta->type = event->type;
		meta->has_type = true;
	}
	return true;
}

/* OpenMetrics: if the family that was written last breaks a rule, that is the end. */
static bool is_family_fine(struct rewriter *r, struct gs_error *err) {
	if (r->current == NULL || gs_expo_check_family(&r->writer, r->checker, NULL))
		return true;
	gs_error_set(err, GS_EINVAL, 0, 0, "the family %s cannot be written", r->name);
	return false;
}

/* In the words of text, which is what the writer is told. */
static void begin_family(struct rewriter *r, struct meta *meta) {
	const char *suffix = "";
	if (r->options.format == GS_FORMAT_OPENMETRICS && meta->type == GS_TYPE_COUNTER)
		suffix = "_total";
	if (r->options.format == GS_FORMAT_OPENMETRICS && meta->type == GS_TYPE_INFO)
		suffix = "_info";
	snprintf(r->name, sizeof(r->name), "%.*s%s", (int)meta->name.n, meta->name.p, suffix);
	struct gs_expo_family family = {
	    .name = gs_str_of(r->name),
	    .help = slice(meta->help),
	    .unit = slice(meta->unit),
	    .type = meta->type,
	    .no_type = !meta->has_type,
	};
	gs_expo_write_family(&r->writer, &family);
	meta->written = true;
	r->current = meta;
}

static bool is_bound(const struct gs_expo_event *event, size_t i) {
	const char *name = event->part == GS_PART_BUCKET ? "le" : event->part == GS_PART_QUANTILE ? "quantile" : NULL;
	return name != NULL && gs_str_eq(event->labels[i].name, gs_str_of(name));
}

static void put_sample(struct rewriter *r, const struct gs_expo_event *event) {
	struct gs_expo_sample sample = {
	    .labels = r->labels,
	    .value = event->value,
	    .has_timestamp = event->has_timestamp,
	    .timestamp_ms = event->timestamp_ms,
	    .exemplar = event->exemplar,
	};
	/* "foo_created" of the counter foo_total has another suffix than its name. */
	size_t family = strlen(r->name);
	if (event->part == GS_PART_CREATED)
		sample.suffix = GS_STR("_created");
	else if (event->name.n > family)
		sample.suffix = gs_str_make(event->name.p + family, event->name.n - family);
	for (size_t i = 0; i < event->nlabels; i++) {
		if (is_bound(event, i))
			sample.bound = &event->labels[i];
		else
			r->labels[sample.nlabels++] = event->labels[i];
	}
	gs_expo_write_sample(&r->writer, &sample);
}

/* All events of the body, to one of both passes. */
static enum gs_status pass(struct rewriter *r, bool write, struct gs_error *err) {
	gs_expo_begin(r->parser, &r->options);
	gs_expo_feed(r->parser, r->body, true);
	for (;;) {
		struct gs_expo_event event;
		enum gs_status status = gs_expo_next(r->parser, &event, err);
		if (status != GS_OK || event.kind == GS_EXPO_END)
			return status;
		if (!write && !keep_meta(r, &event))
			return GS_ENOMEM;
		if (!write || event.kind != GS_EXPO_SAMPLE)
			continue;
		struct meta *meta = find_meta(r, event.family);
		if (meta != r->current) {
			if (!is_family_fine(r, err))
				return GS_EINVAL;
			begin_family(r, meta);
		}
		put_sample(r, &event);
	}
}

static enum gs_status write_rest(struct rewriter *r, struct gs_error *err) {
	for (struct meta *meta = r->first; meta != NULL; meta = meta->next) {
		if (!is_family_fine(r, err))
			return GS_EINVAL;
		if (!meta->written)
			begin_family(r, meta);
	}
	if (!is_family_fine(r, err))
		return GS_EINVAL;
	gs_expo_write_end(&r->writer);
	return r->writer.out->status;
}

static void free_rewriter(struct rewriter *r) {
	while (r->first != NULL) {
		struct meta *meta = r->first;
		r->first = meta->next;
		gs_free(meta->name.p);
		gs_free(meta->help.p);
		gs_free(meta->unit.p);
		gs_free(meta);
	}
	gs_expo_parser_free(r->checker);
	gs_free(r);
}

enum gs_status rewrite(struct gs_buf *out, struct gs_expo_parser *parser, const struct gs_expo_options *options,
    struct gs_str body, struct gs_expo_dialect dialect, struct gs_error *err) {
	struct rewriter *r = gs_alloc(sizeof(*r));
	if (r == NULL)
		return GS_ENOMEM;
	r->checker = gs_expo_parser_new();
	r->parser = parser;
	r->options = *options;
	r->body = body;
	r->last = &r->first;
	gs_expo_writer_init(&r->writer, out, dialect);
	enum gs_status status = r->checker != NULL ? pass(r, false, err) : GS_ENOMEM;
	if (status == GS_OK)
		status = pass(r, true, err);
	if (status == GS_OK)
		status = write_rest(r, err);
	free_rewriter(r);
	return status;
}
