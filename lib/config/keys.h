/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_CONFIG_KEYS_H
#define GRAVEL_CONFIG_KEYS_H

#include "gravel/config/config.h"

/* THE table of keys. Parsing, checks, defaults, the dump and docs/CONFIG.md walk it; a new key is a new row. */

enum gs_key_type {
	GS_KEY_BOOL, /* bool */
	GS_KEY_INT, /* int64_t */
	GS_KEY_DURATION, /* int64_t, milliseconds */
	GS_KEY_SIZE, /* int64_t, bytes */
	GS_KEY_STRING, /* const char * */
	GS_KEY_CHOICE, /* enum (int): index of the word in choices */
	GS_KEY_URLS, /* gs_config_stream.urls and .nurls */
	GS_KEY_SECTION, /* the keys of a section, at the offset */
	GS_KEY_FREE, /* a mapping whose contents are not ours */
	GS_KEY_JOBS, /* gs_config.jobs: names, then job_section */
	GS_KEY_TARGETS, /* gs_config_job.targets: a list of target_section */
	GS_KEY_RULES, /* gs_config_job.rules: regex to clearmode */
	GS_KEY_LABELS, /* gs_config_target.labels: name to value */
};

/* Marks of a key. */
enum {
	GS_KEY_INERT = 1, /* known and checked, but without effect: a warning, nothing stored */
	GS_KEY_ALIAS = 2, /* another place of a value: no default of its own, not dumped */
	GS_KEY_REQUIRED = 4, /* within its section */
	GS_KEY_PRESENCE = 8, /* a section whose struct begins with bool present */
};

struct gs_config_section;

struct gs_config_key {
	const char *name;
	enum gs_key_type type;
	unsigned marks;
	size_t offset; /* in the struct of its section */
	int64_t min, max; /* of numbers; of strings: of their length in bytes */
	int64_t number; /* default of BOOL, INT, DURATION, SIZE, CHOICE */
	const char *text; /* default of STRING; NULL is NULL */
	const char *const *choices; /* ended by NULL */
	const char *(*check)(struct gs_str s); /* of STRING and LABELS: NULL, or what is wrong */
	const struct gs_config_section *section;
	const char *def; /* how the reference tells the default, where it is no constant */
	const char *help;
};

struct gs_config_section {
	const char *title; /* in the reference */
	const char *help;
	const struct gs_config_key *keys;
	size_t nkeys;
};

extern const struct gs_config_section gs_keys_top;
extern const struct gs_config_section gs_keys_job;
extern const struct gs_config_section gs_keys_target;

#define GS_KEYS_INHERIT (-1) /* default of a job's interval and timeout */

/** gs_keys_find(section, name): The key, or NULL. */
const struct gs_config_key *gs_keys_find(const struct gs_config_section *section, struct gs_str name);

/** gs_keys_suggest(section, name): The key of ${section} nearest to ${name}, or NULL if none is near. */
const struct gs_config_key *gs_keys_suggest(const struct gs_config_section *section, struct gs_str name);

/** gs_keys_elsewhere(name, ret): Write where in the whole table a key ${name} stands ("receiver.listen", NUL-terminated) into ${ret};
 * false if nowhere. */
bool gs_keys_elsewhere(struct gs_str name, char *ret, size_t n);

/** gs_keys_defaults(section, base): Set every key of ${section} in the zeroed struct at ${base}. */
void gs_keys_defaults(const struct gs_config_section *section, void *base);

#endif
