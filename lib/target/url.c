/* SPDX-License-Identifier: Apache-2.0 */
#include "parts.h"

#include <string.h>

#define PREFIX GS_STR("__param_")

/* What may stand as it is, beside letters, digits and "-_.~". */
#define IN_HOST "!$&'()*+,;=:[]<>\""
#define IN_PATH "$&+,/:;=@"
#define IN_QUERY ""

static bool is_safe(char c, const char *more) {
	bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
	return alnum || (c != '\0' && (strchr("-_.~", c) != NULL || strchr(more, c) != NULL));
}

static void escape(struct gs_str s, const char *safe, struct gs_buf *out) {
	static const char digits[] = "0123456789ABCDEF";
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (is_safe((char)c, safe)) {
			gs_buf_char(out, (char)c);
		} else if (c == ' ' && safe[0] == '\0') {
			gs_buf_char(out, '+');
		} else {
			gs_buf_char(out, '%');
			gs_buf_char(out, digits[c >> 4]);
			gs_buf_char(out, digits[c & 15]);
		}
	}
}

static struct gs_str name_of(const struct gs_label *label) {
	return gs_str_make(label->name.p + PREFIX.n, label->name.n - PREFIX.n);
}

/* The label __param_<name>, or NULL. */
static const struct gs_label *label_of(const struct gs_url_parts *parts, struct gs_str name) {
	for (size_t i = 0; i < parts->nlabels; i++) {
		if (gs_str_starts(parts->labels[i].name, PREFIX) && gs_str_eq(name_of(&parts->labels[i]), name))
			return &parts->labels[i];
	}
	return NULL;
}

/* The least of the names of parameters that are greater than ${last}; with ${first} the least of all. False at the end. */
static bool next_name(const struct gs_url_parts *parts, bool first, struct gs_str last, struct gs_str *ret) {
	bool found = false;
	for (size_t i = 0; i < parts->nparams + parts->nlabels; i++) {
		bool is_label = i >= parts->nparams;
		const struct gs_label *one = is_label ? &parts->labels[i - parts->nparams] : &parts->params[i];
		if (is_label && !gs_str_starts(one->name, PREFIX))
			continue;
		struct gs_str name = is_label ? name_of(one) : one->name;
		if ((first || gs_str_cmp(name, last) > 0) && (!found || gs_str_cmp(name, *ret) < 0)) {
			*ret = name;
			found = true;
		}
	}
	return found;
}

static void write_param(bool *any, struct gs_str name, struct gs_str value, struct gs_buf *out) {
	gs_buf_char(out, *any ? '&' : '?');
	*any = true;
	escape(name, IN_QUERY, out);
	gs_buf_char(out, '=');
	escape(value, IN_QUERY, out);
}

static void write_params(const struct gs_url_parts *parts, struct gs_buf *out) {
	struct gs_str name = {0};
	bool any = false;
	for (bool first = true; next_name(parts, first, name, &name); first = false) {
		const struct gs_label *label = label_of(parts, name);
		bool skip = label != NULL; /* the first value */
		if (label != NULL)
			write_param(&any, name, label->value, out);
		for (size_t i = 0; i < parts->nparams; i++) {
			if (!gs_str_eq(parts->params[i].name, name))
				continue;
			if (!skip)
				write_param(&any, name, parts->params[i].value, out);
			skip = false;
		}
	}
}

void gs_url_write(const struct gs_url_parts *parts, struct gs_buf *out) {
	gs_buf_str(out, parts->scheme);
	if (parts->scheme.n != 0)
		gs_buf_char(out, ':');
	gs_buf_cstr(out, "//");
	escape(parts->address, IN_HOST, out);
	if (gs_str_eq(parts->path, GS_STR("*"))) {
		gs_buf_cstr(out, "/*");
	} else {
		if (parts->path.n != 0 && parts->path.p[0] != '/')
			gs_buf_char(out, '/');
		escape(parts->path, IN_PATH, out);
	}
	write_params(parts, out);
}
