/* SPDX-License-Identifier: Apache-2.0 */
/* How much the store takes: what is beyond is refused whole, and what leaves makes room. */
#include "gravel_test.h"

#include <stdlib.h>

static enum gs_status gateway(struct bench *b, enum gs_gateway_op op, const char *key, const char *body) {
	struct gs_label labels[8];
	struct gs_batch_options options = {.labels = labels, .nlabels = labels_of(key, labels), .gateway = true};
	b->err = (struct gs_error){0};
	gs_batch_begin(b->batch, &options);
	enum gs_status status = gs_batch_read(b->batch, b->parser, NULL, gs_str_of(body), &b->err);
	if (status == GS_OK)
		status = gs_store_gateway(b->store, op, labels, options.nlabels, b->batch, b->now, &b->result, &b->err);
	gs_store_check(b->store);
	return status;
}

static void assert_limit(const struct bench *b, const char *limit, const char *text) {
	assert_non_null(b->err.limit);
	assert_string_equal(b->err.limit, limit);
	assert_string_equal(b->err.text, text);
}

#define FULL_STORE "the store is full: it may hold 3 series"

static void test_series_of_the_store(void **state) {
	(void)state;
	struct bench b;
	struct gs_label job = {GS_STR("job"), GS_STR("x")};
	size_t stale, expired;
	bench_open(&b, &(struct gs_store_options){.max_series = 3, .expiration_ms = 10000});
	assert_int_equal(push_at(&b, "job=x", "a 1\nb 1\n"), GS_OK);
	assert_int_equal(push(&b, "c 1\n# a comment\nd 1\n"), GS_ELIMIT);
	assert_limit(&b, "series", FULL_STORE);
	assert_int_equal(b.err.line, 3);
	assert_exposition(&b, "# TYPE a untyped\na{job=\"x\"} 1\n# TYPE b untyped\nb{job=\"x\"} 1\n");
	assert_pushed(&b, "c 1\n");
	assert_int_equal(push(&b, "d 1\n"), GS_ELIMIT);
	/* What is stored already is always taken. */
	assert_pushed(&b, "c 1\n");
	assert_int_equal(gs_store_delete(b.store, &job, 1, &b.result), GS_OK);
	assert_int_equal(b.result.series_gone, 2);
	assert_pushed(&b, "d 1\ne 1\n");
	assert_int_equal(push(&b, "f 1\n"), GS_ELIMIT);
	b.now += 10001;
	gs_store_expire(b.store, b.now, &stale, &expired);
	assert_int_equal(expired, 3);
	assert_pushed(&b, "f 1\ng 1\nh 1\n");
	bench_close(&b);
}

static void test_series_of_a_family(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &(struct gs_store_options){.max_series_per_family = 2});
	assert_pushed(&b, "a{x=\"1\"} 1\na{x=\"2\"} 1\n");
	assert_int_equal(push(&b, "b 1\na{x=\"3\"} 1\n"), GS_ELIMIT);
	assert_limit(&b, "series_per_family", "family \"a\" is full: it may have 2 series");
	assert_int_equal(b.err.line, 2);
	assert_exposition(&b, "# TYPE a untyped\na{x=\"1\"} 1\na{x=\"2\"} 1\n");
	assert_int_equal(push(&b, "b{x=\"1\"} 1\nb{x=\"2\"} 1\nb{x=\"3\"} 1\n"), GS_ELIMIT);
	assert_limit(&b, "series_per_family", "family \"b\" is full: it may have 2 series");
	assert_pushed(&b, "a{x=\"2\"} 1\nb{x=\"1\"} 1\nb{x=\"2\"} 1\n");
	bench_close(&b);
}

/* The parts of a histogram are one series. */
static void test_a_histogram_is_one(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &(struct gs_store_options){.max_series_per_family = 1, .max_series = 1});
	assert_pushed(&b, "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n");
	assert_int_equal(push(&b, "# TYPE h histogram\nh_count{x=\"1\"} 0\n"), GS_ELIMIT);
	bench_close(&b);
}

