/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "gravel/base/clock.h"
#include "gravel/base/mem.h"
#include "gravel/ingest/read.h"
#include "gravel/telemetry/telemetry.h"

#define FAMILIES 300
#define LARGE 20000
#define N(array) (sizeof(array) / sizeof((array)[0]))

static const struct gs_expo_dialect values = {.format = GS_FORMAT_TEXT, .escaping = GS_ESCAPE_VALUES};

struct outcome {
	_Atomic int done;
	enum gs_status status;
};

static void on_done(void *ctx, enum gs_status status, const struct gs_error *err) {
	struct outcome *outcome = ctx;
	(void)err;
	outcome->status = status;
	atomic_store(&outcome->done, 1);
}

static void push(struct gs_ingest *ingest, const char *body) {
	struct outcome outcome = {0};
	struct gs_ingest_push what = {.body = gs_str_of(body), .done = on_done, .ctx = &outcome};
	assert_int_equal(gs_ingest_push(ingest, &what, NULL), GS_OK);
	while (!atomic_load(&outcome.done))
		gs_clock_sleep_ms(1);
	assert_int_equal(outcome.status, GS_OK);
}

static struct gs_ingest *open_ingest(void) {
	struct gs_ingest_options options = {
	    .store = {.max_age_ms = 80000}, .topic = "t", .push_samples = 1000000, .pushes_in_flight = 64};
	struct gs_ingest *ingest = NULL;
	gs_telemetry_reset();
	assert_int_equal(gs_ingest_new(&options, &ingest, NULL), GS_OK);
	return ingest;
}

/* Many small families and one large one. */
static struct gs_ingest *open_full(void) {
	struct gs_ingest *ingest = open_ingest();
	struct gs_buf body;
	gs_buf_init(&body, SIZE_MAX);
	for (unsigned i = 0; i < FAMILIES; i++)
		gs_buf_printf(&body, "# TYPE f%03u gauge\nf%03u{a=\"1\"} %u\nf%03u{a=\"2\"} %u\n", i, i, i, i, i + 1);
	gs_buf_cstr(&body, "# TYPE large gauge\n");
	for (unsigned i = 0; i < LARGE; i++)
		gs_buf_printf(&body, "large{number=\"%u\"} %u\n", i, i);
	gs_buf_char(&body, '\0');
	push(ingest, body.p);
	gs_buf_free(&body);
	return ingest;
}

/* The whole answer, decompressed. */
static struct gs_buf read_query(struct gs_ingest *ingest, const struct gs_ingest_query *query) {
	struct gs_codec *codec = gs_codec_new();
	struct gs_buf packed, plain;
	gs_buf_init(&packed, SIZE_MAX);
	gs_buf_init(&plain, SIZE_MAX);
	assert_int_equal(gs_ingest_read_all(ingest, query, &packed, NULL), GS_OK);
	assert_int_equal(gs_codec_decompress(codec, query->encoding, gs_buf_slice(&packed), &plain), GS_OK);
	gs_buf_free(&packed);
	gs_codec_free(codec);
	return plain;
}

static struct gs_buf read_all(struct gs_ingest *ingest, enum gs_codec_kind kind) {
	return read_query(ingest, &(struct gs_ingest_query){.dialect = values, .encoding = kind});
}

static double misses(void) {
	return gs_metric_get(GS_M_RENDER_MISSES, NULL, NULL);
}

static double hits(void) {
	return gs_metric_get(GS_M_RENDER_HITS, NULL, NULL);
}

static void assert_holds(const struct gs_buf *text, const char *part) {
	if (memmem(text->p, text->n, part, strlen(part)) == NULL)
		fail_msg("'%s' is missing", part);
}

static void test_every_encoding_is_the_same_text(void **state) {
	(void)state;
	struct gs_ingest *ingest = open_full();
	struct gs_buf plain = read_all(ingest, GS_CODEC_IDENTITY);
	assert_holds(&plain, "# TYPE f000 gauge\nf000{a=\"1\"} 0\nf000{a=\"2\"} 1\n# TYPE f001 gauge\n");
	assert_holds(&plain, "f299{a=\"2\"} 300\n# TYPE large gauge\nlarge{number=\"0\"} 0\n");
	for (int round = 0; round < 2; round++) {
		struct gs_buf gzip = read_all(ingest, GS_CODEC_GZIP), zstd = read_all(ingest, GS_CODEC_ZSTD);
		assert_true(gs_str_eq(gs_buf_slice(&plain), gs_buf_slice(&gzip)));
		assert_true(gs_str_eq(gs_buf_slice(&plain), gs_buf_slice(&zstd)));
		gs_buf_free(&gzip);
		gs_buf_free(&zstd);
	}
	gs_buf_free(&plain);
	gs_ingest_free(ingest);
}

