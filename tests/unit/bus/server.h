/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_TESTS_UNIT_BUS_SERVER_H
#define GRAVEL_TESTS_UNIT_BUS_SERVER_H

/* A real nats-server as a child on a free port of the loopback, with its data in a temporary folder. */

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct server {
	char dir[64];
	char conf[96];
	char url[64];
	int port;
	pid_t pid; /* 0: not running */
	bool no_jetstream;
	const char *extra; /* more lines for the config, or NULL */
};

static inline void sleep_ms(int64_t ms) {
	struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
	nanosleep(&ts, NULL);
}

/* The program, or NULL. */
static inline const char *server_program(void) {
	static char path[512];
	const char *env = getenv("GRAVEL_NATS_SERVER");
	if (env != NULL && access(env, X_OK) == 0)
		return env;
	const char *dirs = getenv("PATH");
	while (dirs != NULL && *dirs != '\0') {
		size_t n = strcspn(dirs, ":");
		snprintf(path, sizeof(path), "%.*s/nats-server", (int)n, dirs);
		if (access(path, X_OK) == 0)
			return path;
		dirs += n + (dirs[n] == ':');
	}
	return access("/usr/sbin/nats-server", X_OK) == 0 ? "/usr/sbin/nats-server" : NULL;
}

static inline int free_port(int *ret_fd) {
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, n) != 0 || getsockname(fd, (struct sockaddr *)&a, &n) != 0)
		abort();
	if (ret_fd != NULL)
		*ret_fd = fd;
	else
		close(fd);
	return ntohs(a.sin_port);
}

static inline void server_configure(struct server *s) {
	FILE *f = fopen(s->conf, "w");
	if (f == NULL)
		abort();
	fprintf(f, "listen: \"127.0.0.1:%d\"\nmax_payload: 1048576\n", s->port);
	if (!s->no_jetstream)
		fprintf(f, "jetstream { store_dir: \"%s/js\", max_mem: 1G, max_file: 4G }\n", s->dir);
	fprintf(f, "%s\n", s->extra != NULL ? s->extra : "");
	fclose(f);
}

static inline void server_init(struct server *s) {
	*s = (struct server){.port = free_port(NULL)};
	snprintf(s->dir, sizeof(s->dir), "/tmp/gravel-bus-XXXXXX");
	if (mkdtemp(s->dir) == NULL)
		abort();
	snprintf(s->conf, sizeof(s->conf), "%s/nats.conf", s->dir);
	snprintf(s->url, sizeof(s->url), "nats://127.0.0.1:%d", s->port);
}

static inline bool server_listens(const struct server *s) {
	struct sockaddr_in a = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)s->port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool ok = connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0;
	close(fd);
	return ok;
}

static inline void server_start(struct server *s) {
	server_configure(s);
	s->pid = fork();
	if (s->pid == 0) {
		char log[96];
		snprintf(log, sizeof(log), "%s/log", s->dir);
		int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
		dup2(fd, 1);
		dup2(fd, 2);
		execl(server_program(), "nats-server", "-c", s->conf, (char *)NULL);
		_exit(127);
	}
	for (int i = 0; i < 1000 && !server_listens(s); i++)
		sleep_ms(10);
	if (!server_listens(s))
		abort();
}

static inline void server_kill(struct server *s, int sig) {
	if (s->pid == 0)
		return;
	kill(s->pid, sig);
	waitpid(s->pid, NULL, 0);
	s->pid = 0;
}

static inline void server_remove(struct server *s) {
	server_kill(s, SIGKILL);
	pid_t pid = fork();
	if (pid == 0) {
		execl("/bin/rm", "rm", "-rf", s->dir, (char *)NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
}

#endif
