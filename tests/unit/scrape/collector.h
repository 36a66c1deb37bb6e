/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_TESTS_SCRAPE_COLLECTOR_H
#define GRAVEL_TESTS_SCRAPE_COLLECTOR_H

/* A scraper and what came back from its targets. For tests that have included cmocka.h. */

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "gravel/base/clock.h"
#include "gravel/base/mem.h"
#include "gravel/scrape/scrape.h"

#define FAULT_TARGETS 4096
#define FAULT_BODY 4096

/* What came back from one target. */
struct outcome {
	unsigned results;
	unsigned failures;
	int64_t first_ms; /* time_ms of the first result */
	int64_t last_ms;
	int64_t gap_ms; /* the longest between two starts */
	int64_t duration_us; /* of the last */
	enum gs_scrape_cause cause; /* of the last */
	size_t body_size; /* with pieces: all of them */
	uint64_t body_hash;
	unsigned pieces; /* of the last */
	bool in_pieces;
	size_t coming; /* bytes of pieces so far */
	uint64_t coming_hash;
	unsigned coming_pieces;
	char text[256];
	char body[FAULT_BODY]; /* the beginning of the last */
	char content_type[64];
};

struct collector {
	pthread_mutex_t mutex;
	struct gs_scraper *scraper;
	char urls[FAULT_TARGETS][64];
	size_t n;
	struct outcome *outcomes;
	size_t enough; /* of pieces: refuse more than these bytes; 0: take all */
	unsigned removed;
	const void *removed_user; /* of the last one */
};

static inline void copy_text(char *out, size_t size, struct gs_str s) {
	size_t n = s.n < size - 1 ? s.n : size - 1;
	if (n != 0)
		memcpy(out, s.p, n);
	out[n] = '\0';
}

/* FNV-1a, so that it does not matter how the bytes are cut. */
static inline uint64_t hash_on(uint64_t hash, struct gs_str s) {
	for (size_t i = 0; i < s.n; i++)
		hash = (hash ^ (unsigned char)s.p[i]) * UINT64_C(1099511628211);
	return hash;
}

static inline bool collect_body(
    void *ctx, const struct gs_scrape_target *target, struct gs_str content_type, struct gs_str piece) {
	struct collector *c = ctx;
	struct outcome *o = target->user;
	pthread_mutex_lock(&c->mutex);
	o->coming_hash = hash_on(o->coming_hash, piece);
	o->coming += piece.n;
	o->coming_pieces++;
	copy_text(o->content_type, sizeof(o->content_type), content_type);
	bool more = c->enough == 0 || o->coming < c->enough;
	pthread_mutex_unlock(&c->mutex);
	return more;
}

static inline void collect(void *ctx, const struct gs_scrape_result *result) {
	struct collector *c = ctx;
	struct outcome *o = result->target->user;
	pthread_mutex_lock(&c->mutex);
	if (o->results == 0)
		o->first_ms = result->time_ms;
	else if (result->time_ms - o->last_ms > o->gap_ms)
		o->gap_ms = result->time_ms - o->last_ms;
	o->results++;
	o->failures += result->cause != GS_SCRAPE_OK;
	o->last_ms = result->time_ms;
	o->duration_us = result->duration_us;
	o->cause = result->cause;
	o->body_size = o->coming + result->body.n;
	o->body_hash = hash_on(o->coming_hash, result->body);
	o->pieces = o->coming_pieces;
	o->in_pieces = result->in_pieces;
	o->coming = o->coming_pieces = 0;
	o->coming_hash = 0;
	copy_text(o->text, sizeof(o->text), gs_str_of(result->text));
	copy_text(o->body, sizeof(o->body), result->body);
	copy_text(o->content_type, sizeof(o->content_type), result->content_type);
	pthread_mutex_unlock(&c->mutex);
}

static inline void collect_removed(void *ctx, const struct gs_scrape_target *target) {
	struct collector *c = ctx;
	pthread_mutex_lock(&c->mutex);
	c->removed++;
	c->removed_user = target->user;
	pthread_mutex_unlock(&c->mutex);
}

