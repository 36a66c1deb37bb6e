/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shortest decimal of a double after R. Giulietti, "The Schubfach way to render doubles" (2020). With 128 bits of a power of ten, the
 * double and the interval that rounds to it are scaled so that the interval is between 1 and 10 long: then at
 * most one multiple of ten is in it, and else the answer is one of the two integers around the double.
 *
 * There are two ways to it. The quick one scales only the double and takes the length of its interval from the power itself; both are a little
 * wrong, by a bound that is known, and what is nearer to a border than that goes the exact way, which scales the ends of the interval as well.
 */
#include "decimal.h"

#include <stdbool.h>
#include <string.h>

#include "power10.h"

#define HIDDEN (UINT64_C(1) << 52)
#define BIAS 1075 /* a double of exponent bits e > 0 is a multiple of 2^(e - BIAS) */
#define DIGITS_17 UINT64_C(10000000000000000) /* the smallest number of 17 digits */

/* floor(log10(2^e)) and floor(log10(3/4 * 2^e)), exact for all exponents of doubles. */
static int log10_pow2(int e) {
	return (e * 1262611) >> 22;
}

static int log10_pow2_three_quarters(int e) {
	return (e * 1262611 - 524031) >> 22;
}

/* power * m / 2^128; the lowest bit also says that something was cut off. */
static uint64_t scale_to_odd(gs_uint128 power, uint64_t m) {
	gs_uint128 low = (gs_uint128)(uint64_t)power * m;
	gs_uint128 high = (power >> 64) * m + (low >> 64);
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
	int shift = q + gs_power10_log2(-k) + 1;
	gs_uint128 power = gs_power10(-k) + !gs_power10_exact(-k); /* rounded up */
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

static __attribute__((noinline)) struct gs_decimal shortest_exactly(uint64_t bits) {
	uint64_t fraction = bits & (HIDDEN - 1);
	int exponent = (int)(bits >> 52);
	bool subnormal = exponent == 0;
	bool near = fraction == 0 && exponent > 1;
	struct gs_decimal d = pick(scale(subnormal ? fraction : fraction | HIDDEN, exponent + subnormal - BIAS, near));
	while (d.digits < DIGITS_17) {
		d.digits *= 10;
		d.exponent--;
	}
	return d;
}

/* Whether a and b are nearer to each other than what both may be wrong by together. */
static inline bool is_close(uint64_t a, uint64_t b) {
	return a - b + 1 <= 2;
}

/*
 * The quick way is for doubles with all 53 bits and an interval as long below as above. What it compares, in units of 2^-60, was only cut
 * off: the scaled double is less than 1 + 1/8 too small, half the length of its interval also.
 */
struct gs_decimal gs_decimal_shortest(double v) {
	uint64_t bits;
	memcpy(&bits, &v, sizeof(bits));
	uint64_t fraction = bits & (HIDDEN - 1);
	int exponent = (int)(bits >> 52);
	if (exponent == 0 || fraction == 0 || !gs_power10_is_ready())
		return shortest_exactly(bits);
	int q = exponent - BIAS;
	int k = log10_pow2(q);
	int shift = q + gs_power10_log2(-k) + 1; /* 1 to 4 */
	gs_uint128 power = gs_power10_table[-k - GS_POWER10_MIN];
	uint64_t c = (fraction | HIDDEN) << shift;
	gs_uint128 at = (power >> 64) * c + ((gs_uint128)(uint64_t)power * c >> 64);
	uint64_t whole = (uint64_t)(at >> 64), part = (uint64_t)at;
	uint64_t tens = whole / 10 * 10;
	uint64_t over_ten = (whole - tens) << 60 | part >> 4;
	uint64_t to_next_ten = (UINT64_C(10) << 60) - over_ten;
	uint64_t half = (uint64_t)(power >> 64) >> (5 - shift);
	if (is_close(over_ten, half) || is_close(to_next_ten, half) || is_close(part, UINT64_C(1) << 63))
		return shortest_exactly(bits);
	uint64_t digits = whole + (part >> 63);
	digits = over_ten < half ? tens : digits;
	digits = to_next_ten < half ? tens + 10 : digits;
	/* 16 or 17 digits, as 2^52 is the smallest c. Which cannot be predicted: no branch. */
	unsigned small = digits < DIGITS_17;
	return (struct gs_decimal){.digits = digits * (1 + 9 * small), .exponent = k - (int)small};
}
