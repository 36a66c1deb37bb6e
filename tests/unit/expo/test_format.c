/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "gravel/expo/format.h"

#define TEXT "text/plain; version=0.0.4; charset=utf-8; escaping="
#define TEXT_1 "text/plain; version=1.0.0; charset=utf-8; escaping="
#define OPENMETRICS "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping="
#define PROTOBUF                                                                                                       \
	"application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited; escaping="
#define DRAFT "application/openmetrics-text; version=0.0.1; charset=utf-8; escaping="

static void assert_negotiated(const char *accept, unsigned formats, const char *expected) {
	const char *type = gs_expo_content_type(gs_expo_negotiate(gs_str_of(accept), formats));
	if (strcmp(type, expected) != 0)
		fail_msg("%s\n  gives  %s\n  not    %s", accept, type, expected);
}

#define PROMETHEUS_2_42                                                                                                \
	"application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"                \
	"text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
#define PROMETHEUS_2_42_NATIVE                                                                                         \
	"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited," PROMETHEUS_2_42
#define PROMETHEUS_2_20 "application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
#define PROMETHEUS_3_0                                                                                                 \
	"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"                                       \
	"application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
#define PROMETHEUS_3(scheme)                                                                                           \
	"application/openmetrics-text;version=1.0.0;escaping=" scheme                                                  \
	";q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=" scheme            \
	";q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
#define PROMETHEUS_3_NATIVE                                                                                            \
	"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,"            \
	"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"                                       \
	"application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,"        \
	"text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
#define VMAGENT "text/plain;version=0.0.4;q=1,*/*;q=0.1"
#define FIREFOX "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
#define JAVA "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"

/* What real readers send, to one who writes all formats and to one who writes text only. */
static void test_real_readers(void **state) {
	(void)state;
	static const struct {
		const char *accept;
		const char *all;
		const char *text;
	} readers[] = {
	    {PROMETHEUS_2_42, OPENMETRICS "underscores", TEXT "underscores"},
	    {PROMETHEUS_2_20, DRAFT "underscores", TEXT "underscores"},
	    {PROMETHEUS_3_0, OPENMETRICS "allow-utf-8", TEXT "allow-utf-8"},
	    {PROMETHEUS_3("allow-utf-8"), OPENMETRICS "allow-utf-8", TEXT_1 "allow-utf-8"},
	    {PROMETHEUS_3("underscores"), OPENMETRICS "underscores", TEXT_1 "underscores"},
	    {PROMETHEUS_3("dots"), OPENMETRICS "dots", TEXT_1 "dots"},
	    {PROMETHEUS_3("values"), OPENMETRICS "values", TEXT_1 "values"},
	    {PROMETHEUS_2_42_NATIVE, PROTOBUF "underscores", TEXT "underscores"},
	    {PROMETHEUS_3_NATIVE, PROTOBUF "underscores", TEXT_1 "allow-utf-8"},
	    {VMAGENT, TEXT "underscores", TEXT "underscores"},
	    {FIREFOX, TEXT "underscores", TEXT "underscores"},
	    {JAVA, TEXT "underscores", TEXT "underscores"},
	    {"*/*", TEXT "underscores", TEXT "underscores"}, /* curl, python-requests */
	    {"", TEXT "underscores", TEXT "underscores"}, /* python's urllib */
	    {NULL, TEXT "underscores", TEXT "underscores"},
	};
	for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]); i++) {
		assert_negotiated(readers[i].accept, GS_FORMATS_WRITTEN, readers[i].all);
		assert_negotiated(readers[i].accept, GS_FORMATS_TEXT, readers[i].text);
	}
}

#define OM "application/openmetrics-text"
#define PB "application/vnd.google.protobuf"

