/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/base/hash.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/random.h>

/* Names and labels are short: the call would cost as much as the hash. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "gravel/base/clock.h"

static uint64_t process_seed;
static pthread_once_t process_seed_once = PTHREAD_ONCE_INIT;
static _Atomic bool seeded;

static void make_seed(void) {
	if (getrandom(&process_seed, sizeof(process_seed), GRND_NONBLOCK) != (ssize_t)sizeof(process_seed))
		process_seed = (uint64_t)gs_clock_mono_ns() * UINT64_C(0x9e3779b97f4a7c15);
	atomic_store_explicit(&seeded, true, memory_order_release);
}

uint64_t gs_hash(struct gs_str s) {
	if (!atomic_load_explicit(&seeded, memory_order_acquire))
		pthread_once(&process_seed_once, make_seed);
	return XXH3_64bits_withSeed(s.p, s.n, process_seed);
}

uint64_t gs_hash_stable(struct gs_str s, uint64_t seed) {
	return XXH3_64bits_withSeed(s.p, s.n, seed);
}
