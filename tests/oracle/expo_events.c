/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parser makes of expositions, as JSON lines, for tests in other languages.
 *
 * Each event is a line {"kind": ...}; the last line of a body is {"kind": "end"}, or {"error": ..., "status": ..., "line": ..., "column": ...}.
 * Numbers are written as in expositions; NaN, +Inf and -Inf as strings. With --batch standard input holds any number of bodies, each behind
 * a line with its length in bytes; the answer to each is flushed before the next is read.
 *
 * With --rewrite the answer is not the events but the body as our writer has it in that format, or an error as above; with --batch in one line
 * {"body": ...}.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gravel/base/mem.h"
#include "gravel/base/num.h"
#include "gravel/expo/expo.h"
#include "rewrite.h"

#define BODY_MAX ((size_t)1 << 30)

struct run {
	struct gs_expo_options options;
	size_t piece; /* bytes of a feed; 0: the whole body */
	bool batch;
	bool rewrite;
	struct gs_expo_dialect dialect; /* if rewrite */
	struct gs_expo_parser *parser;
	struct gs_buf body;
	struct gs_buf out;
};

static const char *const kinds[] = {"end", "type", "help", "unit", "sample"};
static const char *const parts[] = {"value", "bucket", "quantile", "sum", "count", "created", "native"};

static void put_text(struct gs_buf *out, struct gs_str s) {
	gs_buf_char(out, '"');
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (c == '"' || c == '\\')
			gs_buf_char(out, '\\');
		if (c < 0x20 || c == 0x7f)
			gs_buf_printf(out, "\\u%04x", c);
		else
			gs_buf_char(out, (char)c);
	}
	gs_buf_char(out, '"');
}

static void put_key(struct gs_buf *out, const char *key) {
	gs_buf_printf(out, ", \"%s\": ", key);
}

static void put_number(struct gs_buf *out, double v) {
	bool real = v - v == 0;
	gs_buf_cstr(out, real ? "" : "\"");
	gs_buf_double(out, v);
	gs_buf_cstr(out, real ? "" : "\"");
}

static void put_labels(struct gs_buf *out, const struct gs_label *labels, size_t n) {
	put_key(out, "labels");
	gs_buf_char(out, '[');
	for (size_t i = 0; i < n; i++) {
		gs_buf_cstr(out, i == 0 ? "[" : ", [");
		put_text(out, labels[i].name);
		gs_buf_cstr(out, ", ");
		put_text(out, labels[i].value);
		gs_buf_char(out, ']');
	}
	gs_buf_char(out, ']');
}

static void put_time(struct gs_buf *out, bool has, int64_t ms) {
	if (!has)
		return;
	put_key(out, "timestamp_ms");
	gs_buf_i64(out, ms);
}

static void put_exemplar(struct gs_buf *out, const struct gs_exemplar *exemplar) {
	gs_buf_cstr(out, "{\"value\": ");
	put_number(out, exemplar->value);
	put_labels(out, exemplar->labels, exemplar->nlabels);
	put_time(out, exemplar->has_timestamp, exemplar->timestamp_ms);
	gs_buf_char(out, '}');
}

static void put_side(struct gs_buf *out, const char *key, const struct gs_native_side *side) {
	put_key(out, key);
	gs_buf_cstr(out, "{\"spans\": [");
	for (size_t i = 0; i < side->nspans; i++)
		gs_buf_printf(out, "%s[%d, %u]", i == 0 ? "" : ", ", side->spans[i].offset, side->spans[i].length);
	gs_buf_cstr(out, "], \"deltas\": [");
	for (size_t i = 0; i < side->ndeltas; i++)
		gs_buf_printf(out, "%s%lld", i == 0 ? "" : ", ", (long long)side->deltas[i]);
	gs_buf_cstr(out, "], \"counts\": [");
	for (size_t i = 0; i < side->ncounts; i++) {
		gs_buf_cstr(out, i == 0 ? "" : ", ");
		put_number(out, side->counts[i]);
	}
	gs_buf_cstr(out, "]}");
}

static void put_native(struct gs_buf *out, const struct gs_native *native) {
	gs_buf_printf(out, "{\"float\": %s, \"schema\": %d", native->is_float ? "true" : "false", native->schema);
	put_key(out, "zero_threshold");
	put_number(out, native->zero_threshold);
	put_key(out, "zero_count");
	put_number(out, native->zero_count);
	put_key(out, "count");
	put_number(out, native->count);
	put_key(out, "sum");
	put_number(out, native->sum);
	put_side(out, "positive", &native->positive);
	put_side(out, "negative", &native->negative);
	put_key(out, "exemplars");
	gs_buf_char(out, '[');
	for (size_t i = 0; i < native->nexemplars; i++) {
		gs_buf_cstr(out, i == 0 ? "" : ", ");
		put_exemplar(out, &native->exemplars[i]);
	}
	gs_buf_cstr(out, "]}");
}

