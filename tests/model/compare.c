/* SPDX-License-Identifier: Apache-2.0 */
#include "compare.h"

#include <math.h>
#include <stdlib.h>

#include "gravel/base/hash.h"
#include "gravel/base/num.h"

#define LINES_MAX 4096
#define TABLE 16384 /* a power of two, larger than any exposition of the universe */

/* A line taken apart. */
struct sight {
	struct gs_str line;
	struct gs_str value;
	uint64_t name;
	uint64_t series; /* of name and labels, in whatever order these stand */
};

static uint64_t mix(uint64_t z) {
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* Where the piece of the label list that begins at ${i} ends: before a comma or brace that stands in no quotes. */
static size_t piece_end(struct gs_str line, size_t i) {
	bool quoted = false;
	for (; i < line.n; i++) {
		char c = line.p[i];
		if (c == '\\' && quoted)
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted && (c == ',' || c == '}'))
			break;
	}
	return i;
}

/* A name in quotes: a piece that is nothing but a string. */
static bool is_name(struct gs_str piece) {
	return piece.n != 0 && piece.p[0] == '"' && memchr(piece.p, '=', piece.n) == NULL;
}

/* A label, with its bound as a number where that is asked for: other formats than text write it their own way. */
static uint64_t hash_label(struct gs_str piece, bool numbers) {
	struct gs_str name, value;
	double bound;
	if (!numbers || !gs_str_cut(piece, '=', &name, &value) || value.n < 2 ||
	    !(gs_str_eq(name, GS_STR("le")) || gs_str_eq(name, GS_STR("quantile"))) ||
	    gs_num_parse_double(gs_str_make(value.p + 1, value.n - 2), &bound) != GS_OK)
		return mix(gs_hash_stable(piece, 1));
	return mix(gs_hash_stable(name, 1) + gs_hash_stable(gs_str_make((const char *)&bound, sizeof(bound)), 5));
}

static struct sight look(struct gs_str line, bool numbers) {
	struct sight sight = {.line = line};
	size_t i = 0;
	while (i < line.n && line.p[i] != '{' && line.p[i] != ' ')
		i++;
	if (i != 0)
		sight.name = gs_hash_stable(gs_str_make(line.p, i), 0);
	uint64_t labels = 0;
	while (i < line.n && line.p[i] != ' ' && line.p[i] != '}') {
		size_t begin = i + 1;
		i = piece_end(line, begin);
		struct gs_str piece = gs_str_make(line.p + begin, i - begin);
		if (is_name(piece))
			sight.name = gs_hash_stable(gs_str_make(piece.p + 1, piece.n - 2), 0);
		else if (piece.n != 0)
			labels += hash_label(piece, numbers);
	}
	if (i < line.n && line.p[i] == '}')
		i++;
	sight.series = mix(sight.name + mix(labels));
	sight.value = i < line.n ? gs_str_make(line.p + i + 1, line.n - i - 1) : (struct gs_str){0};
	return sight;
}

static bool next_line(struct gs_str *rest, struct gs_str *ret) {
	return rest->n != 0 && (gs_str_cut(*rest, '\n', ret, rest), true);
}

static bool is_comment(struct gs_str line) {
	return line.n != 0 && line.p[0] == '#';
}

/* The same heads, and the same set of lines? */
static bool same(struct gs_str a, struct gs_str b) {
	uint64_t sums[2] = {0, 0}, heads[2] = {0, 0};
	struct gs_str rest[2] = {a, b}, line;
	for (int k = 0; k < 2; k++) {
		bool head = true;
		while (next_line(&rest[k], &line)) {
			if (is_comment(line)) {
				heads[k] = mix(heads[k] + gs_hash_stable(line, 2) + (head ? 0 : 1));
				continue;
			}
			struct sight sight = look(line, false);
			head = false;
			sums[k] += mix(sight.series + mix(gs_hash_stable(sight.value, 3)));
		}
	}
	return sums[0] == sums[1] && heads[0] == heads[1];
}

static int compare_sights(const void *a, const void *b) {
	const struct sight *x = a, *y = b;
	if (x->series != y->series)
		return x->series < y->series ? -1 : 1;
	return gs_str_cmp(x->value, y->value);
}

static size_t sorted_sights(struct gs_str text, struct sight *sights, uint64_t *ret_heads, bool numbers) {
	struct gs_str line;
	size_t n = 0;
	*ret_heads = 0;
	while (next_line(&text, &line)) {
		if (is_comment(line))
			*ret_heads = mix(*ret_heads + gs_hash_stable(line, 2));
		else if (n < LINES_MAX)
			sights[n++] = look(line, numbers);
	}
	if (n != 0)
		qsort(sights, n, sizeof(*sights), compare_sights);
	return n;
}

