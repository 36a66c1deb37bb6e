/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fast fake target for benches: /t/<n>/metrics for n below --targets answers with a real body that moves (body.h), /stats with
 * JSON about who was scraped how often, /reset starts the counting over. /hang/... never answers, /trickle/... does by one byte a second.
 * One thread, epoll, keep-alive, identity encoding. With --spread it listens on all addresses of the loopback device, 127.x.x.x,
 * so that a client that is given one for each target keeps a connection to each; one socket does for all of them.
 * Prints "listening on 127.0.0.1:<port>" when it is ready.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "body.h"
#include "gravel/base/num.h"

#define REQUEST_MAX 8192
#define HEAD_MAX 256
#define EVENTS 256
#define STATS_MAX 1024
#define LATE_MS 1000 /* a scrape is late when it came more than an interval and this after the one before */
#define TRICKLE_MS 1000

struct target {
	uint64_t requests; /* since the last reset */
	int64_t last_ms; /* 0: never; survives a reset */
	int64_t gap_ms; /* largest since the last reset */
	uint64_t missed; /* scrapes that should have been between two that were more than 1.5 intervals apart */
	uint64_t late; /* LATE_MS */
};

struct conn {
	int fd;
	bool listens;
	bool closing; /* once all is sent */
	size_t nin;
	char *rest; /* what the socket did not take yet */
	size_t nrest;
	size_t sent;
	struct conn *next; /* of those that trickle */
	struct conn **link; /* what points to it there, else NULL */
	char in[REQUEST_MAX];
};

struct server {
	struct bench_body *body;
	struct target *targets;
	size_t ntargets;
	char *out; /* HEAD_MAX bytes of room, then a body */
	int64_t interval_ms; /* 0: nothing is ever missed */
	int epoll;
	struct conn *trickling;
	int64_t trickled_ms;
	uint64_t refused;
};

