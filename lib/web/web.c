/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/web/web.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "gravel/base/clock.h"
#include "gravel/base/limits.h"
#include "gravel/base/mem.h"
#include "gravel/log/log.h"
#include "web_internal.h"

#define STOP_MS 2000 /* how long the stop waits for clients to read what was answered */

struct gs_codec *gs_web_codec_take(struct gs_web *web) {
	struct gs_codec *codec = NULL;
	gs_lock_take(&web->lock);
	if (web->codec_count != 0)
		codec = web->codecs[--web->codec_count];
	gs_lock_release(&web->lock);
	return codec != NULL ? codec : gs_codec_new();
}

void gs_web_codec_give(struct gs_web *web, struct gs_codec *codec) {
	if (codec == NULL)
		return;
	gs_lock_take(&web->lock);
	bool kept = web->codec_count < GS_WEB_CODECS;
	if (kept)
		web->codecs[web->codec_count++] = codec;
	gs_lock_release(&web->lock);
	if (!kept)
		gs_codec_free(codec);
}

/* Enter the request into the books; false while stopping. */
static bool admit(struct gs_web_request *request) {
	struct gs_web *web = request->web;
	gs_lock_take(&web->lock);
	bool open = !web->stopping;
	if (open) {
		request->dispatched = true;
		web->unanswered++;
		web->unfinished++;
	}
	gs_lock_release(&web->lock);
	return open;
}

/* After the handler: whether there is an answer already. If not, and the handler said it would come, the connection
 * is suspended under the same lock under which the answer would look for it. */
static bool park_unless_answered(struct gs_web_request *request, bool *ret_parked) {
	struct gs_web *web = request->web;
	gs_lock_take(&web->lock);
	bool answered = request->answered;
	*ret_parked = !answered && request->suspended;
	if (*ret_parked) {
		request->parked = true;
		MHD_suspend_connection(request->connection);
	}
	gs_lock_release(&web->lock);
	return answered;
}

static void refuse_or_handle(struct gs_web_request *request) {
	gs_web_receive_end(request);
	if (request->answered)
		return;
	enum gs_status status = gs_web_request_args(request);
	if (request->method == GS_WEB_GET && gs_web_accept_read(gs_web_header(request, "Accept-Encoding")).nothing) {
		gs_web_answer_text(request, 406, "the encodings here are gzip, zstd and identity\n");
	} else if (status == GS_EINVAL) {
		gs_web_answer_text(request, 400, "the query has a broken percent escape\n");
	} else if (status != GS_OK) {
		gs_web_answer_text(request, 503, "out of memory\n");
	} else if (!admit(request)) {
		gs_web_add_header(request, "Retry-After", "1");
		gs_web_answer_text(request, 503, "stopping\n");
	} else {
		request->route->handler(request->web->ctx, request);
	}
}

/* The whole request is here. */
static gs_mhd_result complete(struct gs_web_request *request) {
	bool parked = false;
	if (!request->dispatched && !request->answered)
		refuse_or_handle(request);
	if (!park_unless_answered(request, &parked)) {
		if (parked)
			return MHD_YES;
		gs_log(GS_LOG_ERROR, "the handler of %s gave no answer", request->route->path);
		gs_web_answer_text(request, 500, "no answer\n");
	}
	return gs_web_answer_send(request);
}

/* libmicrohttpd calls this once when it has the headers, once for each piece of the body, once at the end, and once
 * more after a resume. */
static gs_mhd_result on_request(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
    const char *version, const char *data, size_t *data_size, void **request_slot) {
	struct gs_web_request *request = *request_slot;
	if (request == NULL) {
		request = *request_slot = gs_web_request_new(cls, connection, url, method);
		if (request == NULL)
			return MHD_NO;
		if (!request->answered && strncmp(version, "HTTP/1.", 7) != 0)
			gs_web_answer_text(request, 505, "HTTP/1.0 and HTTP/1.1 are spoken here\n");
		return gs_web_receive_begin(request) ? gs_web_answer_send(request) : MHD_YES;
	}
	if (*data_size == 0)
		return complete(request);
	bool go_on = gs_web_receive(request, data, *data_size);
	*data_size = 0;
	return go_on ? MHD_YES : MHD_NO;
}

static void on_completed(
    void *cls, struct MHD_Connection *connection, void **request_slot, enum MHD_RequestTerminationCode code) {
	struct gs_web *web = cls;
	struct gs_web_request *request = *request_slot;
	(void)connection;
	(void)code;
	*request_slot = NULL;
	if (request != NULL && request->dispatched) {
		gs_lock_take(&web->lock);
		web->unfinished--;
		gs_cond_broadcast(&web->changed);
		gs_lock_release(&web->lock);
	}
	gs_web_request_free(request);
}

/* Paths and arguments come to us as they were sent: decoded by the library, a NUL would cut them. */
static size_t on_unescape(void *cls, struct MHD_Connection *connection, char *s) {
	(void)cls;
	(void)connection;
	return strlen(s);
}

