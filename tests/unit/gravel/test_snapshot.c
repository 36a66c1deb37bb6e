/* SPDX-License-Identifier: Apache-2.0 */
/* What is loaded is what was saved: in every format, at every time, and in what becomes of it. The model (tests/model) restarts a store in the middle of
 * random operations; here stands what it has not, and what is damaged. */
#include "gravel/gravel/snapshot.h"
#include "rich_test.h"

static const struct gs_store_options plain = {.max_age_ms = 10000};

struct saved {
	struct gs_buf bytes;
	size_t at;
	size_t step;
	size_t puts;
};

static enum gs_status put(void *ctx, struct gs_str bytes) {
	struct saved *saved = ctx;
	saved->puts++;
	gs_buf_str(&saved->bytes, bytes);
	return saved->bytes.status;
}

static enum gs_status get(void *ctx, struct gs_str *ret) {
	struct saved *saved = ctx;
	size_t left = saved->bytes.n - saved->at;
	*ret = gs_str_make(saved->bytes.p + saved->at, left < saved->step ? left : saved->step);
	saved->at += ret->n;
	return GS_OK;
}

static void save(struct gs_store *store, struct saved *saved) {
	*saved = (struct saved){.step = SIZE_MAX};
	gs_buf_init(&saved->bytes, SIZE_MAX);
	assert_int_equal(gs_store_save(store, put, saved), GS_OK);
}

static enum gs_status loaded; /* what the last load said */

/* A store of what was saved; NULL and why where it cannot be. */
static struct gs_store *load(struct saved *saved, const struct gs_store_options *options, struct gs_error *err) {
	struct gs_store *store = gs_store_new(options);
	assert_non_null(store);
	saved->at = 0;
	*err = (struct gs_error){0};
	loaded = gs_store_load(store, get, saved, err);
	if (loaded == GS_OK) {
		gs_store_check(store);
		return store;
	}
	assert_string_not_equal(err->text, "");
	gs_store_free(store);
	return NULL;
}

static enum gs_status gateway(struct bench *b, enum gs_gateway_op op, const char *key, const char *body) {
	struct gs_label labels[8];
	struct gs_batch_options options = {.labels = labels, .nlabels = labels_of(key, labels), .gateway = true};
	gs_batch_begin(b->batch, &options);
	enum gs_status status = gs_batch_read(b->batch, b->parser, NULL, gs_str_of(body), &b->err);
	if (status == GS_OK)
		status = gs_store_gateway(b->store, op, labels, options.nlabels, b->batch, b->now, &b->result, &b->err);
	return status;
}

static void push_ttl(struct bench *b, int64_t ttl_ms, const char *body) {
	struct gs_batch_options options = {.ttl_ms = ttl_ms};
	gs_batch_begin(b->batch, &options);
	assert_int_equal(gs_batch_read(b->batch, b->parser, NULL, gs_str_of(body), &b->err), GS_OK);
	assert_int_equal(gs_store_push(b->store, b->batch, b->now, &b->result, &b->err), GS_OK);
}