static void test_pushes_are_grouped_by_target(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &(struct gs_store_options){.max_series_per_group = 2});
	assert_int_equal(push_at(&b, "job=x,instance=i", "a 1\nb 1\n"), GS_OK);
	assert_int_equal(push_at(&b, "job=x,instance=i", "c 1\n"), GS_ELIMIT);
	assert_limit(&b, "series_per_group", "the group {instance=\"i\",job=\"x\"} is full: it may have 2 series");
	/* Others are other groups; labels that are not of a target make none. */
	assert_int_equal(push_at(&b, "job=x", "a 1\nb 1\n"), GS_OK);
	assert_int_equal(push_at(&b, "job=x,other=1", "a 1\n"), GS_ELIMIT);
	assert_limit(&b, "series_per_group", "the group {job=\"x\"} is full: it may have 2 series");
	assert_pushed(&b, "a 1\nb 1\n");
	assert_int_equal(push(&b, "c 1\n"), GS_ELIMIT);
	assert_limit(&b, "series_per_group", "the group {} is full: it may have 2 series");
	assert_int_equal(gs_store_stats(b.store).series, 6);
	bench_close(&b);
}

/* Only what is pushed is a group of pushes. */
static void test_others_are_not_of_the_group(void **state) {
	(void)state;
	struct gs_batch_options own = {.lenient = true};
	struct bench b;
	bench_open(&b, &(struct gs_store_options){.max_series_per_group = 2});
	gs_batch_begin(b.batch, &own);
	assert_int_equal(gs_batch_read(b.batch, b.parser, NULL, GS_STR("o{x=\"1\"} 1\no{x=\"2\"} 1\n"), &b.err), GS_OK);
	assert_int_equal(gs_store_own(b.store, b.batch, b.now), GS_OK);
	assert_pushed(&b, "a 1\nb 1\n");
	assert_int_equal(push(&b, "c 1\n"), GS_ELIMIT);
	assert_int_equal(scrape_at(&b, "i", T0, "a 1\nb 1\n"), GS_OK);
	assert_int_equal(push_at(&b, "job=j,instance=i", "c 1\nd 1\n"), GS_OK);
	/* What a scrape takes over makes room, and what is taken from it takes some. */
	assert_int_equal(scrape_at(&b, "i", T0 + 1, "c 1\n"), GS_OK);
	assert_int_equal(b.result.owner_conflicts, 1);
	assert_int_equal(push_at(&b, "job=j,instance=i", "e 1\n"), GS_OK);
	assert_int_equal(push_at(&b, "job=j,instance=i", "f 1\n"), GS_ELIMIT);
	bench_close(&b);
}

/* A long name does not push what matters out of the text, and is cut between characters. */
static void test_long_names_are_cut(void **state) {
	(void)state;
	struct bench b;
	char body[1100];
	bench_open(&b, &(struct gs_store_options){.max_series_per_family = 1});
	int n = snprintf(body, sizeof(body), "{\"x");
	for (int i = 0; i < 300; i++)
		n += snprintf(body + n, sizeof(body) - (size_t)n, "\xc3\xa4");
	snprintf(body + n, sizeof(body) - (size_t)n, "\"} 1\n");
	assert_pushed(&b, body);
	snprintf(body + n, sizeof(body) - (size_t)n, "\",y=\"1\"} 1\n");
	assert_int_equal(push(&b, body), GS_ELIMIT);
	assert_true(gs_str_is_utf8(gs_str_of(b.err.text)));
	assert_non_null(strstr(b.err.text, "is full: it may have 1 series"));
	bench_close(&b);
}

/* What leaves with a push does not count. */
static void test_clearmode_family_exchanges(void **state) {
	(void)state;
	static const struct gs_store_options options[] = {
	    {.max_series = 2}, {.max_series_per_family = 2}, {.max_series_per_group = 2}};
	for (size_t i = 0; i < 3; i++) {
		struct bench b;
		bench_open(&b, &options[i]);
		assert_int_equal(push_at(&b, "job=x", "v{v=\"1\"} 1\nv{v=\"2\"} 1\n"), GS_OK);
		assert_int_equal(push_at(&b, "job=x", "v{v=\"3\",clearmode=\"family\"} 1\n"), GS_OK);
		assert_int_equal(b.result.series_gone, 2);
		assert_int_equal(
		    push_at(&b, "job=x", "v{v=\"4\",clearmode=\"family\"} 1\nv{v=\"5\",clearmode=\"family\"} 1\n"),
		    GS_OK);
		assert_exposition(&b, "# TYPE v untyped\nv{job=\"x\",v=\"4\"} 1\nv{job=\"x\",v=\"5\"} 1\n");
		assert_int_equal(push_at(&b, "job=x",
				     "v{v=\"6\",clearmode=\"family\"} 1\nv{v=\"7\",clearmode=\"family\"} 1\n"
				     "v{v=\"8\",clearmode=\"family\"} 1\n"),
		    GS_ELIMIT);
		/* One that stays counts. */
		assert_int_equal(push_at(&b, "job=x",
				     "v{v=\"4\",clearmode=\"family\"} 1\nv{v=\"6\",clearmode=\"family\"} 1\n"
				     "v{v=\"7\",clearmode=\"family\"} 1\n"),
		    GS_ELIMIT);
		assert_exposition(&b, "# TYPE v untyped\nv{job=\"x\",v=\"4\"} 1\nv{job=\"x\",v=\"5\"} 1\n");
		bench_close(&b);
	}
}