static inline struct collector *collector_new_with(size_t body_limit, gs_scrape_body_fn *on_body) {
	struct collector *c = gs_alloc(sizeof(*c));
	struct gs_error err = {0};
	c->outcomes = gs_alloc_array(FAULT_TARGETS, sizeof(*c->outcomes));
	pthread_mutex_init(&c->mutex, NULL);
	struct gs_scraper_options options = {
	    .user_agent = "gravel-test/1",
	    .identity = "test",
	    .body_limit = body_limit,
	    .on_result = collect,
	    .on_body = on_body,
	    .on_removed = collect_removed,
	    .ctx = c,
	};
	assert_int_equal(gs_scraper_new(&options, &c->scraper, &err), GS_OK);
	return c;
}

static inline struct collector *collector_new(size_t body_limit) {
	return collector_new_with(body_limit, NULL);
}

static inline void collector_free(struct collector *c) {
	gs_scraper_free(c->scraper);
	pthread_mutex_destroy(&c->mutex);
	gs_free(c->outcomes);
	gs_free(c);
}

/* Add a target; its outcome is c->outcomes[what this returns]. */
static inline size_t collector_add(struct collector *c, const char *url, int64_t interval_ms, int64_t timeout_ms) {
	assert_true(c->n < FAULT_TARGETS);
	snprintf(c->urls[c->n], sizeof(c->urls[0]), "%s", url);
	struct gs_scrape_target target = {
	    .job = "faults",
	    .instance = c->urls[c->n],
	    .url = c->urls[c->n],
	    .interval_ms = interval_ms,
	    .timeout_ms = timeout_ms,
	    .user = &c->outcomes[c->n],
	};
	assert_int_equal(gs_scraper_add(c->scraper, &target), GS_OK);
	return c->n++;
}

static inline size_t collector_add_path(
    struct collector *c, unsigned port, const char *path, int64_t interval_ms, int64_t timeout_ms) {
	char url[64];
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/%s", port, path);
	return collector_add(c, url, interval_ms, timeout_ms);
}

static inline void collector_start(struct collector *c) {
	struct gs_error err = {0};
	assert_int_equal(gs_scraper_start(c->scraper, &err), GS_OK);
}

static inline struct outcome collector_get(struct collector *c, size_t i) {
	pthread_mutex_lock(&c->mutex);
	struct outcome o = c->outcomes[i];
	pthread_mutex_unlock(&c->mutex);
	return o;
}

static inline size_t collector_count_below(struct collector *c, unsigned results) {
	size_t below = 0;
	pthread_mutex_lock(&c->mutex);
	for (size_t i = 0; i < c->n; i++)
		below += c->outcomes[i].results < results;
	pthread_mutex_unlock(&c->mutex);
	return below;
}

static inline void sleep_ms(int64_t ms) {
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
	nanosleep(&t, NULL);
}

/* Wait until every target has so many results. */
static inline void collector_wait(struct collector *c, unsigned results, int64_t patience_ms) {
	int64_t until = gs_clock_mono_ms() + patience_ms;
	while (collector_count_below(c, results) != 0 && gs_clock_mono_ms() < until)
		sleep_ms(10);
	assert_int_equal(collector_count_below(c, results), 0);
}

static inline void collector_remove(struct collector *c, size_t i) {
	assert_int_equal(gs_scraper_remove(c->scraper, &c->outcomes[i]), GS_OK);
}

static inline void collector_wait_removed(struct collector *c, unsigned n, int64_t patience_ms) {
	int64_t until = gs_clock_mono_ms() + patience_ms;
	for (unsigned removed = 0; removed < n; sleep_ms(2)) {
		assert_true(gs_clock_mono_ms() < until);
		pthread_mutex_lock(&c->mutex);
		removed = c->removed;
		pthread_mutex_unlock(&c->mutex);
	}
}

#endif
