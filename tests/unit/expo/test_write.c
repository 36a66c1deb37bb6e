/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dump.h"
#include "gravel/base/mem.h"
#include "gravel/expo/write.h"

static const struct gs_expo_dialect text = {.format = GS_FORMAT_TEXT};
static const struct gs_expo_dialect values = {.format = GS_FORMAT_TEXT, .escaping = GS_ESCAPE_VALUES};
static const struct gs_expo_dialect text_1 = {.format = GS_FORMAT_TEXT_1, .escaping = GS_ESCAPE_NONE};
static const struct gs_expo_dialect strict = {.format = GS_FORMAT_OPENMETRICS};
static const struct gs_expo_dialect strict_utf8 = {.format = GS_FORMAT_OPENMETRICS, .escaping = GS_ESCAPE_NONE};

#define NAME(literal) .name = GS_STR_INIT(literal)
#define SUFFIX(literal) .suffix = GS_STR_INIT(literal)
#define LABELS(...)                                                                                                    \
	.labels = (const struct gs_label[]){__VA_ARGS__},                                                              \
	.nlabels = sizeof((const struct gs_label[]){__VA_ARGS__}) / sizeof(struct gs_label)
#define LABEL(n, v)                                                                                                    \
	{ GS_STR_INIT(n), GS_STR_INIT(v) }
#define FAMILY(...)                                                                                                    \
	&(struct gs_expo_family) {                                                                                     \
		__VA_ARGS__                                                                                            \
	}
#define SAMPLE(...)                                                                                                    \
	&(struct gs_expo_sample) {                                                                                     \
		__VA_ARGS__                                                                                            \
	}

static struct gs_buf out;

static int open_buffer(void **state) {
	(void)state;
	gs_buf_init(&out, 1 << 20);
	return 0;
}

static int close_buffer(void **state) {
	(void)state;
	gs_buf_free(&out);
	return 0;
}

/* Assert that out holds ${expected}, and empty it. */
static void assert_text(const char *expected) {
	gs_buf_char(&out, '\0');
	assert_int_equal(out.status, GS_OK);
	assert_string_equal(out.p, expected);
	gs_buf_clear(&out);
}

static void write_head(struct gs_expo_dialect dialect, const struct gs_expo_family *family) {
	struct gs_expo_writer w;
	gs_expo_writer_init(&w, &out, dialect);
	gs_expo_write_family(&w, family);
}

#define assert_head(dialect, family, expected)                                                                         \
	do {                                                                                                           \
		write_head(dialect, family);                                                                           \
		assert_text(expected);                                                                                 \
	} while (0)

static void test_head_of_text(void **state) {
	(void)state;
	assert_head(text, FAMILY(NAME("a"), .type = GS_TYPE_COUNTER, .help = GS_STR("The help.")),
	    "# HELP a The help.\n# TYPE a counter\n");
	assert_head(text, FAMILY(NAME("a")), "# TYPE a untyped\n");
	assert_head(text, FAMILY(NAME("a"), .no_type = true), "");
	assert_head(text, FAMILY(NAME("a"), .no_type = true, .help = GS_STR("b")), "# HELP a b\n");
	assert_head(text, FAMILY(NAME("a"), .type = GS_TYPE_SUMMARY, .help = GS_STR("\\a\n\"b\"\n")),
	    "# HELP a \\\\a\\n\"b\"\\n\n# TYPE a summary\n");
	assert_head(text, FAMILY(NAME("a_seconds"), .type = GS_TYPE_GAUGE, .unit = GS_STR("seconds")),
	    "# TYPE a_seconds gauge\n");
	/* no reader sees a CR at the end of a line */
	assert_head(text, FAMILY(NAME("a"), .help = GS_STR("b\r\n\r\r")), "# HELP a b\r\\n\n# TYPE a untyped\n");
	assert_head(strict, FAMILY(NAME("a"), .help = GS_STR("\r")), "# TYPE a unknown\n");
}

/* Readers of text refuse the type words of OpenMetrics. */
static void test_types_of_text(void **state) {
	(void)state;
	assert_head(text, FAMILY(NAME("a"), .type = GS_TYPE_HISTOGRAM), "# TYPE a histogram\n");
	assert_head(text, FAMILY(NAME("a"), .type = GS_TYPE_INFO), "# TYPE a gauge\n");
	assert_head(text, FAMILY(NAME("a"), .type = GS_TYPE_STATESET), "# TYPE a gauge\n");
	assert_head(text_1, FAMILY(NAME("a"), .type = GS_TYPE_GAUGEHISTOGRAM), "# TYPE a histogram\n");
}

static void test_head_of_openmetrics(void **state) {
	(void)state;
	assert_head(strict, FAMILY(NAME("a_total"), .type = GS_TYPE_COUNTER, .help = GS_STR("A \"q\" \\ \n.")),
	    "# TYPE a counter\n# HELP a A \\\"q\\\" \\\\ \\n.\n");
	assert_head(
	    strict, FAMILY(NAME("a"), .type = GS_TYPE_COUNTER, .help = GS_STR("h")), "# TYPE a unknown\n# HELP a h\n");
	assert_head(strict, FAMILY(NAME("_total"), .type = GS_TYPE_COUNTER), "# TYPE _total unknown\n");
	assert_head(strict, FAMILY(NAME("a_total_total"), .type = GS_TYPE_COUNTER), "# TYPE a_total counter\n");
	assert_head(strict, FAMILY(NAME("a_total"), .type = GS_TYPE_GAUGE), "# TYPE a_total gauge\n");
	assert_head(strict, FAMILY(NAME("a_info"), .type = GS_TYPE_INFO), "# TYPE a info\n");
	assert_head(strict, FAMILY(NAME("a"), .type = GS_TYPE_INFO), "# TYPE a unknown\n");
	assert_head(strict, FAMILY(NAME("_info"), .type = GS_TYPE_INFO), "# TYPE _info unknown\n");
	assert_head(strict, FAMILY(NAME("a"), .type = GS_TYPE_STATESET), "# TYPE a stateset\n");
	assert_head(strict, FAMILY(NAME("a:b"), .type = GS_TYPE_STATESET), "# TYPE a:b unknown\n");
	assert_head(strict_utf8, FAMILY(NAME("a:b"), .type = GS_TYPE_STATESET), "# TYPE a:b stateset\n");
	assert_head(strict, FAMILY(NAME("a"), .type = GS_TYPE_HISTOGRAM), "# TYPE a histogram\n");
	assert_head(strict, FAMILY(NAME("a"), .type = GS_TYPE_GAUGEHISTOGRAM), "# TYPE a gaugehistogram\n");
	assert_head(strict, FAMILY(NAME("a"), .type = GS_TYPE_SUMMARY), "# TYPE a summary\n");
	assert_head(strict, FAMILY(NAME("a")), "# TYPE a unknown\n");
	assert_head(strict, FAMILY(NAME("a"), .no_type = true, .type = GS_TYPE_GAUGE), "");
}