/* What is not of the same labels stays, and counts. */
static void test_clearmode_family_within_its_labels(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &(struct gs_store_options){.max_series_per_family = 2});
	assert_int_equal(push_at(&b, "job=x", "v{v=\"1\"} 1\n"), GS_OK);
	assert_int_equal(push_at(&b, "job=y", "v{v=\"1\"} 1\n"), GS_OK);
	assert_int_equal(
	    push_at(&b, "job=x", "v{v=\"2\",clearmode=\"family\"} 1\nv{v=\"3\",clearmode=\"family\"} 1\n"), GS_ELIMIT);
	assert_limit(&b, "series_per_family", "family \"v\" is full: it may have 2 series");
	assert_int_equal(push_at(&b, "job=x", "v{v=\"2\",clearmode=\"family\"} 1\n"), GS_OK);
	assert_exposition(&b, "# TYPE v untyped\nv{job=\"x\",v=\"2\"} 1\nv{job=\"y\",v=\"1\"} 1\n");
	bench_close(&b);
}

static void test_scrapes(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &(struct gs_store_options){.max_series_per_group = 2, .max_series_per_family = 3});
	assert_int_equal(scrape_at(&b, "i", T0, "a{x=\"1\"} 1\na{x=\"2\"} 1\n"), GS_OK);
	/* Another set of the same size takes its place. */
	assert_int_equal(scrape_at(&b, "i", T0 + 1, "a{x=\"3\"} 1\na{x=\"4\"} 1\n"), GS_OK);
	assert_int_equal(b.result.series_gone, 2);
	assert_null(b.result.limit);
	assert_int_equal(scrape_at(&b, "i", T0 + 2, "a{x=\"3\"} 1\na{x=\"4\"} 1\nb 1\n"), GS_ELIMIT);
	assert_string_equal(b.result.limit, "series_per_group");
	assert_int_equal(scrape_at(&b, "k", T0, "a{x=\"1\"} 1\na{x=\"2\"} 1\n"), GS_ELIMIT);
	assert_string_equal(b.result.limit, "series_per_family");
	assert_exposition(
	    &b, "# TYPE a untyped\na{instance=\"i\",job=\"j\",x=\"3\"} 1\na{instance=\"i\",job=\"j\",x=\"4\"} 1\n");
	assert_int_equal(scrape_at(&b, "i", T0 + 3, "a{x=\"3\"} 1\n"), GS_OK);
	assert_int_equal(scrape_at(&b, "k", T0, "a{x=\"1\"} 1\na{x=\"2\"} 1\n"), GS_OK);
	bench_close(&b);
}

static void test_groups(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &(struct gs_store_options){.max_groups = 1});
	assert_int_equal(scrape_at(&b, "i", T0, "a 1\n"), GS_OK);
	assert_int_equal(scrape_at(&b, "k", T0, "a 1\n"), GS_ELIMIT);
	assert_string_equal(b.result.limit, "groups");
	assert_int_equal(gateway(&b, GS_GATEWAY_PUT, "job=x", "a 1\n"), GS_OK);
	assert_int_equal(gateway(&b, GS_GATEWAY_PUT, "job=y", "a 1\n"), GS_ELIMIT);
	assert_limit(&b, "groups", "the store is full: it may hold 1 groups");
	bench_close(&b);
}

/* A scrape of which we add a gauge, as up. */
static enum gs_status scrape_with_up(struct bench *b, const char *instance, const char *body) {
	struct gs_label labels[] = {{GS_STR_INIT("instance"), gs_str_of(instance)}};
	struct gs_batch_options options = {.labels = labels, .nlabels = 1, .lenient = true, .max_labels = 1};
	struct gs_scrape_info info = {.key = {.instance = labels[0].value}, .time_ms = b->now++, .interval_ms = 1000};
	gs_batch_begin(b->batch, &options);
	assert_int_equal(gs_batch_gauge(b->batch, GS_STR("up"), GS_STR("help"), 1), GS_OK);
	assert_int_equal(gs_batch_read(b->batch, b->parser, NULL, gs_str_of(body), &b->err), GS_OK);
	enum gs_status status = gs_store_scrape(b->store, &info, b->batch, b->now, &b->result);
	gs_store_check(b->store);
	return status;
}

