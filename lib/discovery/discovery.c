/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "gravel/base/clock.h"
#include "gravel/base/mem.h"
#include "gravel/log/log.h"
#include "gravel/scrape/get.h"
#include "gravel/telemetry/telemetry.h"
#include "private.h"

/* Fixed: a wait is never longer, so that a clock that was set while the machine slept does no lasting harm. */
#define WAIT_MAX_MS 60000

/* Descriptors. */

bool gs_sd_poll_set(struct gs_discovery *discovery, struct gs_sd_poll *poll, uint32_t events) {
	struct epoll_event event = {.events = events, .data.ptr = poll};
	int op = poll->added ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
	if (events == 0) {
		if (poll->added)
			(void)epoll_ctl(discovery->epoll, EPOLL_CTL_DEL, poll->fd, NULL);
		poll->added = false;
		return true;
	}
	bool ok = epoll_ctl(discovery->epoll, op, poll->fd, &event) == 0;
	poll->added |= ok;
	return ok;
}

void gs_sd_wake(struct gs_discovery *discovery) {
	uint64_t one = 1;
	(void)!write(discovery->wake.fd, &one, sizeof(one));
}

static void on_wake(void *ctx, int fd, uint32_t events) {
	struct gs_discovery *discovery = ctx;
	uint64_t count;
	(void)events;
	(void)!read(fd, &count, sizeof(count));
	for (size_t i = 0; i < discovery->nsources && !discovery->stopping; i++) {
		struct gs_sd_source *source = discovery->sources[i];
		if (source->ops->woken != NULL)
			source->ops->woken(source);
	}
}

static void on_http(void *ctx, int fd, uint32_t events) {
	struct gs_discovery *discovery = ctx;
	(void)fd;
	(void)events;
	gs_http_work(discovery->http);
}

enum gs_status gs_sd_http(struct gs_discovery *discovery, struct gs_error *err) {
	if (discovery->http != NULL)
		return GS_OK;
	enum gs_status status = gs_http_new(discovery->user_agent, GS_LIMIT_SD_DOCUMENT, &discovery->http, err);
	if (status != GS_OK)
		return status;
	discovery->http_poll = (struct gs_sd_poll){.fn = on_http, .ctx = discovery, .fd = gs_http_fd(discovery->http)};
	if (gs_sd_poll_set(discovery, &discovery->http_poll, EPOLLIN))
		return GS_OK;
	gs_http_free(discovery->http);
	discovery->http = NULL;
	return gs_error_set(err, GS_EIO, 0, 0, "cannot watch sockets");
}

/* What is told of a source. */

static bool is_sibling(const struct gs_sd_source *a, const struct gs_sd_source *b) {
	return a->ops == b->ops && strcmp(a->job, b->job) == 0;
}

/* A job may have several sources of a kind: the gauges are over all of them. */
static void set_gauges(const struct gs_sd_source *source) {
	const struct gs_discovery *discovery = source->discovery;
	size_t targets = 0;
	double oldest = source->good_time;
	for (size_t i = 0; i < discovery->nsources; i++) {
		const struct gs_sd_source *other = discovery->sources[i];
		if (!is_sibling(source, other))
			continue;
		targets += other->ntargets;
		oldest = other->good_time < oldest ? other->good_time : oldest;
	}
	gs_metric_set_l(GS_M_SD_TARGETS, (double)targets, source->job, source->ops->name);
	gs_metric_set_l(GS_M_SD_LAST_SUCCESS, oldest, source->job, source->ops->name);
}

__attribute__((format(printf, 2, 0))) static void set_reason(struct gs_sd_reason *reason, const char *fmt, va_list ap) {
	vsnprintf(reason->text, sizeof(reason->text), fmt, ap);
	for (char *c = reason->text; *c != '\0'; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	}
}

void gs_sd_because(struct gs_sd_reason *reason, const char *fmt, ...) {
	va_list ap;
	va_start(ap, fmt);
	set_reason(reason, fmt, ap);
	va_end(ap);
}

void gs_sd_failed(struct gs_sd_source *source, const char *fmt, ...) {
	struct gs_sd_reason reason;
	va_list ap;
	va_start(ap, fmt);
	set_reason(&reason, fmt, ap);
	va_end(ap);
	gs_metric_add_l(GS_M_SD_FAILURES, 1, source->job, source->ops->name);
	set_gauges(source);
	if (strcmp(source->said.text, reason.text) == 0)
		return;
	source->said = reason;
	gs_log(GS_LOG_WARN,
	    "discovery fails; what it found before stays job=\"%s\" kind=%s source=\"%s\" reason=\"%s\"", source->job,
	    source->ops->name, source->shown, source->said.text);
}

void gs_sd_good(struct gs_sd_source *source) {
	source->good_time = (double)gs_clock_wall_ms() / 1000;
	set_gauges(source);
	if (source->said.text[0] == '\0')
		return;
	source->said.text[0] = '\0';
	gs_log(GS_LOG_INFO, "discovery works again job=\"%s\" kind=%s source=\"%s\" targets=%zu", source->job,
	    source->ops->name, source->shown, source->ntargets);
}