static void test_units(void **state) {
	(void)state;
	assert_head(strict,
	    FAMILY(NAME("a_seconds_total"), .type = GS_TYPE_COUNTER, .unit = GS_STR("seconds"), .help = GS_STR("h")),
	    "# TYPE a_seconds counter\n# UNIT a_seconds seconds\n# HELP a_seconds h\n");
	assert_head(strict, FAMILY(NAME("a_seconds"), .type = GS_TYPE_GAUGE, .unit = GS_STR("seconds")),
	    "# TYPE a_seconds gauge\n# UNIT a_seconds seconds\n");
	assert_head(strict_utf8, FAMILY(NAME("a.b_seconds"), .type = GS_TYPE_GAUGE, .unit = GS_STR("seconds")),
	    "# TYPE \"a.b_seconds\" gauge\n# UNIT \"a.b_seconds\" seconds\n");
	/* not its suffix, not behind '_', no name left, of a type that has none, of no classic letters */
	assert_head(strict, FAMILY(NAME("a_bytes"), .type = GS_TYPE_GAUGE, .unit = GS_STR("seconds")),
	    "# TYPE a_bytes gauge\n");
	assert_head(strict, FAMILY(NAME("aseconds"), .type = GS_TYPE_GAUGE, .unit = GS_STR("seconds")),
	    "# TYPE aseconds gauge\n");
	assert_head(strict, FAMILY(NAME("seconds"), .type = GS_TYPE_GAUGE, .unit = GS_STR("seconds")),
	    "# TYPE seconds gauge\n");
	assert_head(strict, FAMILY(NAME("a_seconds_info"), .type = GS_TYPE_INFO, .unit = GS_STR("seconds")),
	    "# TYPE a_seconds info\n");
	assert_head(strict, FAMILY(NAME("a_seconds"), .type = GS_TYPE_STATESET, .unit = GS_STR("seconds")),
	    "# TYPE a_seconds stateset\n");
	assert_head(strict_utf8, FAMILY(NAME("a_m/s"), .type = GS_TYPE_GAUGE, .unit = GS_STR("m/s")),
	    "# TYPE \"a_m/s\" gauge\n");
}

/* One family and one sample of it. */
static void write_one(
    struct gs_expo_dialect dialect, const struct gs_expo_family *family, const struct gs_expo_sample *sample) {
	struct gs_expo_writer w;
	gs_expo_writer_init(&w, &out, dialect);
	gs_expo_write_family(&w, family);
	gs_expo_write_sample(&w, sample);
	gs_expo_write_end(&w);
}

/* Of a family without a head, so that only the sample is there. */
#define assert_sample(dialect, family, sample, expected)                                                               \
	do {                                                                                                           \
		write_one(dialect, FAMILY(NAME(family), .no_type = true), sample);                                     \
		assert_text(expected);                                                                                 \
	} while (0)

static void test_sample(void **state) {
	(void)state;
	struct gs_label le = LABEL("le", "+Inf");
	assert_sample(text, "m", SAMPLE(.value = 1), "m 1\n");
	assert_sample(text, "m", SAMPLE(SUFFIX("_sum"), LABELS(LABEL("a", "b"), LABEL("c", "d")), .value = 0.5),
	    "m_sum{a=\"b\",c=\"d\"} 0.5\n");
	assert_sample(text, "m", SAMPLE(SUFFIX("_bucket"), LABELS(LABEL("a", "b")), .bound = &le, .value = INFINITY),
	    "m_bucket{a=\"b\",le=\"+Inf\"} +Inf\n");
	assert_sample(text, "m", SAMPLE(SUFFIX("_bucket"), .bound = &le, .value = NAN), "m_bucket{le=\"+Inf\"} NaN\n");
	assert_sample(text, "m", SAMPLE(.value = -1.5e300), "m -1.5e+300\n");
	assert_sample(text, "m", SAMPLE(LABELS(LABEL("a", "")), .value = -0.0), "m{a=\"\"} -0\n");
	assert_sample(strict, "m", SAMPLE(.value = 1), "m 1\n# EOF\n");
	assert_sample(text_1, "m:x", SAMPLE(LABELS(LABEL("a", "b"))), "m:x{a=\"b\"} 0\n");
}

static void test_timestamps(void **state) {
	(void)state;
	static const struct {
		int64_t ms;
		const char *text;
		const char *strict;
	} times[] = {
	    {0, "m 1 0\n", "m 1 0\n# EOF\n"},
	    {1, "m 1 1\n", "m 1 0.001\n# EOF\n"},
	    {-1, "m 1 -1\n", "m 1 -0.001\n# EOF\n"},
	    {10, "m 1 10\n", "m 1 0.01\n# EOF\n"},
	    {100, "m 1 100\n", "m 1 0.1\n# EOF\n"},
	    {1000, "m 1 1000\n", "m 1 1\n# EOF\n"},
	    {-1500, "m 1 -1500\n", "m 1 -1.5\n# EOF\n"},
	    {1700000000123, "m 1 1700000000123\n", "m 1 1700000000.123\n# EOF\n"},
	    {1700000000120, "m 1 1700000000120\n", "m 1 1700000000.12\n# EOF\n"},
	    {INT64_MAX, "m 1 9223372036854775807\n", "m 1 9223372036854775.807\n# EOF\n"},
	    {INT64_MIN, "m 1 -9223372036854775808\n", "m 1 -9223372036854775.808\n# EOF\n"},
	};
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		struct gs_expo_sample sample = {.value = 1, .has_timestamp = true, .timestamp_ms = times[i].ms};
		assert_sample(text, "m", &sample, times[i].text);
		assert_sample(strict, "m", &sample, times[i].strict);
	}
}

