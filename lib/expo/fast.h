/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_EXPO_FAST_H
#define GRAVEL_LIB_EXPO_FAST_H

#include <stdbool.h>
#include <stdint.h>

#include "gravel/expo/expo.h"

/*
 * The fast reader knows sample lines as every client writes them: name{label="value",...} value, with single blanks, and with a name in quotes
 * {"name",label="value",...} value; and "# HELP name text" and "# TYPE name type". What it finds otherwise, a mistake above all, it leaves to the
 * general reader, which alone words errors. It reads blocks of bytes, and what a line has in common with the one before it only compares. One
 * source is compiled for each kind of block.
 */

/* Where a label stands in its braces, counted from the '{', without its quotes. */
struct gs_expo_place {
	uint32_t name;
	uint32_t name_n;
	uint32_t value;
	uint32_t value_n;
};

/* The braces that the fast reader read last. They stand in the current window. */
struct gs_expo_braces {
	const char *open; /* its '{' */
	size_t n; /* bytes, with the braces; 0: there are none to compare with */
	size_t name_n; /* of the metric name, if it stands behind the '{' in quotes; else 0 */
	size_t nlabels;
	bool escapes; /* in any value */
	bool quoted[GS_LIMIT_LABELS]; /* the names */
	bool escaped[GS_LIMIT_LABELS]; /* the values */
	struct gs_expo_place places[GS_LIMIT_LABELS];
};

/* The kinds of blocks. */
enum gs_expo_blocks {
	GS_EXPO_BLOCKS_NONE, /* the general reader alone */
	GS_EXPO_BLOCKS_PLAIN, /* bytes in C */
	GS_EXPO_BLOCKS_SSE2,
	GS_EXPO_BLOCKS_AVX2,
};

/** gs_expo_fast_fn(parser, event): Read the line at parser->next if it is such a sample; GS_EAGAIN, and nothing done, if not. */
typedef enum gs_status gs_expo_fast_fn(struct gs_expo_parser *parser, struct gs_expo_event *event);

gs_expo_fast_fn gs_expo_fast_plain;
#ifdef __x86_64__
gs_expo_fast_fn gs_expo_fast_sse2;
gs_expo_fast_fn gs_expo_fast_avx2;
#endif

/** gs_expo_use_blocks(parser, blocks): Read with ${blocks} from now on, for tests; false if this machine has none of these. A new parser has the
 * widest there are. */
bool gs_expo_use_blocks(struct gs_expo_parser *parser, enum gs_expo_blocks blocks);

#endif
