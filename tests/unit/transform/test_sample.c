/* SPDX-License-Identifier: Apache-2.0 */
/* Which family a sample is of once its name and labels may have changed, and the line that it becomes. */
#include "transform_test.h"

#include "internal.h"

/* One sample alone. */
struct one {
	enum gs_expo_type type;
	enum gs_expo_part part;
	const char *name; /* as it came */
	const char *labels; /* likewise: a=b,c=d */
	const char *new_name;
	const char *new_labels; /* sorted */
	const char *target; /* likewise */
	const char *expected;
};

static size_t labels_of(const char *text, struct gs_label *labels) {
	struct gs_str rest = gs_str_of(text), pair;
	size_t n = 0;
	while (rest.n != 0) {
		gs_str_cut(rest, ',', &pair, &rest);
		gs_str_cut(pair, '=', &labels[n].name, &labels[n].value);
		n++;
	}
	return n;
}

static void writes(const struct one *one) {
	struct gs_label old_labels[8], labels[8], target[8];
	struct gs_expo_event event = {.kind = GS_EXPO_SAMPLE,
	    .type = one->type,
	    .part = one->part,
	    .name = gs_str_of(one->name),
	    .labels = old_labels};
	struct gs_sample_out sample = {.event = &event,
	    .name = gs_str_of(one->new_name),
	    .labels = labels,
	    .target = target,
	    .moved = true,
	    .timestamp = true};
	struct gs_families f = {0};
	struct gs_buf out;
	event.family = event.name;
	event.nlabels = labels_of(one->labels, old_labels);
	sample.nlabels = labels_of(one->new_labels, labels);
	sample.ntarget = labels_of(one->target, target);
	gs_buf_init(&out, 1 << 20);
	assert_int_equal(gs_families_init(&f), GS_OK);
	assert_int_equal(gs_families_begin(&f, &out), GS_OK);
	assert_int_equal(gs_sample_write(&f, &sample, NULL), GS_OK);
	assert_int_equal(gs_families_end(&f), GS_OK);
	gs_buf_char(&out, '\0');
	assert_string_equal(out.p, one->expected);
	gs_families_free(&f);
	gs_buf_free(&out);
}

#define H GS_TYPE_HISTOGRAM
#define G GS_TYPE_GAUGEHISTOGRAM
#define S GS_TYPE_SUMMARY

static void test_parts_that_stay_parts(void **state) {
	(void)state;
	static const struct one cases[] = {
	    {H, GS_PART_BUCKET, "h_bucket", "le=1", "n_bucket", "le=1", "",
		"# TYPE n histogram\nn_bucket{le=\"1\"} 0\n"},
	    {H, GS_PART_BUCKET, "h_bucket", "le=1", "h_bucket", "le=2.50", "",
		"# TYPE h histogram\nh_bucket{le=\"2.50\"} 0\n"},
	    {H, GS_PART_BUCKET, "h_bucket", "le=1", "h_bucket", "a=b,le=1,z=y", "",
		"# TYPE h histogram\nh_bucket{a=\"b\",z=\"y\",le=\"1\"} 0\n"},
	    {H, GS_PART_SUM, "h_sum", "", "n_sum", "quantile=1", "", "# TYPE n histogram\nn_sum{quantile=\"1\"} 0\n"},
	    {H, GS_PART_COUNT, "h_count", "", "n_count", "", "", "# TYPE n histogram\nn_count 0\n"},
	    {G, GS_PART_SUM, "h_gsum", "", "n_gsum", "", "", "# TYPE n gaugehistogram\nn_gsum 0\n"},
	    {G, GS_PART_COUNT, "h_gcount", "", "n_gcount", "", "", "# TYPE n gaugehistogram\nn_gcount 0\n"},
	    {S, GS_PART_QUANTILE, "s", "quantile=0.5", "n", "quantile=0.5", "",
		"# TYPE n summary\nn{quantile=\"0.5\"} 0\n"},
	    {S, GS_PART_SUM, "s_sum", "", "n_sum", "le=1", "", "# TYPE n summary\nn_sum{le=\"1\"} 0\n"},
	    {GS_TYPE_COUNTER, GS_PART_VALUE, "c_total", "", "d", "", "", "# TYPE d counter\nd 0\n"},
	    {GS_TYPE_UNTYPED, GS_PART_VALUE, "c", "", "d", "", "", "d 0\n"},
	};
	for (size_t i = 0; i < N(cases); i++)
		writes(&cases[i]);
}

