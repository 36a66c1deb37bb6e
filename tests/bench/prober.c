/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measures how long a scraped value takes until it can be read: polls a URL over one kept connection for a family whose
 * values are the times (seconds since the epoch) at which they were made, and takes now minus value for every value that
 * was not there the poll before. What it says is late by up to one poll. Prints one JSON line.
 */
#include <curl/curl.h>
#include <getopt.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gravel/base/num.h"

#define BODY_MAX (64UL * 1024 * 1024)
#define SERIES_MAX 65536 /* a power of two, twice what is expected at least */
#define LATENCIES_MAX 10000000

struct body {
	char *p;
	size_t n;
	size_t cap;
};

struct seen {
	uint64_t key; /* hash of the series; 0: free */
	double value;
};

struct prober {
	const char *url;
	const char *metric;
	double duration_s;
	long poll_ms;
	CURL *curl;
	struct body body;
	struct seen *seen;
	size_t series;
	double *latencies; /* in seconds */
	size_t nlatencies;
	size_t room;
	uint64_t polls;
	uint64_t failures;
	double poll_s; /* spent in requests */
};

static double clock_s(clockid_t id) {
	struct timespec ts;

	clock_gettime(id, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static size_t on_body(char *p, size_t size, size_t count, void *user) {
	struct body *b = user;
	size_t n = size * count;

	if (b->n + n + 1 > b->cap) {
		size_t cap = (b->n + n + 1) * 2;
		char *grown = cap <= BODY_MAX ? realloc(b->p, cap) : NULL;

		if (grown == NULL) {
			return 0;
		}
		b->p = grown;
		b->cap = cap;
	}
	memcpy(b->p + b->n, p, n);
	b->n += n;
	b->p[b->n] = '\0';
	return n;
}

static uint64_t hash_bytes(const char *p, size_t n) {
	uint64_t h = 1469598103934665603ULL;

	for (size_t i = 0; i < n; i++) {
		h = (h ^ (unsigned char)p[i]) * 1099511628211ULL;
	}
	return h != 0 ? h : 1;
}

/* The place of a series, made on the first sight (value 0); NULL when there are too many. */
static struct seen *seen_place(struct prober *pr, const char *series, size_t n) {
	uint64_t key = hash_bytes(series, n);
	size_t i = key & (SERIES_MAX - 1);

	while (pr->seen[i].key != 0 && pr->seen[i].key != key) {
		i = (i + 1) & (SERIES_MAX - 1);
	}
	if (pr->seen[i].key == 0) {
		if (pr->series == SERIES_MAX / 2) {
			return NULL;
		}
		pr->series++;
		pr->seen[i].key = key;
	}
	return &pr->seen[i];
}

static void latency_add(struct prober *pr, double latency) {
	if (pr->nlatencies == pr->room && pr->room < LATENCIES_MAX) {
		size_t room = pr->room * 2 + 4096;
		double *grown = realloc(pr->latencies, room * sizeof(*grown));

		if (grown == NULL) {
			return;
		}
		pr->latencies = grown;
		pr->room = room;
	}
	if (pr->nlatencies < pr->room) {
		pr->latencies[pr->nlatencies++] = latency;
	}
}

/* A sample line: the value is what follows the last space. */
static void take_line(struct prober *pr, const char *line, size_t n, double now) {
	size_t k = strlen(pr->metric);
	struct seen *seen;
	size_t at = n;
	double value;

	if (n <= k || memcmp(line, pr->metric, k) != 0 || (line[k] != '{' && line[k] != ' ')) {
		return;
	}
	while (at > 0 && line[at - 1] != ' ') {
		at--;
	}
	seen = seen_place(pr, line, at);
	if (gs_num_parse_double(gs_str_make(line + at, n - at), &value) != GS_OK || seen == NULL ||
	    value <= seen->value) {
		return;
	}
	if (seen->value > 0) {
		latency_add(pr, now - value);
	}
	seen->value = value;
}

static void take_body(struct prober *pr, double now) {
	char *p = pr->body.p;
	char *end = pr->body.p + pr->body.n;

	while (p < end) {
		char *newline = memchr(p, '\n', (size_t)(end - p));

		if (newline == NULL) {
			return;
		}
		take_line(pr, p, (size_t)(newline - p), now);
		p = newline + 1;
	}
}

static void poll_once(struct prober *pr) {
	double start = clock_s(CLOCK_MONOTONIC);
	long status = 0;

	pr->body.n = 0;
	pr->polls++;
	if (curl_easy_perform(pr->curl) != CURLE_OK) {
		pr->failures++;
		return;
	}
	curl_easy_getinfo(pr->curl, CURLINFO_RESPONSE_CODE, &status);
	pr->poll_s += clock_s(CLOCK_MONOTONIC) - start;
	if (status != 200) {
		pr->failures++;
	} else if (pr->body.n > 0) {
		take_body(pr, clock_s(CLOCK_REALTIME));
	}
}

static void sleep_until(double when) {
	double left = when - clock_s(CLOCK_MONOTONIC);

	if (left > 0) {
		struct timespec ts = {.tv_sec = (time_t)left, .tv_nsec = (long)((left - (double)(time_t)left) * 1e9)};

		nanosleep(&ts, NULL);
	}
}

static void run(struct prober *pr) {
	double next = clock_s(CLOCK_MONOTONIC);
	double end = next + pr->duration_s;

	while (next < end) {
		poll_once(pr);
		next += (double)pr->poll_ms / 1000;
		/* Also when late: the target counts in milliseconds, and what it says is new only in the next one. */
		next = fmax(next, clock_s(CLOCK_MONOTONIC) + 0.002);
		sleep_until(next);
	}
}

static int by_size(const void *a, const void *b) {
	double x = *(const double *)a;
	double y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* In milliseconds; nearest rank. */
static double percentile(const struct prober *pr, double p) {
	size_t rank = (size_t)(p * (double)pr->nlatencies);

	if (pr->nlatencies == 0) {
		return 0;
	}
	return 1000 * pr->latencies[rank < pr->nlatencies ? rank : pr->nlatencies - 1];
}

static void report(struct prober *pr) {
	if (pr->nlatencies > 0) {
		qsort(pr->latencies, pr->nlatencies, sizeof(double), by_size);
	}
	printf("{\"series\": %zu, \"values\": %zu, \"polls\": %llu, \"failures\": %llu, \"poll_ms\": %.3f, "
	       "\"min_ms\": %.1f, \"p50_ms\": %.1f, \"p90_ms\": %.1f, \"p99_ms\": %.1f, \"max_ms\": %.1f}\n",
	    pr->series, pr->nlatencies, (unsigned long long)pr->polls, (unsigned long long)pr->failures,
	    pr->polls > 0 ? 1000 * pr->poll_s / (double)pr->polls : 0, percentile(pr, 0), percentile(pr, 0.5),
	    percentile(pr, 0.9), percentile(pr, 0.99), percentile(pr, 1));
}

static bool options_read(struct prober *pr, int argc, char **argv) {
	static const struct option longs[] = {{"url", required_argument, NULL, 'u'},
	    {"metric", required_argument, NULL, 'm'}, {"duration", required_argument, NULL, 'd'},
	    {"poll-ms", required_argument, NULL, 'p'}, {NULL, 0, NULL, 0}};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'u':
			pr->url = optarg;
			break;
		case 'm':
			pr->metric = optarg;
			break;
		case 'd':
			if (gs_num_parse_double(gs_str_of(optarg), &pr->duration_s) != GS_OK) {
				return false;
			}
			break;
		case 'p':
			pr->poll_ms = strtol(optarg, NULL, 10);
			break;
		default:
			return false;
		}
	}
	return pr->url != NULL && pr->duration_s > 0 && pr->poll_ms >= 0;
}

static bool prober_start(struct prober *pr) {
	pr->seen = calloc(SERIES_MAX, sizeof(*pr->seen));
	pr->curl = curl_easy_init();
	return pr->seen != NULL && pr->curl != NULL && curl_easy_setopt(pr->curl, CURLOPT_URL, pr->url) == CURLE_OK &&
	       curl_easy_setopt(pr->curl, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
	       curl_easy_setopt(pr->curl, CURLOPT_WRITEDATA, &pr->body) == CURLE_OK &&
	       curl_easy_setopt(pr->curl, CURLOPT_PROXY, "") == CURLE_OK &&
	       curl_easy_setopt(pr->curl, CURLOPT_TIMEOUT_MS, 10000L) == CURLE_OK;
}

int main(int argc, char **argv) {
	struct prober pr = {.metric = "bench_served_timestamp_seconds", .duration_s = 15, .poll_ms = 20};

	if (!options_read(&pr, argc, argv)) {
		fputs("usage: prober --url URL [--metric NAME] [--duration SECONDS] [--poll-ms MS]\n", stderr);
		return 2;
	}
	if (!prober_start(&pr)) {
		fputs("prober: cannot start: out of memory, or a libcurl without an option\n", stderr);
		return 1;
	}
	run(&pr);
	report(&pr);
	curl_easy_cleanup(pr.curl);
	free(pr.seen);
	free(pr.latencies);
	free(pr.body.p);
	return pr.nlatencies > 0 ? 0 : 1;
}
