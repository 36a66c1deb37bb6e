/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a job's settings make of an exposition, for tests in other languages: scraped, transformed, taken by a store and written again. Standard input holds jobs as lines of words
 * with a blank between them; texts begin with "=" and have bytes outside of letters and digits as %XX:
 *
 *   label =name =value                a label of the target
 *   option NAME NUMBER                of struct gs_transform_options
 *   rule ACTION =separator =regex MODULUS =target =replacement [=source...]
 *   body text|openmetrics =text       the exposition, and the end of the job
 *
 * The answer to each is a line of JSON: {"error": ..., "samples": ..., "kept": ..., "stored": ...}.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gravel/base/arena.h"
#include "gravel/base/json.h"
#include "gravel/gravel/store.h"
#include "gravel/transform/transform.h"

#define LINE_BYTES (4 * 1024 * 1024)
#define WORDS 64
#define ITEMS 64
#define NOW INT64_C(1700000000000)

static const char *const actions[] = {"replace", "keep", "drop", "keepequal", "dropequal", "hashmod", "labelmap",
    "labeldrop", "labelkeep", "lowercase", "uppercase"};

struct job {
	struct gs_arena *arena;
	struct gs_transform_options options;
	struct gs_relabel_rule rules[ITEMS];
	struct gs_label labels[ITEMS];
	size_t nlabels;
};

static void demand(bool condition, const char *what) {
	if (condition)
		return;
	fprintf(stderr, "gravel-transform: %s\n", what);
	exit(2);
}

/* A word with its "=" as text that ends with a NUL; it lives as long as the job. */
static struct gs_str text_of(struct job *job, const char *word) {
	size_t n = 0;
	demand(word != NULL && *word == '=', "a text does not begin with =");
	char *out = gs_arena_alloc(job->arena, strlen(word));
	demand(out != NULL, "out of memory");
	for (const char *p = word + 1; *p != '\0'; p++) {
		if (*p == '%') {
			const char hex[] = {p[1], p[1] != '\0' ? p[2] : '\0', '\0'};
			out[n++] = (char)strtoul(hex, NULL, 16);
			p += 2;
		} else {
			out[n++] = *p;
		}
	}
	out[n] = '\0';
	return gs_str_make(out, n);
}

static void take_option(struct job *job, const char *name, const char *number) {
	struct gs_transform_options *o = &job->options;
	uint64_t value = strtoull(number, NULL, 10);
	struct {
		const char *name;
		uint64_t *limit;
		bool *flag;
	} options[] = {{"sample_limit", &o->sample_limit, NULL}, {"label_limit", &o->label_limit, NULL},
	    {"label_name_length_limit", &o->label_name_length_limit, NULL},
	    {"label_value_length_limit", &o->label_value_length_limit, NULL}, {"honor_labels", NULL, &o->honor_labels},
	    {"honor_timestamps", NULL, &o->honor_timestamps}};
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (strcmp(options[i].name, name) != 0)
			continue;
		if (options[i].limit != NULL)
			*options[i].limit = value;
		else
			*options[i].flag = value != 0;
		return;
	}
	demand(false, "bad option");
}

static void take_rule(struct job *job, char **words, size_t n) {
	const char **source = gs_arena_alloc(job->arena, WORDS * sizeof(*source));
	size_t action = 0, count = sizeof(actions) / sizeof(actions[0]);
	demand(n >= 7 && source != NULL && job->options.nrelabel < ITEMS, "bad rule");
	while (action < count && strcmp(actions[action], words[1]) != 0)
		action++;
	demand(action < count, "bad action");
	for (size_t i = 7; i < n; i++)
		source[i - 7] = text_of(job, words[i]).p;
	job->rules[job->options.nrelabel++] = (struct gs_relabel_rule){.action = (enum gs_relabel_action)action,
	    .separator = text_of(job, words[2]).p,
	    .regex = text_of(job, words[3]).p,
	    .modulus = strtoull(words[4], NULL, 10),
	    .target_label = text_of(job, words[5]).p,
	    .replacement = text_of(job, words[6]).p,
	    .source_labels = source,
	    .nsource_labels = n - 7};
}

static enum gs_status scrape(struct job *job, struct gs_expo_parser *parser, const struct gs_expo_options *format,
    struct gs_str body, struct gs_buf *out, struct gs_transform_result *result, struct gs_error *err) {
	struct gs_transform *transform = NULL;
	struct gs_expo_event event = {0};
	enum gs_status status = gs_transform_new(&job->options, &transform, err);
	if (status != GS_OK)
		return status;
	gs_transform_begin(transform, job->labels, job->nlabels, 1, format, out);
	gs_transform_window(transform, 0, body);
	gs_expo_begin(parser, format);
	gs_expo_feed(parser, body, true);
	do {
		status = gs_expo_next(parser, &event, err);
		if (status == GS_OK)
			status = gs_transform_event(transform, &event, err);
	} while (status == GS_OK && event.kind != GS_EXPO_END);
	enum gs_status ended = gs_transform_end(transform, status == GS_OK, result, err);
	if (status == GS_OK && ended == GS_OK && gs_transform_copies(transform))
		gs_buf_str(out, body);
	gs_transform_free(transform);
	return status != GS_OK ? status : ended;
}

