/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "keys.h"
#include "value.h"

static const char intro[] =
    "<!-- Made by gravel-reference from lib/config/keys.c; a test compares. -->\n"
    "# Configuration\n\n"
    "One YAML file for both programs; `config/` holds commented examples. Every key has a default, so that no file at "
    "all is a\n"
    "configuration too: `gravel-receiver` is then a push gateway on localhost:4278.\n\n"
    "- `--check-config` reads the file and lists every error as `file:line:column: message`; `--dump-config` prints "
    "what is in\n"
    "  effect, defaults included, passwords hidden.\n"
    "- A duration is written as in Prometheus (`500ms`, `15s`, `1m30s`, `1d`); a bare number is seconds.\n"
    "- A size is a number of bytes, or one with KB, MB, GB (powers of 1000) or KiB, MiB, GiB (powers of 1024).\n"
    "- A key without a value (or `null`) is as if it were not there. A key twice in one mapping is an error, and so is "
    "an\n"
    "  unknown one. Aliases and merge keys (`<<`) work; tags and a second document do not.\n"
    "- A relative path of a file that a job names begins at the folder of the config.\n"
    "- Jobs stand in `jobs` or, as Prometheus writes them, in `scrape_configs`; their keys have Prometheus' names and "
    "meaning.\n"
    "- Keys marked *no effect yet* come from prometheus-streams or other versions of Prometheus; a warning says so. "
    "Those "
    "marked\n"
    "  *not supported* are errors, because to ignore them would be wrong.\n";

static const char *type_name(const struct gs_config_key *key) {
	switch (key->type) {
	case GS_KEY_BOOL:
		return key->choices != NULL ? "word" : "true or false";
	case GS_KEY_INT:
		return "number";
	case GS_KEY_DURATION:
		return "duration";
	case GS_KEY_SIZE:
		return "size";
	case GS_KEY_STRING:
		return "text";
	case GS_KEY_CHOICE:
		return "word";
	case GS_KEY_TEXTS:
		return key->marks & GS_KEY_SINGLE ? "text" : "list";
	case GS_KEY_URLS:
	case GS_KEY_ITEMS:
		return "list";
	case GS_KEY_ANY:
		return "anything";
	case GS_KEY_REFUSED:
		return "nothing";
	case GS_KEY_JOBS:
		return key->section->size != 0 ? "list" : "mapping";
	case GS_KEY_SECTION:
	case GS_KEY_FREE:
	case GS_KEY_RULES:
	case GS_KEY_LABELS:
	case GS_KEY_PARAMS:
	case GS_KEY_HEADERS:
		break;
	}
	return "mapping";
}

static void put_number(struct gs_buf *out, enum gs_key_type type, int64_t v) {
	if (type == GS_KEY_DURATION)
		gs_value_print_duration(out, v);
	else if (type == GS_KEY_SIZE)
		gs_value_print_size(out, v);
	else
		gs_buf_i64(out, v);
}

static bool is_number(const struct gs_config_key *key) {
	return key->type == GS_KEY_INT || key->type == GS_KEY_DURATION || key->type == GS_KEY_SIZE;
}

static void put_default(struct gs_buf *out, const struct gs_config_key *key) {
	if (key->def != NULL)
		gs_buf_cstr(out, key->def);
	else if (!(key->marks & GS_KEY_INERT) && is_number(key))
		put_number(out, key->type, key->number);
	else if (key->type == GS_KEY_BOOL)
		gs_buf_cstr(out, key->choices != NULL ? key->choices[key->number] : key->number ? "true" : "false");
	else if (key->type == GS_KEY_CHOICE)
		gs_buf_cstr(out, key->choices[key->number]);
	else if (key->type == GS_KEY_STRING && key->text != NULL)
		gs_buf_printf(out, "`%s`", key->text);
	else
		gs_buf_cstr(out, "none");
}

static void put_type(struct gs_buf *out, const struct gs_config_key *key) {
	gs_buf_cstr(out, type_name(key));
	if (is_number(key)) {
		gs_buf_cstr(out, ", ");
		put_number(out, key->type, key->min);
		gs_buf_cstr(out, " to ");
		put_number(out, key->type, key->max);
	}
	const char *before = ": ";
	for (size_t i = 0; key->choices != NULL && key->choices[i] != NULL; i++) {
		if (key->choices[i][0] == '\0')
			continue; /* the default */
		gs_buf_printf(out, "%s%s", before, key->choices[i]);
		before = ", ";
	}
}

static void put_keys(struct gs_buf *out, const struct gs_config_section *section) {
	gs_buf_printf(out, "\n## %s\n\n%s\n\n| key | value | default | meaning |\n|---|---|---|---|\n", section->title,
	    section->help);
	size_t n = section->documented != 0 ? section->documented : section->nkeys;
	for (size_t i = 0; i < n; i++) {
		const struct gs_config_key *key = &section->keys[i];
		gs_buf_printf(out, "| `%s` | ", key->name);
		put_type(out, key);
		gs_buf_cstr(out, " | ");
		put_default(out, key);
		gs_buf_printf(out, key->type == GS_KEY_REFUSED ? " | *Not supported*: %s.%s |\n" : " | %s%s |\n",
		    key->help, key->marks & GS_KEY_INERT ? " *No effect yet.*" : "");
	}
}

/* Sections that were written: several keys lead to some. */
struct written {
	const struct gs_config_section *all[64];
	size_t n;
};

static void put_sections(struct gs_buf *out, const struct gs_config_section *section, struct written *written) {
	for (size_t i = 0; i < written->n; i++) {
		if (written->all[i] == section)
			return;
	}
	assert(written->n < sizeof(written->all) / sizeof(written->all[0])); /* the table is ours */
	written->all[written->n++] = section;
	put_keys(out, section);
	for (size_t i = 0; i < section->nkeys; i++) {
		const struct gs_config_key *key = &section->keys[i];
		if (key->section != NULL && !(key->marks & GS_KEY_INERT))
			put_sections(out, key->section, written);
	}
}

void gs_config_reference(struct gs_buf *out) {
	struct written written = {.n = 0};
	gs_buf_cstr(out, intro);
	put_sections(out, &gs_keys_top, &written);
}