static int64_t clock_ms(clockid_t id) {
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void watch(const struct server *s, struct conn *c, uint32_t events) {
	struct epoll_event ev = {.events = events, .data.ptr = c};

	epoll_ctl(s->epoll, EPOLL_CTL_MOD, c->fd, &ev);
}

static void conn_close(struct conn *c) {
	if (c->link != NULL) {
		*c->link = c->next;
		if (c->next != NULL) {
			c->next->link = c->link;
		}
	}
	close(c->fd);
	free(c->rest);
	free(c);
}

/* Send the answer whose body is the ${n} bytes after the room for the head in s->out. What does not fit into the socket is kept. */
static bool answer(struct server *s, struct conn *c, int status, const char *type, size_t n) {
	char head[HEAD_MAX];
	int k = snprintf(head, sizeof(head), "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s\r\n",
	    status, status == 200 ? "OK" : "No", type, n, c->closing ? "Connection: close\r\n" : "");
	char *p = s->out + HEAD_MAX - k;
	size_t total = n + (size_t)k;
	ssize_t sent;

	memcpy(p, head, (size_t)k);
	sent = send(c->fd, p, total, MSG_NOSIGNAL);
	if (sent < 0 && errno != EAGAIN) {
		return false;
	}
	sent = sent < 0 ? 0 : sent;
	if ((size_t)sent == total) {
		return !c->closing;
	}
	c->nrest = total - (size_t)sent;
	c->sent = 0;
	c->rest = malloc(c->nrest);
	if (c->rest == NULL) {
		return false;
	}
	memcpy(c->rest, p + sent, c->nrest);
	watch(s, c, EPOLLOUT);
	return true;
}

/* How many scrapes a gap between two of them swallowed. */
static uint64_t gap_missed(const struct server *s, int64_t gap) {
	if (s->interval_ms == 0 || gap * 2 <= s->interval_ms * 3) {
		return 0;
	}
	return (uint64_t)((gap + s->interval_ms / 2) / s->interval_ms - 1);
}

static uint64_t gap_late(const struct server *s, int64_t gap) {
	return s->interval_ms != 0 && gap > s->interval_ms + LATE_MS;
}

static void target_count(const struct server *s, struct target *t) {
	int64_t now = clock_ms(CLOCK_MONOTONIC);
	int64_t gap = t->last_ms != 0 ? now - t->last_ms : 0;

	t->gap_ms = gap > t->gap_ms ? gap : t->gap_ms;
	t->missed += gap_missed(s, gap);
	t->late += gap_late(s, gap);
	t->last_ms = now;
	t->requests++;
}

struct stats {
	uint64_t requests;
	uint64_t min;
	uint64_t max;
	uint64_t never;
	uint64_t missed;
	uint64_t late;
	int64_t gap_ms;
};

/* A gap that is still open counts as well, else a target that is never scraped again would look fine. */
static void stats_add(const struct server *s, struct stats *sum, const struct target *t, int64_t now) {
	int64_t open = t->last_ms != 0 ? now - t->last_ms : 0;
	int64_t gap = open > t->gap_ms ? open : t->gap_ms;

	sum->requests += t->requests;
	sum->min = t->requests < sum->min ? t->requests : sum->min;
	sum->max = t->requests > sum->max ? t->requests : sum->max;
	sum->never += t->last_ms == 0;
	sum->missed += t->missed + gap_missed(s, open);
	sum->late += t->late + gap_late(s, open);
	sum->gap_ms = gap > sum->gap_ms ? gap : sum->gap_ms;
}

static bool answer_stats(struct server *s, struct conn *c) {
	struct stats sum = {.min = UINT64_MAX};
	int64_t now = clock_ms(CLOCK_MONOTONIC);
	int n;

	for (size_t i = 0; i < s->ntargets; i++) {
		stats_add(s, &sum, &s->targets[i], now);
	}
	n = snprintf(s->out + HEAD_MAX, STATS_MAX,
	    "{\"targets\": %zu, \"samples\": %zu, \"moving\": %zu, \"requests\": %llu, \"min_requests\": %llu, "
	    "\"max_requests\": %llu, \"never_scraped\": %llu, \"missed\": %llu, \"late\": %llu, \"max_gap_ms\": %lld, "
	    "\"refused\": "
	    "%llu}\n",
	    s->ntargets, bench_body_samples(s->body), bench_body_moving(s->body), (unsigned long long)sum.requests,
	    (unsigned long long)sum.min, (unsigned long long)sum.max, (unsigned long long)sum.never,
	    (unsigned long long)sum.missed, (unsigned long long)sum.late, (long long)sum.gap_ms,
	    (unsigned long long)s->refused);
	return answer(s, c, 200, "application/json", (size_t)n);
}

static bool answer_reset(struct server *s, struct conn *c) {
	for (size_t i = 0; i < s->ntargets; i++) {
		s->targets[i].requests = 0;
		s->targets[i].gap_ms = 0;
		s->targets[i].missed = 0;
		s->targets[i].late = 0;
	}
	return answer(s, c, 200, "text/plain", 0);
}

static bool answer_refusal(struct server *s, struct conn *c, int status) {
	s->refused++;
	return answer(s, c, status, "text/plain", 0);
}

/* Nothing, or a head and then a byte from time to time; the client ends it. */
static bool answer_ill(struct server *s, struct conn *c, bool trickles) {
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n";

	if (!trickles || c->link != NULL) {
		return true;
	}
	c->next = s->trickling;
	c->link = &s->trickling;
	if (c->next != NULL) {
		c->next->link = &c->next;
	}
	s->trickling = c;
	return send(c->fd, head, sizeof(head) - 1, MSG_NOSIGNAL) > 0;
}

/* Who is gone is noticed when the loop reads from it. */
static void trickle(struct server *s) {
	int64_t now = clock_ms(CLOCK_MONOTONIC);

	if (now - s->trickled_ms < TRICKLE_MS) {
		return;
	}
	s->trickled_ms = now;
	for (struct conn *c = s->trickling; c != NULL; c = c->next) {
		(void)!send(c->fd, "a", 1, MSG_NOSIGNAL);
	}
}

/* The path is not terminated, but a space follows it. */
static bool answer_path(struct server *s, struct conn *c, const char *path) {
	char *end;
	unsigned long n;

	if (strncmp(path, "/stats ", 7) == 0) {
		return answer_stats(s, c);
	}
	if (strncmp(path, "/reset ", 7) == 0) {
		return answer_reset(s, c);
	}
	if (strncmp(path, "/hang/", 6) == 0 || strncmp(path, "/trickle/", 9) == 0) {
		return answer_ill(s, c, path[1] == 't');
	}
	if (strncmp(path, "/t/", 3) != 0 || path[3] < '0' || path[3] > '9') {
		return answer_refusal(s, c, 404);
	}
	n = strtoul(path + 3, &end, 10);
	if (n >= s->ntargets || strncmp(end, "/metrics ", 9) != 0) {
		return answer_refusal(s, c, 404);
	}
	target_count(s, &s->targets[n]);
	return answer(s, c, 200, "text/plain; version=0.0.4; charset=utf-8",
	    bench_body_render(s->body, n, clock_ms(CLOCK_REALTIME), s->out + HEAD_MAX));
}

/* Answer every whole request in the buffer; false ends the connection. */
static bool conn_requests(struct server *s, struct conn *c) {
	char *end;

	while (c->rest == NULL && (end = memmem(c->in, c->nin, "\r\n\r\n", 4)) != NULL) {
		size_t used = (size_t)(end - c->in) + 4;
		bool go;

		end[2] = '\0';
		c->closing = strstr(c->in, " HTTP/1.0\r") != NULL || strcasestr(c->in, "\nConnection: close\r") != NULL;
		go = strncmp(c->in, "GET /", 5) == 0 ? answer_path(s, c, c->in + 4) : answer_refusal(s, c, 405);
		if (!go) {
			return false;
		}
		memmove(c->in, c->in + used, c->nin - used);
		c->nin -= used;
	}
	return c->nin < REQUEST_MAX;
}

static bool conn_read(struct server *s, struct conn *c) {
	ssize_t n = recv(c->fd, c->in + c->nin, REQUEST_MAX - c->nin, 0);

	if (n <= 0) {
		return n < 0 && errno == EAGAIN;
	}
	c->nin += (size_t)n;
	return conn_requests(s, c);
}

static bool conn_write(struct server *s, struct conn *c) {
	ssize_t n = send(c->fd, c->rest + c->sent, c->nrest - c->sent, MSG_NOSIGNAL);

	if (n < 0) {
		return errno == EAGAIN;
	}
	c->sent += (size_t)n;
	if (c->sent < c->nrest) {
		return true;
	}
	free(c->rest);
	c->rest = NULL;
	watch(s, c, EPOLLIN);
	return !c->closing && conn_requests(s, c);
}

static void accept_all(const struct server *s, const struct conn *listener) {
	int fd;

	while ((fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct conn *c = calloc(1, sizeof(*c));
		struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};

		if (c == NULL) {
			close(fd);
			return;
		}
		c->fd = fd;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
		if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &ev) != 0) {
			conn_close(c);
		}
	}
}