static void report(
    struct gs_sd_source *source, struct gs_sd_doc *const *docs, size_t ndocs, struct gs_discovered *all, size_t n) {
	const struct gs_discovery_options *o = &source->discovery->options;
	size_t at = 0;
	for (size_t i = 0; i < ndocs; i++) {
		if (docs[i] == NULL || docs[i]->n == 0)
			continue;
		memcpy(all + at, docs[i]->targets, docs[i]->n * sizeof(*all));
		at += docs[i]->n;
	}
	o->on_list(o->ctx, source->number, all, n);
}

bool gs_sd_publish(struct gs_sd_source *source, struct gs_sd_doc *const *docs, size_t n) {
	size_t targets;
	uint64_t hash = gs_sd_hash(docs, n, &targets);
	if (source->reported && hash == source->hash && targets == source->ntargets)
		return true;
	if (targets > GS_LIMIT_TARGETS) {
		gs_sd_failed(source, "more than %d targets", GS_LIMIT_TARGETS);
		return false;
	}
	struct gs_discovered *all = gs_alloc_array(targets + 1, sizeof(*all));
	if (all == NULL) {
		gs_sd_failed(source, "out of memory");
		return false;
	}
	report(source, docs, n, all, targets);
	gs_free(all);
	source->reported = true;
	source->hash = hash;
	source->ntargets = targets;
	set_gauges(source);
	gs_log(GS_LOG_VERBOSE, "discovery found another list job=\"%s\" kind=%s source=\"%s\" targets=%zu", source->job,
	    source->ops->name, source->shown, targets);
	return true;
}

void gs_sd_shown_url(const char *url, char *out, size_t n) {
	const char *p = strstr(url, "://");
	size_t scheme = p != NULL ? (size_t)(p - url) + 3 : 0;
	struct gs_str rest = gs_str_make(url + scheme, strcspn(url + scheme, "?#")), user, host;
	struct gs_str authority = gs_str_make(rest.p, strcspn(rest.p, "/?#"));
	while (gs_str_cut(authority, '@', &user, &host))
		authority = host;
	rest.n -= (size_t)(authority.p - rest.p);
	snprintf(out, n, "%.*s%.*s", (int)scheme, url, (int)rest.n, authority.p);
}

/* The thread. */

static void run_due(struct gs_discovery *discovery) {
	for (size_t i = 0; i < discovery->nsources && !discovery->stopping; i++) {
		struct gs_sd_source *source = discovery->sources[i];
		int64_t now = gs_clock_mono_ms();
		if (source->tick_ms <= now) {
			source->tick_ms = GS_SD_NEVER;
			if (source->ops->tick != NULL)
				source->ops->tick(source);
		}
		if (!source->busy && source->due_ms <= now) {
			source->due_ms = now + source->sd->refresh_interval;
			source->ops->refresh(source);
		}
	}
}

static int wait_ms(const struct gs_discovery *discovery) {
	int64_t now = gs_clock_mono_ms(), until = now + WAIT_MAX_MS;
	for (size_t i = 0; i < discovery->nsources; i++) {
		const struct gs_sd_source *source = discovery->sources[i];
		if (!source->busy && source->due_ms < until)
			until = source->due_ms;
		if (source->tick_ms < until)
			until = source->tick_ms;
	}
	if (discovery->http != NULL) {
		int64_t ns = gs_http_deadline_ns(discovery->http);
		/* Rounded up: a millisecond too early would be a loop. */
		if (ns / 1000000 + 1 < until)
			until = ns / 1000000 + 1;
	}
	return until > now ? (int)(until - now) : 0;
}

/* Requests go first: they use what the sources have. */
static void close_sources(struct gs_discovery *discovery) {
	gs_http_free(discovery->http);
	discovery->http = NULL;
	for (size_t i = 0; i < discovery->nsources; i++)
		discovery->sources[i]->ops->close(discovery->sources[i]);
}

static void *run(void *ctx) {
	struct gs_discovery *discovery = ctx;
	for (size_t i = 0; i < discovery->nsources; i++) {
		if (discovery->sources[i]->ops->start != NULL)
			discovery->sources[i]->ops->start(discovery->sources[i]);
	}
	while (!discovery->stopping) {
		/* One at a time: what handles an event may free what the next one belongs to. */
		struct epoll_event event;
		int n = epoll_wait(discovery->epoll, &event, 1, wait_ms(discovery));
		if (discovery->stopping)
			break;
		if (n == 1) {
			struct gs_sd_poll *poll = event.data.ptr;
			poll->fn(poll->ctx, poll->fd, event.events);
		}
		if (discovery->http != NULL && gs_http_deadline_ns(discovery->http) <= gs_clock_mono_ns())
			gs_http_work(discovery->http);
		run_due(discovery);
	}
	close_sources(discovery);
	return NULL;
}

/* Making and ending. */

