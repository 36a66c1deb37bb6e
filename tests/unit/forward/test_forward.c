/* SPDX-License-Identifier: Apache-2.0 */
/* The poller's pushes over a real server: what is stored is what was answered. */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <stdatomic.h>

#include "gravel/base/mem.h"
#include "gravel/forward/forward.h"

#include "bus/peer.h"

struct outcome {
	_Atomic int done;
	enum gs_status status;
	struct gs_error err;
};

static struct gs_forward *forward;

static void on_done(void *ctx, enum gs_status status, const struct gs_error *err) {
	struct outcome *outcome = ctx;
	outcome->status = status;
	outcome->err = *err;
	atomic_fetch_add(&outcome->done, 1);
}

static struct gs_forward_options forward_options(struct peer *p) {
	return (struct gs_forward_options){
	    .bus = p->bus,
	    .stream = {.name = "PUSH", .subjects = "t.push.>", .replicas = 1, .max_age_ms = 600000},
	    .topic = "t",
	    .identity = "dc1",
	    .push_samples = 100000,
	    .pushes_in_flight = 4,
	};
}

static struct peer *open_forward(const struct gs_forward_options *like) {
	struct peer *p = open_peer(0);
	struct gs_forward_options o = like != NULL ? *like : forward_options(p);
	struct gs_error err;
	o.bus = p->bus;
	assert_int_equal(gs_forward_new(&o, &forward, &err), GS_OK);
	return p;
}

static void close_forward(struct peer *p) {
	close_peer(p);
	gs_forward_free(forward);
	forward = NULL;
}

static void wait_ready(struct peer *p) {
	for (int i = 0; i < 10000 && !gs_bus_lane_connected(p->bus, GS_BUS_SECOND); i++)
		sleep_ms(1);
	assert_true(gs_bus_lane_connected(p->bus, GS_BUS_SECOND));
}

static enum gs_status begin(enum gs_wire_push_op op, const char *body, struct outcome *outcome) {
	static const struct gs_label label = {GS_STR_INIT("job"), GS_STR_INIT("a")};
	struct gs_ingest_push push = {
	    .body = gs_str_of(body), .labels = &label, .nlabels = 1, .done = on_done, .ctx = outcome};
	*outcome = (struct outcome){0};
	return gs_forward_push(forward, op, &push, &outcome->err);
}

static enum gs_status push(enum gs_wire_push_op op, const char *body, struct outcome *outcome) {
	enum gs_status status = begin(op, body, outcome);
	if (status != GS_OK) {
		assert_int_equal(atomic_load(&outcome->done), 0);
		return status;
	}
	for (int i = 0; i < 40000 && atomic_load(&outcome->done) == 0; i++)
		sleep_ms(1);
	assert_int_equal(atomic_load(&outcome->done), 1);
	return outcome->status;
}

static uint64_t stored;

static void count_stored(jsCtx *js) {
	jsStreamInfo *info = NULL;
	assert_int_equal(js_GetStreamInfo(&info, js, "PUSH", NULL, NULL), NATS_OK);
	stored = info->State.Msgs;
	assert_int_equal(info->Config->MaxMsgsPerSubject, -1);
	assert_int_equal(info->Config->Retention, js_LimitsPolicy);
	jsStreamInfo_Destroy(info);
}

static void check_first(jsCtx *js) {
	natsMsg *msg = NULL;
	const char *line = NULL, *id = NULL;
	char want[64];
	struct gs_buf scratch;
	struct gs_wire_push got;
	gs_buf_init(&scratch, GS_LIMIT_HEADER);
	assert_int_equal(js_GetMsg(&msg, js, "PUSH", 1, NULL, NULL), NATS_OK);
	assert_string_equal(natsMsg_GetSubject(msg), "t.push.0");
	assert_int_equal(natsMsgHeader_Get(msg, "Gravel", &line), NATS_OK);
	assert_int_equal(natsMsgHeader_Get(msg, "Nats-Msg-Id", &id), NATS_OK);
	assert_int_equal(gs_wire_push_parse(gs_str_of(line), &scratch, &got, NULL), GS_OK);
	assert_int_equal(got.op, GS_WIRE_PUSH);
	assert_true(gs_str_eq(got.publisher, GS_STR("dc1")));
	assert_int_equal(got.labels_size, 8);
	assert_int_equal(got.body_size, 8 + 4);
	assert_int_equal(got.parts, 1);
	assert_true(got.time_ms <= gs_clock_wall_ms() && got.time_ms > gs_clock_wall_ms() - 60000);
	snprintf(want, sizeof(want), "%.*s.0", GS_FMT(got.id));
	assert_string_equal(id, want);
	natsMsg_Destroy(msg);
	gs_buf_free(&scratch);
}

