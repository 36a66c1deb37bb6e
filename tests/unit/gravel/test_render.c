/* SPDX-License-Identifier: Apache-2.0 */
/* What is served when names are no classic ones; what is served of values is tested with the values. */
#include "gravel/base/num.h"
#include "rich_test.h"

static const struct gs_store_options plain = {.max_age_ms = 1000};
static const struct gs_expo_dialect values = {.format = GS_FORMAT_TEXT, .escaping = GS_ESCAPE_VALUES};
static const struct gs_expo_dialect utf8 = {.format = GS_FORMAT_TEXT_1, .escaping = GS_ESCAPE_NONE};

static void assert_rendered(struct bench *b, struct gs_expo_dialect dialect, const char *expected) {
	char *text = exposition_in(b, dialect);
	assert_string_equal(text, expected);
	gs_free(text);
}

static const char body[] = "# HELP \"my.requests\" How \"many\".\n"
			   "# TYPE \"my.requests\" counter\n"
			   "{\"my.requests\",\"http.route\"=\"/a\\\"b\",code=\"200\"} 5\n"
			   "# TYPE \"my.time\" histogram\n"
			   "{\"my.time_bucket\",le=\"1\"} 2\n"
			   "{\"my.time_bucket\",le=\"+Inf\"} 3\n"
			   "{\"my.time_sum\"} 4.5\n"
			   "{\"my.time_count\"} 3\n"
			   "# TYPE plain gauge\n"
			   "plain{a=\"1\"} 7\n";

static void test_dialects(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &plain);
	assert_pushed(&b, body);
	assert_rendered(&b, utf8,
	    "# HELP \"my.requests\" How \"many\".\n"
	    "# TYPE \"my.requests\" counter\n"
	    "{\"my.requests\",code=\"200\",\"http.route\"=\"/a\\\"b\"} 5\n"
	    "# TYPE \"my.time\" histogram\n"
	    "{\"my.time_bucket\",le=\"1\"} 2\n"
	    "{\"my.time_bucket\",le=\"+Inf\"} 3\n"
	    "{\"my.time_sum\"} 4.5\n"
	    "{\"my.time_count\"} 3\n"
	    "# TYPE plain gauge\n"
	    "plain{a=\"1\"} 7\n");
	assert_rendered(&b, values,
	    "# HELP U__my_2e_requests How \"many\".\n"
	    "# TYPE U__my_2e_requests counter\n"
	    "U__my_2e_requests{code=\"200\",U__http_2e_route=\"/a\\\"b\"} 5\n"
	    "# TYPE U__my_2e_time histogram\n"
	    "U__my_2e_time_bucket{le=\"1\"} 2\n"
	    "U__my_2e_time_bucket{le=\"+Inf\"} 3\n"
	    "U__my_2e_time_sum 4.5\n"
	    "U__my_2e_time_count 3\n"
	    "# TYPE plain gauge\n"
	    "plain{a=\"1\"} 7\n");
	bench_close(&b);
}

/* No push can make one family or one series of two, whatever it is called. */
static void test_names_that_look_escaped(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &plain);
	assert_pushed(&b, "# TYPE \"a.b\" histogram\n"
			  "{\"a.b_bucket\",le=\"+Inf\"} 1\n"
			  "{\"a.b_sum\"} 2\n"
			  "{\"a.b_count\"} 1\n");
	assert_pushed(&b, "U__a_2e_b 1\nU__a_2e_b_sum 2\n");
	assert_pushed(&b, "{\"m\",\"x.y\"=\"1\"} 1\n{\"m\",U__x_2e_y=\"1\"} 2\n{\"m\",x_y=\"1\"} 3\n");
	assert_rendered(&b, values,
	    "# TYPE U__U____a__2e__b untyped\n"
	    "U__U____a__2e__b 1\n"
	    "# TYPE U__U____a__2e__b__sum untyped\n"
	    "U__U____a__2e__b__sum 2\n"
	    "# TYPE U__a_2e_b histogram\n"
	    "U__a_2e_b_bucket{le=\"+Inf\"} 1\n"
	    "U__a_2e_b_sum 2\n"
	    "U__a_2e_b_count 1\n"
	    "# TYPE m untyped\n"
	    "m{U__x_2e_y=\"1\"} 1\n"
	    "m{U__U____x__2e__y=\"1\"} 2\n"
	    "m{x_y=\"1\"} 3\n");
	bench_close(&b);
}