static void test_names(void **state) {
	(void)state;
	struct gs_label le = LABEL("le", "1");
	const struct gs_expo_sample bare = {.value = 1},
				    sample = {LABELS(LABEL("x.y", "1"), LABEL("z", "2"), LABEL("a:b", "3"))};
	const struct gs_expo_sample part = {SUFFIX("_bucket"), .bound = &le};
	assert_sample(text_1, "a.b", &bare, "{\"a.b\"} 1\n");
	assert_sample(text_1, "a.b", &sample, "{\"a.b\",\"x.y\"=\"1\",z=\"2\",\"a:b\"=\"3\"} 0\n");
	assert_sample(text_1, "a.b", &part, "{\"a.b_bucket\",le=\"1\"} 0\n");
	assert_sample(text_1, "a\"\\\nb", &bare, "{\"a\\\"\\\\\\nb\"} 1\n");
	assert_sample(text_1, "1", &bare, "{\"1\"} 1\n");
	assert_sample(text, "a.b", &sample, "a_b{x_y=\"1\",z=\"2\",a_b=\"3\"} 0\n");
	assert_sample(values, "a.b", &sample, "U__a_2e_b{U__x_2e_y=\"1\",z=\"2\",U__a_3a_b=\"3\"} 0\n");
	assert_sample(values, "a.b", &part, "U__a_2e_b_bucket{le=\"1\"} 0\n");
	assert_sample(((struct gs_expo_dialect){.escaping = GS_ESCAPE_DOTS}), "a.b_c",
	    SAMPLE(LABELS(LABEL("x.y", "1"), LABEL("a_b", "2"))), "a_dot_b__c{x_dot_y=\"1\",a_b=\"2\"} 0\n");
	assert_head(text_1, FAMILY(NAME("a.\"b"), .type = GS_TYPE_GAUGE, .help = GS_STR("h")),
	    "# HELP \"a.\\\"b\" h\n# TYPE \"a.\\\"b\" gauge\n");
	assert_head(values, FAMILY(NAME("a.b"), .type = GS_TYPE_GAUGE, .help = GS_STR("h")),
	    "# HELP U__a_2e_b h\n# TYPE U__a_2e_b gauge\n");
	/* a suffix is that of what is written */
	assert_head(strict_utf8, FAMILY(NAME("a.b_total"), .type = GS_TYPE_COUNTER), "# TYPE \"a.b\" counter\n");
	write_one(((struct gs_expo_dialect){.format = GS_FORMAT_OPENMETRICS, .escaping = GS_ESCAPE_VALUES}),
	    FAMILY(NAME("a.b_total"), .type = GS_TYPE_COUNTER), &bare);
	assert_text("# TYPE U__a_2e_b_ counter\nU__a_2e_b__total 1\n# EOF\n");
}

/* By VALUES no two names become one, although one may look like the other escaped. */
static void test_names_that_look_escaped(void **state) {
	(void)state;
	assert_sample(values, "U__a_2e_b", SAMPLE(LABELS(LABEL("U__a_2e_b", "1"), LABEL("a.b", "2"))),
	    "U__U____a__2e__b{U__U____a__2e__b=\"1\",U__a_2e_b=\"2\"} 0\n");
	assert_sample(
	    values, "U_a", SAMPLE(LABELS(LABEL("U", "1"), LABEL("U__", "2"))), "U_a{U=\"1\",U__U____=\"2\"} 0\n");
	assert_sample(text, "U__a", SAMPLE(LABELS(LABEL("U__b", "1"))), "U__a{U__b=\"1\"} 0\n");
	assert_sample(text_1, "U__a", SAMPLE(LABELS(LABEL("U__b", "1"))), "U__a{U__b=\"1\"} 0\n");
}

static void test_long_name(void **state) {
	(void)state;
	char name[GS_LIMIT_NAME + 1];
	memset(name, '.', sizeof(name));
	write_head(values, FAMILY(.name = gs_str_make(name, GS_LIMIT_NAME)));
	assert_int_equal(out.status, GS_OK);
	assert_int_equal(out.n, sizeof("# TYPE U__ untyped\n") - 1 + 4 * GS_LIMIT_NAME);
	gs_buf_clear(&out);
	write_head(values, FAMILY(.name = gs_str_make(name, sizeof(name))));
	assert_int_equal(out.status, GS_ELIMIT);
	assert_int_equal(out.n, 0);
	gs_buf_clear(&out);
}

static const struct gs_exemplar exemplar = {
    .labels = (const struct gs_label[]){{GS_STR_INIT("trace.id"), GS_STR_INIT("a\"b")}},
    .nlabels = 1,
    .value = 0.5,
    .has_timestamp = true,
    .timestamp_ms = 1500,
};

#define assert_one(dialect, family, sample, expected)                                                                  \
	do {                                                                                                           \
		write_one(dialect, family, sample);                                                                    \
		assert_text(expected);                                                                                 \
	} while (0)

