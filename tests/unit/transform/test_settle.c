/* SPDX-License-Identifier: Apache-2.0 */
#include "transform_test.h"

#include "internal.h"

/* What a sample with these labels is called beside the target's, as name="value",... */
static void settles(const struct gs_label *target, size_t ntarget, bool honor, struct gs_label *own, size_t nown,
    enum gs_status expected_status, const char *expected) {
	struct gs_settle settle = {.labels = gs_labels_new(), .honor = honor};
	struct gs_expo_event event = {.kind = GS_EXPO_SAMPLE, .name = GS_STR("m"), .labels = own, .nlabels = nown};
	struct gs_buf text;
	size_t n;
	gs_buf_init(&text, 1 << 16);
	assert_int_equal(gs_settle_begin(&settle, target, ntarget), GS_OK);
	assert_int_equal(gs_settle(&settle, &event), expected_status);
	const struct gs_label *labels = gs_labels_sorted(settle.labels, &n);
	for (size_t i = 0; i < n && expected_status == GS_OK; i++)
		gs_expo_write_label(&text, i == 0, labels[i].name, labels[i].value);
	gs_buf_char(&text, '\0');
	if (expected_status == GS_OK)
		assert_string_equal(text.p, expected);
	gs_buf_free(&text);
	gs_labels_free(settle.labels);
	gs_free(settle.target);
}

static void test_the_target_is_sorted_and_without_empty_labels(void **state) {
	(void)state;
	static const struct gs_label target[] = {{GS_STR_INIT("z"), GS_STR_INIT("1")},
	    {GS_STR_INIT("e"), GS_STR_INIT("")}, {GS_STR_INIT("a"), GS_STR_INIT("2")}};
	struct gs_label own[] = {{GS_STR_INIT("e"), GS_STR_INIT("3")}, {GS_STR_INIT("n"), GS_STR_INIT("")}};
	settles(target, 3, false, own, 2, GS_OK, "__name__=\"m\",a=\"2\",e=\"3\",z=\"1\"");
	settles(NULL, 0, false, own, 2, GS_OK, "__name__=\"m\",e=\"3\"");
	settles(target, 3, false, NULL, 0, GS_OK, "__name__=\"m\",a=\"2\",z=\"1\"");
}

/* Cases of Prometheus' own test of conflicts (scrape_test.go, TestScrapeLoopAppendWithConflict...), and what follows from their rule. */
static void test_repeated_conflicts(void **state) {
	(void)state;
	static const struct gs_label foo[] = {{GS_STR_INIT("foo"), GS_STR_INIT("t")}};
	static const struct gs_label both[] = {
	    {GS_STR_INIT("exported_foo"), GS_STR_INIT("te")}, {GS_STR_INIT("foo"), GS_STR_INIT("t")}};
	struct gs_label one[] = {{GS_STR_INIT("foo"), GS_STR_INIT("1")}};
	struct gs_label two[] = {
	    {GS_STR_INIT("exported_foo"), GS_STR_INIT("1")}, {GS_STR_INIT("foo"), GS_STR_INIT("2")}};
	struct gs_label three[] = {{GS_STR_INIT("exported_exported_foo"), GS_STR_INIT("1")},
	    {GS_STR_INIT("exported_foo"), GS_STR_INIT("2")}, {GS_STR_INIT("foo"), GS_STR_INIT("3")}};
	settles(foo, 1, false, one, 1, GS_OK, "__name__=\"m\",exported_foo=\"1\",foo=\"t\"");
	settles(
	    foo, 1, false, two, 2, GS_OK, "__name__=\"m\",exported_exported_foo=\"2\",exported_foo=\"1\",foo=\"t\"");
	settles(foo, 1, false, three, 3, GS_OK,
	    "__name__=\"m\",exported_exported_exported_foo=\"3\",exported_exported_foo=\"1\",exported_foo=\"2\",foo="
	    "\"t\"");
	settles(
	    both, 2, false, one, 1, GS_OK, "__name__=\"m\",exported_exported_foo=\"1\",exported_foo=\"te\",foo=\"t\"");
	/* The shorter name is first. */
	settles(both, 2, false, two, 2, GS_OK,
	    "__name__=\"m\",exported_exported_exported_foo=\"1\",exported_exported_foo=\"2\",exported_foo=\"te\",foo="
	    "\"t\"");
	settles(both, 2, true, two, 2, GS_OK, "__name__=\"m\",exported_foo=\"1\",foo=\"2\"");
}

/* Whatever the order in which the target writes them. */
static void test_labels_in_any_order(void **state) {
	(void)state;
	static const struct gs_label target[] = {{GS_STR_INIT("b"), GS_STR_INIT("tb")},
	    {GS_STR_INIT("d"), GS_STR_INIT("td")}, {GS_STR_INIT("f"), GS_STR_INIT("tf")}};
	struct gs_label own[] = {{GS_STR_INIT("Z"), GS_STR_INIT("0")}, {GS_STR_INIT("a"), GS_STR_INIT("1")},
	    {GS_STR_INIT("b"), GS_STR_INIT("2")}, {GS_STR_INIT("c"), GS_STR_INIT("")},
	    {GS_STR_INIT("f"), GS_STR_INIT("")}, {GS_STR_INIT("g"), GS_STR_INIT("3")}};
	for (size_t i = 0; i < N(own); i++) {
		for (size_t k = 0; k < N(own); k++) {
			struct gs_label label = own[i];
			own[i] = own[k];
			own[k] = label;
			settles(target, 3, false, own, N(own), GS_OK,
			    "Z=\"0\",__name__=\"m\",a=\"1\",b=\"tb\",d=\"td\",exported_b=\"2\",f=\"tf\",g=\"3\"");
			settles(target, 3, true, own, N(own), GS_OK,
			    "Z=\"0\",__name__=\"m\",a=\"1\",b=\"2\",d=\"td\",g=\"3\"");
		}
	}
}

