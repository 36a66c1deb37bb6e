/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shortest decimal of a double after R. Giulietti, "The Schubfach way to render doubles" (2020). With 128 bits of a power of ten, the
 * double and the ends of the interval that rounds to it are scaled so that the interval is between 1 and 10 long: then at
 * most one multiple of ten is in it, and else the answer is one of the two integers around the double.
 */
#include "decimal.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

__extension__ typedef unsigned __int128 wide;

#define POWER_MIN (-292)
#define POWER_MAX 324
#define LIMBS 20 /* 10^324 has 17 of them; 2^1279 / 10^292 has 310 bits left */

/* powers[k - POWER_MIN]: 10^k in [2^127, 2^128) times a power of two, rounded up. */
static wide powers[POWER_MAX - POWER_MIN + 1];
static pthread_once_t powers_once = PTHREAD_ONCE_INIT;

/* A large integer, lowest limb first. */
struct big {
	uint64_t limb[LIMBS];
};

static void times_10(struct big *b) {
	wide carry = 0;
	for (size_t i = 0; i < LIMBS; i++) {
		carry += (wide)b->limb[i] * 10;
		b->limb[i] = (uint64_t)carry;
		carry >>= 64;
	}
}

static void over_10(struct big *b) {
	wide rest = 0;
	for (size_t i = LIMBS; i-- > 0;) {
		rest = rest << 64 | b->limb[i];
		b->limb[i] = (uint64_t)(rest / 10);
		rest %= 10;
	}
}

/* The highest 128 bits that are not zero, rounded up where exact is false or a lower bit is set. */
static wide top_bits(const struct big *b, bool exact) {
	size_t top = LIMBS - 1;
	while (b->limb[top] == 0)
		top--;
	uint64_t part[3] = {0}; /* highest first */
	for (size_t i = 0; i < 3 && i <= top; i++)
		part[i] = b->limb[top - i];
	for (size_t i = 3; i <= top; i++)
		exact = exact && b->limb[top - i] == 0;
	int shift = __builtin_clzll(part[0]);
	wide bits = (wide)part[0] << 64 | part[1];
	uint64_t below = part[2];
	if (shift != 0) {
		bits = bits << shift | part[2] >> (64 - shift);
		below = part[2] << shift;
	}
	return bits + (below != 0 || !exact);
}

static void make_powers(void) {
	struct big b = {.limb = {1}};
	for (int k = 0; k <= POWER_MAX; k++) {
		powers[k - POWER_MIN] = top_bits(&b, true);
		times_10(&b);
	}
	memset(&b, 0, sizeof(b));
	b.limb[LIMBS - 1] = UINT64_C(1) << 63;
	for (int k = -1; k >= POWER_MIN; k--) {
		over_10(&b);
		powers[k - POWER_MIN] = top_bits(&b, false); /* no negative power of ten is a binary fraction */
	}
}

/* floor(log10(2^e)), floor(log10(3/4 * 2^e)) and floor(log2(10^e)), exact for all exponents of doubles. */
static int log10_pow2(int e) {
	return (e * 1262611) >> 22;
}

static int log10_pow2_three_quarters(int e) {
	return (e * 1262611 - 524031) >> 22;
}

static int log2_pow10(int e) {
	return (e * 1741647) >> 19;
}

/* power * m / 2^128; the lowest bit also says that something was cut off. */
static uint64_t scale_to_odd(wide power, uint64_t m) {
	wide low = (wide)(uint64_t)power * m;
	wide high = (power >> 64) * m + (low >> 64);
	return (uint64_t)(high >> 64) | ((uint64_t)high > 1);
}

/* The double c * 2^q, scaled by 10^-k: itself and the ends of its interval, in quarters. */
struct interval {
	uint64_t low;
	uint64_t at;
	uint64_t high;
	int k;
};

/* near: the double below is only half as far away as the one above. */
static struct interval scale(uint64_t c, int q, bool near) {
	int k = near ? log10_pow2_three_quarters(q) : log10_pow2(q);
	int shift = q + log2_pow10(-k) + 1;
	wide power = powers[-k - POWER_MIN];
	uint64_t odd = c % 2; /* ties go to even: the ends belong to even c only */
	return (struct interval){
	    .low = scale_to_odd(power, (4 * c - 2 + near) << shift) + odd,
	    .at = scale_to_odd(power, (4 * c) << shift),
	    .high = scale_to_odd(power, (4 * c + 2) << shift) - odd,
	    .k = k,
	};
}

static struct gs_decimal pick(struct interval v) {
	uint64_t s = v.at / 4;
	if (s >= 10) {
		uint64_t tens = s / 10;
		bool below = v.low <= 40 * tens;
		bool above = 40 * tens + 40 <= v.high;
		if (below != above)
			return (struct gs_decimal){.digits = tens + above, .exponent = v.k + 1};
	}
	bool below = v.low <= 4 * s;
	bool above = 4 * s + 4 <= v.high;
	bool up = above;
	if (below == above)
		up = v.at > 4 * s + 2 || (v.at == 4 * s + 2 && s % 2 != 0);
	return (struct gs_decimal){.digits = s + up, .exponent = v.k};
}

struct gs_decimal gs_decimal_shortest(double v) {
	uint64_t bits;
	pthread_once(&powers_once, make_powers);
	memcpy(&bits, &v, sizeof(bits));
	uint64_t fraction = bits & ((UINT64_C(1) << 52) - 1);
	int exponent = (int)(bits >> 52 & 0x7ff);
	uint64_t c = exponent != 0 ? fraction | UINT64_C(1) << 52 : fraction;
	int q = (exponent != 0 ? exponent : 1) - 1075;
	struct gs_decimal d = pick(scale(c, q, fraction == 0 && exponent > 1));
	while (d.digits % 10 == 0 && d.digits != 0) {
		d.digits /= 10;
		d.exponent++;
	}
	return d;
}
