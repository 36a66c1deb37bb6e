/* SPDX-License-Identifier: Apache-2.0 */
/* Pages in JSON, as the bytes that they are. */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <stdatomic.h>
#include <string.h>

#include "gravel/base/clock.h"
#include "gravel/base/mem.h"
#include "gravel/ingest/ingest.h"
#include "gravel/telemetry/telemetry.h"
#include "gravel/wire/wire.h"

static struct gs_ingest *open_ingest(void) {
	struct gs_ingest_options options = {
	    .store = {.max_age_ms = 80000},
	    .publisher_label = true,
	    .topic = "prometheus",
	    .push_samples = 1000,
	    .pushes_in_flight = 64,
	};
	struct gs_ingest *ingest = NULL;
	gs_telemetry_reset();
	assert_int_equal(gs_ingest_new(&options, &ingest, NULL), GS_OK);
	return ingest;
}

struct outcome {
	_Atomic int done; /* 1 and the status */
};

static void on_done(void *ctx, enum gs_status status, const struct gs_error *err) {
	struct outcome *outcome = ctx;
	(void)err;
	atomic_store(&outcome->done, 1 + (int)status);
}

static void put(struct gs_ingest *ingest, const char *job, const char *body, enum gs_status wanted) {
	struct outcome outcome = {0};
	struct gs_label labels[] = {{GS_STR("job"), gs_str_of(job)}, {GS_STR("z"), GS_STR("\"\\\n")}};
	struct gs_ingest_push what = {
	    .body = gs_str_of(body), .labels = labels, .nlabels = 2, .done = on_done, .ctx = &outcome};
	assert_int_equal(gs_ingest_gateway(ingest, GS_GATEWAY_PUT, &what, NULL), GS_OK);
	while (atomic_load(&outcome.done) == 0)
		gs_clock_sleep_ms(1);
	assert_int_equal(atomic_load(&outcome.done) - 1, wanted);
}

/* A failed scrape: it has a header and no body. */
static void scrape(struct gs_ingest *ingest, const char *instance, int64_t time_ms) {
	struct gs_wire_group group = {GS_STR("dc1"), GS_STR("node"), gs_str_of(instance)};
	struct gs_wire_header header = {.kind = GS_WIRE_SCRAPE,
	    .time_ms = time_ms,
	    .sent_ms = time_ms + 20,
	    .interval_ms = 15000,
	    .parts = 1,
	    .cause = GS_STR("connect")};
	struct gs_buf subject, line;
	gs_buf_init(&subject, 4096);
	gs_buf_init(&line, GS_LIMIT_HEADER);
	gs_wire_subject(&subject, GS_STR("prometheus"), &group, 0);
	gs_wire_header_write(&line, &header);
	struct gs_ingest_message message = {
	    .subject = gs_buf_slice(&subject), .header = gs_buf_slice(&line), .stored_ms = time_ms + 50};
	gs_ingest_message(ingest, &message);
	gs_buf_free(&subject);
	gs_buf_free(&line);
	gs_ingest_refresh(ingest);
	gs_ingest_refresh(ingest); /* the first may be served before the queue is */
}

/* The page, with a T for every time; static memory. */
static const char *page(struct gs_ingest *ingest, enum gs_ingest_page which) {
	static char text[65536];
	struct gs_buf out;
	size_t n = 0;
	gs_buf_init(&out, sizeof(text) - 1);
	gs_ingest_page(ingest, which, &out);
	assert_int_equal(out.status, GS_OK);
	for (size_t i = 0; i < out.n; i++) {
		if (i + 26 <= out.n && out.p[i] == '"' && out.p[i + 5] == '-' && out.p[i + 25] == '"' &&
		    out.p[i + 24] == 'Z') {
			text[n++] = 'T';
			i += 25;
			continue;
		}
		text[n++] = out.p[i];
	}
	text[n] = '\0';
	gs_buf_free(&out);
	return text;
}

/* From the first ${name} on, up to the next ${end} (empty: all). */
static void assert_part(const char *text, const char *name, const char *end, const char *wanted) {
	const char *at = strstr(text, name);
	assert_non_null(at);
	const char *stop = end[0] != '\0' ? strstr(at, end) : at + strlen(at);
	assert_non_null(stop);
	size_t n = (size_t)(stop - at);
	if (n != strlen(wanted) || memcmp(at, wanted, n) != 0)
		fail_msg("%.*s\nis not\n%s", (int)n, at, wanted);
}

