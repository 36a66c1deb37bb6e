/* SPDX-License-Identifier: Apache-2.0 */
/* Customs of Prometheus (its documents "Metric and label naming" and "Writing client libraries"), as promtool warns of them. */
#include "lint.h"

#include <stdarg.h>
#include <stdio.h>

struct warnings {
	const struct gs_check_family *family;
	struct gs_error *list;
	size_t n;
};

__attribute__((format(printf, 2, 3))) static void warn(struct warnings *warnings, const char *fmt, ...) {
	char what[160];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	struct gs_str name = warnings->family->name;
	int shown = name.n < 200 ? (int)name.n : 200;
	gs_error_set(&warnings->list[warnings->n++], GS_OK, warnings->family->line, 0, "%s \"%.*s\" %s",
	    gs_expo_type_name(warnings->family->type), shown, name.p, what);
}

static bool is_camel_case(struct gs_str name) {
	for (size_t i = 1; i < name.n; i++) {
		char before = name.p[i - 1], c = name.p[i];
		if (before >= 'a' && before <= 'z' && c >= 'A' && c <= 'Z')
			return true;
	}
	return false;
}

/* Endings that Prometheus itself adds to the names of histograms and summaries. */
static void lint_endings(struct warnings *warnings) {
	static const struct gs_str endings[] = {GS_STR_INIT("_bucket"), GS_STR_INIT("_count"), GS_STR_INIT("_sum")};
	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		if (gs_str_ends(warnings->family->name, endings[i]))
			warn(warnings, "ends in \"%s\" like a part of a histogram or summary", endings[i].p);
	}
}

static void lint_total(struct warnings *warnings, enum gs_expo_format format) {
	const struct gs_check_family *family = warnings->family;
	bool total = gs_str_ends(family->name, GS_STR("_total"));
	/* In OpenMetrics the family has the name without it, and its samples must have it. */
	if (family->type == GS_TYPE_COUNTER && !total && format != GS_FORMAT_OPENMETRICS)
		warn(warnings, "does not end in \"_total\"");
	if (family->type != GS_TYPE_COUNTER && total)
		warn(warnings, "ends in \"_total\" like a counter");
}

size_t gs_check_lint(
    const struct gs_check_family *family, enum gs_expo_format format, struct gs_error ret[GS_CHECK_LINT_MAX]) {
	struct warnings warnings = {.family = family, .list = ret};
	if (!family->has_help)
		warn(&warnings, "has no HELP");
	if (!family->has_type)
		warn(&warnings, "has no TYPE");
	if (family->type != GS_TYPE_UNTYPED) {
		lint_total(&warnings, format);
		lint_endings(&warnings);
	}
	if (family->name.n != 0 && memchr(family->name.p, ':', family->name.n) != NULL)
		warn(&warnings, "has a ':' in its name, which is kept for recording rules");
	if (is_camel_case(family->name))
		warn(&warnings, "is camelCase, not snake_case");
	return warnings.n;
}