static void test_exemplars(void **state) {
	(void)state;
	struct gs_label le = LABEL("le", "0.5"), low = LABEL("le", "0.4"), none = LABEL("le", "x");
	struct gs_exemplar bare = {.value = NAN};
	const struct gs_expo_family *counter = FAMILY(NAME("c_total"), .type = GS_TYPE_COUNTER);
	const struct gs_expo_family *histogram = FAMILY(NAME("h"), .type = GS_TYPE_HISTOGRAM);
	assert_one(strict, counter, SAMPLE(.value = 1, .exemplar = &exemplar),
	    "# TYPE c counter\nc_total 1 # {trace_id=\"a\\\"b\"} 0.5 1.5\n# EOF\n");
	assert_one(strict_utf8, counter,
	    SAMPLE(.value = 1, .has_timestamp = true, .timestamp_ms = 2, .exemplar = &exemplar),
	    "# TYPE c counter\nc_total 1 0.002 # {\"trace.id\"=\"a\\\"b\"} 0.5 1.5\n# EOF\n");
	assert_one(
	    strict, counter, SAMPLE(.value = 1, .exemplar = &bare), "# TYPE c counter\nc_total 1 # {} NaN\n# EOF\n");
	assert_one(text, counter, SAMPLE(.value = 1, .exemplar = &exemplar), "# TYPE c_total counter\nc_total 1\n");
	assert_one(strict, histogram, SAMPLE(SUFFIX("_bucket"), .bound = &le, .exemplar = &exemplar),
	    "# TYPE h histogram\nh_bucket{le=\"0.5\"} 0 # {trace_id=\"a\\\"b\"} 0.5 1.5\n# EOF\n");
	assert_one(strict, FAMILY(NAME("h"), .type = GS_TYPE_GAUGEHISTOGRAM),
	    SAMPLE(SUFFIX("_bucket"), LABELS(LABEL("le", "1e0")), .exemplar = &exemplar),
	    "# TYPE h gaugehistogram\nh_bucket{le=\"1.0\"} 0 # {trace_id=\"a\\\"b\"} 0.5 1.5\n# EOF\n");
	/* outside of its bucket, of a bucket without a bound, of what has none */
	assert_one(strict, histogram, SAMPLE(SUFFIX("_bucket"), .bound = &low, .exemplar = &exemplar),
	    "# TYPE h histogram\nh_bucket{le=\"0.4\"} 0\n# EOF\n");
	assert_one(strict, histogram, SAMPLE(SUFFIX("_bucket"), .bound = &none, .exemplar = &exemplar),
	    "# TYPE h histogram\nh_bucket{le=\"x\"} 0\n# EOF\n");
	assert_one(strict, histogram, SAMPLE(SUFFIX("_bucket"), .exemplar = &exemplar),
	    "# TYPE h histogram\nh_bucket 0\n# EOF\n");
	assert_one(strict, histogram, SAMPLE(SUFFIX("_bucket"), .bound = &le, .exemplar = &bare),
	    "# TYPE h histogram\nh_bucket{le=\"0.5\"} 0\n# EOF\n");
	assert_one(
	    strict, histogram, SAMPLE(SUFFIX("_sum"), .exemplar = &exemplar), "# TYPE h histogram\nh_sum 0\n# EOF\n");
	assert_one(strict, FAMILY(NAME("c"), .type = GS_TYPE_COUNTER), SAMPLE(.value = 1, .exemplar = &exemplar),
	    "# TYPE c unknown\nc 1\n# EOF\n");
	assert_one(strict, FAMILY(NAME("s"), .type = GS_TYPE_SUMMARY), SAMPLE(.exemplar = &exemplar),
	    "# TYPE s summary\ns 0\n# EOF\n");
}

/* 128 characters, not bytes, of names as they are written and values. */
static void test_long_exemplars(void **state) {
	(void)state;
	static char text_of[4 * 200];
	for (size_t i = 0; i < sizeof(text_of); i += 4)
		memcpy(text_of + i, "\xf0\x9f\x98\xb1", 4);
	const struct gs_expo_family *counter = FAMILY(NAME("c_total"), .type = GS_TYPE_COUNTER);
	for (size_t n = 110; n < 135; n++) {
		struct gs_label labels[2] = {LABEL("a", "b"), {GS_STR("x.y"), gs_str_make(text_of, 4 * n)}};
		struct gs_exemplar one = {.labels = labels, .nlabels = 2};
		write_one(strict_utf8, counter, SAMPLE(.exemplar = &one));
		assert_int_equal(memmem(out.p, out.n, "# {", 3) != NULL, 2 + 3 + n <= 128);
		gs_buf_clear(&out);
		write_one((struct gs_expo_dialect){.format = GS_FORMAT_OPENMETRICS, .escaping = GS_ESCAPE_VALUES},
		    counter, SAMPLE(.exemplar = &one));
		assert_int_equal(memmem(out.p, out.n, "# {", 3) != NULL, 2 + strlen("U__x_2e_y") + n <= 128);
		gs_buf_clear(&out);
	}
	struct gs_label label = {gs_str_make(text_of, sizeof(text_of)), GS_STR("")};
	struct gs_exemplar one = {.labels = &label, .nlabels = 1};
	assert_one(strict_utf8, counter, SAMPLE(.exemplar = &one), "# TYPE c counter\nc_total 0\n# EOF\n");
}

static void test_created(void **state) {
	(void)state;
	const struct gs_expo_sample *created = SAMPLE(SUFFIX("_created"), .value = 1.5);
	assert_one(strict, FAMILY(NAME("c_total"), .type = GS_TYPE_COUNTER), created,
	    "# TYPE c counter\nc_created 1.5\n# EOF\n");
	assert_one(strict_utf8, FAMILY(NAME("c.d_total"), .type = GS_TYPE_COUNTER), created,
	    "# TYPE \"c.d\" counter\n{\"c.d_created\"} 1.5\n# EOF\n");
	assert_one(strict, FAMILY(NAME("h"), .type = GS_TYPE_HISTOGRAM), created,
	    "# TYPE h histogram\nh_created 1.5\n# EOF\n");
	assert_one(
	    strict, FAMILY(NAME("s"), .type = GS_TYPE_SUMMARY), created, "# TYPE s summary\ns_created 1.5\n# EOF\n");
	assert_one(strict, FAMILY(NAME("g"), .type = GS_TYPE_GAUGE), created, "# TYPE g gauge\n# EOF\n");
	assert_one(strict, FAMILY(NAME("g"), .type = GS_TYPE_COUNTER), created, "# TYPE g unknown\n# EOF\n");
	assert_one(text, FAMILY(NAME("c_total"), .type = GS_TYPE_COUNTER), created, "# TYPE c_total counter\n");
	/* a metric of that name is one like any other */
	assert_one(text, FAMILY(NAME("c_created"), .type = GS_TYPE_GAUGE), SAMPLE(.value = 1),
	    "# TYPE c_created gauge\nc_created 1\n");
}

