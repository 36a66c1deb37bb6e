/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_BASE_CLOCK_H
#define GRAVEL_BASE_CLOCK_H

#include <stdint.h>

/** gs_clock_wall_ms(): Milliseconds since the epoch, as this host believes. */
int64_t gs_clock_wall_ms(void);

/** gs_clock_mono_ns(): Nanoseconds of a clock that never steps. */
int64_t gs_clock_mono_ns(void);

/** gs_clock_sleep_ms(ms): Sleep at least that long, signals or not. */
void gs_clock_sleep_ms(int64_t ms);

static inline int64_t gs_clock_mono_ms(void) {
	return gs_clock_mono_ns() / 1000000;
}

#endif
