/* SPDX-License-Identifier: Apache-2.0 */
/* Comparisons as a whole: options, memory, and random bodies against full parses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "changes.h"
#include "gravel/base/mem.h"
#include "repeat_model.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define LINES 40
#define STEPS 6
#define SEEDS 400

struct pair {
	struct gs_repeat *repeat;
	struct gs_layout *layout;
};

static struct pair pair_new(void) {
	struct pair p = {gs_repeat_new(), gs_layout_new()};
	assert_true(p.repeat != NULL && p.layout != NULL);
	return p;
}

static void pair_free(struct pair *p) {
	gs_repeat_free(p->repeat);
	gs_layout_free(p->layout);
}

static void test_protobuf_is_not_compared(void **state) {
	struct gs_expo_options options = {.format = GS_FORMAT_PROTOBUF};
	struct pair p = pair_new();
	struct gs_error err = {0};
	(void)state;
	assert_int_equal(
	    dump_changes(p.repeat, p.layout, (struct gs_str){0}, GS_STR("x"), &options, NULL, &err), GS_EUNSUPPORTED);
	assert_string_equal(err.text, "scrapes in protobuf are not compared");
	learn(p.repeat, p.layout, "a 1\n", NULL);
	assert_int_equal(gs_layout_samples(p.layout), 1);
	pair_free(&p);
	gs_repeat_free(NULL);
}

static void test_another_format_is_another_body(void **state) {
	static const char body[] = "# TYPE a gauge\na 1\n# EOF\n";
	struct gs_expo_options text = {.format = GS_FORMAT_TEXT}, strict = {.format = GS_FORMAT_OPENMETRICS},
			       quoted = {.format = GS_FORMAT_OPENMETRICS, .utf8_names = true};
	const struct gs_expo_options *const steps[] = {&strict, &text, &strict, &quoted};
	struct pair p = pair_new();
	struct gs_buf out;
	struct gs_error err = {0};
	(void)state;
	gs_buf_init(&out, 1 << 20);
	learn(p.repeat, p.layout, body, &text);
	for (size_t i = 0; i < COUNT(steps); i++) {
		gs_buf_clear(&out);
		assert_int_equal(
		    dump_changes(p.repeat, p.layout, gs_str_of(body), gs_str_of(body), steps[i], &out, &err), GS_OK);
		gs_buf_char(&out, '\0');
		assert_string_equal(out.p, "R 0;M T a gauge;A 0 S a 1;");
	}
	gs_buf_free(&out);
	pair_free(&p);
}

static void test_too_many_samples(void **state) {
	static const char *const bodies[] = {
	    "a 1\nb 1\nc 1\n", "a 2\nb 2\nc 2\n", "x 1\na 1\nb 1\n", "a 1\nb 1\nx 1\n"};
	struct gs_expo_options options = {.format = GS_FORMAT_TEXT};
	(void)state;
	for (size_t i = 0; i < COUNT(bodies); i++) {
		for (size_t max = 1; max <= 3; max++) {
			struct pair p = pair_new();
			struct gs_error err = {0};
			options.max_samples = 0;
			learn(p.repeat, p.layout, bodies[0], &options);
			options.max_samples = max;
			enum gs_status status = dump_changes(
			    p.repeat, p.layout, gs_str_of(bodies[0]), gs_str_of(bodies[i]), &options, NULL, &err);
			assert_int_equal(status, max < 3 ? GS_ELIMIT : GS_OK);
			if (max < 3) {
				assert_int_equal(err.line, max + 1);
				assert_int_equal(err.column, 1);
			}
			pair_free(&p);
		}
	}
}

/* A sample's line does not depend on the body that it came from, so a layout may be used by any comparison. */
static void test_many_layouts_one_comparison(void **state) {
	struct gs_repeat *repeat = gs_repeat_new();
	struct gs_layout *layouts[20];
	struct gs_buf bodies[COUNT(layouts)], out;
	struct gs_error err = {0};
	(void)state;
	assert_non_null(repeat);
	gs_buf_init(&out, 1 << 20);
	for (size_t i = 0; i < COUNT(layouts); i++) {
		layouts[i] = gs_layout_new();
		assert_non_null(layouts[i]);
		gs_buf_init(&bodies[i], 1 << 20);
		for (size_t j = 0; j < (i % 5) * 100 + 1; j++)
			gs_buf_printf(&bodies[i], "a%zu{b=\"%zu\"} %zu\n", i, j, j);
		gs_buf_char(&bodies[i], '\0');
		learn(repeat, layouts[i], bodies[i].p, NULL);
	}
	for (size_t i = 0; i < COUNT(layouts); i++) {
		struct gs_str body = gs_str_of(bodies[i].p);
		assert_int_equal(dump_changes(repeat, layouts[i], body, body, NULL, &out, &err), GS_OK);
		assert_int_equal(out.n, 0);
		assert_int_equal(gs_layout_samples(layouts[i]), (i % 5) * 100 + 1);
		assert_true(gs_layout_memory(layouts[i]) <= 200 + 8 * gs_layout_samples(layouts[i]));
		gs_layout_free(layouts[i]);
		gs_buf_free(&bodies[i]);
	}
	gs_buf_free(&out);
	gs_repeat_free(repeat);
}

