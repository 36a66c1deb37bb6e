/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/check/check.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "../common/console.h"
#include "gravel/base/num.h"
#include "gravelctl.h"
#include "input.h"

#define LARGEST 10 /* families of --stats */

struct command_line {
	bool auto_format;
	enum gs_expo_format format;
	bool utf8_names;
	bool stats;
	bool lint;
	uint64_t max_errors;
	int exit_code; /* below 0: go on */
};

/* All files together. */
struct sum {
	uint64_t files;
	uint64_t valid;
	uint64_t unreadable;
	struct gs_check_totals totals;
};

static void print_help(void) {
	printf("Usage: " GRAVELCTL " check [OPTION]... [FILE]...\n"
	       "Find every error in expositions of metrics.\n\n"
	       "  FILE                 a file or pipe; - or none is standard input. Compressed with\n"
	       "                       gzip or zstd it may hold %d MiB\n"
	       "      --format FORMAT  text, openmetrics, protobuf, or auto, the default: protobuf\n"
	       "                       by its first bytes; the file's ending (.prom, .om, .pb);\n"
	       "                       OpenMetrics if it ends with \"# EOF\" or, in a long pipe,\n"
	       "                       begins with what text does not know; else text\n"
	       "      --utf8-names     OpenMetrics: names in quotes are allowed\n"
	       "      --lint           warn of missing HELP and TYPE and of unusual names too\n"
	       "      --stats          print the %d families with the most series of each file\n"
	       "      --max-errors N   show the first N errors and warnings of each file; 0: all\n"
	       "  -h, --help           print this text and exit\n"
	       "\nErrors go to standard error as FILE:LINE:COLUMN: REASON (protobuf: the number of the\n"
	       "message as its line), a summary of each file goes to standard output.\n"
	       "Exit status: 0 if all files are valid, 1 if not or if one cannot be read, 2 on wrong\n"
	       "usage. Warnings do not count.\n",
	    GS_LIMIT_SCRAPE_BODY / 1024 / 1024, LARGEST);
}

/* Options */

static const char *format_name(enum gs_expo_format format) {
	static const char *const names[] = {"text", "text", "openmetrics", "protobuf"};
	return names[format];
}

static bool parse_format(const char *word, struct command_line *line) {
	static const enum gs_expo_format formats[] = {GS_FORMAT_TEXT, GS_FORMAT_OPENMETRICS, GS_FORMAT_PROTOBUF};
	line->auto_format = strcmp(word, "auto") == 0;
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		line->format = formats[i];
		if (strcmp(word, format_name(line->format)) == 0)
			return true;
	}
	return line->auto_format;
}

enum { OPTION_FORMAT = 256, OPTION_UTF8_NAMES, OPTION_LINT, OPTION_STATS, OPTION_MAX_ERRORS };

/* One option; an exit code, or -1 to go on. */
static int take_option(struct command_line *line, int option) {
	switch (option) {
	case OPTION_FORMAT:
		if (!parse_format(optarg, line))
			return console_usage(
			    GRAVELCTL " check", "unknown format '%s': use auto, text, openmetrics or protobuf", optarg);
		return -1;
	case OPTION_UTF8_NAMES:
		line->utf8_names = true;
		return -1;
	case OPTION_LINT:
		line->lint = true;
		return -1;
	case OPTION_STATS:
		line->stats = true;
		return -1;
	case OPTION_MAX_ERRORS:
		if (gs_num_parse_u64(gs_str_of(optarg), &line->max_errors) != GS_OK)
			return console_usage(GRAVELCTL " check", "--max-errors: '%s' is no number", optarg);
		return -1;
	case 'h':
		print_help();
		return EXIT_DONE;
	default:
		return console_try_help(GRAVELCTL " check");
	}
}