static void test_what_we_add_is_not_refused(void **state) {
	(void)state;
	struct bench b;
	struct gs_batch_options own = {.lenient = true};
	bench_open(
	    &b, &(struct gs_store_options){.max_series = 1, .max_series_per_group = 1, .max_series_per_family = 1});
	assert_pushed(&b, "a 1\n");
	assert_int_equal(scrape_with_up(&b, "i", "b 1\n"), GS_ELIMIT);
	assert_string_equal(b.result.limit, "series");
	assert_int_equal(scrape_with_up(&b, "i", ""), GS_OK);
	assert_int_equal(scrape_with_up(&b, "k", ""), GS_OK);
	gs_batch_begin(b.batch, &own);
	assert_int_equal(gs_batch_read(b.batch, b.parser, NULL, GS_STR("o{x=\"1\"} 1\no{x=\"2\"} 1\n"), &b.err), GS_OK);
	assert_int_equal(gs_store_own(b.store, b.batch, b.now), GS_OK);
	gs_store_check(b.store);
	assert_exposition(&b, "# TYPE a untyped\na 1\n# TYPE o untyped\no{x=\"1\"} 1\no{x=\"2\"} 1\n"
			      "# HELP up help\n# TYPE up gauge\nup{instance=\"i\"} 1\nup{instance=\"k\"} 1\n");
	bench_close(&b);
	/* The program's own do not take the room of others, what we add to scrapes does. */
	bench_open(&b, &(struct gs_store_options){.max_series = 2});
	gs_batch_begin(b.batch, &own);
	assert_int_equal(gs_batch_read(b.batch, b.parser, NULL, GS_STR("o{x=\"1\"} 1\no{x=\"2\"} 1\n"), &b.err), GS_OK);
	assert_int_equal(gs_store_own(b.store, b.batch, b.now), GS_OK);
	assert_int_equal(scrape_with_up(&b, "i", "b 1\n"), GS_OK);
	assert_int_equal(push(&b, "a 1\n"), GS_ELIMIT);
	bench_close(&b);
}

static void test_gateway_groups(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &(struct gs_store_options){.max_series_per_group = 2});
	assert_int_equal(gateway(&b, GS_GATEWAY_PUT, "job=x", "a 1\nb 1\n"), GS_OK);
	assert_int_equal(gateway(&b, GS_GATEWAY_PUT, "job=x", "c 1\nd 1\n"), GS_OK);
	assert_int_equal(gateway(&b, GS_GATEWAY_POST, "job=x", "e 1\n"), GS_ELIMIT);
	assert_limit(&b, "series_per_group", "the group {instance=\"\",job=\"x\"} is full: it may have 2 series");
	assert_int_equal(gateway(&b, GS_GATEWAY_POST, "job=x", "c{x=\"1\"} 1\n"), GS_OK);
	assert_int_equal(gateway(&b, GS_GATEWAY_POST, "job=x", "c{x=\"1\"} 1\nc{x=\"2\"} 1\n"), GS_ELIMIT);
	assert_int_equal(gateway(&b, GS_GATEWAY_PUT, "job=x", "c{x=\"1\"} 1\nc{x=\"2\"} 1\n"), GS_OK);
	assert_int_equal(gateway(&b, GS_GATEWAY_PUT, "job=x", "c{x=\"1\"} 1\nc{x=\"2\"} 1\nc 1\n"), GS_ELIMIT);
	/* The group's own labels are not a group of pushes. */
	assert_int_equal(push_at(&b, "job=x", "a 1\nb 1\n"), GS_OK);
	assert_int_equal(push_at(&b, "job=x", "f 1\n"), GS_ELIMIT);
	/* 2 of the group, its 2 times, 2 pushed */
	assert_int_equal(gs_store_stats(b.store).series, 6);
	bench_close(&b);
}

