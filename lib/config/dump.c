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

static void put_targets(struct writer *w, const struct gs_config_job *job) {
	gs_buf_cstr(w->out, job->ntargets != 0 ? "\n" : " []\n");
	w->indent += 4;
	for (size_t i = 0; i < job->ntargets; i++) {
		w->dash = true;
		put_section(w, &gs_keys_target, &job->targets[i]);
	}
	w->indent -= 4;
}

static void put_pair(struct writer *w, const char *name, const char *value) {
	w->indent += 2;
	put_name(w, gs_str_of(name), true);
	put_string(w, value);
	w->indent -= 2;
}

static void put_rules(struct writer *w, const struct gs_config_job *job) {
	gs_buf_cstr(w->out, job->nrules != 0 ? "\n" : " {}\n");
	for (size_t i = 0; i < job->nrules; i++)
		put_pair(w, job->rules[i].metric, job->rules[i].clearmode);
}

static void put_labels(struct writer *w, const struct gs_config_target *target) {
	gs_buf_cstr(w->out, target->nlabels != 0 ? "\n" : " {}\n");
	for (size_t i = 0; i < target->nlabels; i++)
		put_pair(w, target->labels[i].name, target->labels[i].value);
}

static void put_text(struct writer *w, const struct gs_config_key *key, const char *text) {
	if (key->check != gs_check_target_url) {
		put_string(w, text != NULL ? text : "");
		return;
	}
	gs_buf_char(w->out, ' ');
	put_url(w->out, text);
	gs_buf_char(w->out, '\n');
}

static void put_number(struct writer *w, void (*print)(struct gs_buf *out, int64_t v), int64_t v) {
	gs_buf_char(w->out, ' ');
	print(w->out, v);
	gs_buf_char(w->out, '\n');
}

static void put_value(struct writer *w, const struct gs_config_key *key, const void *base) {
	const void *at = (const char *)base + key->offset;
	switch (key->type) {
	case GS_KEY_BOOL:
		gs_buf_cstr(w->out, *(const bool *)at ? " true\n" : " false\n");
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
		put_text(w, key, *(const char *const *)at);
		break;
	case GS_KEY_CHOICE:
		gs_buf_printf(w->out, " %s\n", key->choices[*(const enum gs_config_storage *)at]);
		break;
	case GS_KEY_URLS:
		put_urls(w, base);
		break;
	case GS_KEY_SECTION:
		put_nested(w, key->section, at);
		break;
	case GS_KEY_JOBS:
		put_jobs(w, base);
		break;
	case GS_KEY_TARGETS:
		put_targets(w, base);
		break;
	case GS_KEY_RULES:
		put_rules(w, base);
		break;
	case GS_KEY_LABELS:
		put_labels(w, base);
		break;
	case GS_KEY_FREE:
		break; /* never has an effect */
	}
}

static void put_section(struct writer *w, const struct gs_config_section *section, const void *base) {
	for (size_t i = 0; i < section->nkeys; i++) {
		const struct gs_config_key *key = &section->keys[i];
		bool absent = (key->marks & GS_KEY_PRESENCE) && !*(const bool *)((const char *)base + key->offset);
		if ((key->marks & (GS_KEY_INERT | GS_KEY_ALIAS)) || absent)
			continue;
		put_name(w, gs_str_of(key->name), false);
		put_value(w, key, base);
	}
}

void gs_config_dump(const struct gs_config *config, struct gs_buf *out) {
	struct writer w = {.out = out};
	put_section(&w, &gs_keys_top, config);
}
