/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_TESTS_UNIT_BUS_PEER_H
#define GRAVEL_TESTS_UNIT_BUS_PEER_H

/* Two buses over one real server, and a record of all that they told us. Include after cmocka.h. */

#include <nats/nats.h>
#include <pthread.h>

#include "gravel/base/clock.h"
#include "gravel/base/num.h"
#include "gravel/bus/bus.h"
#include "gravel/log/log.h"
#include "gravel/telemetry/telemetry.h"
#include "server.h"

/* What one bus told us. */
#define TOKENS 100000
#define RECEIVED 120000

struct peer {
	pthread_mutex_t mutex;
	struct gs_bus *bus;
	/* publishing */
	unsigned char calls[TOKENS]; /* of on_ack since the last publish of that token */
	enum gs_status result[TOKENS];
	char reason[256];
	int acks;
	int states;
	int64_t lost_ms; /* how long it takes to hear of a lost connection */
	/* consuming */
	uint64_t seqs[RECEIVED];
	char subjects[RECEIVED][24];
	uint64_t values[RECEIVED];
	int64_t at_ns[RECEIVED];
	int64_t time_ms[RECEIVED];
	uint64_t pending[RECEIVED];
	char header[64];
	size_t size;
	int n;
	int64_t sleep_us; /* in each callback */
	bool blocked; /* the callback waits while this is set */
};

static struct server server;
static struct peer peers[2];
static char log_path[96];

static inline void on_ack(void *ctx, uint64_t token, enum gs_status status, const char *reason) {
	struct peer *p = ctx;
	pthread_mutex_lock(&p->mutex);
	p->calls[token]++;
	p->result[token] = status;
	p->acks++;
	if (status != GS_OK)
		snprintf(p->reason, sizeof(p->reason), "%s", reason);
	pthread_mutex_unlock(&p->mutex);
}

static inline void on_state(void *ctx, bool connected) {
	struct peer *p = ctx;
	pthread_mutex_lock(&p->mutex);
	int64_t lost_ms = p->lost_ms;
	pthread_mutex_unlock(&p->mutex);
	if (!connected)
		sleep_ms(lost_ms);
	pthread_mutex_lock(&p->mutex);
	p->states += connected ? 1 : 1000;
	pthread_mutex_unlock(&p->mutex);
}

static inline void on_message(void *ctx, const struct gs_bus_message *m) {
	struct peer *p = ctx;
	int64_t sleep_us = 0;
	for (bool wait = true; wait;) {
		pthread_mutex_lock(&p->mutex);
		wait = p->blocked;
		sleep_us = p->sleep_us;
		pthread_mutex_unlock(&p->mutex);
		if (wait)
			sleep_ms(5);
	}
	if (sleep_us != 0)
		usleep((useconds_t)sleep_us);
	pthread_mutex_lock(&p->mutex);
	struct gs_str value, rest;
	gs_str_cut(m->data, ' ', &value, &rest);
	p->values[p->n] = UINT64_MAX;
	(void)!gs_num_parse_u64(value, &p->values[p->n]);
	snprintf(p->subjects[p->n], sizeof(p->subjects[0]), "%.*s", GS_FMT(m->subject));
	snprintf(p->header, sizeof(p->header), "%.*s", GS_FMT(m->header));
	p->seqs[p->n] = m->sequence;
	p->time_ms[p->n] = m->time_ms;
	p->pending[p->n] = m->pending;
	p->at_ns[p->n] = gs_clock_mono_ns();
	p->size = m->data.n;
	p->n += p->n < RECEIVED - 1;
	pthread_mutex_unlock(&p->mutex);
}

static inline int get(struct peer *p, int *field) {
	pthread_mutex_lock(&p->mutex);
	int v = *field;
	pthread_mutex_unlock(&p->mutex);
	return v;
}

static inline bool wait_for(struct peer *p, int *field, int at_least, int64_t ms) {
	for (int64_t until = gs_clock_mono_ms() + ms; get(p, field) < at_least; sleep_ms(1)) {
		if (gs_clock_mono_ms() > until)
			return false;
	}
	return true;
}

static inline struct gs_bus_options options(struct peer *p) {
	static const char *urls[1];
	urls[0] = server.url;
	return (struct gs_bus_options){
	    .urls = urls,
	    .nurls = 1,
	    .name = "test",
	    .stream =
		{.name = "GRAVEL", .subjects = "gs.>", .replicas = 1, .max_age_ms = 600000, .max_msgs_per_subject = -1},
	    .on_ack = on_ack,
	    .on_state = on_state,
	    .ctx = p,
	};
}

static inline struct peer *open_with(int i, const struct gs_bus_options *o) {
	struct peer *p = &peers[i];
	struct gs_error err;
	assert_int_equal(gs_bus_open(o, &p->bus, &err), GS_OK);
	return p;
}

static inline struct peer *open_peer(int i) {
	struct gs_bus_options o = options(&peers[i]);
	return open_with(i, &o);
}