static bool is_near(struct gs_str a, struct gs_str b, double tolerance) {
	double x, y;
	if (gs_str_eq(a, b))
		return true;
	if (tolerance <= 0 || gs_num_parse_double(a, &x) != GS_OK || gs_num_parse_double(b, &y) != GS_OK)
		return false;
	return fabs(x - y) <= tolerance * fmax(fabs(x), fabs(y));
}

/* How two sorted lists differ. */
static bool compare_lists(
    const struct sight *a, size_t na, const struct sight *b, size_t nb, double tolerance, struct gs_buf *why) {
	size_t i = 0, k = 0;
	bool equal = true;
	while (i < na || k < nb) {
		bool both = i < na && k < nb && a[i].series == b[k].series;
		if (both && is_near(a[i].value, b[k].value, tolerance)) {
			i++;
			k++;
			continue;
		}
		equal = false;
		if (i < na && (k == nb || a[i].series <= b[k].series))
			gs_buf_printf(why, "  store: %.*s\n", GS_FMT(a[i].line));
		if (k < nb && (i == na || b[k].series <= a[i].series))
			gs_buf_printf(why, "  model: %.*s\n", GS_FMT(b[k].line));
		bool step_a = i < na && (k == nb || a[i].series <= b[k].series);
		bool step_b = k < nb && (i == na || b[k].series <= a[i].series);
		i += step_a;
		k += step_b;
	}
	return equal;
}

bool compare_family(struct gs_str got, struct gs_str want, double tolerance, struct gs_buf *why) {
	static struct sight a[LINES_MAX], b[LINES_MAX];
	uint64_t heads[2];
	if (same(got, want))
		return true;
	size_t na = sorted_sights(got, a, &heads[0], false), nb = sorted_sights(want, b, &heads[1], false);
	if (heads[0] != heads[1])
		gs_buf_cstr(why, "  the heads differ\n");
	return compare_lists(a, na, b, nb, tolerance, why) && heads[0] == heads[1];
}

bool compare_samples(struct gs_str got, struct gs_str want, struct gs_buf *why) {
	static struct sight a[LINES_MAX], b[LINES_MAX];
	uint64_t heads;
	size_t na = sorted_sights(got, a, &heads, true), nb = sorted_sights(want, b, &heads, true);
	return compare_lists(a, na, b, nb, 0, why);
}

/* Validity */

struct slot {
	uint64_t key;
	uint64_t round;
	unsigned family;
};

/* Find or add; *ret_new says which. */
static struct slot *slot_of(struct slot *table, uint64_t key, uint64_t round, bool *ret_new) {
	size_t i = key & (TABLE - 1);
	while (table[i].round == round && table[i].key != key)
		i = (i + 1) & (TABLE - 1);
	*ret_new = table[i].round != round;
	if (*ret_new)
		table[i] = (struct slot){.key = key, .round = round};
	return &table[i];
}

static bool invalid(struct gs_buf *why, const char *what, struct gs_str line) {
	gs_buf_printf(why, "  %s: %.*s\n", what, GS_FMT(line));
	return false;
}

bool compare_valid(struct gs_str text, struct gs_buf *why) {
	static struct slot names[TABLE], series[TABLE];
	static uint64_t round;
	struct gs_str line, head = {0};
	uint64_t last = 0;
	unsigned family = 0;
	bool parts = false, is_new;
	round++;
	while (next_line(&text, &line)) {
		if (is_comment(line)) {
			if (gs_str_starts(line, GS_STR("# TYPE "))) {
				family++;
				parts =
				    gs_str_ends(line, GS_STR(" histogram")) || gs_str_ends(line, GS_STR(" summary"));
			}
			head = line;
			continue;
		}
		struct sight sight = look(line, false);
		(void)slot_of(series, sight.series, round, &is_new);
		if (!is_new)
			return invalid(why, "a series stands twice", line);
		if (sight.name == last)
			continue;
		struct slot *name = slot_of(names, sight.name, round, &is_new);
		if (!is_new && name->family != family)
			return invalid(why, "two families have metrics of one name", line);
		if (!is_new && !parts)
			return invalid(why, "the lines of a metric do not stand together", line);
		name->family = family;
		last = sight.name;
	}
	return head.n != 0 || family == 0;
}
