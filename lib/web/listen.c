/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gravel/base/num.h"
#include "web_internal.h"

#define HOST_MAX 256
#define BAD_ADDRESS "'%s' is no address to listen on: write host:port, [v6 address]:port, or :port for all addresses"

/* Split "host:port", "[v6]:port" or ":port". */
static enum gs_status split(const char *address, char *ret_host, unsigned *ret_port) {
	const char *colon = strrchr(address, ':');
	uint64_t port;
	if (colon == NULL || gs_num_parse_u64(gs_str_of(colon + 1), &port) != GS_OK || port > 65535)
		return GS_EINVAL;
	struct gs_str host = gs_str_make(address, (size_t)(colon - address));
	if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = gs_str_make(host.p + 1, host.n - 2);
	else if (host.n != 0 && memchr(host.p, ':', host.n) != NULL)
		return GS_EINVAL;
	if (host.n >= HOST_MAX || (host.n == 0 && colon != address))
		return GS_EINVAL;
	if (host.n != 0)
		memcpy(ret_host, host.p, host.n);
	ret_host[host.n] = '\0';
	*ret_port = (unsigned)port;
	return GS_OK;
}

/* The IPv4 address of a name that has both: what "localhost" reaches from everywhere. */
static const struct addrinfo *preferred(const struct addrinfo *list) {
	for (const struct addrinfo *a = list; a != NULL; a = a->ai_next) {
		if (a->ai_family == AF_INET)
			return a;
	}
	return list;
}

static enum gs_status resolve(
    const char *address, const char *host, struct sockaddr_storage *ret, socklen_t *ret_n, struct gs_error *err) {
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	struct addrinfo *list = NULL;
	int rc = getaddrinfo(host, NULL, &hints, &list);
	/* RFC 6761: localhost is the loopback, also on a host without a line for it in /etc/hosts. */
	if (rc != 0 && strcmp(host, "localhost") == 0)
		rc = getaddrinfo("127.0.0.1", NULL, &hints, &list);
	if (rc != 0)
		return gs_error_set(err, rc == EAI_MEMORY ? GS_ENOMEM : GS_EIO, 0, 0,
		    "cannot listen on %s: the name '%s' does not resolve: %s; use an IP address, or mend the name "
		    "service",
		    address, host, gai_strerror(rc));
	const struct addrinfo *a = preferred(list);
	memcpy(ret, a->ai_addr, a->ai_addrlen);
	*ret_n = a->ai_addrlen;
	freeaddrinfo(list);
	return GS_OK;
}

static void set_port(struct sockaddr_storage *at, unsigned port) {
	if (at->ss_family == AF_INET6)
		((struct sockaddr_in6 *)at)->sin6_port = htons((uint16_t)port);
	else
		((struct sockaddr_in *)at)->sin_port = htons((uint16_t)port);
}

static unsigned get_port(int fd) {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} at = {.v6 = {0}};
	socklen_t n = sizeof(at);
	if (getsockname(fd, &at.any, &n) != 0)
		return 0;
	return ntohs(at.any.sa_family == AF_INET6 ? at.v6.sin6_port : at.v4.sin_port);
}

/* Return a listening socket, or -1 with errno. */
static int open_at(const struct sockaddr_storage *at, socklen_t n) {
	int on = 1;
	int off = 0;
	int fd = socket(at->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (at->ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, (const struct sockaddr *)at, n) == 0 && listen(fd, SOMAXCONN) == 0)
		return fd;
	int saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

/* All addresses: one socket for both families, or IPv4 alone where the kernel has no IPv6. */
static int open_all(unsigned port) {
	struct sockaddr_storage at = {.ss_family = AF_INET6};
	set_port(&at, port);
	int fd = open_at(&at, sizeof(struct sockaddr_in6));
	if (fd >= 0 || (errno != EAFNOSUPPORT && errno != EADDRNOTAVAIL))
		return fd;
	at = (struct sockaddr_storage){.ss_family = AF_INET};
	set_port(&at, port);
	return open_at(&at, sizeof(struct sockaddr_in));
}

static enum gs_status refused(const char *address, const char *setting, int error, struct gs_error *err) {
	char unknown[64];
	switch (error) {
	case EADDRINUSE:
		return gs_error_set(err, GS_EIO, 0, 0,
		    "cannot listen on %s: address already in use; stop the other program or choose another address "
		    "with %s",
		    address, setting);
	case EACCES:
	case EPERM:
		return gs_error_set(err, GS_EIO, 0, 0,
		    "cannot listen on %s: permission denied; choose a port above 1023 with %s, or grant "
		    "CAP_NET_BIND_SERVICE",
		    address, setting);
	case EADDRNOTAVAIL:
		return gs_error_set(err, GS_EIO, 0, 0,
		    "cannot listen on %s: this host has no such address; choose one of its own with %s, or :port for "
		    "all",
		    address, setting);
	default:
		return gs_error_set(err, GS_EIO, 0, 0, "cannot listen on %s: %s; choose another address with %s",
		    address, strerror_r(error, unknown, sizeof(unknown)), setting);
	}
}

enum gs_status gs_web_listen(
    const char *address, const char *setting, int *ret_fd, unsigned *ret_port, struct gs_error *err) {
	char host[HOST_MAX];
	struct sockaddr_storage at = {0};
	socklen_t n = 0;
	unsigned port;
	if (split(address, host, &port) != GS_OK)
		return gs_error_set(err, GS_EINVAL, 0, 0, BAD_ADDRESS, address);
	int fd;
	if (host[0] == '\0') {
		fd = open_all(port);
	} else {
		enum gs_status status = resolve(address, host, &at, &n, err);
		if (status != GS_OK)
			return status;
		set_port(&at, port);
		fd = open_at(&at, n);
	}
	if (fd < 0)
		return refused(address, setting, errno, err);
	*ret_fd = fd;
	*ret_port = get_port(fd);
	return GS_OK;
}