static void test_rules(void **state) {
	(void)state;
	static const char *const rules[][2] = {
	    {"text/plain", TEXT "underscores"},
	    {"text/*", TEXT "underscores"},
	    {"text/plain;version=1.0.0", TEXT_1 "underscores"},
	    {"text/plain; version=0.0.4; escaping=values", TEXT "values"},
	    {"text/plain;version=0.0.4;escaping=allow-utf-8", TEXT "allow-utf-8"},
	    {"text/plain;version=9.9.9", TEXT "underscores"},
	    {OM, OPENMETRICS "underscores"},
	    {OM ";version=1.0.0", OPENMETRICS "underscores"},
	    {OM ";version=0.0.1", DRAFT "underscores"},
	    {OM ";version=2.0.0", TEXT "underscores"},
	    /* both versions, in any order: the newer */
	    {OM ";version=0.0.1," OM ";version=1.0.0", OPENMETRICS "underscores"},
	    {OM ";version=1.0.0," OM ";version=0.0.1", OPENMETRICS "underscores"},
	    /* letters, blanks, quotes */
	    {"  Application/OpenMetrics-Text ;\tVERSION = \"1.0.0\" ; Escaping=Dots", OPENMETRICS "dots"},
	    {OM ";x=\"a,b;version=9\\\",\";version=1.0.0", OPENMETRICS "underscores"},
	    {OM ";version=\"1.0.0", TEXT "underscores"},
	    {",,;;, " OM ";;version=1.0.0;;,", OPENMETRICS "underscores"},
	    /* q, then what is more specific, then the order */
	    {"text/plain;q=0.5," OM, OPENMETRICS "underscores"},
	    {"text/plain," OM ";q=0.9", TEXT "underscores"},
	    {"text/plain;version=0.0.4," OM ";version=1.0.0", TEXT "underscores"},
	    {OM ";version=1.0.0,text/plain;version=0.0.4", OPENMETRICS "underscores"},
	    {"*/*," OM, OPENMETRICS "underscores"},
	    {"*/*," OM ";q=0.5", TEXT "underscores"},
	    {"text/plain;Q=0.001," OM ";q=0.002", OPENMETRICS "underscores"},
	    /* the more specific decides, even against the format */
	    {"text/plain;q=0,*/*", TEXT_1 "underscores"},
	    {"text/plain;q=0,text/*;q=0,*/*", OPENMETRICS "underscores"},
	    {"text/*;q=0.3,*/*;q=0.4", OPENMETRICS "underscores"},
	    /* protobuf, if it is asked for by name and is what we write */
	    {PB, PROTOBUF "underscores"},
	    {PB ";encoding=delimited;escaping=values", PROTOBUF "values"},
	    {PB ";proto=io.prometheus.client.MetricFamily;encoding=Delimited;q=0.6," OM ";q=0.5",
		PROTOBUF "underscores"},
	    {PB ";proto=io.prometheus.client.MetricFamily;encoding=delimited," OM ";version=1.0.0",
		PROTOBUF "underscores"},
	    {OM ";version=1.0.0," PB ";proto=io.prometheus.client.MetricFamily;encoding=delimited",
		OPENMETRICS "underscores"},
	    {PB "," OM ";version=1.0.0", OPENMETRICS "underscores"},
	    {PB ";encoding=text,text/plain;q=0.1", TEXT "underscores"},
	    {PB ";encoding=compact-text", TEXT "underscores"},
	    {PB ";proto=io.prometheus.client.Metric;encoding=delimited", TEXT "underscores"},
	    {PB ";encoding=delimited;q=0,*/*", TEXT "underscores"},
	    {"application/x-protobuf", TEXT "underscores"},
	    /* nothing that can be written */
	    {"text/html", TEXT "underscores"},
	    {"*/*;q=0", TEXT "underscores"},
	    {OM ";q=0", TEXT "underscores"},
	    /* a q that is none, or too much */
	    {OM ";q=x,text/plain;q=0.1", TEXT "underscores"},
	    {OM ";q=-1,text/plain;q=0.1", TEXT "underscores"},
	    {OM ";q=NaN,text/plain;q=0.1", TEXT "underscores"},
	    {OM ";q=,text/plain;q=0.1", TEXT "underscores"},
	    {OM ";q=7,text/plain;q=1", OPENMETRICS "underscores"},
	    {"text/plain;q=1," OM ";q=7", TEXT "underscores"},
	    /* escaping: an unknown one is none, and that of something better liked counts */
	    {"text/plain;escaping=what", TEXT "underscores"},
	    {"text/html;escaping=dots,text/plain", TEXT "dots"},
	    {"text/html;escaping=dots;q=0.1,text/plain", TEXT "underscores"},
	    {"text/html;escaping=dots,text/plain;escaping=values", TEXT "values"},
	    {"text/html;escaping=what,text/css;escaping=dots,text/plain", TEXT "dots"},
	    {"text/html;escaping=dots;q=0,text/plain;q=0", TEXT "underscores"},
	};
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		assert_negotiated(rules[i][0], GS_FORMATS_WRITTEN, rules[i][1]);
	assert_negotiated("text/plain;version=0.0.4", GS_FORMAT_SET(GS_FORMAT_OPENMETRICS), TEXT "underscores");
	assert_negotiated("*/*", GS_FORMAT_SET(GS_FORMAT_OPENMETRICS), OPENMETRICS "underscores");
}

/* Whatever it is: an answer, and in time linear in its length. */
static void test_hostile(void **state) {
	(void)state;
	static const char alphabet[] = "\"\\,;=*/ \ttextplain0.;q,escaping=\xff";
	static char text[20000];
	uint32_t seed = 1;
	for (int i = 0; i < 2000; i++) {
		size_t n = i < 1990 ? (size_t)i % 97 : sizeof(text);
		for (size_t k = 0; k < n; k++) {
			seed = seed * 1664525 + 1013904223;
			text[k] = alphabet[(seed >> 16) % (sizeof(alphabet) - 1)];
		}
		struct gs_expo_dialect dialect = gs_expo_negotiate(gs_str_make(text, n), GS_FORMATS_WRITTEN);
		assert_in_range(dialect.format, GS_FORMAT_TEXT, GS_FORMAT_PROTOBUF);
		assert_in_range(dialect.escaping, GS_ESCAPE_UNDERSCORES, GS_ESCAPE_NONE);
	}
}

