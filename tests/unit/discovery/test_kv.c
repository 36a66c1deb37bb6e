/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <nats/nats.h>

#include "bus/server.h"
#include "gravel/bus/bus.h"
#include "run.h"

static const char *names[] = {"targets"};
static struct gs_config_sd sd = {
    .kind = GS_SD_NATS_KV, .refresh_interval = 60000, .names = names, .nnames = 1, .prefix = ""};
static struct server server;
static struct gs_bus *bus;
static natsConnection *nc;
static jsCtx *js;
static kvStore *bucket;

static int setup(void **state) {
	(void)state;
	kvConfig config;
	server_init(&server);
	server_start(&server);
	const char *urls[] = {server.url};
	struct gs_bus_options options = {.urls = urls,
	    .nurls = 1,
	    .name = "test",
	    .stream = {.name = "T", .subjects = "t.>", .replicas = 1, .max_msgs_per_subject = 1, .memory = true}};
	kvConfig_Init(&config);
	config.Bucket = "targets";
	gs_telemetry_reset();
	if (natsConnection_ConnectTo(&nc, server.url) != NATS_OK ||
	    natsConnection_JetStream(&js, nc, NULL) != NATS_OK || js_CreateKeyValue(&bucket, js, &config) != NATS_OK ||
	    gs_bus_open(&options, &bus, NULL) != GS_OK)
		return -1;
	for (int i = 0; i < 1000 && !gs_bus_connected(bus); i++)
		gs_clock_sleep_ms(10);
	return 0;
}

static int teardown(void **state) {
	(void)state;
	gs_bus_close(bus, 1000);
	kvStore_Destroy(bucket);
	jsCtx_Destroy(js);
	natsConnection_Destroy(nc);
	server_remove(&server);
	return 0;
}

static void put(const char *key, const char *value) {
	assert_int_equal(kvStore_PutString(NULL, bucket, key, value), NATS_OK);
}

static void test_documents_of_keys(void **state) {
	struct run run;
	(void)state;
	put("a", "{\"targets\":[\"a:1\"],\"labels\":{\"x\":\"y\"}}");
	put("b", "[");
	put("c", "[{\"targets\":[\"c:1\"]}]");
	assert_int_equal(run_start(&run, &sd, NULL, bus), GS_OK);
	run_wait(&run,
	    "{__address__=\"a:1\",__meta_nats_kv_key=\"a\",x=\"y\"} {__address__=\"c:1\",__meta_nats_kv_key=\"c\"}");
	run_wait_failures("nats_kv", 1);
	assert_true(gs_metric_get(GS_M_SD_LAST_SUCCESS, "job", "nats_kv") == 0);
	assert_int_equal(kvStore_Delete(bucket, "b"), NATS_OK);
	for (int i = 0; i < 1500 && gs_metric_get(GS_M_SD_LAST_SUCCESS, "job", "nats_kv") == 0; i++)
		gs_clock_sleep_ms(10);
	assert_true(gs_metric_get(GS_M_SD_LAST_SUCCESS, "job", "nats_kv") > 0);
	assert_int_equal(run.lists, 1);
	put("c", "{\"targets\":1}");
	put("a", "[]");
	run_wait(&run, "{__address__=\"c:1\",__meta_nats_kv_key=\"c\"}");
	assert_int_equal(kvStore_Purge(bucket, "c", NULL), NATS_OK);
	run_wait(&run, "");
	run_stop(&run);
}

/* The callback of the list is held up while more comes than the queue takes: nothing is lost, and the end is quick. */
static void test_more_than_the_queue(void **state) {
	static char text[60000];
	struct run run;
	char key[16];
	size_t n;
	(void)state;
	put("last", "[]");
	assert_int_equal(run_start(&run, &sd, NULL, bus), GS_OK);
	run_wait(&run, "");
	n = (size_t)snprintf(text, sizeof(text), "{\"targets\":[\"a:1\"],\"labels\":{\"l\":\"");
	memset(text + n, ' ', 50000);
	memcpy(text + n + 50000, "\"}}", 4);
	pthread_mutex_lock(&run.mutex);
	put("k", "[{\"targets\":[\"k:1\"]}]");
	gs_clock_sleep_ms(200); /* now it waits for us */
	for (int i = 0; i < 400; i++) {
		snprintf(key, sizeof(key), "k%d", i % 3);
		put(key, text);
	}
	for (int i = 0; i < 3; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		put(key, "[]");
	}
	put("last", "{\"targets\":[\"z:1\"]}");
	pthread_mutex_unlock(&run.mutex);
	run_wait(
	    &run, "{__address__=\"k:1\",__meta_nats_kv_key=\"k\"} {__address__=\"z:1\",__meta_nats_kv_key=\"last\"}");
	run_stop(&run);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_documents_of_keys, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_more_than_the_queue, setup, teardown),
	};
	if (server_program() == NULL)
		return 77;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	nats_Close();
	return failed;
}
