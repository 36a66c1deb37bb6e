/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_TESTS_UNIT_DISCOVERY_CANNED_H
#define GRAVEL_TESTS_UNIT_DISCOVERY_CANNED_H

/* A server on the loopback that answers each request with what the test says. For tests that have included cmocka.h. */

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct canned {
	/* Write the answer to ${request} into ${answer}; returns its length, 0: none at all. On the server's thread. */
	size_t (*fn)(struct canned *server, const char *request, size_t n, char *answer, size_t max);
	_Atomic int step; /* for fn */
	int fd;
	int port;
	bool udp;
	_Atomic bool stop;
	pthread_t thread;
};

static inline size_t canned_read(int fd, char *buf, size_t max) {
	size_t n = 0;
	while (n + 1 < max) {
		ssize_t got = read(fd, buf + n, max - 1 - n);
		if (got <= 0)
			break;
		n += (size_t)got;
		buf[n] = '\0';
		const char *end = strstr(buf, "\r\n\r\n"), *length = strstr(buf, "Content-Length: ");
		size_t body = length != NULL && end != NULL ? strtoul(length + 16, NULL, 10) : 0;
		if (end != NULL && n >= (size_t)(end + 4 - buf) + body)
			break;
	}
	return n;
}

static inline void *canned_main(void *ctx) {
	struct canned *server = ctx;
	static _Thread_local char request[65536], answer[65536];
	while (!server->stop) {
		struct sockaddr_in from;
		socklen_t len = sizeof(from);
		int fd = server->udp ? server->fd : accept(server->fd, NULL, NULL);
		if (fd < 0 || server->stop)
			break;
		size_t n;
		if (server->udp) {
			ssize_t got = recvfrom(fd, request, sizeof(request), 0, (struct sockaddr *)&from, &len);
			n = got > 0 ? (size_t)got : 0;
		} else {
			n = canned_read(fd, request, sizeof(request));
		}
		if (server->stop)
			break;
		size_t out = n != 0 ? server->fn(server, request, n, answer, sizeof(answer)) : 0;
		if (server->udp && out != 0)
			(void)!sendto(fd, answer, out, 0, (struct sockaddr *)&from, len);
		if (!server->udp && out != 0)
			(void)!write(fd, answer, out);
		if (!server->udp)
			close(fd);
	}
	return NULL;
}

static inline void canned_start(struct canned *server) {
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(a);
	server->fd = socket(AF_INET, (server->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server->fd, (struct sockaddr *)&a, n), 0);
	assert_int_equal(getsockname(server->fd, (struct sockaddr *)&a, &n), 0);
	server->port = ntohs(a.sin_port);
	if (!server->udp)
		assert_int_equal(listen(server->fd, 16), 0);
	assert_int_equal(pthread_create(&server->thread, NULL, canned_main, server), 0);
}

static inline void canned_stop(struct canned *server) {
	struct sockaddr_in a = {.sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	    .sin_port = htons((uint16_t)server->port)};
	server->stop = true;
	int fd = socket(AF_INET, (server->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
	/* So that it wakes up. */
	(void)!connect(fd, (struct sockaddr *)&a, sizeof(a));
	(void)!write(fd, "x", 1);
	close(fd);
	pthread_join(server->thread, NULL);
	close(server->fd);
}

static inline size_t canned_http(char *answer, size_t max, int code, const char *body) {
	int n = snprintf(answer, max,
	    "HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
	    code, strlen(body), body);
	return (size_t)n;
}

#endif