/* What a caller knows to be a number of the format may stand as it is, also with labels to escape or an exemplar. */
static void test_bounds_that_stand(void **state) {
	(void)state;
	struct gs_label le = LABEL("le", "10"), quantile = LABEL("quantile", "1e0");
	const struct gs_exemplar nine = {.value = 9};
	assert_one(strict, FAMILY(NAME("h"), .type = GS_TYPE_HISTOGRAM),
	    SAMPLE(SUFFIX("_bucket"), .bound = &le, .bound_stands = true),
	    "# TYPE h histogram\nh_bucket{le=\"10\"} 0\n# EOF\n");
	assert_one(strict, FAMILY(NAME("h"), .type = GS_TYPE_HISTOGRAM),
	    SAMPLE(SUFFIX("_bucket"), LABELS(LABEL("a.b", "1")), .bound = &le, .bound_stands = true, .exemplar = &nine),
	    "# TYPE h histogram\nh_bucket{a_b=\"1\",le=\"10\"} 0 # {} 9\n# EOF\n");
	assert_one(strict, FAMILY(NAME("s"), .type = GS_TYPE_SUMMARY), SAMPLE(.bound = &quantile, .bound_stands = true),
	    "# TYPE s summary\ns{quantile=\"1e0\"} 0\n# EOF\n");
}

static void test_canonical_bounds(void **state) {
	(void)state;
	static const char *const bounds[][2] = {
	    {"0", "0.0"},
	    {"1", "1.0"},
	    {"-1", "-1.0"},
	    {"10", "10.0"},
	    {"0.5", "0.5"},
	    {"1.0", "1.0"},
	    {"+Inf", "+Inf"},
	    {"inf", "+Inf"},
	    {"-Inf", "-Inf"},
	    {"0.0010", "0.001"},
	    {"1e-10", "1e-10"},
	    {"1e-9", "1e-09"},
	    {"0.00001", "1e-05"},
	    {"0.0001", "0.0001"},
	    {"1e5", "100000.0"},
	    {"999999", "999999.0"},
	    {"1000000", "1e+06"},
	    {"1e6", "1e+06"},
	    {"-1000000", "-1e+06"},
	    {"1234567", "1.234567e+06"},
	    {"1200000", "1.2e+06"},
	    {"123456789", "1.23456789e+08"},
	    {"9007199254740992", "9.007199254740992e+15"},
	    {"1e10", "1e+10"},
	    {"1e300", "1e+300"},
	    {"x", "x"},
	    {"a\"b", "a\\\"b"},
	    {"", ""},
	};
	for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
		struct gs_label le = {GS_STR("le"), gs_str_of(bounds[i][0])}, quantile = {GS_STR("quantile"), le.value};
		char expected[128];
		snprintf(
		    expected, sizeof(expected), "# TYPE h histogram\nh_bucket{le=\"%s\"} 0\n# EOF\n", bounds[i][1]);
		assert_one(strict, FAMILY(NAME("h"), .type = GS_TYPE_HISTOGRAM),
		    SAMPLE(SUFFIX("_bucket"), .bound = &le), expected);
		assert_one(strict, FAMILY(NAME("h"), .type = GS_TYPE_HISTOGRAM),
		    SAMPLE(SUFFIX("_bucket"), .labels = &le, .nlabels = 1), expected);
		snprintf(expected, sizeof(expected), "# TYPE s summary\ns{quantile=\"%s\"} 0\n# EOF\n", bounds[i][1]);
		assert_one(strict, FAMILY(NAME("s"), .type = GS_TYPE_SUMMARY), SAMPLE(.bound = &quantile), expected);
	}
	/* in text as they were, and so where they are labels like others */
	struct gs_label le = LABEL("le", "1"), quantile = LABEL("quantile", "1");
	assert_one(text, FAMILY(NAME("h"), .type = GS_TYPE_HISTOGRAM), SAMPLE(SUFFIX("_bucket"), .bound = &le),
	    "# TYPE h histogram\nh_bucket{le=\"1\"} 0\n");
	assert_one(strict, FAMILY(NAME("g"), .type = GS_TYPE_GAUGE), SAMPLE(.bound = &le),
	    "# TYPE g gauge\ng{le=\"1\"} 0\n# EOF\n");
	assert_one(strict, FAMILY(NAME("h"), .type = GS_TYPE_HISTOGRAM), SAMPLE(SUFFIX("_bucket"), .bound = &quantile),
	    "# TYPE h histogram\nh_bucket{quantile=\"1\"} 0\n# EOF\n");
}

/* The plainest writing of a value, to compare with. */
static size_t escape_slowly(char *to, struct gs_str s) {
	size_t n = 0;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\' || s.p[i] == '\n')
			to[n++] = '\\';
		to[n++] = s.p[i] != '\n' ? s.p[i] : 'n';
	}
	return n;
}

static void assert_value(struct gs_expo_writer *w, char *copy, struct gs_str value) {
	char expected[512] = "m{k=\"";
	struct gs_label label = {GS_STR("k"), gs_str_make(copy, value.n)};
	memcpy(copy, value.p, value.n);
	size_t n = 5 + escape_slowly(expected + 5, value);
	memcpy(expected + n, "\"} 7\n", 6);
	gs_buf_clear(&out);
	gs_expo_write_sample(w, SAMPLE(.labels = &label, .nlabels = 1, .value = 7));
	assert_text(expected);
}

/* Every byte at every place of a value of any length up to some blocks; each value in memory of its own size, for the sanitizer to see what is
 * read beyond it. */
static void test_every_value(void **state) {
	(void)state;
	struct gs_expo_writer w;
	gs_expo_writer_init(&w, &out, text);
	gs_expo_write_family(&w, FAMILY(NAME("m"), .no_type = true));
	static const char odd[] = "\"\\\n!\x01\x80\xff]#\x0b";
	for (size_t n = 0; n <= 70; n++) {
		char *copy = gs_alloc(n != 0 ? n : 1), value[80];
		for (size_t i = 0; i < 80; i++)
			value[i] = (char)('a' + i % 26);
		assert_value(&w, copy, gs_str_make(value, n));
		for (size_t at = 0; at < n; at++) {
			char kept = value[at];
			for (size_t c = 0; c < sizeof(odd) - 1; c++) {
				value[at] = odd[c];
				assert_value(&w, copy, gs_str_make(value, n));
			}
			value[at] = kept;
		}
		memset(value, '"', n);
		assert_value(&w, copy, gs_str_make(value, n));
		gs_free(copy);
	}
}