/* Memory fails at each place in turn: the layout stays, and the next comparison is as it would have been. */
static void test_without_memory(void **state) {
	struct gs_buf previous, next;
	size_t failures = 0;
	(void)state;
	gs_buf_init(&previous, 1 << 20);
	gs_buf_init(&next, 1 << 20);
	for (size_t i = 0; i < 300; i++) {
		gs_buf_printf(&previous, "a{n=\"%zu\"} 1\n", i);
		gs_buf_printf(&next, "%c{n=\"%zu\"} 1\n", i % 100 < 50 ? 'b' : 'a', i);
	}
	for (bool failed = true; failed; failures++) {
		struct pair p = pair_new();
		struct gs_error err = {0};
		struct gs_str a = gs_buf_slice(&previous), b = gs_buf_slice(&next);
		assert_int_equal(dump_changes(p.repeat, p.layout, (struct gs_str){0}, a, NULL, NULL, &err), GS_OK);
		/* Another one, which has no memory yet. */
		struct gs_repeat *fresh = gs_repeat_new();
		assert_non_null(fresh);
		gs_mem_fail_after((int64_t)failures);
		enum gs_status status = dump_changes(fresh, p.layout, a, b, NULL, NULL, &err);
		failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		assert_int_equal(status, failed ? GS_ENOMEM : GS_OK);
		if (failed) {
			assert_string_equal(err.text, "out of memory while comparing two scrapes");
			assert_int_equal(gs_layout_samples(p.layout), 300);
			assert_int_equal(dump_changes(fresh, p.layout, a, b, NULL, NULL, &err), GS_OK);
		}
		gs_repeat_free(fresh);
		pair_free(&p);
	}
	assert_true(failures >= 5);
	gs_buf_free(&previous);
	gs_buf_free(&next);
}

static void test_new_without_memory(void **state) {
	size_t failures = 0;
	(void)state;
	for (bool failed = true; failed; failures++) {
		gs_mem_fail_after((int64_t)failures);
		struct gs_repeat *repeat = gs_repeat_new();
		failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		assert_true((repeat == NULL) == failed);
		gs_repeat_free(repeat);
	}
	assert_true(failures >= 3);
}

/* Random bodies. */

static uint64_t random_state;

static size_t below(size_t n) {
	random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (size_t)(random_state >> 33) % n;
}

#define PICK(words) words[below(COUNT(words))]

