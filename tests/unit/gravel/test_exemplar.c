/* SPDX-License-Identifier: Apache-2.0 */
/* Which exemplars are kept, which stands when several meet, and who gets them. */
#include "rich_test.h"

static const struct gs_store_options plain = {.max_age_ms = 10000};

#define COUNTER "# TYPE c counter\n"

static void test_from_openmetrics(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &plain);
	push_strict(&b, "",
	    COUNTER "c_total{a=\"1\"} 3 # {trace=\"x\\\"\\\\\\ny\",b=\"\"} 0.5 1700000000.25\n"
		    "c_total{a=\"2\"} 4 # {} 1\n"
		    "c_total{a=\"3\"} 5\n"
		    "# TYPE h histogram\n"
		    "h_bucket{le=\"1\"} 1 # {t=\"1\"} 0.5\n"
		    "h_bucket{le=\"2\"} 1\n"
		    "h_bucket{le=\"+Inf\"} 2 # {t=\"3\"} 9\n"
		    "h_count 2\n"
		    "h_sum 9.5\n"
		    "# TYPE g gaugehistogram\n"
		    "g_bucket{le=\"+Inf\"} 2 # {t=\"4\"} 9\n"
		    "g_gcount 2\n"
		    "g_gsum 9.5\n");
	assert_strict(&b, "# TYPE c counter\n"
			  "c_total{a=\"1\"} 3 # {trace=\"x\\\"\\\\\\ny\",b=\"\"} 0.5 1700000000.25\n"
			  "c_total{a=\"2\"} 4 # {} 1\n"
			  "c_total{a=\"3\"} 5\n"
			  "# TYPE g gaugehistogram\n"
			  "g_bucket{le=\"+Inf\"} 2 # {t=\"4\"} 9\n"
			  "g_gsum 9.5\n"
			  "g_gcount 2\n"
			  "# TYPE h histogram\n"
			  "h_bucket{le=\"1\"} 1 # {t=\"1\"} 0.5\n"
			  "h_bucket{le=\"2\"} 1\n"
			  "h_bucket{le=\"+Inf\"} 2 # {t=\"3\"} 9\n"
			  "h_sum 9.5\n"
			  "h_count 2\n");
	/* no reader of text has ever heard of one */
	assert_exposition(&b, "# TYPE c_total counter\n"
			      "c_total{a=\"1\"} 3\n"
			      "c_total{a=\"2\"} 4\n"
			      "c_total{a=\"3\"} 5\n"
			      "# TYPE g untyped\n"
			      "g_bucket{le=\"+Inf\"} 2\n"
			      "g_gsum 9.5\n"
			      "g_gcount 2\n"
			      "# TYPE h histogram\n"
			      "h_bucket{le=\"1\"} 1\n"
			      "h_bucket{le=\"2\"} 1\n"
			      "h_bucket{le=\"+Inf\"} 2\n"
			      "h_sum 9.5\n"
			      "h_count 2\n");
	bench_close(&b);
}

/* Text is laxer about where one may stand: only those of counters and buckets are kept. */
static void test_from_text(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &plain);
	assert_pushed(&b, "# TYPE c_total counter\n"
			  "c_total 3 # {trace=\"x\"} 0.5 1.5\n"
			  "# TYPE g gauge\n"
			  "g 3 # {trace=\"x\"} 0.5\n"
			  "u 3 # {trace=\"x\"} 0.5\n"
			  "# TYPE s summary\n"
			  "s{quantile=\"0.5\"} 3 # {trace=\"x\"} 0.5\n"
			  "s_count 3 # {trace=\"x\"} 0.5\n"
			  "# TYPE h histogram\n"
			  "h_bucket{le=\"+Inf\"} 3 # {trace=\"x\"} 7\n"
			  "h_count 3 # {trace=\"x\"} 0.5\n");
	assert_strict(&b, "# TYPE c counter\n"
			  "c_total 3 # {trace=\"x\"} 0.5 1.5\n"
			  "# TYPE g gauge\n"
			  "g 3\n"
			  "# TYPE h unknown\n" /* a count, but no sum */
			  "h_bucket{le=\"+Inf\"} 3\n"
			  "h_count 3\n"
			  "# TYPE s summary\n"
			  "s{quantile=\"0.5\"} 3\n"
			  "s_count 3\n"
			  "# TYPE u unknown\n"
			  "u 3\n");
	bench_close(&b);
}