static void test_parts_that_are_none_any_more(void **state) {
	(void)state;
	static const struct one cases[] = {
	    {H, GS_PART_BUCKET, "h_bucket", "le=1", "n", "le=1", "", "n{le=\"1\"} 0\n"},
	    {H, GS_PART_BUCKET, "h_bucket", "le=1", "_bucket", "le=1", "", "_bucket{le=\"1\"} 0\n"},
	    {H, GS_PART_BUCKET, "h_bucket", "le=1", "h_bucket", "", "", "h_bucket 0\n"},
	    {H, GS_PART_BUCKET, "h_bucket", "le=1", "h_bucket", "le=x", "", "h_bucket{le=\"x\"} 0\n"},
	    {H, GS_PART_BUCKET, "h_bucket", "le=1", "h_bucket", "le=NaN", "", "h_bucket{le=\"NaN\"} 0\n"},
	    {H, GS_PART_SUM, "h_sum", "", "h_count", "", "", "h_count 0\n"},
	    {H, GS_PART_SUM, "h_sum", "", "h_sum", "le=1", "", "h_sum{le=\"1\"} 0\n"},
	    {G, GS_PART_SUM, "h_gsum", "", "h_sum", "", "", "h_sum 0\n"},
	    {S, GS_PART_QUANTILE, "s", "quantile=0.5", "s", "", "", "s 0\n"},
	    {S, GS_PART_COUNT, "s_count", "", "s_count", "quantile=1", "", "s_count{quantile=\"1\"} 0\n"},
	    {H, GS_PART_CREATED, "h_created", "", "n", "", "", "# TYPE n gauge\nn 0\n"},
	};
	for (size_t i = 0; i < N(cases); i++)
		writes(&cases[i]);
}

static void test_only_what_differs_from_the_target(void **state) {
	(void)state;
	static const struct one cases[] = {
	    {GS_TYPE_UNTYPED, GS_PART_VALUE, "a", "", "a", "b=1,d=2", "b=1,d=2", "a 0\n"},
	    {GS_TYPE_UNTYPED, GS_PART_VALUE, "a", "", "a", "b=1,d=3", "b=1,d=2", "a{d=\"3\"} 0\n"},
	    {GS_TYPE_UNTYPED, GS_PART_VALUE, "a", "", "a", "", "b=1,d=2", "a{b=\"\",d=\"\"} 0\n"},
	    {GS_TYPE_UNTYPED, GS_PART_VALUE, "a", "", "a", "a=0,c=0,e=0", "b=1,d=2",
		"a{a=\"0\",b=\"\",c=\"0\",d=\"\",e=\"0\"} 0\n"},
	    {GS_TYPE_UNTYPED, GS_PART_VALUE, "a", "", "a", "d=2,e=3", "d=2", "a{e=\"3\"} 0\n"},
	    /* A bound is always written: it tells the part. */
	    {H, GS_PART_BUCKET, "h_bucket", "le=1", "h_bucket", "le=1", "le=1",
		"# TYPE h histogram\nh_bucket{le=\"1\"} 0\n"},
	};
	for (size_t i = 0; i < N(cases); i++)
		writes(&cases[i]);
}

/* Runs ${sample} at the border of what a parser takes. */
static enum gs_status write_one(struct gs_sample_out *sample, struct gs_error *err) {
	struct gs_families f = {0};
	struct gs_buf out;
	gs_buf_init(&out, 1 << 24);
	assert_int_equal(gs_families_init(&f), GS_OK);
	assert_int_equal(gs_families_begin(&f, &out), GS_OK);
	enum gs_status status = gs_sample_write(&f, sample, err);
	if (status == GS_OK) {
		struct gs_expo_parser *parser = gs_expo_parser_new();
		struct gs_expo_event event;
		gs_expo_begin_text(parser, gs_buf_slice(&out));
		assert_int_equal(gs_expo_next(parser, &event, err), GS_OK);
		assert_int_equal(event.nlabels, sample->nlabels + sample->ntarget);
		gs_expo_parser_free(parser);
	}
	gs_families_free(&f);
	gs_buf_free(&out);
	return status;
}