/* A line that may stand in many places of a text body. */
static void random_line(char *out, size_t size) {
	static const char *const types[] = {"gauge", "counter", "histogram", "summary", "untyped"};
	static const char *const values[] = {
	    "0", "1", "2", "-3.5", "17", "123456789", "1e9", "NaN", "+Inf", "0.1", ".5"};
	static const char *const tails[] = {
	    "", "", "", "", "", " ", " 5", " 1700000000000", " # {t=\"u\"} 1", " 7 # {} 2"};
	static const char *const odd[] = {"", "# comment", "# another", "#", "# HELP a.b c", "\t"};
	static const char *const bad[] = {"x", "a{", "a 1 b", "# TYPE a nonsense", "{", "a{b=\"c\"} 0x1"};
	static const char *const parts[] = {"", "", "_bucket{le=\"1\"}", "_bucket{le=\"+Inf\"}", "_sum", "_count"};
	size_t kind = below(100);
	char name = (char)('a' + below(4));
	if (kind < 50)
		snprintf(out, size, "%c{n=\"%zu\"} %s%s", name, below(8), PICK(values), PICK(tails));
	else if (kind < 70)
		snprintf(out, size, "%c%s %s%s", name, PICK(parts), PICK(values), PICK(tails));
	else if (kind < 82)
		snprintf(out, size, "# TYPE %c %s", name, PICK(types));
	else if (kind < 90)
		snprintf(out, size, "# HELP %c text %zu", name, below(2));
	else
		snprintf(out, size, "%s", kind != 99 || below(4) != 0 ? PICK(odd) : PICK(bad));
}

struct soup {
	char lines[LINES * 2][64];
	size_t n;
};

static void soup_insert(struct soup *s, size_t at) {
	if (s->n == COUNT(s->lines))
		return;
	memmove(s->lines[at + 1], s->lines[at], (s->n - at) * sizeof(s->lines[0]));
	random_line(s->lines[at], sizeof(s->lines[0]));
	s->n++;
}

static void soup_remove(struct soup *s, size_t at, size_t n) {
	if (at + n > s->n)
		n = s->n - at;
	memmove(s->lines[at], s->lines[at + n], (s->n - at - n) * sizeof(s->lines[0]));
	s->n -= n;
}

/* Give the sample another value. */
static void soup_change(struct soup *s, size_t at) {
	char *blank = strrchr(s->lines[at], ' ');
	if (s->lines[at][0] != '#' && blank != NULL)
		snprintf(blank + 1, 20, "%zu", below(1000));
}

static void soup_step(struct soup *s) {
	for (size_t edits = below(6); edits > 0 && s->n > 1; edits--) {
		size_t at = below(s->n), kind = below(10);
		if (kind < 6)
			soup_change(s, at);
		else if (kind < 8)
			soup_insert(s, at);
		else
			soup_remove(s, at, 1 + below(4));
	}
}

static void soup_write(const struct soup *s, bool openmetrics, struct gs_buf *out) {
	const char *end = !openmetrics && below(8) == 0 ? "\r\n" : "\n";
	gs_buf_clear(out);
	for (size_t i = 0; i < s->n; i++) {
		gs_buf_cstr(out, s->lines[i]);
		gs_buf_cstr(out, end);
	}
	if (openmetrics)
		gs_buf_cstr(out, "# EOF\n");
	else if (out->n != 0 && below(4) == 0)
		out->n--;
}

/* The sums over all comparisons, so that it is seen what they were like. */
static struct model_result total;
static size_t refused;

static void add_result(const struct model_result *result) {
	total.changed += result->changed;
	total.added += result->added;
	total.removed += result->removed;
	total.metas += result->metas;
	total.kept += result->kept;
	refused += result->status != GS_OK;
}

