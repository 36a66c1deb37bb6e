/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What relabelling makes of targets, for tests in other languages. Standard input holds jobs of one target each, as lines of words with a blank between
 * them; texts begin with "=" and have bytes outside of letters and digits as %XX:
 *
 *   job =name =scheme =path INTERVAL_MS TIMEOUT_MS
 *   param =name =value
 *   label =name =value
 *   rule ACTION =separator =regex MODULUS =target =replacement [=source...]
 *   end
 *
 * The answer to each is a line of JSON: {"error": ...}, or {"kept": ..., "discovered": {...}}, and where it was kept "labels", "url", "interval", "timeout".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gravel/base/json.h"
#include "gravel/base/mem.h"
#include "gravel/base/num.h"
#include "gravel/target/target.h"

#define LINE_MAX_BYTES (4 * 1024 * 1024)
#define WORDS 64
#define ITEMS 256

static const char *const actions[] = {"replace", "keep", "drop", "keepequal", "dropequal", "hashmod", "labelmap",
    "labeldrop", "labelkeep", "lowercase", "uppercase"};

struct job {
	struct gs_arena *arena;
	struct gs_target_defaults defaults;
	struct gs_label params[ITEMS];
	struct gs_label labels[ITEMS];
	size_t nlabels;
	struct gs_relabel_rule rules[ITEMS];
	size_t nrules;
};

static void die(const char *what) {
	fprintf(stderr, "gravel-relabel: %s\n", what);
	exit(2);
}

static unsigned digit(char c) {
	const char *digits = "0123456789ABCDEF", *at = c != '\0' ? strchr(digits, c) : NULL;
	if (at == NULL)
		die("bad escape");
	return (unsigned)(at - digits);
}

/* A word with its "=" as text that ends with a NUL; it lives as long as the job. */
static struct gs_str text_of(struct job *job, const char *word) {
	size_t n = 0;
	if (word == NULL || *word != '=')
		die("a text does not begin with =");
	char *out = gs_arena_alloc(job->arena, strlen(word));
	if (out == NULL)
		die("out of memory");
	for (const char *p = word + 1; *p != '\0'; p++) {
		if (*p == '%') {
			out[n++] = (char)(digit(p[1]) << 4 | digit(p[2]));
			p += 2;
		} else {
			out[n++] = *p;
		}
	}
	out[n] = '\0';
	return gs_str_make(out, n);
}

static void take_job(struct job *job, char **words) {
	job->defaults = (struct gs_target_defaults){.job = text_of(job, words[1]),
	    .scheme = text_of(job, words[2]),
	    .metrics_path = text_of(job, words[3]),
	    .params = job->params,
	    .interval_ms = strtoll(words[4], NULL, 10),
	    .timeout_ms = strtoll(words[5], NULL, 10)};
	job->nlabels = job->nrules = 0;
}

static void take_rule(struct job *job, char **words, size_t n) {
	const char **source = gs_arena_alloc(job->arena, WORDS * sizeof(*source));
	struct gs_relabel_rule *rule = &job->rules[job->nrules];
	size_t action = 0;
	if (n < 7 || source == NULL || ++job->nrules == ITEMS)
		die("bad rule");
	while (strcmp(actions[action], words[1]) != 0) {
		if (++action == sizeof(actions) / sizeof(actions[0]))
			die("bad action");
	}
	for (size_t i = 7; i < n; i++)
		source[i - 7] = text_of(job, words[i]).p;
	*rule = (struct gs_relabel_rule){.action = (enum gs_relabel_action)action,
	    .separator = text_of(job, words[2]).p,
	    .regex = text_of(job, words[3]).p,
	    .modulus = strtoull(words[4], NULL, 10),
	    .target_label = text_of(job, words[5]).p,
	    .replacement = text_of(job, words[6]).p,
	    .source_labels = source,
	    .nsource_labels = n - 7};
}

