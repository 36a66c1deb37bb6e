/* SPDX-License-Identifier: Apache-2.0 */
#include "../common/program.h"
#include "gravel/base/clock.h"
#include "gravel/log/log.h"
#include "gravel/telemetry/telemetry.h"
#include "receiver.h"

#define CLOSE_MS 2000
#define HTTP_THREADS 2
#define RECOVERY_POLL_MS 10

static void on_message(void *ctx, const struct gs_bus_message *message) {
	struct gs_ingest_message taken = {
	    .subject = message->subject,
	    .header = message->header,
	    .data = message->data,
	    .stored_ms = message->time_ms,
	};
	gs_ingest_message(ctx, &taken);
}

static void on_push(void *ctx, const struct gs_bus_message *message) {
	struct gs_ingest_message taken = {
	    .subject = message->subject,
	    .header = message->header,
	    .data = message->data,
	    .sequence = message->sequence,
	    .stored_ms = message->time_ms,
	};
	gs_metric_set(GS_M_LOG_PENDING, (double)message->pending);
	gs_ingest_pushed(ctx, &taken);
}

static void on_push_begin(void *ctx, const struct gs_bus_begin *begin) {
	gs_metric_set(GS_M_LOG_PENDING, (double)begin->pending);
	gs_ingest_pushed_begin(ctx, begin->first, begin->pending, begin->anew);
}

static enum gs_status start_ingest(struct receiver *receiver, struct gs_error *err) {
	const struct gs_config *config = receiver->config;
	struct gs_ingest_stream stream;
	struct gs_ingest_options options = {
	    .store =
		{
		    .max_series = (size_t)config->receiver.limits.series,
		    .max_series_per_group = (size_t)config->receiver.limits.series_per_group,
		    .max_series_per_family = (size_t)config->receiver.limits.series_per_family,
		    .max_groups = (size_t)config->receiver.limits.groups,
		    .expiration_ms = config->receiver.expiration,
		    .max_age_ms = config->max_age,
		},
	    .log =
		{
		    .max_bytes = (uint64_t)config->receiver.log.max_size,
		    .key_window_ms = config->receiver.log.key_window,
		    .snapshot_ms = config->receiver.log.snapshot_interval,
		},
	    .publisher_label = config->receiver.publisher_label,
	    .topic = config->receiver_stream.topic,
	    .push_samples = (size_t)config->receiver.limits.push_samples,
	    .pushes_in_flight = (size_t)config->receiver.limits.pushes_in_flight,
	    .max_labels = (size_t)config->receiver.limits.labels_per_series,
	    .max_name = (size_t)config->receiver.limits.name_length,
	    .max_value = (size_t)config->receiver.limits.value_length,
	};
	enum gs_status status = receiver_find_folder(receiver, err);
	if (status == GS_OK && config->receiver.log.kind == GS_CONFIG_LOG_STREAM) {
		status = receiver_stream_open(receiver, &stream, err);
		options.log.stream = &stream;
	}
	if (status != GS_OK)
		return status;
	options.log.folder = receiver->folder[0] != '\0' ? receiver->folder : NULL;
	return gs_ingest_new(&options, &receiver->ingest, err);
}

static enum gs_status open_bus(struct receiver *receiver, struct gs_error *err) {
	const struct gs_config_stream *stream = &receiver->config->receiver_stream;
	struct program_bus memory;
	struct gs_bus_options options;
	if (stream->nurls == 0)
		return GS_OK;
	program_bus_options(receiver->config, stream, &memory, &options);
	enum gs_status status = gs_bus_open(&options, &receiver->bus, err);
	if (status != GS_OK || receiver->config->receiver.log.kind == GS_CONFIG_LOG_STREAM)
		return status;
	program_push_options(receiver->config, stream, &memory, &options);
	return gs_bus_add_stream(receiver->bus, &options, err);
}