/* Every byte at every place of a label name: quoted exactly if the name is no classic one. */
static void test_every_label_name(void **state) {
	(void)state;
	struct gs_expo_writer w;
	gs_expo_writer_init(&w, &out, text_1);
	gs_expo_write_family(&w, FAMILY(NAME("m"), .no_type = true));
	for (size_t n = 1; n <= 40; n++) {
		char *name = gs_alloc(n), expected[512];
		for (size_t k = 0; k < n * 256; k++) {
			struct gs_label label = {gs_str_make(name, n), GS_STR("v")};
			size_t at = k / 256, m = 2;
			memset(name, 'n', n);
			name[at] = (char)(k % 256);
			bool classic = gs_expo_is_label_name(label.name);
			memcpy(expected, "m{\"", 3);
			m += !classic;
			m += escape_slowly(expected + m, label.name);
			m += (size_t)snprintf(expected + m, sizeof(expected) - m, "%s=\"v\"} 0\n", classic ? "" : "\"");
			gs_buf_clear(&out);
			gs_expo_write_sample(&w, SAMPLE(.labels = &label, .nlabels = 1));
			assert_true(gs_str_eq(gs_buf_slice(&out), gs_str_make(expected, m)));
		}
		gs_free(name);
	}
	gs_buf_clear(&out);
}

/* A value of any bytes comes back as it was, and so does a HELP text. */
static void test_round_trip_of_texts(void **state) {
	(void)state;
	struct gs_expo_parser *parser = gs_expo_parser_new();
	uint32_t seed = 1;
	static const char alphabet[] = "ab\\\\\"\"\n\nn q{},=\t#";
	for (int i = 0; i < 20000; i++) {
		char bytes[24];
		struct gs_str s = gs_str_make(bytes, i % (int)sizeof(bytes));
		for (size_t k = 0; k < s.n; k++) {
			seed = seed * 1664525 + 1013904223;
			bytes[k] = alphabet[(seed >> 16) % (sizeof(alphabet) - 1)];
		}
		struct gs_label label = {GS_STR("l"), s};
		struct gs_expo_event event;
		gs_buf_clear(&out);
		write_one(text, FAMILY(NAME("m"), .type = GS_TYPE_GAUGE, .help = s),
		    SAMPLE(.labels = &label, .nlabels = 1, .value = i));
		gs_expo_begin_text(parser, gs_buf_slice(&out));
		assert_int_equal(gs_expo_next(parser, &event, NULL), GS_OK);
		if (s.n != 0) {
			assert_int_equal(event.kind, GS_EXPO_HELP);
			assert_true(gs_str_eq(event.text, s));
			assert_int_equal(gs_expo_next(parser, &event, NULL), GS_OK);
		}
		assert_int_equal(event.kind, GS_EXPO_TYPE);
		assert_int_equal(event.type, GS_TYPE_GAUGE);
		assert_int_equal(gs_expo_next(parser, &event, NULL), GS_OK);
		assert_true(event.value == i && event.nlabels == 1);
		assert_true(gs_str_eq(event.labels[0].value, s));
	}
	gs_buf_clear(&out);
	gs_expo_parser_free(parser);
}

/* What an event says, written: a HELP is kept for the head of its TYPE. */
static void write_event(struct gs_expo_writer *w, struct gs_str *help, const struct gs_expo_event *event) {
	struct gs_expo_family family = {.name = event->name, .type = event->type, .help = *help};
	struct gs_expo_sample sample = {.labels = event->labels,
	    .nlabels = event->nlabels,
	    .value = event->value,
	    .has_timestamp = event->has_timestamp,
	    .timestamp_ms = event->timestamp_ms};
	if (event->kind == GS_EXPO_HELP)
		*help = event->text;
	if (event->kind == GS_EXPO_TYPE) {
		gs_expo_write_family(w, &family);
		*help = (struct gs_str){0};
	}
	if (event->kind == GS_EXPO_SAMPLE) {
		family = (struct gs_expo_family){.name = event->name, .no_type = true};
		gs_expo_write_family(w, &family);
		gs_expo_write_sample(w, &sample);
	}
}

/* What was not touched keeps its bytes. */
static void test_canonical_body(void **state) {
	(void)state;
	static const char body[] =
	    "# HELP http_requests_total The total number of \"HTTP\" requests.\n"
	    "# TYPE http_requests_total counter\n"
	    "http_requests_total{method=\"post\",code=\"200\"} 1027 1395066363000\n"
	    "http_requests_total{method=\"post\",code=\"400\"} 3 1395066363000\n"
	    "# TYPE msdos gauge\n"
	    "msdos{path=\"C:\\\\DIR\\\\FILE.TXT\",error=\"no\\n\\\"FILE.TXT\\\"\"} 1.4582559155e+09\n"
	    "# TYPE odd untyped\n"
	    "odd{problem=\"division by zero\"} +Inf -3982045\n"
	    "odd NaN\n"
	    "# HELP h Two lines:\n"
	    "# TYPE h histogram\n"
	    "h_bucket{le=\"0.05\"} 24054\n"
	    "h_bucket{le=\"1\"} 133988\n"
	    "h_bucket{le=\"+Inf\"} 144320\n"
	    "h_sum 53423.25\n"
	    "h_count 144320\n";
	struct gs_expo_parser *parser = gs_expo_parser_new();
	struct gs_expo_writer w;
	struct gs_expo_event event = {0};
	struct gs_str help = {0};
	gs_expo_writer_init(&w, &out, text);
	gs_expo_begin_text(parser, gs_str_of(body));
	do {
		assert_int_equal(gs_expo_next(parser, &event, NULL), GS_OK);
		write_event(&w, &help, &event);
	} while (event.kind != GS_EXPO_END);
	assert_text(body);
	gs_expo_parser_free(parser);
}