static void test_an_empty_store(void **state) {
	(void)state;
	struct gs_ingest *ingest = open_ingest();
	for (int kind = GS_CODEC_IDENTITY; kind <= GS_CODEC_ZSTD; kind++) {
		struct gs_buf text = read_all(ingest, (enum gs_codec_kind)kind);
		assert_int_equal(text.n, 0);
		gs_buf_free(&text);
	}
	gs_ingest_free(ingest);
}

/* What did not change is not rendered again; a change makes one piece new and the others stay what they were. */
static void test_only_what_changed_is_rendered(void **state) {
	(void)state;
	struct gs_ingest *ingest = open_full();
	struct gs_buf text = read_all(ingest, GS_CODEC_GZIP);
	double pieces = misses();
	assert_true(pieces >= 3 && pieces < FAMILIES / 4);
	gs_buf_free(&text);
	text = read_all(ingest, GS_CODEC_GZIP);
	assert_true(misses() == pieces && hits() == pieces);
	gs_buf_free(&text);
	static const char *const changes[] = {"f000{a=\"1\"} 7\n", "f150{a=\"3\"} 8\n", "f299{a=\"2\"} 9\n"};
	for (size_t i = 0; i < N(changes); i++) {
		double before = misses();
		push(ingest, changes[i]);
		text = read_all(ingest, GS_CODEC_GZIP);
		assert_holds(&text, changes[i]);
		assert_true(misses() == before + 1);
		gs_buf_free(&text);
	}
	/* A large family is one piece for each of its parts, and all of them are new. */
	double parts = misses();
	push(ingest, "large{number=\"0\"} 4\n");
	text = read_all(ingest, GS_CODEC_GZIP);
	assert_holds(&text, "large{number=\"0\"} 4\n");
	assert_true(misses() == parts + (LARGE + 1023) / 1024);
	gs_buf_free(&text);
	/* A new family between others: its piece is new, and perhaps it makes two of one. */
	double before = misses();
	push(ingest, "f150x 1\n");
	text = read_all(ingest, GS_CODEC_GZIP);
	assert_holds(&text, "f150{a=\"3\"} 8\n# TYPE f150x untyped\nf150x 1\n# TYPE f151 gauge\n");
	assert_true(misses() >= before + 1 && misses() <= before + 2);
	gs_buf_free(&text);
	gs_ingest_free(ingest);
}

/* What was rendered of earlier states does not stay. */
static void test_the_past_is_forgotten(void **state) {
	(void)state;
	struct gs_ingest *ingest = open_full();
	double first = 0;
	for (int i = 0; i < 20; i++) {
		char body[64];
		snprintf(body, sizeof(body), "large{number=\"7\"} %d\n", i % 10);
		push(ingest, body);
		struct gs_buf text = read_all(ingest, GS_CODEC_ZSTD);
		gs_buf_free(&text);
		double bytes = gs_metric_get(GS_M_RENDER_BYTES, NULL, NULL);
		first = i == 0 ? bytes : first;
		assert_true(bytes > 0 && bytes < first * 1.05);
	}
	gs_ingest_free(ingest);
}

