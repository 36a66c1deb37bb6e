/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_CMD_PROGRAM_H
#define GRAVEL_CMD_PROGRAM_H

#include "console.h"
#include "gravel/bus/bus.h"
#include "gravel/config/config.h"

/* What the two daemons share: options, configuration, log, signals. */

struct program {
	const char *name;
	const char *purpose; /* of --help */
	const char *options; /* the program's own options for --help; "" for none */
	bool takes_listen; /* -l */
	/* More checks of a valid config, for --check-config too; false after printing what is wrong. May be NULL. */
	bool (*check)(const struct gs_config *config);
	/* Run until a signal; returns an exit code. */
	int (*run)(const struct gs_config *config);
};

/** program_main(program, argc, argv): All of main. */
int program_main(const struct program *program, int argc, char **argv);

/** program_wait(): Wait for SIGTERM or SIGINT; on SIGHUP open the log again. Signals must not be handled elsewhere. */
void program_wait(void);

/** program_is_stopped(): Whether SIGTERM or SIGINT waits, which program_wait will take. */
bool program_is_stopped(void);

/** program_fail(fmt, ...): Print "NAME: text" to stderr and log it. */
void program_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The bus options of a stream section; strings live in ${memory}. */
struct program_bus {
	char name[256];
	char stream[256];
	char subjects[256];
};

/** program_bus_options(config, stream, memory, ret): Fill ${ret} from a stream section of ${config}. */
void program_bus_options(const struct gs_config *config, const struct gs_config_stream *stream,
    struct program_bus *memory, struct gs_bus_options *ret);

/** program_push_options(config, stream, memory, ret): The same of its stream of pushes. */
void program_push_options(const struct gs_config *config, const struct gs_config_stream *stream,
    struct program_bus *memory, struct gs_bus_options *ret);

#endif
