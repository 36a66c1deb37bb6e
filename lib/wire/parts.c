/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "gravel/base/map.h"
#include "gravel/base/mem.h"
#include "gravel/wire/wire.h"

/* What an entry costs beside its own bytes: its share of the map at the map's emptiest. */
#define MAP_SHARE 128
#define KEY_MAX (3 * 3 * (size_t)GS_LIMIT_SUBJECT) /* of three names, each byte escaped */

struct piece {
	char *p; /* NULL: not here yet */
	size_t n;
};

/* An unfinished scrape. Its key stands behind its pieces. */
struct entry {
	struct entry *newer; /* in the order of their first parts */
	struct entry *older;
	struct gs_str key;
	int64_t time_ms;
	size_t body_bytes; /* of all pieces here */
	uint32_t parts;
	uint32_t have;
	struct piece pieces[];
};

struct gs_wire_joiner {
	struct gs_map *map; /* key -> entry */
	struct entry *oldest;
	struct entry *newest;
	size_t bytes;
	size_t max;
	struct gs_buf key; /* scratch, with all its room from the start */
	char *whole; /* what the last call returned, if it was joined */
};

struct gs_str gs_wire_split(struct gs_str body, size_t part_size, size_t *cursor) {
	assert(part_size != 0 && *cursor <= body.n);
	size_t left = body.n - *cursor;
	if (left == 0)
		return (struct gs_str){0};
	struct gs_str part = gs_str_make(body.p + *cursor, left < part_size ? left : part_size);
	if (part.n < left) {
		const char *newline = memrchr(part.p, '\n', part.n);
		if (newline != NULL)
			part.n = (size_t)(newline - part.p) + 1;
	}
	*cursor += part.n;
	return part;
}

static size_t entry_size(uint32_t parts, size_t key_size) {
	return sizeof(struct entry) + parts * sizeof(struct piece) + key_size;
}

static size_t entry_cost(uint32_t parts, size_t key_size) {
	return MAP_SHARE + entry_size(parts, key_size);
}

static void discard(struct gs_wire_joiner *joiner, struct entry *e) {
	gs_map_remove(joiner->map, e->key);
	*(e->older != NULL ? &e->older->newer : &joiner->oldest) = e->newer;
	*(e->newer != NULL ? &e->newer->older : &joiner->newest) = e->older;
	joiner->bytes -= entry_cost(e->parts, e->key.n) + e->body_bytes;
	for (uint32_t i = 0; i < e->parts; i++)
		gs_free(e->pieces[i].p);
	gs_free(e);
}

void gs_wire_joiner_free(struct gs_wire_joiner *joiner) {
	if (joiner == NULL)
		return;
	while (joiner->oldest != NULL)
		discard(joiner, joiner->oldest);
	gs_map_free(joiner->map);
	gs_buf_free(&joiner->key);
	gs_free(joiner->whole);
	gs_free(joiner);
}

struct gs_wire_joiner *gs_wire_joiner_new(size_t max_bytes) {
	struct gs_wire_joiner *joiner = gs_alloc(sizeof(*joiner));
	if (joiner == NULL)
		return NULL;
	joiner->max = max_bytes;
	gs_buf_init(&joiner->key, KEY_MAX);
	joiner->map = gs_map_new(SIZE_MAX);
	if (joiner->map == NULL || gs_buf_reserve(&joiner->key, KEY_MAX) == NULL) {
		gs_wire_joiner_free(joiner);
		return NULL;
	}
	return joiner;
}

/* Put the key of the group into joiner->key. */
static enum gs_status make_key(struct gs_wire_joiner *joiner, const struct gs_wire_group *group) {
	gs_buf_clear(&joiner->key);
	gs_wire_escape(&joiner->key, group->publisher);
	gs_buf_char(&joiner->key, '.');
	gs_wire_escape(&joiner->key, group->job);
	gs_buf_char(&joiner->key, '.');
	gs_wire_escape(&joiner->key, group->instance);
	return joiner->key.status;
}

