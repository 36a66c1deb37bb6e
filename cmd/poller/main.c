/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "../common/program.h"
#include "gravel/base/mem.h"
#include "gravel/gravel/mode.h"
#include "gravel/log/log.h"
#include "gravel/relay/relay.h"
#include "gravel/telemetry/telemetry.h"
#include "gravel/web/web.h"
#include "push.h"

#define GRACE_MS 2000 /* for running scrapes when we stop */
#define FLUSH_MS 5000 /* for what is not acknowledged then */
#define TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define METRICS_MAX ((size_t)64 * 1024 * 1024)

struct poller {
	const struct gs_config *config;
	struct gs_rules **rules; /* one for each job */
	struct gs_relay *relay;
	struct gs_scraper *scraper;
	struct gs_web *web;
	struct gs_forward *forward;
	char self_url[128];
};

/* Rules */

static enum gs_status compile_rules(const struct gs_config_job *job, struct gs_rules **ret, struct gs_error *err) {
	*ret = NULL;
	if (job->nrules == 0)
		return GS_OK;
	struct gs_rule *rules = gs_alloc_array(job->nrules, sizeof(*rules));
	if (rules == NULL)
		return GS_ENOMEM;
	for (size_t i = 0; i < job->nrules; i++)
		rules[i] = (struct gs_rule){.metric = job->rules[i].metric, .clearmode = job->rules[i].clearmode};
	enum gs_status status = gs_rules_new(rules, job->nrules, ret, err);
	gs_free(rules);
	return status;
}

static void print_problem(const struct gs_config *config, uint32_t line, uint32_t column, const char *text) {
	fprintf(stderr, "%s:%u:%u: %s\n", config->file, line, column, text);
}

/* One rule alone, so that its place can be named. */
static bool check_rule(const struct gs_config *config, const struct gs_config_rule *rule) {
	struct gs_rule one = {.metric = rule->metric, .clearmode = rule->clearmode};
	struct gs_rules *compiled = NULL;
	struct gs_error err = {0};
	struct gs_mode mode;
	bool regex = gs_rules_new(&one, 1, &compiled, &err) == GS_OK;
	gs_rules_free(compiled);
	if (!regex)
		print_problem(config, rule->line, rule->column, err.text);
	bool known = gs_mode_parse(gs_str_of(rule->clearmode), &mode, &err) == GS_OK;
	if (!known)
		print_problem(config, rule->clearmode_line, rule->clearmode_column, err.text);
	return regex && known;
}

static bool check(const struct gs_config *config) {
	bool valid = true;
	for (size_t i = 0; i < config->njobs; i++) {
		for (size_t r = 0; r < config->jobs[i].nrules; r++)
			valid &= check_rule(config, &config->jobs[i].rules[r]);
	}
	return valid;
}

/* HTTP */

static void serve_metrics(void *ctx, struct gs_web_request *request) {
	struct gs_buf out;
	(void)ctx;
	gs_buf_init(&out, METRICS_MAX);
	gs_telemetry_render(GS_METRIC_POLLER, &out);
	gs_web_answer(request, 200, TEXT_TYPE, &out);
}

static void serve_healthy(void *ctx, struct gs_web_request *request) {
	(void)ctx;
	gs_web_answer_text(request, 200, "healthy\n");
}

static void serve_ready(void *ctx, struct gs_web_request *request) {
	const struct poller *poller = ctx;
	if (gs_relay_connected(poller->relay))
		gs_web_answer_text(request, 200, "ready\n");
	else
		gs_web_answer_text(
		    request, 503, "not connected to NATS; scraping goes on, the newest scrapes are kept\n");
}

static void serve_push(void *ctx, struct gs_web_request *request) {
	const struct poller *poller = ctx;
	if (gs_web_method(request) == GS_WEB_GET)
		serve_metrics(ctx, request);
	else
		poller_push_serve(poller->forward, request);
}

static void serve_ingest(void *ctx, struct gs_web_request *request) {
	const struct poller *poller = ctx;
	poller_push_serve_ingest(poller->forward, request);
}