static void test_metrics(void **state) {
	(void)state;
	struct gs_ingest *ingest = open_ingest();
	assert_string_equal(page(ingest, GS_PAGE_METRICS), "{\"status\":\"success\",\"data\":[]}");
	put(ingest, "x",
	    "# HELP c Some \\\\ help.\n# TYPE c counter\nc 1000000\nc{l=\"\\\\\"} NaN\n"
	    "# TYPE h histogram\nh_bucket{l=\"1\",le=\"1.0\"} 1\nh_bucket{l=\"1\",le=\"+Inf\"} 2\nh_sum{l=\"1\"} "
	    "3\nh_count{l=\"1\"} 2\n"
	    "h_bucket{l=\"2\",le=\"+Inf\"} 0\nh_sum{l=\"2\"} 0\nh_count{l=\"2\"} 0\n"
	    "# TYPE s summary\ns{quantile=\"0.5\"} 7\ns_sum 3\ns_count 2\n"
	    "# TYPE t summary\nt_sum 3\nt_count 2\n",
	    GS_OK);
	const char *text = page(ingest, GS_PAGE_METRICS);
	assert_part(text, "{\"labels\"", ",\"c\"",
	    "{\"labels\":{\"job\":\"x\",\"z\":\"\\\"\\\\\\n\"},\"last_push_successful\":true");
#define L "\"instance\":\"\",\"job\":\"x\""
#define Z ",\"z\":\"\\\"\\\\\\n\""
	assert_part(text, "\"c\":", ",\"h\":",
	    "\"c\":{\"help\":\"Some \\\\ help.\",\"type\":\"COUNTER\",\"time_stamp\":T,\"metrics\":["
	    "{\"labels\":{" L ",\"l\":\"\\\\\"" Z "},\"value\":\"NaN\"},{\"labels\":{" L Z
	    "},\"value\":\"1000000\"}]}");
	assert_part(text, "\"h\":", ",\"push_failure",
	    "\"h\":{\"type\":\"HISTOGRAM\",\"time_stamp\":T,\"metrics\":["
	    "{\"labels\":{" L ",\"l\":\"1\"" Z
	    "},\"buckets\":{\"1\":\"1\",\"+Inf\":\"2\"},\"sum\":\"3\",\"count\":\"2\"},"
	    "{\"labels\":{" L ",\"l\":\"2\"" Z "},\"buckets\":{\"+Inf\":\"0\"},\"sum\":\"0\",\"count\":\"0\"}]}");
	assert_part(text, "\"s\":", "",
	    "\"s\":{\"type\":\"SUMMARY\",\"time_stamp\":T,\"metrics\":[{\"labels\":{" L Z
	    "},\"quantiles\":{\"0.5\":\"7\"},\"sum\":\"3\",\"count\":\"2\"}]},"
	    "\"t\":{\"type\":\"SUMMARY\",\"time_stamp\":T,\"metrics\":[{\"labels\":{" L Z
	    "},\"quantiles\":{},\"sum\":\"3\",\"count\":\"2\"}]}}]}");
	gs_ingest_free(ingest);
}

static void test_groups(void **state) {
	(void)state;
	struct gs_ingest *ingest = open_ingest();
	assert_string_equal(page(ingest, GS_PAGE_GROUPS), "{\"status\":\"success\",\"data\":[]}");
	put(ingest, "x", "a 1 5\n", GS_EINVAL);
	scrape(ingest, "a:1", gs_clock_wall_ms());
	assert_string_equal(page(ingest, GS_PAGE_GROUPS),
	    "{\"status\":\"success\",\"data\":[{\"kind\":\"gateway\",\"labels\":{\"job\":\"x\",\"z\":\"\\\"\\\\\\n\"},"
	    "\"series\":2,"
	    "\"last_push\":null,\"last_failure\":T,\"last_push_successful\":false},{\"kind\":\"scrape\",\"labels\":{"
	    "\"instance\":\"a:1\",\"job\":\"node\",\"publisher\":\"dc1\"},\"series\":5,\"last_scrape\":T,\"stale\":"
	    "false}]}");
	gs_ingest_free(ingest);
}