static void compare_soups(uint64_t seed, const struct gs_expo_options *options, struct gs_expo_parser *parser) {
	struct pair p = pair_new();
	struct gs_buf bodies[2];
	struct soup soup = {.n = 0};
	struct gs_str previous = {0};
	random_state = seed;
	gs_buf_init(&bodies[0], 1 << 20);
	gs_buf_init(&bodies[1], 1 << 20);
	for (size_t i = below(LINES); i > 0; i--)
		soup_insert(&soup, below(soup.n + 1));
	for (size_t i = 0, turn = 0; i < STEPS; i++) {
		soup_write(&soup, options->format == GS_FORMAT_OPENMETRICS, &bodies[turn]);
		struct gs_str next = gs_buf_slice(&bodies[turn]);
		struct model_result result = model_compare(p.repeat, p.layout, parser, previous, next, options);
		add_result(&result);
		if (result.status == GS_OK) {
			previous = next;
			turn = !turn;
		}
		soup_step(&soup);
	}
	gs_buf_free(&bodies[0]);
	gs_buf_free(&bodies[1]);
	pair_free(&p);
}

static void test_random_lines(void **state) {
	struct gs_expo_parser *parser = gs_expo_parser_new();
	(void)state;
	assert_non_null(parser);
	total = (struct model_result){0};
	refused = 0;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct gs_expo_options options = {.max_samples = seed % 10 == 0 ? 12 : 0};
		compare_soups(seed, &options, parser);
	}
	assert_true(total.changed > SEEDS && total.added > SEEDS && total.removed > SEEDS);
	assert_true(total.kept > 2 * total.changed && total.metas > SEEDS);
	assert_true(refused > SEEDS / 20 && refused < SEEDS * STEPS / 2);
	gs_expo_parser_free(parser);
}

/* Random OpenMetrics, in order but for a mistake here and there. */

struct family {
	size_t number;
	size_t type;
	size_t help;
	size_t n;
	size_t metrics[6]; /* each the number of its labels */
	size_t values[6];
};

static void family_init(struct family *f, size_t number) {
	*f = (struct family){.number = number, .type = below(5), .help = below(3), .n = 1 + below(5)};
	for (size_t i = 0; i < f->n; i++) {
		f->metrics[i] = i * 3 + below(3);
		f->values[i] = below(1000);
	}
}

static void write_histogram(const struct family *f, size_t i, struct gs_buf *out) {
	size_t v = f->values[i], n = f->number, m = f->metrics[i];
	const char *exemplar = v % 7 == 0 ? " # {t=\"u\"} 0.5" : "";
	gs_buf_printf(out, "f%zu_bucket{m=\"%zu\",le=\"1\"} %zu%s\n", n, m, below(60) == 0 ? v + 1 : v / 2, exemplar);
	gs_buf_printf(out, "f%zu_bucket{m=\"%zu\",le=\"+Inf\"} %zu\n", n, m, v);
	gs_buf_printf(out, "f%zu_sum{m=\"%zu\"} %zu.5\n", n, m, v);
	gs_buf_printf(out, "f%zu_count{m=\"%zu\"} %zu\n", n, m, below(60) == 0 ? v + 1 : v);
}

static void write_metric(const struct family *f, size_t i, struct gs_buf *out) {
	size_t v = f->values[i], n = f->number, m = f->metrics[i];
	switch (f->type) {
	case 0:
		gs_buf_printf(out, "f%zu{m=\"%zu\"} %s%zu\n", n, m, v % 5 == 0 ? "-" : "", v);
		if (v % 11 == 0)
			gs_buf_printf(out, "f%zu{m=\"%zu\",at=\"1\"} 1 %zu\nf%zu{m=\"%zu\",at=\"1\"} 1 %zu\n", n, m, v,
			    n, m, v + below(20));
		break;
	case 1:
		gs_buf_printf(out, "f%zu_total{m=\"%zu\"} %s%zu\n", n, m, below(60) == 0 ? "-" : "", v);
		if (v % 3 == 0)
			gs_buf_printf(out, "f%zu_created{m=\"%zu\"} 1700000000.5\n", n, m);
		break;
	case 2:
		write_histogram(f, i, out);
		break;
	case 3:
		gs_buf_printf(out, "f%zu{m=\"%zu\",quantile=\"0.5\"} %zu.25\n", n, m, v);
		gs_buf_printf(out, "f%zu_sum{m=\"%zu\"} %zu\nf%zu_count{m=\"%zu\"} %zu\n", n, m, v, n, m, v);
		break;
	default:
		gs_buf_printf(out, "f%zu{m=\"%zu\"} NaN\n", n, m);
	}
}

