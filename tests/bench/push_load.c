/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pushes as fast as the server answers: some kept connections, each with one push in flight, one thread, epoll. Every request is the same bytes
 * but for the number of its group, which is written where the path has "{}". Prints one JSON line. Ends with 1 when an answer
 * was neither 200 nor 202, when the server closed a connection, or when nothing came for a while.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gravel/base/num.h"
#include "load.h"

#define DIGITS 5 /* of a group's number */
#define GROUPS_MAX 100000
#define CONNECTIONS_MAX 4096
#define EVENTS 64
#define REASON_MAX 200

struct load;

struct conn {
	struct load *load;
	int fd;
	bool busy; /* a push is in flight */
	size_t group;
	size_t sent;
	int64_t started_ns;
	struct load_answer answer;
};

struct load {
	const char *address;
	const char *path;
	const char *method;
	const char *type;
	const char *body_file;
	long connections;
	long groups;
	long first; /* group */
	long count; /* pushes; 0: until the time is over */
	double duration_s;
	double warmup_s;
	double timeout_s;

	char *request;
	size_t nrequest;
	char *digits; /* in request; NULL: the path names no group */
	struct conn *conns;
	int epoll;
	uint64_t begun;
	uint64_t answered;
	uint64_t bad;
	int bad_status;
	size_t nreason;
	char reason[REASON_MAX]; /* the first bad answer's body */
	bool counting; /* the warm-up is over */
	int64_t from_ns; /* since when */
	int64_t last_ns; /* the newest answer */
	double from_cpu_s;
	struct load_times times;
};

static char *read_file(const char *file, size_t *ret_n) {
	FILE *f = fopen(file, "rb");
	size_t cap = 1 << 16;
	char *p = malloc(cap);
	size_t got;

	*ret_n = 0;
	if (f == NULL || p == NULL) {
		load_die("%s: %s", file, strerror(errno));
	}
	while ((got = fread(p + *ret_n, 1, cap - *ret_n, f)) > 0) {
		*ret_n += got;
		if (*ret_n == cap) {
			cap *= 2;
			p = realloc(p, cap);
			if (p == NULL) {
				load_die("out of memory");
			}
		}
	}
	fclose(f);
	return p;
}

/* The one request that all pushes are. */
static void request_build(struct load *l) {
	const char *mark = strstr(l->path, "{}");
	size_t nbody;
	char *body = read_file(l->body_file, &nbody);
	int nhead;

	l->request = malloc(LOAD_HEAD_MAX + nbody);
	if (l->request == NULL) {
		load_die("out of memory");
	}
	nhead = snprintf(l->request, LOAD_HEAD_MAX,
	    "%s %.*s%s%s HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n", l->method,
	    mark != NULL ? (int)(mark - l->path) : (int)strlen(l->path), l->path, mark != NULL ? "00000" : "",
	    mark != NULL ? mark + 2 : "", l->address, l->type, nbody);
	if (nhead >= LOAD_HEAD_MAX) {
		load_die("the path is too long");
	}
	l->digits = mark != NULL ? l->request + strlen(l->method) + 1 + (mark - l->path) : NULL;
	memcpy(l->request + nhead, body, nbody);
	l->nrequest = (size_t)nhead + nbody;
	free(body);
}

static void digits_write(struct load *l, size_t group) {
	if (l->digits == NULL) {
		return;
	}
	for (int i = DIGITS - 1; i >= 0; i--) {
		l->digits[i] = (char)('0' + group % 10);
		group /= 10;
	}
}

/* Send what the socket takes; the rest goes when it is writable again. */
static void conn_send(struct load *l, struct conn *c) {
	digits_write(l, c->group);
	while (c->sent < l->nrequest) {
		ssize_t n = send(c->fd, l->request + c->sent, l->nrequest - c->sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN) {
			return;
		}
		if (n < 0) {
			load_die("a connection broke after %llu answers: %s", (unsigned long long)l->answered,
			    strerror(errno));
		}
		c->sent += (size_t)n;
	}
}

