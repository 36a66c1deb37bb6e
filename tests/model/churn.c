/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Series that come and go: each hour as many new ones appear as the store holds, and the old ones expire. What is freed must be used
 * again, so after the first hours neither what the store has allocated nor what the process has in memory may grow.
 *
 * usage: model_churn [--series N] [--rounds N]
 *
 *   --series N    that appear in an hour (50,000)
 *   --rounds N    hours (50)
 *
 * Asserted from round SETTLED on: the store's bytes within 2 % (or two blocks of a pool, which is more in a small store), the resident memory of
 * the process within 10 % (not under a sanitizer, which keeps what is freed).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gravel/base/num.h"
#include "gravel/gravel/store.h"

#define T0 INT64_C(1700000000000)
#define HOUR_MS (INT64_C(3600) * 1000)
#define STEPS 100 /* in an hour; in each as many series appear */
#define SETTLED 10
#define CHECKED 10000 /* series up to which the invariants are checked, which takes the square of their number */
#define BYTES_PERCENT 2.0
#define TWO_BLOCKS 131072
#define RSS_PERCENT 10.0

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#else
#define SANITIZED false
#endif

struct churn {
	struct gs_store *store;
	struct gs_expo_parser *parser;
	struct gs_batch *batch;
	struct gs_buf body;
	uint64_t dice;
	uint64_t series; /* in an hour */
	uint64_t rounds;
	int64_t now_ms;
};

static void demand(bool condition, const char *what) {
	if (condition)
		return;
	fprintf(stderr, "churn: %s\n", what);
	abort();
}

