/* SPDX-License-Identifier: Apache-2.0 */
/* A set of hashes: open addressing, linear probing, three slots of four used at most. */
#include "seen.h"

#include <assert.h>

#include "gravel/base/hash.h"
#include "gravel/base/mem.h"

#define SLOTS_MIN 256
/* A table above this is not kept for the next exposition if that may be a small one. */
#define SLOTS_KEPT 65536

/*
 * Invariants (gs_expo_seen_check):
 * 1. cap is 0 or a power of two, and slots has that many.
 * 2. n slots are not 0, and 4 * n <= 3 * cap.
 * 3. From the slot that a key begins at to where it stands none is 0.
 */
struct gs_expo_seen {
	uint64_t *slots; /* 0: free */
	size_t cap;
	size_t n;
};

struct gs_expo_seen *gs_expo_seen_new(void) {
	return gs_alloc(sizeof(struct gs_expo_seen));
}

void gs_expo_seen_free(struct gs_expo_seen *seen) {
	if (seen == NULL)
		return;
	gs_free(seen->slots);
	gs_free(seen);
}

/* Every bit of x decides about every bit of the result. */
static uint64_t mix(uint64_t x) {
	x ^= x >> 32;
	x *= UINT64_C(0xd6e8feb86659fd93);
	x ^= x >> 32;
	x *= UINT64_C(0xd6e8feb86659fd93);
	return x ^ x >> 32;
}

uint64_t gs_expo_seen_key(enum gs_expo_tag tag, uint64_t a, uint64_t b) {
	return mix(mix(mix(tag) + a) + b);
}

uint64_t gs_expo_hash_labels(const struct gs_label *labels, size_t n, size_t except) {
	uint64_t sum = 0;
	for (size_t i = 0; i < n; i++) {
		if (i != except)
			sum += mix(mix(gs_hash(labels[i].name)) + gs_hash(labels[i].value));
	}
	return sum;
}

void gs_expo_seen_clear(struct gs_expo_seen *seen) {
	if (seen->cap > SLOTS_KEPT) {
		gs_free(seen->slots);
		seen->slots = NULL;
		seen->cap = 0;
	} else if (seen->cap != 0) {
		memset(seen->slots, 0, seen->cap * sizeof(*seen->slots));
	}
	seen->n = 0;
}

/* 0 is for free slots. */
static uint64_t slot_value(uint64_t key) {
	return key != 0 ? key : 1;
}

/* The slot where value stands, or the free one where it would. There is a free one. */
static size_t find(const uint64_t *slots, size_t cap, uint64_t value) {
	size_t at = value & (cap - 1);
	while (slots[at] != 0 && slots[at] != value)
		at = (at + 1) & (cap - 1);
	return at;
}

static enum gs_status grow(struct gs_expo_seen *seen) {
	size_t cap = seen->cap != 0 ? seen->cap * 2 : SLOTS_MIN;
	uint64_t *slots = gs_alloc_array(cap, sizeof(*slots));
	if (slots == NULL)
		return GS_ENOMEM;
	for (size_t i = 0; i < seen->cap; i++) {
		if (seen->slots[i] != 0)
			slots[find(slots, cap, seen->slots[i])] = seen->slots[i];
	}
	gs_free(seen->slots);
	seen->slots = slots;
	seen->cap = cap;
	return GS_OK;
}

bool gs_expo_seen_has(const struct gs_expo_seen *seen, uint64_t key) {
	uint64_t value = slot_value(key);
	return seen->cap != 0 && seen->slots[find(seen->slots, seen->cap, value)] == value;
}

enum gs_status gs_expo_seen_add(struct gs_expo_seen *seen, uint64_t key, bool *ret_again) {
	uint64_t value = slot_value(key);
	*ret_again = gs_expo_seen_has(seen, key);
	if (*ret_again)
		return GS_OK;
	if (seen->n == GS_LIMIT_SEEN)
		return GS_ENOMEM;
	if (4 * (seen->n + 1) > 3 * seen->cap && grow(seen) != GS_OK)
		return GS_ENOMEM;
	seen->slots[find(seen->slots, seen->cap, value)] = value;
	seen->n++;
	return GS_OK;
}

void gs_expo_seen_check(const struct gs_expo_seen *seen) {
	size_t n = 0;
	assert((seen->cap & (seen->cap - 1)) == 0);
	assert((seen->slots != NULL) == (seen->cap != 0));
	assert(4 * seen->n <= 3 * seen->cap);
	for (size_t i = 0; i < seen->cap; i++) {
		if (seen->slots[i] == 0)
			continue;
		n++;
		assert(find(seen->slots, seen->cap, seen->slots[i]) == i);
	}
	assert(n == seen->n);
}