static void serve_gateway(void *ctx, struct gs_web_request *request) {
	const struct poller *poller = ctx;
	poller_push_serve_gateway(poller->forward, request);
}

#define PUSH_METHODS (GS_WEB_POST | GS_WEB_PUT | GS_WEB_DELETE)

static const struct gs_web_route routes[] = {
    {.path = "/metrics", .methods = GS_WEB_GET | PUSH_METHODS, .handler = serve_push},
    {.path = "/metrics", .prefix = true, .methods = PUSH_METHODS, .handler = serve_push},
    {.path = "/ingest", .methods = GS_WEB_POST, .handler = serve_ingest},
    {.path = "/pushgateway/metrics/", .prefix = true, .methods = PUSH_METHODS, .handler = serve_gateway},
    {.path = "/-/healthy", .methods = GS_WEB_GET, .handler = serve_healthy},
    {.path = "/-/ready", .methods = GS_WEB_GET, .handler = serve_ready},
    {0},
};

static enum gs_status start_web(struct poller *poller, struct gs_error *err) {
	char listen[300];
	if (poller->config->monitor_port == 0)
		return GS_OK;
	snprintf(listen, sizeof(listen), "%s:%d", poller->config->monitor_address, (int)poller->config->monitor_port);
	struct gs_web_options options = {
	    .listen = listen,
	    .setting = "monitor_port",
	    .routes = routes,
	    .ctx = poller,
	    .body_limit = (size_t)poller->config->receiver.limits.push_body,
	    .body_limit_key = "receiver.limits.push_body",
	    .threads = 2,
	};
	return gs_web_start(&options, &poller->web, err);
}

/* Targets */

static enum gs_status add_target(
    struct poller *poller, const struct gs_relay_target_options *relayed, const char *url, int64_t timeout_ms) {
	struct gs_relay_target *target = NULL;
	enum gs_status status = gs_relay_add(poller->relay, relayed, &target);
	if (status != GS_OK)
		return status;
	struct gs_scrape_target scraped = {
	    .job = relayed->job,
	    .instance = relayed->instance,
	    .url = url,
	    .interval_ms = relayed->interval_ms,
	    .timeout_ms = timeout_ms,
	    .user = target,
	};
	gs_metric_add(GS_M_TARGETS, 1);
	return gs_scraper_add(poller->scraper, &scraped);
}

static enum gs_status add_job(
    struct poller *poller, const struct gs_config_job *job, struct gs_rules *rules, struct gs_error *err) {
	for (size_t t = 0; t < job->ntargets; t++) {
		const struct gs_config_target *target = &job->targets[t];
		struct gs_label *labels = gs_alloc_array(target->nlabels, sizeof(*labels));
		if (labels == NULL)
			return GS_ENOMEM;
		for (size_t i = 0; i < target->nlabels; i++)
			labels[i] =
			    (struct gs_label){gs_str_of(target->labels[i].name), gs_str_of(target->labels[i].value)};
		struct gs_relay_target_options options = {
		    .job = job->name,
		    .instance = target->name,
		    .interval_ms = job->scrape_interval,
		    .honor_labels = job->honor_labels,
		    .labels = labels,
		    .nlabels = target->nlabels,
		    .rules = rules,
		};
		enum gs_status status = add_target(poller, &options, target->url, job->scrape_timeout);
		gs_free(labels);
		if (status != GS_OK)
			return gs_error_set(err, status, 0, 0, "cannot take target \"%s\" of job \"%s\": %s",
			    target->name, job->name,
			    status == GS_ELIMIT ? "its names and labels are too long" : "out of memory");
	}
	return GS_OK;
}