/* One of everything. */
static void fill(struct bench *b) {
	static const struct native_bucket some[] = {{-3, 2}, {-1, 5}, {7, 1}, {0, -1}};
	assert_pushed(b,
	    "# HELP plain Text with \\\\ and \\n.\n# TYPE plain gauge\nplain{a=\"x\\\"y\",job=\"j\"} -0\n"
	    "# TYPE c_total counter\nc_total{job=\"j\",instance=\"i\"} 12345678901234567\n"
	    "untyped{le=\"1\"} NaN\n{\"utf.8 name\",\"lab.el\"=\"\xc3\xa9\"} +Inf\nU__odd 1\nodd{U__x=\"1\"} 1\n"
	    "# TYPE lat gauge\nlat 5 1700000000500\n");
	assert_pushed(b,
	    "# TYPE h histogram\nh_bucket{le=\"0.1\"} 1\nh_bucket{le=\"1e1\"} 3\nh_bucket{le=\"+Inf\"} 4\nh_sum "
	    "7.5\nh_count 4\n# TYPE s summary\ns{quantile=\"0.5\"} 1\ns{quantile=\"0.99\"} 2\ns_sum 3\n");
	static const char *const modes[] = {
	    "sum5m", "mean5m", "min5m", "max5m", "count5m", "last5m", "median5m", "stddev5m", "p99:5m", "p0:1s"};
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		for (int k = 0; k < 4; k++) {
			char body[600];
			snprintf(body, sizeof(body),
			    "# TYPE g%zu gauge\ng%zu{clearmode=\"%s\"} %d.25\n# TYPE ph%zu histogram\n"
			    "ph%zu_bucket{le=\"%d\",clearmode=\"%s\"} %d\nph%zu_bucket{le=\"+Inf\",clearmode=\"%s\"} "
			    "9\n"
			    "ph%zu_sum{clearmode=\"%s\"} 2\nph%zu_count{clearmode=\"%s\"} 9\n# TYPE ps%zu summary\n"
			    "ps%zu{quantile=\"0.5\",clearmode=\"%s\"} %d\nps%zu_count{clearmode=\"%s\"} 3\n",
			    i, i, modes[i], 7 * k, i, i, k, modes[i], k, i, modes[i], i, modes[i], i, modes[i], i, i,
			    modes[i], k, i, modes[i]);
			b->now += 1700;
			assert_pushed(b, body);
		}
	}
	push_strict(b, "",
	    "# TYPE e_seconds counter\n# UNIT e_seconds seconds\ne_seconds_total{a=\"1\"} 3 # {trace=\"1\",b=\"\\\"\"} "
	    "2 1700000001\n"
	    "# TYPE eh histogram\neh_bucket{le=\"1.0\"} 1 # {} 0.5\neh_bucket{le=\"+Inf\"} 1\neh_sum 1\neh_count "
	    "1\n# TYPE i info\ni_info{v=\"1\"} 1\n# TYPE st stateset\nst{st=\"a\"} 1\nst{st=\"b\"} 0\n"
	    "# TYPE gh gaugehistogram\ngh_bucket{le=\"+Inf\"} 4\ngh_gsum 1\ngh_gcount 4\n");
	struct native_body native = {.name = "nh",
	    .schema = 3,
	    .zero_threshold = 0.001,
	    .zero_count = 2,
	    .sum = 10,
	    .positive = some,
	    .negative = some};
	assert_int_equal(push_native(b, "", &native), GS_OK);
	native.is_float = true;
	native.name = "nf";
	assert_int_equal(push_native(b, "", &native), GS_OK);
	push_ttl(b, 60000, "leased 1\n");
	push_ttl(b, 5000, "leased2{a=\"1\"} 1\n");
	assert_int_equal(scrape_at(b, "i1", b->now, "up 1\n# TYPE r_total counter\nr_total{x=\"1\"} 5\n"), GS_OK);
	assert_int_equal(scrape_at(b, "i2", b->now - 9000, "up 0\n"), GS_OK);
	assert_int_equal(gateway(b, GS_GATEWAY_PUT, "job=g,k=\"v", "# TYPE a gauge\na{x=\"1\"} 1\n"), GS_OK);
	assert_int_equal(gateway(b, GS_GATEWAY_PUT, "job=g,k=\"v", "# TYPE c_total gauge\nc_total 1\n"), GS_ECONFLICT);
}

static void assert_same(struct bench *a, struct bench *b) {
	static const struct gs_expo_dialect *const dialects[] = {&strict_utf8, &strict_values, &binary_utf8};
	for (size_t i = 0; i < sizeof(dialects) / sizeof(dialects[0]); i++) {
		struct gs_buf x, y;
		struct gs_str after_x = {0}, after_y = {0};
		gs_buf_init(&x, SIZE_MAX);
		gs_buf_init(&y, SIZE_MAX);
		while (gs_store_render_next(a->store, &after_x, a->now, *dialects[i], &x))
			continue;
		while (gs_store_render_next(b->store, &after_y, b->now, *dialects[i], &y))
			continue;
		assert_int_equal(x.n, y.n);
		assert_memory_equal(x.p, y.p, x.n);
		gs_buf_free(&x);
		gs_buf_free(&y);
	}
	char *text = exposition(a);
	assert_exposition(b, text);
	gs_free(text);
	struct gs_store_stats x = gs_store_stats(a->store), y = gs_store_stats(b->store);
	assert_int_equal(x.series, y.series);
	assert_int_equal(x.families, y.families);
	assert_int_equal(x.groups_fresh, y.groups_fresh);
	assert_int_equal(x.groups_stale, y.groups_stale);
	assert_int_equal(x.groups_gateway, y.groups_gateway);
}

