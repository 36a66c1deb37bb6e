/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <nats/nats.h>
#include <pthread.h>

#include "gravel/base/clock.h"
#include "gravel/base/mem.h"
#include "gravel/bus/kv.h"
#include "server.h"

/* What the watch told us, as a text: "begin;put a=1;complete;...". */
struct seen {
	pthread_mutex_t mutex;
	char text[65536];
	size_t n;
	bool block;
};

static struct server server;
static struct seen seen;

static void on_event(void *ctx, const struct gs_kv_event *event) {
	static const char *const words[] = {"begin", "put ", "delete ", "complete", "lost "};
	struct seen *s = ctx;
	for (bool block = true; block;) {
		pthread_mutex_lock(&s->mutex);
		block = s->block;
		pthread_mutex_unlock(&s->mutex);
		if (block)
			sleep_ms(1);
	}
	pthread_mutex_lock(&s->mutex);
	s->n += (size_t)snprintf(s->text + s->n, sizeof(s->text) - s->n, "%s%.*s%s%.*s%s;", words[event->kind],
	    GS_FMT(event->key), event->kind == GS_KV_PUT ? "=" : "", GS_FMT(event->value),
	    event->kind == GS_KV_LOST ? event->reason : "");
	pthread_mutex_unlock(&s->mutex);
}

static void wait_text(const char *wanted) {
	bool there = false;
	for (int i = 0; i < 1500 && !there; i++) {
		pthread_mutex_lock(&seen.mutex);
		there = strcmp(seen.text, wanted) == 0;
		pthread_mutex_unlock(&seen.mutex);
		if (!there)
			sleep_ms(10);
	}
	assert_string_equal(seen.text, wanted);
}

static void wait_end(const char *wanted) {
	for (int i = 0; i < 1500; i++) {
		pthread_mutex_lock(&seen.mutex);
		size_t n = strlen(wanted);
		bool there = seen.n >= n && strcmp(seen.text + seen.n - n, wanted) == 0;
		pthread_mutex_unlock(&seen.mutex);
		if (there)
			return;
		sleep_ms(10);
	}
	fail_msg("%s is not the end of %s", wanted, seen.text);
}

static void forget(void) {
	pthread_mutex_lock(&seen.mutex);
	seen.n = 0;
	seen.text[0] = '\0';
	pthread_mutex_unlock(&seen.mutex);
}

static struct gs_bus *open_bus(void) {
	const char *urls[] = {server.url};
	struct gs_bus_options options = {.urls = urls,
	    .nurls = 1,
	    .name = "test",
	    .stream = {.name = "T", .subjects = "t.>", .replicas = 1, .max_msgs_per_subject = 1, .memory = true}};
	struct gs_bus *bus;
	assert_int_equal(gs_bus_open(&options, &bus, NULL), GS_OK);
	return bus;
}

static struct gs_kv *watch(struct gs_bus *bus, const char *prefix, int64_t relist_ms) {
	struct gs_kv_options options = {
	    .bucket = "b_1", .prefix = prefix, .relist_ms = relist_ms, .fn = on_event, .ctx = &seen};
	struct gs_error err;
	struct gs_kv *kv;
	assert_int_equal(gs_kv_watch(bus, &options, &kv, &err), GS_OK);
	return kv;
}

/* nats.c's own client of buckets. */
struct client {
	natsConnection *nc;
	jsCtx *js;
	kvStore *kv;
};

static struct client client_open(void) {
	struct client c;
	kvConfig config;
	assert_int_equal(natsConnection_ConnectTo(&c.nc, server.url), NATS_OK);
	assert_int_equal(natsConnection_JetStream(&c.js, c.nc, NULL), NATS_OK);
	kvConfig_Init(&config);
	config.Bucket = "b_1";
	config.StorageType = js_MemoryStorage;
	assert_int_equal(js_CreateKeyValue(&c.kv, c.js, &config), NATS_OK);
	return c;
}

static void client_close(struct client *c) {
	kvStore_Destroy(c->kv);
	jsCtx_Destroy(c->js);
	natsConnection_Destroy(c->nc);
}

static void put(struct client *c, const char *key, const char *value) {
	assert_int_equal(kvStore_PutString(NULL, c->kv, key, value), NATS_OK);
}

static void test_listing_and_changes(void **state) {
	(void)state;
	struct client c = client_open();
	struct gs_bus *bus = open_bus();
	struct gs_kv *kv = watch(bus, NULL, 0);
	wait_text("begin;complete;");
	put(&c, "a", "1");
	wait_text(
	    "begin;complete;put a=1;"); /* the bucket keeps the last value only: a slow server has no time for this one */
	put(&c, "x.y", "2");
	put(&c, "a", "");
	wait_text("begin;complete;put a=1;put x.y=2;put a=;");
	assert_int_equal(kvStore_Delete(c.kv, "a"), NATS_OK);
	assert_int_equal(kvStore_Purge(c.kv, "x.y", NULL), NATS_OK);
	wait_text("begin;complete;put a=1;put x.y=2;put a=;delete a;delete x.y;");
	gs_kv_close(kv);
	put(&c, "a", "3");
	put(&c, "x.y", "4");
	put(&c, "xz", "5");
	forget();
	kv = watch(bus, "", 0);
	wait_text("begin;put a=3;put x.y=4;put xz=5;complete;");
	gs_kv_close(kv);
	forget();
	/* Another key is the last one of the listing. */
	kv = watch(bus, "x.", 0);
	wait_text("begin;put x.y=4;complete;");
	gs_kv_close(kv);
	forget();
	kv = watch(bus, "x", 0);
	wait_text("begin;put x.y=4;put xz=5;complete;");
	put(&c, "b", "6");
	put(&c, "xz", "7");
	wait_text("begin;put x.y=4;put xz=5;complete;put xz=7;");
	gs_kv_close(kv);
	gs_bus_close(bus, 1000);
	client_close(&c);
}