static void test_stored_when_answered(void **state) {
	(void)state;
	struct outcome outcome;
	server_start(&server);
	struct peer *p = open_forward(NULL);
	wait_ready(p);
	assert_int_equal(push(GS_WIRE_PUSH, "x 1\n", &outcome), GS_OK);
	admin(count_stored);
	assert_int_equal(stored, 1);
	admin(check_first);
	assert_int_equal(push(GS_WIRE_PUSH_DELETE, "", &outcome), GS_OK);
	assert_int_equal(push(GS_WIRE_PUSH, "", &outcome), GS_OK);
	admin(count_stored);
	assert_int_equal(stored, 3);
	close_forward(p);
}

static void test_refused(void **state) {
	(void)state;
	struct outcome outcome;
	server_start(&server);
	struct peer *p = open_forward(NULL);
	wait_ready(p);
	assert_int_equal(push(GS_WIRE_PUSH, "x 1\ny{\n", &outcome), GS_EINVAL);
	assert_int_equal(outcome.err.line, 2);
	assert_int_equal(push(GS_WIRE_PUSH_GATEWAY_PUT, "y{\n", &outcome), GS_EINVAL);
	admin(count_stored);
	assert_int_equal(stored, 0);
	/* Its group is told. */
	assert_int_equal(begin(GS_WIRE_PUSH_GATEWAY_PUT, "y 1 5\n", &outcome), GS_OK);
	for (int i = 0; i < 10000 && atomic_load(&outcome.done) == 0; i++)
		sleep_ms(1);
	assert_int_equal(outcome.status, GS_EINVAL);
	assert_int_equal(outcome.err.line, 1);
	admin(count_stored);
	assert_int_equal(stored, 1);
	close_forward(p);
	struct gs_forward_options o = forward_options(p);
	o.push_samples = 1;
	p = open_forward(&o);
	wait_ready(p);
	assert_int_equal(push(GS_WIRE_PUSH, "x 1\ny 1\n", &outcome), GS_ELIMIT);
	assert_non_null(strstr(outcome.err.text, "(receiver.limits.push_samples)"));
	close_forward(p);
}

static void test_without_a_server(void **state) {
	(void)state;
	struct outcome outcome;
	struct peer *p = open_forward(NULL);
	assert_int_equal(push(GS_WIRE_PUSH, "x 1\n", &outcome), GS_EIO);
	assert_non_null(strstr(outcome.err.text, "not connected"));
	assert_int_equal(push(GS_WIRE_PUSH, "x{\n", &outcome), GS_EINVAL);
	assert_true(gs_metric_get(GS_M_FORWARD_REFUSED, "disconnected", NULL) == 1);
	server_start(&server);
	wait_ready(p);
	assert_int_equal(push(GS_WIRE_PUSH, "x 1\n", &outcome), GS_OK);
	close_forward(p);
}

/* The server hears and says nothing: each ends once, as not acknowledged, and beyond so many there is no room. */
static void test_no_acks(void **state) {
	(void)state;
	struct outcome outcomes[4], more;
	server_start(&server);
	struct peer *p = open_forward(NULL);
	wait_ready(p);
	server_freeze(&server);
	for (int i = 0; i < 4; i++)
		assert_int_equal(begin(GS_WIRE_PUSH, "x 1\n", &outcomes[i]), GS_OK);
	assert_int_equal(begin(GS_WIRE_PUSH, "x 1\n", &more), GS_EIO);
	assert_non_null(strstr(more.err.text, "receiver.limits.pushes_in_flight"));
	assert_true(gs_metric_get(GS_M_FORWARDING, NULL, NULL) == 4);
	for (int i = 0; i < 4; i++) {
		for (int n = 0; n < 40000 && atomic_load(&outcomes[i].done) == 0; n++)
			sleep_ms(1);
		assert_int_equal(outcomes[i].status, GS_EIO);
		assert_non_null(strstr(outcomes[i].err.text, "may count"));
	}
	kill(server.pid, SIGCONT);
	wait_ready(p);
	assert_int_equal(push(GS_WIRE_PUSH, "x 1\n", &more), GS_OK);
	for (int i = 0; i < 4; i++)
		assert_int_equal(atomic_load(&outcomes[i].done), 1);
	assert_true(gs_metric_get(GS_M_FORWARDING, NULL, NULL) == 0);
	close_forward(p);
}

