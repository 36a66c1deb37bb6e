/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gravel/expo/format.h"

static void assert_escaped(struct gs_str name, enum gs_name_kind kind, enum gs_escaping scheme, const char *expected) {
	char out[GS_EXPO_ESCAPED_MAX(64) + 1];
	assert_in_range(name.n, 0, 64);
	memset(out, '!', sizeof(out));
	size_t n = gs_expo_escape(out, name, kind, scheme);
	assert_in_range(n, 0, GS_EXPO_ESCAPED_MAX(name.n));
	assert_int_equal(out[n], '!');
	out[n] = '\0';
	assert_string_equal(out, expected);
}

/* The examples of Prometheus' documents and tests, and what those leave out. */
static const struct {
	struct gs_str name;
	const char *underscores;
	const char *dots;
	const char *values;
} cases[] = {
    {GS_STR_INIT(""), "", "", ""},
    {GS_STR_INIT("a"), "a", "a", "a"},
    {GS_STR_INIT("a_b"), "a_b", "a__b", "a_b"},
    {GS_STR_INIT("no:escaping_required"), "no:escaping_required", "no:escaping__required", "no:escaping_required"},
    {GS_STR_INIT("mysystem.prod.west.cpu.load"), "mysystem_prod_west_cpu_load",
	"mysystem_dot_prod_dot_west_dot_cpu_dot_load", "U__mysystem_2e_prod_2e_west_2e_cpu_2e_load"},
    {GS_STR_INIT("mysystem.prod.west.cpu.load_total"), "mysystem_prod_west_cpu_load_total",
	"mysystem_dot_prod_dot_west_dot_cpu_dot_load__total", "U__mysystem_2e_prod_2e_west_2e_cpu_2e_load__total"},
    {GS_STR_INIT("http.status:sum"), "http_status:sum", "http_dot_status:sum", "U__http_2e_status:sum"},
    {GS_STR_INIT("label with \xf0\x9f\x98\xb1"), "label_with__", "label__with____", "U__label_20_with_20__1f631_"},
    {GS_STR_INIT("\xe8\x8a\xb1\xe7\x81\xab"), "__", "____", "U___82b1__706b_"},
    {GS_STR_INIT("label with \xc4\x80"), "label_with__", "label__with____", "U__label_20_with_20__100_"},
    {GS_STR_INIT("metric.name/with/slashes"), "metric_name_with_slashes", "metric_dot_name__with__slashes",
	"U__metric_2e_name_2f_with_2f_slashes"},
    /* a digit is fine but in front */
    {GS_STR_INIT("1abc"), "_abc", "__abc", "U___31_abc"},
    {GS_STR_INIT("1.5"), "__5", "___dot_5", "U___31__2e_5"},
    {GS_STR_INIT("a1"), "a1", "a1", "a1"},
    {GS_STR_INIT("."), "_", "_dot_", "U___2e_"},
    {GS_STR_INIT("_."), "__", "___dot_", "U_____2e_"},
    {GS_STR_INIT("a\"b\\c\nd"), "a_b_c_d", "a__b__c__d", "U__a_22_b_5c_c_a_d"},
    {GS_STR_INIT("\0a"), "_a", "__a", "U___0_a"},
    {GS_STR_INIT("a\x7f"), "a_", "a__", "U__a_7f_"},
    {GS_STR_INIT("\xf4\x8f\xbf\xbf"), "_", "__", "U___10ffff_"},
    {GS_STR_INIT("\xef\xbf\xbd"), "_", "__", "U___fffd_"},
    {GS_STR_INIT("U__a"), "U__a", "U____a", "U__a"},
    /* each byte that is no UTF-8 counts as one U+FFFD: stray, overlong, a surrogate, beyond the last code point, cut off */
    {GS_STR_INIT("a\xff"), "a_", "a__", "U__a_fffd_"},
    {GS_STR_INIT("\x80z"), "_z", "__z", "U___fffd_z"},
    {GS_STR_INIT("\xc0\xaf"), "__", "____", "U___fffd__fffd_"},
    {GS_STR_INIT("\xed\xa0\x80"), "___", "______", "U___fffd__fffd__fffd_"},
    {GS_STR_INIT("\xf4\x90\x80\x80"), "____", "________", "U___fffd__fffd__fffd__fffd_"},
    {GS_STR_INIT("\xe8\x8a"), "__", "____", "U___fffd__fffd_"},
    {GS_STR_INIT("\xe8\x8a.x"), "___x", "_____dot_x", "U___fffd__fffd__2e_x"},
};

