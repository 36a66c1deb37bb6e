/* SPDX-License-Identifier: Apache-2.0 */
#include "program.h"

#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>

#include "gravel/log/log.h"
#include "gravel/telemetry/telemetry.h"

/* One message a subject: a new scrape replaces what it finds (DESIGN 5). */
#define MESSAGES_PER_SUBJECT 1
#define REPORT_MAX ((size_t)16 * 1024 * 1024)

static const char *program_name;
static pthread_t main_thread;
static const struct program *this_program; /* what program_load needs, from the start on */
static const char *config_file, *listen_address;

enum action { ACTION_RUN, ACTION_CHECK, ACTION_DUMP, ACTION_EXIT };

struct command_line {
	const char *config;
	const char *listen;
	enum action action;
	int exit_code;
};

void program_fail(const char *fmt, ...) {
	char text[1024];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fprintf(stderr, "%s: %s\n", program_name, text);
	gs_log(GS_LOG_ERROR, "%s", text);
}

static void print_help(const struct program *program) {
	printf("Usage: %s [OPTION]...\n%s\n\n", program->name, program->purpose);
	printf("  -c, --config FILE    read the configuration from FILE (docs/CONFIG.md)\n");
	fputs(program->options, stdout);
	printf("      --check-config   print every error and warning of the configuration and\n"
	       "                       exit: 0 if it is valid, 1 if not\n"
	       "      --dump-config    print the effective configuration, defaults included,\n"
	       "                       and exit\n"
	       "  -h, --help           print this text and exit\n"
	       "  -V, --version        print the version and exit\n"
	       "\nSignals: TERM and INT stop in order, HUP opens the log file again%s.\n"
	       "Exit status: 0 after a stop in order, 1 on an error, 2 on wrong usage.\n",
	    program->reloads ? " and\nreads the configuration again" : "");
}

static struct command_line parse_options(const struct program *program, int argc, char **argv) {
	static const struct option options[] = {
	    {"config", required_argument, NULL, 'c'},
	    {"check-config", no_argument, NULL, 'C'},
	    {"dump-config", no_argument, NULL, 'D'},
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'},
	    {0},
	};
	struct command_line line = {.action = ACTION_RUN, .exit_code = EXIT_DONE};
	int c;
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): before any thread starts */
	while ((c = getopt_long(argc, argv, program->takes_listen ? "c:l:hV" : "c:hV", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			line.config = optarg;
			break;
		case 'l':
			line.listen = optarg;
			break;
		case 'C':
			line.action = ACTION_CHECK;
			break;
		case 'D':
			line.action = ACTION_DUMP;
			break;
		case 'h':
			print_help(program);
			line.action = ACTION_EXIT;
			return line;
		case 'V':
			line.action = ACTION_EXIT;
			line.exit_code = console_version(program->name);
			return line;
		default:
			line.action = ACTION_EXIT;
			line.exit_code = console_try_help(program->name);
			return line;
		}
	}
	if (optind < argc) {
		line.action = ACTION_EXIT;
		line.exit_code = console_usage(program->name, "unexpected argument '%s'", argv[optind]);
	}
	return line;
}

static int print_buf(struct gs_buf *buf, FILE *to) {
	bool whole =
	    buf->status == GS_OK && (buf->n == 0 || fwrite(buf->p, 1, buf->n, to) == buf->n) && fflush(to) == 0;
	return whole ? EXIT_DONE : EXIT_FAILED;
}

static int dump(const struct gs_config *config) {
	struct gs_buf out;
	gs_buf_init(&out, SIZE_MAX);
	gs_config_dump(config, &out);
	int code = print_buf(&out, stdout);
	gs_buf_free(&out);
	return code;
}

static bool open_log(const struct program *program, const struct gs_config *config) {
	struct gs_error err = {0};
	enum gs_log_level level = config->verbose ? GS_LOG_VERBOSE : GS_LOG_INFO;
	if (config->debug)
		level = GS_LOG_DEBUG;
	if (gs_log_open(program->name, config->logfile, level, &err) == GS_OK)
		return true;
	fprintf(stderr, "%s: %s\n", program->name, err.text);
	return false;
}

/* Each target and each client keeps a connection: take what the system allows. */
static void raise_open_files(void) {
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit); /* without more files some scrapes or clients fail, and say so */
}

static void block_signals(void) {
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &set, NULL); /* before any thread starts: all inherit it */
	main_thread = pthread_self();
	signal(SIGPIPE, SIG_IGN);
}

void program_hup(void) {
	pthread_kill(main_thread, SIGHUP);
}

void program_stop(void) {
	pthread_kill(main_thread, SIGTERM);
}

void program_wait(void (*on_hup)(void *ctx), void *ctx) {
	sigset_t set;
	int sig = 0;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	while (sigwait(&set, &sig) != 0 || sig == SIGHUP) {
		if (sig != SIGHUP)
			continue;
		gs_log_reopen();
		if (on_hup != NULL)
			on_hup(ctx);
	}
	gs_log(GS_LOG_INFO, "stopping on signal %s", sig == SIGTERM ? "TERM" : "INT");
}

