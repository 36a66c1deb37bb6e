/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "gravel/base/clock.h"
#include "gravel/base/mem.h"

/* Fixed: events of one wakeup; more wait for the next. */
#define EVENTS 256
/* Fixed: easy handles kept for the next start. As many as usually run at once. */
#define IDLE_MAX 64
/* Fixed: memory that an idle buffer keeps for the next body. */
#define KEEP_MAX (1024 * 1024)

/* Fixed: how many of those are looked at for one with the settings that are wanted. */
#define LOOK_MAX 8

/* Fixed: bodies that are taken while they come; what waits for its turn is kept as it comes, so that servers that are slow on purpose
 * cannot make us parse a thousand at once. */
#define STREAMS_MAX 32

/* Fixed: places that share a multi handle. */
#define CELL_PLACES 128
/* Fixed: connections that a cell keeps: one for each place, and some for redirects to other hosts. */
#define CELL_CONNECTIONS (CELL_PLACES + 32)

/* A multi handle. */
struct cell {
	struct gs_fetcher *fetcher;
	size_t number; /* in fetcher->cells */
	CURLM *multi;
	int64_t timer_ns; /* when libcurl wants to be called without an event; INT64_MAX: never */
};

/*
 * Invariants:
 * 1. Each transfer is in the list running (and in its multi) or in the list idle.
 * 2. A stream that can be worked on stands in the list work. One whose stream is over has left its multi.
 * 3. A descriptor in epoll carries the number of its cell; the eventfd's number is EVENT_CELL.
 */
struct gs_fetcher {
	struct gs_fetcher_options options;
	struct cell **cells;
	size_t ncells;
	int epoll;
	int event; /* an eventfd, for gs_fetcher_wake */
	struct gs_transfer *running;
	size_t nrunning;
	struct gs_transfer *idle;
	size_t nidle;
	struct gs_transfer_scratch scratch;
	struct gs_transfer *work, **work_end; /* streams that have bytes or are over */
	size_t nstreams;
};

#define EVENT_CELL UINT32_MAX

static CURLcode global_code;
static pthread_once_t global_once = PTHREAD_ONCE_INIT;

