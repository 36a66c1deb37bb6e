/* SPDX-License-Identifier: Apache-2.0 */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#define PLACES 64 /* of a power of two */
#define PLACE_BITS 6

int64_t load_now_ns(void) {
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

double load_cpu_s(void) {
	struct rusage used;

	getrusage(RUSAGE_SELF, &used);
	return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
	       (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

void load_die(const char *fmt, ...) {
	va_list ap;

	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

int load_connect(const char *address, bool blocking) {
	struct sockaddr_in at = {.sin_family = AF_INET};
	const char *colon = strrchr(address, ':');
	char host[64] = {0};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (colon == NULL || (size_t)(colon - address) >= sizeof(host)) {
		load_die("%s is not host:port", address);
	}
	memcpy(host, address, (size_t)(colon - address));
	at.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
	if (inet_pton(AF_INET, host, &at.sin_addr) != 1) {
		load_die("%s is no IPv4 address in digits", host);
	}
	if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof(at)) != 0) {
		load_die("cannot connect to %s: %s", address, strerror(errno));
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	if (!blocking) {
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	}
	return fd;
}

void load_answer_clear(struct load_answer *a) {
	a->state = LOAD_HEAD;
	a->status = 0;
	a->left = 0;
	a->body = 0;
	a->zipped = false;
	a->nhead = 0;
}

/* The value of a header in the lower-case-insensitive head, or NULL. */
static const char *header(const char *head, const char *name) {
	size_t n = strlen(name);
	const char *line = strstr(head, "\r\n");

	for (; line != NULL && line[2] != '\r'; line = strstr(line + 2, "\r\n")) {
		if (strncasecmp(line + 2, name, n) == 0 && line[2 + n] == ':') {
			return line + 3 + n + strspn(line + 3 + n, " ");
		}
	}
	return NULL;
}

/* The head is whole and terminated: what follows it. */
static bool head_read(struct load_answer *a) {
	const char *length = header(a->head, "Content-Length");
	const char *transfer = header(a->head, "Transfer-Encoding");
	const char *encoding = header(a->head, "Content-Encoding");

	if (a->nhead < 15 || strncmp(a->head, "HTTP/1.1 ", 9) != 0) {
		return false;
	}
	a->status = (int)strtol(a->head + 9, NULL, 10);
	a->zipped = encoding != NULL && strncasecmp(encoding, "gzip", 4) == 0;
	a->nhead = 0;
	if (length != NULL) {
		a->left = strtoull(length, NULL, 10);
		a->state = a->left != 0 ? LOAD_LENGTH : LOAD_DONE;
	} else if (transfer != NULL && strncasecmp(transfer, "chunked", 7) == 0) {
		a->state = LOAD_SIZE;
	} else if (a->status == 100) {
		a->state = LOAD_HEAD;
	} else if (a->status == 204) {
		a->state = LOAD_DONE;
	} else {
		return false;
	}
	return true;
}

/* Collect bytes in head until they end with ${end}; returns how many were taken, SIZE_MAX when there is no room. *whole: the end is there. */
static size_t collect(struct load_answer *a, const char *p, size_t n, const char *end, bool *whole) {
	size_t k = strlen(end);
	size_t before = a->nhead;
	size_t room = LOAD_HEAD_MAX - 1 - before;
	size_t take = n < room ? n : room;
	char *found;

	memcpy(a->head + before, p, take);
	found = memmem(a->head, before + take, end, k);
	*whole = found != NULL;
	if (found == NULL) {
		a->nhead += take;
		return take == n ? take : SIZE_MAX;
	}
	a->nhead = (size_t)(found - a->head) + k;
	a->head[a->nhead] = '\0';
	return a->nhead - before;
}

/* A whole line between chunks. */
static bool line_read(struct load_answer *a) {
	bool empty = a->nhead == 2;
	char *end;

	a->nhead = 0;
	if (a->state == LOAD_SIZE) {
		a->left = strtoull(a->head, &end, 16);
		a->state = a->left != 0 ? LOAD_CHUNK : LOAD_TRAILER;
		return end != a->head;
	}
	if (a->state == LOAD_CHUNK_END) {
		a->state = LOAD_SIZE;
		return empty;
	}
	a->state = empty ? LOAD_DONE : LOAD_TRAILER;
	return true;
}

static size_t body_feed(struct load_answer *a, const char *p, size_t n, load_body_fn *on_body, void *ctx) {
	size_t take = n < a->left ? n : (size_t)a->left;

	if (on_body != NULL) {
		on_body(ctx, p, take);
	}
	a->body += take;
	a->left -= take;
	if (a->left == 0) {
		a->state = a->state == LOAD_LENGTH ? LOAD_DONE : LOAD_CHUNK_END;
	}
	return take;
}

size_t load_answer_feed(struct load_answer *a, const char *p, size_t n, load_body_fn *on_body, void *ctx) {
	size_t at = 0;

	while (at < n && a->state != LOAD_DONE) {
		size_t used;
		bool whole = false;

		if (a->state == LOAD_LENGTH || a->state == LOAD_CHUNK) {
			at += body_feed(a, p + at, n - at, on_body, ctx);
			continue;
		}
		used = collect(a, p + at, n - at, a->state == LOAD_HEAD ? "\r\n\r\n" : "\r\n", &whole);
		if (used == SIZE_MAX || (whole && !(a->state == LOAD_HEAD ? head_read(a) : line_read(a)))) {
			return SIZE_MAX;
		}
		at += used;
	}
	return at;
}

/* Times below 64 ns have a place each; above, the 6 bits behind the first one say which. */
static size_t place_of(int64_t ns) {
	uint64_t v = ns > 0 ? (uint64_t)ns : 0;
	int top;

	if (v < PLACES) {
		return (size_t)v;
	}
	top = 63 - __builtin_clzll(v);
	return (size_t)(top - PLACE_BITS + 1) * PLACES + (size_t)((v >> (top - PLACE_BITS)) & (PLACES - 1));
}

static int64_t place_end(size_t place) {
	size_t row = place / PLACES;

	if (row == 0) {
		return (int64_t)place;
	}
	return (int64_t)((((uint64_t)PLACES + place % PLACES + 1) << (row - 1)) - 1);
}

void load_times_add(struct load_times *times, int64_t ns) {
	times->places[place_of(ns)]++;
	times->count++;
	times->max_ns = ns > times->max_ns ? ns : times->max_ns;
}

int64_t load_times_at(const struct load_times *times, double share) {
	uint64_t wanted = (uint64_t)(share * (double)times->count);
	uint64_t below = 0;

	for (size_t i = 0; i < sizeof(times->places) / sizeof(times->places[0]); i++) {
		below += times->places[i];
		if (below != 0 && below >= wanted) {
			return place_end(i) < times->max_ns ? place_end(i) : times->max_ns;
		}
	}
	return times->max_ns;
}
