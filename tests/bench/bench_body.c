/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the made-up exposition of model.h to stdout: material for benches, fuzzers and tools. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"

#define BODY_MAX ((size_t)4 << 30)

static void usage(void) {
	fputs("usage: bench_body [--series N] [--family N] [--format text|openmetrics|created] [--steps N] [--changed "
	      "SHARE] "
	      "[--churn SHARE]\n"
	      "  N series (100000), in families of N or as a large application has them, as they are after some steps "
	      "(0), each with SHARE (0.1) of the values changed and\n"
	      "  SHARE (0) of the metrics replaced by others; \"created\" is OpenMetrics with _created\n",
	    stderr);
	exit(2);
}

static enum bench_model_format read_format(const char *word) {
	if (strcmp(word, "openmetrics") == 0) {
		return BENCH_MODEL_OPENMETRICS;
	}
	if (strcmp(word, "created") == 0) {
		return BENCH_MODEL_OPENMETRICS_CREATED;
	}
	if (strcmp(word, "text") != 0) {
		usage();
	}
	return BENCH_MODEL_TEXT;
}

struct args {
	size_t series;
	size_t family; /* samples of each at most; 0: the model's choice */
	enum bench_model_format format;
	long steps;
	struct bench_step step;
};

static struct args read_args(int argc, char **argv) {
	static const struct option longs[] = {{"series", required_argument, NULL, 'n'},
	    {"family", required_argument, NULL, 'm'}, {"format", required_argument, NULL, 'f'},
	    {"steps", required_argument, NULL, 's'}, {"changed", required_argument, NULL, 'c'},
	    {"churn", required_argument, NULL, 'u'}, {NULL, 0, NULL, 0}};
	struct args a = {.series = 100000, .step = {.changed = 0.1}};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'n':
			a.series = strtoul(optarg, NULL, 10);
			break;
		case 'm':
			a.family = strtoul(optarg, NULL, 10);
			break;
		case 'f':
			a.format = read_format(optarg);
			break;
		case 's':
			a.steps = strtol(optarg, NULL, 10);
			break;
		case 'c':
			a.step.changed = strtod(optarg, NULL);
			break;
		case 'u':
			a.step.churn = strtod(optarg, NULL);
			break;
		default:
			usage();
		}
	}
	if (optind != argc || a.series == 0) {
		usage();
	}
	return a;
}

int main(int argc, char **argv) {
	struct args a = read_args(argc, argv);
	struct bench_model *model = bench_model_new(a.series, a.family);
	struct gs_buf out;
	int rc = 1;

	gs_buf_init(&out, BODY_MAX);
	if (model != NULL) {
		for (long i = 0; i < a.steps; i++) {
			bench_model_step(model, a.step);
		}
		bench_model_render(model, a.format, &out);
	}
	if (model == NULL || out.status != GS_OK) {
		fputs("bench_body: out of memory\n", stderr);
	} else if (fwrite(out.p, 1, out.n, stdout) == out.n && fflush(stdout) == 0) {
		rc = 0;
	} else {
		perror("bench_body");
	}
	gs_buf_free(&out);
	bench_model_free(model);
	return rc;
}
