/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../lib/gravel/label.h"
#include "gravel_test.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct gs_str put(char *at, struct gs_str name, struct gs_str value, bool *odd) {
	return gs_str_make(at, (size_t)(gs_label_put(at, name, value, odd) - at));
}

#define assert_str(s, expected)                                                                                        \
	do {                                                                                                           \
		struct gs_str s_ = (s);                                                                                \
		assert_int_equal(s_.n, strlen(expected));                                                              \
		assert_memory_equal(s_.p, expected, s_.n);                                                             \
	} while (0)

static void test_put(void **state) {
	(void)state;
	static const struct {
		const char *name, *value, *text;
		bool odd;
	} cases[] = {
	    {"a", "", "a=\"\"", false},
	    {"path", "/var/tmp", "path=\"/var/tmp\"", false},
	    {"a", "12345678", "a=\"12345678\"", false},
	    {"a", "1234567\"", "a=\"1234567\\\"\"", false},
	    {"a", "12345678\\", "a=\"12345678\\\\\"", false},
	    {"a", "\n2345678901\n", "a=\"\\n2345678901\\n\"", false},
	    {"a.b", "x", "\"a.b\"=\"x\"", true},
	    {"a\"\\\nb", "x", "\"a\\\"\\\\\\nb\"=\"x\"", true},
	    {"U__a", "x", "U__a=\"x\"", true},
	    {"U_a", "\xc3\xa4", "U_a=\"\xc3\xa4\"", false},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct gs_str name = gs_str_of(cases[i].name), value = gs_str_of(cases[i].value);
		size_t max = GS_LABEL_TEXT_MAX(name, value);
		char *at = test_malloc(max);
		char *read = test_malloc(max);
		bool odd = false;
		struct gs_label label;
		struct gs_str text = put(at, name, value, &odd);
		assert_str(text, cases[i].text);
		assert_int_equal(odd, cases[i].odd);
		assert_true(gs_label_next(&text, &label));
		assert_int_equal(text.n, 0);
		assert_str(gs_label_read(label.name, read), cases[i].name);
		assert_str(gs_label_read(label.value, read), cases[i].value);
		test_free(at);
		test_free(read);
	}
}

/* Every byte at every place of a value around the blocks of eight. */
static void test_every_byte_everywhere(void **state) {
	(void)state;
	for (size_t n = 1; n <= 20; n++) {
		for (size_t at = 0; at < n; at++) {
			for (unsigned c = 1; c < 256; c++) {
				char value[20], text[64], read[64];
				bool odd = false, escaped = c == '"' || c == '\\' || c == '\n';
				memset(value, 'x', n);
				value[at] = (char)c;
				struct gs_str s = put(text, GS_STR("l"), gs_str_make(value, n), &odd);
				assert_int_equal(s.n, n + 4 + escaped);
				struct gs_label label;
				assert_true(gs_label_next(&s, &label));
				struct gs_str back = gs_label_read(label.value, read);
				assert_int_equal(back.n, n);
				assert_memory_equal(back.p, value, n);
			}
		}
	}
}

static void test_next(void **state) {
	(void)state;
	struct gs_str rest = GS_STR("a=\"1,b=\\\"2\\\\\",\"c,=\\\"\"=\"\",d=\"}\"");
	struct gs_label label;
	assert_true(gs_label_next(&rest, &label));
	assert_str(label.name, "a");
	assert_str(label.value, "1,b=\\\"2\\\\");
	assert_true(gs_label_next(&rest, &label));
	assert_str(label.name, "\"c,=\\\"\"");
	assert_str(label.value, "");
	assert_true(gs_label_next(&rest, &label));
	assert_str(label.name, "d");
	assert_str(label.value, "}");
	assert_false(gs_label_next(&rest, &label));
}

static void test_labels_of_targets(void **state) {
	(void)state;
	static const char *const yes[] = {"job", "instance", "publisher"};
	static const char *const no[] = {"jo", "jobs", "Job", "instances", "instanze", "publishes", "", "le"};
	for (size_t i = 0; i < COUNT(yes); i++)
		assert_true(gs_label_is_target(gs_str_of(yes[i])));
	for (size_t i = 0; i < COUNT(no); i++)
		assert_false(gs_label_is_target(gs_str_of(no[i])));
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_put),
	    cmocka_unit_test(test_every_byte_everywhere),
	    cmocka_unit_test(test_next),
	    cmocka_unit_test(test_labels_of_targets),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
