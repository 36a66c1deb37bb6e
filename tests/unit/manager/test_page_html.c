/* SPDX-License-Identifier: Apache-2.0 */
#include "manager_test.h"

static char *html_of(struct gs_manager *manager, struct gs_manager_filter filter) {
	struct gs_buf out;
	size_t n;
	gs_buf_init(&out, 1 << 24);
	gs_manager_targets_html(manager, &filter, &out);
	gs_buf_char(&out, '\0');
	return gs_buf_take(&out, &n);
}

#define TEXT                                                                                                           \
	"jobs:\n  'a<b>&c':\n    targets:\n    - {name: '<i>\"''&', url: 'http://u:secret@h:1/?a=1&b=<2>', labels: "   \
	"{l: v}}\n"                                                                                                    \
	"    - {name: two, url: 'http://h:2/'}\n  plain:\n    static_configs: [{targets: ['x:1', 'gone:1']}]\n"        \
	"    relabel_configs: [{source_labels: [__address__], regex: 'gone.*', action: drop}]\n"

static void test_everything_is_escaped(void **state) {
	(void)state;
	struct gs_relay *relay = relay_open();
	struct gs_manager *manager = manager_of(relay, TEXT);
	char *html = html_of(manager, (struct gs_manager_filter){0});
	assert_non_null(
	    strstr(html, "<a href=\"?job=a%3Cb%3E%26c\">a&lt;b&gt;&amp;c</a> <span class=\"down\">0/2 up</span>"));
	assert_non_null(strstr(html, "instance=&quot;&lt;i&gt;&quot;&#39;&amp;&quot;"));
	assert_non_null(strstr(html, "href=\"http://u:xxxxx@h:1/?a=1&amp;b=&lt;2&gt;\""));
	assert_null(strstr(html, "secret"));
	assert_null(strstr(html, "<i>"));
	assert_null(strstr(html, "<script"));
	assert_int_equal(occurrences(html, "<tr class=\"target\">"), 3);
	assert_int_equal(occurrences(html, "<td class=\"unknown\">unknown</td>"), 3);
	assert_non_null(strstr(html, "1 dropped by relabelling"));
	assert_int_equal(strcmp(html + strlen(html) - 15, "</body></html>\n"), 0);
	gs_free(html);
	gs_manager_free(manager);
	relay_close(relay);
}

static void test_filters(void **state) {
	(void)state;
	struct gs_relay *relay = relay_open();
	struct gs_manager *manager = manager_of(relay, TEXT);
	char *html = html_of(manager, (struct gs_manager_filter){.job = GS_STR("plain")});
	assert_int_equal(occurrences(html, "<tr class=\"target\">"), 1);
	assert_int_equal(occurrences(html, "<h2>"), 1);
	gs_free(html);
	html = html_of(manager, (struct gs_manager_filter){.health = GS_STR("up")});
	assert_int_equal(occurrences(html, "<tr class=\"target\">"), 0);
	assert_int_equal(occurrences(html, "<h2>"), 2);
	gs_free(html);
	html = html_of(manager, (struct gs_manager_filter){.limit = 1});
	assert_int_equal(occurrences(html, "<tr class=\"target\">"), 2);
	assert_non_null(strstr(html, "1 more: <a href=\"?job=a%3Cb%3E%26c&amp;limit=1000000\">"));
	gs_free(html);
	struct gs_buf out;
	gs_buf_init(&out, 2000);
	gs_manager_targets_html(manager, &(struct gs_manager_filter){0}, &out);
	assert_int_equal(out.status, GS_ELIMIT);
	gs_buf_free(&out);
	gs_manager_free(manager);
	relay_close(relay);
}

/* What no YAML can hold, but a file of discovery can. */
static void test_bytes_that_are_no_text(void **state) {
	(void)state;
	struct gs_relay *relay = relay_open();
	struct gs_manager *manager = manager_of(relay, "jobs: {j: {}}\n");
	struct gs_label label = {GS_STR("x"), gs_str_make("\xff\x01\x7f\0\xed\xa0\x80 \xc3\xa9\n", 11)};
	struct target_parts parts = {.kind = TARGET_DROPPED, .discovered = &label, .ndiscovered = 1};
	struct view *view = manager->jobs[0]->view;
	struct target *target = gs_managed_new(&parts);
	gs_free(view->targets);
	view->targets = gs_alloc(sizeof(target));
	view->targets[0] = target;
	view->n = 1;
	char *html = html_of(manager, (struct gs_manager_filter){0});
#define R "\xef\xbf\xbd"
	assert_non_null(strstr(html, "x=&quot;" R R R R R R R " \xc3\xa9\n&quot;"));
	gs_free(html);
	gs_manager_free(manager);
	relay_close(relay);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_everything_is_escaped),
	    cmocka_unit_test(test_filters),
	    cmocka_unit_test(test_bytes_that_are_no_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
