/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_TESTS_UNIT_DISCOVERY_SHOW_H
#define GRAVEL_TESTS_UNIT_DISCOVERY_SHOW_H

/* Targets as a text: "{a="b",c="d"} {...}", sorted by their texts. */

#include <stdlib.h>
#include <string.h>

#include "gravel/base/buf.h"
#include "gravel/discovery/discovery.h"

static int show_compare(const void *a, const void *b) {
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static inline void show_one(struct gs_buf *out, const struct gs_discovered *target) {
	gs_buf_char(out, '{');
	for (size_t i = 0; i < target->nlabels; i++)
		gs_buf_printf(out, "%s%.*s=\"%.*s\"", i != 0 ? "," : "", GS_FMT(target->labels[i].name),
		    GS_FMT(target->labels[i].value));
	gs_buf_char(out, '}');
	gs_buf_char(out, '\0');
}

/* To be freed with free(). */
static inline char *show(const struct gs_discovered *targets, size_t n) {
	char **texts = calloc(n + 1, sizeof(*texts));
	size_t bytes = 1;
	for (size_t i = 0; i < n; i++) {
		struct gs_buf out;
		gs_buf_init(&out, (size_t)1 << 20);
		show_one(&out, &targets[i]);
		texts[i] = strdup(out.p);
		bytes += out.n + 1;
		gs_buf_free(&out);
	}
	qsort(texts, n, sizeof(*texts), show_compare);
	char *all = calloc(1, bytes);
	size_t at = 0;
	for (size_t i = 0; i < n; i++) {
		if (i != 0)
			all[at++] = ' ';
		memcpy(all + at, texts[i], strlen(texts[i]));
		at += strlen(texts[i]);
		free(texts[i]);
	}
	free(texts);
	return all;
}

#endif