static void test_one_family(void **state) {
	(void)state;
	struct bench b;
	struct gs_buf out;
	bench_open(&b, &plain);
	gs_buf_init(&out, 10000);
	assert_pushed(&b, body);
	assert_true(gs_store_render_family(b.store, GS_STR("my.requests"), b.now, values, &out));
	assert_false(gs_store_render_family(b.store, GS_STR("U__my_2e_requests"), b.now, values, &out));
	assert_false(gs_store_render_family(b.store, GS_STR("my_requests"), b.now, values, &out));
	gs_buf_char(&out, '\0');
	assert_string_equal(out.p, "# HELP U__my_2e_requests How \"many\".\n"
				   "# TYPE U__my_2e_requests counter\n"
				   "U__my_2e_requests{code=\"200\",U__http_2e_route=\"/a\\\"b\"} 5\n");
	gs_buf_free(&out);
	bench_close(&b);
}

/* Wants the lines whose labels, written down, contain ${ctx}. */
static bool wants(void *ctx, const struct gs_label *labels, size_t n) {
	char text[512];
	size_t at = 0;
	for (size_t i = 0; i < n; i++)
		at += (size_t)snprintf(
		    text + at, sizeof(text) - at, "%.*s=%.*s,", GS_FMT(labels[i].name), GS_FMT(labels[i].value));
	assert_true(gs_str_eq(labels[0].name, GS_STR("__name__")));
	return strstr(text, ctx) != NULL;
}

static void assert_filtered(struct bench *b, const char *family, const char *wanted, const char *expected) {
	struct gs_buf out;
	gs_buf_init(&out, 10000);
	assert_true(gs_store_render_family_if(
	    b->store, gs_str_of(family), b->now, values, wants, (void *)(uintptr_t)wanted, &out));
	gs_buf_char(&out, '\0');
	assert_string_equal(out.p, expected);
	gs_buf_free(&out);
}

static void test_some_lines_of_a_family(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &plain);
	assert_pushed(&b, body);
	assert_pushed(&b, "# TYPE g gauge\ng{x=\"1\",y=\"2\"} 1\ng{x=\"2\"} 2\ng 3\n");
	assert_filtered(&b, "g", "__name__=g,x=1,y=2,", "# TYPE g gauge\ng{x=\"1\",y=\"2\"} 1\n");
	assert_filtered(&b, "g", "x=", "# TYPE g gauge\ng{x=\"1\",y=\"2\"} 1\ng{x=\"2\"} 2\n");
	assert_filtered(&b, "g", "z=", "");
	assert_filtered(&b, "my.time", "__name__=my.time_bucket,le=1,",
	    "# TYPE U__my_2e_time histogram\nU__my_2e_time_bucket{le=\"1\"} 2\n");
	assert_filtered(
	    &b, "my.time", "__name__=my.time_count,", "# TYPE U__my_2e_time histogram\nU__my_2e_time_count 3\n");
	assert_filtered(&b, "my.requests", "http.route=/a\"b,",
	    "# HELP U__my_2e_requests How \"many\".\n# TYPE U__my_2e_requests counter\n"
	    "U__my_2e_requests{code=\"200\",U__http_2e_route=\"/a\\\"b\"} 5\n");
	assert_false(gs_store_render_family_if(b.store, GS_STR("my"), b.now, values, wants, NULL, NULL));
	bench_close(&b);
}

/* Scraped by another of us, an exposition is the same again. */
static void test_round_trip(void **state) {
	(void)state;
	struct bench b, c;
	bench_open(&b, &plain);
	bench_open(&c, &plain);
	assert_pushed(&b, body);
	char *text = exposition_in(&b, utf8);
	assert_pushed(&c, text);
	assert_rendered(&c, utf8, text);
	gs_free(text);
	bench_close(&b);
	bench_close(&c);
}

#define PARTED 5000