static void test_relist_finds_what_a_purge_removed(void **state) {
	(void)state;
	struct client c = client_open();
	struct gs_bus *bus = open_bus();
	put(&c, "a", "1");
	put(&c, "b", "2");
	struct gs_kv *kv = watch(bus, NULL, 200);
	wait_end("begin;put a=1;put b=2;complete;");
	jsOptions o;
	jsOptions_Init(&o);
	o.Stream.Purge.Subject = "$KV.b_1.a";
	assert_int_equal(js_PurgeStream(c.js, "KV_b_1", &o, NULL), NATS_OK);
	wait_end("begin;put b=2;complete;");
	assert_null(strstr(seen.text, "lost"));
	gs_kv_close(kv);
	gs_bus_close(bus, 1000);
	client_close(&c);
}

static void test_server_and_bucket_come_and_go(void **state) {
	(void)state;
	server_kill(&server, SIGKILL);
	struct gs_bus *bus = open_bus();
	struct gs_kv *kv = watch(bus, NULL, 0);
	wait_text("lost not connected to NATS;");
	server_start(&server);
	wait_text("lost not connected to NATS;lost no such bucket;");
	struct client c = client_open();
	put(&c, "a", "1");
	wait_end("begin;put a=1;complete;");
	/* Without JetStream's memory all is gone; the client has its own connection. */
	client_close(&c);
	server_kill(&server, SIGKILL);
	server_start(&server);
	wait_end("lost no such bucket;");
	c = client_open();
	wait_end("begin;complete;");
	put(&c, "b", "2");
	wait_end("put b=2;");
	gs_kv_close(kv);
	gs_bus_close(bus, 1000);
	client_close(&c);
}

static void test_a_callback_that_blocks_loses_nothing(void **state) {
	char key[16], wanted[65536];
	size_t n = 0;
	(void)state;
	struct client c = client_open();
	struct gs_bus *bus = open_bus();
	seen.block = true;
	struct gs_kv *kv = watch(bus, NULL, 0);
	n += (size_t)snprintf(wanted, sizeof(wanted), "begin;complete;");
	sleep_ms(300);
	for (int i = 0; i < 2000; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		put(&c, key, "v");
		n += (size_t)snprintf(wanted + n, sizeof(wanted) - n, "put %s=v;", key);
	}
	pthread_mutex_lock(&seen.mutex);
	seen.block = false;
	pthread_mutex_unlock(&seen.mutex);
	wait_text(wanted);
	gs_kv_close(kv);
	gs_bus_close(bus, 1000);
	client_close(&c);
}

/* A frozen server owes an answer: who closes the watch does not wait for it. */
static void test_close_does_not_wait(void **state) {
	(void)state;
	struct gs_bus *bus = open_bus();
	for (int i = 0; i < 1000 && !gs_bus_connected(bus); i++)
		sleep_ms(10);
	server_freeze(&server);
	struct gs_kv *kv = watch(bus, NULL, 0);
	sleep_ms(100);
	int64_t since = gs_clock_mono_ms();
	gs_kv_close(kv);
	assert_true(gs_clock_mono_ms() - since < 500);
	kill(server.pid, SIGCONT);
	gs_bus_close(bus, 1000);
	assert_string_equal(seen.text, "");
	gs_kv_close(NULL);
}

static void test_what_is_refused(void **state) {
	static const char *const buckets[] = {"", "a.b", "a b", "*", "\xc3\xa4"};
	static const char *const prefixes[] = {".", "a..b", "*", "a>", " "};
	struct gs_bus *bus = open_bus();
	struct gs_kv *kv;
	struct gs_error err;
	(void)state;
	for (size_t i = 0; i < 5; i++) {
		struct gs_kv_options options = {.bucket = buckets[i], .fn = on_event};
		assert_int_equal(gs_kv_watch(bus, &options, &kv, &err), GS_EINVAL);
		options.bucket = "b";
		options.prefix = prefixes[i];
		assert_int_equal(gs_kv_watch(bus, &options, &kv, &err), GS_EINVAL);
	}
	/* The bus of its own must be at rest, or its thread gets the failure. */
	for (int i = 0; i < 1000 && !gs_bus_connected(bus); i++)
		sleep_ms(10);
	for (int64_t i = 0; i < 5; i++) {
		struct gs_kv_options options = {.bucket = "b", .prefix = "a", .fn = on_event, .ctx = &seen};
		gs_mem_fail_after(i);
		assert_int_equal(gs_kv_watch(bus, &options, &kv, NULL), GS_ENOMEM);
		assert_true(gs_mem_failed());
		gs_mem_fail_after(-1);
	}
	gs_bus_close(bus, 1000);
}

static int setup(void **state) {
	(void)state;
	server_init(&server);
	server_start(&server);
	seen = (struct seen){.mutex = PTHREAD_MUTEX_INITIALIZER};
	return 0;
}

static int teardown(void **state) {
	(void)state;
	server_remove(&server);
	return 0;
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_listing_and_changes, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_relist_finds_what_a_purge_removed, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_server_and_bucket_come_and_go, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_a_callback_that_blocks_loses_nothing, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_close_does_not_wait, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_what_is_refused, setup, teardown),
	};
	if (server_program() == NULL)
		return 77;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	nats_Close();
	return failed;
}
