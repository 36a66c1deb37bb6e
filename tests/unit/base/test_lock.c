/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "gravel/base/clock.h"
#include "gravel/base/lock.h"

/* What two threads share in these tests. */
struct shared {
	struct gs_lock lock;
	struct gs_cond cond;
	int count;
	bool ready;
};

static void setup(struct shared *s) {
	*s = (struct shared){0};
	assert_int_equal(gs_lock_init(&s->lock, GS_RANK_STORE), GS_OK);
	assert_int_equal(gs_cond_init(&s->cond), GS_OK);
}

static void teardown(struct shared *s) {
	gs_cond_destroy(&s->cond);
	gs_lock_destroy(&s->lock);
}

static void *count_up(void *arg) {
	struct shared *s = arg;
	for (int i = 0; i < 50000; i++) {
		gs_lock_take(&s->lock);
		s->count++;
		gs_lock_release(&s->lock);
	}
	return NULL;
}

static void test_excludes(void **state) {
	(void)state;
	struct shared s;
	pthread_t threads[4];
	setup(&s);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, count_up, &s), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(s.count, 200000);
	teardown(&s);
}

static void *try_once(void *arg) {
	struct shared *s = arg;
	s->count = 1;
	if (gs_lock_try(&s->lock)) {
		s->count = 2;
		gs_lock_release(&s->lock);
	}
	return NULL;
}

static int tried_by_another(struct shared *s) {
	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, try_once, s), 0);
	pthread_join(thread, NULL);
	return s->count;
}

static void test_try_does_not_wait(void **state) {
	(void)state;
	struct shared s;
	setup(&s);
	assert_true(gs_lock_try(&s.lock));
	gs_lock_assert_held(&s.lock);
	assert_int_equal(tried_by_another(&s), 1);
	gs_lock_release(&s.lock);
	assert_int_equal(tried_by_another(&s), 2);
	gs_lock_take(&s.lock);
	assert_int_equal(tried_by_another(&s), 1);
	gs_lock_release(&s.lock);
	teardown(&s);
}

static void *wait_ready(void *arg) {
	struct shared *s = arg;
	gs_lock_take(&s->lock);
	while (!s->ready)
		(void)gs_cond_wait(&s->cond, &s->lock, -1);
	gs_lock_assert_held(&s->lock);
	s->count++;
	gs_lock_release(&s->lock);
	return NULL;
}

static void test_broadcast_wakes_all(void **state) {
	(void)state;
	struct shared s;
	pthread_t threads[3];
	setup(&s);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, wait_ready, &s), 0);
	gs_lock_take(&s.lock);
	s.ready = true;
	gs_cond_broadcast(&s.cond);
	gs_lock_release(&s.lock);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(s.count, 3);
	teardown(&s);
}

static void test_wait_ends_in_time(void **state) {
	(void)state;
	struct shared s;
	setup(&s);
	gs_lock_take(&s.lock);
	int64_t start = gs_clock_mono_ms();
	enum gs_status status;
	do
		status = gs_cond_wait(&s.cond, &s.lock, 30);
	while (status == GS_OK); /* it may wake for nothing */
	assert_int_equal(status, GS_EAGAIN);
	assert_true(gs_clock_mono_ms() - start >= 29);
	gs_lock_assert_held(&s.lock);
	gs_lock_release(&s.lock);
	teardown(&s);
}

static void *wait_long(void *arg) {
	struct shared *s = arg;
	gs_lock_take(&s->lock);
	s->count = 1;
	while (!s->ready && s->count == 1) {
		if (gs_cond_wait(&s->cond, &s->lock, INT64_MAX) != GS_OK)
			s->count = 2; /* cmocka's asserts are for the main thread */
	}
	gs_lock_release(&s->lock);
	return NULL;
}

/* A time too large for nanoseconds is long, not over already. */
static void test_wait_for_the_longest_time(void **state) {
	(void)state;
	struct shared s;
	pthread_t thread;
	setup(&s);
	assert_int_equal(pthread_create(&thread, NULL, wait_long, &s), 0);
	gs_lock_take(&s.lock);
	while (s.count == 0)
		(void)gs_cond_wait(&s.cond, &s.lock, 1);
	s.ready = true;
	gs_cond_broadcast(&s.cond);
	gs_lock_release(&s.lock);
	pthread_join(thread, NULL);
	assert_int_equal(s.count, 1);
	teardown(&s);
}

