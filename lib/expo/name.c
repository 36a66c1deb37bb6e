/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/expo/expo.h"

#include "parser.h"

#define L (GS_EXPO_LABEL | GS_EXPO_METRIC | GS_EXPO_LABEL_FIRST | GS_EXPO_METRIC_FIRST)
#define D (GS_EXPO_LABEL | GS_EXPO_METRIC)

/* clang-format off */
const uint8_t gs_expo_class[256] = {
    ['0'] = D, ['1'] = D, ['2'] = D, ['3'] = D, ['4'] = D, ['5'] = D, ['6'] = D, ['7'] = D, ['8'] = D, ['9'] = D,
    ['A'] = L, ['B'] = L, ['C'] = L, ['D'] = L, ['E'] = L, ['F'] = L, ['G'] = L, ['H'] = L, ['I'] = L, ['J'] = L,
    ['K'] = L, ['L'] = L, ['M'] = L, ['N'] = L, ['O'] = L, ['P'] = L, ['Q'] = L, ['R'] = L, ['S'] = L, ['T'] = L,
    ['U'] = L, ['V'] = L, ['W'] = L, ['X'] = L, ['Y'] = L, ['Z'] = L,
    ['a'] = L, ['b'] = L, ['c'] = L, ['d'] = L, ['e'] = L, ['f'] = L, ['g'] = L, ['h'] = L, ['i'] = L, ['j'] = L,
    ['k'] = L, ['l'] = L, ['m'] = L, ['n'] = L, ['o'] = L, ['p'] = L, ['q'] = L, ['r'] = L, ['s'] = L, ['t'] = L,
    ['u'] = L, ['v'] = L, ['w'] = L, ['x'] = L, ['y'] = L, ['z'] = L,
    ['_'] = L, [':'] = GS_EXPO_METRIC | GS_EXPO_METRIC_FIRST,
};
/* clang-format on */

static bool is_name(struct gs_str s, uint8_t first, uint8_t next) {
	return s.n != 0 && (gs_expo_class[(unsigned char)s.p[0]] & first) != 0 &&
	       gs_expo_skip_class(s.p, s.p + s.n, next) == s.p + s.n;
}

bool gs_expo_is_metric_name(struct gs_str s) {
	return is_name(s, GS_EXPO_METRIC_FIRST, GS_EXPO_METRIC);
}

bool gs_expo_is_label_name(struct gs_str s) {
	return is_name(s, GS_EXPO_LABEL_FIRST, GS_EXPO_LABEL);
}