static void write_families(const struct family *families, size_t n, struct gs_buf *out) {
	static const char *const words[] = {"gauge", "counter", "histogram", "summary", "unknown"};
	gs_buf_clear(out);
	for (size_t i = 0; i < n; i++) {
		const struct family *f = &families[i];
		if (f->help == 1)
			gs_buf_printf(out, "# HELP f%zu some text\n", f->number);
		if (f->type != 4 || f->help != 0)
			gs_buf_printf(out, "# TYPE f%zu %s\n", f->number, words[f->type]);
		if (f->help == 2)
			gs_buf_printf(out, "# HELP f%zu other text\n", f->number);
		for (size_t j = 0; j < f->n; j++)
			write_metric(f, j, out);
		if (below(150) == 0)
			gs_buf_printf(out, "f%zu{m=\"0\"} 1\n", below(12));
	}
	gs_buf_cstr(out, "# EOF\n");
}

static void step_families(struct family *families, size_t *n, size_t *next) {
	for (size_t i = 0; i < *n; i++) {
		struct family *f = &families[i];
		size_t kind = below(20);
		if (kind < 8)
			f->values[below(f->n)] = below(1000);
		else if (kind == 8 && f->n > 1)
			f->n--;
		else if (kind == 9 && f->n < 6)
			f->metrics[f->n++] = 20 + below(9);
		else if (kind == 10)
			f->help = below(3);
		else if (kind == 11 && below(3) == 0)
			f->type = below(5);
		else if (kind == 12 && *n > 1)
			families[i] = families[--*n];
	}
	if (*n < 8 && below(2) == 0) {
		memmove(&families[1], families, *n * sizeof(families[0]));
		family_init(&families[0], (*next)++);
		(*n)++;
	}
}

static void compare_families(uint64_t seed, struct gs_expo_parser *parser) {
	struct gs_expo_options options = {.format = GS_FORMAT_OPENMETRICS};
	struct pair p = pair_new();
	struct gs_buf bodies[2];
	struct gs_str previous = {0};
	struct family families[9];
	size_t n = 0, number = 0;
	random_state = seed;
	gs_buf_init(&bodies[0], 1 << 20);
	gs_buf_init(&bodies[1], 1 << 20);
	while (n < 5)
		family_init(&families[n++], number++);
	for (size_t i = 0, turn = 0; i < STEPS; i++) {
		write_families(families, n, &bodies[turn]);
		struct gs_str next = gs_buf_slice(&bodies[turn]);
		struct model_result result = model_compare(p.repeat, p.layout, parser, previous, next, &options);
		add_result(&result);
		if (result.status == GS_OK) {
			previous = next;
			turn = !turn;
		}
		step_families(families, &n, &number);
	}
	gs_buf_free(&bodies[0]);
	gs_buf_free(&bodies[1]);
	pair_free(&p);
}

static void test_random_families(void **state) {
	struct gs_expo_parser *parser = gs_expo_parser_new();
	(void)state;
	assert_non_null(parser);
	total = (struct model_result){0};
	refused = 0;
	for (uint64_t seed = 1; seed <= SEEDS; seed++)
		compare_families(seed, parser);
	assert_true(total.changed > SEEDS && total.added > SEEDS && total.removed > SEEDS);
	assert_true(total.kept > 2 * total.changed && total.metas > SEEDS);
	assert_true(refused < SEEDS * STEPS / 2);
	gs_expo_parser_free(parser);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_protobuf_is_not_compared),
	    cmocka_unit_test(test_another_format_is_another_body),
	    cmocka_unit_test(test_too_many_samples),
	    cmocka_unit_test(test_many_layouts_one_comparison),
	    cmocka_unit_test(test_without_memory),
	    cmocka_unit_test(test_new_without_memory),
	    cmocka_unit_test(test_random_lines),
	    cmocka_unit_test(test_random_families),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