/* All parts of family "m"; after each ${change} may change the store. */
static struct gs_buf render_parts(struct bench *b, void (*change)(struct bench *b, uint32_t part)) {
	struct gs_family_place place = {0};
	struct gs_buf out;
	gs_buf_init(&out, SIZE_MAX);
	while (gs_store_render_part(b->store, GS_STR("m"), &place, b->now, values, &out)) {
		assert_true(out.n < 200000);
		if (change != NULL)
			change(b, place.part);
	}
	gs_family_place_close(&place);
	gs_buf_char(&out, '\0');
	return out;
}

static void open_parted(struct bench *b) {
	char line[64];
	struct gs_buf pushed;
	bench_open(b, &plain);
	gs_buf_init(&pushed, SIZE_MAX);
	gs_buf_cstr(&pushed, "# HELP m Many.\n# TYPE m gauge\n");
	for (int i = 0; i < PARTED; i++) {
		int n = snprintf(line, sizeof(line), "m{job=\"%d\",x=\"%05d\"} %d\n", i % 3, i, i);
		gs_buf_add(&pushed, line, (size_t)n);
	}
	gs_buf_char(&pushed, '\0');
	assert_pushed(b, pushed.p);
	gs_buf_free(&pushed);
}

/* The parts of what does not change make the family, also where some are only passed. */
static void test_parts(void **state) {
	(void)state;
	struct bench b;
	open_parted(&b);
	char *whole = exposition(&b);
	struct gs_buf parts = render_parts(&b, NULL);
	assert_string_equal(parts.p, whole);
	for (unsigned skip = 0; skip < 32; skip++) {
		struct gs_family_place place = {0}, other = {0};
		struct gs_buf some, all;
		bool more = true;
		gs_buf_init(&some, SIZE_MAX);
		gs_buf_init(&all, SIZE_MAX);
		while (more) {
			bool pass = (skip >> place.part & 1) != 0;
			gs_buf_clear(&all);
			more = gs_store_render_part(b.store, GS_STR("m"), &place, b.now, values, pass ? NULL : &some);
			assert_int_equal(gs_store_render_part(b.store, GS_STR("m"), &other, b.now, values, &all), more);
			if (pass)
				gs_buf_str(&some, gs_buf_slice(&all));
			assert_true(place.part == other.part && !place.moved);
		}
		assert_int_equal(place.part, 5);
		gs_buf_char(&some, '\0');
		assert_string_equal(some.p, whole);
		gs_buf_free(&some);
		gs_buf_free(&all);
		gs_family_place_close(&place);
		gs_family_place_close(&other);
	}
	assert_false(
	    gs_store_render_part(b.store, GS_STR("none"), &(struct gs_family_place){0}, b.now, values, &parts));
	gs_free(whole);
	gs_buf_free(&parts);
	bench_close(&b);
}

/* A histogram of which a part has 78 series, with times of creation, exemplars, and names to escape. */
static void push_rich(struct bench *b) {
	struct gs_buf pushed;
	gs_buf_init(&pushed, SIZE_MAX);
	gs_buf_cstr(&pushed, "# TYPE \"r.m\" histogram\n");
	for (int i = 0; i < 300; i++) {
		for (int le = 0; le < 10; le++)
			gs_buf_printf(&pushed, "{\"r.m_bucket\",\"l.n\"=\"%d\",le=\"%d\"} %d # {t=\"%d\"} %d\n", i, le,
			    i, le, le - 1);
		gs_buf_printf(&pushed, "{\"r.m_bucket\",\"l.n\"=\"%d\",le=\"+Inf\"} %d\n", i, i);
		gs_buf_printf(&pushed, "{\"r.m_sum\",\"l.n\"=\"%d\"} 1\n{\"r.m_count\",\"l.n\"=\"%d\"} %d\n", i, i, i);
	}
	gs_buf_cstr(&pushed, "# TYPE \"r.m_created\" gauge\n");
	for (int i = 0; i < 300; i++)
		gs_buf_printf(&pushed, "{\"r.m_created\",\"l.n\"=\"%d\"} %d\n", i, i);
	gs_buf_char(&pushed, '\0');
	assert_pushed(b, pushed.p);
	gs_buf_free(&pushed);
}