static void put_labels(struct gs_json *json, const char *key, const struct gs_label *labels, size_t n) {
	gs_json_key(json, gs_str_of(key));
	gs_json_open(json, '{');
	for (size_t i = 0; i < n; i++) {
		gs_json_key(json, labels[i].name);
		gs_json_str(json, labels[i].value);
	}
	gs_json_close(json, '}');
}

static void put_target(struct gs_json *json, const struct gs_target *target, bool keep) {
	gs_json_key(json, GS_STR("kept"));
	gs_json_bool(json, keep);
	put_labels(json, "discovered", target->discovered, target->ndiscovered);
	if (!keep)
		return;
	put_labels(json, "labels", target->labels, target->nlabels);
	gs_json_key(json, GS_STR("url"));
	gs_json_str(json, target->url);
	gs_json_key(json, GS_STR("interval"));
	gs_json_u64(json, (uint64_t)target->interval_ms);
	gs_json_key(json, GS_STR("timeout"));
	gs_json_u64(json, (uint64_t)target->timeout_ms);
}

static void run(struct job *job, struct gs_labels *labels) {
	struct gs_error err = {0};
	struct gs_target target;
	struct gs_buf out;
	struct gs_json json;
	bool keep = false;
	enum gs_status status = gs_relabel_new(job->rules, job->nrules, &job->defaults.relabel, &err);
	if (status == GS_OK)
		status = gs_target_build(
		    &job->defaults, job->labels, job->nlabels, labels, job->arena, &target, &keep, &err);
	gs_buf_init(&out, LINE_MAX_BYTES);
	gs_json_init(&json, &out);
	gs_json_open(&json, '{');
	if (status != GS_OK) {
		gs_json_key(&json, GS_STR("error"));
		gs_json_str(&json, gs_str_of(err.text[0] != '\0' ? err.text : gs_status_name(status)));
		gs_json_key(&json, GS_STR("rule"));
		gs_json_u64(&json, err.line);
	} else {
		put_target(&json, &target, keep);
	}
	gs_json_close(&json, '}');
	if (out.status != GS_OK)
		die("the answer is too long");
	printf("%.*s\n", GS_FMT(gs_buf_slice(&out)));
	gs_buf_free(&out);
	gs_relabel_free(job->defaults.relabel);
}

static struct gs_label pair(struct job *job, char **words) {
	return (struct gs_label){.name = text_of(job, words[1]), .value = text_of(job, words[2])};
}

static void take_line(struct job *job, struct gs_labels *labels, char *line) {
	char *words[WORDS + 1] = {0};
	size_t n = 0;
	line[strcspn(line, "\n")] = '\0';
	for (char *p = line; p != NULL && n < WORDS; n++) {
		words[n] = p;
		p = strchr(p, ' ');
		if (p != NULL)
			*p++ = '\0';
	}
	if (strcmp(words[0], "job") == 0 && n == 6) {
		gs_arena_clear(job->arena);
		take_job(job, words);
	} else if (strcmp(words[0], "param") == 0 && n == 3 && job->defaults.nparams < ITEMS) {
		job->params[job->defaults.nparams++] = pair(job, words);
	} else if (strcmp(words[0], "label") == 0 && n == 3 && job->nlabels < ITEMS) {
		job->labels[job->nlabels++] = pair(job, words);
	} else if (strcmp(words[0], "rule") == 0) {
		take_rule(job, words, n);
	} else if (strcmp(words[0], "end") == 0) {
		run(job, labels);
	} else {
		die("bad line");
	}
}

int main(void) {
	static char line[LINE_MAX_BYTES];
	static struct job job;
	struct gs_labels *labels = gs_labels_new();
	job.arena = gs_arena_new(SIZE_MAX / 2);
	if (labels == NULL || job.arena == NULL)
		die("out of memory");
	while (fgets(line, sizeof(line), stdin) != NULL)
		take_line(&job, labels, line);
	gs_labels_free(labels);
	gs_arena_free(job.arena);
	return 0;
}
