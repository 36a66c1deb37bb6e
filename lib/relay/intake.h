/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_RELAY_INTAKE_H
#define GRAVEL_LIB_RELAY_INTAKE_H

#include "gravel/codec/codec.h"
#include "gravel/scrape/series.h"
#include "gravel/transform/transform.h"
#include "outgoing.h"

/*
 * One exposition on its way from bytes to compressed parts: parsed, counted, and what is to be sent of it cut and compressed as soon as a part of it is full. So of
 * a large one only a window and the compressed parts are in memory, and no call takes longer than what it was given. What a job writes anew is in memory until its end, and what goes
 * into a rollup before it, too: rollups take one scrape after the other. Private to the module; one thread.
 */
struct gs_intake;

/** gs_intake_new(): NULL when out of memory. */
struct gs_intake *gs_intake_new(void);
void gs_intake_free(struct gs_intake *intake);

struct gs_intake_options {
	struct gs_str content_type;
	struct gs_series_set *series; /* of the target; NULL: not kept */
	struct gs_transform *transform; /* of the job; NULL: none */
	const struct gs_label *labels; /* of the target; must live until the end, as must the transform */
	size_t nlabels;
	uint64_t target; /* its number in rollups */
	bool pieces; /* it comes in pieces, and other scrapes of the job come between them */
	struct gs_codec *codec; /* to compress with; used during calls only */
	size_t part_size;
};

/** gs_intake_begin(intake, options): Start over. */
void gs_intake_begin(struct gs_intake *intake, const struct gs_intake_options *options);

/** gs_intake_feed(intake, piece, last):
 * Take the next bytes and whether they are the last. False: it is no exposition, or too large; the rest does not matter then. */
bool gs_intake_feed(struct gs_intake *intake, struct gs_str piece, bool last);

struct gs_intake_result {
	uint64_t samples;
	uint64_t kept; /* after relabelling */
	uint64_t series_added;
	bool honor_labels; /* as of gs_transform_result; false without a transform */
	struct gs_expo_options format; /* of what is sent */
	const struct gs_outgoing_part *parts; /* until the next begin */
	size_t nparts;
};

/** gs_intake_end(intake, ret, err): After the last bytes: what is to be sent. GS_EINVAL, GS_ELIMIT with line and column, or what the transform says; GS_ENOMEM. The samples of ${ret} are
 * set in any case. */
GS_MUST_USE enum gs_status gs_intake_end(struct gs_intake *intake, struct gs_intake_result *ret, struct gs_error *err);

/** gs_intake_drop(intake): It broke off: forget it, and the memory that only a large one needs. */
void gs_intake_drop(struct gs_intake *intake);

#endif