static void test_prefix(void **state) {
	(void)state;
	struct gs_expo_writer w;
	struct gs_label le = LABEL("le", "1");
	gs_expo_writer_init(&w, &out, strict_utf8);
	gs_expo_write_family(&w, FAMILY(NAME("h.i"), .type = GS_TYPE_HISTOGRAM, .no_type = false));
	gs_buf_clear(&out);
	gs_expo_write_prefix(&w, SAMPLE(SUFFIX("_bucket"), LABELS(LABEL("a.b", "c\"")), .bound = &le));
	char prefix[64];
	struct gs_str kept = gs_str_make(prefix, out.n);
	memcpy(prefix, out.p, out.n);
	assert_text("{\"h.i_bucket\",\"a.b\"=\"c\\\"\",le=\"1.0\"}");
	gs_expo_write_series(&w, kept, SAMPLE(.value = 12));
	gs_expo_write_series(&w, kept, SAMPLE(.value = 0.5, .has_timestamp = true, .timestamp_ms = 1500));
	assert_text("{\"h.i_bucket\",\"a.b\"=\"c\\\"\",le=\"1.0\"} 12\n{\"h.i_bucket\",\"a.b\"=\"c\\\"\",le=\"1.0\"} "
		    "0.5 1.5\n");
	gs_expo_write_prefix(&w, SAMPLE(.value = 3));
	assert_text("{\"h.i\"}");
}

static void test_label(void **state) {
	(void)state;
	gs_expo_write_label(&out, true, GS_STR("a"), GS_STR("b"));
	gs_expo_write_label(&out, false, GS_STR("c"), (struct gs_str){0});
	gs_expo_write_label(&out, false, GS_STR("d"), GS_STR("\\x\"y\nz\\"));
	assert_text("a=\"b\",c=\"\",d=\"\\\\x\\\"y\\nz\\\\\"");
}

/* What breaks the specification is taken back, and nothing before it. The writer itself cannot be made to write what no line may be, but for
 * text that is no UTF-8. */
static void test_check_family(void **state) {
	(void)state;
	struct gs_expo_parser *parser = gs_expo_parser_new();
	struct gs_expo_writer w;
	struct gs_label good = LABEL("a.b", "x"), bad = LABEL("a.b", "\xff");
	gs_expo_writer_init(&w, &out, strict_utf8);
	assert_true(gs_expo_check_family(&w, parser, NULL)); /* nothing is nothing wrong */
	gs_expo_write_family(&w, FAMILY(NAME("a.b_total"), .type = GS_TYPE_COUNTER));
	gs_expo_write_sample(&w, SAMPLE(.bound = &good, .value = 1, .exemplar = &exemplar));
	assert_true(gs_expo_check_family(&w, parser, NULL));
	gs_expo_write_family(&w, FAMILY(NAME("b"), .type = GS_TYPE_GAUGE));
	gs_expo_write_sample(&w, SAMPLE(.bound = &good));
	gs_expo_write_sample(&w, SAMPLE(.bound = &bad));
	assert_false(gs_expo_check_family(&w, parser, NULL));
	assert_true(gs_expo_check_family(&w, parser, NULL));
	assert_text("# TYPE \"a.b\" counter\n{\"a.b_total\",\"a.b\"=\"x\"} 1 # {\"trace.id\"=\"a\\\"b\"} 0.5 1.5\n");
	/* text is not looked at */
	gs_expo_writer_init(&w, &out, text_1);
	gs_expo_write_family(&w, FAMILY(NAME("b"), .no_type = true));
	gs_expo_write_sample(&w, SAMPLE(.bound = &bad));
	assert_true(gs_expo_check_family(&w, parser, NULL));
	assert_text("b{\"a.b\"=\"\xff\"} 0\n");
	/* nor is what is not whole */
	struct gs_buf to;
	gs_buf_init(&to, 30);
	gs_expo_writer_init(&w, &to, strict);
	gs_expo_write_family(&w, FAMILY(NAME("b"), .type = GS_TYPE_GAUGE));
	gs_expo_write_sample(&w, SAMPLE(.bound = &bad));
	gs_expo_write_sample(&w, SAMPLE(.bound = &bad));
	assert_int_equal(to.status, GS_ELIMIT);
	assert_true(gs_expo_check_family(&w, parser, NULL));
	gs_buf_free(&to);
	gs_expo_parser_free(parser);
}

/* One bucket of each bound given, and whether that is a histogram. */
static bool is_histogram(
    struct gs_expo_parser *parser, struct gs_expo_seen *seen, const char *const *bounds, size_t n) {
	struct gs_expo_writer w;
	gs_expo_writer_init(&w, &out, strict);
	gs_expo_write_family(&w, FAMILY(NAME("h"), .type = GS_TYPE_HISTOGRAM));
	for (size_t i = 0; i < n; i++) {
		struct gs_label le = {GS_STR("le"), gs_str_of(bounds[i])};
		gs_expo_write_sample(&w, SAMPLE(SUFFIX("_bucket"), .bound = &le, .value = (double)i));
	}
	bool fine = gs_expo_check_family(&w, parser, seen);
	assert_int_equal(fine, out.n != 0);
	gs_buf_clear(&out);
	return fine;
}

/* Rules of more than one line. */
static void test_check_of_values(void **state) {
	(void)state;
	struct gs_expo_parser *parser = gs_expo_parser_new();
	struct gs_expo_seen *seen = gs_expo_seen_new();
	struct gs_expo_writer w;
	const struct gs_expo_family *counter = FAMILY(NAME("c_total"), .type = GS_TYPE_COUNTER);
	static const double numbers[] = {0, 1e300, INFINITY, -1, NAN};
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		gs_expo_writer_init(&w, &out, strict);
		gs_expo_write_family(&w, counter);
		gs_expo_write_sample(&w, SAMPLE(.value = numbers[i]));
		assert_int_equal(gs_expo_check_family(&w, parser, NULL), numbers[i] >= 0);
		gs_buf_clear(&out);
	}
	assert_true(is_histogram(parser, NULL, (const char *const[]){"1", "+Inf"}, 2));
	assert_false(is_histogram(parser, NULL, (const char *const[]){"1", "2"}, 2));
	assert_false(is_histogram(parser, NULL, (const char *const[]){"1", "x", "+Inf"}, 3));
	for (int twice = 0; twice < 2; twice++) {
		gs_expo_writer_init(&w, &out, strict);
		gs_expo_write_family(&w, FAMILY(NAME("g"), .type = GS_TYPE_GAUGE));
		for (int i = 0; i < 2; i++) {
			struct gs_label label = {GS_STR("a"), i == twice ? GS_STR("x") : GS_STR("y")};
			gs_expo_write_sample(&w, SAMPLE(.bound = twice ? NULL : &label));
		}
		assert_int_equal(gs_expo_check_family(&w, parser, seen), !twice);
		gs_buf_clear(&out);
	}
	gs_expo_seen_free(seen);
	gs_expo_parser_free(parser);
}

