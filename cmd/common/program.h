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
	bool reloads; /* on SIGHUP */
	/* More checks of a valid config, for --check-config too; false after appending lines "file:line:column: text" of what is wrong. May be NULL. */
	bool (*check)(const struct gs_config *config, struct gs_buf *report);
	/* Run until a signal; returns an exit code. ${config} is its own then. */
	int (*run)(struct gs_config *config);
};

/** program_main(program, argc, argv): All of main. */
int program_main(const struct program *program, int argc, char **argv);

/** program_load(report, ret_config): Read the configuration of the command line, again too, and check it as at the start. ${report} is initialised here, to be freed in any case: a
 * line for each error and warning. As gs_config_load; the main thread. */
GS_MUST_USE enum gs_status program_load(struct gs_buf *report, struct gs_config **ret_config);

/** program_wait(on_hup, ctx): Wait for SIGTERM or SIGINT; on SIGHUP open the log again and call ${on_hup} (may be NULL), on this thread. Signals must not be handled
 * elsewhere. */
void program_wait(void (*on_hup)(void *ctx), void *ctx);

/** program_hup(): As if a SIGHUP had come. Any thread. */
void program_hup(void);

/** program_stop(): As if a SIGTERM had come. Any thread. */
void program_stop(void);

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
