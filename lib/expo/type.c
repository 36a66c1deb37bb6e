/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/expo/expo.h"

#include "parser.h"

static const struct {
	struct gs_str word;
	enum gs_expo_type type;
} words[] = {
    {GS_STR_INIT("counter"), GS_TYPE_COUNTER},
    {GS_STR_INIT("gauge"), GS_TYPE_GAUGE},
    {GS_STR_INIT("histogram"), GS_TYPE_HISTOGRAM},
    {GS_STR_INIT("summary"), GS_TYPE_SUMMARY},
    {GS_STR_INIT("untyped"), GS_TYPE_UNTYPED},
    {GS_STR_INIT("unknown"), GS_TYPE_UNTYPED},
    {GS_STR_INIT("info"), GS_TYPE_INFO},
    {GS_STR_INIT("stateset"), GS_TYPE_STATESET},
    {GS_STR_INIT("gaugehistogram"), GS_TYPE_GAUGEHISTOGRAM},
};

#define UNTYPED 4 /* the place of a word that OpenMetrics has not */
#define WORDS (sizeof(words) / sizeof(words[0]))

const char *gs_expo_type_name(enum gs_expo_type type) {
	for (size_t i = 0; i < WORDS; i++) {
		if (words[i].type == type)
			return words[i].word.p;
	}
	return "untyped";
}

bool gs_expo_type_of(struct gs_str word, bool strict, enum gs_expo_type *ret_type) {
	for (size_t i = 0; i < WORDS; i++) {
		if (gs_str_eq(words[i].word, word)) {
			*ret_type = words[i].type;
			return !strict || i != UNTYPED;
		}
	}
	return false;
}