static void write_all(struct gs_buf *to) {
	struct gs_label label = LABEL("label", "a\nb"), plain = LABEL("label", "ab");
	struct gs_expo_writer w;
	gs_expo_writer_init(&w, to, strict);
	for (int i = 0; i < 200; i++) {
		gs_expo_write_family(&w, FAMILY(NAME("name_total"), .type = GS_TYPE_COUNTER, .help = GS_STR("help\n")));
		gs_expo_write_sample(&w, SAMPLE(.bound = &label, .value = 0.1, .exemplar = &exemplar));
		gs_expo_write_sample(&w, SAMPLE(.bound = &plain, .value = 0.1));
		gs_expo_write_series(&w, GS_STR("name_total"), SAMPLE(.value = 0.1));
		gs_expo_write_label(to, true, label.name, label.value);
	}
}

static void test_no_memory(void **state) {
	(void)state;
	bool failed = true;
	for (int n = 0; failed; n++) {
		struct gs_buf to;
		gs_buf_init(&to, 1 << 20);
		gs_mem_fail_after(n);
		write_all(&to);
		failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		assert_int_equal(to.status, failed ? GS_ENOMEM : GS_OK);
		gs_buf_check(&to);
		gs_buf_free(&to);
		assert_in_range(n, 0, 100);
	}
}

/* Near its maximum a buffer gets its lines by way of another one, for which there may be no memory either. */
static void test_no_memory_at_the_limit(void **state) {
	(void)state;
	struct gs_label label = LABEL("a", "b");
	for (int n = 0; n < 2; n++) {
		struct gs_buf to;
		struct gs_expo_writer w;
		gs_buf_init(&to, sizeof("m{a=\"b\"} 1\n") - 1);
		gs_expo_writer_init(&w, &to, text);
		gs_expo_write_family(&w, FAMILY(NAME("m"), .no_type = true));
		gs_mem_fail_after(n);
		gs_expo_write_sample(&w, SAMPLE(.labels = &label, .nlabels = 1, .value = 1));
		gs_mem_fail_after(-1);
		assert_int_equal(to.status, GS_ENOMEM);
		assert_int_equal(to.n, 0);
		gs_buf_free(&to);
	}
}

static void test_full_buffer(void **state) {
	(void)state;
	struct gs_buf to;
	gs_buf_init(&to, 1000);
	write_all(&to);
	assert_int_equal(to.status, GS_ELIMIT);
	assert_true(to.n <= 1000);
	gs_buf_free(&to);
}

/* Whatever room there is: all is written exactly when it fits, and of what does not fit whole lines. */
static void test_every_limit(void **state) {
	(void)state;
	static const char expected[] =
	    "# TYPE name histogram\n"
	    "# HELP name h\\n\n"
	    "name_bucket{a=\"q\\\"b\\\\n\\n\",le=\"1.0\"} 0.25 # {trace_id=\"a\\\"b\"} 0.5 1.5\n"
	    "name_sum{plain=\"value\"} 0.25 0.001\n"
	    "name_count 3\n"
	    "# EOF\n";
	const struct gs_label label = LABEL("a", "q\"b\\n\n"), bound = LABEL("le", "1"),
			      plain = LABEL("plain", "value");
	for (size_t max = 0; max < sizeof(expected) + 100; max++) {
		struct gs_expo_writer w;
		struct gs_buf to;
		gs_buf_init(&to, max);
		gs_expo_writer_init(&w, &to, strict);
		gs_expo_write_family(&w, FAMILY(NAME("name"), .type = GS_TYPE_HISTOGRAM, .help = GS_STR("h\n")));
		gs_expo_write_sample(&w, SAMPLE(SUFFIX("_bucket"), .labels = &label, .nlabels = 1, .bound = &bound,
					     .value = 0.25, .exemplar = &exemplar));
		gs_expo_write_sample(&w, SAMPLE(SUFFIX("_sum"), .labels = &plain, .nlabels = 1, .value = 0.25,
					     .has_timestamp = true, .timestamp_ms = 1));
		gs_expo_write_series(&w, GS_STR("name_count"), SAMPLE(.value = 3));
		gs_expo_write_end(&w);
		gs_buf_check(&to);
		assert_int_equal(to.status, max >= sizeof(expected) - 1 ? GS_OK : GS_ELIMIT);
		assert_true(to.n == 0 || to.p[to.n - 1] == '\n');
		assert_true(gs_str_starts(gs_str_of(expected), gs_buf_slice(&to)));
		if (to.status == GS_OK)
			assert_int_equal(to.n, sizeof(expected) - 1);
		gs_buf_free(&to);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_head_of_text),
	    cmocka_unit_test(test_types_of_text),
	    cmocka_unit_test(test_head_of_openmetrics),
	    cmocka_unit_test(test_units),
	    cmocka_unit_test(test_sample),
	    cmocka_unit_test(test_timestamps),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_names_that_look_escaped),
	    cmocka_unit_test(test_long_name),
	    cmocka_unit_test(test_exemplars),
	    cmocka_unit_test(test_long_exemplars),
	    cmocka_unit_test(test_created),
	    cmocka_unit_test(test_bounds_that_stand),
	    cmocka_unit_test(test_canonical_bounds),
	    cmocka_unit_test(test_every_value),
	    cmocka_unit_test(test_every_label_name),
	    cmocka_unit_test(test_round_trip_of_texts),
	    cmocka_unit_test(test_canonical_body),
	    cmocka_unit_test(test_prefix),
	    cmocka_unit_test(test_label),
	    cmocka_unit_test(test_check_family),
	    cmocka_unit_test(test_check_of_values),
	    cmocka_unit_test(test_no_memory),
	    cmocka_unit_test(test_no_memory_at_the_limit),
	    cmocka_unit_test(test_full_buffer),
	    cmocka_unit_test(test_every_limit),
	};
	return cmocka_run_group_tests(tests, open_buffer, close_buffer);
}