static void test_protobuf(void **state) {
	(void)state;
	static const struct gs_label label = {GS_STR_INIT("trace.id"), GS_STR_INIT("x")};
	static const struct gs_exemplar exemplar = {
	    .labels = &label, .nlabels = 1, .value = 2, .has_timestamp = true, .timestamp_ms = -1500};
	struct gs_expo_family family = {.name = GS_STR("c_total"), .type = GS_TYPE_COUNTER};
	struct gs_expo_pb_writer writer;
	struct gs_buf body;
	struct bench b;
	bench_open(&b, &plain);
	gs_buf_init(&body, 1 << 20);
	gs_expo_pb_init(&writer, &body, GS_ESCAPE_NONE);
	gs_expo_pb_begin_family(&writer, &family, (struct gs_str){0});
	gs_expo_pb_begin_metric(&writer, NULL, 0);
	gs_expo_pb_value(&writer, 3, &exemplar);
	gs_expo_pb_end_metric(&writer);
	gs_expo_pb_end_family(&writer);
	assert_int_equal(push_as(&b, GS_FORMAT_PROTOBUF, "", gs_buf_slice(&body)), GS_OK);
	gs_buf_free(&body);
	assert_strict(&b, COUNTER "c_total 3 # {\"trace.id\"=\"x\"} 2 -1.5\n");
	assert_served(&b, strict_values, COUNTER "c_total 3 # {U__trace_2e_id=\"x\"} 2 -1.5\n");
	assert_binary(&b, "T c_total counter\nc_total 3 #{trace.id=x} 2 @-1500\n");
	bench_close(&b);
}