static void test_limits_of_a_line(void **state) {
	(void)state;
	static char names[GS_LIMIT_LABELS + 1][8], value[GS_LIMIT_LABEL_VALUE + 1], name[GS_LIMIT_NAME + 2];
	static struct gs_label labels[GS_LIMIT_LABELS + 1];
	static const struct gs_label target[] = {{GS_STR_INIT("zz"), GS_STR_INIT("gone")}};
	struct gs_expo_event event = {.kind = GS_EXPO_SAMPLE, .name = GS_STR("a"), .family = GS_STR("a")};
	struct gs_sample_out sample = {.event = &event, .name = GS_STR("a"), .labels = labels, .moved = true};
	struct gs_error err;
	for (size_t i = 0; i <= GS_LIMIT_LABELS; i++)
		labels[i] = (struct gs_label){{names[i], (size_t)snprintf(names[i], 8, "l%03zu", i)}, GS_STR("v")};
	sample.nlabels = GS_LIMIT_LABELS;
	assert_int_equal(write_one(&sample, &err), GS_OK);
	sample.clearmode = GS_STR("clearmode=\"sum\"");
	assert_int_equal(write_one(&sample, &err), GS_ELIMIT);
	sample.clearmode.n = 0;
	sample.target = target;
	sample.ntarget = 1;
	assert_int_equal(write_one(&sample, &err), GS_ELIMIT);
	sample.nlabels--;
	assert_int_equal(write_one(&sample, &err), GS_OK);
	sample.nlabels = sample.ntarget = 0;
	memset(name, 'n', sizeof(name));
	sample.name = gs_str_make(name, GS_LIMIT_NAME);
	assert_int_equal(write_one(&sample, &err), GS_OK);
	sample.name.n++;
	assert_int_equal(write_one(&sample, &err), GS_ELIMIT);
	assert_string_equal(err.text, "relabelling made a series that is too long to be read");
	/* 64 KiB of what has escapes; without them a line of 1 MiB. */
	memset(value, 'v', sizeof(value));
	value[0] = '"';
	sample.name = GS_STR("a");
	sample.nlabels = 2;
	labels[0].value = gs_str_make(value, GS_LIMIT_LABEL_VALUE - 100);
	labels[1].value = gs_str_make(value + 1, GS_LIMIT_LABEL_VALUE);
	assert_int_equal(write_one(&sample, &err), GS_OK);
	labels[1].value = gs_str_make(value, 200);
	assert_int_equal(write_one(&sample, &err), GS_ELIMIT);
	for (size_t i = 0; i < 17; i++)
		labels[i].value = gs_str_make(value + 1, GS_LIMIT_LABEL_VALUE);
	sample.nlabels = 15;
	assert_int_equal(write_one(&sample, &err), GS_OK);
	sample.nlabels = 17;
	assert_int_equal(write_one(&sample, &err), GS_ELIMIT);
	assert_string_equal(err.text, "relabelling made a line of more than 1048576 bytes");
}

static void test_exemplars(void **state) {
	(void)state;
	static const struct gs_label labels[] = {
	    {GS_STR_INIT("t"), GS_STR_INIT("a\"\\\nb")}, {GS_STR_INIT("u.v"), GS_STR_INIT("2")}};
	struct gs_exemplar exemplar = {
	    .labels = labels, .nlabels = 2, .value = 0.5, .has_timestamp = true, .timestamp_ms = -1500};
	struct gs_expo_event event = {.kind = GS_EXPO_SAMPLE,
	    .type = GS_TYPE_COUNTER,
	    .name = GS_STR("a"),
	    .family = GS_STR("a"),
	    .value = 3,
	    .has_timestamp = true,
	    .timestamp_ms = 1500,
	    .exemplar = &exemplar};
	struct gs_sample_out sample = {.event = &event, .name = GS_STR("a"), .timestamp = true};
	struct gs_families f = {0};
	struct gs_buf out;
	gs_buf_init(&out, 1 << 20);
	assert_int_equal(gs_families_init(&f), GS_OK);
	assert_int_equal(gs_families_begin(&f, &out), GS_OK);
	assert_int_equal(gs_sample_write(&f, &sample, NULL), GS_OK);
	exemplar = (struct gs_exemplar){.value = 1};
	sample.timestamp = false;
	assert_int_equal(gs_sample_write(&f, &sample, NULL), GS_OK);
	gs_buf_char(&out, '\0');
	assert_string_equal(
	    out.p, "# TYPE a counter\na 3 1500 # {t=\"a\\\"\\\\\\nb\",\"u.v\"=\"2\"} 0.5 -1.5\na 3 # {} 1\n");
	gs_families_free(&f);
	gs_buf_free(&out);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_parts_that_stay_parts),
	    cmocka_unit_test(test_parts_that_are_none_any_more),
	    cmocka_unit_test(test_only_what_differs_from_the_target),
	    cmocka_unit_test(test_limits_of_a_line),
	    cmocka_unit_test(test_exemplars),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
