/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The families that are written. Text as our own parser reads it: the TYPE words and UNIT lines of OpenMetrics stand in it too, and counters and infos have
 * the names of their samples. So whatever relabelling does to names, a sample is of one family or stands for itself.
 */
#include "gravel/base/limits.h"
#include "gravel/base/mem.h"
#include "internal.h"

#define NAMES_MAX ((size_t)1 << 30) /* bytes of names and help in one exposition */
#define MAP_KEPT 65536 /* families; a table for more is not kept for the next exposition */
#define NO_RUN SIZE_MAX

/* Whole lines of samples of one family. */
struct gs_run {
	size_t begin;
	size_t end;
	size_t next; /* of the family, or NO_RUN */
};

/*
 * Invariants: 1. broken: untyped, and at the end each name in it is to be a family. 2. fixed or broken: the type does not change any more. 3. pieces: which ones its lines
 * have.
 */
struct gs_family {
	struct gs_family *next;
	struct gs_str name;
	struct gs_str help;
	struct gs_str unit;
	enum gs_expo_type type;
	unsigned pieces;
	bool fixed; /* two types were given */
	bool broken;
	bool exploded;
	size_t first;
	size_t last;
};

/* What was said of a family before others came. */
struct early {
	struct gs_str help;
	struct gs_str unit;
};

static const struct gs_str piece_texts[] = {
    [GS_PIECE_NONE] = GS_STR_INIT(""),
    [GS_PIECE_BUCKET] = GS_STR_INIT("_bucket"),
    [GS_PIECE_SUM] = GS_STR_INIT("_sum"),
    [GS_PIECE_COUNT] = GS_STR_INIT("_count"),
    [GS_PIECE_GSUM] = GS_STR_INIT("_gsum"),
    [GS_PIECE_GCOUNT] = GS_STR_INIT("_gcount"),
};

struct gs_str gs_piece_text(enum gs_piece piece) {
	return piece_texts[piece];
}

bool gs_type_is_composite(enum gs_expo_type type) {
	return type == GS_TYPE_HISTOGRAM || type == GS_TYPE_SUMMARY || type == GS_TYPE_GAUGEHISTOGRAM;
}

enum gs_status gs_families_init(struct gs_families *f) {
	f->arena = gs_arena_new(NAMES_MAX);
	f->map = gs_map_new(SIZE_MAX);
	f->early = gs_map_new(SIZE_MAX);
	gs_buf_init(&f->spare, SIZE_MAX);
	gs_buf_init(&f->meta_name, GS_LIMIT_NAME);
	gs_buf_init(&f->meta_help, GS_LIMIT_LABEL_VALUE);
	gs_buf_init(&f->meta_unit, GS_LIMIT_LABEL_VALUE);
	return f->arena != NULL && f->map != NULL && f->early != NULL ? GS_OK : GS_ENOMEM;
}

void gs_families_free(struct gs_families *f) {
	gs_arena_free(f->arena);
	gs_map_free(f->map);
	gs_map_free(f->early);
	gs_free(f->runs);
	gs_buf_free(&f->spare);
	gs_buf_free(&f->meta_name);
	gs_buf_free(&f->meta_help);
	gs_buf_free(&f->meta_unit);
}

static enum gs_status empty_map(struct gs_map **map) {
	if (gs_map_count(*map) <= MAP_KEPT) {
		gs_map_clear(*map);
		return GS_OK;
	}
	struct gs_map *fresh = gs_map_new(SIZE_MAX);
	if (fresh == NULL)
		return GS_ENOMEM;
	gs_map_free(*map);
	*map = fresh;
	return GS_OK;
}

static void forget_meta(struct gs_families *f) {
	gs_buf_clear(&f->meta_name);
	gs_buf_clear(&f->meta_help);
	gs_buf_clear(&f->meta_unit);
	f->meta_used = false;
}

enum gs_status gs_families_begin(struct gs_families *f, struct gs_buf *out) {
	enum gs_status status = empty_map(&f->map);
	if (status == GS_OK)
		status = empty_map(&f->early);
	if (status != GS_OK)
		return status;
	gs_arena_clear(f->arena);
	forget_meta(f);
	f->list = NULL;
	f->list_end = &f->list;
	f->current = NULL;
	f->nruns = 0;
	f->out = out;
	f->base = f->start = out->n;
	f->untidy = false;
	struct gs_expo_dialect dialect = {.format = GS_FORMAT_TEXT_1, .escaping = GS_ESCAPE_NONE};
	gs_expo_writer_init(&f->writer, out, dialect);
	return GS_OK;
}

/* HELP and the like */