/* 128 characters, however many bytes they have; what is longer is not kept, and refuses nothing. */
static void test_lengths(void **state) {
	(void)state;
	static const size_t bytes[] = {1, 2, 3, 4};
	static const char *const character[] = {"a", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
	for (size_t i = 0; i < 4; i++) {
		for (size_t n = 126; n <= 128; n++) {
			char body[1024], expected[1024], value[600];
			struct bench b;
			for (size_t k = 0; k < n; k++)
				memcpy(value + k * bytes[i], character[i], bytes[i]);
			value[n * bytes[i]] = '\0';
			bench_open(&b, &plain);
			snprintf(body, sizeof(body), "# TYPE c_total counter\nc_total 3 # {t=\"%s\"} 1\n", value);
			assert_pushed(&b, body);
			snprintf(expected, sizeof(expected), COUNTER "c_total 3 # {t=\"%s\"} 1\n", value);
			assert_strict(&b, n + 1 <= 128 ? expected : COUNTER "c_total 3\n");
			bench_close(&b);
		}
	}
}

/* As many labels as there can be. */
static void test_labels(void **state) {
	(void)state;
	char labels[1024], body[4096], expected[4096];
	size_t n = 0;
	struct bench b;
	for (unsigned i = 0; i < 52; i++)
		n += (size_t)snprintf(labels + n, sizeof(labels) - n, "%s%c=\"%s\"", i != 0 ? "," : "",
		    i < 26 ? 'a' + i : 'A' + i - 26, i == 51 ? "" : "1");
	snprintf(body, sizeof(body), "# TYPE c_total counter\nc_total 3 # {%s} 1\n", labels);
	snprintf(expected, sizeof(expected), COUNTER "c_total 3 # {%s} 1\n", labels);
	bench_open(&b, &plain);
	assert_pushed(&b, body);
	assert_strict(&b, expected);
	bench_close(&b);
}

/* What an exemplar says that is stored, and then one that is pushed. NULL: there is none. */
static void assert_newest(const char *clearmode, const char *stored, const char *pushed, const char *stands) {
	char body[256], expected[256];
	struct bench b;
	bench_open(&b, &plain);
	snprintf(body, sizeof(body), COUNTER "c_total 1%s\n# EOF\n", stored);
	assert_int_equal(push_as(&b, GS_FORMAT_OPENMETRICS, clearmode, gs_str_of(body)), GS_OK);
	snprintf(body, sizeof(body), COUNTER "c_total 1%s\n# EOF\n", pushed);
	assert_int_equal(push_as(&b, GS_FORMAT_OPENMETRICS, clearmode, gs_str_of(body)), GS_OK);
	int value = strcmp(clearmode, "aggregate") == 0 ? 2 : 1;
	snprintf(expected, sizeof(expected), COUNTER "c_total %d%s\n", value, stands);
	assert_strict(&b, expected);
	bench_close(&b);
}

#define OLD " # {t=\"old\"} 1 5"
#define NEW " # {t=\"new\"} 1 6"
#define BARE " # {t=\"bare\"} 1"

static void test_newest(void **state) {
	(void)state;
	static const char *const merging[] = {"aggregate", "min", "max"};
	for (size_t i = 0; i < 3; i++) {
		assert_newest(merging[i], OLD, NEW, NEW);
		assert_newest(merging[i], NEW, OLD, NEW);
		assert_newest(merging[i], OLD, " # {t=\"same\"} 1 5", " # {t=\"same\"} 1 5");
		assert_newest(merging[i], OLD, BARE, BARE);
		assert_newest(merging[i], BARE, OLD, OLD);
		assert_newest(merging[i], OLD, "", OLD);
		assert_newest(merging[i], "", OLD, OLD);
	}
	assert_newest("replace", NEW, OLD, OLD);
	assert_newest("replace", NEW, "", "");
	assert_newest("family", NEW, OLD, OLD);
	assert_newest("family", NEW, "", "");
}

/* Of each bound the newest, also where only one side has the bound. */
static void test_histograms(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &plain);
	push_strict(&b, "",
	    "# TYPE h histogram\n"
	    "h_bucket{le=\"1\"} 1 # {t=\"a1\"} 1 9\n"
	    "h_bucket{le=\"3\"} 1 # {t=\"a3\"} 1 1\n"
	    "h_bucket{le=\"5\"} 1 # {t=\"a5\"} 1\n"
	    "h_bucket{le=\"+Inf\"} 1\n");
	push_strict(&b, "",
	    "# TYPE h histogram\n"
	    "h_bucket{le=\"1\"} 1 # {t=\"b1\"} 1 8\n"
	    "h_bucket{le=\"2\"} 1 # {t=\"b2\"} 1\n"
	    "h_bucket{le=\"3\"} 1 # {t=\"b3\"} 1 2\n"
	    "h_bucket{le=\"+Inf\"} 1 # {t=\"bi\"} 1\n");
	assert_strict(&b, "# TYPE h unknown\n"
			  "h_bucket{le=\"1\"} 2\n"
			  "h_bucket{le=\"2\"} 2\n"
			  "h_bucket{le=\"3\"} 2\n"
			  "h_bucket{le=\"5\"} 2\n"
			  "h_bucket{le=\"+Inf\"} 2\n"
			  "h_count 2\n");
	push_strict(&b, "",
	    "# TYPE h histogram\n"
	    "h_bucket{le=\"+Inf\"} 1\n"
	    "h_count 1\n"
	    "h_sum 1\n");
	assert_strict(&b, "# TYPE h histogram\n"
			  "h_bucket{le=\"1\"} 2 # {t=\"a1\"} 1 9\n"
			  "h_bucket{le=\"2\"} 2 # {t=\"b2\"} 1\n"
			  "h_bucket{le=\"3\"} 2 # {t=\"b3\"} 1 2\n"
			  "h_bucket{le=\"5\"} 2 # {t=\"a5\"} 1\n"
			  "h_bucket{le=\"+Inf\"} 3 # {t=\"bi\"} 1\n"
			  "h_sum 1\n"
			  "h_count 3\n");
	push_strict(&b, "replace",
	    "# TYPE h histogram\n"
	    "h_bucket{le=\"3\"} 1 # {t=\"c3\"} 1 2\n"
	    "h_bucket{le=\"+Inf\"} 1\n"
	    "h_count 1\n"
	    "h_sum 1\n");
	assert_strict(&b, "# TYPE h histogram\n"
			  "h_bucket{le=\"3\"} 1 # {t=\"c3\"} 1 2\n"
			  "h_bucket{le=\"+Inf\"} 1\n"
			  "h_sum 1\n"
			  "h_count 1\n");
	bench_close(&b);
}

/* A pebble has none, and what comes after it begins without. */
static void test_pebbles(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &plain);
	push_strict(&b, "", COUNTER "c_total 1" NEW "\n");
	push_strict(&b, "sum5m", COUNTER "c_total 1" NEW "\n");
	assert_strict(&b, "# TYPE c_total unknown\nc_total 1\n");
	push_strict(&b, "aggregate", COUNTER "c_total 1\n");
	assert_strict(&b, COUNTER "c_total 1\n");
	bench_close(&b);
}

