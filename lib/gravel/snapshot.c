/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store as bytes and back: texts, layouts and families first, each once; then the owners, each with its series in order of renewal, which name those by
 * their places. Values that a family shows, the order of renewal and what is in a pebble are kept to the bit; numbers of things, the order of
 * tables and versions are not: nobody sees them.
 */
#include "archive.h"
#include "gravel/base/hash.h"
#include "gravel/base/mem.h"
#include "label.h"

#define MAGIC GS_STR("gravel store\n")

/* What a series has beside its value. */
enum {
	HAS_PEBBLE = 1,
	HAS_EXEMPLARS = 2,
	HAS_NATIVE = 4,
	HAS_TIMESTAMP = 8,
	HAS_ALL = 15,
};

/* Things that are named by their places: how many there are is not believed before they come. */
static void *one_more(struct archive *archive, void *list, uint32_t n, size_t size) {
	if (archive->status != GS_OK || (n & (n - 1)) != 0)
		return list;
	void *grown = gs_realloc_array(list, n == 0 ? 1 : (size_t)n * 2, size);
	if (grown == NULL)
		gs_archive_fail(archive, GS_ENOMEM);
	return grown != NULL ? grown : list;
}

/* Texts */

static void save_texts(struct archive *archive) {
	struct gs_store *store = archive->store;
	uint32_t n = (uint32_t)store->ntexts, place = 0;
	for (unsigned i = 0; i < TEXT_POOLS; i++) {
		archive->text_places[i] = gs_alloc_array((size_t)store->texts[i].next + 1, sizeof(uint32_t));
		if (archive->text_places[i] == NULL)
			gs_archive_fail(archive, GS_ENOMEM);
	}
	gs_archive_u32(archive, &n, UINT32_MAX);
	for (size_t i = 0; i < store->cap_texts && archive->status == GS_OK; i++) {
		uint32_t number = store->text_table[i];
		if (number == 0)
			continue;
		struct gs_str text = gs_text_str(gs_text_at(store, number));
		gs_archive_str(archive, &text, UINT32_MAX);
		archive->text_places[number >> TEXT_CLASS_SHIFT][number & ((1U << TEXT_CLASS_SHIFT) - 1)] = place++;
	}
}

enum text_use {
	USE_OWN = 1,
	USE_TARGET = 2,
};

/* All labels of a target's text are those of targets, and none of a series' own; the empty text is both. */
static uint8_t uses_of(struct gs_str text) {
	struct gs_label label;
	unsigned uses = USE_OWN | USE_TARGET;
	while (gs_label_next(&text, &label))
		uses &= gs_label_is_target(label.name) ? USE_TARGET : USE_OWN;
	return (uint8_t)uses;
}

static void load_texts(struct archive *archive) {
	uint32_t n = 0;
	gs_archive_u32(archive, &n, UINT32_MAX);
	while (archive->ntexts < n && archive->status == GS_OK) {
		struct gs_str text = {0};
		bool odd = false;
		gs_archive_str(archive, &text, UINT32_MAX);
		archive->texts = one_more(archive, archive->texts, archive->ntexts, sizeof(*archive->texts));
		archive->text_uses = one_more(archive, archive->text_uses, archive->ntexts, 1);
		if (archive->status == GS_OK && !gs_label_is_text(text, true, &odd))
			gs_archive_fail(archive, GS_EINVAL);
		if (archive->status != GS_OK)
			return;
		uint32_t number = gs_text_get(archive->store, text, (uint32_t)gs_hash(text), odd);
		if (number == 0) {
			gs_archive_fail(archive, GS_ENOMEM);
			return;
		}
		archive->text_uses[archive->ntexts] = uses_of(text);
		archive->texts[archive->ntexts++] = number;
	}
}

static uint32_t place_of_text(const struct archive *archive, uint32_t number) {
	return archive->text_places[number >> TEXT_CLASS_SHIFT][number & ((1U << TEXT_CLASS_SHIFT) - 1)];
}

/* Layouts */

static void save_layouts(struct archive *archive) {
	struct layout *layout;
	size_t cursor = 0;
	uint32_t n = (uint32_t)gs_map_count(archive->store->layouts), place = 0;
	gs_archive_u32(archive, &n, UINT32_MAX);
	while ((layout = gs_map_next(archive->store->layouts, &cursor, NULL)) != NULL) {
		layout->place = place++;
		gs_archive_new_layout(archive, &layout);
	}
}