/* Two benches whose second has what the first saved. */
static void open_both(struct bench *a, struct bench *b, size_t step) {
	struct saved saved;
	bench_open(a, &plain);
	bench_open(b, &plain);
	fill(a);
	gs_store_free(b->store);
	save(a->store, &saved);
	saved.step = step;
	b->store = load(&saved, &plain, &b->err);
	assert_non_null(b->store);
	b->now = a->now;
	gs_buf_free(&saved.bytes);
}

static void close_both(struct bench *a, struct bench *b) {
	bench_close(a);
	bench_close(b);
}

static void test_all_is_there(void **state) {
	(void)state;
	static const size_t steps[] = {1, 7, 4096, SIZE_MAX};
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct bench a, b;
		open_both(&a, &b, steps[i]);
		assert_same(&a, &b);
		assert_true(gs_store_stats(a.store).series > 40);
		close_both(&a, &b);
	}
}

/* It goes on as the one that was saved would: aggregates, windows that pass, leases and groups that end. */
static void test_goes_on(void **state) {
	(void)state;
	struct bench a, b;
	size_t stale[2], expired[2], gone = 0;
	open_both(&a, &b, SIZE_MAX);
	for (int i = 0; i < 60; i++) {
		struct bench *both[] = {&a, &b};
		for (int k = 0; k < 2; k++) {
			both[k]->now += 7000;
			gs_store_expire(both[k]->store, both[k]->now, &stale[k], &expired[k]);
			assert_pushed(both[k], "# TYPE c_total counter\nc_total{job=\"j\",instance=\"i\"} 1\n"
					       "# TYPE g8 gauge\ng8 3\n# TYPE ph0 histogram\nph0_bucket{le=\"2\"} 1\n"
					       "ph0_bucket{le=\"+Inf\"} 1\nph0_sum 1\nph0_count 1\n");
			if (i == 3)
				assert_int_equal(
				    gateway(both[k], GS_GATEWAY_POST, "job=g,k=\"v", "a{x=\"2\"} 1\n"), GS_OK);
			if (i == 4)
				assert_int_equal(scrape_at(both[k], "i1", both[k]->now, "up 1\n"), GS_OK);
		}
		assert_int_equal(stale[0], stale[1]);
		assert_int_equal(expired[0], expired[1]);
		gone += stale[0] + expired[0];
		assert_same(&a, &b);
	}
	assert_int_equal(gone, 5); /* i2, i1 twice, both leases */
	close_both(&a, &b);
}

/* An older value does not come through because the store was saved since. */
static void test_times_are_kept(void **state) {
	(void)state;
	struct bench a, b;
	open_both(&a, &b, SIZE_MAX);
	assert_pushed(&b, "# TYPE lat gauge\nlat 4 1700000000400\n");
	assert_int_equal(b.result.dropped_stale, 1);
	assert_int_equal(scrape_at(&b, "i1", b.now, "up 1\n"), GS_ECONFLICT);
	close_both(&a, &b);
}

/* The program's own metrics are of the process. */
static void test_own_stays(void **state) {
	(void)state;
	struct bench a;
	struct saved saved;
	struct gs_batch_options options = {0};
	bench_open(&a, &plain);
	gs_batch_begin(a.batch, &options);
	assert_int_equal(
	    gs_batch_read(a.batch, a.parser, NULL, GS_STR("# TYPE own gauge\nown{a=\"b\"} 1\nboth 1\n"), &a.err),
	    GS_OK);
	assert_int_equal(gs_store_own(a.store, a.batch, T0), GS_OK);
	assert_pushed(&a, "both{x=\"y\"} 2\n");
	save(a.store, &saved);
	gs_store_free(a.store);
	a.store = load(&saved, &plain, &a.err);
	assert_non_null(a.store);
	assert_exposition(&a, "# TYPE both untyped\nboth{x=\"y\"} 2\n");
	gs_buf_free(&saved.bytes);
	bench_close(&a);
}

static void test_empty(void **state) {
	(void)state;
	struct bench a;
	struct saved saved;
	bench_open(&a, &plain);
	save(a.store, &saved);
	gs_store_free(a.store);
	a.store = load(&saved, &plain, &a.err);
	assert_non_null(a.store);
	assert_exposition(&a, "");
	gs_buf_free(&saved.bytes);
	bench_close(&a);
}

