/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "gravel/base/limits.h"
#include "gravel/relabel/relabel.h"

#define WORDS 64
#define RULES 4
#define ACTIONS 11

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is left to read; it is cut into lines that end with NUL. */
struct words {
	char *p;
	char *end;
};

static char *next(struct words *words) {
	char *word = words->p;
	while (words->p < words->end && *words->p != '\n')
		words->p++;
	if (words->p < words->end)
		*words->p++ = '\0';
	return word;
}

static void check(struct gs_labels *labels) {
	size_t n;
	const struct gs_label *items = gs_labels_sorted(labels, &n);
	assert(n <= GS_LIMIT_LABELS);
	for (size_t i = 0; i < n; i++) {
		assert(items[i].value.n != 0 && items[i].value.n <= GS_LIMIT_LABEL_VALUE &&
		       items[i].name.n <= GS_LIMIT_NAME);
		assert(i == 0 || gs_str_cmp(items[i - 1].name, items[i].name) < 0);
		assert(gs_str_eq(gs_labels_get(labels, items[i].name), items[i].value));
	}
}

static void run(struct words *words, struct gs_relabel *relabel) {
	struct gs_labels *labels = gs_labels_new();
	assert(labels != NULL);
	while (words->p < words->end) {
		struct gs_str name = gs_str_of(next(words));
		enum gs_status status = gs_labels_put(labels, name, gs_str_of(next(words)));
		assert(status == GS_OK || status == GS_ELIMIT);
	}
	for (int turn = 0; turn < 2; turn++) {
		bool keep;
		enum gs_status status = gs_relabel_apply(relabel, labels, &keep);
		assert(status == GS_OK || status == GS_ELIMIT);
		check(labels);
	}
	gs_labels_free(labels);
}

/* Rules, a line for each member, the first of them the action as a letter; then labels, a line for name and value each. A rule is refused with its number, or
 * the labels are distinct, sorted, not empty and within their limits however often the rules are applied. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct gs_relabel_rule rules[RULES] = {0};
	const char *source[RULES][2];
	struct gs_relabel *relabel = NULL;
	struct gs_error err = {0};
	char *text = malloc(size + 1);
	assert(text != NULL);
	if (size != 0)
		memcpy(text, data, size);
	text[size] = '\0';
	struct words words = {.p = text, .end = text + size};
	size_t n = size != 0 ? (unsigned char)next(&words)[0] % (RULES + 1) : 0;
	for (size_t i = 0; i < n; i++) {
		rules[i].action = (enum gs_relabel_action)((unsigned char)next(&words)[0] % ACTIONS);
		source[i][0] = next(&words);
		source[i][1] = next(&words);
		rules[i].source_labels = source[i];
		rules[i].nsource_labels = source[i][0][0] == '\0' ? 0 : source[i][1][0] == '\0' ? 1 : 2;
		rules[i].separator = next(&words);
		rules[i].regex = next(&words);
		rules[i].modulus = (unsigned char)next(&words)[0];
		rules[i].target_label = next(&words);
		rules[i].replacement = next(&words);
	}
	enum gs_status status = gs_relabel_new(rules, n, &relabel, &err);
	if (status == GS_OK)
		run(&words, relabel);
	else
		assert((status == GS_EINVAL || status == GS_ELIMIT) && err.line >= 1 && err.line <= n &&
		       err.text[0] != '\0');
	gs_relabel_free(relabel);
	free(text);
	return 0;
}