static void load_layouts(struct archive *archive) {
	uint32_t n = 0;
	gs_archive_u32(archive, &n, UINT32_MAX);
	while (archive->nlayouts < n && archive->status == GS_OK) {
		struct layout *layout = NULL;
		archive->layouts = one_more(archive, archive->layouts, archive->nlayouts, sizeof(struct layout *));
		gs_archive_new_layout(archive, &layout);
		if (layout != NULL)
			archive->layouts[archive->nlayouts++] = layout;
	}
}

/* Families */

static void save_families(struct archive *archive) {
	const struct gs_store *store = archive->store;
	uint32_t n = (uint32_t)store->norder;
	gs_archive_u32(archive, &n, UINT32_MAX);
	for (uint32_t i = 0; i < n && archive->status == GS_OK; i++) {
		struct family *family = store->order[i];
		gs_archive_str(archive, &family->name, UINT32_MAX);
		gs_archive_str(archive, &family->help, UINT32_MAX);
		gs_archive_str(archive, &family->unit, UINT32_MAX);
	}
}

static struct gs_str load_name(struct archive *archive) {
	struct gs_str s = {0};
	gs_archive_str(archive, &s, GS_LIMIT_LABEL_VALUE);
	if (!gs_str_is_utf8(s))
		gs_archive_fail(archive, GS_EINVAL);
	return archive->status == GS_OK ? s : (struct gs_str){0};
}

static struct gs_str load_help(struct archive *archive) {
	struct gs_str s = load_name(archive), copy = gs_store_dup(archive->store, s);
	if (copy.n != s.n)
		gs_archive_fail(archive, GS_ENOMEM);
	return copy;
}

static void load_families(struct archive *archive) {
	uint32_t n = 0;
	gs_archive_u32(archive, &n, UINT32_MAX);
	while (archive->nfamilies < n && archive->status == GS_OK) {
		struct gs_str name = load_name(archive);
		archive->families = one_more(archive, archive->families, archive->nfamilies, sizeof(struct family *));
		if (name.n == 0 || gs_family_find(archive->store, name) != NULL)
			gs_archive_fail(archive, GS_EINVAL);
		if (archive->status != GS_OK)
			return;
		struct family *family = gs_family_add(archive->store, name);
		if (family == NULL) {
			gs_archive_fail(archive, GS_ENOMEM);
			return;
		}
		archive->families[archive->nfamilies++] = family;
		family->help = load_help(archive);
		family->unit = load_help(archive);
	}
}

/* Series */

static uint32_t flags_of(const struct extra *extra) {
	if (extra == NULL)
		return 0;
	return (extra->pebble != NULL ? HAS_PEBBLE : 0) | (extra->exemplars != NULL ? HAS_EXEMPLARS : 0) |
	       (extra->native != NULL ? HAS_NATIVE : 0) | (extra->has_timestamp ? HAS_TIMESTAMP : 0);
}

/* All that the type and the flags say that it has. */
static void archive_extra(struct archive *archive, struct extra *extra, enum value_kind kind, uint32_t flags) {
	if (flags & HAS_PEBBLE)
		gs_archive_pebble(archive, kind, &extra->pebble);
	else if (kind != KIND_SIMPLE)
		gs_archive_parts(archive, &extra->parts);
	if (archive->status == GS_OK && flags & HAS_EXEMPLARS)
		gs_archive_exemplars(archive, &extra->exemplars);
	if (archive->status == GS_OK && flags & HAS_NATIVE)
		gs_archive_native(archive, &extra->native);
	if (archive->status == GS_OK && flags & HAS_TIMESTAMP) {
		extra->has_timestamp = true;
		gs_archive_i64(archive, &extra->timestamp_ms);
	}
}

/* What of a series comes first, as places and numbers. */
struct head {
	uint32_t family;
	uint32_t own;
	uint32_t target;
	uint32_t type;
	uint32_t flags;
	int64_t renewed_ms; /* after that of the one before */
};

static void archive_head(struct archive *archive, struct head *head) {
	gs_archive_u32(archive, &head->family, UINT32_MAX);
	gs_archive_u32(archive, &head->own, UINT32_MAX);
	gs_archive_u32(archive, &head->target, UINT32_MAX);
	gs_archive_u32(archive, &head->type, GS_TYPE_GAUGEHISTOGRAM);
	gs_archive_u32(archive, &head->flags, HAS_ALL);
	gs_archive_time(archive, &head->renewed_ms);
}