static void serve(struct server *s) {
	struct epoll_event events[EVENTS];

	for (;;) {
		int n = epoll_wait(s->epoll, events, EVENTS, s->trickling != NULL ? TRICKLE_MS / 10 : -1);

		for (int i = 0; i < n; i++) {
			struct conn *c = events[i].data.ptr;

			if (c->listens) {
				accept_all(s, c);
			} else if (!(c->rest != NULL ? conn_write(s, c) : conn_read(s, c))) {
				conn_close(c);
			}
		}
		trickle(s);
	}
}

/* Listen on 127.0.0.1 or, with ${spread}, on all of loopback and no other device; the port that it got (or -1 with errno). */
static int listen_on(const struct server *s, bool spread, int port) {
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	struct conn *c = calloc(1, sizeof(*c));
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};
	socklen_t n = sizeof(addr);

	addr.sin_addr.s_addr = htonl(spread ? INADDR_ANY : INADDR_LOOPBACK);
	if (c == NULL) {
		return -1;
	}
	c->listens = true;
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || setsockopt(c->fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) != 0 ||
	    (spread && setsockopt(c->fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3) != 0) ||
	    bind(c->fd, (struct sockaddr *)&addr, n) != 0 || listen(c->fd, 4096) != 0 ||
	    getsockname(c->fd, (struct sockaddr *)&addr, &n) != 0 ||
	    epoll_ctl(s->epoll, EPOLL_CTL_ADD, c->fd, &ev) != 0) {
		free(c);
		return -1;
	}
	return ntohs(addr.sin_port);
}