static void put_sample(struct gs_buf *out, const struct gs_expo_event *event) {
	put_key(out, "family");
	put_text(out, event->family);
	put_key(out, "part");
	gs_buf_printf(out, "\"%s\", \"joined\": %s", parts[event->part], event->joined ? "true" : "false");
	put_labels(out, event->labels, event->nlabels);
	put_key(out, "value");
	put_number(out, event->value);
	if (event->part == GS_PART_BUCKET || event->part == GS_PART_QUANTILE) {
		put_key(out, "bound");
		put_number(out, event->bound);
	}
	put_time(out, event->has_timestamp, event->timestamp_ms);
	if (event->exemplar != NULL) {
		put_key(out, "exemplar");
		put_exemplar(out, event->exemplar);
	}
	if (event->native != NULL) {
		put_key(out, "native");
		put_native(out, event->native);
	}
}

static void put_event(struct gs_buf *out, const struct gs_expo_event *event) {
	gs_buf_printf(out, "{\"kind\": \"%s\", \"line\": %u", kinds[event->kind], event->line);
	if (event->kind != GS_EXPO_END) {
		put_key(out, "name");
		put_text(out, event->name);
	}
	if (event->kind == GS_EXPO_HELP || event->kind == GS_EXPO_UNIT) {
		put_key(out, "text");
		put_text(out, event->text);
	}
	if (event->kind == GS_EXPO_TYPE || event->kind == GS_EXPO_SAMPLE)
		gs_buf_printf(out, ", \"type\": \"%s\"", gs_expo_type_name(event->type));
	if (event->kind == GS_EXPO_SAMPLE)
		put_sample(out, event);
	gs_buf_cstr(out, "}\n");
}

static void put_error(struct gs_buf *out, enum gs_status status, const struct gs_error *err) {
	gs_buf_cstr(out, "{\"error\": ");
	put_text(out, gs_str_of(err->text));
	gs_buf_printf(out, ", \"status\": \"%s\", \"line\": %u, \"column\": %u}\n", gs_status_name(status), err->line,
	    err->column);
}

static bool flush_out(struct gs_buf *out) {
	bool ok = out->status == GS_OK && fwrite(out->p, 1, out->n, stdout) == out->n;
	gs_buf_clear(out);
	return ok;
}

/* Print all events of the windows that are there, up to the end, an error (both set *done) or the need for more. */
static bool drain(struct run *run, bool *done) {
	struct gs_expo_event event;
	struct gs_error err = {0};
	for (;;) {
		enum gs_status status = gs_expo_next(run->parser, &event, &err);
		if (status == GS_EAGAIN)
			return true;
		*done = status != GS_OK || event.kind == GS_EXPO_END;
		if (status == GS_OK)
			put_event(&run->out, &event);
		else
			put_error(&run->out, status, &err);
		if ((*done || run->out.n > 1 << 20) && !flush_out(&run->out))
			return false;
		if (*done)
			return true;
	}
}

/* Feed the body in pieces, each window in memory of its own, so that a sanitizer sees who reads beyond it. */
static bool parse_in_pieces(struct run *run, struct gs_str body) {
	size_t used = 0, end = 0;
	bool done = false, ok = true;
	while (ok && !done) {
		end = body.n - end > run->piece ? end + run->piece : body.n;
		struct gs_str window = gs_str_make(body.p + used, end - used);
		char *copy = window.n != 0 ? gs_alloc(window.n) : NULL;
		if (copy != NULL)
			memcpy(copy, window.p, window.n);
		ok = copy != NULL || window.n == 0;
		if (ok) {
			gs_expo_feed(run->parser, gs_str_make(copy, window.n), end == body.n);
			ok = drain(run, &done);
			used += gs_expo_used(run->parser);
		}
		if (ok && !done && end == body.n) {
			fprintf(stderr, "the parser asks for more than there is\n");
			ok = false;
		}
		gs_free(copy);
	}
	return ok;
}

/* The answer of --rewrite. */
static bool answer_rewritten(struct run *run) {
	struct gs_buf text;
	struct gs_error err = {0};
	gs_buf_init(&text, BODY_MAX);
	enum gs_status status =
	    rewrite(&text, run->parser, &run->options, gs_buf_slice(&run->body), run->dialect, &err);
	if (status != GS_OK) {
		put_error(&run->out, status, &err);
	} else if (run->batch) {
		gs_buf_cstr(&run->out, "{\"body\": ");
		put_text(&run->out, gs_buf_slice(&text));
		gs_buf_cstr(&run->out, "}\n");
	} else {
		gs_buf_str(&run->out, gs_buf_slice(&text));
	}
	gs_buf_free(&text);
	return flush_out(&run->out) && fflush(stdout) == 0;
}