static void test_parts(void **state) {
	(void)state;
	struct outcome outcome;
	struct gs_buf body;
	uint64_t seed = 1;
	gs_buf_init(&body, 8 << 20);
	for (int i = 0; i < 60000; i++) {
		seed = seed * 6364136223846793005U + 1442695040888963407U;
		gs_buf_printf(&body, "x{i=\"%d\",r=\"%016llx\"} %llu\n", i, (unsigned long long)(seed ^ seed >> 29),
		    (unsigned long long)(seed >> 12));
	}
	gs_buf_char(&body, '\0');
	server_start(&server);
	struct peer *p = open_forward(NULL);
	wait_ready(p);
	assert_int_equal(push(GS_WIRE_PUSH, body.p, &outcome), GS_OK);
	admin(count_stored);
	assert_int_equal(stored, (body.n - 1 + 8 + 1048576 - 17408 - 1) / (1048576 - 17408));
	close_forward(p);
	gs_buf_free(&body);
}

static char token[128], id[GS_WIRE_PUSH_ID_MAX + 1];

/* Of the last push that was stored. */
static void read_last(jsCtx *js) {
	natsMsg *msg = NULL;
	const char *line = NULL;
	struct gs_buf scratch;
	struct gs_wire_push got;
	gs_buf_init(&scratch, GS_LIMIT_HEADER);
	assert_int_equal(js_GetLastMsg(&msg, js, "PUSH", "t.push.0", NULL, NULL), NATS_OK);
	assert_int_equal(natsMsgHeader_Get(msg, "Gravel", &line), NATS_OK);
	assert_int_equal(gs_wire_push_parse(gs_str_of(line), &scratch, &got, NULL), GS_OK);
	snprintf(token, sizeof(token), "%.*s", GS_FMT(got.token));
	snprintf(id, sizeof(id), "%.*s", GS_FMT(got.id));
	natsMsg_Destroy(msg);
	gs_buf_free(&scratch);
}

static void applied(const char *which, enum gs_status status, const char *text) {
	struct gs_error err = {0};
	snprintf(err.text, sizeof(err.text), "%s", text);
	gs_forward_applied(forward, gs_str_of(which), status, &err);
}

/* Until the stream has it, whether that is told or not. */
static void wait_stored(uint64_t n) {
	for (int i = 0; i < 10000; i++) {
		admin(count_stored);
		if (stored == n)
			return;
		sleep_ms(1);
	}
	fail();
}

static void wait_done(struct outcome *outcome) {
	for (int i = 0; i < 40000 && atomic_load(&outcome->done) == 0; i++)
		sleep_ms(1);
	assert_int_equal(atomic_load(&outcome->done), 1);
}

static struct peer *open_awaiting(void) {
	struct gs_forward_options o;
	server_start(&server);
	o = forward_options(&peers[0]);
	o.awaits = true;
	struct peer *p = open_forward(&o);
	wait_ready(p);
	return p;
}

