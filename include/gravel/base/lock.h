/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_BASE_LOCK_H
#define GRAVEL_BASE_LOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "gravel/base/status.h"

/*
 * The only lock of the project. Locks have ranks (docs/THREADS.md is their list): a thread takes them in rising rank only, and
 * that is asserted, as is that who unlocks is the owner. No callback, I/O or log line under a lock.
 */
struct gs_lock {
	pthread_mutex_t mutex;
	pthread_t owner;
	int rank;
	int held; /* read by its owner only, except through atomics in lock.c */
	int rank_below; /* the rank the owner held before this one */
};

/* Ranks, lowest is taken first. */
enum gs_lock_rank {
	GS_RANK_FORWARD = 20, /* forward: pushes that wait for their acks */
	GS_RANK_OUTBOX = 30, /* bus: unsent messages */
	GS_RANK_INGEST = 40, /* ingest: queue of entries */
	GS_RANK_TURN = 45, /* ingest: who is next at the store */
	GS_RANK_STORE = 50, /* ingest: the store */
	GS_RANK_PIECES = 55, /* ingest: pieces of renderings */
	GS_RANK_BUS = 60, /* bus: state of the connection */
	GS_RANK_WEB = 70, /* web: suspended requests */
	GS_RANK_TELEMETRY = 80, /* telemetry: labelled series */
};

/** gs_lock_init(lock, rank): GS_ENOMEM where the system refuses. */
GS_MUST_USE enum gs_status gs_lock_init(struct gs_lock *lock, enum gs_lock_rank rank);
void gs_lock_destroy(struct gs_lock *lock);
void gs_lock_take(struct gs_lock *lock);
void gs_lock_release(struct gs_lock *lock);

/** gs_lock_try(lock): Take ${lock} if nobody has it; false otherwise. */
GS_MUST_USE bool gs_lock_try(struct gs_lock *lock);

/** gs_lock_pass(from, to): Take ${to} and then release ${from}, held until now: two locks so used serve in the order of asking. */
void gs_lock_pass(struct gs_lock *from, struct gs_lock *to);

/** gs_lock_pass_try(from, to): Release ${from}, held until now, and take ${to} if nobody has it; false otherwise. */
GS_MUST_USE bool gs_lock_pass_try(struct gs_lock *from, struct gs_lock *to);

/** gs_lock_assert_held(lock): Assert that the calling thread holds ${lock}. */
void gs_lock_assert_held(const struct gs_lock *lock);

/* A condition on a gs_lock; waits use the monotonic clock. */
struct gs_cond {
	pthread_cond_t cond;
};

GS_MUST_USE enum gs_status gs_cond_init(struct gs_cond *cond);
void gs_cond_destroy(struct gs_cond *cond);
void gs_cond_signal(struct gs_cond *cond);
void gs_cond_broadcast(struct gs_cond *cond);

/** gs_cond_wait(cond, lock, timeout_ms):
 * Release ${lock}, wait for a signal or ${timeout_ms} (< 0: for ever), take it again. May wake for nothing. Holds no other
 * lock. Returns GS_OK, or GS_EAGAIN after the time. */
enum gs_status gs_cond_wait(struct gs_cond *cond, struct gs_lock *lock, int64_t timeout_ms);

#endif
