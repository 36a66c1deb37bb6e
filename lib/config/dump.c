/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"
#include "keys.h"
#include "value.h"

struct writer {
	struct gs_buf *out;
	unsigned indent;
	bool dash; /* the next key is the first of an item of a list */
};

static void put_name(struct writer *w, struct gs_str name, bool quoted) {
	for (unsigned i = 0; i + (w->dash ? 2 : 0) < w->indent; i++)
		gs_buf_char(w->out, ' ');
	if (w->dash)
		gs_buf_cstr(w->out, "- ");
	w->dash = false;
	if (quoted)
		gs_value_print_string(w->out, name);
	else
		gs_buf_str(w->out, name);
	gs_buf_char(w->out, ':');
}

static void put_string(struct writer *w, const char *text) {
	gs_buf_char(w->out, ' ');
	gs_value_print_string(w->out, gs_str_of(text));
	gs_buf_char(w->out, '\n');
}

/* What stands before '@' is a password, or as good as one. */
static void put_url(struct gs_buf *out, const char *text) {
	struct gs_url url;
	struct gs_buf hidden;
	if (gs_check_url(gs_str_of(text), &url) != NULL || url.userinfo.p == NULL) {
		gs_value_print_string(out, gs_str_of(text));
		return;
	}
	gs_buf_init(&hidden, 2 * strlen(text) + 64);
	gs_buf_printf(&hidden, "%.*s://<hidden>@%.*s", GS_FMT(url.scheme), GS_FMT(url.host));
	if (url.port.n != 0)
		gs_buf_printf(&hidden, ":%.*s", GS_FMT(url.port));
	gs_buf_str(&hidden, url.rest);
	if (hidden.status == GS_OK)
		gs_value_print_string(out, gs_buf_slice(&hidden));
	else
		out->status = hidden.status;
	gs_buf_free(&hidden);
}

static void put_urls(struct writer *w, const struct gs_config_stream *stream) {
	gs_buf_cstr(w->out, " [");
	for (size_t i = 0; i < stream->nurls; i++) {
		gs_buf_cstr(w->out, i != 0 ? ", " : "");
		put_url(w->out, stream->urls[i]);
	}
	gs_buf_cstr(w->out, "]\n");
}

static void put_section(struct writer *w, const struct gs_config_section *section, const void *base);

static void put_nested(struct writer *w, const struct gs_config_section *section, const void *base) {
	gs_buf_char(w->out, '\n');
	w->indent += 2;
	put_section(w, section, base);
	w->indent -= 2;
}

static void put_jobs(struct writer *w, const struct gs_config *config) {
	gs_buf_cstr(w->out, config->njobs != 0 ? "\n" : " {}\n");
	w->indent += 2;
	for (size_t i = 0; i < config->njobs; i++) {
		put_name(w, gs_str_of(config->jobs[i].name), true);
		put_nested(w, &gs_keys_job, &config->jobs[i]);
	}
	w->indent -= 2;
}

/* Those of a list of sections that have its tag. */
static void put_items(struct writer *w, const struct gs_config_key *key, const void *base) {
	const struct gs_config_section *section = key->section;
	const char *items = gs_keys_array(key, base);
	size_t written = 0, n = gs_keys_count(key, base);
	w->indent += 4;
	for (size_t i = 0; i < n; i++) {
		const char *item = items + i * section->size;
		if (section->tagged && *(const int *)(const void *)(item + section->tag_at) != section->tag)
			continue;
		if (written++ == 0)
			gs_buf_char(w->out, '\n');
		w->dash = true;
		put_section(w, section, item);
	}
	w->indent -= 4;
	if (written == 0)
		gs_buf_cstr(w->out, " []\n");
}

static void put_pair(struct writer *w, const char *name, const char *value) {
	w->indent += 2;
	put_name(w, gs_str_of(name), true);
	put_string(w, value);
	w->indent -= 2;
}

/* One text as its key has it. */
static void put_marked(struct gs_buf *out, const struct gs_config_key *key, const char *text) {
	if (text == NULL || text[0] == '\0')
		gs_buf_cstr(out, "\"\"");
	else if (key->marks & GS_KEY_SECRET)
		gs_buf_cstr(out, "\"<hidden>\"");
	else if (key->marks & GS_KEY_ADDRESS)
		put_url(out, text);
	else
		gs_value_print_string(out, gs_str_of(text));
}

static void put_texts(struct writer *w, const struct gs_config_key *key, const void *base) {
	const char **texts = gs_keys_array(key, base);
	size_t n = gs_keys_count(key, base);
	bool single = (key->marks & GS_KEY_SINGLE) != 0;
	gs_buf_cstr(w->out, single ? " " : " [");
	for (size_t i = 0; i < n; i++) {
		gs_buf_cstr(w->out, i != 0 ? ", " : "");
		put_marked(w->out, key, texts[i]);
	}
	gs_buf_cstr(w->out, single ? "\n" : "]\n");
}

static void put_labels(struct writer *w, const struct gs_config_key *key, const void *base) {
	const struct gs_config_label *labels = gs_keys_array(key, base);
	size_t n = gs_keys_count(key, base);
	gs_buf_cstr(w->out, n != 0 ? "\n" : " {}\n");
	for (size_t i = 0; i < n; i++)
		put_pair(w, labels[i].name, labels[i].value);
}

