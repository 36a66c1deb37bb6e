/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/bus/outbox.h"

#include <assert.h>

#include "gravel/base/lock.h"
#include "gravel/base/map.h"
#include "gravel/base/mem.h"

/* A part is SENDING from the moment its token exists until the send function has returned. */
enum part_state { PART_UNSENT, PART_SENDING, PART_SENT, PART_GONE };

struct part {
	struct gs_outbox_part pub; /* points into block */
	char *block;
	size_t bytes;
	uint64_t token; /* the map's key while SENDING or SENT */
	struct entry *entry;
	enum part_state state;
	bool answered; /* an ack came while SENDING, */
	bool acked; /* and this is what it said */
};

struct entry {
	struct entry *prev, *next; /* all entries, in the order of their puts */
	struct gs_str key;
	char *key_block;
	uint64_t order;
	size_t unsent; /* parts in state UNSENT */
	size_t held; /* parts not GONE */
	size_t nparts;
	bool dropped; /* left the list while a part of it was SENDING; freed when that ends */
	struct part parts[];
};

/*
 * Further invariants:
 * 4. The list rises in order; no entry before first_unsent has an unsent part. So the list from there on is the queue.
 * 5. The map of tokens holds exactly the parts that are SENDING or SENT, of entries that are not dropped.
 */
struct gs_outbox {
	struct gs_lock lock;
	size_t max;
	struct entry *head, *tail;
	struct entry *first_unsent; /* NULL: nothing is unsent */
	struct gs_map *keys; /* key -> entry */
	struct gs_map *tokens; /* bytes of part.token -> part */
	struct part *current; /* what the send function has in its hands */
	uint64_t next_token;
	uint64_t next_order;
	bool sending; /* someone is in gs_outbox_send */
	bool again; /* and another one asked meanwhile */
	struct gs_outbox_stats stats;
};

static struct gs_str token_key(const struct part *part) {
	return gs_str_make((const char *)&part->token, sizeof(part->token));
}

static size_t part_size(const struct gs_outbox_part *pub) {
	return strlen(pub->subject) + strlen(pub->header) + strlen(pub->msg_id) + 3 + pub->data.n + sizeof(struct part);
}

static char *append(char *at, const char **ret, struct gs_str s) {
	*ret = at;
	if (s.n != 0)
		memcpy(at, s.p, s.n);
	at[s.n] = '\0';
	return at + s.n + 1;
}

static enum gs_status part_copy(struct part *part, struct entry *entry, const struct gs_outbox_part *pub) {
	part->entry = entry;
	part->bytes = part_size(pub);
	part->block = gs_alloc(part->bytes - sizeof(*part) + 1);
	if (part->block == NULL)
		return GS_ENOMEM;
	char *at = append(part->block, &part->pub.subject, gs_str_of(pub->subject));
	at = append(at, &part->pub.header, gs_str_of(pub->header));
	at = append(at, &part->pub.msg_id, gs_str_of(pub->msg_id));
	append(at, &part->pub.data.p, pub->data);
	part->pub.data.n = pub->data.n;
	return GS_OK;
}

static void entry_free(struct entry *entry) {
	if (entry == NULL)
		return;
	for (size_t i = 0; i < entry->nparts; i++)
		gs_free(entry->parts[i].block);
	gs_free(entry->key_block);
	gs_free(entry);
}

static struct entry *entry_new(struct gs_str key, const struct gs_outbox_part *parts, size_t nparts) {
	struct entry *entry = gs_alloc(sizeof(*entry) + nparts * sizeof(struct part));
	if (entry == NULL)
		return NULL;
	entry->nparts = entry->held = entry->unsent = nparts;
	entry->key_block = gs_strdup(key);
	entry->key = gs_str_make(entry->key_block, key.n);
	bool ok = entry->key_block != NULL;
	for (size_t i = 0; ok && i < nparts; i++)
		ok = part_copy(&entry->parts[i], entry, &parts[i]) == GS_OK;
	if (ok)
		return entry;
	entry_free(entry);
	return NULL;
}

struct gs_outbox *gs_outbox_new(size_t max_bytes) {
	struct gs_outbox *outbox = gs_alloc(sizeof(*outbox));
	if (outbox == NULL)
		return NULL;
	outbox->max = max_bytes;
	outbox->keys = gs_map_new(SIZE_MAX);
	outbox->tokens = gs_map_new(SIZE_MAX);
	if (outbox->keys != NULL && outbox->tokens != NULL && gs_lock_init(&outbox->lock, GS_RANK_OUTBOX) == GS_OK)
		return outbox;
	gs_map_free(outbox->keys);
	gs_map_free(outbox->tokens);
	gs_free(outbox);
	return NULL;
}

void gs_outbox_free(struct gs_outbox *outbox) {
	if (outbox == NULL)
		return;
	assert(!outbox->sending);
	for (struct entry *e = outbox->head, *next; e != NULL; e = next) {
		next = e->next;
		entry_free(e);
	}
	gs_map_free(outbox->keys);
	gs_map_free(outbox->tokens);
	gs_lock_destroy(&outbox->lock);
	gs_free(outbox);
}