static inline void consume(struct peer *p) {
	struct gs_error err;
	assert_int_equal(gs_bus_consume(p->bus, on_message, p, &err), GS_OK);
}

static inline bool wait_connected(struct peer *p, bool connected, int64_t ms) {
	for (int64_t until = gs_clock_mono_ms() + ms; gs_bus_connected(p->bus) != connected; sleep_ms(1)) {
		if (gs_clock_mono_ms() > until)
			return false;
	}
	return true;
}

static inline void close_peer(struct peer *p) {
	gs_bus_close(p->bus, 2000);
	p->bus = NULL;
}

/* "<value> xxxx..." of ${size} bytes under ${subject}. */
static inline enum gs_status publish(struct peer *p, const char *subject, uint64_t value, size_t size) {
	static char body[1024 * 1024 + 1024];
	char id[32];
	memset(body, 'x', size);
	int n = snprintf(body, 32, "%llu", (unsigned long long)value);
	body[n] = ' ';
	snprintf(id, sizeof(id), "id-%llu", (unsigned long long)value);
	pthread_mutex_lock(&p->mutex);
	p->calls[value] = 0;
	pthread_mutex_unlock(&p->mutex);
	return gs_bus_publish(p->bus, subject, "v=1 test", id, gs_str_make(body, size > 24 ? size : 24), value);
}

/* Publish, waiting for room, until the bus has taken it. */
static inline void publish_surely(struct peer *p, const char *subject, uint64_t value, size_t size) {
	enum gs_status status;
	while ((status = publish(p, subject, value, size)) == GS_EAGAIN)
		sleep_ms(1);
	assert_int_equal(status, GS_OK);
}

static inline int log_count(const char *text) {
	char line[2048];
	int n = 0;
	FILE *f = fopen(log_path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL)
		n += strstr(line, text) != NULL;
	fclose(f);
	return n;
}

static inline void check_rising(struct peer *p) {
	for (int i = 1; i < p->n; i++)
		assert_true(p->seqs[i] > p->seqs[i - 1]);
}

/* A plain connection of nats.c, for what only an administrator does. */
static inline void admin(void (*fn)(jsCtx *js)) {
	natsConnection *nc = NULL;
	jsCtx *js = NULL;
	assert_int_equal(natsConnection_ConnectTo(&nc, server.url), NATS_OK);
	assert_int_equal(natsConnection_JetStream(&js, nc, NULL), NATS_OK);
	fn(js);
	jsCtx_Destroy(js);
	natsConnection_Destroy(nc);
}

static inline int setup(void **state) {
	(void)state;
	struct gs_error err;
	server_init(&server);
	for (int i = 0; i < 2; i++) {
		memset(&peers[i], 0, sizeof(peers[i]));
		pthread_mutex_init(&peers[i].mutex, NULL);
	}
	snprintf(log_path, sizeof(log_path), "%s/test.log", server.dir);
	gs_telemetry_reset();
	return gs_log_open("test", log_path, GS_LOG_DEBUG, &err) == GS_OK ? 0 : -1;
}

static inline int teardown(void **state) {
	(void)state;
	for (int i = 0; i < 2; i++) {
		pthread_mutex_lock(&peers[i].mutex);
		peers[i].blocked = false;
		pthread_mutex_unlock(&peers[i].mutex);
		if (peers[i].bus != NULL)
			close_peer(&peers[i]);
		pthread_mutex_destroy(&peers[i].mutex);
	}
	gs_log_close();
	server_remove(&server);
	return 0;
}

/* Publish the values from..to with retries until each is acknowledged. */
static inline void publish_range(struct peer *p, uint64_t from, uint64_t to, size_t size) {
	char subject[16];
	for (uint64_t i = from; i < to; i++) {
		snprintf(subject, sizeof(subject), "gs.t%d", (int)(i % 10));
		publish_surely(p, subject, i, size);
	}
	for (uint64_t i = from; i < to;) {
		pthread_mutex_lock(&p->mutex);
		int calls = p->calls[i];
		enum gs_status status = p->result[i];
		pthread_mutex_unlock(&p->mutex);
		snprintf(subject, sizeof(subject), "gs.t%d", (int)(i % 10));
		if (calls == 0)
			sleep_ms(1);
		else if (status == GS_OK)
			i++;
		else
			publish_surely(p, subject, i, size);
	}
}

#define BUS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* With an argument, only the tests that it matches ("*kill*"). 77 is the suite's word for skipped. */
#define RUN_BUS_TESTS(tests, argc, argv)                                                                               \
	((argc) > 1 ? cmocka_set_test_filter((argv)[1]) : (void)0,                                                     \
	    server_program() == NULL ? print_message("SKIPPED: no nats-server; set GRAVEL_NATS_SERVER to its path\n"), \
	    77                       : cmocka_run_group_tests(tests, NULL, NULL))

#endif