bool program_is_stopped(void) {
	sigset_t set;
	return sigpending(&set) == 0 && (sigismember(&set, SIGTERM) == 1 || sigismember(&set, SIGINT) == 1);
}

enum gs_status program_load(struct gs_buf *report, struct gs_config **ret_config) {
	struct gs_config *config = NULL;
	struct gs_config_report found;
	struct gs_error err = {0};
	enum gs_status status = gs_config_load(config_file, &found, &config);
	gs_buf_init(report, REPORT_MAX);
	gs_buf_str(report, gs_buf_slice(&found.text));
	gs_config_report_free(&found);
	if (status == GS_ENOMEM)
		gs_buf_printf(report, "%s: out of memory\n", program_name);
	if (status == GS_OK && listen_address != NULL)
		status = gs_config_set_listen(config, listen_address, &err);
	if (err.text[0] != '\0')
		gs_buf_printf(report, "%s: -l: %s\n", program_name, err.text);
	if (status == GS_OK && this_program->check != NULL && !this_program->check(config, report))
		status = GS_EINVAL;
	if (status == GS_OK)
		*ret_config = config;
	else
		gs_config_free(config);
	return status;
}

/* Takes ${config} over. */
static int act(const struct program *program, const struct command_line *line, struct gs_config *config) {
	int code = EXIT_DONE;
	if (line->action == ACTION_DUMP) {
		code = dump(config);
		gs_config_free(config);
		return code;
	}
	if (line->action == ACTION_CHECK) {
		printf("%s: valid\n", line->config != NULL ? line->config : "no configuration file, defaults");
		gs_config_free(config);
		return code;
	}
	block_signals();
	raise_open_files();
	if (!open_log(program, config)) {
		gs_config_free(config);
		return EXIT_FAILED;
	}
	gs_metric_set_l(GS_M_BUILD_INFO, 1, program->name, GRAVEL_VERSION);
	code = program->run(config);
	gs_log_close();
	return code;
}

int program_main(const struct program *program, int argc, char **argv) {
	struct gs_config *config = NULL;
	struct gs_buf report;
	program_name = program->name;
	struct command_line line = parse_options(program, argc, argv);
	if (line.action == ACTION_EXIT)
		return line.exit_code;
	this_program = program;
	config_file = line.config;
	listen_address = line.listen;
	enum gs_status status = program_load(&report, &config);
	print_buf(&report, stderr);
	gs_buf_free(&report);
	return status == GS_OK ? act(program, &line, config) : EXIT_FAILED;
}

/* The default name of a stream: its topic in upper case, what JetStream refuses in names as '_'. */
static void stream_name(char *out, size_t n, const char *topic) {
	size_t i = 0;
	for (; topic[i] != '\0' && i + 1 < n; i++) {
		char c = topic[i];
		if (c >= 'a' && c <= 'z')
			c = (char)(c - 32);
		bool plain = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
		out[i] = (char)(plain ? c : '_');
	}
	out[i] = '\0';
}

void program_bus_options(const struct gs_config *config, const struct gs_config_stream *stream,
    struct program_bus *memory, struct gs_bus_options *ret) {
	if (stream->client_id[0] != '\0')
		snprintf(memory->name, sizeof(memory->name), "%s", stream->client_id);
	else
		snprintf(memory->name, sizeof(memory->name), "%s-%s", program_name, config->identity);
	if (stream->stream[0] != '\0')
		snprintf(memory->stream, sizeof(memory->stream), "%s", stream->stream);
	else
		stream_name(memory->stream, sizeof(memory->stream), stream->topic);
	snprintf(memory->subjects, sizeof(memory->subjects), "%s.scrape.>", stream->topic);
	*ret = (struct gs_bus_options){
	    .urls = stream->urls,
	    .nurls = stream->nurls,
	    .name = memory->name,
	    .stream =
		{
		    .name = memory->stream,
		    .subjects = memory->subjects,
		    .replicas = stream->replicas,
		    .max_age_ms = stream->retention,
		    .max_msgs_per_subject = MESSAGES_PER_SUBJECT,
		    .memory = stream->storage == GS_STORAGE_MEMORY,
		},
	};
}

void program_push_options(const struct gs_config *config, const struct gs_config_stream *stream,
    struct program_bus *memory, struct gs_bus_options *ret) {
	program_bus_options(config, stream, memory, ret);
	size_t n = strlen(memory->stream);
	if (stream->push_stream != NULL && stream->push_stream[0] != '\0')
		snprintf(memory->stream, sizeof(memory->stream), "%s", stream->push_stream);
	else
		snprintf(memory->stream + n, sizeof(memory->stream) - n, "_PUSH");
	snprintf(memory->subjects, sizeof(memory->subjects), "%s.push.>", stream->topic);
	ret->stream.max_age_ms = stream->push_retention;
	ret->stream.max_msgs_per_subject = 0; /* a log: every push counts */
	ret->stream.whole = true;
}