/* Events of protobuf, without those that begin a message: of parts there are more. */
static void dump_samples(struct bench *b, struct gs_str bytes, struct gs_buf *out) {
	struct gs_expo_options options = {.format = GS_FORMAT_PROTOBUF};
	struct gs_expo_event event = {0};
	gs_expo_begin(b->parser, &options);
	gs_expo_feed(b->parser, bytes, true);
	while (gs_expo_next(b->parser, &event, &b->err) == GS_OK && event.kind != GS_EXPO_END) {
		if (event.kind == GS_EXPO_SAMPLE)
			dump_event(out, &event);
	}
	assert_int_equal(event.kind, GS_EXPO_END);
	gs_buf_char(out, '\0');
}

/* Each format in parts is what it is at once. */
static void test_parts_of_formats(void **state) {
	(void)state;
	static const struct gs_expo_dialect *const dialects[] = {&strict_utf8, &strict_values, &binary_utf8, &values};
	struct bench b;
	bench_open(&b, &plain);
	push_rich(&b);
	for (size_t i = 0; i < sizeof(dialects) / sizeof(dialects[0]); i++) {
		struct gs_family_place place = {0};
		struct gs_str after = {0};
		struct gs_buf whole, parts, one, two;
		uint32_t n = 1;
		gs_buf_init(&whole, SIZE_MAX);
		gs_buf_init(&parts, SIZE_MAX);
		gs_buf_init(&one, SIZE_MAX);
		gs_buf_init(&two, SIZE_MAX);
		assert_true(gs_store_render_next(b.store, &after, b.now, *dialects[i], &whole));
		while (gs_store_render_part(b.store, GS_STR("r.m"), &place, b.now, *dialects[i], &parts))
			n++;
		assert_int_equal(n, 4);
		if (dialects[i]->format == GS_FORMAT_PROTOBUF) {
			dump_samples(&b, gs_buf_slice(&whole), &one);
			dump_samples(&b, gs_buf_slice(&parts), &two);
			assert_string_equal(one.p, two.p);
		} else {
			assert_int_equal(whole.n, parts.n);
			assert_memory_equal(whole.p, parts.p, whole.n);
		}
		gs_family_place_close(&place);
		gs_buf_free(&whole);
		gs_buf_free(&parts);
		gs_buf_free(&one);
		gs_buf_free(&two);
	}
	bench_close(&b);
}

/* What is a part of another family has no parts of its own. */
static void test_parts_of_what_is_hidden(void **state) {
	(void)state;
	struct gs_family_place place = {0};
	struct gs_buf out;
	struct bench b;
	bench_open(&b, &plain);
	push_rich(&b);
	gs_buf_init(&out, SIZE_MAX);
	assert_false(gs_store_render_part(b.store, GS_STR("r.m_created"), &place, b.now, strict_utf8, &out));
	assert_int_equal(out.n, 0);
	gs_buf_free(&out);
	gs_family_place_close(&place);
	bench_close(&b);
}

/* The type of the first part holds for all: a head stands once. */
static void test_parts_of_what_breaks(void **state) {
	(void)state;
	struct gs_family_place place = {0};
	struct gs_buf out;
	struct bench b;
	bench_open(&b, &plain);
	push_rich(&b);
	gs_buf_init(&out, SIZE_MAX);
	assert_true(gs_store_render_part(b.store, GS_STR("r.m"), &place, b.now, strict_utf8, &out));
	assert_pushed(
	    &b, "# TYPE \"r.m\" histogram\n{\"r.m_bucket\",\"l.n\"=\"5\",le=\"+Inf\",clearmode=\"replace\"} 1\n");
	while (gs_store_render_part(b.store, GS_STR("r.m"), &place, b.now, strict_utf8, &out))
		continue;
	gs_buf_char(&out, '\0');
	assert_int_equal(place.moved, true);
	assert_non_null(strstr(out.p, "# TYPE \"r.m\" histogram\n"));
	assert_null(strstr(out.p + 1, "\n# "));
	assert_non_null(strstr(out.p, "{\"r.m_created\",\"l.n\"=\"99\"} 99\n"));
	gs_buf_free(&out);
	gs_family_place_close(&place);
	assert_true(gs_store_render_family(b.store, GS_STR("r.m"), b.now, strict_utf8, &out));
	gs_buf_char(&out, '\0');
	assert_non_null(strstr(out.p, "# TYPE \"r.m\" unknown\n"));
	gs_buf_free(&out);
	bench_close(&b);
}

