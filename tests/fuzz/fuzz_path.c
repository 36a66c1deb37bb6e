/* SPDX-License-Identifier: Apache-2.0 */
/* Paths of pushes, in both dialects: whatever comes, the labels that are read may stand in an exposition, each once. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "gravel/ingest/path.h"

#define SEGMENTS 80

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool condition, const char *what) {
	if (condition)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

static void look(const struct gs_path *path, bool sorted) {
	demand(path->nlabels <= GS_PATH_LABELS_MAX, "too many labels");
	for (size_t i = 0; i < path->nlabels; i++) {
		struct gs_str name = path->labels[i].name;
		demand(gs_expo_is_label_name(name) && !gs_str_starts(name, GS_STR("__")), "a bad name");
		demand(gs_str_is_utf8(path->labels[i].value), "a value that is not UTF-8");
		demand(path->labels[i].value.n <= GS_LIMIT_LABEL_VALUE, "a long value");
		for (size_t j = 0; j < i; j++)
			demand(!gs_str_eq(path->labels[j].name, name), "a name twice");
		demand(!sorted || i == 0 || gs_str_cmp(path->labels[i - 1].name, name) < 0, "not sorted");
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct gs_str segments[SEGMENTS], rest = gs_str_make((const char *)data, size);
	struct gs_arena *arena = gs_arena_new(1 << 20);
	struct gs_error err = {0};
	struct gs_path path;
	int64_t ttl_ms;
	size_t n = 0;
	if (arena == NULL)
		return 0;
	enum gs_status status = gs_path_parse_gateway(rest, arena, &path, &err);
	if (status == GS_OK) {
		look(&path, true);
		demand(path.nlabels != 0, "a group without a job");
	} else {
		demand(err.text[0] != '\0', "no reason");
	}
	for (bool more = rest.n != 0; more && n < SEGMENTS;)
		more = gs_str_cut(rest, '/', &segments[n++], &rest);
	if (gs_path_parse(segments, n, arena, &path, &err) == GS_OK)
		look(&path, false);
	if (gs_path_parse_ttl(gs_str_make((const char *)data, size), &ttl_ms, &err) == GS_OK)
		demand(ttl_ms > 0 && ttl_ms <= GS_LIMIT_TTL_MS, "a time to live out of range");
	gs_arena_free(arena);
	return 0;
}
