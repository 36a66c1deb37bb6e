/* SPDX-License-Identifier: Apache-2.0 */
/* Families as they are written: whole, typed once, in the order of their first sample. */
#include "transform_test.h"

#include "internal.h"

/* One sample, or a line about a family. */
struct step {
	enum gs_expo_kind kind;
	const char *name; /* of the family */
	enum gs_expo_type type;
	enum gs_piece piece;
	const char *text; /* HELP or UNIT; of a sample: the family in what came, NULL: the same */
};

static enum gs_status take(struct gs_families *f, const struct step *step, double value) {
	struct gs_expo_event event = {.kind = step->kind, .name = gs_str_of(step->name), .text = gs_str_of(step->text)};
	if (step->kind != GS_EXPO_SAMPLE)
		return gs_families_meta(f, &event);
	enum gs_status status = gs_families_open(
	    f, gs_str_of(step->name), step->type, step->piece, gs_str_of(step->text != NULL ? step->text : step->name));
	struct gs_expo_sample sample = {.suffix = gs_piece_text(step->piece), .value = value};
	if (status == GS_OK)
		gs_expo_write_sample(&f->writer, &sample);
	return status;
}

static enum gs_status take_all(struct gs_families *f, const struct step *steps, size_t n, struct gs_buf *out) {
	enum gs_status status = gs_families_begin(f, out);
	double value = 0;
	for (size_t i = 0; i < n && status == GS_OK; i++) {
		value += steps[i].kind == GS_EXPO_SAMPLE;
		status = take(f, &steps[i], value);
	}
	return status == GS_OK ? gs_families_end(f) : status;
}

static void writes(const struct step *steps, size_t n, const char *expected) {
	struct gs_families f = {0};
	struct gs_buf out;
	gs_buf_init(&out, 1 << 20);
	assert_int_equal(gs_families_init(&f), GS_OK);
	for (int i = 0; i < 2; i++) {
		gs_buf_clear(&out);
		gs_buf_cstr(&out, "before\n");
		assert_int_equal(take_all(&f, steps, n, &out), GS_OK);
		gs_buf_char(&out, '\0');
		assert_memory_equal(out.p, "before\n", 7);
		assert_string_equal(out.p + 7, expected);
	}
	gs_families_free(&f);
	gs_buf_free(&out);
}

#define HELP(n, t)                                                                                                     \
	{ .kind = GS_EXPO_HELP, .name = (n), .text = (t) }
#define UNIT(n, t)                                                                                                     \
	{ .kind = GS_EXPO_UNIT, .name = (n), .text = (t) }
