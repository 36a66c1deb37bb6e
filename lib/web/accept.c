/* SPDX-License-Identifier: Apache-2.0 */
/* Connections are accepted here and dealt to the threads in turn. A pool of libmicrohttpd's would wait at one socket with all its threads, and who wakes
 * first takes all that wait: of a burst, one thread may get every connection, and the other cores nothing to do. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gravel/base/mem.h"
#include "gravel/log/log.h"
#include "web_internal.h"

#define FULL_MS 10 /* between two looks for room */

struct gs_web_acceptor {
	struct MHD_Daemon *const *daemons;
	size_t n;
	size_t turn; /* whose it is: a number in daemons */
	unsigned max; /* of each */
	int listener; /* owned, as is stop */
	int stop; /* an eventfd */
	pthread_t thread;
};

static unsigned connections(struct MHD_Daemon *daemon) {
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
	return info != NULL ? info->num_connections : 0;
}

/* Give the turn to the next daemon that has room; false where none has. */
static bool find_room(struct gs_web_acceptor *acceptor) {
	for (size_t i = 0; i < acceptor->n; i++) {
		if (connections(acceptor->daemons[acceptor->turn]) < acceptor->max)
			return true;
		acceptor->turn = (acceptor->turn + 1) % acceptor->n;
	}
	return false;
}

enum accepted { TAKEN, NONE_THERE, NO_ROOM };

static enum accepted accept_one(struct gs_web_acceptor *acceptor) {
	static struct gs_log_limit limit;
	struct sockaddr_storage from;
	socklen_t n = sizeof(from);
	if (!find_room(acceptor))
		return NO_ROOM;
	int fd = accept4(acceptor->listener, (struct sockaddr *)&from, &n, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0) {
		/* It is closed if it is not taken. */
		(void)MHD_add_connection(acceptor->daemons[acceptor->turn], fd, (struct sockaddr *)&from, n);
		acceptor->turn = (acceptor->turn + 1) % acceptor->n;
		return TAKEN;
	}
	if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
		return NONE_THERE;
	gs_log_limited(&limit, 60000, GS_LOG_WARN, "connections wait: cannot accept them%s",
	    errno == EMFILE || errno == ENFILE ? ": raise the limit of open files" : "");
	return NO_ROOM;
}

/* Whoever waits at the socket while there is no room stays there. */
static void *run(void *ctx) {
	struct gs_web_acceptor *acceptor = ctx;
	struct pollfd fds[] = {
	    {.fd = acceptor->stop, .events = POLLIN},
	    {.fd = acceptor->listener, .events = POLLIN},
	};
	while (poll(fds, 2, -1) < 0 || fds[0].revents == 0) {
		enum accepted last = TAKEN;
		while (last == TAKEN)
			last = accept_one(acceptor);
		if (last == NO_ROOM)
			(void)poll(fds, 1, FULL_MS);
	}
	return NULL;
}

void gs_web_acceptor_stop(struct gs_web_acceptor *acceptor) {
	uint64_t one = 1;
	if (acceptor == NULL)
		return;
	(void)!write(acceptor->stop, &one, sizeof(one));
	pthread_join(acceptor->thread, NULL);
	close(acceptor->stop);
	close(acceptor->listener);
	gs_free(acceptor);
}

struct gs_web_acceptor *gs_web_acceptor_start(struct MHD_Daemon *const *daemons, size_t n, int listener, unsigned max) {
	struct gs_web_acceptor *acceptor = gs_alloc(sizeof(*acceptor));
	if (acceptor == NULL)
		return NULL;
	*acceptor = (struct gs_web_acceptor){.daemons = daemons, .n = n, .max = max, .listener = listener};
	acceptor->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (acceptor->stop >= 0 && pthread_create(&acceptor->thread, NULL, run, acceptor) == 0) {
		(void)pthread_setname_np(acceptor->thread, "gs-accept");
		return acceptor;
	}
	if (acceptor->stop >= 0)
		close(acceptor->stop);
	gs_free(acceptor);
	return NULL;
}
