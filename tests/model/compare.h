/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_TEST_COMPARE_H
#define GRAVEL_TEST_COMPARE_H

#include "gravel/base/buf.h"

/*
 * Expositions, compared as what they mean: a family is its head and a set of lines, a line is a name, a set of labels and a value.
 */

/** compare_family(got, want, tolerance, why):
 * Whether two texts of one family say the same. Values may differ by the relative ${tolerance}; 0: they are the same bytes. What differs is
 * appended to ${why}. */
bool compare_family(struct gs_str got, struct gs_str want, double tolerance, struct gs_buf *why);

/** compare_samples(got, want, why): Whether two expositions have the same samples; heads are not looked at, and bounds are numbers. */
bool compare_samples(struct gs_str got, struct gs_str want, struct gs_buf *why);

/** compare_valid(text, why):
 * Whether no series stands twice in the exposition ${text} and the lines of every metric name stand together, as far as they are no parts
 * of histograms and summaries, which may take turns within their family. */
bool compare_valid(struct gs_str text, struct gs_buf *why);

#endif
