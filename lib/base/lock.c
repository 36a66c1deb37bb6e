/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/base/lock.h"

#include <assert.h>
#include <errno.h>
#include <time.h>

#include "gravel/base/clock.h"

#define TIMEOUT_MAX_MS (INT64_C(1000) * 86400 * 365) /* far from an overflow in nanoseconds */

/* The highest rank this thread holds. */
static _Thread_local int rank_held;

enum gs_status gs_lock_init(struct gs_lock *lock, enum gs_lock_rank rank) {
	*lock = (struct gs_lock){.rank = (int)rank};
	return pthread_mutex_init(&lock->mutex, NULL) == 0 ? GS_OK : GS_ENOMEM;
}

void gs_lock_destroy(struct gs_lock *lock) {
	assert(!lock->held);
	pthread_mutex_destroy(&lock->mutex);
}

static void owned(struct gs_lock *lock) {
	lock->owner = pthread_self();
	lock->held = 1;
	lock->rank_below = rank_held;
	rank_held = lock->rank;
}

static void disowned(struct gs_lock *lock) {
	gs_lock_assert_held(lock);
	assert(rank_held == lock->rank); /* released in the reverse order */
	rank_held = lock->rank_below;
	lock->held = 0;
}

void gs_lock_take(struct gs_lock *lock) {
	assert(rank_held < lock->rank);
	int rc = pthread_mutex_lock(&lock->mutex);
	assert(rc == 0);
	owned(lock);
}

bool gs_lock_try(struct gs_lock *lock) {
	assert(rank_held < lock->rank);
	int rc = pthread_mutex_trylock(&lock->mutex);
	assert(rc == 0 || rc == EBUSY);
	if (rc == 0)
		owned(lock);
	return rc == 0;
}

void gs_lock_release(struct gs_lock *lock) {
	disowned(lock);
	int rc = pthread_mutex_unlock(&lock->mutex);
	assert(rc == 0);
}

/* Release ${from} before ${to}, which was taken after it. */
static void leave(struct gs_lock *from, struct gs_lock *to) {
	to->rank_below = from->rank_below;
	from->held = 0;
	int rc = pthread_mutex_unlock(&from->mutex);
	assert(rc == 0);
}

void gs_lock_pass(struct gs_lock *from, struct gs_lock *to) {
	gs_lock_assert_held(from);
	gs_lock_take(to);
	leave(from, to);
}

bool gs_lock_pass_try(struct gs_lock *from, struct gs_lock *to) {
	gs_lock_assert_held(from);
	bool taken = gs_lock_try(to);
	if (taken)
		leave(from, to);
	else
		gs_lock_release(from);
	return taken;
}

void gs_lock_assert_held(const struct gs_lock *lock) {
	assert(lock->held && pthread_equal(lock->owner, pthread_self()));
}

enum gs_status gs_cond_init(struct gs_cond *cond) {
	pthread_condattr_t attr;
	if (pthread_condattr_init(&attr) != 0)
		return GS_ENOMEM;
	int rc = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	if (rc == 0)
		rc = pthread_cond_init(&cond->cond, &attr);
	pthread_condattr_destroy(&attr);
	return rc == 0 ? GS_OK : GS_ENOMEM;
}

void gs_cond_destroy(struct gs_cond *cond) {
	pthread_cond_destroy(&cond->cond);
}

void gs_cond_signal(struct gs_cond *cond) {
	pthread_cond_signal(&cond->cond);
}

void gs_cond_broadcast(struct gs_cond *cond) {
	pthread_cond_broadcast(&cond->cond);
}

enum gs_status gs_cond_wait(struct gs_cond *cond, struct gs_lock *lock, int64_t timeout_ms) {
	disowned(lock);
	assert(rank_held == 0 || timeout_ms >= 0);
	int rc;
	if (timeout_ms < 0) {
		rc = pthread_cond_wait(&cond->cond, &lock->mutex);
	} else {
		if (timeout_ms > TIMEOUT_MAX_MS)
			timeout_ms = TIMEOUT_MAX_MS;
		int64_t at = gs_clock_mono_ns() + timeout_ms * 1000000;
		struct timespec ts = {.tv_sec = at / 1000000000, .tv_nsec = at % 1000000000};
		rc = pthread_cond_timedwait(&cond->cond, &lock->mutex, &ts);
	}
	owned(lock);
	assert(rc == 0 || rc == ETIMEDOUT);
	return rc == 0 ? GS_OK : GS_EAGAIN;
}