static void conn_begin(struct load *l, struct conn *c, int64_t now) {
	c->group = ((size_t)l->first + l->begun) % (size_t)l->groups;
	c->sent = 0;
	c->busy = true;
	c->started_ns = now;
	l->begun++;
	load_answer_clear(&c->answer);
	conn_send(l, c);
}

static bool wants_more(const struct load *l, int64_t now) {
	if (l->count != 0) {
		return l->begun < (uint64_t)l->count;
	}
	return !l->counting || now < l->from_ns + (int64_t)(l->duration_s * 1e9);
}

static bool is_good(int status) {
	return status == 200 || status == 202;
}

static void keep_reason(void *ctx, const char *p, size_t n) {
	const struct conn *c = ctx;
	struct load *l = c->load;
	size_t take = n < REASON_MAX - l->nreason ? n : REASON_MAX - l->nreason;

	if (is_good(c->answer.status) || l->bad != 0) {
		return;
	}
	memcpy(l->reason + l->nreason, p, take);
	l->nreason += take;
}

static void conn_done(struct load *l, struct conn *c, int64_t now) {
	int status = c->answer.status;

	c->busy = false;
	if (!is_good(status)) {
		l->bad++;
		l->bad_status = l->bad_status != 0 ? l->bad_status : status;
	}
	if (l->counting) {
		load_times_add(&l->times, now - c->started_ns);
		l->last_ns = now;
	}
	l->answered++;
	if (wants_more(l, now)) {
		conn_begin(l, c, now);
	}
}

static void conn_read(struct load *l, struct conn *c) {
	char in[16384];
	ssize_t n = recv(c->fd, in, sizeof(in), 0);

	if (n < 0 && errno == EAGAIN) {
		return;
	}
	if (n <= 0) {
		load_die("the server closed a connection after %llu answers", (unsigned long long)l->answered);
	}
	if (!c->busy || load_answer_feed(&c->answer, in, (size_t)n, keep_reason, c) != (size_t)n) {
		load_die("an answer is no HTTP/1.1 with a length, or one too many: %.*s", (int)(n < 60 ? n : 60), in);
	}
	if (c->answer.state == LOAD_DONE) {
		conn_done(l, c, load_now_ns());
	}
}

static void start_counting(struct load *l, int64_t now) {
	l->counting = true;
	l->from_ns = now;
	l->from_cpu_s = load_cpu_s();
}

static void conns_open(struct load *l) {
	l->conns = calloc((size_t)l->connections, sizeof(*l->conns));
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l->conns == NULL || l->epoll < 0) {
		load_die("out of memory or descriptors");
	}
	for (long i = 0; i < l->connections; i++) {
		struct conn *c = &l->conns[i];
		struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};

		c->load = l;
		c->fd = load_connect(l->address, false);
		if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &ev) != 0) {
			load_die("epoll: %s", strerror(errno));
		}
	}
}

/* Edges only: a short read is the end of what was there, and every answer is shorter than the buffer. */
static void on_event(struct load *l, struct conn *c, uint32_t events) {
	if (c->busy && c->sent < l->nrequest && (events & EPOLLOUT) != 0) {
		conn_send(l, c);
	}
	if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0) {
		conn_read(l, c);
	}
}

static void run(struct load *l) {
	struct epoll_event events[EVENTS];
	int64_t start = load_now_ns();
	int64_t warm = start + (int64_t)(l->warmup_s * 1e9);

	if (l->count != 0 || l->warmup_s <= 0) {
		start_counting(l, start);
	}
	for (long i = 0; i < l->connections && wants_more(l, start); i++) {
		conn_begin(l, &l->conns[i], load_now_ns());
	}
	while (l->answered < l->begun) {
		int n = epoll_wait(l->epoll, events, EVENTS, (int)(l->timeout_s * 1000));

		if (n == 0) {
			load_die("no answer for %g s; %llu came before", l->timeout_s, (unsigned long long)l->answered);
		}
		if (!l->counting && load_now_ns() >= warm) {
			start_counting(l, load_now_ns());
		}
		for (int i = 0; i < n; i++) {
			on_event(l, events[i].data.ptr, events[i].events);
		}
	}
}

