/* SPDX-License-Identifier: Apache-2.0 */
#include "problems.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "gravel/base/mem.h"

#define TEXT_MAX 1024

void gs_problems_init(struct gs_problems *problems) {
	*problems = (struct gs_problems){0};
}

void gs_problems_free(struct gs_problems *problems) {
	for (size_t i = 0; i < problems->n; i++)
		gs_free(problems->all[i].text);
	gs_free(problems->all);
	gs_problems_init(problems);
}

static bool make_room(struct gs_problems *problems) {
	struct gs_problem *all = gs_grow_array(problems->all, &problems->cap, problems->n, sizeof(*all));
	if (all == NULL)
		return false;
	problems->all = all;
	return true;
}

static void make_harmless(char *text) {
	bool utf8 = gs_str_is_utf8(gs_str_of(text)); /* not if a quoted word was cut in a letter */
	for (char *c = text; *c != '\0'; c++) {
		unsigned char u = (unsigned char)*c;
		if (u < 0x20 || u == 0x7f || (u >= 0x80 && !utf8))
			*c = '?';
	}
}

__attribute__((format(printf, 3, 0))) static void add(
    struct gs_problems *problems, struct gs_problem problem, const char *fmt, va_list ap) {
	char text[TEXT_MAX];
	if (problem.warning)
		problems->warnings++;
	else
		problems->errors++;
	if (problems->n == GS_PROBLEMS_MAX)
		return;
	vsnprintf(text, sizeof(text), fmt, ap);
	make_harmless(text);
	problem.text = gs_strdup(gs_str_of(text));
	problem.seq = problems->n;
	if (problem.text == NULL || !make_room(problems)) {
		gs_free(problem.text);
		problems->no_memory = true;
		return;
	}
	problems->all[problems->n++] = problem;
}

void gs_problems_error(struct gs_problems *problems, uint32_t line, uint32_t column, const char *fmt, ...) {
	va_list ap;
	va_start(ap, fmt);
	add(problems, (struct gs_problem){.line = line, .column = column}, fmt, ap);
	va_end(ap);
}

void gs_problems_warning(struct gs_problems *problems, uint32_t line, uint32_t column, const char *fmt, ...) {
	va_list ap;
	va_start(ap, fmt);
	add(problems, (struct gs_problem){.line = line, .column = column, .warning = true}, fmt, ap);
	va_end(ap);
}

static int compare(const void *a, const void *b) {
	const struct gs_problem *x = a, *y = b;
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	if (x->column != y->column)
		return x->column < y->column ? -1 : 1;
	return x->seq < y->seq ? -1 : 1;
}

void gs_problems_write(struct gs_problems *problems, const char *file, struct gs_config_report *report) {
	if (problems->n != 0)
		qsort(problems->all, problems->n, sizeof(problems->all[0]), compare);
	for (size_t i = 0; i < problems->n; i++) {
		const struct gs_problem *p = &problems->all[i];
		gs_buf_cstr(&report->text, file);
		if (p->line != 0)
			gs_buf_printf(&report->text, ":%lu:%lu", (unsigned long)p->line, (unsigned long)p->column);
		gs_buf_printf(&report->text, ": %s%s\n", p->warning ? "warning: " : "", p->text);
	}
	size_t all = problems->errors + problems->warnings;
	if (all > problems->n && problems->n != 0)
		gs_buf_printf(&report->text, "%s: and %zu more\n", file, all - problems->n);
	report->errors += problems->errors;
	report->warnings += problems->warnings;
}
