/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the configuration again: on SIGHUP, or for HTTP. It is the main thread's work; a request waits for it suspended, and a signal to ourselves wakes the main thread.
 */
#include "gravel/base/clock.h"
#include "gravel/base/hash.h"
#include "gravel/base/mem.h"
#include "gravel/log/log.h"
#include "gravel/telemetry/telemetry.h"
#include "poller.h"

#define ANSWER_MAX ((size_t)1024 * 1024)

struct waiter {
	struct waiter *next;
	struct gs_web_request *request;
};

static struct waiter closed; /* stands in place of those who wait when there are no more reloads */

/* Keys that a reload cannot change */

static uint64_t text_hash(const char *text) {
	return gs_hash(gs_str_of(text));
}

static uint64_t number_hash(int64_t v) {
	return gs_hash(gs_str_make((const char *)&v, sizeof(v)));
}

static uint64_t urls_hash(const struct gs_config_stream *stream) {
	uint64_t hash = stream->nurls;
	for (size_t i = 0; i < stream->nurls; i++) {
		uint64_t both[] = {hash, text_hash(stream->urls[i])};
		hash = gs_hash(gs_str_make((const char *)both, sizeof(both)));
	}
	return hash;
}

static const char *const fixed_keys[POLLER_FIXED_KEYS] = {
    "identity",
    "monitor_port",
    "monitor_address",
    "logfile",
    "verbose",
    "debug",
    "poller_stream.urls",
    "poller_stream.topic",
    "poller_stream.client_id",
    "poller_stream.stream",
    "poller_stream.replicas",
    "poller_stream.retention",
    "poller_stream.storage",
    "poller_stream.buffer",
    "poller_stream.push_stream",
    "poller_stream.push_retention",
    "receiver.limits",
};

static void fixed_values(const struct gs_config *config, uint64_t *ret) {
	const struct gs_config_stream *stream = &config->poller_stream;
	uint64_t values[POLLER_FIXED_KEYS] = {
	    text_hash(config->identity),
	    number_hash(config->monitor_port),
	    text_hash(config->monitor_address),
	    text_hash(config->logfile),
	    config->verbose,
	    config->debug,
	    urls_hash(stream),
	    text_hash(stream->topic),
	    text_hash(stream->client_id),
	    text_hash(stream->stream),
	    number_hash(stream->replicas),
	    number_hash(stream->retention),
	    number_hash(stream->storage),
	    number_hash(stream->buffer),
	    text_hash(stream->push_stream),
	    number_hash(stream->push_retention),
	    gs_hash(gs_str_make((const char *)&config->receiver.limits, sizeof(config->receiver.limits))),
	};
	memcpy(ret, values, sizeof(values));
}

static void warn_fixed(const struct poller *poller, const struct gs_config *config, struct gs_buf *report) {
	uint64_t values[POLLER_FIXED_KEYS];
	fixed_values(config, values);
	for (size_t i = 0; i < POLLER_FIXED_KEYS; i++) {
		if (values[i] != poller->fixed[i])
			gs_buf_printf(report,
			    "%s: warning: %s cannot change while the poller runs: it keeps its old value until a "
			    "restart\n",
			    config->file != NULL ? config->file : "configuration", fixed_keys[i]);
	}
}

/* One reload */

static enum gs_status reload(struct poller *poller, struct gs_buf *report, struct gs_manager_changes *changes) {
	struct gs_config *config = NULL;
	struct gs_error err = {0};
	enum gs_status status = program_load(report, &config);
	if (status != GS_OK)
		return status;
	if (config->poller_stream.nurls == 0) {
		gs_buf_cstr(report, "nothing to publish to: poller_stream.urls is not set\n");
		gs_config_free(config);
		return GS_EINVAL;
	}
	warn_fixed(poller, config, report);
	status = gs_manager_reload(atomic_load(&poller->manager), config, changes, &err);
	if (status != GS_OK) {
		gs_buf_printf(report, "%s\n", err.text);
		gs_config_free(config);
	}
	return status;
}

static void log_lines(struct gs_str text, bool good) {
	struct gs_str line;
	while (gs_str_cut(text, '\n', &line, &text) || line.n != 0)
		gs_log(good ? GS_LOG_WARN : GS_LOG_ERROR, "%.*s", GS_FMT(line));
}

static void answer_waiters(struct poller *poller, struct waiter *waiting, bool good, const struct gs_buf *text) {
	(void)poller;
	while (waiting != NULL) {
		struct waiter *next = waiting->next;
		struct gs_buf body;
		gs_buf_init(&body, ANSWER_MAX);
		gs_buf_add(&body, text->p, text->n < ANSWER_MAX ? text->n : ANSWER_MAX);
		gs_web_answer(waiting->request, good ? 200 : 500, "text/plain; charset=utf-8", &body);
		gs_free(waiting);
		waiting = next;
	}
}

void poller_reload(void *ctx) {
	struct poller *poller = ctx;
	struct gs_manager_changes changes = {0};
	struct gs_buf report;
	struct waiter *waiting = atomic_exchange(&poller->waiting, NULL);
	bool good = reload(poller, &report, &changes) == GS_OK;
	gs_metric_set(GS_M_RELOAD_SUCCESSFUL, good);
	log_lines(gs_buf_slice(&report), good);
	if (good) {
		gs_metric_set(GS_M_RELOAD_TIME, (double)gs_clock_wall_ms() / 1000);
		gs_log(GS_LOG_INFO, "the configuration was read again: %zu targets, %zu came, %zu left",
		    changes.targets, changes.came, changes.left);
		gs_buf_printf(&report, "reloaded: %zu targets, %zu came, %zu left\n", changes.targets, changes.came,
		    changes.left);
	} else {
		gs_log(GS_LOG_ERROR, "the configuration was read again and is not good: nothing has changed");
	}
	answer_waiters(poller, waiting, good, &report);
	gs_buf_free(&report);
}

void poller_reload_init(struct poller *poller, const struct gs_config *config) {
	fixed_values(config, poller->fixed);
	gs_metric_set(GS_M_RELOAD_SUCCESSFUL, 1);
	gs_metric_set(GS_M_RELOAD_TIME, (double)gs_clock_wall_ms() / 1000);
}

/* HTTP */

void poller_serve_reload(void *ctx, struct gs_web_request *request) {
	struct poller *poller = ctx;
	struct waiter *waiter = gs_alloc(sizeof(*waiter));
	if (waiter == NULL || atomic_load(&poller->manager) == NULL) {
		gs_free(waiter);
		gs_web_answer_text(request, 503, "not now\n");
		return;
	}
	waiter->request = request;
	gs_web_suspend(request);
	waiter->next = atomic_load(&poller->waiting);
	do {
		if (waiter->next == &closed) {
			gs_free(waiter);
			gs_web_answer_text(request, 503, "stopping\n");
			return;
		}
	} while (!atomic_compare_exchange_weak(&poller->waiting, &waiter->next, waiter));
	program_hup();
}

void poller_reload_close(struct poller *poller) {
	struct gs_buf text;
	struct waiter *waiting = atomic_exchange(&poller->waiting, &closed);
	gs_buf_init(&text, 64);
	gs_buf_cstr(&text, "stopping\n");
	answer_waiters(poller, waiting, false, &text);
	gs_buf_free(&text);
}