/* The values of one name stand behind each other. */
static void put_params(struct writer *w, const struct gs_config_key *key, const void *base) {
	const struct gs_config_label *params = gs_keys_array(key, base);
	size_t n = gs_keys_count(key, base);
	gs_buf_cstr(w->out, n != 0 ? "\n" : " {}\n");
	w->indent += 2;
	for (size_t i = 0; i < n;) {
		const char *name = params[i].name, *before = " [";
		put_name(w, gs_str_of(name), true);
		for (; i < n && strcmp(params[i].name, name) == 0; i++) {
			gs_buf_cstr(w->out, before);
			gs_value_print_string(w->out, gs_str_of(params[i].value));
			before = ", ";
		}
		gs_buf_cstr(w->out, "]\n");
	}
	w->indent -= 2;
}

/* Which key of http_headers.<name> a value came from. */
static const char *header_list(const struct gs_config_header *header) {
	if (header->value != NULL)
		return "values";
	return header->secret.value != NULL ? "secrets" : "files";
}

static const char *header_text(const struct gs_config_header *header) {
	if (header->value != NULL)
		return header->value;
	return header->secret.value != NULL ? "<hidden>" : header->secret.file;
}

static void put_headers(struct writer *w, const struct gs_config_key *key, const void *base) {
	const struct gs_config_header *headers = gs_keys_array(key, base);
	size_t n = gs_keys_count(key, base);
	gs_buf_cstr(w->out, n != 0 ? "\n" : " {}\n");
	w->indent += 2;
	for (size_t i = 0; i < n;) {
		const char *name = headers[i].name, *list = NULL;
		put_name(w, gs_str_of(name), true);
		gs_buf_cstr(w->out, " {");
		for (; i < n && strcmp(headers[i].name, name) == 0; i++) {
			const char *now = header_list(&headers[i]);
			if (now == list)
				gs_buf_cstr(w->out, ", ");
			else
				gs_buf_printf(w->out, "%s%s: [", list != NULL ? "], " : "", now);
			list = now;
			gs_value_print_string(w->out, gs_str_of(header_text(&headers[i])));
		}
		gs_buf_cstr(w->out, "]}\n");
	}
	w->indent -= 2;
}

static void put_rules(struct writer *w, const struct gs_config_job *job) {
	gs_buf_cstr(w->out, job->nrules != 0 ? "\n" : " {}\n");
	for (size_t i = 0; i < job->nrules; i++)
		put_pair(w, job->rules[i].metric, job->rules[i].clearmode);
}

static void put_number(struct writer *w, void (*print)(struct gs_buf *out, int64_t v), int64_t v) {
	gs_buf_char(w->out, ' ');
	print(w->out, v);
	gs_buf_char(w->out, '\n');
}

static void put_choice(struct writer *w, const char *word) {
	gs_buf_printf(w->out, " %s\n", word[0] != '\0' ? word : "\"\"");
}

static void put_value(struct writer *w, const struct gs_config_key *key, const void *base) {
	const void *at = (const char *)base + key->offset;
	switch (key->type) {
	case GS_KEY_BOOL:
		gs_buf_printf(w->out, " %s\n",
		    key->choices != NULL ? key->choices[*(const bool *)at]
		    : *(const bool *)at  ? "true"
					 : "false");
		break;
	case GS_KEY_INT:
		put_number(w, gs_buf_i64, *(const int64_t *)at);
		break;
	case GS_KEY_DURATION:
		put_number(w, gs_value_print_duration, *(const int64_t *)at);
		break;
	case GS_KEY_SIZE:
		put_number(w, gs_value_print_size, *(const int64_t *)at);
		break;
	case GS_KEY_STRING:
		gs_buf_char(w->out, ' ');
		put_marked(w->out, key, *(const char *const *)at);
		gs_buf_char(w->out, '\n');
		break;
	case GS_KEY_CHOICE:
		put_choice(w, key->choices[*(const unsigned *)at]);
		break;
	case GS_KEY_URLS:
		put_urls(w, base);
		break;
	case GS_KEY_SECTION:
		put_nested(w, key->section, at);
		break;
	case GS_KEY_TEXTS:
		put_texts(w, key, base);
		break;
	case GS_KEY_LABELS:
		put_labels(w, key, base);
		break;
	case GS_KEY_PARAMS:
		put_params(w, key, base);
		break;
	case GS_KEY_HEADERS:
		put_headers(w, key, base);
		break;
	case GS_KEY_ITEMS:
		put_items(w, key, base);
		break;
	case GS_KEY_JOBS:
		put_jobs(w, base);
		break;
	case GS_KEY_RULES:
		put_rules(w, base);
		break;
	case GS_KEY_FREE:
	case GS_KEY_ANY:
	case GS_KEY_REFUSED:
		break; /* never has an effect */
	}
}

/* Whether a key is to be left out: to say it would change what is in effect. */
static bool is_absent(const struct gs_config_key *key, const char *base) {
	if ((key->marks & (GS_KEY_INERT | GS_KEY_ALIAS)) || key->type == GS_KEY_REFUSED)
		return true;
	if ((key->marks & GS_KEY_PRESENCE) && !*(const bool *)(base + key->also))
		return true;
	if ((key->marks & GS_KEY_ABSENCE) && *(const bool *)(base + key->also))
		return true;
	if ((key->marks & GS_KEY_VARIANT) && *(const int *)(const void *)(base + key->also) != key->number)
		return true;
	return key->one_of != 0 && key->type == GS_KEY_STRING &&
	       *(const char *const *)(const void *)(base + key->offset) == NULL;
}

static void put_section(struct writer *w, const struct gs_config_section *section, const void *base) {
	for (size_t i = 0; i < section->nkeys; i++) {
		const struct gs_config_key *key = &section->keys[i];
		if (is_absent(key, base))
			continue;
		put_name(w, gs_str_of(key->name), false);
		put_value(w, key, base);
	}
}

void gs_config_dump(const struct gs_config *config, struct gs_buf *out) {
	struct writer w = {.out = out};
	put_section(&w, &gs_keys_top, config);
}
