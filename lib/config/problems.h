/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_CONFIG_PROBLEMS_H
#define GRAVEL_CONFIG_PROBLEMS_H

#include "gravel/base/arena.h"
#include "gravel/config/config.h"

/* How many are kept with their text; fixed: nobody reads more. The rest is only counted. */
#define GS_PROBLEMS_MAX 1000

/* What is wrong with a config, as it is found: in any order. */
struct gs_problem {
	uint32_t line; /* from 1; 0: of the file as a whole */
	uint32_t column;
	size_t seq; /* order of finding, for those at the same place */
	bool warning;
	char *text;
};

struct gs_problems {
	struct gs_problem *all;
	size_t n;
	size_t cap;
	size_t errors;
	size_t warnings;
	bool no_memory; /* something could not be noted */
};

void gs_problems_init(struct gs_problems *problems);
void gs_problems_free(struct gs_problems *problems);

/** gs_problems_error(problems, line, column, fmt, ...): Note an error. Bytes that could forge a line of the report become '?'. */
void gs_problems_error(struct gs_problems *problems, uint32_t line, uint32_t column, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void gs_problems_warning(struct gs_problems *problems, uint32_t line, uint32_t column, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/** gs_problems_write(problems, file, report): Sort them by place and write them into ${report}. */
void gs_problems_write(struct gs_problems *problems, const char *file, struct gs_config_report *report);

#endif
