/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "../common/console.h"
#include "gravelctl.h"

struct command {
	const char *name;
	const char *purpose;
	char *argv0; /* how getopt calls it in what it prints */
	int (*run)(int argc, char **argv);
};

static char check_argv0[] = GRAVELCTL " check";

static const struct command commands[] = {
    {"check", "find every error in an exposition", check_argv0, gravelctl_check},
};

#define NCOMMANDS (sizeof(commands) / sizeof(commands[0]))

static int print_help(void) {
	printf("Usage: " GRAVELCTL " [OPTION] COMMAND [ARGUMENT]...\n"
	       "Tools for the expositions of Prometheus metrics.\n\nCommands:\n");
	for (size_t i = 0; i < NCOMMANDS; i++)
		printf("  %-20s %s\n", commands[i].name, commands[i].purpose);
	printf("\nOptions:\n"
	       "  -h, --help           print this text and exit; of a command: " GRAVELCTL " COMMAND --help\n"
	       "  -V, --version        print the version and exit\n"
	       "\nExit status: 0 when all is well, 1 on an error, 2 on wrong usage.\n");
	return EXIT_DONE;
}

static int run_command(int argc, char **argv) {
	for (size_t i = 0; i < NCOMMANDS; i++) {
		if (strcmp(argv[0], commands[i].name) == 0) {
			argv[0] = commands[i].argv0;
			return commands[i].run(argc, argv);
		}
	}
	return console_usage(GRAVELCTL, "unknown command '%s'", argv[0]);
}

int main(int argc, char **argv) {
	static const struct option options[] = {
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'},
	    {0},
	};
	int c;
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread */
	while ((c = getopt_long(argc, argv, "+hV", options, NULL)) != -1) {
		if (c == 'h')
			return print_help();
		return c == 'V' ? console_version(GRAVELCTL) : console_try_help(GRAVELCTL);
	}
	if (optind == argc)
		return console_usage(GRAVELCTL, "a command is missing");
	argc -= optind;
	argv += optind;
	optind = 0; /* start over, in GNU's getopt */
	return run_command(argc, argv);
}