/* Run act in a child and return whether an assert ended it. */
static bool aborts(void (*act)(void)) {
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct rlimit none = {0};
		setrlimit(RLIMIT_CORE, &none);
		signal(SIGABRT, SIG_DFL);
		if (freopen("/dev/null", "w", stderr) == NULL)
			_exit(1);
		act();
		_exit(0);
	}
	int status = 0;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static struct gs_lock low, high;

static void make_two(void) {
	if (gs_lock_init(&low, GS_RANK_INGEST) != GS_OK || gs_lock_init(&high, GS_RANK_TELEMETRY) != GS_OK)
		_exit(2);
}

static void rising_ranks(void) {
	make_two();
	gs_lock_take(&low);
	gs_lock_take(&high);
	gs_lock_release(&high);
	gs_lock_take(&high);
	gs_lock_release(&high);
	gs_lock_release(&low);
	gs_lock_take(&high);
	gs_lock_release(&high);
}

static void falling_ranks(void) {
	make_two();
	gs_lock_take(&high);
	gs_lock_take(&low);
}

static void tried_falling(void) {
	make_two();
	gs_lock_take(&high);
	if (gs_lock_try(&low))
		_exit(0);
}

static void taken_twice(void) {
	make_two();
	gs_lock_take(&low);
	gs_lock_take(&low);
}

static void released_unheld(void) {
	make_two();
	gs_lock_release(&low);
}

static void released_in_order(void) {
	make_two();
	gs_lock_take(&low);
	gs_lock_take(&high);
	gs_lock_release(&low);
}

static void passed_on(void) {
	make_two();
	for (int i = 0; i < 2; i++) {
		gs_lock_take(&low);
		gs_lock_pass(&low, &high);
		gs_lock_assert_held(&high);
		gs_lock_release(&high);
	}
	gs_lock_take(&low); /* the rank is what it was before */
	gs_lock_release(&low);
}

static void passed_unheld(void) {
	make_two();
	gs_lock_pass(&low, &high);
}

static void released_after_passing(void) {
	make_two();
	gs_lock_take(&low);
	gs_lock_pass(&low, &high);
	gs_lock_release(&low);
}

static void destroyed_held(void) {
	make_two();
	gs_lock_take(&low);
	gs_lock_destroy(&low);
}

/* Whoever has the other one keeps it, and the first is free again in any case. */
static void test_pass_try(void **state) {
	(void)state;
	make_two();
	gs_lock_take(&low);
	assert_true(gs_lock_pass_try(&low, &high));
	gs_lock_assert_held(&high);
	assert_true(pthread_mutex_trylock(&low.mutex) == 0);
	assert_true(pthread_mutex_unlock(&low.mutex) == 0);
	gs_lock_release(&high);
	gs_lock_take(&low);
	assert_true(pthread_mutex_lock(&high.mutex) == 0); /* as another thread would */
	assert_false(gs_lock_pass_try(&low, &high));
	assert_true(pthread_mutex_unlock(&high.mutex) == 0);
	gs_lock_take(&low);
	gs_lock_release(&low);
}

static void test_misuse_is_asserted(void **state) {
	(void)state;
	assert_false(aborts(rising_ranks));
	assert_true(aborts(falling_ranks));
	assert_true(aborts(tried_falling));
	assert_true(aborts(taken_twice));
	assert_true(aborts(released_unheld));
	assert_true(aborts(released_in_order));
	assert_true(aborts(destroyed_held));
	assert_false(aborts(passed_on));
	assert_true(aborts(passed_unheld));
	assert_true(aborts(released_after_passing));
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_excludes),
	    cmocka_unit_test(test_try_does_not_wait),
	    cmocka_unit_test(test_pass_try),
	    cmocka_unit_test(test_broadcast_wakes_all),
	    cmocka_unit_test(test_wait_ends_in_time),
	    cmocka_unit_test(test_wait_for_the_longest_time),
	    cmocka_unit_test(test_misuse_is_asserted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