#define SAMPLE(n, t)                                                                                                   \
	{ .kind = GS_EXPO_SAMPLE, .name = (n), .type = GS_TYPE_##t }
#define PIECE(n, t, p)                                                                                                 \
	{ .kind = GS_EXPO_SAMPLE, .name = (n), .type = GS_TYPE_##t, .piece = GS_PIECE_##p }
#define RENAMED(n, t, from)                                                                                            \
	{ .kind = GS_EXPO_SAMPLE, .name = (n), .type = GS_TYPE_##t, .text = (from) }

static void test_heads(void **state) {
	(void)state;
	static const struct step steps[] = {HELP("a", "A \"b\" \\ \n."), UNIT("a", "seconds"), SAMPLE("a", GAUGE),
	    SAMPLE("b", COUNTER), HELP("b", "too late"), SAMPLE("b", COUNTER), SAMPLE("c.d", STATESET),
	    SAMPLE("e", INFO), SAMPLE("f", UNTYPED)};
	writes(steps, N(steps),
	    "# HELP a A \"b\" \\\\ \\n.\n# TYPE a gauge\n# UNIT a seconds\na 1\n# TYPE b counter\nb 2\nb 3\n"
	    "# TYPE \"c.d\" stateset\n{\"c.d\"} 4\n# TYPE e info\ne 5\nf 6\n");
}

static void test_heads_that_came_early(void **state) {
	(void)state;
	static const struct step steps[] = {HELP("a", "A"), UNIT("b", "bytes"), HELP("b", "B"), HELP("c", "C"),
	    HELP("a", "A again"), SAMPLE("b", GAUGE), SAMPLE("a", GAUGE), RENAMED("d", GAUGE, "c"),
	    RENAMED("e", GAUGE, "c")};
	writes(steps, N(steps),
	    "# HELP b B\n# TYPE b gauge\n# UNIT b bytes\nb 1\n# HELP a A again\n# TYPE a gauge\na 2\n"
	    "# HELP d C\n# TYPE d gauge\nd 3\n# HELP e C\n# TYPE e gauge\ne 4\n");
}

/* A unit that the text could not have, and a HELP that might not be read. */
static void test_texts_that_do_not_fit(void **state) {
	(void)state;
	static char text[GS_LIMIT_LABEL_VALUE / 2 + 2];
	memset(text, 'h', sizeof(text) - 1);
	struct step steps[] = {UNIT("a", "m/s"), HELP("a", text), SAMPLE("a", GAUGE)};
	writes(steps, N(steps), "# TYPE a gauge\na 1\n");
	text[sizeof(text) - 2] = '\0';
	struct gs_families f = {0};
	struct gs_buf out;
	gs_buf_init(&out, 1 << 20);
	assert_int_equal(gs_families_init(&f), GS_OK);
	assert_int_equal(take_all(&f, steps, N(steps), &out), GS_OK);
	assert_int_equal(out.n, sizeof(text) - 2 + strlen("# HELP a \n# TYPE a gauge\na 1\n"));
	gs_families_free(&f);
	gs_buf_free(&out);
}

static void test_a_family_that_goes_on_later(void **state) {
	(void)state;
	static const struct step steps[] = {
	    SAMPLE("a", GAUGE), SAMPLE("b", GAUGE), SAMPLE("a", GAUGE), SAMPLE("c", GAUGE), SAMPLE("b", GAUGE)};
	writes(steps, N(steps), "# TYPE a gauge\na 1\na 3\n# TYPE b gauge\nb 2\nb 5\n# TYPE c gauge\nc 4\n");
}

static void test_types_that_disagree(void **state) {
	(void)state;
	static const struct step simple[] = {SAMPLE("a", GAUGE), SAMPLE("a", COUNTER), SAMPLE("a", GAUGE)};
	writes(simple, N(simple), "a 1\na 2\na 3\n");
	static const struct step later[] = {SAMPLE("a", UNTYPED), SAMPLE("a", COUNTER), SAMPLE("a", UNTYPED)};
	writes(later, N(later), "# TYPE a counter\na 1\na 2\na 3\n");
	static const struct step mixed[] = {
	    PIECE("a", HISTOGRAM, SUM), SAMPLE("a", GAUGE), PIECE("a", HISTOGRAM, COUNT)};
	writes(mixed, N(mixed), "a 2\na_sum 1\na_count 3\n");
	static const struct step two[] = {PIECE("a", HISTOGRAM, BUCKET), PIECE("a", SUMMARY, SUM),
	    PIECE("a", SUMMARY, NONE), PIECE("a", HISTOGRAM, SUM), PIECE("b", GAUGEHISTOGRAM, GSUM)};
	writes(two, N(two), "a 3\n# TYPE b gaugehistogram\nb_gsum 5\na_bucket 1\na_sum 2\na_sum 4\n");
}

/* A family that is called like a part of another one. */
static void test_clashes(void **state) {
	(void)state;
	static const struct step gauge[] = {
	    SAMPLE("h_sum", GAUGE), PIECE("h", HISTOGRAM, SUM), PIECE("h", HISTOGRAM, COUNT)};
	writes(gauge, N(gauge), "# TYPE h_sum gauge\nh_sum 1\nh_sum 2\nh_count 3\n");
	static const struct step bucket[] = {SAMPLE("h_bucket", GAUGE), PIECE("h", SUMMARY, SUM)};
	writes(bucket, N(bucket), "# TYPE h_bucket gauge\nh_bucket 1\n# TYPE h summary\nh_sum 2\n");
	static const struct step gsum[] = {SAMPLE("h_sum", GAUGE), PIECE("h", GAUGEHISTOGRAM, GSUM)};
	writes(gsum, N(gsum), "# TYPE h_sum gauge\nh_sum 1\n# TYPE h gaugehistogram\nh_gsum 2\n");
	/* What falls apart makes others do so. */
	static const struct step chain[] = {PIECE("x_sum", HISTOGRAM, SUM), PIECE("x_sum", HISTOGRAM, COUNT),
	    PIECE("x", HISTOGRAM, SUM), PIECE("x", HISTOGRAM, BUCKET), SAMPLE("x_count", GAUGE)};
	writes(chain, N(chain), "x_sum 3\n# TYPE x_count gauge\nx_count 5\nx_bucket 4\nx_sum_sum 1\nx_sum_count 2\n");
}

static void test_quoted_names_fall_apart_too(void **state) {
	(void)state;
	static const struct step steps[] = {HELP("a\"b", "H"), PIECE("a\"b", HISTOGRAM, BUCKET),
	    PIECE("a\"b", HISTOGRAM, SUM), PIECE("a\"b", HISTOGRAM, BUCKET), SAMPLE("a\"b_bucket", UNTYPED)};
	writes(steps, N(steps),
	    "{\"a\\\"b_bucket\"} 4\n{\"a\\\"b_bucket\"} 1\n{\"a\\\"b_bucket\"} 3\n"
	    "# HELP \"a\\\"b_sum\" H\n{\"a\\\"b_sum\"} 2\n");
}

static void test_the_buffer_is_full(void **state) {
	(void)state;
	static const struct step steps[] = {SAMPLE("a", GAUGE), SAMPLE("b", GAUGE), SAMPLE("a", GAUGE)};
	size_t need = strlen("# TYPE a gauge\na 1\na 3\n# TYPE b gauge\nb 2\n");
	struct gs_families f = {0};
	assert_int_equal(gs_families_init(&f), GS_OK);
	for (size_t max = 0; max <= need; max++) {
		struct gs_buf out;
		gs_buf_init(&out, max);
		assert_int_equal(take_all(&f, steps, N(steps), &out), max == need ? GS_OK : GS_ELIMIT);
		gs_buf_free(&out);
	}
	gs_families_free(&f);
}

static void test_out_of_memory(void **state) {
	(void)state;
	static const struct step steps[] = {HELP("z", "Z"), HELP("h", "H"), PIECE("h", HISTOGRAM, SUM),
	    SAMPLE("a", GAUGE), PIECE("h", HISTOGRAM, COUNT), SAMPLE("h_sum", GAUGE), SAMPLE("z", COUNTER),
	    SAMPLE("a", GAUGE)};
	for (int n = 0;; n++) {
		struct gs_families f = {0};
		struct gs_buf out;
		gs_buf_init(&out, 1 << 20);
		gs_mem_fail_after(n);
		enum gs_status status = gs_families_init(&f);
		if (status == GS_OK)
			status = take_all(&f, steps, N(steps), &out);
		bool failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		gs_families_free(&f);
		gs_buf_free(&out);
		assert_int_equal(status, failed ? GS_ENOMEM : GS_OK);
		if (!failed) {
			assert_true(n > 10);
			break;
		}
	}
}

/* So many families that their table is not kept, and then a scrape of few. */
static void test_a_large_exposition_is_forgotten(void **state) {
	(void)state;
	struct gs_families f = {0};
	struct gs_buf out;
	char name[16];
	gs_buf_init(&out, 1 << 24);
	assert_int_equal(gs_families_init(&f), GS_OK);
	assert_int_equal(gs_families_begin(&f, &out), GS_OK);
	for (int i = 0; i < 70000; i++) {
		struct step step = SAMPLE(name, GAUGE);
		snprintf(name, sizeof(name), "m%d", i);
		assert_int_equal(take(&f, &step, 1), GS_OK);
	}
	assert_int_equal(gs_families_end(&f), GS_OK);
	assert_int_equal(gs_map_count(f.map), 70000);
	assert_int_equal(gs_families_begin(&f, &out), GS_OK);
	assert_int_equal(gs_map_bytes(f.map) < 1024, true);
	gs_families_free(&f);
	gs_buf_free(&out);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_heads),
	    cmocka_unit_test(test_heads_that_came_early),
	    cmocka_unit_test(test_texts_that_do_not_fit),
	    cmocka_unit_test(test_a_family_that_goes_on_later),
	    cmocka_unit_test(test_types_that_disagree),
	    cmocka_unit_test(test_clashes),
	    cmocka_unit_test(test_quoted_names_fall_apart_too),
	    cmocka_unit_test(test_the_buffer_is_full),
	    cmocka_unit_test(test_out_of_memory),
	    cmocka_unit_test(test_a_large_exposition_is_forgotten),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
