/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/base/hash.h"

#include <pthread.h>
#include <sys/random.h>
#include <xxhash.h>

#include "gravel/base/clock.h"

static uint64_t process_seed;
static pthread_once_t process_seed_once = PTHREAD_ONCE_INIT;

static void make_seed(void) {
	if (getrandom(&process_seed, sizeof(process_seed), GRND_NONBLOCK) != (ssize_t)sizeof(process_seed))
		process_seed = (uint64_t)gs_clock_mono_ns() * UINT64_C(0x9e3779b97f4a7c15);
}

uint64_t gs_hash(struct gs_str s) {
	pthread_once(&process_seed_once, make_seed);
	return XXH3_64bits_withSeed(s.p, s.n, process_seed);
}

uint64_t gs_hash_stable(struct gs_str s, uint64_t seed) {
	return XXH3_64bits_withSeed(s.p, s.n, seed);
}