static void save_one(struct archive *archive, struct series *series, int64_t before_ms) {
	struct extra *extra = gs_extra_of(archive->store, series);
	enum value_kind kind = gs_kind_of_type((enum gs_expo_type)series->type);
	struct head head = {
	    .family = gs_family_of(archive->store, series)->position,
	    .own = place_of_text(archive, series->own),
	    .target = place_of_text(archive, series->target),
	    .type = series->type,
	    .flags = flags_of(extra),
	    .renewed_ms = series->renewed_ms - before_ms,
	};
	archive_head(archive, &head);
	if (kind == KIND_SIMPLE && !(head.flags & HAS_PEBBLE))
		gs_archive_double(archive, &series->value);
	archive_extra(archive, extra, kind, head.flags);
}

/* Whether what a head says can be. */
static bool is_possible(const struct archive *archive, const struct head *head) {
	enum value_kind kind = gs_kind_of_type((enum gs_expo_type)head->type);
	if (head->family >= archive->nfamilies || head->own >= archive->ntexts || head->target >= archive->ntexts)
		return false;
	if (head->flags & HAS_PEBBLE && head->flags & (HAS_EXEMPLARS | HAS_NATIVE))
		return false;
	if (head->flags & HAS_NATIVE && kind != KIND_HISTOGRAM)
		return false;
	return (archive->text_uses[head->own] & USE_OWN) && (archive->text_uses[head->target] & USE_TARGET) &&
	       !gs_series_known(archive->store, archive->families[head->family], archive->texts[head->own],
		   archive->texts[head->target]);
}

static struct series *load_head(struct archive *archive, uint32_t owner, struct head *head) {
	struct series *series = NULL;
	archive_head(archive, head);
	if (archive->status == GS_OK && !is_possible(archive, head))
		gs_archive_fail(archive, GS_EINVAL);
	if (archive->status != GS_OK)
		return NULL;
	struct gs_store *store = archive->store;
	gs_archive_fail(archive,
	    gs_series_insert(store, archive->families[head->family], gs_text_ref(store, archive->texts[head->own]),
		gs_text_ref(store, archive->texts[head->target]), (enum gs_expo_type)head->type, owner, &series));
	return series;
}

static void load_one(struct archive *archive, uint32_t owner, int64_t *before_ms) {
	struct head head = {0};
	struct series *series = load_head(archive, owner, &head);
	if (series == NULL)
		return;
	struct gs_store *store = archive->store;
	struct family *family = gs_family_of(store, series);
	enum value_kind kind = gs_kind_of_type((enum gs_expo_type)series->type);
	series->has_value = true;
	series->renewed_ms = *before_ms += head.renewed_ms;
	if (*before_ms > INT64_MAX / 4 || *before_ms < INT64_MIN / 4) {
		gs_archive_fail(archive, GS_EINVAL);
		*before_ms = 0;
	}
	if (kind == KIND_SIMPLE && !(head.flags & HAS_PEBBLE))
		gs_archive_double(archive, &series->value);
	if ((kind != KIND_SIMPLE || head.flags != 0) && gs_series_need_extra(store, series) != GS_OK)
		gs_archive_fail(archive, GS_ENOMEM);
	if (archive->status == GS_OK && series->extra != 0)
		archive_extra(archive, gs_extra_of(store, series), kind, head.flags);
	family->npebbles += gs_pebble_of(store, series) != NULL;
	if (archive->status == GS_OK)
		gs_series_judge(store, family, series);
}

void gs_archive_series(struct archive *archive, uint32_t owner) {
	const struct owner *of = gs_owner_at(archive->store, owner);
	int64_t before_ms = 0;
	uint32_t n = of->count;
	gs_archive_u32(archive, &n, UINT32_MAX);
	if (archive->loading) {
		for (uint32_t i = 0; i < n && archive->status == GS_OK; i++)
			load_one(archive, owner, &before_ms);
		return;
	}
	for (uint32_t next = of->first; next != 0 && archive->status == GS_OK;) {
		struct series *series = gs_series_at(archive->store, next);
		save_one(archive, series, before_ms);
		before_ms = series->renewed_ms;
		next = series->owner_next;
	}
}

