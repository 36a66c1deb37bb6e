/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_CHECK_FAMILIES_H
#define GRAVEL_LIB_CHECK_FAMILIES_H

#include "gravel/check/check.h"

/* The families of one body, by name and in their order. */
struct gs_check_families;

/** gs_check_families_new(max): Holds at most ${max} families; NULL when out of memory. */
struct gs_check_families *gs_check_families_new(size_t max);
void gs_check_families_free(struct gs_check_families *families);
void gs_check_families_clear(struct gs_check_families *families);

/** gs_check_families_get(families, name, line, ret):
 * Find the family, or add it as first seen in ${line}. Beyond the maximum ${ret} is one that stands for all others, in no list. GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_check_families_get(
    struct gs_check_families *families, struct gs_str name, uint32_t line, struct gs_check_family **ret);

/** gs_check_families_next(families, after): The family that came after ${after} (NULL: the first), or NULL. */
const struct gs_check_family *gs_check_families_next(
    const struct gs_check_families *families, const struct gs_check_family *after);

size_t gs_check_families_count(const struct gs_check_families *families);

/** gs_check_families_full(families): Whether a family found no place. */
bool gs_check_families_full(const struct gs_check_families *families);

#endif
