/* SPDX-License-Identifier: Apache-2.0 */
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
    "  unknown one. Aliases work; tags, merge keys (`<<`) and a second document do not.\n"
    "- Keys marked *no effect yet* come from prometheus-streams: they are checked, and a warning says so.\n";

static const char *type_name(const struct gs_config_key *key) {
	switch (key->type) {
	case GS_KEY_BOOL:
		return "true or false";
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
	case GS_KEY_URLS:
	case GS_KEY_TARGETS:
		return "list";
	case GS_KEY_SECTION:
	case GS_KEY_FREE:
	case GS_KEY_JOBS:
	case GS_KEY_RULES:
	case GS_KEY_LABELS:
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
		gs_buf_cstr(out, key->number ? "true" : "false");
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
	for (size_t i = 0; key->choices != NULL && key->choices[i] != NULL; i++)
		gs_buf_printf(out, "%s%s", i != 0 ? ", " : ": ", key->choices[i]);
}

static void put_keys(struct gs_buf *out, const struct gs_config_section *section) {
	gs_buf_printf(out, "\n## %s\n\n%s\n\n| key | value | default | meaning |\n|---|---|---|---|\n", section->title,
	    section->help);
	for (size_t i = 0; i < section->nkeys; i++) {
		const struct gs_config_key *key = &section->keys[i];
		gs_buf_printf(out, "| `%s` | ", key->name);
		put_type(out, key);
		gs_buf_cstr(out, " | ");
		put_default(out, key);
		gs_buf_printf(out, " | %s%s |\n", key->help, key->marks & GS_KEY_INERT ? " *No effect yet.*" : "");
	}
}

static void put_sections(struct gs_buf *out, const struct gs_config_section *section) {
	put_keys(out, section);
	for (size_t i = 0; i < section->nkeys; i++) {
		const struct gs_config_key *key = &section->keys[i];
		if (key->type == GS_KEY_SECTION && !(key->marks & GS_KEY_INERT))
			put_sections(out, key->section);
	}
}

void gs_config_reference(struct gs_buf *out) {
	gs_buf_cstr(out, intro);
	put_sections(out, &gs_keys_top);
	put_keys(out, &gs_keys_job);
	put_keys(out, &gs_keys_target);
}
