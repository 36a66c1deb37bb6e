/* SPDX-License-Identifier: Apache-2.0 */
#include "body.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS_MAX 17 /* of a text that is read as a number that may move */
#define START_MAX 1000000000000000 /* of such a number: room to grow for as long as a bench can run */
#define DECIMALS_MAX 9 /* finer ones are cut */
#define NUMBER_MAX 48 /* bytes of a printed value */
#define SLOT_MS 1000 /* values step once a second */
#define PAGE 4096

static const char SERVED_META[] = "# HELP bench_served_timestamp_seconds When the target made this answer.\n"
				  "# TYPE bench_served_timestamp_seconds gauge\n"
				  "bench_served_timestamp_seconds ";

enum kind { KIND_STILL, KIND_COUNTER, KIND_GAUGE };

/* A value as digits * 10^-decimals: what a text of a number is, without the rounding of a double. */
struct number {
	int64_t digits;
	int decimals;
};

struct line {
	size_t value_at; /* offset of the value in the text */
	size_t end; /* offset just after it */
	uint64_t hash;
	struct number start;
	enum kind kind;
};

struct bench_body {
	char *text;
	size_t n;
	size_t samples;
	struct line *moving; /* in the order of the text */
	size_t nmoving;
};

static uint64_t mix(uint64_t a, uint64_t b) {
	uint64_t x = a * 0x9e3779b97f4a7c15ULL + b;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

static uint64_t hash_bytes(const char *p, size_t n) {
	uint64_t h = 1469598103934665603ULL;

	for (size_t i = 0; i < n; i++) {
		h = (h ^ (unsigned char)p[i]) * 1099511628211ULL;
	}
	return mix(h, n);
}

/* Shift the number until its decimals are within 0 and DECIMALS_MAX. */
static bool number_settle(struct number *v) {
	while (v->decimals < 0) {
		if (v->digits > START_MAX) {
			return false;
		}
		v->digits *= 10;
		v->decimals++;
	}
	while (v->decimals > DECIMALS_MAX) {
		v->digits /= 10;
		v->decimals--;
	}
	return v->digits <= START_MAX;
}

/* Read a plain positive number, the only kind that moves; false for all others (signs, NaN, too many digits). */
static bool number_parse(const char *p, size_t n, struct number *ret) {
	struct number v = {0};
	bool point = false;
	size_t digits = 0;
	size_t i = 0;

	for (; i < n && (p[i] == '.' || (p[i] >= '0' && p[i] <= '9')); i++) {
		if (p[i] == '.') {
			if (point) {
				return false;
			}
			point = true;
			continue;
		}
		if (++digits > DIGITS_MAX) {
			return false;
		}
		v.digits = v.digits * 10 + (p[i] - '0');
		v.decimals += point;
	}
	if (digits == 0) {
		return false;
	}
	if (i + 3 < n && p[i] == 'e' && (p[i + 1] == '+' || p[i + 1] == '-')) {
		int exponent = (p[i + 2] - '0') * 10 + (p[i + 3] - '0');

		v.decimals += p[i + 1] == '+' ? -exponent : exponent;
		i += 4;
	}
	*ret = v;
	return i == n && v.decimals < 40 && number_settle(ret);
}

static size_t put(char *out, size_t len, const char *p, int n) {
	memcpy(out + len, p, (size_t)n);
	return len + (size_t)n;
}

static size_t put_zeros(char *out, size_t len, int n) {
	memset(out + len, '0', (size_t)n);
	return len + (size_t)n;
}

static size_t number_print_exponent(const char *digits, int n, int exponent, char *out) {
	size_t len = put(out, 0, digits, 1);

	if (n > 1) {
		out[len++] = '.';
		len = put(out, len, digits + 1, n - 1);
	}
	out[len++] = 'e';
	out[len++] = exponent < 0 ? '-' : '+';
	out[len++] = (char)('0' + abs(exponent) / 10);
	out[len++] = (char)('0' + abs(exponent) % 10);
	return len;
}

/* Print as node_exporter does: Go's shortest 'g', with an exponent below 1e-4 and from 1e6 on. */
static size_t number_print(struct number v, char *out) {
	char digits[24];
	int n = snprintf(digits, sizeof(digits), "%lld", (long long)v.digits);
	int point = n - v.decimals; /* digits before the point */
	size_t len = 0;

	while (n > 1 && digits[n - 1] == '0') {
		n--;
	}
	if (v.digits == 0) {
		return put_zeros(out, 0, 1);
	}
	if (point < -3 || point > 6) {
		return number_print_exponent(digits, n, point - 1, out);
	}
	if (point >= n) {
		len = put(out, len, digits, n);
		return put_zeros(out, len, point - n);
	}
	len = point > 0 ? put(out, len, digits, point) : put_zeros(out, len, 1);
	out[len++] = '.';
	if (point < 0) {
		len = put_zeros(out, len, -point);
		point = 0;
	}
	return put(out, len, digits + point, n - point);
}

/* Grow without ever falling: the noise within a slot stays below the rate. */
static int64_t counter_at(const struct line *line, uint64_t target, int64_t slot) {
	int64_t rate = 1 + line->start.digits / 65536 + (int64_t)(mix(line->hash, target) & 7);
	int64_t noise = (int64_t)(mix(line->hash ^ target, (uint64_t)slot) % (uint64_t)rate);

	return line->start.digits + rate * (slot & 0xfffff) + noise;
}

/* Wander within an eighth of the start, in whole pages where the start is made of them. */
static int64_t gauge_at(const struct line *line, uint64_t target, int64_t slot) {
	int64_t unit = line->start.decimals == 0 && line->start.digits % PAGE == 0 ? PAGE : 1;
	int64_t span = line->start.digits / 8 / unit + 2;

	return line->start.digits + unit * (int64_t)(mix(line->hash ^ target, (uint64_t)slot) % (uint64_t)span);
}

static size_t line_render(const struct line *line, uint64_t target, int64_t now_ms, char *out) {
	int64_t slot = now_ms / SLOT_MS;
	struct number v = line->start;

	v.digits = line->kind == KIND_COUNTER ? counter_at(line, target, slot) : gauge_at(line, target, slot);
	return number_print(v, out);
}

size_t bench_body_render(const struct bench_body *body, uint64_t target, int64_t now_ms, char *out) {
	size_t from = 0;
	size_t len = 0;

	for (size_t i = 0; i < body->nmoving; i++) {
		const struct line *line = &body->moving[i];

		memcpy(out + len, body->text + from, line->value_at - from);
		len += line->value_at - from;
		len += line_render(line, target, now_ms, out + len);
		from = line->end;
	}
	memcpy(out + len, body->text + from, body->n - from);
	len += body->n - from;
	memcpy(out + len, SERVED_META, sizeof(SERVED_META) - 1);
	len += sizeof(SERVED_META) - 1;
	return len +
	       (size_t)snprintf(out + len, NUMBER_MAX, "%lld.%03d\n", (long long)(now_ms / 1000), (int)(now_ms % 1000));
}

/* The type of the last TYPE line decides for the samples after it. */
static enum kind kind_of_type(const char *p, size_t n) {
	static const char *const words[] = {"counter", "gauge", "untyped"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t k = strlen(words[i]);

		if (n > k && memcmp(p + n - k, words[i], k) == 0 && p[n - k - 1] == ' ') {
			return i == 0 ? KIND_COUNTER : KIND_GAUGE;
		}
	}
	return KIND_STILL;
}

/* Whether the sample may move at all: 0 and 1 are flags, parts of histograms and summaries must keep together. */
static bool line_read(struct line *line, const char *text, size_t at, size_t n, enum kind kind) {
	size_t value = n;

	while (value > 0 && text[at + value - 1] != ' ') {
		value--;
	}
	*line =
	    (struct line){.value_at = at + value, .end = at + n, .kind = kind, .hash = hash_bytes(text + at, value)};
	return kind != KIND_STILL && number_parse(text + at + value, n - value, &line->start) && line->start.digits > 1;
}

/* Collect every line that may move into body->moving, and count all samples. */
static void body_scan(struct bench_body *body) {
	enum kind kind = KIND_STILL;
	size_t at = 0;

	while (at < body->n) {
		const char *p = body->text + at;
		size_t n = (size_t)((const char *)memchr(p, '\n', body->n - at) - p);

		if (n > 7 && memcmp(p, "# TYPE ", 7) == 0) {
			kind = kind_of_type(p, n);
		} else if (n > 0 && p[0] != '#') {
			body->samples++;
			body->nmoving += line_read(&body->moving[body->nmoving], body->text, at, n, kind);
		}
		at += n + 1;
	}
}

static int by_hash(const void *a, const void *b) {
	uint64_t x = ((const struct line *)a)->hash;
	uint64_t y = ((const struct line *)b)->hash;

	return x < y ? -1 : x > y;
}

static int by_place(const void *a, const void *b) {
	size_t x = ((const struct line *)a)->value_at;
	size_t y = ((const struct line *)b)->value_at;

	return x < y ? -1 : x > y;
}

/* Keep a random but fixed choice of ${want} lines, in the order of the text. */
static void body_choose(struct bench_body *body, size_t want) {
	qsort(body->moving, body->nmoving, sizeof(*body->moving), by_hash);
	if (body->nmoving > want) {
		body->nmoving = want;
	}
	qsort(body->moving, body->nmoving, sizeof(*body->moving), by_place);
}

static bool body_read(struct bench_body *body, const char *file) {
	FILE *f = fopen(file, "rb");
	long size = -1;

	if (f == NULL) {
		return false;
	}
	if (fseek(f, 0, SEEK_END) == 0 && (size = ftell(f)) > 0 && fseek(f, 0, SEEK_SET) == 0) {
		body->text = malloc((size_t)size + 1);
		body->n = body->text != NULL ? fread(body->text, 1, (size_t)size, f) : 0;
	}
	fclose(f);
	return size > 0 && body->n == (size_t)size;
}

struct bench_body *bench_body_load(const char *file, double share, const char **ret_err) {
	struct bench_body *body = calloc(1, sizeof(*body));

	*ret_err = "cannot be read, or is empty";
	if (body == NULL || !body_read(body, file)) {
		goto fail;
	}
	if (body->text[body->n - 1] != '\n') {
		body->text[body->n++] = '\n';
	}
	body->moving = calloc(body->n / 2 + 1, sizeof(*body->moving));
	if (body->moving == NULL) {
		goto fail;
	}
	body_scan(body);
	*ret_err = "holds no sample";
	if (body->samples == 0) {
		goto fail;
	}
	body_choose(body, (size_t)(share * (double)body->samples));
	return body;
fail:
	bench_body_free(body);
	return NULL;
}

void bench_body_free(struct bench_body *body) {
	if (body == NULL) {
		return;
	}
	free(body->text);
	free(body->moving);
	free(body);
}

size_t bench_body_max(const struct bench_body *body) {
	return body->n + (body->nmoving + 1) * NUMBER_MAX + sizeof(SERVED_META);
}

size_t bench_body_samples(const struct bench_body *body) {
	return body->samples + 1;
}

size_t bench_body_moving(const struct bench_body *body) {
	return body->nmoving + 1;
}
