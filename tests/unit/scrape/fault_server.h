/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_TESTS_SCRAPE_FAULT_SERVER_H
#define GRAVEL_TESTS_SCRAPE_FAULT_SERVER_H

/* tests/lib/fault_server.py as a child. For tests that have included cmocka.h. */

#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gravel/base/num.h"

extern char **environ;

struct fault_server {
	pid_t pid;
	int in; /* it ends when this is closed */
	unsigned port;
};

static struct fault_server fault_server_start(void) {
	struct fault_server server;
	int in[2], out[2];
	char path[] = FAULT_SERVER, python[] = "/usr/bin/python3", line[16] = "";
	char *argv[] = {python, path, NULL};
	posix_spawn_file_actions_t actions;
	uint64_t port = 0;
	assert_int_equal(pipe(in), 0);
	assert_int_equal(pipe(out), 0);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in[0], 0);
	posix_spawn_file_actions_adddup2(&actions, out[1], 1);
	posix_spawn_file_actions_addclose(&actions, in[1]);
	assert_int_equal(posix_spawn(&server.pid, python, &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	close(in[0]);
	close(out[1]);
	for (size_t n = 0; n + 1 < sizeof(line) && read(out[0], line + n, 1) == 1 && line[n] != '\n'; n++)
		;
	close(out[0]);
	assert_int_equal(gs_num_parse_u64(gs_str_trim(gs_str_of(line)), &port), GS_OK);
	server.in = in[1];
	server.port = (unsigned)port;
	return server;
}

static void fault_server_stop(struct fault_server *server) {
	close(server->in);
	kill(server->pid, SIGTERM);
	waitpid(server->pid, NULL, 0);
}

#endif