/* What a receiver makes of the text. */
static void store(struct job *job, struct gs_expo_parser *parser, const struct gs_transform_result *result,
    struct gs_str text, struct gs_buf *ret) {
	struct gs_store *kept = gs_store_new(&(struct gs_store_options){0});
	struct gs_batch *batch = gs_batch_new();
	struct gs_store_result stored;
	struct gs_str after = {0};
	struct gs_error err = {0};
	struct gs_batch_options options = {.labels = job->labels,
	    .nlabels = job->nlabels,
	    .rule = result->honor_labels ? GS_LABELS_HONOR : GS_LABELS_EXPORT,
	    .lenient = true};
	struct gs_expo_options format = {
	    .format = result->format, .utf8_names = result->utf8_names, .lines_only = true};
	struct gs_scrape_info info = {
	    .key = {GS_STR("p"), GS_STR("j"), GS_STR("i")}, .time_ms = NOW, .interval_ms = 1000};
	struct gs_expo_dialect dialect = {.format = GS_FORMAT_TEXT, .escaping = GS_ESCAPE_VALUES};
	demand(kept != NULL && batch != NULL, "out of memory");
	gs_batch_begin(batch, &options);
	demand(gs_batch_read(batch, parser, &format, text, &err) == GS_OK, err.text);
	demand(gs_store_scrape(kept, &info, batch, NOW, &stored) == GS_OK, "the store refuses it");
	while (gs_store_render_next(kept, &after, NOW, dialect, ret))
		continue;
	gs_batch_free(batch);
	gs_store_free(kept);
}

static void run(struct job *job, struct gs_expo_parser *parser, const char *name, struct gs_str body) {
	struct gs_expo_options format = {
	    .format = strcmp(name, "openmetrics") == 0 ? GS_FORMAT_OPENMETRICS : GS_FORMAT_TEXT};
	struct gs_transform_result result = {0};
	struct gs_error err = {0};
	struct gs_buf sent, stored, out;
	struct gs_json json;
	gs_buf_init(&sent, LINE_BYTES);
	gs_buf_init(&stored, LINE_BYTES);
	gs_buf_init(&out, LINE_BYTES);
	enum gs_status status = scrape(job, parser, &format, body, &sent, &result, &err);
	if (status == GS_OK)
		store(job, parser, &result, gs_buf_slice(&sent), &stored);
	gs_json_init(&json, &out);
	gs_json_open(&json, '{');
	gs_json_key(&json, GS_STR("error"));
	gs_json_str(&json, status == GS_OK ? GS_STR("") : gs_str_of(err.text));
	gs_json_key(&json, GS_STR("samples"));
	gs_json_u64(&json, result.samples);
	gs_json_key(&json, GS_STR("kept"));
	gs_json_u64(&json, result.kept);
	gs_json_key(&json, GS_STR("stored"));
	gs_json_str(&json, gs_buf_slice(&stored));
	gs_json_close(&json, '}');
	demand(out.status == GS_OK && stored.status == GS_OK, "the answer is too long");
	printf("%.*s\n", GS_FMT(gs_buf_slice(&out)));
	gs_buf_free(&sent);
	gs_buf_free(&stored);
	gs_buf_free(&out);
}

static void begin(struct job *job) {
	gs_arena_clear(job->arena);
	job->options = (struct gs_transform_options){.relabel = job->rules, .honor_timestamps = true};
	job->nlabels = 0;
}

static void take_line(struct job *job, struct gs_expo_parser *parser, char *line) {
	char *words[WORDS + 1] = {0};
	size_t n = 0;
	line[strcspn(line, "\n")] = '\0';
	for (char *p = line; p != NULL && n < WORDS; n++) {
		words[n] = p;
		p = strchr(p, ' ');
		if (p != NULL)
			*p++ = '\0';
	}
	if (strcmp(words[0], "label") == 0 && n == 3 && job->nlabels < ITEMS) {
		job->labels[job->nlabels++] = (struct gs_label){text_of(job, words[1]), text_of(job, words[2])};
	} else if (strcmp(words[0], "option") == 0 && n == 3) {
		take_option(job, words[1], words[2]);
	} else if (strcmp(words[0], "rule") == 0) {
		take_rule(job, words, n);
	} else if (strcmp(words[0], "body") == 0 && n == 3) {
		run(job, parser, words[1], text_of(job, words[2]));
		begin(job);
	} else {
		demand(false, "bad line");
	}
}

int main(void) {
	static char line[LINE_BYTES];
	static struct job job;
	struct gs_expo_parser *parser = gs_expo_parser_new();
	job.arena = gs_arena_new(SIZE_MAX / 2);
	demand(parser != NULL && job.arena != NULL, "out of memory");
	begin(&job);
	while (fgets(line, sizeof(line), stdin) != NULL)
		take_line(&job, parser, line);
	gs_arena_free(job.arena);
	gs_expo_parser_free(parser);
	return 0;
}