static enum gs_status start(struct receiver *receiver, struct gs_error *err) {
	struct gs_web_options options = {
	    .listen = receiver->config->receiver.listen,
	    .routes = receiver_routes,
	    .ctx = receiver,
	    .body_limit = (size_t)receiver->config->receiver.limits.push_body,
	    .body_limit_key = "receiver.limits.push_body",
	    .threads = HTTP_THREADS,
	};
	enum gs_status status = open_bus(receiver, err);
	if (status == GS_OK)
		status = start_ingest(receiver, err);
	if (status == GS_OK)
		status = gs_web_start(&options, &receiver->web, err);
	return status;
}

/* While the state comes back, HTTP says how far it is. GS_ECLOSED: a signal came first. */
static enum gs_status wait_recovered(struct receiver *receiver, struct gs_error *err) {
	enum gs_status status;
	while ((status = gs_ingest_ready(receiver->ingest, err)) == GS_EAGAIN) {
		if (program_is_stopped())
			return GS_ECLOSED;
		gs_clock_sleep_ms(RECOVERY_POLL_MS);
	}
	return status;
}

/* Pushes from where the state has them. */
static enum gs_status consume_pushes(struct receiver *receiver, struct gs_error *err) {
	struct gs_bus_start from;
	while (gs_ingest_pushed_from(receiver->ingest, &from.sequence, &from.time_ms) == GS_EAGAIN) {
		if (program_is_stopped())
			return GS_ECLOSED;
		gs_clock_sleep_ms(RECOVERY_POLL_MS);
	}
	return gs_bus_consume_from(receiver->bus, GS_BUS_SECOND, &from, on_push_begin, on_push, receiver->ingest, err);
}

/* A log that is a stream is replayed by consuming it; any other one before. */
static enum gs_status consume(struct receiver *receiver, struct gs_error *err) {
	enum gs_status status = GS_OK;
	if (receiver->stream != NULL)
		status = consume_pushes(receiver, err);
	if (status == GS_OK)
		status = wait_recovered(receiver, err);
	if (status == GS_OK && receiver->bus != NULL)
		status = gs_bus_consume(receiver->bus, on_message, receiver->ingest, err);
	if (status == GS_OK && receiver->bus != NULL && receiver->stream == NULL)
		status = consume_pushes(receiver, err);
	return status;
}

static void stop(struct receiver *receiver) {
	/* What waits for the disk must not keep the bus from closing. What feeds the ingest goes first; suspended pushes are answered by the ingest, so it goes last. */
	if (receiver->ingest != NULL)
		gs_ingest_let_go(receiver->ingest);
	receiver_stream_stop(receiver);
	gs_bus_close(receiver->bus, CLOSE_MS);
	receiver_stream_end(receiver);
	gs_web_stop(receiver->web);
	gs_ingest_free(receiver->ingest);
	receiver_stream_free(receiver);
}

static int run(struct gs_config *config) {
	struct receiver receiver = {.config = config};
	struct gs_error err = {0};
	enum gs_status status = start(&receiver, &err);
	if (status == GS_OK)
		gs_log(GS_LOG_INFO, "version %s listens on port %u%s", GRAVEL_VERSION, gs_web_port(receiver.web),
		    config->receiver_stream.nurls != 0 ? "" : " for pushes only: receiver_stream.urls is not set");
	if (status == GS_OK)
		status = consume(&receiver, &err);
	if (status == GS_OK || status == GS_ECLOSED)
		program_wait(NULL, NULL);
	/* It may have come to an end by itself. */
	if (status == GS_OK && gs_ingest_ready(receiver.ingest, &err) == GS_EIO)
		status = GS_EIO;
	if (status != GS_OK && status != GS_ECLOSED)
		program_fail("%s", err.text[0] != '\0' ? err.text : gs_status_name(status));
	stop(&receiver);
	gs_config_free(config);
	return status == GS_OK || status == GS_ECLOSED ? EXIT_DONE : EXIT_FAILED;
}

int main(int argc, char **argv) {
	static const struct program program = {
	    .name = "gravel-receiver",
	    .purpose = "Keep what pollers publish and jobs push, and serve it to Prometheus at /metrics.\n"
		       "Without a configuration: a push gateway on localhost:4278.",
	    .options = "  -l ADDR:PORT         listen there instead of at receiver.listen\n",
	    .takes_listen = true,
	    .check = receiver_check_log,
	    .run = run,
	};
	return program_main(&program, argc, argv);
}