/* Readers at the same time share what is sent as it is, too. */
static void test_readers_side_by_side(void **state) {
	(void)state;
	struct gs_ingest *ingest = open_full();
	struct gs_ingest_query query = {.dialect = values};
	struct gs_ingest_reader *readers[5];
	struct gs_str piece;
	struct gs_buf texts[5];
	size_t alive = N(readers);
	for (size_t i = 0; i < N(readers); i++) {
		assert_int_equal(gs_ingest_read(ingest, &query, &readers[i]), GS_OK);
		gs_buf_init(&texts[i], SIZE_MAX);
	}
	while (alive != 0) {
		alive = 0;
		for (size_t i = 0; i < N(readers); i++) {
			assert_int_equal(gs_ingest_read_next(readers[i], &piece, NULL), GS_OK);
			if (piece.n != 0)
				gs_buf_str(&texts[i], piece);
			alive += piece.n != 0;
		}
	}
	assert_true(hits() == 4 * misses());
	for (size_t i = 0; i < N(readers); i++) {
		assert_true(gs_str_eq(gs_buf_slice(&texts[0]), gs_buf_slice(&texts[i])));
		gs_ingest_read_end(readers[i]);
	}
	for (size_t i = 0; i < N(readers); i++)
		gs_buf_free(&texts[i]);
	gs_ingest_read_end(NULL);
	gs_ingest_free(ingest);
}

/* A reader that stopped in the middle goes on with what is there then: every family once, in order. */
static void test_changes_while_reading(void **state) {
	(void)state;
	struct gs_ingest *ingest = open_full();
	struct gs_ingest_query query = {.dialect = values};
	struct gs_ingest_reader *reader;
	struct gs_str piece;
	struct gs_buf text;
	gs_buf_init(&text, SIZE_MAX);
	assert_int_equal(gs_ingest_read(ingest, &query, &reader), GS_OK);
	assert_int_equal(gs_ingest_read_next(reader, &piece, NULL), GS_OK);
	push(ingest, "a_new 1\nzzz 2\nlarge{number=\"20000\"} 3\n");
	do {
		gs_buf_str(&text, piece); /* the piece has not moved */
		assert_int_equal(gs_ingest_read_next(reader, &piece, NULL), GS_OK);
	} while (piece.n != 0);
	assert_null(memmem(text.p, text.n, "a_new", 5));
	assert_holds(&text, "large{number=\"20000\"} 3\n");
	assert_holds(&text, "# TYPE zzz untyped\nzzz 2\n");
	for (unsigned i = 0; i < FAMILIES; i++) {
		char head[32];
		snprintf(head, sizeof(head), "# TYPE f%03u gauge\n", i);
		const char *at = memmem(text.p, text.n, head, strlen(head));
		assert_non_null(at);
		assert_null(memmem(at + 1, (size_t)(text.p + text.n - at - 1), head, strlen(head)));
	}
	gs_ingest_read_end(reader);
	gs_buf_free(&text);
	gs_ingest_free(ingest);
}

/* A pebble is what it is now. */
static void test_what_changes_with_time_is_not_kept(void **state) {
	(void)state;
	struct gs_ingest *ingest = open_ingest();
	push(ingest, "p{clearmode=\"sum1h\"} 5\n");
	for (int i = 0; i < 3; i++) {
		struct gs_buf text = read_all(ingest, GS_CODEC_GZIP);
		assert_true(gs_str_eq(gs_buf_slice(&text), GS_STR("# TYPE p untyped\np 5\n")));
		gs_buf_free(&text);
	}
	assert_true(misses() == 0 && hits() == 0);
	push(ingest, "q 1\n");
	for (int i = 0; i < 3; i++) {
		struct gs_buf text = read_all(ingest, GS_CODEC_GZIP);
		assert_true(gs_str_eq(gs_buf_slice(&text), GS_STR("# TYPE p untyped\np 5\n# TYPE q untyped\nq 1\n")));
		gs_buf_free(&text);
	}
	assert_true(misses() == 1 && hits() == 2);
	gs_ingest_free(ingest);
}

static void test_dialects_do_not_meet(void **state) {
	(void)state;
	struct gs_ingest *ingest = open_ingest();
	push(ingest, "{\"a.b\"} 1\n");
	struct gs_ingest_query utf8 = {
	    .dialect = {.format = GS_FORMAT_TEXT_1, .escaping = GS_ESCAPE_NONE}, .encoding = GS_CODEC_GZIP};
	for (int i = 0; i < 2; i++) {
		struct gs_buf old = read_all(ingest, GS_CODEC_GZIP), new = read_query(ingest, &utf8);
		assert_true(gs_str_eq(gs_buf_slice(&old), GS_STR("# TYPE U__a_2e_b untyped\nU__a_2e_b 1\n")));
		assert_true(gs_str_eq(gs_buf_slice(&new), GS_STR("# TYPE \"a.b\" untyped\n{\"a.b\"} 1\n")));
		gs_buf_free(&old);
		gs_buf_free(&new);
	}
	assert_true(misses() == 2 && hits() == 2);
	gs_ingest_free(ingest);
}

