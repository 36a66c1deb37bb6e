/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_TEST_OPERATION_H
#define GRAVEL_TEST_OPERATION_H

#include "model.h"

/*
 * Random operations. What operation ${number} of a seed is depends on these two numbers alone and not on what happened before: so any subset of a
 * sequence can be run again, and a failing one be made shorter.
 */

enum op_kind { OP_PUSH, OP_SCRAPE, OP_OWN, OP_DELETE, OP_EXPIRE, OP_GATEWAY, OP_GONE, OP_KINDS };

struct op {
	enum op_kind kind;
	int64_t now_ms; /* rises with the number */
	struct m_options options; /* of a push, scrape, own */
	struct m_body body;
	struct m_group group; /* of a scrape: key, time and interval */
	struct m_label labels[M_LABELS]; /* of a deletion; the key of a group of the Pushgateway's dialect */
	unsigned nlabels;
	enum m_gateway_op gateway;
	int64_t fail_after; /* allocation that fails in it; -1: none */
	bool render_fails; /* likewise, while it is read afterwards */
};

/* What there is to be tested, each with a name for --without; what the store does not have yet is found out and left out. */
enum feature {
	FEATURE_MIN_MAX,
	FEATURE_PEBBLES, /* other ones than sums */
	FEATURE_TTL,
	FEATURE_GATEWAY,
	FEATURE_MEMORY, /* allocations that fail */
	FEATURE_RENDER_MEMORY,
	FEATURES
};

extern bool op_has[FEATURES];

/** op_features(): Look what the store can do. */
void op_features(void);

/** op_without(name): Leave a feature out; false if there is none of that name. */
bool op_without(const char *name);

/** op_limits(seed): The options of the store of this seed. */
struct m_limits op_limits(uint64_t seed);

/** op_clock(seed, number): The time of an operation less that of the one before. */
int64_t op_clock(uint64_t seed, uint64_t number);

/** op_make(seed, number, now_ms, ret): The operation. */
void op_make(uint64_t seed, uint64_t number, int64_t now_ms, struct op *ret);

/** op_print(op, out): For a person. */
void op_print(const struct op *op, struct gs_buf *out);

#endif