static bool open_descriptors(struct gs_discovery *discovery) {
	discovery->epoll = epoll_create1(EPOLL_CLOEXEC);
	discovery->wake =
	    (struct gs_sd_poll){.fn = on_wake, .ctx = discovery, .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
	return discovery->epoll >= 0 && discovery->wake.fd >= 0 && gs_sd_poll_set(discovery, &discovery->wake, EPOLLIN);
}

enum gs_status gs_discovery_new(
    const struct gs_discovery_options *options, struct gs_discovery **ret_discovery, struct gs_error *err) {
	struct gs_discovery *discovery = gs_alloc(sizeof(*discovery));
	enum gs_status status = GS_ENOMEM;
	if (discovery == NULL)
		return gs_error_set(err, GS_ENOMEM, 0, 0, "out of memory");
	discovery->options = *options;
	discovery->epoll = discovery->wake.fd = discovery->inotify.fd = -1;
	discovery->user_agent = gs_strdup(gs_str_of(options->user_agent));
	discovery->dns_servers = gs_strdup(gs_str_of(options->dns_servers));
	if (discovery->user_agent != NULL && discovery->dns_servers != NULL)
		status = open_descriptors(discovery) ? GS_OK : GS_EIO;
	if (status == GS_OK) {
		*ret_discovery = discovery;
		return GS_OK;
	}
	gs_discovery_free(discovery);
	return gs_error_set(err, status, 0, 0, "%s",
	    status == GS_ENOMEM ? "out of memory" : "discovery cannot start: raise the limit of open files");
}

static const struct gs_sd_ops *ops_of(enum gs_config_sd_kind kind) {
	switch (kind) {
	case GS_SD_FILE:
		return &gs_sd_file_ops;
	case GS_SD_DNS:
		return &gs_sd_dns_ops;
	case GS_SD_HTTP:
		return &gs_sd_http_ops;
	case GS_SD_ETCD:
		return &gs_sd_etcd_ops;
	case GS_SD_NATS_KV:
		return &gs_sd_kv_ops;
	case GS_SD_STATIC:
		break;
	}
	return NULL;
}

enum gs_status gs_discovery_add(struct gs_discovery *discovery, const char *job, const struct gs_config_sd *sd,
    size_t *ret_source, struct gs_error *err) {
	const struct gs_sd_ops *ops = ops_of(sd->kind);
	if (ops == NULL || sd->nnames == 0)
		return gs_error_set(err, GS_EINVAL, sd->line, sd->column, "there is nothing to discover");
	struct gs_sd_source **sources =
	    gs_grow_array(discovery->sources, &discovery->cap, discovery->nsources, sizeof(struct gs_sd_source *));
	if (sources == NULL)
		return gs_error_set(err, GS_ENOMEM, 0, 0, "out of memory");
	discovery->sources = sources;
	struct gs_sd_source *source = gs_alloc(sizeof(*source));
	if (source == NULL)
		return gs_error_set(err, GS_ENOMEM, 0, 0, "out of memory");
	source->discovery = discovery;
	source->number = discovery->nsources;
	source->job = job;
	source->sd = sd;
	source->ops = ops;
	source->tick_ms = GS_SD_NEVER;
	if (sd->kind == GS_SD_HTTP || sd->kind == GS_SD_ETCD)
		gs_sd_shown_url(sd->names[0], source->shown, sizeof(source->shown));
	else
		snprintf(source->shown, sizeof(source->shown), "%s", sd->names[0]);
	enum gs_status status = ops->open(source, err);
	if (status != GS_OK) {
		ops->close(source);
		gs_free(source);
		return status;
	}
	sources[discovery->nsources++] = source;
	*ret_source = source->number;
	return GS_OK;
}

enum gs_status gs_discovery_start(struct gs_discovery *discovery, struct gs_error *err) {
	for (size_t i = 0; i < discovery->nsources; i++)
		set_gauges(discovery->sources[i]);
	if (pthread_create(&discovery->thread, NULL, run, discovery) != 0)
		return gs_error_set(err, GS_EIO, 0, 0, "the thread of discovery cannot start");
	discovery->started = true;
	return GS_OK;
}

static void close_fd(int fd) {
	if (fd >= 0)
		close(fd);
}

void gs_discovery_free(struct gs_discovery *discovery) {
	if (discovery == NULL)
		return;
	discovery->stopping = true;
	if (discovery->started) {
		gs_sd_wake(discovery);
		pthread_join(discovery->thread, NULL);
	} else {
		close_sources(discovery);
	}
	for (size_t i = 0; i < discovery->nsources; i++) {
		struct gs_sd_source *source = discovery->sources[i];
		gs_metric_drop_l(GS_M_SD_TARGETS, source->job, source->ops->name);
		gs_metric_drop_l(GS_M_SD_LAST_SUCCESS, source->job, source->ops->name);
		gs_free(source);
	}
	gs_free(discovery->sources);
	close_fd(discovery->inotify.fd);
	close_fd(discovery->wake.fd);
	close_fd(discovery->epoll);
	gs_free(discovery->user_agent);
	gs_free(discovery->dns_servers);
	gs_free(discovery);
}
