/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "gravel/log/log.h"
#include "gravel/telemetry/telemetry.h"
#include "poller.h"

#define GRACE_MS 2000 /* for running scrapes when we stop */
#define FLUSH_MS 5000 /* for what is not acknowledged then */

/* What only compiling a job finds. */

struct problems {
	const struct gs_config *config;
	struct gs_buf *report;
};

static void add_problem(void *ctx, uint32_t line, uint32_t column, const char *text) {
	const struct problems *problems = ctx;
	gs_buf_printf(problems->report, "%s:%u:%u: %s\n", problems->config->file, line, column, text);
}

static bool check(const struct gs_config *config, struct gs_buf *report) {
	struct problems problems = {.config = config, .report = report};
	return gs_manager_check(config, add_problem, &problems);
}

/* Life */

static enum gs_status start_web(struct poller *poller, const struct gs_config *config, struct gs_error *err) {
	char listen[300];
	if (config->monitor_port == 0)
		return GS_OK;
	snprintf(listen, sizeof(listen), "%s:%d", config->monitor_address, (int)config->monitor_port);
	struct gs_web_options options = {
	    .listen = listen,
	    .setting = "monitor_port",
	    .routes = poller_routes,
	    .ctx = poller,
	    .body_limit = (size_t)config->receiver.limits.push_body,
	    .body_limit_key = "receiver.limits.push_body",
	    .threads = 2,
	};
	/* The ancestor's self-job: our own metrics go the way of all others. */
	snprintf(poller->self_url, sizeof(poller->self_url), "http://%s:%d/metrics", config->monitor_address,
	    (int)config->monitor_port);
	poller->has_self = true;
	return gs_web_start(&options, &poller->web, err);
}

static enum gs_status open_relay(struct poller *poller, const struct gs_config *config, struct gs_error *err) {
	const struct gs_config_stream *stream = &config->poller_stream;
	struct program_bus memory;
	struct gs_relay_options options = {
	    .identity = config->identity,
	    .topic = stream->topic,
	    .buffer = (size_t)stream->buffer,
	};
	program_bus_options(config, stream, &memory, &options.bus);
	return gs_relay_open(&options, &poller->relay, err);
}

/* Takes ${config} over with GS_OK. */
static enum gs_status start(struct poller *poller, struct gs_config *config, struct gs_error *err) {
	struct gs_manager *manager = NULL;
	enum gs_status status = open_relay(poller, config, err);
	if (status == GS_OK)
		status = poller_push_open(config, gs_relay_bus(poller->relay), &poller->forward, err);
	if (status == GS_OK)
		status = start_web(poller, config, err);
	if (status != GS_OK)
		return status;
	struct gs_manager_options options = {
	    .relay = poller->relay,
	    .bus = gs_relay_bus(poller->relay),
	    .user_agent = "gravel-poller/" GRAVEL_VERSION,
	    .self_url = poller->has_self ? poller->self_url : NULL,
	};
	poller_reload_init(poller, config);
	status = gs_manager_new(&options, config, &manager, err);
	atomic_store(&poller->manager, manager);
	return status;
}

static void stop(struct poller *poller) {
	struct gs_manager *manager = atomic_load(&poller->manager);
	poller_reload_close(poller);
	if (manager != NULL)
		gs_manager_stop(manager, GRACE_MS);
	gs_web_stop(poller->web); /* its pages need the manager, pushes under way the bus */
	gs_manager_free(manager);
	gs_relay_close(poller->relay, FLUSH_MS);
	gs_forward_free(poller->forward);
}

static int run(struct gs_config *config) {
	static struct poller poller;
	struct gs_error err = {0};
	char identity[256]; /* ${config} may be gone as soon as another one is there */
	snprintf(identity, sizeof(identity), "%s", config->identity);
	if (config->poller_stream.nurls == 0) {
		program_fail("nothing to publish to: set poller_stream.urls in the configuration, for example "
			     "nats://localhost:4222");
		gs_config_free(config);
		return EXIT_FAILED;
	}
	enum gs_status status = start(&poller, config, &err);
	if (status == GS_OK) {
		gs_log(GS_LOG_INFO, "version %s scrapes %.0f targets for publisher \"%s\"", GRAVEL_VERSION,
		    gs_metric_get(GS_M_TARGETS, NULL, NULL), identity);
		program_wait(poller_reload, &poller);
	} else {
		program_fail("%s", err.text[0] != '\0' ? err.text : gs_status_name(status));
		gs_config_free(config);
	}
	stop(&poller);
	return status == GS_OK ? EXIT_DONE : EXIT_FAILED;
}

int main(int argc, char **argv) {
	static const struct program program = {
	    .name = "gravel-poller",
	    .purpose = "Scrape the targets of a site and publish what they expose to NATS JetStream.",
	    .options = "",
	    .reloads = true,
	    .check = check,
	    .run = run,
	};
	return program_main(&program, argc, argv);
}