static struct command_line parse_options(int argc, char **argv) {
	static const struct option options[] = {
	    {"format", required_argument, NULL, OPTION_FORMAT},
	    {"utf8-names", no_argument, NULL, OPTION_UTF8_NAMES},
	    {"lint", no_argument, NULL, OPTION_LINT},
	    {"stats", no_argument, NULL, OPTION_STATS},
	    {"max-errors", required_argument, NULL, OPTION_MAX_ERRORS},
	    {"help", no_argument, NULL, 'h'},
	    {0},
	};
	struct command_line line = {.auto_format = true, .exit_code = -1};
	int c;
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread */
	while (line.exit_code < 0 && (c = getopt_long(argc, argv, "h", options, NULL)) != -1)
		line.exit_code = take_option(&line, c);
	return line;
}

/* Output */

/* ", 12 families": the plural of families is its own. */
static void print_count(uint64_t n, const char *one, const char *many) {
	printf(", %" PRIu64 " %s", n, n == 1 ? one : many);
}

static void print_problem(void *ctx, enum gs_check_severity severity, const struct gs_error *problem) {
	const char *file = *(const char **)ctx;
	const char *kind = severity == GS_CHECK_WARNING ? "warning: " : "";
	if (problem->column != 0)
		fprintf(stderr, "%s:%u:%u: %s%s\n", file, problem->line, problem->column, kind, problem->text);
	else if (problem->line != 0)
		fprintf(stderr, "%s:%u: %s%s\n", file, problem->line, kind, problem->text);
	else
		fprintf(stderr, "%s: %s%s\n", file, kind, problem->text);
}

static void print_unshown(const char *file, uint64_t max, uint64_t n, const char *what) {
	if (max != 0 && n > max)
		fprintf(stderr, "%s: and %" PRIu64 " more %s%s\n", file, n - max, what, n - max == 1 ? "" : "s");
}

static void print_contents(const struct gs_check_totals *totals) {
	if (totals->more_families)
		printf(", more than %" PRIu64 " families", totals->families);
	else
		print_count(totals->families, "family", "families");
	print_count(totals->series, "series", "series");
	print_count(totals->samples, "sample", "samples");
	print_count(totals->bytes, "byte", "bytes");
	if (totals->warnings != 0)
		print_count(totals->warnings, "warning", "warnings");
	putchar('\n');
}

static void print_summary(
    const char *file, enum gs_expo_format format, const struct input *in, const struct gs_check_totals *totals) {
	static const char *const packings[] = {"", " in gzip", " in zstd"};
	printf("%s: ", file);
	if (totals->errors == 0)
		printf("valid");
	else
		printf("%" PRIu64 " %s", totals->errors, totals->errors == 1 ? "error" : "errors");
	printf(", %s%s%s", format_name(format), packings[in->packing], totals->stopped ? ", not read further" : "");
	print_contents(totals);
}

static void print_sum(const struct sum *sum) {
	printf("all %" PRIu64 " files: %" PRIu64 " valid", sum->files, sum->valid);
	print_count(sum->totals.errors, "error", "errors");
	if (sum->unreadable != 0)
		printf(", %" PRIu64 " unreadable", sum->unreadable);
	print_contents(&sum->totals);
}

/* A name in quotes may hold anything. */
static void print_name(struct gs_str name) {
	for (size_t i = 0; i < name.n; i++) {
		unsigned char c = (unsigned char)name.p[i];
		putchar(c < 0x20 || c == 0x7f ? '?' : c);
	}
	putchar('\n');
}

static void print_stats(const struct gs_check *check, uint64_t series) {
	struct gs_check_family largest[LARGEST];
	size_t n = gs_check_largest(check, largest, LARGEST);
	if (n != 0)
		printf("%10s %7s %12s  %-14s %s\n", "series", "share", "bytes", "type", "family");
	for (size_t i = 0; i < n; i++) {
		const struct gs_check_family *family = &largest[i];
		uint64_t permille = series != 0 ? family->series * 1000 / series : 0;
		printf("%10" PRIu64 " %4" PRIu64 ".%" PRIu64 " %% %12" PRIu64 "  %-14s ", family->series, permille / 10,
		    permille % 10, family->bytes, family->has_type ? gs_expo_type_name(family->type) : "");
		print_name(family->name);
	}
}