/* What a format has at its end is the reader's work; nobody asks for it yet. */
static void test_the_end_of_openmetrics(void **state) {
	(void)state;
	struct gs_ingest *ingest = open_ingest();
	struct gs_ingest_query query = {.dialect = {.format = GS_FORMAT_OPENMETRICS}, .encoding = GS_CODEC_GZIP};
	struct gs_buf text = read_query(ingest, &query);
	assert_true(gs_str_eq(gs_buf_slice(&text), GS_STR("# EOF\n")));
	gs_buf_free(&text);
	gs_ingest_free(ingest);
}

/* Names and selectors, by words: those that begin with '=' are names. */
static char *ask(struct gs_ingest *ingest, enum gs_codec_kind kind, const char *const *words) {
	struct gs_str names[8];
	struct gs_ingest_query query = {.dialect = values, .encoding = kind, .names = names};
	query.selectors = gs_alloc_array(8, sizeof(struct gs_selector *));
	for (size_t i = 0; i < 4 && words[i] != NULL; i++) {
		if (words[i][0] == '=')
			names[query.nnames++] = gs_str_of(words[i] + 1);
		else
			assert_int_equal(
			    gs_selector_parse(gs_str_of(words[i]), &query.selectors[query.nselectors++], NULL), GS_OK);
	}
	struct gs_buf text = read_query(ingest, &query);
	size_t n;
	gs_buf_char(&text, '\0');
	return gs_buf_take(&text, &n);
}

#define H "# TYPE h_seconds histogram\n"
#define H_A "h_seconds_bucket{job=\"a\",le=\"1\"} 1\n"
#define H_B "h_seconds_bucket{job=\"b\",le=\"1\"} 3\n"
#define G "# TYPE g gauge\n"
#define U "# TYPE U__u_2e_v untyped\nU__u_2e_v{U__x_2e_y=\"z\"} 6\n"

static void test_names_and_selectors(void **state) {
	(void)state;
	struct gs_ingest *ingest = open_ingest();
	static const struct {
		const char *words[4];
		const char *expected;
	} cases[] = {
	    {{"=g"}, G "g{job=\"a\"} 1\ng{job=\"b\"} 2\n"},
	    {{"=g", "=g", "=nothere"}, G "g{job=\"a\"} 1\ng{job=\"b\"} 2\n"},
	    {{"="}, ""},
	    {{"=nothere"}, ""},
	    {{"=u.v"}, U},
	    {{"=U__u_2e_v"}, U},
	    {{"=h_seconds_bucket"}, ""},
	    {{"g{job=\"a\"}"}, G "g{job=\"a\"} 1\n"},
	    {{"g{job=\"a\"}", "g{job=\"b\"}"}, G "g{job=\"a\"} 1\ng{job=\"b\"} 2\n"},
	    {{"g{job=\"a\"}", "=g"}, G "g{job=\"a\"} 1\ng{job=\"b\"} 2\n"},
	    {{"{job=\"a\",le=\"\"}"},
		G "g{job=\"a\"} 1\n" H "h_seconds_sum{job=\"a\"} 2\nh_seconds_count{job=\"a\"} 1\n"},
	    {{"h_seconds_bucket{le=\"1\"}"}, H H_A H_B},
	    {{"h_seconds_bucket{le=\"1\",job=\"b\"}", "=g"}, G "g{job=\"a\"} 1\ng{job=\"b\"} 2\n" H H_B},
	    {{"{__name__=~\".*_bucket\",le!=\"+Inf\"}"}, H H_A H_B},
	    {{"{__name__=~\".*_count\",job!=\"a\"}"}, H "h_seconds_count{job=\"b\"} 3\n"},
	    {{"{__name__=~\"g|h_seconds_sum\",job=\"b\"}", "=U__u_2e_v"},
		G "g{job=\"b\"} 2\n" H "h_seconds_sum{job=\"b\"} 4\n" U},
	    {{"h_seconds"}, ""},
	    {{"{\"u.v\"}"}, U},
	    {{"{\"x.y\"=\"z\"}"}, U},
	    {{"{\"x.y\"!=\"\",__name__=\"u.v\"}"}, U},
	    {{"nothere"}, ""},
	    {{"{nothere!=\"\"}"}, ""},
	};
	push(ingest, "# TYPE g gauge\ng{job=\"a\"} 1\ng{job=\"b\"} 2\n{\"u.v\",\"x.y\"=\"z\"} 6\n" H
		     "h_seconds_bucket{job=\"a\",le=\"1\"} 1\nh_seconds_bucket{job=\"a\",le=\"+Inf\"} 1\n"
		     "h_seconds_sum{job=\"a\"} 2\nh_seconds_count{job=\"a\"} 1\n"
		     "h_seconds_bucket{job=\"b\",le=\"1\"} 3\nh_seconds_bucket{job=\"b\",le=\"+Inf\"} 3\n"
		     "h_seconds_sum{job=\"b\"} 4\nh_seconds_count{job=\"b\"} 3\n");
	for (size_t i = 0; i < N(cases); i++) {
		for (int kind = GS_CODEC_IDENTITY; kind <= GS_CODEC_ZSTD; kind++) {
			char *text = ask(ingest, (enum gs_codec_kind)kind, cases[i].words);
			if (strcmp(text, cases[i].expected) != 0)
				fail_msg("%s: %s", cases[i].words[0], text);
			gs_free(text);
		}
	}
	/* What was asked for is not what all others get. */
	assert_true(misses() == 0 && hits() == 0);
	gs_ingest_free(ingest);
}