/* Before the place, at it, and behind it. */
static void change_everywhere(struct bench *b, uint32_t part) {
	char pushed[200];
	struct gs_label gone = {GS_STR_INIT("x"), GS_STR_INIT("00001")};
	snprintf(pushed, sizeof(pushed),
	    "m{x=\"new%u\"} -1\nm{job=\"1\",x=\"02500.%u\"} -2\nm{job=\"9\",x=\"new%u\"} -3\n", (unsigned)part,
	    (unsigned)part, (unsigned)part);
	assert_pushed(b, pushed);
	if (part == 1) /* of job 1, in the second part */
		assert_int_equal(gs_store_delete(b->store, &gone, 1, &b->result), GS_OK);
}

/* What changes meanwhile: no series stands twice, and what was there all the time is there. */
static void test_parts_of_what_changes(void **state) {
	(void)state;
	struct bench b;
	open_parted(&b);
	struct gs_buf parts = render_parts(&b, change_everywhere);
	int values_seen[PARTED] = {0}, late = 0, heads = 0;
	struct gs_str rest = gs_buf_slice(&parts), line, last = {0};
	while (gs_str_cut(rest, '\n', &line, &rest)) {
		heads += line.p[0] == '#';
		const char *blank = memrchr(line.p, ' ', line.n);
		int64_t value = 0;
		if (line.p[0] == '#')
			continue;
		assert_int_equal(
		    gs_num_parse_i64(gs_str_make(blank + 1, (size_t)(line.p + line.n - blank - 1)), &value), GS_OK);
		assert_true(last.n == 0 || gs_str_cmp(last, gs_str_make(line.p, (size_t)(blank - line.p))) < 0);
		last = gs_str_make(line.p, (size_t)(blank - line.p));
		if (value >= 0)
			values_seen[value]++;
		late += value == -3;
		assert_int_not_equal(value, -1);
	}
	for (int i = 0; i < PARTED; i++)
		assert_int_equal(values_seen[i], i != 1 || values_seen[i] != 0);
	assert_int_equal(heads, 2);
	assert_true(late >= 4);
	gs_buf_free(&parts);
	bench_close(&b);
}

static void remove_family(struct bench *b, uint32_t part) {
	(void)part;
	assert_int_equal(gs_store_delete(b->store, NULL, 0, &b->result), GS_OK);
}

static void test_parts_of_what_leaves(void **state) {
	(void)state;
	struct bench b;
	open_parted(&b);
	struct gs_buf parts = render_parts(&b, remove_family);
	assert_true(parts.n > 10000 && parts.n < 100000);
	gs_buf_free(&parts);
	bench_close(&b);
}

/* Without memory for the place nothing is lost as long as nothing changes; then it is an error. */
static void test_parts_without_memory(void **state) {
	(void)state;
	struct bench b;
	struct gs_family_place place = {0};
	struct gs_buf out;
	open_parted(&b);
	gs_buf_init(&out, SIZE_MAX);
	assert_non_null(gs_buf_reserve(&out, 1000000));
	gs_free(exposition(&b)); /* sorted */
	gs_mem_fail_after(0);
	assert_true(gs_store_render_part(b.store, GS_STR("m"), &place, b.now, values, &out));
	assert_true(gs_mem_failed());
	gs_mem_fail_after(-1);
	assert_int_equal(out.status, GS_OK);
	assert_pushed(&b, "m{x=\"new\"} 1\n");
	gs_store_render_part(b.store, GS_STR("m"), &place, b.now, values, &out);
	assert_int_equal(out.status, GS_ENOMEM);
	gs_buf_free(&out);
	gs_family_place_close(&place);
	bench_close(&b);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_dialects),
	    cmocka_unit_test(test_names_that_look_escaped),
	    cmocka_unit_test(test_one_family),
	    cmocka_unit_test(test_some_lines_of_a_family),
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_parts),
	    cmocka_unit_test(test_parts_of_formats),
	    cmocka_unit_test(test_parts_of_what_is_hidden),
	    cmocka_unit_test(test_parts_of_what_breaks),
	    cmocka_unit_test(test_parts_of_what_changes),
	    cmocka_unit_test(test_parts_of_what_leaves),
	    cmocka_unit_test(test_parts_without_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
