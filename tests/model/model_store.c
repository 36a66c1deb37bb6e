/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store against the reference model, by random operations.
 *
 * usage: model_store [--seed N] [--seeds N] [--operations N] [--seconds N] [--only A,B,...] [--without FEATURE] [--all-events] [--print] [--forget]
 *
 *   --seed N         the first seed (1)
 *   --seeds N        how many (10)
 *   --operations N   of each seed (2000)
 *   --seconds N      go on with further seeds for so long; --seeds is not looked at
 *   --only A,B,...   only these operations, and only the first seed: what a failure says
 *   --without WORD   leave out min-max, pebbles, ttl, gateway, memory, render-memory
 *   --all-events     fail if something that can happen did not
 *   --print          every operation
 *   --forget         the model forgets some operations: what this program says must then be a failure
 *
 * A failure is made as short as it gets, and printed with the command that repeats it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "gravel/base/mem.h"
#include "gravel/base/num.h"
#include "run.h"

#define OPERATIONS_MAX 1000000

struct program {
	uint64_t seed;
	uint64_t seeds;
	uint64_t operations;
	uint64_t seconds;
	const char *only;
	bool all_events;
	bool print;
	bool forget;
	struct run_progress *progress; /* shared with the children */
	uint32_t *numbers;
	size_t n;
};

/* Run in a child, so that an assertion that fails ends only that. Returns whether all is well. */
static bool run_in_child(const struct program *program, const uint32_t *numbers, size_t n, bool quiet, bool print) {
	fflush(NULL);
	pid_t pid = fork();
	m_demand(pid >= 0, "fork");
	if (pid == 0) {
		struct gs_buf why;
		gs_buf_init(&why, SIZE_MAX);
		if (quiet && freopen("/dev/null", "w", stderr) == NULL)
			_exit(2);
		struct run_options options = {
		    .seed = program->seed, .numbers = numbers, .n = n, .print = print, .forget = program->forget};
		bool equal = run_operations(&options, program->progress, &why);
		if (!equal)
			fprintf(stderr, "%.*s", GS_FMT(gs_buf_slice(&why)));
		fflush(NULL);
		_exit(equal ? 0 : 1);
	}
	int status = 0;
	while (waitpid(pid, &status, 0) < 0)
		m_demand(errno == EINTR, "waitpid");
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Leave out what the failure does not need: halves, quarters, and so on to single operations. */
static void shrink(struct program *program) {
	uint32_t *fewer = gs_alloc_array(program->n, sizeof(*fewer));
	m_demand(fewer != NULL, "memory");
	for (size_t size = program->n / 2; size > 0; size /= 2) {
		for (size_t at = 0; at < program->n;) {
			size_t end = at + size < program->n ? at + size : program->n, n = 0;
			for (size_t i = 0; i < program->n; i++) {
				if (i < at || i >= end)
					fewer[n++] = program->numbers[i];
			}
			if (run_in_child(program, fewer, n, true, false)) {
				at = end;
				continue;
			}
			memcpy(program->numbers, fewer, n * sizeof(*fewer));
			program->n = n;
			while (program->n > 0 && program->numbers[program->n - 1] > program->progress->number)
				program->n--;
		}
	}
	gs_free(fewer);
}

static int fail(struct program *program) {
	uint32_t at = program->progress->number;
	fprintf(stderr, "\nseed %llu fails at operation %u; what is needed of it:\n", (unsigned long long)program->seed,
	    at);
	if (program->only == NULL) {
		while (program->n > 0 && program->numbers[program->n - 1] > at)
			program->n--;
		shrink(program);
	}
	(void)run_in_child(program, program->numbers, program->n, false, true);
	printf("repeat it with: model_store --seed %llu --only ", (unsigned long long)program->seed);
	for (size_t i = 0; i < program->n; i++)
		printf("%s%u", i != 0 ? "," : "", program->numbers[i]);
	printf("\n");
	return 1;
}

static void all_numbers(struct program *program) {
	program->n = program->operations;
	for (size_t i = 0; i < program->n; i++)
		program->numbers[i] = (uint32_t)i;
}

static void only_numbers(struct program *program) {
	struct gs_str rest = gs_str_of(program->only), one;
	program->n = 0;
	while (rest.n != 0 && program->n < OPERATIONS_MAX) {
		uint64_t number = 0;
		gs_str_cut(rest, ',', &one, &rest);
		m_demand(gs_num_parse_u64(one, &number) == GS_OK, "--only: numbers with commas");
		program->numbers[program->n++] = (uint32_t)number;
	}
}

static int report(const struct program *program) {
	int missing = 0;
	for (size_t i = 0; i < EVENTS; i++) {
		uint64_t n = program->progress->events[i];
		printf("%12llu %s\n", (unsigned long long)n, run_event_names[i]);
		missing += n == 0;
	}
	if (missing != 0 && program->all_events)
		printf("%d kinds of events did not happen\n", missing);
	return program->all_events && missing != 0;
}

static int run_seeds(struct program *program) {
	time_t end = time(NULL) + (time_t)program->seconds;
	for (uint64_t i = 0; program->seconds != 0 ? time(NULL) < end : i < program->seeds; i++) {
		all_numbers(program);
		if (program->only != NULL)
			only_numbers(program);
		if (!run_in_child(program, program->numbers, program->n, true, program->print))
			return fail(program);
		if (program->only != NULL)
			break;
		program->seed++;
	}
	return report(program);
}

static bool parse(struct program *program, int argc, char **argv) {
	const struct {
		const char *name;
		uint64_t *to;
	} numbers[] = {
	    {"--seed", &program->seed},
	    {"--seeds", &program->seeds},
	    {"--operations", &program->operations},
	    {"--seconds", &program->seconds},
	};
	for (int i = 1; i < argc; i++) {
		bool known = false;
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;
		for (size_t k = 0; k < sizeof(numbers) / sizeof(numbers[0]) && value != NULL; k++) {
			if (!known && strcmp(argv[i], numbers[k].name) == 0) {
				known = gs_num_parse_u64(gs_str_of(value), numbers[k].to) == GS_OK;
				i += known;
			}
		}
		if (known)
			continue;
		if (strcmp(argv[i], "--print") == 0)
			program->print = true;
		else if (strcmp(argv[i], "--forget") == 0)
			program->forget = true;
		else if (strcmp(argv[i], "--all-events") == 0)
			program->all_events = true;
		else if (strcmp(argv[i], "--only") == 0 && value != NULL)
			program->only = argv[++i];
		else if (strcmp(argv[i], "--without") == 0 && value != NULL && op_without(value))
			i++;
		else
			return false;
	}
	return program->operations <= OPERATIONS_MAX;
}

int main(int argc, char **argv) {
	struct program program = {.seed = 1, .seeds = 10, .operations = 2000};
	op_features();
	if (!parse(&program, argc, argv)) {
		fprintf(stderr,
		    "usage: model_store [--seed N] [--seeds N] [--operations N] [--seconds N] [--only A,B,...] "
		    "[--without FEATURE] [--all-events] [--print] [--forget]\n");
		return 2;
	}
	program.progress =
	    mmap(NULL, sizeof(*program.progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	program.numbers = gs_alloc_array(OPERATIONS_MAX, sizeof(*program.numbers));
	m_demand(program.progress != MAP_FAILED && program.numbers != NULL, "memory");
	int rc = run_seeds(&program);
	gs_free(program.numbers);
	return rc;
}