/* Begin a scrape under joiner->key. The caller has made room for it. */
static struct entry *begin(struct gs_wire_joiner *joiner, const struct gs_wire_header *header) {
	struct entry *e = gs_alloc(entry_size(header->parts, joiner->key.n));
	if (e == NULL)
		return NULL;
	char *key = (char *)&e->pieces[header->parts];
	memcpy(key, joiner->key.p, joiner->key.n);
	e->key = gs_str_make(key, joiner->key.n);
	e->time_ms = header->time_ms;
	e->parts = header->parts;
	if (gs_map_put(joiner->map, e->key, e) != GS_OK) {
		gs_free(e);
		return NULL;
	}
	e->older = joiner->newest;
	*(e->older != NULL ? &e->older->newer : &joiner->oldest) = e;
	joiner->newest = e;
	joiner->bytes += entry_cost(e->parts, e->key.n);
	return e;
}

/* Make room for need bytes more of e (NULL: of a new scrape) by discarding whoever waits longest, or e alone if it can never fit. False when
 * there is no room, or no e any more. */
static bool make_room(struct gs_wire_joiner *joiner, size_t need, struct entry *e, size_t *dropped) {
	size_t own = e != NULL ? entry_cost(e->parts, e->key.n) + e->body_bytes : 0;
	bool fits = need <= joiner->max - own;
	while (need > joiner->max - joiner->bytes) {
		struct entry *victim = fits ? joiner->oldest : e;
		if (victim == NULL)
			return false;
		discard(joiner, victim);
		++*dropped;
		if (victim == e)
			return false;
	}
	return true;
}

static enum gs_status store(struct gs_wire_joiner *joiner, struct entry *e, uint32_t part, struct gs_str body) {
	/* At least one byte, so that an empty part is here too. */
	char *p = gs_realloc_array(NULL, body.n, 1);
	if (p == NULL)
		return GS_ENOMEM;
	if (body.n != 0)
		memcpy(p, body.p, body.n);
	e->pieces[part] = (struct piece){.p = p, .n = body.n};
	e->body_bytes += body.n;
	e->have++;
	joiner->bytes += body.n;
	return GS_OK;
}

/* All parts are here: put them together, freeing each as it is copied, and forget the entry. */
static enum gs_status join(struct gs_wire_joiner *joiner, struct entry *e, struct gs_str *ret_body) {
	char *whole = gs_realloc_array(NULL, e->body_bytes, 1);
	size_t at = 0;
	if (whole == NULL)
		return GS_ENOMEM;
	for (uint32_t i = 0; i < e->parts; i++) {
		memcpy(whole + at, e->pieces[i].p, e->pieces[i].n);
		at += e->pieces[i].n;
		gs_free(e->pieces[i].p);
		e->pieces[i].p = NULL;
	}
	joiner->whole = whole;
	*ret_body = gs_str_make(whole, at);
	discard(joiner, e);
	return GS_OK;
}

/* What the group collects already, after the header has had its say about it: *go is false when the part is to be dropped. */
static struct entry *judge(
    struct gs_wire_joiner *joiner, const struct gs_wire_header *header, size_t body_size, bool *go, size_t *dropped) {
	struct entry *e = gs_map_get(joiner->map, gs_buf_slice(&joiner->key));
	*go = true;
	if (e == NULL)
		return NULL;
	if (header->time_ms < e->time_ms) {
		*go = false;
		return e;
	}
	bool newer = header->time_ms > e->time_ms;
	if (!newer && header->parts == e->parts) {
		*go = e->pieces[header->part].p == NULL;
		if (!*go || body_size <= GS_LIMIT_WIRE_BODY - e->body_bytes)
			return e;
	}
	*go = newer;
	discard(joiner, e);
	++*dropped;
	return NULL;
}

