/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decimal to double, correctly rounded. The way that is nearly always enough multiplies by 128 bits of a power of ten, after D. Lemire,
 * "Number parsing at a gigabyte per second" (2021): it gives bounds between which the number lies. Where both round to the same double, that is
 * it. Else they are neighbours, and the number is compared exactly, as integers, with the middle between the two.
 */
#include "binary.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "power10.h"

#define DIGITS_MAX 19 /* as many fit in 64 bits */
#define HIDDEN (UINT64_C(1) << 52)
#define BIAS 1075 /* a double of exponent bits e > 0 is a multiple of 2^(e - BIAS) */
#define INFINITE (UINT64_C(2047) << 52)
#define EXPONENT_MAX 308 /* 10^309 is infinite */

/*
 * The comparison's integers: of a text of 512 digits times 5^x; 10^309 at most where x > 0, else the other side is 5^-x * 2^54,
 * and -x below 512 + 343. Both are below 2^2100, and their shift makes them no longer than the longer one and 64 bits.
 */
#define LIMBS 40

struct decimal {
	uint64_t m; /* the first 19 digits that count, or all of them */
	int exponent; /* of m */
	bool more; /* digits that are not all 0 follow those in m */
	const char *digits; /* the text */
	const char *end;
	int last_exponent; /* of the last digit in the text */
};

struct big {
	size_t n; /* limbs in use, the lowest first, the highest not 0 */
	uint64_t limb[LIMBS];
};

static double double_of(uint64_t bits) {
	double v;
	memcpy(&v, &bits, sizeof(v));
	return v;
}

static void big_push(struct big *b, uint64_t limb) {
	if (limb == 0)
		return;
	assert(b->n < LIMBS);
	b->limb[b->n++] = limb;
}

static void big_multiply_add(struct big *b, uint64_t factor, uint64_t term) {
	gs_uint128 carry = term;
	for (size_t i = 0; i < b->n; i++) {
		carry += (gs_uint128)b->limb[i] * factor;
		b->limb[i] = (uint64_t)carry;
		carry >>= 64;
	}
	big_push(b, (uint64_t)carry);
}

static void big_times_5(struct big *b, int power) {
	for (; power >= 27; power -= 27)
		big_multiply_add(b, UINT64_C(7450580596923828125), 0); /* 5^27 */
	for (; power > 0; power--)
		big_multiply_add(b, 5, 0);
}

static void big_shift(struct big *b, int bits) {
	size_t limbs = (size_t)bits / 64;
	big_multiply_add(b, UINT64_C(1) << bits % 64, 0);
	if (b->n == 0 || limbs == 0)
		return;
	assert(b->n + limbs <= LIMBS);
	memmove(b->limb + limbs, b->limb, b->n * sizeof(b->limb[0]));
	memset(b->limb, 0, limbs * sizeof(b->limb[0]));
	b->n += limbs;
}

static int big_compare(const struct big *a, const struct big *b) {
	if (a->n != b->n)
		return a->n < b->n ? -1 : 1;
	for (size_t i = a->n; i-- > 0;) {
		if (a->limb[i] != b->limb[i])
			return a->limb[i] < b->limb[i] ? -1 : 1;
	}
	return 0;
}

/* The digits of d before, at or behind the middle between the double of these bits and the next: < 0, 0, > 0. */
static int compare_with_middle(const struct decimal *d, uint64_t bits) {
	struct big number = {.n = 0}, middle = {.n = 0};
	int exponent = (int)(bits >> 52);
	uint64_t m = exponent == 0 ? bits : (bits & (HIDDEN - 1)) | HIDDEN;
	for (const char *p = d->digits; p < d->end; p++) {
		if (*p != '.')
			big_multiply_add(&number, 10, (uint64_t)(*p - '0'));
	}
	big_push(&middle, 2 * m + 1);
	if (d->last_exponent >= 0)
		big_times_5(&number, d->last_exponent);
	else
		big_times_5(&middle, -d->last_exponent);
	int shift = (exponent == 0 ? 1 : exponent) - BIAS - 1 - d->last_exponent;
	if (shift >= 0)
		big_shift(&middle, shift);
	else
		big_shift(&number, -shift);
	return big_compare(&number, &middle);
}

/* The bits of (m + r) * 2^exponent; m has one of its two highest bits. */
static inline uint64_t round_bits(uint64_t m, bool more, int exponent) {
	int drop = 10 + (int)(m >> 63);
	int biased = exponent + drop + BIAS;
	if (biased >= 2047)
		return INFINITE;
	if (biased < 1) {
		drop += 1 - biased; /* subnormal: fewer bits */
		biased = 1;
		if (drop > 64)
			return 0;
	}
	uint64_t half = UINT64_C(1) << (drop - 1);
	uint64_t c = drop == 64 ? 0 : m >> drop;
	uint64_t rest = m & (half | (half - 1));
	c += rest > half || (rest == half && (more || c % 2 != 0));
	/* Without its hidden bit, but that of a c that became 2^53, or 2^52 from below, counts the exponent up. */
	return ((uint64_t)(biased - 1) << 52) + c;
}