static void test_content_type(void **state) {
	(void)state;
	static const char *const words[] = {"underscores", "dots", "values", "allow-utf-8"};
	static const char *const types[] = {TEXT, TEXT_1, OPENMETRICS, PROTOBUF, DRAFT};
	for (int f = 0; f < 5; f++) {
		for (int e = 0; e < 4; e++) {
			char expected[160];
			struct gs_expo_dialect dialect = {
			    .format = f < 4 ? (enum gs_expo_format)f : GS_FORMAT_OPENMETRICS,
			    .escaping = (enum gs_escaping)e,
			    .draft = f == 4};
			struct gs_expo_options options;
			snprintf(expected, sizeof(expected), "%s%s", types[f], words[e]);
			assert_string_equal(gs_expo_content_type(dialect), expected);
			/* and it says the same to our own reader */
			assert_int_equal(gs_expo_read_content_type(gs_str_of(expected), &options, NULL), GS_OK);
			assert_int_equal(options.format, dialect.format);
			assert_int_equal(options.utf8_names, (f == 2 || f == 4) && e == 3);
		}
	}
	/* a draft of text is no such thing */
	assert_string_equal(gs_expo_content_type((struct gs_expo_dialect){.draft = true}), TEXT "underscores");
}

static void test_read_content_type(void **state) {
	(void)state;
	static const struct {
		const char *text;
		enum gs_expo_format format;
		bool utf8_names;
	} types[] = {
	    {NULL, GS_FORMAT_TEXT, false},
	    {"", GS_FORMAT_TEXT, false},
	    {"text/plain", GS_FORMAT_TEXT, false},
	    {"text/plain; version=0.0.4; charset=utf-8", GS_FORMAT_TEXT, false},
	    {"text/plain; version=0.0.4; escaping=allow-utf-8", GS_FORMAT_TEXT, false},
	    {"TEXT/PLAIN;Version=1.0.0", GS_FORMAT_TEXT_1, false},
	    {"text/plain;version=\"1.0.0\"", GS_FORMAT_TEXT_1, false},
	    {"text/html", GS_FORMAT_TEXT, false},
	    {"application/x-www-form-urlencoded", GS_FORMAT_TEXT, false},
	    {"application/openmetrics-text", GS_FORMAT_OPENMETRICS, false},
	    {"application/openmetrics-text; version=0.0.1", GS_FORMAT_OPENMETRICS, false},
	    {"application/openmetrics-text; version=1.0.0; charset=utf-8", GS_FORMAT_OPENMETRICS, false},
	    {" application/openmetrics-text ; escaping=allow-utf-8 ", GS_FORMAT_OPENMETRICS, true},
	    {"application/openmetrics-text; escaping=values", GS_FORMAT_OPENMETRICS, false},
	    {"application/openmetrics-textual", GS_FORMAT_TEXT, false},
	    {"application/vnd.google.protobuf", GS_FORMAT_PROTOBUF, false},
	    {"application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited",
		GS_FORMAT_PROTOBUF, false},
	    {"application/vnd.google.protobuf;encoding=delimited", GS_FORMAT_PROTOBUF, false},
	};
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct gs_expo_options options = {.max_samples = 7};
		struct gs_error err = {0};
		assert_int_equal(gs_expo_read_content_type(gs_str_of(types[i].text), &options, &err), GS_OK);
		assert_int_equal(options.format, types[i].format);
		assert_int_equal(options.utf8_names, types[i].utf8_names);
		assert_int_equal(options.max_samples, 0);
		assert_null(options.seen);
		assert_string_equal(err.text, "");
	}
}

static void test_other_protobufs(void **state) {
	(void)state;
	static const char *const types[][2] = {
	    {"application/vnd.google.protobuf; proto=io.prometheus.client.Metric",
		"a protobuf that is no io.prometheus.client.MetricFamily is not read"},
	    {"application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=text",
		"a protobuf whose encoding is not delimited is not read"},
	    {"application/x-protobuf",
		"application/x-protobuf is not read: application/vnd.google.protobuf is the exposition"},
	};
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct gs_expo_options options;
		struct gs_error err = {0};
		assert_int_equal(gs_expo_read_content_type(gs_str_of(types[i][0]), &options, &err), GS_EUNSUPPORTED);
		assert_string_equal(err.text, types[i][1]);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_real_readers),
	    cmocka_unit_test(test_rules),
	    cmocka_unit_test(test_hostile),
	    cmocka_unit_test(test_content_type),
	    cmocka_unit_test(test_read_content_type),
	    cmocka_unit_test(test_other_protobufs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
