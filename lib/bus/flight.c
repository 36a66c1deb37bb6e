/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "gravel/base/mem.h"
#include "private.h"

static void append(struct gs_flight *flight, uint32_t i, enum gs_flight_state state) {
	struct gs_flight_slot *slot = &flight->slots[i];
	struct gs_flight_list *list = &flight->lists[state];
	slot->state = state;
	slot->prev = list->tail;
	slot->next = GS_FLIGHT_NONE;
	if (list->tail != GS_FLIGHT_NONE)
		flight->slots[list->tail].next = i;
	else
		list->head = i;
	list->tail = i;
	list->bytes += slot->bytes;
}

static void take(struct gs_flight *flight, uint32_t i) {
	struct gs_flight_slot *slot = &flight->slots[i];
	struct gs_flight_list *list = &flight->lists[slot->state];
	if (slot->prev != GS_FLIGHT_NONE)
		flight->slots[slot->prev].next = slot->next;
	else
		list->head = slot->next;
	if (slot->next != GS_FLIGHT_NONE)
		flight->slots[slot->next].prev = slot->prev;
	else
		list->tail = slot->prev;
	list->bytes -= slot->bytes;
}

enum gs_status gs_flight_init(struct gs_flight *flight, size_t max, size_t max_bytes) {
	*flight = (struct gs_flight){.max = max, .max_bytes = max_bytes};
	if (max >= GS_FLIGHT_NONE)
		return GS_ELIMIT;
	for (int s = GS_FLIGHT_FREE; s <= GS_FLIGHT_SENT; s++)
		flight->lists[s] = (struct gs_flight_list){.head = GS_FLIGHT_NONE, .tail = GS_FLIGHT_NONE};
	flight->slots = gs_alloc_array(max, sizeof(*flight->slots));
	if (flight->slots == NULL)
		return GS_ENOMEM;
	for (uint32_t i = 0; i < max; i++)
		append(flight, i, GS_FLIGHT_FREE);
	return GS_OK;
}

void gs_flight_free(struct gs_flight *flight) {
	assert(flight->count == 0);
	gs_free(flight->slots);
	flight->slots = NULL;
}

uint32_t gs_flight_reserve(struct gs_flight *flight, size_t bytes, uint64_t token) {
	uint32_t i = flight->lists[GS_FLIGHT_FREE].head;
	/* One message may always go, so that a small bound slows but never stops. */
	bool full = flight->count != 0 && (bytes > flight->max_bytes || flight->bytes > flight->max_bytes - bytes);
	if (i == GS_FLIGHT_NONE || full)
		return GS_FLIGHT_NONE;
	take(flight, i);
	flight->slots[i] = (struct gs_flight_slot){.token = token, .serial = ++flight->next_serial, .bytes = bytes};
	append(flight, i, GS_FLIGHT_RESERVED);
	flight->count++;
	flight->bytes += bytes;
	return i;
}

void gs_flight_move(struct gs_flight *flight, uint32_t i, enum gs_flight_state state) {
	struct gs_flight_slot *slot = &flight->slots[i];
	assert(slot->state != GS_FLIGHT_FREE);
	take(flight, i);
	if (state == GS_FLIGHT_FREE) {
		assert(slot->msg == NULL);
		flight->count--;
		flight->bytes -= slot->bytes;
		*slot = (struct gs_flight_slot){0};
	}
	append(flight, i, state);
}

bool gs_flight_find(const struct gs_flight *flight, uint64_t slot, uint64_t serial) {
	return slot < flight->max && flight->slots[slot].state == GS_FLIGHT_SENT &&
	       flight->slots[slot].serial == serial;
}

static void check_list(const struct gs_flight *flight, enum gs_flight_state state, size_t *count, size_t *bytes) {
	const struct gs_flight_list *list = &flight->lists[state];
	size_t sum = 0;
	uint32_t prev = GS_FLIGHT_NONE;
	for (uint32_t i = list->head; i != GS_FLIGHT_NONE; prev = i, i = flight->slots[i].next) {
		const struct gs_flight_slot *slot = &flight->slots[i];
		assert(slot->state == state && slot->prev == prev);
		assert(
		    state != GS_FLIGHT_SENT || prev == GS_FLIGHT_NONE || flight->slots[prev].sent_ms <= slot->sent_ms);
		sum += slot->bytes;
		(*count)++;
	}
	assert(list->tail == prev && sum == list->bytes);
	*bytes += sum;
}

void gs_flight_check(const struct gs_flight *flight) {
	size_t used = 0, bytes = 0, unused = 0, none = 0;
	check_list(flight, GS_FLIGHT_FREE, &unused, &none);
	for (int s = GS_FLIGHT_RESERVED; s <= GS_FLIGHT_SENT; s++)
		check_list(flight, (enum gs_flight_state)s, &used, &bytes);
	assert(used == flight->count && bytes == flight->bytes && used + unused == flight->max && none == 0);
	assert(flight->count <= 1 || flight->bytes <= flight->max_bytes);
}