static void test_a_name_that_becomes_too_long(void **state) {
	(void)state;
	static char name[GS_LIMIT_NAME];
	memset(name, 'n', sizeof(name));
	struct gs_label fits[] = {{{name, GS_LIMIT_NAME - 9}, GS_STR_INIT("1")}};
	struct gs_label is_long[] = {{{name, GS_LIMIT_NAME - 8}, GS_STR_INIT("1")}};
	struct gs_settle settle = {.labels = gs_labels_new()};
	struct gs_expo_event event = {.kind = GS_EXPO_SAMPLE, .name = GS_STR("m"), .labels = fits, .nlabels = 1};
	size_t n;
	assert_int_equal(gs_settle_begin(&settle, fits, 1), GS_OK);
	assert_int_equal(gs_settle(&settle, &event), GS_OK);
	assert_int_equal(gs_labels_sorted(settle.labels, &n)[1].name.n, GS_LIMIT_NAME);
	assert_int_equal(gs_settle_begin(&settle, is_long, 1), GS_OK);
	event.labels = is_long;
	assert_int_equal(gs_settle(&settle, &event), GS_ELIMIT);
	gs_labels_free(settle.labels);
	gs_free(settle.target);
}

static void test_too_many_labels(void **state) {
	(void)state;
	static char names[GS_LIMIT_LABELS][8];
	static struct gs_label own[GS_LIMIT_LABELS];
	for (size_t i = 0; i < GS_LIMIT_LABELS; i++)
		own[i] =
		    (struct gs_label){{names[i], (size_t)snprintf(names[i], sizeof(names[i]), "l%zu", i)}, GS_STR("v")};
	struct gs_settle settle = {.labels = gs_labels_new()};
	struct gs_expo_event event = {.kind = GS_EXPO_SAMPLE, .name = GS_STR("m"), .labels = own};
	assert_int_equal(gs_settle_begin(&settle, usual_target, N(usual_target)), GS_OK);
	event.nlabels = GS_LIMIT_LABELS - 3;
	assert_int_equal(gs_settle(&settle, &event), GS_OK);
	event.nlabels = GS_LIMIT_LABELS - 2;
	assert_int_equal(gs_settle(&settle, &event), GS_ELIMIT);
	gs_labels_free(settle.labels);
	gs_free(settle.target);
}

/* Nothing that breaks a limit passes for what surely keeps it. */
static void test_what_is_surely_kept(void **state) {
	(void)state;
	static const char *const names[] = {"m", "abcdefghijkl"};
	static const char *const label_names[] = {"x", "job", "exported_job", "longer_name"};
	static const char *const values[] = {"", "j", "12345678"};
	size_t surely = 0, n;
	for (unsigned i = 0; i < 2 * 4 * 4 * 3 * 2 * 30; i++) {
		struct gs_label own[] = {{gs_str_of(label_names[i / 2 % 4]), gs_str_of(values[i / 8 % 3])},
		    {gs_str_of(label_names[i / 24 % 4]), GS_STR("v")}};
		struct gs_expo_event event = {.kind = GS_EXPO_SAMPLE, .name = gs_str_of(names[i % 2]), .labels = own};
		uint64_t limit = i / 192;
		struct gs_label_limits limits = {.labels = limit / 4,
		    .name_length = limit % 3 != 0 ? limit : 0,
		    .value_length = limit % 2 != 0 ? limit : 0};
		event.nlabels = i / 24 % 4 != i / 2 % 4 ? 2 : 1;
		struct gs_settle settle = {.labels = gs_labels_new(), .honor = i / 96 % 2 != 0};
		assert_int_equal(gs_settle_begin(&settle, usual_target, N(usual_target)), GS_OK);
		assert_int_equal(gs_settle(&settle, &event), GS_OK);
		const struct gs_label *labels = gs_labels_sorted(settle.labels, &n);
		if (gs_limits_surely_kept(&limits, &settle, &event)) {
			assert_int_equal(gs_limits_check(&limits, labels, n, NULL), GS_OK);
			surely++;
		}
		gs_labels_free(settle.labels);
		gs_free(settle.target);
	}
	assert_true(surely > 1000);
}

static void test_out_of_memory(void **state) {
	(void)state;
	static const struct gs_label target[] = {{GS_STR_INIT("foo"), GS_STR_INIT("t")}};
	struct gs_label own[] = {{GS_STR_INIT("foo"), GS_STR_INIT("1")}};
	struct gs_expo_event event = {.kind = GS_EXPO_SAMPLE, .name = GS_STR("m"), .labels = own, .nlabels = 1};
	for (int n = 0;; n++) {
		struct gs_settle settle = {.labels = gs_labels_new()};
		gs_mem_fail_after(n);
		enum gs_status status = gs_settle_begin(&settle, target, 1);
		if (status == GS_OK)
			status = gs_settle(&settle, &event);
		bool failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		gs_labels_free(settle.labels);
		gs_free(settle.target);
		assert_int_equal(status, failed ? GS_ENOMEM : GS_OK);
		if (!failed) {
			assert_true(n > 1);
			break;
		}
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_target_is_sorted_and_without_empty_labels),
	    cmocka_unit_test(test_repeated_conflicts),
	    cmocka_unit_test(test_labels_in_any_order),
	    cmocka_unit_test(test_a_name_that_becomes_too_long),
	    cmocka_unit_test(test_too_many_labels),
	    cmocka_unit_test(test_what_is_surely_kept),
	    cmocka_unit_test(test_out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