static void link_entry_locked(struct gs_outbox *outbox, struct entry *entry) {
	entry->order = outbox->next_order++;
	entry->prev = outbox->tail;
	if (outbox->tail != NULL)
		outbox->tail->next = entry;
	else
		outbox->head = entry;
	outbox->tail = entry;
	if (outbox->first_unsent == NULL && entry->unsent != 0)
		outbox->first_unsent = entry;
}

/* The first entry from ${entry} on that has an unsent part. */
static struct entry *skip_sent(struct entry *entry) {
	while (entry != NULL && entry->unsent == 0)
		entry = entry->next;
	return entry;
}

static void unlink_entry_locked(struct gs_outbox *outbox, struct entry *entry) {
	if (outbox->first_unsent == entry)
		outbox->first_unsent = skip_sent(entry->next);
	if (entry->prev != NULL)
		entry->prev->next = entry->next;
	else
		outbox->head = entry->next;
	if (entry->next != NULL)
		entry->next->prev = entry->prev;
	else
		outbox->tail = entry->prev;
}

/* Take the entry out of the lists and the books. Its memory stays if the send function holds a part of it. */
static void drop_locked(struct gs_outbox *outbox, struct entry *entry) {
	unlink_entry_locked(outbox, entry);
	if (gs_map_get(outbox->keys, entry->key) == entry)
		gs_map_remove(outbox->keys, entry->key);
	for (size_t i = 0; i < entry->nparts; i++) {
		struct part *part = &entry->parts[i];
		if (part->state == PART_SENDING || part->state == PART_SENT)
			gs_map_remove(outbox->tokens, token_key(part));
		if (part->state != PART_GONE) {
			outbox->stats.bytes -= part->bytes;
			outbox->stats.messages--;
		}
	}
	entry->dropped = true;
	if (outbox->current == NULL || outbox->current->entry != entry)
		entry_free(entry);
}

static size_t total_size(const struct gs_outbox_part *parts, size_t nparts) {
	size_t total = 0;
	for (size_t i = 0; i < nparts; i++)
		total += part_size(&parts[i]);
	return total;
}

static enum gs_status insert_locked(struct gs_outbox *outbox, struct entry *entry, size_t size) {
	struct entry *old = gs_map_get(outbox->keys, entry->key);
	/* Before anything is dropped: a failure must leave all as it was. */
	enum gs_status status = gs_map_put(outbox->keys, entry->key, entry);
	if (status != GS_OK)
		return status;
	if (old != NULL) {
		outbox->stats.replaced++;
		drop_locked(outbox, old);
	}
	while (outbox->stats.bytes > outbox->max - size) {
		outbox->stats.evicted++;
		drop_locked(outbox, outbox->head);
	}
	outbox->stats.bytes += size;
	outbox->stats.messages += entry->nparts;
	link_entry_locked(outbox, entry);
	return GS_OK;
}

enum gs_status gs_outbox_put(
    struct gs_outbox *outbox, struct gs_str key, const struct gs_outbox_part *parts, size_t nparts) {
	if (nparts == 0)
		return GS_EINVAL;
	size_t size = total_size(parts, nparts);
	if (size > outbox->max)
		return GS_ELIMIT;
	struct entry *entry = entry_new(key, parts, nparts);
	if (entry == NULL)
		return GS_ENOMEM;
	gs_lock_take(&outbox->lock);
	enum gs_status status = insert_locked(outbox, entry, size);
	gs_lock_release(&outbox->lock);
	if (status != GS_OK)
		entry_free(entry);
	return status;
}

static struct part *next_unsent(struct entry *entry) {
	for (size_t i = 0; i < entry->nparts; i++) {
		if (entry->parts[i].state == PART_UNSENT)
			return &entry->parts[i];
	}
	assert(!"an entry in the queue has an unsent part");
	return NULL;
}

/* Give the oldest unsent part a token and take it in hand; NULL if there is none, or no memory now. */
static struct part *take_locked(struct gs_outbox *outbox) {
	struct entry *entry = outbox->first_unsent;
	if (entry == NULL)
		return NULL;
	struct part *part = next_unsent(entry);
	part->token = ++outbox->next_token;
	if (gs_map_put(outbox->tokens, token_key(part), part) != GS_OK)
		return NULL;
	part->state = PART_SENDING;
	part->answered = false;
	entry->unsent--;
	outbox->first_unsent = skip_sent(entry);
	outbox->current = part;
	return part;
}

static void unsend_locked(struct gs_outbox *outbox, struct part *part) {
	struct entry *entry = part->entry;
	gs_map_remove(outbox->tokens, token_key(part));
	part->state = PART_UNSENT;
	entry->unsent++;
	if (outbox->first_unsent == NULL || entry->order < outbox->first_unsent->order)
		outbox->first_unsent = entry;
}

