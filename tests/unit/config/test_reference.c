/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "keys.h"

static struct gs_buf out;

static void has(const char *text) {
	if (strstr(out.p, text) == NULL)
		fail_msg("missing: %s", text);
}

static void has_keys(const struct gs_config_section *section) {
	char text[128];
	snprintf(text, sizeof(text), "\n## %s\n", section->title);
	has(text);
	const char *at = strstr(out.p, text);
	if (at == NULL)
		return;
	for (size_t i = 0; i < section->nkeys; i++) {
		const struct gs_config_key *key = &section->keys[i];
		snprintf(text, sizeof(text), "\n| `%s` | ", key->name);
		const char *row = strstr(at, text);
		if (row == NULL) {
			fail_msg("%s: no row of %s", section->title, key->name);
			return;
		}
		at = row;
		if (key->type == GS_KEY_SECTION && !(key->marks & GS_KEY_INERT))
			has_keys(key->section);
	}
}

static void test_complete(void **state) {
	(void)state;
	gs_buf_init(&out, 1 << 20);
	gs_config_reference(&out);
	gs_buf_char(&out, '\0');
	assert_int_equal(out.status, GS_OK);
	has_keys(&gs_keys_top);
	has_keys(&gs_keys_job);
	has_keys(&gs_keys_target);
	has("| `scrape_interval` | duration, 100ms to 1d | 15s | ");
	has("| `storage` | word: file, memory | file | ");
	has("| `listen` | text | `localhost:4278` | ");
	has("any mapping. *No effect yet.* |\n");
	gs_buf_free(&out);
}

int main(void) {
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_complete)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