/* Files */

static enum gs_status read_all(struct gs_check *check, struct input *in, struct gs_error *err) {
	for (;;) {
		enum gs_status status = gs_check_feed(check, gs_buf_slice(&in->buf), in->at_end);
		if (status != GS_OK)
			return gs_error_set(err, status, 0, 0, "out of memory");
		if (gs_check_is_over(check))
			return GS_OK;
		status = input_next(in, err);
		if (status != GS_OK)
			return status;
	}
}

static enum gs_status check_input(const struct command_line *line, struct gs_check *check, struct input *in,
    const char *file, struct gs_check_totals *ret_totals, struct gs_error *err) {
	enum gs_expo_format format = line->format;
	if (line->auto_format)
		format = gs_check_format(gs_str_of(file), gs_buf_slice(&in->buf), in->has_tail ? &in->tail : NULL);
	gs_check_begin(check, format, line->utf8_names);
	enum gs_status status = read_all(check, in, err);
	if (status != GS_OK)
		return status;
	*ret_totals = gs_check_totals(check);
	print_unshown(file, line->max_errors, ret_totals->errors, "error");
	print_unshown(file, line->max_errors, ret_totals->warnings, "warning");
	print_summary(file, format, in, ret_totals);
	if (line->stats)
		print_stats(check, ret_totals->series);
	fflush(stdout); /* so that the summary stands behind the errors where both go to one place */
	return GS_OK;
}

static void add_to_sum(struct sum *sum, const struct gs_check_totals *totals) {
	sum->valid += totals->errors == 0;
	sum->totals.families += totals->families;
	sum->totals.more_families |= totals->more_families;
	sum->totals.series += totals->series;
	sum->totals.samples += totals->samples;
	sum->totals.bytes += totals->bytes;
	sum->totals.errors += totals->errors;
	sum->totals.warnings += totals->warnings;
}

static void check_file(const struct command_line *line, const char *file, struct sum *sum) {
	const char *shown = strcmp(file, "-") == 0 ? "<stdin>" : file;
	struct gs_check_options options = {
	    .report = print_problem,
	    .ctx = &shown,
	    .lint = line->lint,
	    .max_reports = line->max_errors,
	};
	struct gs_check_totals totals;
	struct gs_error err = {.text = "out of memory"};
	struct gs_check *check = gs_check_new(&options);
	struct input in = {.fd = -1};
	enum gs_status status = check != NULL ? input_open(&in, file, &err) : GS_ENOMEM;
	if (status == GS_OK)
		status = check_input(line, check, &in, shown, &totals, &err);
	input_close(&in);
	gs_check_free(check);
	sum->files++;
	if (status == GS_OK) {
		add_to_sum(sum, &totals);
	} else {
		sum->unreadable++;
		fprintf(stderr, GRAVELCTL ": %s: %s\n", shown, err.text);
	}
}

/* Whether all that was printed arrived. */
static bool is_printed(void) {
	char reason[128];
	if (fflush(stdout) == 0 && ferror(stdout) == 0)
		return true;
	fprintf(stderr, GRAVELCTL ": cannot write the summary: %s\n", strerror_r(errno, reason, sizeof(reason)));
	return false;
}

int gravelctl_check(int argc, char **argv) {
	struct sum sum = {0};
	struct command_line line = parse_options(argc, argv);
	if (line.exit_code >= 0)
		return line.exit_code;
	if (optind == argc && isatty(STDIN_FILENO))
		return console_usage(GRAVELCTL " check", "nothing to check: name a file, or pipe an exposition in:\n  "
							 "curl -s localhost:9100/metrics | " GRAVELCTL " check");
	if (optind == argc)
		check_file(&line, "-", &sum);
	for (int i = optind; i < argc; i++)
		check_file(&line, argv[i], &sum);
	if (sum.files > 1)
		print_sum(&sum);
	bool all_valid = sum.valid == sum.files;
	return is_printed() && all_valid ? EXIT_DONE : EXIT_FAILED;
}