static void test_metric_names(void **state) {
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_escaped(cases[i].name, GS_NAME_METRIC, GS_ESCAPE_UNDERSCORES, cases[i].underscores);
		assert_escaped(cases[i].name, GS_NAME_METRIC, GS_ESCAPE_DOTS, cases[i].dots);
		assert_escaped(cases[i].name, GS_NAME_METRIC, GS_ESCAPE_VALUES, cases[i].values);
	}
}

/* Names are as metric names are, but for the colon. */
static void test_label_names(void **state) {
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (cases[i].name.n != 0 && memchr(cases[i].name.p, ':', cases[i].name.n) != NULL)
			continue;
		assert_escaped(cases[i].name, GS_NAME_LABEL, GS_ESCAPE_UNDERSCORES, cases[i].underscores);
		assert_escaped(cases[i].name, GS_NAME_LABEL, GS_ESCAPE_DOTS, cases[i].dots);
		assert_escaped(cases[i].name, GS_NAME_LABEL, GS_ESCAPE_VALUES, cases[i].values);
	}
	assert_escaped(GS_STR("a:b"), GS_NAME_LABEL, GS_ESCAPE_UNDERSCORES, "a_b");
	assert_escaped(GS_STR("a:b"), GS_NAME_LABEL, GS_ESCAPE_DOTS, "a__b");
	assert_escaped(GS_STR("a:b"), GS_NAME_LABEL, GS_ESCAPE_VALUES, "U__a_3a_b");
	assert_escaped(GS_STR("a:b"), GS_NAME_LABEL, GS_ESCAPE_NONE, "a:b");
}

static void test_none(void **state) {
	(void)state;
	char out[16];
	assert_escaped(GS_STR("a.b_c"), GS_NAME_METRIC, GS_ESCAPE_NONE, "a.b_c");
	assert_int_equal(gs_expo_escape(out, GS_STR("\xff\0x"), GS_NAME_LABEL, GS_ESCAPE_NONE), 3);
	assert_memory_equal(out, "\xff\0x", 3);
	assert_int_equal(gs_expo_escape(out, (struct gs_str){0}, GS_NAME_LABEL, GS_ESCAPE_NONE), 0);
}

/* What the longest answer for a name needs, and no byte more. */
static void test_bound(void **state) {
	(void)state;
	char name[40], out[GS_EXPO_ESCAPED_MAX(sizeof(name))];
	memset(name, '\xff', sizeof(name));
	assert_int_equal(
	    gs_expo_escape(out, gs_str_make(name, sizeof(name)), GS_NAME_METRIC, GS_ESCAPE_VALUES), sizeof(out));
}

static void assert_read(struct gs_str escaped, struct gs_str expected) {
	char out[128];
	size_t n = 99;
	assert_true(gs_expo_read_escaped(escaped, out, &n));
	assert_in_range(n, 0, escaped.n);
	assert_true(gs_str_eq(gs_str_make(out, n), expected));
}

