/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_TEST_MANAGER_H
#define GRAVEL_TEST_MANAGER_H

/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <stdio.h>

#include "gravel/base/clock.h"
#include "gravel/base/mem.h"
#include "gravel/telemetry/telemetry.h"
#include "manager_internal.h"

/* A configuration of these bytes behind what every one needs. */
static inline struct gs_config *config_of(const char *text) {
	static const char head[] = "identity: here\nscrape_interval: 20s\nscrape_timeout: 10s\n";
	struct gs_config_report report;
	struct gs_config *config = NULL;
	struct gs_buf all;
	gs_buf_init(&all, 1 << 24);
	gs_buf_cstr(&all, head);
	gs_buf_cstr(&all, text);
	enum gs_status status = gs_config_parse(gs_buf_slice(&all), "test.yml", &report, &config);
	if (status != GS_OK)
		print_message("%.*s\n", (int)report.text.n, report.text.p);
	assert_int_equal(status, GS_OK);
	gs_config_report_free(&report);
	gs_buf_free(&all);
	return config;
}

/* A relay whose NATS is nowhere: what it is to send stays with it. */
static inline struct gs_relay *relay_open(void) {
	static const char *const urls[] = {"nats://127.0.0.1:1"};
	struct gs_relay_options options = {
	    .identity = "here",
	    .topic = "t",
	    .buffer = 1 << 20,
	    .bus = {.urls = urls,
		.nurls = 1,
		.name = "test",
		.stream = {.name = "T",
		    .subjects = "t.scrape.>",
		    .replicas = 1,
		    .max_age_ms = 60000,
		    .max_msgs_per_subject = 1}},
	};
	struct gs_relay *relay = NULL;
	assert_int_equal(gs_relay_open(&options, &relay, NULL), GS_OK);
	return relay;
}

/* With time for the thread that tries to connect: it must not outlive the process. */
static inline void relay_close(struct gs_relay *relay) {
	gs_relay_close(relay, 10000);
}

static inline struct gs_manager_options options_of(struct gs_relay *relay) {
	return (struct gs_manager_options){.relay = relay, .bus = gs_relay_bus(relay), .user_agent = "test"};
}

static inline struct gs_manager *manager_of(struct gs_relay *relay, const char *text) {
	struct gs_manager_options options = options_of(relay);
	struct gs_manager *manager = NULL;
	struct gs_error err = {0};
	assert_int_equal(gs_manager_new(&options, config_of(text), &manager, &err), GS_OK);
	return manager;
}

/* The page as JSON, to be freed. */
static inline char *json_of(struct gs_manager *manager) {
	struct gs_manager_filter filter = {.active = true, .dropped = true};
	struct gs_buf out;
	size_t n;
	gs_buf_init(&out, 1 << 24);
	gs_manager_targets_json(manager, &filter, &out);
	gs_buf_char(&out, '\0');
	return gs_buf_take(&out, &n);
}

static inline size_t occurrences(const char *text, const char *of) {
	size_t n = 0;
	for (const char *at = text; (at = strstr(at, of)) != NULL; at++)
		n++;
	return n;
}

#endif