static void report(const struct load *l) {
	double seconds = (double)(l->last_ns - l->from_ns) / 1e9;
	double counted = (double)l->times.count;

	printf("{\"pushes\": %llu, \"seconds\": %.6f, \"rate\": %.3f, \"p50_ms\": %.4f, \"p99_ms\": %.4f, \"max_ms\": "
	       "%.4f, "
	       "\"cpu_us\": %.3f, \"bad\": %llu}\n",
	    (unsigned long long)l->times.count, seconds, counted / seconds, (double)load_times_at(&l->times, 0.5) / 1e6,
	    (double)load_times_at(&l->times, 0.99) / 1e6, (double)l->times.max_ns / 1e6,
	    1e6 * (load_cpu_s() - l->from_cpu_s) / counted, (unsigned long long)l->bad);
	fflush(stdout);
	if (l->bad != 0) {
		load_die("%llu of %llu answers were no 200 or 202; the first was %d: %.*s", (unsigned long long)l->bad,
		    (unsigned long long)l->answered, l->bad_status, (int)l->nreason, l->reason);
	}
}

static void usage(void) {
	fputs("usage: push_load --connect HOST:PORT --path PATH --body FILE [--method POST] [--type text/plain]\n"
	      "  [--connections 16] [--groups 1] [--first 0] [--count N | --duration S] [--warmup S] [--timeout 30]\n"
	      "  \"{}\" in PATH is the number of the group, five digits; the groups are pushed to in turn\n",
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

static void options_read(struct load *l, int argc, char **argv) {
	static const struct option longs[] = {{"connect", required_argument, NULL, 'a'},
	    {"path", required_argument, NULL, 'p'}, {"body", required_argument, NULL, 'b'},
	    {"method", required_argument, NULL, 'm'}, {"type", required_argument, NULL, 't'},
	    {"connections", required_argument, NULL, 'c'}, {"groups", required_argument, NULL, 'g'},
	    {"first", required_argument, NULL, 'f'}, {"count", required_argument, NULL, 'n'},
	    {"duration", required_argument, NULL, 'd'}, {"warmup", required_argument, NULL, 'w'},
	    {"timeout", required_argument, NULL, 'x'}, {NULL, 0, NULL, 0}};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'a':
			l->address = optarg;
			break;
		case 'p':
			l->path = optarg;
			break;
		case 'b':
			l->body_file = optarg;
			break;
		case 'm':
			l->method = optarg;
			break;
		case 't':
			l->type = optarg;
			break;
		case 'c':
			l->connections = (long)number(optarg);
			break;
		case 'g':
			l->groups = (long)number(optarg);
			break;
		case 'f':
			l->first = (long)number(optarg);
			break;
		case 'n':
			l->count = (long)number(optarg);
			break;
		case 'd':
			l->duration_s = number(optarg);
			break;
		case 'w':
			l->warmup_s = number(optarg);
			break;
		case 'x':
			l->timeout_s = number(optarg);
			break;
		default:
			usage();
		}
	}
	if (optind != argc || l->address == NULL || l->path == NULL || l->body_file == NULL || l->connections < 1 ||
	    l->connections > CONNECTIONS_MAX || l->groups < 1 || l->groups > GROUPS_MAX ||
	    (l->count == 0 && l->duration_s <= 0)) {
		usage();
	}
}

int main(int argc, char **argv) {
	static struct load l = {
	    .method = "POST", .type = "text/plain", .connections = 16, .groups = 1, .warmup_s = 0.2, .timeout_s = 30};

	options_read(&l, argc, argv);
	request_build(&l);
	conns_open(&l);
	run(&l);
	report(&l);
	for (long i = 0; i < l.connections; i++) {
		close(l.conns[i].fd);
	}
	free(l.conns);
	free(l.request);
	return 0;
}