/* Histogram h of ${n} bounds, from ${first} on, and +Inf. */
static void push_bounds(struct bench *b, unsigned first, unsigned n, const char *mode, enum gs_status expected) {
	struct gs_buf body;
	gs_buf_init(&body, 1 << 20);
	gs_buf_cstr(&body, "# TYPE h histogram\n");
	for (unsigned i = first; i < first + n; i++)
		gs_buf_printf(&body, "h_bucket{le=\"%u\",clearmode=\"%s\"} 1\n", i, mode);
	gs_buf_printf(&body, "h_count{clearmode=\"%s\"} 1\n", mode);
	gs_buf_char(&body, '\0');
	assert_int_equal(push(b, body.p), expected);
	gs_buf_free(&body);
}

#define TOO_MANY_BOUNDS "\"h\" would have more than 4096 buckets or quantiles together with those that are stored"

/* Pushes that add would else let one series grow for ever. */
static void test_bounds_of_a_histogram(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &(struct gs_store_options){0});
	push_bounds(&b, 0, 3000, "sum", GS_OK);
	push_bounds(&b, 2000, 2095, "sum", GS_OK); /* 4095 and +Inf */
	push_bounds(&b, 0, 4095, "sum", GS_OK);
	push_bounds(&b, 4000, 96, "max", GS_ELIMIT);
	assert_string_equal(b.err.text, TOO_MANY_BOUNDS);
	assert_null(b.err.limit);
	assert_int_equal(b.err.line, 2);
	push_bounds(&b, 4095, 1, "sum", GS_ELIMIT);
	push_bounds(&b, 0, 1, "sum", GS_OK);
	/* What takes its place does not meet them. */
	push_bounds(&b, 10000, 4095, "replace", GS_OK);
	push_bounds(&b, 0, 1, "sum", GS_ELIMIT);
	bench_close(&b);
}

static void test_bounds_of_a_pebble(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &(struct gs_store_options){0});
	push_bounds(&b, 0, 4000, "sum100s", GS_OK);
	push_bounds(&b, 4000, 96, "sum100s", GS_ELIMIT); /* of one slice */
	assert_string_equal(b.err.text, TOO_MANY_BOUNDS);
	for (unsigned i = 1; i < 4; i++) {
		b.now += 1000;
		push_bounds(&b, i * 4000, 4000, "sum100s", GS_OK);
	}
	b.now += 1000;
	push_bounds(&b, 16000, 4000, "sum100s", GS_ELIMIT); /* of all together */
	push_bounds(&b, 0, 300, "sum100s", GS_OK);
	/* The same in many slices are nothing. */
	b.now += 200000;
	for (unsigned i = 0; i < 100; i++) {
		push_bounds(&b, 0, 4000, "sum100s", GS_OK);
		b.now += 1000;
	}
	bench_close(&b);
}

/* Against an obvious count: what every source would have afterwards. */

enum { FAMILIES = 3, VALUES = 6, SOURCES = 6 };
enum source_kind { PUSHED, SCRAPED, GATEWAY }; /* source / 2 */

struct content {
	bool has[SOURCES][FAMILIES][VALUES];
};

static size_t count(const struct content *c, int source, int family) {
	size_t n = 0;
	for (int s = 0; s < SOURCES; s++) {
		for (int f = 0; f < FAMILIES; f++) {
			for (int v = 0; v < VALUES; v++)
				n += c->has[s][f][v] && (source < 0 || s == source) && (family < 0 || f == family);
		}
	}
	return n;
}

static bool is_within(const struct content *c, const struct gs_store_options *max, size_t times) {
	bool within = count(c, -1, -1) + times <= max->max_series;
	for (int f = 0; f < FAMILIES; f++)
		within &= count(c, -1, f) <= max->max_series_per_family;
	for (int s = 0; s < SOURCES; s++)
		within &= count(c, s, -1) <= max->max_series_per_group;
	return within;
}

static int draw(uint64_t *seed, int n) {
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (int)((*seed >> 33) % (uint64_t)n);
}

/* One request of the source: its body, and what the source would have then. */
static enum gs_status change(struct bench *b, uint64_t *seed, int source, struct content *after) {
	char body[2048] = "", key[8];
	size_t n = 0;
	int mode = draw(seed, 2); /* pushed: clearmode family; gateway: POST */
	bool some[FAMILIES] = {false};
	bool brought[FAMILIES][VALUES] = {{false}};
	for (int i = draw(seed, 8) + 1; i > 0; i--)
		brought[draw(seed, FAMILIES)][draw(seed, VALUES)] = true;
	for (int f = 0; f < FAMILIES; f++) {
		for (int v = 0; v < VALUES; v++) {
			some[f] |= brought[f][v];
			if (brought[f][v])
				n += (size_t)snprintf(body + n, sizeof(body) - n, "f%d{v=\"%d\"%s} 1\n", f, v,
				    source / 2 == PUSHED && mode ? ",clearmode=\"family\"" : "");
		}
		for (int v = 0; v < VALUES; v++) {
			bool keeps =
			    source / 2 == PUSHED ? !mode || !some[f] : source / 2 == GATEWAY && mode && !some[f];
			after->has[source][f][v] = brought[f][v] || (keeps && after->has[source][f][v]);
		}
	}
	snprintf(key, sizeof(key), "job=%d", source);
	b->now++;
	if (source / 2 == PUSHED)
		return push_at(b, key, body);
	if (source / 2 == SCRAPED)
		return scrape_at(b, key, b->now, body);
	return gateway(b, mode ? GS_GATEWAY_POST : GS_GATEWAY_PUT, key, body);
}