__attribute__((format(printf, 2, 0))) static void on_log(void *cls, const char *fmt, va_list ap) {
	static struct gs_log_limit limit;
	char text[256];
	(void)cls;
	vsnprintf(text, sizeof(text), fmt, ap);
	text[strcspn(text, "\n")] = '\0';
	gs_log_limited(&limit, 10000, GS_LOG_DEBUG, "libmicrohttpd: %s", text);
}

/* Not more connections than the limit of open files bears beside everything else. */
static unsigned connection_limit(void) {
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY)
		return GS_LIMIT_WEB_CONNECTIONS;
	rlim_t fit = files.rlim_cur / 4 * 3;
	return fit < GS_LIMIT_WEB_CONNECTIONS ? (unsigned)fit : GS_LIMIT_WEB_CONNECTIONS;
}

static struct MHD_Daemon *start_daemon(struct gs_web *web, const struct gs_web_options *options, unsigned max) {
	unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
			 MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ITC;
	return MHD_start_daemon(flags, 0, NULL, NULL, on_request, web, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
	    MHD_OPTION_NOTIFY_COMPLETED, on_completed, web, MHD_OPTION_UNESCAPE_CALLBACK, on_unescape, NULL,
	    MHD_OPTION_CONNECTION_LIMIT, max, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)GS_LIMIT_WEB_HEADERS,
	    MHD_OPTION_CONNECTION_TIMEOUT, options->idle_timeout_s != 0 ? options->idle_timeout_s : 60U,
	    MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
}

static void stop_daemons(struct gs_web *web) {
	while (web->ndaemons != 0)
		MHD_stop_daemon(web->daemons[--web->ndaemons]);
}

/* Takes ${fd} over. */
static enum gs_status start_threads(struct gs_web *web, const struct gs_web_options *options, int fd) {
	unsigned threads = options->threads != 0 ? options->threads : 2;
	unsigned max = connection_limit() / threads;
	assert(threads <= GS_WEB_THREADS);
	while (web->ndaemons < threads && (web->daemons[web->ndaemons] = start_daemon(web, options, max)) != NULL)
		web->ndaemons++;
	if (web->ndaemons == threads)
		web->acceptor = gs_web_acceptor_start(web->daemons, threads, fd, max);
	if (web->acceptor != NULL)
		return GS_OK;
	stop_daemons(web);
	close(fd);
	return GS_EIO;
}

/* Free what is there; the daemon has stopped or never started. */
static void destroy(struct gs_web *web) {
	while (web->codec_count != 0)
		gs_codec_free(web->codecs[--web->codec_count]);
	gs_cond_destroy(&web->changed);
	gs_lock_destroy(&web->lock);
	gs_free(web);
}

static struct gs_web *create(const struct gs_web_options *options) {
	struct gs_web *web = gs_alloc(sizeof(*web));
	if (web == NULL)
		return NULL;
	web->routes = options->routes;
	web->ctx = options->ctx;
	web->body_limit = options->body_limit;
	web->body_limit_key = options->body_limit_key;
	if (gs_lock_init(&web->lock, GS_RANK_WEB) != GS_OK)
		goto no_lock;
	if (gs_cond_init(&web->changed) == GS_OK)
		return web;
	gs_lock_destroy(&web->lock);
no_lock:
	gs_free(web);
	return NULL;
}

enum gs_status gs_web_start(const struct gs_web_options *options, struct gs_web **ret_web, struct gs_error *err) {
	const char *setting = options->setting != NULL ? options->setting : "-l or receiver.listen";
	int fd = -1;
	struct gs_web *web = create(options);
	if (web == NULL)
		return gs_error_set(err, GS_ENOMEM, 0, 0, "cannot start the HTTP server: out of memory");
	enum gs_status status = gs_web_listen(options->listen, setting, &fd, &web->port, err);
	if (status == GS_OK && start_threads(web, options, fd) != GS_OK)
		status = gs_error_set(err, GS_EIO, 0, 0,
		    "cannot start the HTTP server on %s: no threads or descriptors left; raise the limits of this "
		    "process",
		    options->listen);
	if (status != GS_OK) {
		destroy(web);
		return status;
	}
	*ret_web = web;
	return GS_OK;
}

void gs_web_stop(struct gs_web *web) {
	if (web == NULL)
		return;
	gs_lock_take(&web->lock);
	web->stopping = true;
	while (web->unanswered != 0)
		gs_cond_wait(&web->changed, &web->lock, -1);
	/* Answered is not sent: give the clients that are reading a moment. */
	int64_t until = gs_clock_mono_ms() + STOP_MS;
	for (int64_t left = STOP_MS; web->unfinished != 0 && left > 0; left = until - gs_clock_mono_ms())
		gs_cond_wait(&web->changed, &web->lock, left);
	gs_lock_release(&web->lock);
	gs_web_acceptor_stop(web->acceptor);
	stop_daemons(web);
	destroy(web);
}

unsigned gs_web_port(const struct gs_web *web) {
	return web->port;
}