static bool parse(struct run *run) {
	if (run->rewrite)
		return answer_rewritten(run);
	struct gs_str body = gs_buf_slice(&run->body);
	struct run whole = *run;
	gs_expo_begin(run->parser, &run->options);
	if (run->piece == 0)
		run->piece = body.n != 0 ? body.n : 1;
	bool ok = parse_in_pieces(run, body);
	run->piece = whole.piece;
	return ok && fflush(stdout) == 0;
}

static bool parse_file(struct run *run, const char *path) {
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
	if (f == NULL) {
		perror(path);
		return false;
	}
	gs_buf_clear(&run->body);
	size_t got = 1;
	while (got != 0 && run->body.status == GS_OK) {
		char *room = gs_buf_reserve(&run->body, 1 << 16);
		got = room != NULL ? fread(room, 1, 1 << 16, f) : 0;
		run->body.n += got;
	}
	bool ok = ferror(f) == 0 && run->body.status == GS_OK;
	if (f != stdin)
		fclose(f);
	return ok && parse(run);
}

static bool parse_batch(struct run *run) {
	char line[32];
	while (fgets(line, sizeof(line), stdin) != NULL) {
		uint64_t n;
		if (gs_num_parse_u64(gs_str_trim(gs_str_of(line)), &n) != GS_OK || n >= BODY_MAX) {
			fprintf(stderr, "not a length: %s", line);
			return false;
		}
		gs_buf_clear(&run->body);
		char *room = gs_buf_reserve(&run->body, n + 1);
		if (room == NULL || fread(room, 1, n, stdin) != n) {
			fprintf(stderr, "a body is cut short\n");
			return false;
		}
		run->body.n = n;
		if (!parse(run))
			return false;
	}
	return ferror(stdin) == 0;
}

static bool read_format(const char *word, enum gs_expo_format *ret) {
	static const char *const words[] = {"text", "text1", "openmetrics", "protobuf"};
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(word, words[i]) == 0) {
			*ret = (enum gs_expo_format)i;
			return true;
		}
	}
	return false;
}

/* The index of the first argument that is no option, or 0. */
static int read_options(struct run *run, int argc, char **argv) {
	int i = 1;
	for (; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
		uint64_t n;
		if (strcmp(argv[i], "--utf8") == 0) {
			run->options.utf8_names = true;
		} else if (strcmp(argv[i], "--batch") == 0) {
			run->batch = true;
		} else if (strcmp(argv[i], "--seen") == 0) {
			run->options.seen = gs_expo_seen_new();
			if (run->options.seen == NULL)
				return 0;
		} else if (strcmp(argv[i], "--format") == 0 && i + 1 < argc) {
			if (!read_format(argv[++i], &run->options.format))
				return 0;
		} else if (strcmp(argv[i], "--rewrite") == 0 && i + 1 < argc) {
			if (!read_format(argv[++i], &run->dialect.format) || run->dialect.format == GS_FORMAT_PROTOBUF)
				return 0;
			run->rewrite = true;
		} else if (strcmp(argv[i], "--utf8-out") == 0) {
			run->dialect.escaping = GS_ESCAPE_NONE;
		} else if (strcmp(argv[i], "--pieces") == 0 && i + 1 < argc) {
			if (gs_num_parse_u64(gs_str_of(argv[++i]), &n) != GS_OK)
				return 0;
			run->piece = n;
		} else {
			return 0;
		}
	}
	return run->batch == (i == argc) ? i : 0;
}

int main(int argc, char **argv) {
	struct run run = {.parser = gs_expo_parser_new()};
	gs_buf_init(&run.body, BODY_MAX);
	gs_buf_init(&run.out, BODY_MAX);
	int first = run.parser != NULL ? read_options(&run, argc, argv) : 0;
	bool ok = first != 0;
	if (!ok)
		fprintf(stderr,
		    "usage: gravel-expo-events [--format text|text1|openmetrics|protobuf] [--utf8] [--seen] "
		    "[--pieces BYTES] [--rewrite text|text1|openmetrics [--utf8-out]] --batch | FILE|-...\n");
	if (ok && run.batch)
		ok = parse_batch(&run);
	for (int i = first; ok && i < argc; i++)
		ok = parse_file(&run, argv[i]);
	gs_buf_free(&run.out);
	gs_buf_free(&run.body);
	gs_expo_seen_free(run.options.seen);
	gs_expo_parser_free(run.parser);
	return first == 0 ? 2 : ok ? 0 : 1;
}