/* A scrape that has one no more takes it away; readers see that as a change, and nothing else. */
static void test_versions(void **state) {
	(void)state;
	static const struct {
		const char *body;
		bool changes;
	} scrapes[] = {
	    {"# TYPE c_total counter\nc_total 1\n", true},
	    {"# TYPE c_total counter\nc_total 1\n", false},
	    {"# TYPE c_total counter\nc_total 1 # {t=\"1\"} 1\n", true},
	    {"# TYPE c_total counter\nc_total 1 # {t=\"1\"} 1\n", false},
	    {"# TYPE c_total counter\nc_total 1 # {t=\"2\"} 1\n", true},
	    {"# TYPE c_total counter\nc_total 1 # {t=\"2\"} 2\n", true},
	    {"# TYPE c_total counter\nc_total 1 # {t=\"2\"} 2 1\n", true},
	    {"# TYPE c_total counter\nc_total 1 # {t=\"2\"} 2 2\n", true},
	    {"# TYPE c_total counter\nc_total 1\n", true},
	};
	struct gs_family_view view;
	struct bench b;
	uint64_t last = 0;
	bench_open(&b, &plain);
	for (size_t i = 0; i < sizeof(scrapes) / sizeof(scrapes[0]); i++) {
		assert_int_equal(scrape_at(&b, "i", T0 + (int64_t)i, scrapes[i].body), GS_OK);
		assert_true(gs_store_family(b.store, GS_STR("c_total"), &view));
		assert_int_equal(view.version != last, scrapes[i].changes);
		last = view.version;
	}
	assert_strict(&b, COUNTER "c_total{instance=\"i\",job=\"j\"} 1\n");
	bench_close(&b);
}

/* A series without any costs what it did. */
static void test_costs_nothing(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &plain);
	push_strict(&b, "", COUNTER "c_total 1" NEW "\n");
	size_t with = gs_store_stats(b.store).bytes;
	push_strict(&b, "replace", COUNTER "c_total 1\n");
	for (int i = 0; i < 1000; i++)
		push_strict(&b, "replace", COUNTER "c_total 1" NEW "\n");
	assert_int_equal(gs_store_stats(b.store).bytes, with); /* and nothing is lost */
	bench_close(&b);
}

/* Each failure of memory leaves the store as it was. */
static void test_no_memory(void **state) {
	(void)state;
	static const char first[] = COUNTER "c_total 1" OLD "\n# TYPE h histogram\n"
					    "h_bucket{le=\"1\"} 1 # {t=\"a\"} 1\nh_bucket{le=\"+Inf\"} 1\n"
					    "h_count 1\nh_sum 1\n# EOF\n";
	static const char second[] = COUNTER "c_total 1" NEW "\n# TYPE h histogram\n"
					     "h_bucket{le=\"2\"} 1 # {t=\"b\"} 1\nh_bucket{le=\"+Inf\"} 1\n"
					     "h_count 1\nh_sum 1\n# EOF\n";
	bool failed = true;
	for (int64_t i = 0; failed; i++) {
		struct bench b;
		bench_open(&b, &plain);
		assert_int_equal(push_as(&b, GS_FORMAT_OPENMETRICS, "", GS_STR(first)), GS_OK);
		char *before = exposition_in(&b, strict_utf8);
		gs_mem_fail_after(i);
		enum gs_status status = push_as(&b, GS_FORMAT_OPENMETRICS, "", GS_STR(second));
		failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		assert_int_equal(status, failed ? GS_ENOMEM : GS_OK);
		if (failed)
			assert_strict(&b, before);
		gs_free(before);
		assert_int_equal(push_as(&b, GS_FORMAT_OPENMETRICS, "replace", GS_STR(second)), GS_OK);
		assert_strict(&b, COUNTER "c_total 1" NEW "\n# TYPE h histogram\n"
					  "h_bucket{le=\"2\"} 1 # {t=\"b\"} 1\nh_bucket{le=\"+Inf\"} 1\n"
					  "h_sum 1\nh_count 1\n");
		bench_close(&b);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_from_openmetrics),
	    cmocka_unit_test(test_from_text),
	    cmocka_unit_test(test_protobuf),
	    cmocka_unit_test(test_lengths),
	    cmocka_unit_test(test_labels),
	    cmocka_unit_test(test_newest),
	    cmocka_unit_test(test_histograms),
	    cmocka_unit_test(test_pebbles),
	    cmocka_unit_test(test_versions),
	    cmocka_unit_test(test_costs_nothing),
	    cmocka_unit_test(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