static void test_targets_and_publishers(void **state) {
	(void)state;
	struct gs_ingest *ingest = open_ingest();
	assert_string_equal(page(ingest, GS_PAGE_TARGETS), "{\"status\":\"success\",\"data\":[]}");
	assert_string_equal(page(ingest, GS_PAGE_PUBLISHERS), "{\"status\":\"success\",\"data\":[]}");
	scrape(ingest, "a:1", gs_clock_wall_ms() - 5000);
	const char *text = page(ingest, GS_PAGE_TARGETS);
	assert_part(text, "{\"publisher\"", "\"age_seconds\"",
	    "{\"publisher\":\"dc1\",\"job\":\"node\",\"instance\":\"a:1\",\"state\":\"fresh\",\"last_scrape\":T,");
	assert_part(text, "\"interval_seconds\"", "", "\"interval_seconds\":15,\"series\":5}]}");
	assert_non_null(strstr(text, "\"age_seconds\":5"));
	text = page(ingest, GS_PAGE_PUBLISHERS);
	assert_part(text, "[", "\"lag_seconds\"", "[{\"publisher\":\"dc1\",\"last_seen\":T,");
	assert_non_null(strstr(text, "\"lag_seconds\":"));
	assert_part(text, "\"clock_skew_seconds\"", "", "\"clock_skew_seconds\":-0.03}]}");
	gs_ingest_free(ingest);
}

static void test_status(void **state) {
	(void)state;
	struct gs_ingest *ingest = open_ingest();
	put(ingest, "x", "a 1\n", GS_OK);
	const char *text = page(ingest, GS_PAGE_STATUS);
	assert_part(text, "{\"status\"", ",\"bytes\"",
	    "{\"status\":\"success\",\"data\":{\"build_information\":{\"branch\":\"\",\"buildDate\":\"\",\"buildUser\":"
	    "\"\","
	    "\"goVersion\":\"\",\"revision\":\"\",\"version\":\"" GRAVEL_VERSION
	    "\"},\"flags\":{},\"start_time\":T,\"families\":3,\"series\":3");
	assert_part(text, "\"groups\"", "", "\"groups\":{\"fresh\":0,\"stale\":0,\"gateway\":1}}}");
	gs_ingest_free(ingest);
}

/* A page that does not fit or finds no memory is an error, never half a page. */
static void test_limit_and_memory(void **state) {
	(void)state;
	static const enum gs_ingest_page pages[] = {
	    GS_PAGE_STATUS, GS_PAGE_METRICS, GS_PAGE_GROUPS, GS_PAGE_TARGETS, GS_PAGE_PUBLISHERS};
	struct gs_ingest *ingest = open_ingest();
	put(ingest, "x", "a 1\nb 2\n", GS_OK);
	scrape(ingest, "a:1", gs_clock_wall_ms());
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		struct gs_buf whole, out;
		gs_buf_init(&whole, 1 << 20);
		gs_ingest_page(ingest, pages[i], &whole);
		assert_int_equal(whole.status, GS_OK);
		gs_buf_init(&out, whole.n / 2);
		gs_ingest_page(ingest, pages[i], &out);
		assert_int_equal(out.status, GS_ELIMIT);
		gs_buf_free(&out);
		bool done = false;
		for (int64_t n = 0; !done; n++) {
			gs_buf_init(&out, 1 << 20);
			gs_mem_fail_after(n);
			gs_ingest_page(ingest, pages[i], &out);
			done = !gs_mem_failed();
			gs_mem_fail_after(-1);
			/* Another thread may have met the failure. */
			assert_true(out.status == GS_ENOMEM || out.status == GS_OK);
			if (done)
				assert_int_equal(out.status, GS_OK);
			gs_buf_free(&out);
			assert_true(n < 1000);
		}
		gs_buf_free(&whole);
	}
	gs_ingest_free(ingest);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_metrics),
	    cmocka_unit_test(test_groups),
	    cmocka_unit_test(test_targets_and_publishers),
	    cmocka_unit_test(test_status),
	    cmocka_unit_test(test_limit_and_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