/* Keep one part of several. The result is a drop so far. */
static enum gs_status collect(struct gs_wire_joiner *joiner, struct entry *e, const struct gs_wire_header *header,
    struct gs_str body, enum gs_wire_joined *ret_result, struct gs_str *ret_body, size_t *dropped) {
	bool begun = e != NULL;
	size_t need = body.n + (begun ? 0 : entry_cost(header->parts, joiner->key.n));
	if (!make_room(joiner, need, e, dropped))
		return GS_OK;
	if (e == NULL)
		e = begin(joiner, header);
	if (e == NULL)
		return GS_ENOMEM;
	enum gs_status status = store(joiner, e, header->part, body);
	bool whole = status == GS_OK && e->have == e->parts;
	if (whole)
		status = join(joiner, e, ret_body);
	if (status != GS_OK) {
		/* It can never become whole: this part does not come twice. */
		discard(joiner, e);
		*dropped += begun;
		return status;
	}
	*ret_result = whole ? GS_WIRE_WHOLE : GS_WIRE_WAIT;
	return GS_OK;
}

enum gs_status gs_wire_joiner_add(struct gs_wire_joiner *joiner, const struct gs_wire_group *group,
    const struct gs_wire_header *header, struct gs_str body, enum gs_wire_joined *ret_result, struct gs_str *ret_body,
    size_t *ret_dropped) {
	assert(header->parts >= 1 && header->parts <= GS_LIMIT_PARTS && header->part < header->parts);
	bool go = true;
	struct entry *e = NULL;
	gs_free(joiner->whole);
	joiner->whole = NULL;
	*ret_dropped = 0;
	*ret_result = GS_WIRE_DROP;
	*ret_body = (struct gs_str){0};
	if (joiner->oldest != NULL || header->parts > 1) {
		enum gs_status status = make_key(joiner, group);
		if (status != GS_OK)
			return status;
		e = judge(joiner, header, body.n, &go, ret_dropped);
	}
	if (!go || body.n > GS_LIMIT_WIRE_BODY)
		return GS_OK;
	if (header->parts > 1)
		return collect(joiner, e, header, body, ret_result, ret_body, ret_dropped);
	*ret_result = GS_WIRE_WHOLE;
	*ret_body = body;
	return GS_OK;
}

enum gs_status gs_wire_joiner_forget(
    struct gs_wire_joiner *joiner, const struct gs_wire_group *group, int64_t time_ms, size_t *ret_dropped) {
	*ret_dropped = 0;
	if (joiner->oldest == NULL)
		return GS_OK;
	enum gs_status status = make_key(joiner, group);
	if (status != GS_OK)
		return status;
	struct entry *e = gs_map_get(joiner->map, gs_buf_slice(&joiner->key));
	if (e != NULL && e->time_ms <= time_ms) {
		discard(joiner, e);
		*ret_dropped = 1;
	}
	return GS_OK;
}

size_t gs_wire_joiner_bytes(const struct gs_wire_joiner *joiner) {
	return joiner->bytes;
}

static void check_entry(const struct entry *e) {
	size_t bytes = 0;
	uint32_t have = 0;
	for (uint32_t i = 0; i < e->parts; i++) {
		have += e->pieces[i].p != NULL;
		bytes += e->pieces[i].n;
	}
	assert(have == e->have && have >= 1 && have < e->parts);
	assert(bytes == e->body_bytes && bytes <= GS_LIMIT_WIRE_BODY);
}

void gs_wire_joiner_check(const struct gs_wire_joiner *joiner) {
	size_t bytes = 0, count = 0;
	const struct entry *older = NULL;
	for (const struct entry *e = joiner->oldest; e != NULL; e = e->newer) {
		assert(e->older == older);
		assert(gs_map_get(joiner->map, e->key) == e);
		check_entry(e);
		bytes += entry_cost(e->parts, e->key.n) + e->body_bytes;
		count++;
		older = e;
	}
	assert(joiner->newest == older);
	assert(count == gs_map_count(joiner->map));
	assert(bytes == joiner->bytes && bytes <= joiner->max);
}