static bool keep(struct gs_families *f, struct gs_str *s) {
	size_t n = s->n;
	*s = gs_arena_dup(f->arena, *s);
	return s->n == n;
}

/* Another family begins before that which the last lines were about. */
static enum gs_status put_meta_aside(struct gs_families *f) {
	struct gs_str name = gs_buf_slice(&f->meta_name);
	if (f->meta_used || (f->meta_help.n == 0 && f->meta_unit.n == 0))
		return GS_OK;
	struct early *early = gs_map_get(f->early, name);
	if (early == NULL) {
		early = gs_arena_alloc(f->arena, sizeof(*early));
		if (early == NULL || !keep(f, &name) || gs_map_put(f->early, name, early) != GS_OK)
			return GS_ENOMEM;
		*early = (struct early){0};
	}
	if (f->meta_help.n != 0)
		early->help = gs_buf_slice(&f->meta_help);
	if (f->meta_unit.n != 0)
		early->unit = gs_buf_slice(&f->meta_unit);
	return keep(f, &early->help) && keep(f, &early->unit) ? GS_OK : GS_ENOMEM;
}

enum gs_status gs_families_meta(struct gs_families *f, const struct gs_expo_event *event) {
	if (f->meta_used || !gs_str_eq(event->name, gs_buf_slice(&f->meta_name))) {
		enum gs_status status = put_meta_aside(f);
		if (status != GS_OK)
			return status;
		forget_meta(f);
		gs_buf_str(&f->meta_name, event->name);
	}
	struct gs_buf *text = event->kind == GS_EXPO_HELP ? &f->meta_help : &f->meta_unit;
	if (event->kind != GS_EXPO_TYPE && event->text.n != 0) {
		gs_buf_clear(text);
		gs_buf_str(text, event->text);
	}
	return f->meta_name.status == GS_OK && text->status == GS_OK ? GS_OK : GS_ENOMEM;
}

static bool take_meta(struct gs_families *f, struct gs_family *family, struct gs_str given) {
	struct gs_str help = {0}, unit = {0};
	struct early *early = NULL;
	if (gs_str_eq(given, gs_buf_slice(&f->meta_name))) {
		help = gs_buf_slice(&f->meta_help);
		unit = gs_buf_slice(&f->meta_unit);
	}
	if ((help.n == 0 || unit.n == 0) && gs_map_count(f->early) != 0)
		early = gs_map_get(f->early, given);
	if (help.n == 0 && early != NULL)
		help = early->help;
	if (unit.n == 0 && early != NULL)
		unit = early->unit;
	/* A text that may be too long once all that is odd in it is escaped. */
	if (help.n <= GS_LIMIT_LABEL_VALUE / 2)
		family->help = help;
	family->unit = unit;
	return keep(f, &family->help) && keep(f, &family->unit);
}

static void write_line(struct gs_families *f, const char *word, struct gs_str text) {
	gs_buf_cstr(f->writer.out, word);
	if (f->writer.quoted)
		gs_buf_char(f->writer.out, '"');
	gs_buf_add(f->writer.out, f->writer.name, f->writer.nname);
	if (f->writer.quoted)
		gs_buf_char(f->writer.out, '"');
	gs_buf_char(f->writer.out, ' ');
	gs_buf_str(f->writer.out, text);
	gs_buf_char(f->writer.out, '\n');
}