double gs_binary_round(uint64_t m, bool more, int exponent) {
	if (m == 0)
		return 0;
	int shift = __builtin_clzll(m);
	assert(!more || shift < 9); /* what was cut off stays below the bits that decide */
	return double_of(round_bits(m << shift, more, exponent - shift));
}

/* m * 10^exponent lies between low and high, both as bits of rounded doubles. */
struct bounds {
	uint64_t low;
	uint64_t high;
};

/*
 * Whether only the upper half of the power makes enough of the product: what is missing adds 1 to top at most. With bits below the rounding one
 * that are not all 0 or all 1 it does not matter; of subnormals more bits are dropped, so these are among those below as well.
 */
static inline bool is_decided(uint64_t top) {
	return ((top + 1) & 0x1ff) > 1;
}

static struct bounds scale(uint64_t m, int exponent) {
	if (exponent < GS_POWER10_MIN)
		return (struct bounds){0, 0};
	if (exponent > EXPONENT_MAX)
		return (struct bounds){INFINITE, INFINITE};
	int shift = __builtin_clzll(m);
	int exponent2 = gs_power10_log2(exponent) + 1 - shift;
	gs_uint128 power = gs_power10(exponent);
	m <<= shift;
	gs_uint128 product = (power >> 64) * m;
	uint64_t top = (uint64_t)(product >> 64);
	if (is_decided(top)) {
		uint64_t bits = round_bits(top, true, exponent2);
		return (struct bounds){bits, bits};
	}
	gs_uint128 rest = (gs_uint128)(uint64_t)power * m;
	product += rest >> 64;
	top = (uint64_t)(product >> 64);
	bool exact = gs_power10_exact(exponent);
	bool more = !exact || (uint64_t)product != 0 || (uint64_t)rest != 0;
	struct bounds b = {.low = round_bits(top, more, exponent2)};
	if (exact) {
		b.high = b.low;
		return b;
	}
	product += (uint64_t)rest + m < m; /* the cut off part of the power is below 1 */
	b.high = round_bits((uint64_t)(product >> 64), true, exponent2);
	return b;
}

/* m may have overflowed: without the zeros in front, take the first 19 digits. */
static void take_first_digits(struct decimal *d) {
	const char *p = d->digits;
	while (p < d->end && (*p == '0' || *p == '.'))
		p++;
	bool point = memchr(p, '.', (size_t)(d->end - p)) != NULL;
	int over = (int)(d->end - p) - point - DIGITS_MAX;
	if (over <= 0)
		return;
	d->m = 0;
	d->exponent += over;
	for (int taken = 0; taken < DIGITS_MAX; p++) {
		if (*p == '.')
			continue;
		d->m = d->m * 10 + (uint64_t)(*p - '0');
		taken++;
	}
	for (; p < d->end; p++)
		d->more = d->more || (*p != '0' && *p != '.');
}

static __attribute__((noinline)) double round_hard(uint64_t m, int exponent, const char *digits, const char *end) {
	struct decimal d = {.m = m, .exponent = exponent, .digits = digits, .end = end, .last_exponent = exponent};
	if (end - digits > DIGITS_MAX)
		take_first_digits(&d);
	if (d.m == 0)
		return 0;
	struct bounds b = scale(d.m, d.exponent);
	if (d.more)
		b.high = scale(d.m + 1, d.exponent).high;
	if (b.low == b.high)
		return double_of(b.low);
	assert(b.high == b.low + 1);
	int order = compare_with_middle(&d, b.low);
	return double_of(b.low + (order > 0 || (order == 0 && b.low % 2 != 0)));
}

/* The first steps of scale() and round_bits(), for what is neither subnormal nor near infinity nor undecided. */
double gs_binary_of_decimal(uint64_t m, int exponent, const char *digits, const char *end) {
	if (end - digits > DIGITS_MAX || m == 0 || exponent < -280 || exponent > 280 || !gs_power10_is_ready())
		return round_hard(m, exponent, digits, end);
	int shift = __builtin_clzll(m);
	gs_uint128 power = gs_power10_table[exponent - GS_POWER10_MIN];
	uint64_t top = (uint64_t)((power >> 64) * (m << shift) >> 64);
	if (!is_decided(top))
		return round_hard(m, exponent, digits, end);
	int drop = 10 + (int)(top >> 63);
	int biased = gs_power10_log2(exponent) + 1 - shift + drop + BIAS;
	/* Half of the lowest bit that stays is no tie, as it was decided; so adding it rounds. */
	uint64_t c = ((top >> (drop - 1)) + 1) >> 1;
	return double_of(((uint64_t)(biased - 1) << 52) + c);
}