/* The pushers: one list for each time to live. */
static void archive_leases(struct archive *archive) {
	struct gs_store *store = archive->store;
	uint32_t n = (uint32_t)store->nleases;
	gs_archive_u32(archive, &n, GS_LIMIT_TTLS);
	for (uint32_t i = 0; i < n && archive->status == GS_OK; i++) {
		uint32_t owner = archive->loading ? 0 : store->leases[i];
		int64_t ttl_ms = archive->loading ? 0 : gs_owner_at(store, owner)->ttl_ms;
		gs_archive_time(archive, &ttl_ms);
		if (ttl_ms < 0)
			gs_archive_fail(archive, GS_EINVAL);
		if (archive->loading && archive->status == GS_OK)
			gs_archive_fail(archive, gs_owner_pushed(store, ttl_ms, &owner));
		if (archive->status == GS_OK)
			gs_archive_series(archive, owner);
	}
}

/* All of it */

static void archive_head_of_all(struct archive *archive) {
	struct gs_str magic = MAGIC;
	uint32_t version = GS_SNAPSHOT_VERSION;
	gs_archive_str(archive, &magic, 64);
	if (archive->status == GS_OK && !gs_str_eq(magic, MAGIC))
		gs_archive_fail(archive, GS_EINVAL);
	gs_archive_u32(archive, &version, UINT32_MAX);
	if (archive->status == GS_OK && (version == 0 || version > GS_SNAPSHOT_VERSION))
		gs_archive_fail(archive, GS_EUNSUPPORTED);
}

static void archive_owners(struct archive *archive) {
	archive_leases(archive);
	gs_archive_groups(archive);
	gs_archive_gateways(archive);
	gs_archive_end(archive);
}

enum gs_status gs_store_save(struct gs_store *store, gs_snapshot_put_fn *put, void *ctx) {
	struct archive archive = {.store = store, .put = put, .ctx = ctx};
	gs_buf_init(&archive.bytes, SIZE_MAX / 2);
	archive_head_of_all(&archive);
	save_texts(&archive);
	save_layouts(&archive);
	save_families(&archive);
	if (archive.status == GS_OK)
		archive_owners(&archive);
	for (unsigned i = 0; i < TEXT_POOLS; i++)
		gs_free(archive.text_places[i]);
	gs_buf_free(&archive.bytes);
	return archive.status;
}

/* Let go of what was held for the loading. */
static void close_loading(struct archive *archive) {
	struct gs_store *store = archive->store;
	for (uint32_t i = 0; i < archive->nfamilies; i++) {
		if (gs_family_count(archive->families[i]) == 0)
			gs_family_remove(store, archive->families[i]);
	}
	for (uint32_t i = 0; i < archive->nlayouts; i++)
		gs_layout_put(store, archive->layouts[i]);
	for (uint32_t i = 0; i < archive->ntexts; i++)
		gs_text_put(store, archive->texts[i]);
	gs_free(archive->families);
	gs_free(archive->layouts);
	gs_free(archive->texts);
	gs_free(archive->text_uses);
	gs_buf_free(&archive->bytes);
}

enum gs_status gs_store_load(struct gs_store *store, gs_snapshot_get_fn *get, void *ctx, struct gs_error *err) {
	struct archive archive = {.store = store, .loading = true, .get = get, .ctx = ctx};
	gs_buf_init(&archive.bytes, SIZE_MAX / 2);
	archive_head_of_all(&archive);
	load_texts(&archive);
	load_layouts(&archive);
	load_families(&archive);
	if (archive.status == GS_OK)
		archive_owners(&archive);
	close_loading(&archive);
	switch (archive.status) {
	case GS_OK:
		return GS_OK;
	case GS_EINVAL:
		return gs_error_set(err, GS_EINVAL, 0, 0, "the bytes are no store");
	case GS_EUNSUPPORTED:
		return gs_error_set(err, GS_EUNSUPPORTED, 0, 0, "a later version wrote it; this one reads up to %d",
		    GS_SNAPSHOT_VERSION);
	case GS_ELIMIT:
		return gs_error_set(err, GS_ELIMIT, 0, 0,
		    "it has more groups than receiver.limits.groups, or more than %d times to live", GS_LIMIT_TTLS);
	case GS_ENOMEM:
		return gs_error_set(err, GS_ENOMEM, 0, 0, "out of memory");
	case GS_EAGAIN:
	case GS_ECLOSED:
	case GS_ECONFLICT:
	case GS_EIO:
	case GS_ENOTFOUND:
	case GS_ESTALE:
		break;
	}
	return archive.status; /* of get */
}