static void test_at_random(void **state) {
	(void)state;
	static const struct gs_store_options options[] = {
	    {.max_series = 20, .max_series_per_family = 1000, .max_series_per_group = 1000},
	    {.max_series = 1000, .max_series_per_family = 9, .max_series_per_group = 1000},
	    {.max_series = 1000, .max_series_per_family = 1000, .max_series_per_group = 6},
	    {.max_series = 24, .max_series_per_family = 10, .max_series_per_group = 7},
	};
	for (size_t o = 0; o < sizeof(options) / sizeof(options[0]); o++) {
		struct bench b;
		struct content now = {0};
		uint64_t seed = 4711 + o;
		size_t refused = 0, taken = 0, groups = 0;
		bool is_group[SOURCES] = {false};
		bench_open(&b, &options[o]);
		for (int i = 0; i < 3000; i++) {
			int source = draw(&seed, SOURCES);
			struct content after = now;
			enum gs_status status = change(&b, &seed, source, &after);
			groups += source / 2 == GATEWAY && !is_group[source];
			is_group[source] |= source / 2 == GATEWAY;
			bool expected = is_within(&after, &options[o], 2 * groups);
			if (status != (expected ? GS_OK : GS_ELIMIT))
				fail_msg("options %zu, step %d: %s: %s", o, i, gs_status_name(status), b.err.text);
			*(expected ? &taken : &refused) += 1;
			if (expected)
				now = after;
			assert_int_equal(gs_store_stats(b.store).series, count(&now, -1, -1) + 2 * groups);
		}
		assert_true(refused > 100 && taken > 100);
		bench_close(&b);
	}
}

/* Refused or without memory: as it was. */
static void test_out_of_memory(void **state) {
	(void)state;
	static const char body[] = "v{v=\"2\",clearmode=\"family\"} 1\nv{v=\"3\",clearmode=\"family\"} 1\nw 1\n";
	bool done = false;
	for (int n = 0; !done; n++) {
		struct bench b;
		bench_open(&b, &(struct gs_store_options){.max_series_per_family = 2, .max_series = 3});
		assert_pushed(&b, "v{v=\"1\"} 1\n");
		assert_pushed(&b, "v{v=\"2\"} 1\n");
		gs_mem_fail_after(n);
		enum gs_status status = push(&b, body);
		done = !gs_mem_failed();
		gs_mem_fail_after(-1);
		assert_int_equal(status, done ? GS_OK : GS_ENOMEM);
		assert_exposition(&b, done ? "# TYPE v untyped\nv{v=\"2\"} 1\nv{v=\"3\"} 1\n# TYPE w untyped\nw 1\n"
					   : "# TYPE v untyped\nv{v=\"1\"} 1\nv{v=\"2\"} 1\n");
		bench_close(&b);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_series_of_the_store),
	    cmocka_unit_test(test_series_of_a_family),
	    cmocka_unit_test(test_a_histogram_is_one),
	    cmocka_unit_test(test_pushes_are_grouped_by_target),
	    cmocka_unit_test(test_others_are_not_of_the_group),
	    cmocka_unit_test(test_long_names_are_cut),
	    cmocka_unit_test(test_clearmode_family_exchanges),
	    cmocka_unit_test(test_clearmode_family_within_its_labels),
	    cmocka_unit_test(test_scrapes),
	    cmocka_unit_test(test_groups),
	    cmocka_unit_test(test_what_we_add_is_not_refused),
	    cmocka_unit_test(test_gateway_groups),
	    cmocka_unit_test(test_bounds_of_a_histogram),
	    cmocka_unit_test(test_bounds_of_a_pebble),
	    cmocka_unit_test(test_at_random),
	    cmocka_unit_test(test_out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