static void test_a_large_choice_comes_in_pieces(void **state) {
	(void)state;
	struct gs_ingest *ingest = open_full();
	static const char *const words[4] = {"{__name__=~\"f.*|large\"}"};
	struct gs_buf plain = read_all(ingest, GS_CODEC_IDENTITY);
	char *text = ask(ingest, GS_CODEC_GZIP, words);
	assert_int_equal(strlen(text), plain.n);
	assert_memory_equal(text, plain.p, plain.n);
	gs_free(text);
	gs_buf_free(&plain);
	gs_ingest_free(ingest);
}

static void test_selectors_cannot_take_for_ever(void **state) {
	(void)state;
	struct gs_ingest *ingest = open_ingest();
	struct gs_ingest_query query = {.dialect = values, .nselectors = 1};
	struct gs_ingest_reader *reader;
	struct gs_error err = {0};
	struct gs_str piece;
	push(ingest, "a 1\nb{x=\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac\"} 1\nc 1\n");
	query.selectors = gs_alloc_array(1, sizeof(struct gs_selector *));
	assert_int_equal(gs_selector_parse(GS_STR("{x=~\"(a+a+)+[bd]\"}"), &query.selectors[0], NULL), GS_OK);
	assert_int_equal(gs_ingest_read(ingest, &query, &reader), GS_OK);
	assert_int_equal(gs_ingest_read_next(reader, &piece, &err), GS_ELIMIT);
	assert_string_equal(err.text, "the regular expressions of match[] take too long");
	assert_int_equal(gs_ingest_read_next(reader, &piece, &err), GS_OK);
	assert_int_equal(piece.n, 0);
	gs_ingest_read_end(reader);
	gs_ingest_free(ingest);
}

static atomic_bool stop;

static void *pusher(void *arg) {
	char body[256];
	for (unsigned i = 0; !atomic_load(&stop); i++) {
		snprintf(body, sizeof(body), "f%03u{a=\"1\"} %u\nnew_%u 1\npebble{clearmode=\"sum1h\"} 1\n",
		    i % FAMILIES, i, i % 50);
		push(arg, body);
	}
	return NULL;
}