/* A receiver's push is done when it has come back. */
static void test_awaits(void **state) {
	(void)state;
	struct outcome outcome, other;
	struct peer *p = open_awaiting();
	assert_int_equal(begin(GS_WIRE_PUSH, "x 1\n", &outcome), GS_OK);
	wait_stored(1);
	admin(read_last);
	assert_string_equal(id, token);
	char first[sizeof(token)], stranger[sizeof(token)];
	snprintf(first, sizeof(first), "%s", token);
	snprintf(stranger, sizeof(stranger), "%s", token);
	stranger[0] = stranger[0] == '0' ? '1' : '0';
	applied(stranger, GS_OK, "");
	static const char *const wrong[] = {"", "-", "x"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		applied(wrong[i], GS_OK, "");
	snprintf(stranger, sizeof(stranger), "%.17s4", token); /* no such slot */
	applied(stranger, GS_OK, "");
	snprintf(stranger, sizeof(stranger), "%.17s4294967296", token); /* another push of its slot */
	applied(stranger, GS_OK, "");
	gs_forward_sweep(forward, 60000);
	sleep_ms(20);
	assert_int_equal(atomic_load(&outcome.done), 0);
	applied(token, GS_ECONFLICT, "what the store said");
	wait_done(&outcome);
	assert_int_equal(outcome.status, GS_ECONFLICT);
	assert_string_equal(outcome.err.text, "what the store said");
	/* The next one has its slot, and is another push. */
	assert_int_equal(begin(GS_WIRE_PUSH, "x 1\n", &outcome), GS_OK);
	wait_stored(2);
	admin(read_last);
	assert_string_not_equal(token, first);
	applied(first, GS_OK, "");
	sleep_ms(20);
	assert_int_equal(atomic_load(&outcome.done), 0);
	/* They are given up, and what comes back too late finds nothing. */
	assert_int_equal(begin(GS_WIRE_PUSH, "x 1\n", &other), GS_OK);
	wait_stored(3);
	for (int i = 0; i < 10000 && atomic_load(&outcome.done) + atomic_load(&other.done) < 2; i++) {
		gs_forward_sweep(forward, 0);
		sleep_ms(1);
	}
	assert_int_equal(outcome.status, GS_EIO);
	assert_int_equal(other.status, GS_EIO);
	assert_non_null(strstr(other.err.text, "is in the log"));
	applied(token, GS_OK, "");
	assert_int_equal(atomic_load(&outcome.done), 1);
	assert_true(gs_metric_get(GS_M_FORWARDING, NULL, NULL) == 0);
	assert_true(gs_metric_get(GS_M_FORWARDED, "applied", NULL) == 1);
	close_forward(p);
}

/* What came back counts, whatever became of its ack; what has no ack and does not come back is not waited for. */
static void test_awaits_without_acks(void **state) {
	(void)state;
	struct outcome outcome, lost;
	struct peer *p = open_awaiting();
	assert_int_equal(begin(GS_WIRE_PUSH, "x 1\n", &outcome), GS_OK);
	wait_stored(1);
	admin(read_last);
	applied(token, GS_OK, "");
	wait_done(&outcome);
	assert_int_equal(outcome.status, GS_OK);
	snprintf(token + 17, sizeof(token) - 17, "4294967296"); /* the same slot, once more */
	server_freeze(&server);
	assert_int_equal(begin(GS_WIRE_PUSH, "x 1\n", &outcome), GS_OK);
	assert_int_equal(begin(GS_WIRE_PUSH, "x 1\n", &lost), GS_OK);
	applied(token, GS_OK, "");
	assert_int_equal(atomic_load(&outcome.done), 0); /* its slot is not free before its ack is settled */
	wait_done(&outcome);
	wait_done(&lost);
	assert_int_equal(outcome.status, GS_OK);
	assert_int_equal(lost.status, GS_EIO);
	kill(server.pid, SIGCONT);
	close_forward(p);
}

static void test_out_of_memory(void **state) {
	(void)state;
	server_start(&server);
	struct peer *p = open_peer(0);
	bool failed = true;
	for (int n = 0; failed; n++) {
		struct gs_forward_options o = forward_options(p);
		struct gs_error err;
		gs_mem_fail_after(n);
		enum gs_status status = gs_forward_new(&o, &forward, &err);
		gs_mem_fail_after(-1);
		failed = status != GS_OK;
		assert_true(status == GS_OK || status == GS_ENOMEM);
		assert_true(n < 50);
	}
	wait_ready(p);
	failed = true;
	for (int n = 0; failed; n++) {
		struct outcome outcome;
		gs_mem_fail_after(n);
		enum gs_status status = push(GS_WIRE_PUSH, "x 1\n", &outcome);
		failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		assert_true(failed || status == GS_OK);
		assert_true(n < 100);
	}
	struct outcome outcome;
	assert_int_equal(push(GS_WIRE_PUSH, "x 1\n", &outcome), GS_OK);
	close_forward(p);
}

int main(int argc, char **argv) {
	const struct CMUnitTest tests[] = {
	    BUS_TEST(test_stored_when_answered),
	    BUS_TEST(test_refused),
	    BUS_TEST(test_without_a_server),
	    BUS_TEST(test_no_acks),
	    BUS_TEST(test_parts),
	    BUS_TEST(test_awaits),
	    BUS_TEST(test_awaits_without_acks),
	    BUS_TEST(test_out_of_memory),
	};
	return RUN_BUS_TESTS(tests, argc, argv);
}
