/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_WIRE_LINE_H
#define GRAVEL_LIB_WIRE_LINE_H

#include "gravel/wire/wire.h"

/* Private to the module: what the header lines of all kinds share, writing and reading. docs/PROTOCOL.md has their form. */

#define GS_WIRE_EXACT_MAX (UINT64_C(1) << 53) /* what any reader holds exactly, one with doubles only too */
#define GS_WIRE_KEYS_MAX 13 /* keys with numbers that a kind may have */
#define GS_WIRE_SHOWN_MAX 32 /* bytes of a word in an error */

/* Writing */

/** gs_wire_add_key(out, name): Append " <name>=". */
void gs_wire_add_key(struct gs_buf *out, char name);

/** gs_wire_add_text(out, text): Append ${text} as the value of a key: any bytes, escaped with '%'. */
void gs_wire_add_text(struct gs_buf *out, struct gs_str text);

/** gs_wire_add_format(out, format, utf8_names): Append " f=<word>", or nothing for text. */
void gs_wire_add_format(struct gs_buf *out, enum gs_expo_format format, bool utf8_names);

/* Reading: gs_wire_line_open; gs_wire_line_next while there is a rest, each pair given to one of the readers; gs_wire_line_require. All answer
 * GS_EINVAL for what breaks a rule of the page, with the reason and, where one place is wrong, its column in err. */

/* A key with a number. */
struct gs_wire_key {
	char name;
	bool required;
	uint64_t max;
	enum gs_status above; /* what a number above max is */
};

/* A key with a text: {{NULL, 0}, ...} until it was read. */
struct gs_wire_text {
	struct gs_str key; /* where it stands */
	struct gs_str value;
};

/* One line: what is left of it, and what was found so far. */
struct gs_wire_line {
	/* The caller's. */
	const struct gs_wire_key *keys;
	size_t nkeys; /* at most GS_WIRE_KEYS_MAX */
	struct gs_str kinds; /* those that are read, each one byte */
	bool names_max; /* errors say what a number must not be above */
	struct gs_buf *scratch; /* has room for the line once it is open: no slice of it moves */
	struct gs_error *err; /* or NULL */

	/* The reader's; zeroed before. */
	struct gs_str line; /* all of it, for columns */
	struct gs_str rest;
	char kind;
	uint64_t numbers[GS_WIRE_KEYS_MAX]; /* as keys; 0 for those that did not come */
	bool has[GS_WIRE_KEYS_MAX];
	bool has_format;
	enum gs_expo_format format;
	bool utf8_names;
};

/** gs_wire_line_open(line, text): What holds for every header line, before a look at its keys, and room for it in the scratch: GS_ELIMIT, GS_ENOMEM. Then version and
 * kind, which stand in front: GS_EUNSUPPORTED for one that is not ours. */
GS_MUST_USE enum gs_status gs_wire_line_open(struct gs_wire_line *line, struct gs_str text);

/** gs_wire_line_next(line, ret_key, ret_value): Take the pair that rest, not empty, begins with. The key has one byte, or none: it is a later writer's then, and is skipped. */
GS_MUST_USE enum gs_status gs_wire_line_next(
    struct gs_wire_line *line, struct gs_str *ret_key, struct gs_str *ret_value);

/** gs_wire_line_number(line, key, value): A number, if ${key} is one of keys; else it is skipped. The key's own status for one above its maximum. */
GS_MUST_USE enum gs_status gs_wire_line_number(struct gs_wire_line *line, struct gs_str key, struct gs_str value);

/** gs_wire_line_text(line, key, value, text): Undo the escaping of ${value}; ${text} then stands in the scratch. */
GS_MUST_USE enum gs_status gs_wire_line_text(
    struct gs_wire_line *line, struct gs_str key, struct gs_str value, struct gs_wire_text *text);

/** gs_wire_line_format(line, key, value): The word of key f: GS_EUNSUPPORTED for one that is none of ours. */
GS_MUST_USE enum gs_status gs_wire_line_format(struct gs_wire_line *line, struct gs_str key, struct gs_str value);

/** gs_wire_line_require(line, n): Whether those of the first ${n} keys came that must. */
GS_MUST_USE enum gs_status gs_wire_line_require(const struct gs_wire_line *line, size_t n);

/** gs_wire_line_missing(line, name), gs_wire_line_twice(line, key): GS_EINVAL, with this reason. */
enum gs_status gs_wire_line_missing(const struct gs_wire_line *line, char name);
enum gs_status gs_wire_line_twice(const struct gs_wire_line *line, struct gs_str key);

/** gs_wire_line_wrong(line, status, key, what): ${status}, with "key <key> <what>" at the column of ${key}. */
enum gs_status gs_wire_line_wrong(
    const struct gs_wire_line *line, enum gs_status status, struct gs_str key, const char *what);

#endif
