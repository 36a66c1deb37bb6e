/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_CONFIG_KEYS_H
#define GRAVEL_CONFIG_KEYS_H

#include "gravel/config/config.h"

/* THE table of keys. Parsing, checks, defaults, the dump and docs/CONFIG.md walk it; a new key is a new row. */

enum gs_key_type {
	GS_KEY_BOOL, /* bool; with choices: whether it is the second word */
	GS_KEY_INT, /* int64_t */
	GS_KEY_DURATION, /* int64_t, milliseconds */
	GS_KEY_SIZE, /* int64_t, bytes */
	GS_KEY_STRING, /* const char * */
	GS_KEY_CHOICE, /* an enum or int: index of the word in choices */
	GS_KEY_URLS, /* gs_config_stream.urls and .nurls */
	GS_KEY_SECTION, /* the keys of a section, at the offset */
	GS_KEY_TEXTS, /* a list: array of const char * */
	GS_KEY_LABELS, /* name to value: array of gs_config_label */
	GS_KEY_PARAMS, /* name to list of values: array of gs_config_label, one for each value */
	GS_KEY_HEADERS, /* name to header_section: array of gs_config_header, one for each value */
	GS_KEY_ITEMS, /* a list of sections: array of what section.size says; what is there already stays */
	GS_KEY_JOBS, /* gs_config.jobs: name to section; or a list of sections if those have a size */
	GS_KEY_RULES, /* gs_config_job.rules: regex to clearmode */
	GS_KEY_FREE, /* a mapping whose contents are not ours */
	GS_KEY_ANY, /* the same, of any kind */
	GS_KEY_REFUSED, /* known, but an error, for which help gives the reason: ignoring it would be wrong */
};

/* Marks of a key. */
enum {
	GS_KEY_INERT = 1, /* known and checked, but without effect: a warning, nothing stored */
	GS_KEY_ALIAS = 2, /* another place of a value: no default of its own, not dumped */
	GS_KEY_REQUIRED = 4, /* within its section; with one_of: one of them */
	GS_KEY_PRESENCE = 8, /* whether it was given is the bool at also; not dumped without */
	GS_KEY_ABSENCE = 16, /* the other way round */
	GS_KEY_VARIANT = 32, /* when it was given, number is the int at also; else not dumped */
	GS_KEY_EMPTY = 64, /* of STRING: an empty text is a value, not the default */
	GS_KEY_SECRET = 128, /* of STRING and TEXTS: dumped as <hidden> */
	GS_KEY_ADDRESS = 256, /* likewise: an address whose user and password are hidden */
	GS_KEY_PATH = 512, /* likewise: a relative one begins at the folder of the config */
	GS_KEY_SINGLE = 1024, /* of TEXTS: written as one text, not as a list */
	GS_KEY_FOLD = 2048, /* of CHOICE: in capitals or not */
	GS_KEY_BINARY = 4096, /* of SIZE: KB, MB... are powers of 1024, too, as Prometheus reads them */
	GS_KEY_RAW = 8192, /* of STRING: may hold line breaks and other controls of ASCII */
};

struct gs_config_section;
struct gs_loader;
struct gs_node;
struct gs_path;

struct gs_config_key {
	const char *name;
	enum gs_key_type type;
	unsigned marks;
	unsigned
	    one_of; /* not 0: at most one of the keys with this number in a section may be given; below GS_KEY_GROUPS */
	size_t offset; /* in the struct of its section */
	size_t count; /* of arrays: offset of their size_t */
	size_t also; /* see the marks */
	int64_t min,
	    max; /* of numbers; of strings: of their length in bytes; of TEXTS: of each; of LABELS, PARAMS: of values */
	int64_t number; /* default of BOOL, INT, DURATION, SIZE, CHOICE; see GS_KEY_VARIANT */
	const char *text; /* default of STRING; NULL is NULL */
	const char *const *choices; /* ended by NULL */
	const char *(*check)(
	    struct gs_str s); /* of STRING, TEXTS, and of the names of LABELS and HEADERS: NULL, or what is wrong */
	const struct gs_config_section *section;
	const char *needs; /* the key of its section without which it makes no sense */
	void (*after)(
	    struct gs_loader *l, const struct gs_path *path, const struct gs_node *node, void *base); /* more checks */
	const char *def; /* how the reference tells the default, where it is no constant */
	const char *help;
};

#define GS_KEY_GROUPS 3

struct gs_config_section {
	const char *title; /* in the reference */
	const char *help;
	const struct gs_config_key *keys;
	size_t nkeys;
	/* Of those that are items of a list: */
	size_t size; /* of the struct */
	size_t place; /* not 0: offset of uint32_t line, column */
	bool tagged; /* one array holds several lists; items are in the order of their tags */
	int tag;
	size_t tag_at; /* offset of the int or enum */
	void (*after)(
	    struct gs_loader *l, const struct gs_path *path, const struct gs_node *node, void *base); /* more checks */
	size_t documented; /* keys that the reference lists; 0: all */
};

/* The value of a key of GS_KEY_HEADERS. */
struct gs_config_header_values {
	const char **values;
	size_t nvalues;
	const char **secrets;
	size_t nsecrets;
	const char **files;
	size_t nfiles;
};

extern const struct gs_config_section gs_keys_top;
extern const struct gs_config_section gs_keys_job;
extern const struct gs_config_section gs_keys_scrape_config;
extern const struct gs_config_section gs_keys_target;

#define GS_KEYS_NAME_MAX 250 /* bytes of identity, job, instance: three of them, escaped, stand in a subject */
#define GS_KEYS_TEXT_MAX 4096

#define GS_KEYS_INHERIT (-1) /* default of a job's interval and timeout */

/** gs_keys_find(section, name): The key, or NULL. */
const struct gs_config_key *gs_keys_find(const struct gs_config_section *section, struct gs_str name);

/** gs_keys_suggest(section, name): The key of ${section} nearest to ${name}, or NULL if none is near. */
const struct gs_config_key *gs_keys_suggest(const struct gs_config_section *section, struct gs_str name);

/** gs_keys_elsewhere(name, ret): Write where in the whole table a key ${name} stands ("receiver.listen", NUL-terminated) into ${ret};
 * false if nowhere. */
bool gs_keys_elsewhere(struct gs_str name, char *ret, size_t n);

/** gs_keys_array(key, base), gs_keys_count(key, base): What an array type keeps in the struct at ${base}. */
void *gs_keys_array(const struct gs_config_key *key, const void *base);
size_t gs_keys_count(const struct gs_config_key *key, const void *base);

/** gs_keys_set_array(key, base, array, n): Set both. */
void gs_keys_set_array(const struct gs_config_key *key, void *base, void *array, size_t n);

/** gs_keys_defaults(section, base): Set every key of ${section} in the zeroed struct at ${base}. */
void gs_keys_defaults(const struct gs_config_section *section, void *base);

#endif
