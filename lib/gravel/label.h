/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_GRAVEL_LABEL_H
#define GRAVEL_LIB_GRAVEL_LABEL_H

#include "gravel/expo/expo.h"

/* Labels as text: as they stand between the braces of a sample, name="value",name="value", a name that is no classic one in quotes. A set has one
 * text only, because its labels are sorted and escaped in one way. Not for other modules. */

/* Bytes that a label takes at most. */
#define GS_LABEL_TEXT_MAX(name, value) (2 * ((name).n + (value).n) + 6)

/** gs_label_put(at, name, value, odd): Write name="value" to ${at}, which has room for it, and return its end. Sets ${*odd} if the name is written otherwise for a
 * reader of classic names. */
char *gs_label_put(char *at, struct gs_str name, struct gs_str value, bool *odd);

/** gs_label_next(rest, ret): Cut the next label off ${*rest}, name (with quotes, if it has them) and value as they stand there; false at the end. */
bool gs_label_next(struct gs_str *rest, struct gs_label *ret);

/** gs_label_read(s, at): Undo the escapes (and quotes) of a name or value: its bytes go to ${at}, at most s.n, and are returned. */
struct gs_str gs_label_read(struct gs_str s, char *at);

/** gs_label_is_text(s, sorted, odd): Whether ${s}, any bytes, is such a text: what gs_label_put wrote, names that differ (if ${sorted}: that rise), commas between. Sets ${*odd} as gs_label_put
 * does. */
bool gs_label_is_text(struct gs_str s, bool sorted, bool *odd);

/** gs_label_is_target(name): Whether it is one of the labels of a target: instance, job, publisher. */
bool gs_label_is_target(struct gs_str name);

#endif