static void *scraper(void *arg) {
	struct gs_expo_parser *parser = gs_expo_parser_new();
	for (int i = 0; i < 30; i++) {
		struct gs_buf text = read_all(arg, (enum gs_codec_kind)(i % 3));
		struct gs_expo_seen *seen = gs_expo_seen_new();
		struct gs_expo_options options = {.format = GS_FORMAT_TEXT, .seen = seen};
		struct gs_expo_event event = {0};
		struct gs_error err = {0};
		gs_expo_begin(parser, &options);
		gs_expo_feed(parser, gs_buf_slice(&text), true);
		do {
			if (gs_expo_next(parser, &event, &err) != GS_OK)
				fail_msg("%u:%u: %s", err.line, err.column, err.text);
		} while (event.kind != GS_EXPO_END);
		assert_holds(&text, "f299{a=\"2\"} 300\n");
		gs_expo_seen_free(seen);
		gs_buf_free(&text);
	}
	gs_expo_parser_free(parser);
	return NULL;
}

/* Scrapers during pushes: every exposition is a valid one. For TSan as well. */
static void test_scrapers_and_pushers(void **state) {
	(void)state;
	struct gs_ingest *ingest = open_full();
	pthread_t pushers[2], scrapers[3];
	atomic_store(&stop, false);
	for (size_t i = 0; i < N(pushers); i++)
		assert_int_equal(pthread_create(&pushers[i], NULL, pusher, ingest), 0);
	for (size_t i = 0; i < N(scrapers); i++)
		assert_int_equal(pthread_create(&scrapers[i], NULL, scraper, ingest), 0);
	for (size_t i = 0; i < N(scrapers); i++)
		pthread_join(scrapers[i], NULL);
	atomic_store(&stop, true);
	for (size_t i = 0; i < N(pushers); i++)
		pthread_join(pushers[i], NULL);
	gs_ingest_free(ingest);
}

static enum gs_status read_once(struct gs_ingest *ingest, bool filtered, struct gs_buf *out) {
	struct gs_str name = GS_STR("q");
	struct gs_ingest_query query = {
	    .dialect = values, .encoding = GS_CODEC_GZIP, .names = &name, .nnames = filtered};
	if (filtered) {
		query.selectors = gs_alloc_array(1, sizeof(struct gs_selector *));
		if (query.selectors == NULL)
			return GS_ENOMEM;
		query.nselectors = gs_selector_parse(GS_STR("p{a=\"b\"}"), &query.selectors[0], NULL) == GS_OK ? 1 : 0;
		if (query.nselectors == 0) {
			gs_free(query.selectors);
			return GS_ENOMEM;
		}
	}
	return gs_ingest_read_all(ingest, &query, out, NULL);
}

static void test_out_of_memory(void **state) {
	(void)state;
	for (int filtered = 0; filtered < 2; filtered++) {
		size_t whole = 0;
		for (int n = 0;; n++) {
			struct gs_ingest *ingest = open_ingest();
			struct gs_buf out;
			gs_buf_init(&out, SIZE_MAX);
			push(ingest, "p{a=\"b\"} 1\nq 2\n");
			gs_mem_fail_after(n);
			enum gs_status status = read_once(ingest, filtered != 0, &out);
			bool failed = gs_mem_failed();
			gs_mem_fail_after(-1);
			assert_true(status == GS_OK || (failed && status == GS_ENOMEM));
			whole = status == GS_OK ? out.n : whole;
			gs_buf_free(&out);
			status = read_once(ingest, filtered != 0, &out);
			assert_int_equal(status, GS_OK);
			assert_true(whole == 0 || out.n == whole);
			gs_buf_free(&out);
			gs_ingest_free(ingest);
			assert_true(n < 200);
			if (!failed) {
				assert_true(n > 5);
				break;
			}
		}
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_encoding_is_the_same_text),
	    cmocka_unit_test(test_an_empty_store),
	    cmocka_unit_test(test_only_what_changed_is_rendered),
	    cmocka_unit_test(test_the_past_is_forgotten),
	    cmocka_unit_test(test_readers_side_by_side),
	    cmocka_unit_test(test_changes_while_reading),
	    cmocka_unit_test(test_what_changes_with_time_is_not_kept),
	    cmocka_unit_test(test_dialects_do_not_meet),
	    cmocka_unit_test(test_the_end_of_openmetrics),
	    cmocka_unit_test(test_names_and_selectors),
	    cmocka_unit_test(test_a_large_choice_comes_in_pieces),
	    cmocka_unit_test(test_selectors_cannot_take_for_ever),
	    cmocka_unit_test(test_scrapers_and_pushers),
	    cmocka_unit_test(test_out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