static void global_init(void) {
	global_code = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static void push(struct gs_transfer **list, struct gs_transfer *transfer) {
	transfer->next = *list;
	transfer->link = list;
	if (transfer->next != NULL)
		transfer->next->link = &transfer->next;
	*list = transfer;
}

static void unlink_transfer(struct gs_transfer *transfer) {
	*transfer->link = transfer->next;
	if (transfer->next != NULL)
		transfer->next->link = transfer->link;
}

static uint64_t tag(size_t cell, int fd) {
	return (uint64_t)cell << 32 | (uint32_t)fd;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *known) {
	struct cell *cell = ctx;
	int epoll = cell->fetcher->epoll;
	struct epoll_event event = {.data.u64 = tag(cell->number, fd)};
	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		(void)epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
		return 0;
	}
	if (what & CURL_POLL_IN)
		event.events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		event.events |= EPOLLOUT;
	int op = known != NULL ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
	/* A descriptor may have been closed and its number given anew without our knowing. If the system refuses both ways the transfer
	 * ends by its timeout; an error from here would end all of them. */
	if (epoll_ctl(epoll, op, fd, &event) != 0)
		(void)epoll_ctl(epoll, op == EPOLL_CTL_ADD ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
	curl_multi_assign(cell->multi, fd, cell);
	return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *ctx) {
	struct cell *cell = ctx;
	(void)multi;
	cell->timer_ns = timeout_ms < 0 ? INT64_MAX : gs_clock_mono_ns() + (int64_t)timeout_ms * 1000000;
	return 0;
}

static enum gs_status open_descriptors(struct gs_fetcher *fetcher) {
	struct epoll_event event = {.events = EPOLLIN};
	fetcher->epoll = epoll_create1(EPOLL_CLOEXEC);
	fetcher->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	event.data.u64 = tag(EVENT_CELL, fetcher->event);
	if (fetcher->epoll < 0 || fetcher->event < 0 ||
	    epoll_ctl(fetcher->epoll, EPOLL_CTL_ADD, fetcher->event, &event) != 0)
		return GS_EIO;
	return GS_OK;
}

static void free_cell(struct cell *cell) {
	/* Calls on_socket for each connection it closes. */
	if (cell != NULL)
		curl_multi_cleanup(cell->multi);
	gs_free(cell);
}

static struct cell *new_cell(struct gs_fetcher *fetcher) {
	struct cell *cell = gs_alloc(sizeof(*cell));
	if (cell == NULL)
		return NULL;
	*cell = (struct cell){.fetcher = fetcher, .number = fetcher->ncells, .timer_ns = INT64_MAX};
	cell->multi = curl_multi_init();
	if (cell->multi == NULL) {
		free_cell(cell);
		return NULL;
	}
	curl_multi_setopt(cell->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(cell->multi, CURLMOPT_SOCKETDATA, cell);
	curl_multi_setopt(cell->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(cell->multi, CURLMOPT_TIMERDATA, cell);
	curl_multi_setopt(cell->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
	curl_multi_setopt(cell->multi, CURLMOPT_MAXCONNECTS, (long)CELL_CONNECTIONS);
	return cell;
}

enum gs_status gs_fetcher_reserve(struct gs_fetcher *fetcher, size_t places) {
	while (fetcher->ncells * CELL_PLACES < places) {
		struct cell **cells = gs_realloc_array(fetcher->cells, fetcher->ncells + 1, sizeof(struct cell *));
		if (cells == NULL)
			return GS_ENOMEM;
		fetcher->cells = cells;
		cells[fetcher->ncells] = new_cell(fetcher);
		if (cells[fetcher->ncells] == NULL)
			return GS_ENOMEM;
		fetcher->ncells++;
	}
	return GS_OK;
}

enum gs_status gs_fetcher_new(
    const struct gs_fetcher_options *options, struct gs_fetcher **ret_fetcher, struct gs_error *err) {
	struct gs_fetcher *fetcher = gs_alloc(sizeof(*fetcher));
	enum gs_status status = GS_ENOMEM;
	char text[128];
	if (fetcher == NULL)
		goto out;
	fetcher->options = *options;
	fetcher->work_end = &fetcher->work;
	fetcher->epoll = -1;
	fetcher->event = -1;
	gs_buf_init(&fetcher->scratch.plain, SIZE_MAX);
	fetcher->scratch.codec = gs_codec_new();
	pthread_once(&global_once, global_init);
	if (fetcher->scratch.codec == NULL || global_code != CURLE_OK)
		goto out;
	status = open_descriptors(fetcher);
	if (status != GS_OK)
		goto out;
	*ret_fetcher = fetcher;
	fetcher = NULL;
out:
	if (status == GS_EIO)
		(void)gs_error_set(err, status, 0, 0, "cannot watch sockets (%s): raise the limit of open files",
		    strerror_r(errno, text, sizeof(text)));
	else if (status != GS_OK)
		(void)gs_error_set(err, status, 0, 0, "out of memory");
	gs_fetcher_free(fetcher);
	return status;
}

static void free_list(struct gs_transfer *list) {
	while (list != NULL) {
		struct gs_transfer *next = list->next;
		gs_transfer_free(list);
		list = next;
	}
}

void gs_fetcher_free(struct gs_fetcher *fetcher) {
	if (fetcher == NULL)
		return;
	gs_fetcher_cancel(fetcher);
	free_list(fetcher->idle);
	for (size_t i = 0; i < fetcher->ncells; i++)
		free_cell(fetcher->cells[i]);
	gs_free(fetcher->cells);
	if (fetcher->epoll >= 0)
		close(fetcher->epoll);
	if (fetcher->event >= 0)
		close(fetcher->event);
	gs_codec_free(fetcher->scratch.codec);
	gs_buf_free(&fetcher->scratch.plain);
	gs_free(fetcher);
}

static void rest(struct gs_fetcher *fetcher, struct gs_transfer *transfer) {
	if (fetcher->nidle == IDLE_MAX) {
		gs_transfer_free(transfer);
		return;
	}
	if (transfer->raw.cap > KEEP_MAX)
		gs_buf_free(&transfer->raw);
	push(&fetcher->idle, transfer);
	fetcher->nidle++;
}

/* One with the wanted settings, if it stands near the front: to give it others is work. */
static struct gs_transfer *take(struct gs_fetcher *fetcher, const struct gs_settings *settings) {
	uint64_t serial = gs_settings_serial(settings != NULL ? settings : gs_settings_default());
	struct gs_transfer *transfer = fetcher->idle;
	if (transfer == NULL)
		return gs_transfer_new(fetcher->options.user_agent, fetcher->options.body_limit);
	for (int i = 0; i < LOOK_MAX && transfer->serial != serial && transfer->next != NULL; i++)
		transfer = transfer->next;
	if (transfer->serial != serial)
		transfer = fetcher->idle;
	unlink_transfer(transfer);
	fetcher->nidle--;
	return transfer;
}

static void list_work(struct gs_fetcher *fetcher, struct gs_transfer *transfer) {
	if (transfer->stream.listed)
		return;
	transfer->stream.listed = true;
	transfer->stream.next = NULL;
	*fetcher->work_end = transfer;
	fetcher->work_end = &transfer->stream.next;
}

static void unlist_work(struct gs_fetcher *fetcher, struct gs_transfer *transfer) {
	struct gs_transfer **link = &fetcher->work;
	if (!transfer->stream.listed)
		return;
	while (*link != transfer)
		link = &(*link)->stream.next;
	*link = transfer->stream.next;
	if (*link == NULL)
		fetcher->work_end = link;
	transfer->stream.listed = false;
}

static enum gs_status begin_stream(struct gs_fetcher *fetcher, struct gs_transfer *transfer) {
	enum gs_status status = gs_transfer_stream(transfer);
	fetcher->nstreams += status == GS_OK;
	return status;
}

/* A large body has bytes. Without memory or a place among the streams it goes on as a whole. */
static void on_large(void *ctx, struct gs_transfer *transfer) {
	struct gs_fetcher *fetcher = ctx;
	if (!transfer->stream.on && (fetcher->nstreams >= STREAMS_MAX || begin_stream(fetcher, transfer) != GS_OK))
		return;
	list_work(fetcher, transfer);
}

enum gs_status gs_fetcher_start(struct gs_fetcher *fetcher, size_t place, const struct gs_transfer_request *request) {
	assert(place / CELL_PLACES < fetcher->ncells);
	struct cell *cell = fetcher->cells[place / CELL_PLACES];
	struct gs_transfer *transfer = take(fetcher, request->settings);
	if (transfer == NULL)
		return GS_ENOMEM;
	transfer->multi = cell->multi;
	transfer->on_large = fetcher->options.on_body != NULL ? on_large : NULL;
	transfer->large_ctx = fetcher;
	if (gs_transfer_prepare(transfer, request) != GS_OK ||
	    curl_multi_add_handle(cell->multi, transfer->easy) != CURLM_OK) {
		rest(fetcher, transfer);
		return GS_ENOMEM;
	}
	push(&fetcher->running, transfer);
	fetcher->nrunning++;
	if (request->handle != NULL)
		*request->handle = transfer;
	return GS_OK;
}

size_t gs_fetcher_running(const struct gs_fetcher *fetcher) {
	return fetcher->nrunning;
}

/* libcurl is through with it. */
static void leave_multi(struct gs_transfer *transfer) {
	if (!transfer->stream.over)
		curl_multi_remove_handle(transfer->multi, transfer->easy);
}

static void end(struct gs_fetcher *fetcher, struct gs_transfer *transfer) {
	leave_multi(transfer);
	unlist_work(fetcher, transfer);
	fetcher->nstreams -= transfer->stream.on;
	if (transfer->request.handle != NULL)
		*transfer->request.handle = NULL;
	unlink_transfer(transfer);
	fetcher->nrunning--;
}

static void tell(struct gs_fetcher *fetcher, struct gs_transfer *transfer, CURLcode code) {
	struct gs_scrape_result result;
	gs_transfer_result(transfer, code, &fetcher->scratch, &result);
	end(fetcher, transfer);
	fetcher->options.on_done(fetcher->options.ctx, transfer->request.user, &result);
	rest(fetcher, transfer);
	if (fetcher->scratch.plain.cap > KEEP_MAX)
		gs_buf_free(&fetcher->scratch.plain);
}

/* Hand on one piece of the stream that waits longest. */
static void work(struct gs_fetcher *fetcher) {
	struct gs_transfer *transfer = fetcher->work;
	if (transfer == NULL)
		return;
	struct gs_transfer_stream *stream = &transfer->stream;
	const char *type = NULL;
	unlist_work(fetcher, transfer);
	struct gs_str piece = gs_transfer_piece(transfer, &fetcher->scratch.plain);
	if (stream->status == GS_OK && piece.n != 0) {
		curl_easy_getinfo(transfer->easy, CURLINFO_CONTENT_TYPE, &type);
		stream->told = true;
		stream->enough =
		    !fetcher->options.on_body(fetcher->options.ctx, transfer->request.user, gs_str_of(type), piece);
	}
	if (stream->status != GS_OK || stream->enough || (stream->over && piece.n == 0))
		tell(fetcher, transfer, stream->code);
	else if (piece.n != 0)
		list_work(fetcher, transfer);
}

/* Whether the rest of a body that came well is still to be taken, in its turn. */
static bool goes_on(struct gs_fetcher *fetcher, struct gs_transfer *transfer, CURLcode code) {
	if (fetcher->options.on_body == NULL || !gs_transfer_is_good(transfer, code))
		return false;
	if (!transfer->stream.on && (transfer->raw.n <= GS_TRANSFER_LARGE || begin_stream(fetcher, transfer) != GS_OK))
		return false;
	leave_multi(transfer);
	transfer->stream.over = true;
	transfer->stream.code = code;
	list_work(fetcher, transfer);
	return true;
}

static void collect(struct gs_fetcher *fetcher, struct cell *cell) {
	CURLMsg *message;
	int left;
	while ((message = curl_multi_info_read(cell->multi, &left)) != NULL) {
		CURL *easy = message->easy_handle;
		CURLcode code = message->data.result;
		char *private = NULL;
		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
		struct gs_transfer *transfer = (struct gs_transfer *)(void *)private;
		if (!goes_on(fetcher, transfer, code))
			tell(fetcher, transfer, code);
	}
}

static void handle_event(struct gs_fetcher *fetcher, const struct epoll_event *event) {
	int what = 0, running, fd = (int)(uint32_t)event->data.u64;
	uint32_t number = (uint32_t)(event->data.u64 >> 32);
	if (number == EVENT_CELL) {
		uint64_t count;
		(void)!read(fd, &count, sizeof(count));
		return;
	}
	if (event->events & EPOLLIN)
		what |= CURL_CSELECT_IN;
	if (event->events & EPOLLOUT)
		what |= CURL_CSELECT_OUT;
	/* With the read libcurl finds out what it is; an error alone it would report without looking. */
	if (event->events & (EPOLLERR | EPOLLHUP))
		what |= CURL_CSELECT_ERR | CURL_CSELECT_IN;
	struct cell *cell = fetcher->cells[number];
	curl_multi_socket_action(cell->multi, fd, what, &running);
	collect(fetcher, cell);
}

static void run_timers(struct gs_fetcher *fetcher) {
	int64_t now = gs_clock_mono_ns();
	for (size_t i = 0; i < fetcher->ncells; i++) {
		struct cell *cell = fetcher->cells[i];
		int running;
		if (cell->timer_ns > now)
			continue;
		cell->timer_ns = INT64_MAX; /* libcurl sets it anew while it works */
		curl_multi_socket_action(cell->multi, CURL_SOCKET_TIMEOUT, 0, &running);
		collect(fetcher, cell);
	}
}

int gs_fetcher_fd(const struct gs_fetcher *fetcher) {
	return fetcher->epoll;
}

int64_t gs_fetcher_timer_ns(const struct gs_fetcher *fetcher) {
	int64_t first = INT64_MAX;
	for (size_t i = 0; i < fetcher->ncells; i++) {
		if (fetcher->cells[i]->timer_ns < first)
			first = fetcher->cells[i]->timer_ns;
	}
	return first;
}

/* How long epoll may wait, in its own unit. */
static int wait_ms(const struct gs_fetcher *fetcher, int64_t until_ns) {
	int64_t timer_ns = gs_fetcher_timer_ns(fetcher);
	if (timer_ns < until_ns)
		until_ns = timer_ns;
	int64_t left = until_ns - gs_clock_mono_ns();
	if (left <= 0)
		return 0;
	return left > INT64_C(60000000000) ? 60000 : (int)((left + 999999) / 1000000);
}

void gs_fetcher_poll(struct gs_fetcher *fetcher, int64_t until_ns) {
	struct epoll_event events[EVENTS];
	int n = epoll_wait(fetcher->epoll, events, EVENTS, fetcher->work != NULL ? 0 : wait_ms(fetcher, until_ns));
	for (int i = 0; i < n; i++)
		handle_event(fetcher, &events[i]);
	run_timers(fetcher);
	work(fetcher);
}

void gs_fetcher_wake(struct gs_fetcher *fetcher) {
	uint64_t one = 1;
	(void)!write(fetcher->event, &one, sizeof(one));
}

void gs_fetcher_stop(struct gs_fetcher *fetcher, struct gs_transfer *transfer) {
	end(fetcher, transfer);
	rest(fetcher, transfer);
}

void gs_fetcher_cancel(struct gs_fetcher *fetcher) {
	while (fetcher->running != NULL)
		gs_fetcher_stop(fetcher, fetcher->running);
}
