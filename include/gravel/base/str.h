/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_BASE_STR_H
#define GRAVEL_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* A slice: ${n} bytes at ${p}, not terminated, not owned. {NULL, 0} is the empty slice. */
struct gs_str {
	const char *p;
	size_t n;
};

/* A slice of a string literal. */
#define GS_STR(literal) ((struct gs_str){.p = (literal), .n = sizeof(literal) - 1})

/* The same as a constant initialiser of a static table. */
#define GS_STR_INIT(literal)                                                                                           \
	{ .p = (literal), .n = sizeof(literal) - 1 }

/* printf arguments for "%.*s". */
#define GS_FMT(s) (int)(s).n, (s).p

/** gs_str_of(c):
 * Return the slice of the NUL-terminated ${c}; NULL gives the empty slice. */
static inline struct gs_str gs_str_of(const char *c) {
	return (struct gs_str){.p = c, .n = c != NULL ? strlen(c) : 0};
}

static inline struct gs_str gs_str_make(const char *p, size_t n) {
	return (struct gs_str){.p = p, .n = n};
}

static inline bool gs_str_eq(struct gs_str a, struct gs_str b) {
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/** gs_str_cmp(a, b):
 * Order two slices by bytes, a prefix before what it begins; < 0, 0 or > 0 as memcmp. */
int gs_str_cmp(struct gs_str a, struct gs_str b);

bool gs_str_starts(struct gs_str s, struct gs_str prefix);
bool gs_str_ends(struct gs_str s, struct gs_str suffix);

/** gs_str_cut(s, sep, head, tail):
 * Split ${s} at the first byte ${sep} into ${head} and ${tail}, without it. Return false, with
 * ${head} all of ${s} and ${tail} empty, if there is none. */
bool gs_str_cut(struct gs_str s, char sep, struct gs_str *ret_head, struct gs_str *ret_tail);

/** gs_str_trim(s):
 * Return ${s} without leading and trailing spaces, tabs, CR and LF. */
struct gs_str gs_str_trim(struct gs_str s);

/** gs_str_is_utf8(s):
 * Whether ${s} is well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool gs_str_is_utf8(struct gs_str s);

/** gs_str_distance(a, b):
 * Return the edit distance (insert, delete, replace, swap neighbours) of two short slices, for
 * suggesting the nearest known word; slices above 64 bytes count as far away (SIZE_MAX). */
size_t gs_str_distance(struct gs_str a, struct gs_str b);

#endif
