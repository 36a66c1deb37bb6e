/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_EXPO_REPEAT_H
#define GRAVEL_EXPO_REPEAT_H

#include "gravel/expo/expo.h"

/*
 * Repeat scrapes: a target's exposition differs from its last one in some values, and now and then in a line. A layout remembers where the
 * samples of the last body stand; against it, a new body is compared at the speed of memcmp, and only what changed is parsed.
 */
struct gs_layout;

/** gs_layout_new(): An empty layout or NULL. Memory: about 8 bytes a sample; it refers to no body. */
struct gs_layout *gs_layout_new(void);
void gs_layout_free(struct gs_layout *layout);

enum gs_change_kind {
	GS_CHANGE_END,
	GS_CHANGE_VALUE, /* sample ${index} of the previous body has a new value or timestamp */
	GS_CHANGE_META, /* event: a TYPE, HELP or UNIT that the previous body did not have at this place */
	GS_CHANGE_ADDED, /* event: a sample that the previous body did not have at this place */
	GS_CHANGE_REMOVED, /* sample ${index} of the previous body is gone */
};

struct gs_change {
	enum gs_change_kind kind;
	size_t index; /* among the samples of the previous body, from 0; VALUE and REMOVED come in rising order */
	size_t new_index; /* among the samples of the new body; VALUE and ADDED */
	double value;
	bool has_timestamp;
	int64_t timestamp_ms;
	const struct gs_expo_event *event;
};

struct gs_repeat; /* one comparison after the other; fixed state apart from the layouts */

#endif