static uint64_t roll(struct churn *c) {
	uint64_t z = (c->dice += UINT64_C(0x9e3779b97f4a7c15));
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* A value of 8 to 39 characters that never came before. */
static void put_value(struct churn *c, uint64_t number) {
	uint64_t n = roll(c) % 32;
	gs_buf_printf(&c->body, "%08" PRIx64, number);
	for (uint64_t i = 0; i < n; i++)
		gs_buf_char(&c->body, (char)('a' + (number + i) % 26));
}

/* Most series are of families that are always there, some of one that is new in each step; some are histograms, some pebbles. */
static void put_series(struct churn *c, uint64_t number, uint64_t step) {
	uint64_t kind = number % 20;
	if (kind == 0) {
		gs_buf_printf(&c->body, "latency_%" PRIu64 "_count{id=\"", step % 10);
		put_value(c, number);
		gs_buf_cstr(&c->body, "\"} 1\n");
	} else if (kind == 1) {
		gs_buf_cstr(&c->body, "recent{clearmode=\"p99:10m\",id=\"");
		put_value(c, number);
		gs_buf_cstr(&c->body, "\"} 2.5\n");
	} else if (kind < 6) {
		gs_buf_printf(&c->body, "only_%" PRIu64 "_total{id=\"", step);
		put_value(c, number);
		gs_buf_cstr(&c->body, "\"} 3\n");
	} else {
		gs_buf_printf(&c->body, "steady_%" PRIu64 "{id=\"", kind);
		put_value(c, number);
		gs_buf_printf(&c->body, "\",path=\"/%" PRIu64 "\"} %" PRIu64 "\n", number % 50, number);
	}
}

static void read_batch(struct churn *c, const struct gs_label *labels, size_t n, bool lenient) {
	struct gs_batch_options options = {.labels = labels, .nlabels = n, .lenient = lenient};
	struct gs_error err = {0};
	gs_batch_begin(c->batch, &options);
	if (gs_batch_read(c->batch, c->parser, NULL, gs_buf_slice(&c->body), &err) != GS_OK)
		fprintf(stderr, "%u:%u: %s\n", err.line, err.column, err.text);
	demand(err.text[0] == '\0', "a body is refused");
}

/* A quarter is scraped, from targets that are new as well; the rest is pushed. */
static void step(struct churn *c, uint64_t number) {
	uint64_t first = number * (c->series / STEPS), n = c->series / STEPS, scraped = n / 4;
	struct gs_store_result result;
	char name[32];
	size_t stale, expired;
	snprintf(name, sizeof(name), "%" PRIu64, number);
	struct gs_label labels[] = {
	    {GS_STR_INIT("job"), gs_str_of(name)}, {GS_STR_INIT("instance"), GS_STR_INIT("churn")}};
	gs_buf_clear(&c->body);
	for (uint64_t s = 0; s < 10; s++)
		gs_buf_printf(&c->body, "# TYPE latency_%" PRIu64 " histogram\n", s);
	for (uint64_t i = 0; i < n - scraped; i++)
		put_series(c, first + i, number);
	read_batch(c, labels, 1, false);
	demand(gs_store_push(c->store, c->batch, c->now_ms, &result, NULL) == GS_OK, "a push is refused");
	gs_buf_clear(&c->body);
	gs_buf_cstr(&c->body, "# HELP only_help Of families that leave.\n");
	for (uint64_t i = n - scraped; i < n; i++)
		put_series(c, first + i, number);
	read_batch(c, labels, 2, true);
	struct gs_scrape_info info = {
	    .key = {.publisher = GS_STR("p"), .job = gs_str_of(name), .instance = GS_STR("churn")},
	    .time_ms = c->now_ms,
	    .interval_ms = 15000,
	};
	demand(gs_store_scrape(c->store, &info, c->batch, c->now_ms, &result) == GS_OK, "a scrape is refused");
	c->now_ms += HOUR_MS / STEPS;
	gs_store_expire(c->store, c->now_ms, &stale, &expired);
}

static size_t resident(void) {
	unsigned long long size = 0, pages = 0;
	FILE *file = fopen("/proc/self/statm", "r");
	demand(file != NULL && fscanf(file, "%llu %llu", &size, &pages) == 2, "/proc/self/statm");
	(void)fclose(file);
	return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

struct range {
	size_t low;
	size_t high;
};

static void widen(struct range *range, size_t v) {
	if (range->high == 0 || v < range->low)
		range->low = v;
	if (v > range->high)
		range->high = v;
}

static double percent(const struct range *range) {
	return 100 * (double)(range->high - range->low) / (double)range->low;
}

static int run(struct churn *c) {
	struct range bytes = {0}, rss = {0};
	for (uint64_t round = 0; round < c->rounds; round++) {
		for (uint64_t s = 0; s < STEPS; s++)
			step(c, round * STEPS + s);
		struct gs_store_stats stats = gs_store_stats(c->store);
		size_t memory = resident();
		printf("round %3" PRIu64
		       ": %zu series, %zu families, %zu + %zu groups, %.1f MB in the store, %.1f MB resident\n",
		    round, stats.series, stats.families, stats.groups_fresh, stats.groups_stale,
		    (double)stats.bytes / 1e6, (double)memory / 1e6);
		if (round % 10 == 0 && c->series <= CHECKED)
			gs_store_check(c->store);
		if (round < SETTLED)
			continue;
		demand(stats.series > c->series * 9 / 10 && stats.series < c->series * 11 / 10, "series do not expire");
		widen(&bytes, stats.bytes);
		widen(&rss, memory);
	}
	if (bytes.high == 0)
		return 0; /* too short to say anything */
	printf("from round %d on: store %.2f %%, resident %.2f %%\n", SETTLED, percent(&bytes), percent(&rss));
	bool grows = percent(&bytes) > BYTES_PERCENT && bytes.high - bytes.low > TWO_BLOCKS;
	return grows || (!SANITIZED && percent(&rss) > RSS_PERCENT);
}

int main(int argc, char **argv) {
	struct churn c = {.series = 50000, .rounds = 50, .now_ms = T0, .dice = 1};
	struct gs_store_options options = {.expiration_ms = HOUR_MS, .max_age_ms = HOUR_MS};
	for (int i = 1; i + 1 < argc; i += 2) {
		uint64_t *to = strcmp(argv[i], "--series") == 0 ? &c.series : &c.rounds;
		demand(gs_num_parse_u64(gs_str_of(argv[i + 1]), to) == GS_OK,
		    "usage: model_churn [--series N] [--rounds N]");
	}
	c.store = gs_store_new(&options);
	c.parser = gs_expo_parser_new();
	c.batch = gs_batch_new();
	gs_buf_init(&c.body, SIZE_MAX);
	demand(c.store != NULL && c.parser != NULL && c.batch != NULL, "memory");
	int rc = run(&c);
	gs_buf_free(&c.body);
	gs_batch_free(c.batch);
	gs_expo_parser_free(c.parser);
	gs_store_free(c.store);
	return rc;
}