/* All targets on one address, or each on any of loopback, as real targets have one each. */
static bool server_listen(struct server *s, int port, bool spread) {
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	port = s->epoll < 0 ? -1 : listen_on(s, spread, port);
	if (port <= 0) {
		return false;
	}
	printf("listening on 127.0.0.1:%d\n", port);
	fflush(stdout);
	return true;
}

static void raise_file_limit(void) {
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

struct options {
	const char *body;
	long targets;
	long port;
	long interval_ms;
	double moving;
	bool spread;
};

static bool options_read(struct options *o, int argc, char **argv) {
	static const struct option longs[] = {{"body", required_argument, NULL, 'b'},
	    {"targets", required_argument, NULL, 't'}, {"port", required_argument, NULL, 'p'},
	    {"interval-ms", required_argument, NULL, 'i'}, {"moving", required_argument, NULL, 'm'},
	    {"spread", no_argument, NULL, 's'}, {NULL, 0, NULL, 0}};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'b':
			o->body = optarg;
			break;
		case 't':
			o->targets = strtol(optarg, NULL, 10);
			break;
		case 'p':
			o->port = strtol(optarg, NULL, 10);
			break;
		case 'i':
			o->interval_ms = strtol(optarg, NULL, 10);
			break;
		case 'm':
			if (gs_num_parse_double(gs_str_of(optarg), &o->moving) != GS_OK) {
				return false;
			}
			break;
		case 's':
			o->spread = true;
			break;
		default:
			return false;
		}
	}
	return o->body != NULL && o->targets > 0 && o->targets <= 10000000 && o->port >= 0 && o->port < 65536 &&
	       o->interval_ms >= 0 && o->moving >= 0 && o->moving <= 1;
}

int main(int argc, char **argv) {
	struct options o = {.targets = 1000, .moving = 0.3};
	struct server s = {0};
	const char *err;
	size_t room;

	if (!options_read(&o, argc, argv)) {
		fputs("usage: target_server --body FILE [--targets N] [--port P] [--interval-ms I] [--moving SHARE] "
		      "[--spread]\n",
		    stderr);
		return 2;
	}
	s.body = bench_body_load(o.body, o.moving, &err);
	if (s.body == NULL) {
		fprintf(stderr, "target_server: %s %s\n", o.body, err);
		return 1;
	}
	room = bench_body_max(s.body);
	s.interval_ms = o.interval_ms;
	s.ntargets = (size_t)o.targets;
	s.targets = calloc(s.ntargets, sizeof(*s.targets));
	s.out = malloc(HEAD_MAX + (room > STATS_MAX ? room : STATS_MAX));
	raise_file_limit();
	if (s.targets == NULL || s.out == NULL || !server_listen(&s, (int)o.port, o.spread)) {
		perror("target_server");
		return 1;
	}
	serve(&s);
	return 0;
}