/* The ancestor's self-job: our own metrics go the way of all others. */
static enum gs_status add_self(struct poller *poller) {
	const struct gs_config *config = poller->config;
	if (config->monitor_port == 0)
		return GS_OK;
	snprintf(poller->self_url, sizeof(poller->self_url), "http://%s:%d/metrics", config->monitor_address,
	    (int)config->monitor_port);
	struct gs_relay_target_options options = {
	    .job = "prometheus_streams",
	    .instance = config->identity,
	    .interval_ms = config->scrape_interval,
	};
	return add_target(poller, &options, poller->self_url, config->scrape_timeout);
}

static enum gs_status add_targets(struct poller *poller, struct gs_error *err) {
	for (size_t i = 0; i < poller->config->njobs; i++) {
		enum gs_status status = compile_rules(&poller->config->jobs[i], &poller->rules[i], err);
		if (status == GS_OK)
			status = add_job(poller, &poller->config->jobs[i], poller->rules[i], err);
		if (status != GS_OK)
			return status;
	}
	return add_self(poller);
}

/* Life */

static enum gs_status open_relay(struct poller *poller, struct gs_error *err) {
	const struct gs_config_stream *stream = &poller->config->poller_stream;
	struct program_bus memory;
	struct gs_relay_options options = {
	    .identity = poller->config->identity,
	    .topic = stream->topic,
	    .buffer = (size_t)stream->buffer,
	};
	program_bus_options(poller->config, stream, &memory, &options.bus);
	return gs_relay_open(&options, &poller->relay, err);
}

static enum gs_status start(struct poller *poller, struct gs_error *err) {
	enum gs_status status = open_relay(poller, err);
	if (status != GS_OK)
		return status;
	struct gs_scraper_options options = {
	    .user_agent = "gravel-poller/" GRAVEL_VERSION,
	    .identity = poller->config->identity,
	    .body_limit = (size_t)poller->config->scrape_body_limit,
	    .on_result = gs_relay_result,
	    .ctx = poller->relay,
	};
	status = gs_scraper_new(&options, &poller->scraper, err);
	if (status == GS_OK)
		status = add_targets(poller, err);
	if (status == GS_OK)
		status = poller_push_open(poller->config, gs_relay_bus(poller->relay), &poller->forward, err);
	if (status == GS_OK)
		status = start_web(poller, err);
	return status == GS_OK ? gs_scraper_start(poller->scraper, err) : status;
}

static void stop(struct poller *poller) {
	if (poller->scraper != NULL)
		gs_scraper_stop(poller->scraper, GRACE_MS);
	gs_scraper_free(poller->scraper);
	gs_web_stop(poller->web); /* pushes under way are answered while the bus is there */
	gs_relay_close(poller->relay, FLUSH_MS);
	gs_forward_free(poller->forward);
	for (size_t i = 0; i < poller->config->njobs; i++)
		gs_rules_free(poller->rules[i]);
	gs_free(poller->rules);
}

static int run(const struct gs_config *config) {
	struct poller poller = {.config = config};
	struct gs_error err = {0};
	if (config->poller_stream.nurls == 0) {
		program_fail("nothing to publish to: set poller_stream.urls in the configuration, for example "
			     "nats://localhost:4222");
		return EXIT_FAILED;
	}
	poller.rules = gs_alloc_array(config->njobs, sizeof(struct gs_rules *));
	if (poller.rules == NULL)
		return EXIT_FAILED;
	enum gs_status status = start(&poller, &err);
	if (status == GS_OK) {
		gs_log(GS_LOG_INFO, "version %s scrapes %.0f targets for publisher \"%s\"", GRAVEL_VERSION,
		    gs_metric_get(GS_M_TARGETS, NULL, NULL), config->identity);
		program_wait();
	} else {
		program_fail("%s", err.text[0] != '\0' ? err.text : gs_status_name(status));
	}
	stop(&poller);
	return status == GS_OK ? EXIT_DONE : EXIT_FAILED;
}

int main(int argc, char **argv) {
	static const struct program program = {
	    .name = "gravel-poller",
	    .purpose = "Scrape the targets of a site and publish what they expose to NATS JetStream.",
	    .options = "",
	    .check = check,
	    .run = run,
	};
	return program_main(&program, argc, argv);
}