static void test_read(void **state) {
	(void)state;
	assert_read(GS_STR("U__"), GS_STR(""));
	assert_read(GS_STR("U__no:unescapingrequired"), GS_STR("no:unescapingrequired"));
	assert_read(GS_STR("U__capitals_2E_ok"), GS_STR("capitals.ok"));
	assert_read(GS_STR("U__underscores__doubled__"), GS_STR("underscores_doubled_"));
	assert_read(GS_STR("U___10ffff_"), GS_STR("\xf4\x8f\xbf\xbf"));
	assert_read(GS_STR("U___0_"), GS_STR("\0"));
	assert_read(GS_STR("U___7f__80__7ff__800__ffff__10000_"),
	    GS_STR("\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80"));
	assert_read(GS_STR("U__a.b"), GS_STR("a.b"));
}

static void test_read_refuses(void **state) {
	(void)state;
	static const struct gs_str wrong[] = {
	    GS_STR_INIT(""),
	    GS_STR_INIT("U_"),
	    GS_STR_INIT("u__a"),
	    GS_STR_INIT("a_2e_b"),
	    GS_STR_INIT("U__underscores_doubled_"),
	    GS_STR_INIT("U__underscores__doubled_"),
	    GS_STR_INIT("U__my__hack_2e_attempt_872348732fabdabbab_"),
	    GS_STR_INIT("U__my__hack_2e"),
	    GS_STR_INIT("U__a_"),
	    GS_STR_INIT("U__a_2g_"),
	    GS_STR_INIT("U__a_110000_"),
	    GS_STR_INIT("U__a_d800_"),
	    GS_STR_INIT("U__a_dfff_"),
	    GS_STR_INIT("U__a_000002e_"),
	    GS_STR_INIT("U__a_2e_b_bucket"),
	};
	char out[128];
	size_t n;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(gs_expo_read_escaped(wrong[i], out, &n));
}

/* Every name of UTF-8, as random ones have it, comes back; and what is escaped always, even if it need not be. */
static void test_round_trip(void **state) {
	(void)state;
	static const char *const pieces[] = {"a", "_", "U__", "0", ":", ".", "_2e_", "\n", "\"", "\xc3\xa9",
	    "\xe8\x8a\xb1", "\xf0\x9f\x98\xb1", "Z", " ", "\x7f", "__"};
	uint32_t seed = 1;
	for (int i = 0; i < 20000; i++) {
		char name[64], out[GS_EXPO_ESCAPED_MAX(sizeof(name))], back[sizeof(out)];
		struct gs_str s = {.p = name};
		for (int k = 0; k < 1 + i % 8; k++) {
			seed = seed * 1664525 + 1013904223;
			const char *piece = pieces[(seed >> 16) % (sizeof(pieces) / sizeof(pieces[0]))];
			memcpy(name + s.n, piece, strlen(piece));
			s.n += strlen(piece);
		}
		size_t n = gs_expo_escape_always(out, s, i % 2 != 0 ? GS_NAME_LABEL : GS_NAME_METRIC), m;
		assert_true(i % 2 != 0 ? gs_expo_is_label_name(gs_str_make(out, n))
				       : gs_expo_is_metric_name(gs_str_make(out, n)));
		assert_true(gs_expo_read_escaped(gs_str_make(out, n), back, &m));
		assert_true(gs_str_eq(gs_str_make(back, m), s));
		if (!gs_expo_is_metric_name(s)) {
			n = gs_expo_escape(out, s, GS_NAME_METRIC, GS_ESCAPE_VALUES);
			assert_true(gs_expo_read_escaped(gs_str_make(out, n), back, &m));
			assert_true(gs_str_eq(gs_str_make(back, m), s));
		}
	}
	assert_int_equal(gs_expo_escape_always((char[1]){0}, (struct gs_str){0}, GS_NAME_LABEL), 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_metric_names),
	    cmocka_unit_test(test_label_names),
	    cmocka_unit_test(test_none),
	    cmocka_unit_test(test_bound),
	    cmocka_unit_test(test_read),
	    cmocka_unit_test(test_read_refuses),
	    cmocka_unit_test(test_round_trip),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
