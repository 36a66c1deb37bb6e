/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_TESTS_UNIT_DISCOVERY_SHOW_H
#define GRAVEL_TESTS_UNIT_DISCOVERY_SHOW_H

/* Targets as a text: "{a="b",c="d"} {...}", sorted by their texts. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gravel/discovery/discovery.h"

static int show_compare(const void *a, const void *b) {
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Not with a gs_buf: a test may have ordered that the next allocation of ours fails. To be freed with free(). */
static inline char *show_one(const struct gs_discovered *target) {
	char *text = NULL;
	size_t n;
	FILE *out = open_memstream(&text, &n);
	fputc('{', out);
	for (size_t i = 0; i < target->nlabels; i++)
		fprintf(out, "%s%.*s=\"%.*s\"", i != 0 ? "," : "", GS_FMT(target->labels[i].name),
		    GS_FMT(target->labels[i].value));
	fputc('}', out);
	fclose(out);
	return text;
}

/* To be freed with free(). */
static inline char *show(const struct gs_discovered *targets, size_t n) {
	char **texts = calloc(n + 1, sizeof(*texts)), *all = NULL;
	size_t bytes;
	FILE *out = open_memstream(&all, &bytes);
	for (size_t i = 0; i < n; i++)
		texts[i] = show_one(&targets[i]);
	qsort(texts, n, sizeof(*texts), show_compare);
	for (size_t i = 0; i < n; i++) {
		fprintf(out, "%s%s", i != 0 ? " " : "", texts[i]);
		free(texts[i]);
	}
	fclose(out);
	free(texts);
	return all;
}

#endif
