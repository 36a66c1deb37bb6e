/* SPDX-License-Identifier: Apache-2.0 */
/* Entries and parse kits are pooled: a steady state allocates nothing. */
#include "gravel/base/mem.h"
#include "ingest_internal.h"

#define POOL_ENTRIES 64
#define POOL_SAMPLES 50000 /* an entry that held more is not kept: its memory goes back */
#define POOL_TEXT (4 * 1024 * 1024) /* likewise */
#define MODE_MAX 256 /* a clearmode, as text */
#define ENTRY_ARENA_MAX (1024 * 1024)

void gs_entry_free(struct entry *entry) {
	if (entry == NULL)
		return;
	gs_batch_free(entry->batch);
	gs_arena_free(entry->arena);
	gs_buf_free(&entry->text);
	gs_buf_free(&entry->head);
	gs_buf_free(&entry->content);
	gs_free(entry);
}

static struct entry *entry_new(void) {
	struct entry *entry = gs_alloc(sizeof(*entry));
	if (entry == NULL)
		return NULL;
	gs_buf_init(&entry->text, GS_LIMIT_WIRE_BODY);
	gs_buf_init(&entry->head, GS_LIMIT_HEADER);
	gs_buf_init(&entry->content, GS_LIMIT_WIRE_BODY);
	entry->batch = gs_batch_new();
	entry->arena = gs_arena_new(ENTRY_ARENA_MAX);
	if (entry->batch == NULL || entry->arena == NULL) {
		gs_entry_free(entry);
		return NULL;
	}
	return entry;
}

void gs_entry_reset(struct entry *entry, enum entry_kind kind) {
	*entry = (struct entry){.kind = kind,
	    .batch = entry->batch,
	    .arena = entry->arena,
	    .text = entry->text,
	    .head = entry->head,
	    .content = entry->content};
	gs_arena_clear(entry->arena);
	gs_buf_clear(&entry->text);
	gs_buf_clear(&entry->head);
	gs_buf_clear(&entry->content);
	entry->text.max = GS_LIMIT_WIRE_BODY;
}

struct entry *gs_entry_get(struct gs_ingest *ingest, enum entry_kind kind) {
	gs_lock_take(&ingest->queue_lock);
	struct entry *entry = ingest->free_entries;
	if (entry != NULL) {
		ingest->free_entries = entry->next;
		ingest->nfree_entries--;
	}
	gs_lock_release(&ingest->queue_lock);
	if (entry == NULL)
		entry = entry_new();
	if (entry == NULL)
		return NULL;
	gs_entry_reset(entry, kind);
	return entry;
}

void gs_entry_put(struct gs_ingest *ingest, struct entry *entry) {
	bool keep = gs_batch_stats(entry->batch).samples <= POOL_SAMPLES && entry->text.cap <= POOL_TEXT &&
		    entry->content.cap <= POOL_TEXT;
	gs_lock_take(&ingest->queue_lock);
	if (keep && ingest->nfree_entries < POOL_ENTRIES) {
		entry->next = ingest->free_entries;
		ingest->free_entries = entry;
		ingest->nfree_entries++;
		entry = NULL;
	}
	gs_lock_release(&ingest->queue_lock);
	gs_entry_free(entry);
}

void gs_kit_free(struct kit *kit) {
	if (kit == NULL)
		return;
	gs_expo_parser_free(kit->parser);
	gs_codec_free(kit->codec);
	gs_buf_free(&kit->plain);
	gs_buf_free(&kit->mode);
	gs_free(kit);
}

struct kit *gs_kit_get(struct gs_ingest *ingest) {
	gs_lock_take(&ingest->queue_lock);
	struct kit *kit = ingest->free_kits;
	if (kit != NULL)
		ingest->free_kits = kit->next;
	gs_lock_release(&ingest->queue_lock);
	if (kit != NULL)
		return kit;
	kit = gs_alloc(sizeof(*kit));
	if (kit == NULL)
		return NULL;
	gs_buf_init(&kit->plain, GS_LIMIT_WIRE_BODY);
	gs_buf_init(&kit->mode, MODE_MAX);
	kit->parser = gs_expo_parser_new();
	kit->codec = gs_codec_new();
	if (kit->parser == NULL || kit->codec == NULL) {
		gs_kit_free(kit);
		return NULL;
	}
	return kit;
}

/* Without what a large push left behind. There are never more kits than threads that parsed at the same time. */
void gs_kit_put(struct gs_ingest *ingest, struct kit *kit) {
	if (kit->plain.cap > POOL_TEXT) {
		gs_buf_free(&kit->plain);
		gs_buf_init(&kit->plain, GS_LIMIT_WIRE_BODY);
	}
	gs_lock_take(&ingest->queue_lock);
	kit->next = ingest->free_kits;
	ingest->free_kits = kit;
	gs_lock_release(&ingest->queue_lock);
}