/* As the text parser takes it for one. */
static bool is_unit(struct gs_str unit) {
	for (size_t i = 0; i < unit.n; i++) {
		char c = unit.p[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
		if (!letter && !(c >= '0' && c <= '9') && c != '_' && c != ':')
			return false;
	}
	return unit.n != 0;
}

static void write_head(struct gs_families *f, const struct gs_family *family) {
	struct gs_expo_family head = {.name = family->name, .help = family->help, .no_type = true};
	gs_expo_write_family(&f->writer, &head);
	if (family->type != GS_TYPE_UNTYPED)
		write_line(f, "# TYPE ", gs_str_of(gs_expo_type_name(family->type)));
	if (is_unit(family->unit))
		write_line(f, "# UNIT ", family->unit);
}

/* Families */

static struct gs_family *new_family(struct gs_families *f, struct gs_str name) {
	struct gs_family *family = gs_arena_alloc(f->arena, sizeof(*family));
	if (family == NULL || !keep(f, &name) || gs_map_put(f->map, name, family) != GS_OK)
		return NULL;
	*family = (struct gs_family){.name = name, .first = NO_RUN, .last = NO_RUN};
	*f->list_end = family;
	f->list_end = &family->next;
	return family;
}

static enum gs_status add_run(struct gs_families *f, struct gs_family *family, size_t begin, size_t end) {
	struct gs_run *runs = gs_grow_array(f->runs, &f->cap_runs, f->nruns, sizeof(*runs));
	if (runs == NULL)
		return GS_ENOMEM;
	f->runs = runs;
	runs[f->nruns] = (struct gs_run){.begin = begin, .end = end, .next = NO_RUN};
	if (family->last != NO_RUN)
		runs[family->last].next = f->nruns;
	else
		family->first = f->nruns;
	family->last = f->nruns++;
	return GS_OK;
}

/* The lines that were written since the family became the current one are its. */
static enum gs_status close_run(struct gs_families *f) {
	struct gs_family *family = f->current;
	f->current = NULL;
	if (family == NULL || f->out->n == f->start)
		return GS_OK;
	f->untidy = f->untidy || family->last != NO_RUN;
	return add_run(f, family, f->start, f->out->n);
}

static void break_up(struct gs_families *f, struct gs_family *family) {
	family->type = GS_TYPE_UNTYPED;
	family->broken = family->fixed = true;
	f->untidy = true;
}

/* A sample of a family that is of ${type} comes to ${family}, which has others already. */
static void join_types(struct gs_families *f, struct gs_family *family, enum gs_expo_type type) {
	if (family->type == type || family->broken)
		return;
	bool composite = gs_type_is_composite(type) || gs_type_is_composite(family->type);
	if (composite) {
		break_up(f, family);
		return;
	}
	if (family->fixed || type == GS_TYPE_UNTYPED)
		return;
	family->fixed = family->type != GS_TYPE_UNTYPED;
	family->type = family->fixed ? GS_TYPE_UNTYPED : type;
	f->untidy = true;
}

enum gs_status gs_families_open(
    struct gs_families *f, struct gs_str name, enum gs_expo_type type, enum gs_piece piece, struct gs_str given) {
	struct gs_family *family = f->current;
	if (gs_str_eq(given, gs_buf_slice(&f->meta_name)))
		f->meta_used = true;
	if (family == NULL || !gs_str_eq(family->name, name)) {
		if (close_run(f) != GS_OK)
			return GS_ENOMEM;
		family = gs_map_get(f->map, name);
		bool known = family != NULL;
		if (!known)
			family = new_family(f, name);
		if (family == NULL || (!known && !take_meta(f, family, given)))
			return GS_ENOMEM;
		if (!known) {
			family->type = type;
			write_head(f, family);
		} else {
			struct gs_expo_family head = {.name = name, .no_type = true};
			gs_expo_write_family(&f->writer, &head);
		}
		f->start = f->out->n;
		f->current = family;
	}
	join_types(f, family, type);
	family->pieces |= 1U << piece;
	return f->out->status;
}

/* The end */

/* How the names of the samples of a family begin a line. */
struct starts {
	bool quoted;
	size_t n[GS_PIECES];
	char text[GS_PIECES][GS_EXPO_ESCAPED_MAX(GS_LIMIT_NAME) + 16];
};

static void make_starts(struct gs_families *f, const struct gs_family *family, struct starts *starts) {
	struct gs_expo_family head = {.name = family->name, .no_type = true};
	gs_expo_write_family(&f->writer, &head);
	starts->quoted = f->writer.quoted;
	for (enum gs_piece piece = GS_PIECE_NONE; piece < GS_PIECES; piece++) {
		char *at = starts->text[piece];
		if (starts->quoted) {
			memcpy(at, "{\"", 2);
			at += 2;
		}
		memcpy(at, f->writer.name, f->writer.nname);
		at += f->writer.nname;
		memcpy(at, piece_texts[piece].p, piece_texts[piece].n);
		at += piece_texts[piece].n;
		if (starts->quoted)
			*at++ = '"';
		starts->n[piece] = (size_t)(at - starts->text[piece]);
	}
}

static enum gs_piece piece_of(const struct starts *starts, unsigned pieces, struct gs_str line) {
	enum gs_piece piece = GS_PIECE_NONE;
	for (; piece < GS_PIECES; piece++) {
		size_t n = starts->n[piece];
		if ((pieces & 1U << piece) == 0 || line.n <= n || memcmp(line.p, starts->text[piece], n) != 0)
			continue;
		if (starts->quoted || line.p[n] == '{' || line.p[n] == ' ')
			break;
	}
	return piece < GS_PIECES ? piece : GS_PIECE_NONE;
}

static struct gs_family *family_of_piece(struct gs_families *f, struct gs_family *family, enum gs_piece piece) {
	char text[GS_LIMIT_NAME + 16];
	memcpy(text, family->name.p, family->name.n);
	memcpy(text + family->name.n, piece_texts[piece].p, piece_texts[piece].n);
	struct gs_str name = gs_str_make(text, family->name.n + piece_texts[piece].n);
	struct gs_family *own = gs_map_get(f->map, name);
	if (piece == GS_PIECE_NONE)
		return family;
	if (own == NULL) {
		own = new_family(f, name);
		if (own != NULL)
			own->help = family->help;
		return own;
	}
	join_types(f, own, GS_TYPE_UNTYPED);
	return own;
}

/* The lines of one run, each to the family that its name is. */
static enum gs_status explode_run(
    struct gs_families *f, struct gs_family *family, const struct starts *starts, struct gs_run run) {
	struct gs_family *to = NULL;
	enum gs_piece last = GS_PIECES;
	size_t begin = run.begin;
	for (size_t at = run.begin; at < run.end;) {
		const char *line = f->out->p + at, *end = memchr(line, '\n', run.end - at);
		struct gs_str text = gs_str_make(line, end != NULL ? (size_t)(end - line) + 1 : run.end - at);
		enum gs_piece piece = piece_of(starts, family->pieces, text);
		if (piece != last) {
			if (to != NULL && add_run(f, to, begin, at) != GS_OK)
				return GS_ENOMEM;
			to = family_of_piece(f, family, piece);
			if (to == NULL)
				return GS_ENOMEM;
			to->pieces |= 1U << GS_PIECE_NONE;
			last = piece;
			begin = at;
		}
		at += text.n;
	}
	return to != NULL ? add_run(f, to, begin, run.end) : GS_OK;
}

static enum gs_status explode(struct gs_families *f, struct gs_family *family) {
	struct starts starts;
	size_t at = family->first;
	make_starts(f, family, &starts);
	family->exploded = true;
	family->first = family->last = NO_RUN;
	while (at != NO_RUN) {
		struct gs_run run = f->runs[at];
		enum gs_status status = explode_run(f, family, &starts, run);
		if (status != GS_OK)
			return status;
		at = run.next;
	}
	return GS_OK;
}

/* A family of the name that a part of another one has: its samples would be taken for that part. */
static bool clashes(const struct gs_families *f, const struct gs_family *family) {
	static const enum gs_piece pieces[][3] = {
	    {GS_PIECE_SUM, GS_PIECE_COUNT, GS_PIECE_BUCKET}, {GS_PIECE_GSUM, GS_PIECE_GCOUNT, GS_PIECE_BUCKET}};
	char text[GS_LIMIT_NAME + 16];
	memcpy(text, family->name.p, family->name.n);
	for (size_t i = 0; i < (family->type == GS_TYPE_SUMMARY ? 2 : 3); i++) {
		struct gs_str piece = piece_texts[pieces[family->type == GS_TYPE_GAUGEHISTOGRAM][i]];
		memcpy(text + family->name.n, piece.p, piece.n);
		if (gs_map_get(f->map, gs_str_make(text, family->name.n + piece.n)) != NULL)
			return true;
	}
	return false;
}

static enum gs_status explode_all(struct gs_families *f) {
	bool again = true;
	while (again) {
		again = false;
		for (struct gs_family *family = f->list; family != NULL; family = family->next) {
			if (!family->broken || family->exploded)
				continue;
			enum gs_status status = explode(f, family);
			if (status != GS_OK)
				return status;
			again = true;
		}
	}
	return GS_OK;
}

static enum gs_status put_together(struct gs_families *f) {
	struct gs_buf *out = f->out;
	gs_buf_clear(&f->spare);
	f->writer.out = &f->spare;
	for (const struct gs_family *family = f->list; family != NULL; family = family->next) {
		if (family->first == NO_RUN)
			continue;
		write_head(f, family);
		for (size_t at = family->first; at != NO_RUN; at = f->runs[at].next)
			gs_buf_add(&f->spare, out->p + f->runs[at].begin, f->runs[at].end - f->runs[at].begin);
	}
	if (f->spare.status != GS_OK)
		return f->spare.status;
	out->n = f->base;
	gs_buf_str(out, gs_buf_slice(&f->spare));
	if (f->spare.cap > GS_LIMIT_LINE)
		gs_buf_free(&f->spare);
	return out->status;
}

enum gs_status gs_families_end(struct gs_families *f) {
	enum gs_status status = close_run(f);
	if (status == GS_OK)
		status = f->out->status;
	for (struct gs_family *family = f->list; family != NULL && status == GS_OK; family = family->next) {
		if (gs_type_is_composite(family->type) && clashes(f, family))
			break_up(f, family);
	}
	if (status != GS_OK || !f->untidy)
		return status;
	status = explode_all(f);
	return status == GS_OK ? put_together(f) : status;
}
