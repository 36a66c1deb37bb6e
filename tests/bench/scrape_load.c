/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scrapes one URL again and again over one kept connection and throws away what comes: how long until the first byte of the body, how long until the
 * last. Prints one JSON line a scrape. Ends with 1 when an answer is not 200, or not in the encoding that was asked for.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "gravel/base/num.h"
#include "load.h"

#define BUFFER (1 << 20)

struct scraper {
	const char *address;
	const char *path;
	long count; /* 0: until the time is over */
	double duration_s;
	double timeout_s;
	bool zip;
	bool lines; /* count them */
	int fd;
	char *in;
	size_t nrequest;
	char request[LOAD_HEAD_MAX];
	struct load_answer answer;
	int64_t first_ns; /* when the body began; 0: not yet */
	uint64_t samples; /* lines that are no comments */
	bool in_line; /* the next byte is not the first of a line */
};

static void count_lines(struct scraper *s, const char *p, size_t n) {
	const char *end = p + n;

	while (p < end) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));

		s->samples += !s->in_line && *p != '#';
		s->in_line = newline == NULL;
		p = newline != NULL ? newline + 1 : end;
	}
}

static void on_body(void *ctx, const char *p, size_t n) {
	struct scraper *s = ctx;

	if (s->first_ns == 0) {
		s->first_ns = load_now_ns();
	}
	if (s->lines) {
		count_lines(s, p, n);
	}
}

static void scrape(struct scraper *s) {
	int64_t start = load_now_ns();
	int64_t end;

	load_answer_clear(&s->answer);
	s->first_ns = 0;
	s->samples = 0;
	s->in_line = false;
	if (send(s->fd, s->request, s->nrequest, MSG_NOSIGNAL) != (ssize_t)s->nrequest) {
		load_die("the connection broke: %s", strerror(errno));
	}
	while (s->answer.state != LOAD_DONE) {
		ssize_t n = recv(s->fd, s->in, BUFFER, 0);

		if (n <= 0) {
			load_die("%s",
			    n < 0 ? strerror(errno) : "the server closed the connection in the middle of an answer");
		}
		if (load_answer_feed(&s->answer, s->in, (size_t)n, on_body, s) != (size_t)n) {
			load_die("the answer is no HTTP/1.1 with a length or chunks");
		}
	}
	end = load_now_ns();
	if (s->answer.status != 200 || s->answer.zipped != s->zip) {
		load_die("the answer is %d%s", s->answer.status, s->answer.zipped ? ", zipped" : ", not zipped");
	}
	printf("{\"ms\": %.3f, \"first_ms\": %.3f, \"bytes\": %llu, \"samples\": %llu}\n", (double)(end - start) / 1e6,
	    (double)((s->first_ns != 0 ? s->first_ns : end) - start) / 1e6, (unsigned long long)s->answer.body,
	    (unsigned long long)s->samples);
	fflush(stdout);
}

static void run(struct scraper *s) {
	int64_t until = load_now_ns() + (int64_t)(s->duration_s * 1e9);

	for (long i = 0; s->count != 0 ? i < s->count : i == 0 || load_now_ns() < until; i++) {
		scrape(s);
	}
}

static void start(struct scraper *s) {
	struct timeval timeout = {.tv_sec = (time_t)s->timeout_s, .tv_usec = 1};
	int n = snprintf(s->request, sizeof(s->request), "GET %s HTTP/1.1\r\nHost: %s\r\nAccept-Encoding: %s\r\n\r\n",
	    s->path, s->address, s->zip ? "gzip" : "identity");

	if (n >= (int)sizeof(s->request)) {
		load_die("the path is too long");
	}
	s->nrequest = (size_t)n;
	s->in = malloc(BUFFER);
	if (s->in == NULL) {
		load_die("out of memory");
	}
	s->fd = load_connect(s->address, true);
	setsockopt(s->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
}

static void usage(void) {
	fputs("usage: scrape_load --connect HOST:PORT [--path /metrics] [--gzip] [--lines] [--count N | --duration S]\n"
	      "  [--timeout 60]; --lines also counts the samples\n",
	    stderr);
	exit(2);
}

static double number(const char *text) {
	double v = -1;

	if (gs_num_parse_double(gs_str_of(text), &v) != GS_OK || !(v >= 0)) {
		usage();
	}
	return v;
}

static void options_read(struct scraper *s, int argc, char **argv) {
	static const struct option longs[] = {{"connect", required_argument, NULL, 'a'},
	    {"path", required_argument, NULL, 'p'}, {"gzip", no_argument, NULL, 'z'}, {"lines", no_argument, NULL, 'l'},
	    {"count", required_argument, NULL, 'n'}, {"duration", required_argument, NULL, 'd'},
	    {"timeout", required_argument, NULL, 'x'}, {NULL, 0, NULL, 0}};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'a':
			s->address = optarg;
			break;
		case 'p':
			s->path = optarg;
			break;
		case 'z':
			s->zip = true;
			break;
		case 'l':
			s->lines = true;
			break;
		case 'n':
			s->count = (long)number(optarg);
			break;
		case 'd':
			s->duration_s = number(optarg);
			break;
		case 'x':
			s->timeout_s = number(optarg);
			break;
		default:
			usage();
		}
	}
	if (optind != argc || s->address == NULL || (s->lines && s->zip)) {
		usage();
	}
}

int main(int argc, char **argv) {
	static struct scraper s = {.path = "/metrics", .timeout_s = 60};

	options_read(&s, argc, argv);
	start(&s);
	run(&s);
	close(s.fd);
	free(s.in);
	return 0;
}