static void done_locked(struct gs_outbox *outbox, struct part *part) {
	struct entry *entry = part->entry;
	gs_map_remove(outbox->tokens, token_key(part));
	part->state = PART_GONE;
	outbox->stats.bytes -= part->bytes;
	outbox->stats.messages--;
	gs_free(part->block);
	part->block = NULL;
	if (--entry->held == 0)
		drop_locked(outbox, entry);
}

static bool stays(enum gs_status status) {
	return status == GS_EAGAIN || status == GS_ENOMEM || status == GS_ECLOSED;
}

/* The send function is through with the part in hand and said ${status}. */
static void settle_locked(struct gs_outbox *outbox, enum gs_status status) {
	struct part *part = outbox->current;
	outbox->current = NULL;
	if (part->entry->dropped) {
		entry_free(part->entry);
	} else if (part->answered && part->acked) {
		done_locked(outbox, part);
	} else if (stays(status) || (status == GS_OK && part->answered)) {
		unsend_locked(outbox, part);
	} else if (status == GS_OK) {
		part->state = PART_SENT;
	} else {
		outbox->stats.evicted++;
		drop_locked(outbox, part->entry);
	}
}

/* Send until nothing is left or the function says "not now"; true if another caller asked in the meantime. */
static bool send_all_locked(struct gs_outbox *outbox, gs_outbox_send_fn *fn, void *ctx) {
	enum gs_status status = GS_OK;
	struct part *part;
	while (!stays(status) && (part = take_locked(outbox)) != NULL) {
		uint64_t token = part->token;
		gs_lock_release(&outbox->lock);
		status = fn(ctx, &part->pub, token);
		gs_lock_take(&outbox->lock);
		settle_locked(outbox, status);
	}
	bool again = outbox->again && stays(status);
	outbox->again = false;
	return again;
}

void gs_outbox_send(struct gs_outbox *outbox, gs_outbox_send_fn *fn, void *ctx) {
	gs_lock_take(&outbox->lock);
	if (outbox->sending) {
		outbox->again = true; /* the other one must not stop on an answer older than this call */
	} else {
		outbox->sending = true;
		outbox->again = false;
		while (send_all_locked(outbox, fn, ctx))
			;
		outbox->sending = false;
	}
	gs_lock_release(&outbox->lock);
}

void gs_outbox_ack(struct gs_outbox *outbox, uint64_t token, bool ok) {
	gs_lock_take(&outbox->lock);
	struct part *part = gs_map_get(outbox->tokens, gs_str_make((const char *)&token, sizeof(token)));
	if (part != NULL && part->state == PART_SENDING) {
		part->answered = true;
		part->acked = ok;
	} else if (part != NULL && ok) {
		done_locked(outbox, part);
	} else if (part != NULL) {
		unsend_locked(outbox, part);
	}
	gs_lock_release(&outbox->lock);
}

struct gs_outbox_stats gs_outbox_stats(struct gs_outbox *outbox) {
	gs_lock_take(&outbox->lock);
	struct gs_outbox_stats stats = outbox->stats;
	gs_lock_release(&outbox->lock);
	return stats;
}

struct tally {
	size_t bytes, messages, tokens, entries;
};

static void check_entry(struct gs_outbox *outbox, struct entry *entry, struct tally *tally) {
	size_t unsent = 0, held = 0;
	for (size_t i = 0; i < entry->nparts; i++) {
		struct part *part = &entry->parts[i];
		assert(part->entry == entry && (part->block == NULL) == (part->state == PART_GONE));
		assert(part->state != PART_SENDING || outbox->current == part);
		unsent += part->state == PART_UNSENT;
		if (part->state == PART_GONE)
			continue;
		held++;
		tally->bytes += part->bytes;
		if (part->state != PART_UNSENT) {
			assert(gs_map_get(outbox->tokens, token_key(part)) == part);
			tally->tokens++;
		}
	}
	assert(unsent == entry->unsent && held == entry->held && held != 0 && !entry->dropped);
	assert(gs_map_get(outbox->keys, entry->key) == entry);
	tally->messages += held;
	tally->entries++;
}

void gs_outbox_check(struct gs_outbox *outbox) {
	gs_lock_take(&outbox->lock);
	struct tally tally = {0};
	struct entry *prev = NULL;
	for (struct entry *e = outbox->head; e != NULL; prev = e, e = e->next) {
		assert(e->prev == prev && (prev == NULL || prev->order < e->order));
		check_entry(outbox, e, &tally);
	}
	assert(outbox->tail == prev && outbox->first_unsent == skip_sent(outbox->head));
	assert(tally.bytes == outbox->stats.bytes && tally.messages == outbox->stats.messages);
	assert(outbox->stats.bytes <= outbox->max);
	assert(gs_map_count(outbox->keys) == tally.entries && gs_map_count(outbox->tokens) == tally.tokens);
	gs_map_check(outbox->keys);
	gs_map_check(outbox->tokens);
	gs_lock_release(&outbox->lock);
}