/* Whatever happens to the bytes: an error, or a store that is in order. */
static void test_damage(void **state) {
	(void)state;
	struct bench a;
	struct saved saved;
	struct gs_error err;
	size_t refused = 0, taken = 0;
	bench_open(&a, &plain);
	fill(&a);
	save(a.store, &saved);
	size_t n = saved.bytes.n;
	for (size_t cut = 0; cut < n; cut++) {
		saved.bytes.n = cut;
		assert_null(load(&saved, &plain, &err));
	}
	saved.bytes.n = n;
	for (size_t i = 0; i < n; i++) {
		for (int bit = 0; bit < 8; bit++) {
			saved.bytes.p[i] = (char)(saved.bytes.p[i] ^ 1 << bit);
			struct gs_store *store = load(&saved, &plain, &err);
			refused += store == NULL;
			taken += store != NULL; /* another number, another letter */
			gs_store_free(store);
			saved.bytes.p[i] = (char)(saved.bytes.p[i] ^ 1 << bit);
		}
	}
	assert_true(refused > n && taken > n);
	gs_buf_free(&saved.bytes);
	bench_close(&a);
}

static void test_reasons(void **state) {
	(void)state;
	static const struct gs_store_options one = {.max_groups = 1};
	struct bench a;
	struct saved saved;
	struct gs_error err;
	bench_open(&a, &plain);
	fill(&a);
	save(a.store, &saved);
	assert_null(load(&saved, &one, &err));
	assert_int_equal(loaded, GS_ELIMIT);
	assert_non_null(strstr(err.text, "receiver.limits.groups"));
	saved.bytes.p[14] = 99; /* the version, behind the magic and its length */
	assert_null(load(&saved, &plain, &err));
	assert_int_equal(loaded, GS_EUNSUPPORTED);
	assert_string_equal(err.text, "a later version wrote it; this one reads up to 1");
	saved.bytes.p[14] = 1;
	gs_buf_char(&saved.bytes, 'x'); /* more than all */
	assert_null(load(&saved, &plain, &err));
	assert_int_equal(loaded, GS_EINVAL);
	assert_string_equal(err.text, "the bytes are no store");
	gs_buf_free(&saved.bytes);
	bench_close(&a);
}

static enum gs_status get_nothing(void *ctx, struct gs_str *ret) {
	(void)ctx;
	(void)ret;
	return GS_EIO;
}

static enum gs_status put_nothing(void *ctx, struct gs_str bytes) {
	(void)ctx;
	(void)bytes;
	return GS_EIO;
}

static void test_io(void **state) {
	(void)state;
	struct bench a;
	bench_open(&a, &plain);
	assert_int_equal(gs_store_save(a.store, put_nothing, NULL), GS_EIO);
	assert_int_equal(gs_store_load(a.store, get_nothing, NULL, &a.err), GS_EIO);
	bench_close(&a);
}

static void test_without_memory(void **state) {
	(void)state;
	struct bench a;
	struct saved saved;
	struct gs_error err = {0};
	enum gs_status status = GS_ENOMEM;
	bench_open(&a, &plain);
	fill(&a);
	save(a.store, &saved);
	for (int64_t n = 0; status != GS_OK; n++) {
		struct gs_store *store = gs_store_new(&plain);
		saved.at = 0;
		gs_mem_fail_after(n);
		status = gs_store_load(store, get, &saved, &err);
		gs_mem_fail_after(-1);
		assert_true(status == GS_OK || status == GS_ENOMEM);
		gs_store_free(store);
	}
	status = GS_ENOMEM;
	for (int64_t n = 0; status != GS_OK; n++) {
		struct saved again = {0};
		gs_buf_init(&again.bytes, SIZE_MAX);
		gs_mem_fail_after(n);
		status = gs_store_save(a.store, put, &again);
		gs_mem_fail_after(-1);
		assert_true(status == GS_OK || status == GS_ENOMEM);
		gs_buf_free(&again.bytes);
	}
	gs_buf_free(&saved.bytes);
	bench_close(&a);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_all_is_there),
	    cmocka_unit_test(test_goes_on),
	    cmocka_unit_test(test_times_are_kept),
	    cmocka_unit_test(test_own_stays),
	    cmocka_unit_test(test_empty),
	    cmocka_unit_test(test_damage),
	    cmocka_unit_test(test_reasons),
	    cmocka_unit_test(test_io),
	    cmocka_unit_test(test_without_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
