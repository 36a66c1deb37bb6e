/* SPDX-License-Identifier: Apache-2.0 */
#include "load.h"

#include <stdarg.h>
#include <stdio.h>

#include "check.h"
#include "gravel/base/num.h"
#include "value.h"

#define PATH_TEXT 256
#define QUOTED 80 /* bytes of a value that a message quotes */

static int quoted(struct gs_str s) {
	return (int)(s.n < QUOTED ? s.n : QUOTED);
}

/* "jobs.node.targets[3].url" */
static size_t put_path(const struct gs_path *path, char *out, size_t n, size_t at) {
	int wrote = 0;
	if (path == NULL)
		return at;
	at = put_path(path->up, out, n, at);
	if (path->name.p == NULL)
		wrote = snprintf(out + at, n - at, "[%zu]", path->index);
	else
		wrote = snprintf(out + at, n - at, "%s%.*s", at != 0 ? "." : "", quoted(path->name), path->name.p);
	at += wrote > 0 ? (size_t)wrote : 0;
	return at < n ? at : n - 1;
}

static const char *path_text(const struct gs_path *path, char out[PATH_TEXT]) {
	out[0] = '\0';
	put_path(path, out, PATH_TEXT, 0);
	return out;
}

void gs_load_error(struct gs_loader *l, const struct gs_path *path, const struct gs_node *node, const char *fmt, ...) {
	char key[PATH_TEXT], text[512];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (path == NULL)
		gs_problems_error(l->problems, node->line, node->column, "%s", text);
	else
		gs_problems_error(l->problems, node->line, node->column, "key \"%s\" %s", path_text(path, key), text);
}

void *gs_load_alloc(struct gs_loader *l, size_t count, size_t size) {
	size_t n;
	void *p = __builtin_mul_overflow(count, size, &n) ? NULL : gs_arena_alloc(l->arena, n);
	if (p == NULL)
		l->no_memory = true;
	else
		memset(p, 0, n);
	return p;
}

bool gs_load_is(struct gs_loader *l, const struct gs_path *path, const struct gs_node *node, enum gs_node_kind kind) {
	static const char *const wanted[] = {"one word", "a list", "a mapping"};
	if (node->kind == kind)
		return true;
	if (path == NULL)
		gs_load_error(l, path, node, "a config is a mapping of keys, not %s", gs_node_kind_name(node));
	else
		gs_load_error(l, path, node, "must be %s, not %s", wanted[kind], gs_node_kind_name(node));
	return false;
}

static const char *copy_text(struct gs_loader *l, struct gs_str s) {
	char *p = gs_load_alloc(l, s.n + 1, 1);
	if (p != NULL && s.n != 0)
		memcpy(p, s.p, s.n);
	return p;
}

const char *gs_load_text(
    struct gs_loader *l, const struct gs_path *path, const struct gs_node *node, int64_t min, int64_t max) {
	if (!gs_load_is(l, path, node, GS_NODE_SCALAR))
		return NULL;
	const char *wrong = gs_check_text(node->text);
	if (wrong != NULL)
		gs_load_error(l, path, node, "%s", wrong);
	else if (min > 0 && (node->text.n < (size_t)min || gs_node_is_null(node)))
		gs_load_error(l, path, node, "must not be empty");
	else if (node->text.n > (size_t)max)
		gs_load_error(l, path, node, "is longer than %lld bytes", (long long)max);
	else
		return copy_text(l, node->text);
	return NULL;
}

static void load_bool(struct gs_loader *l, const struct gs_path *path, const struct gs_node *node, bool *ret) {
	if (gs_load_is(l, path, node, GS_NODE_SCALAR) && gs_value_bool(node->text, ret) != GS_OK)
		gs_load_error(l, path, node, "is true or false, not \"%.*s\"", quoted(node->text), node->text.p);
}

/* The number types: how each is read and printed, and what is said when it cannot be read. */
struct number_type {
	enum gs_status (*parse)(struct gs_str s, int64_t *ret);
	void (*print)(struct gs_buf *out, int64_t v);
	const char *form;
};

static const struct number_type *number_type(enum gs_key_type type) {
	static const struct number_type whole = {gs_num_parse_i64, gs_buf_i64, "is no whole number"};
	static const struct number_type duration = {
	    gs_value_duration, gs_value_print_duration, "is no duration (15s, 1m30s, or a number of seconds)"};
	static const struct number_type size = {
	    gs_value_size, gs_value_print_size, "is no size (bytes, or with KB, MB, GB, KiB, MiB, GiB)"};
	return type == GS_KEY_DURATION ? &duration : type == GS_KEY_SIZE ? &size : &whole;
}

static void out_of_range(
    struct gs_loader *l, const struct gs_config_key *key, const struct gs_path *path, const struct gs_node *node) {
	const struct number_type *type = number_type(key->type);
	struct gs_buf range;
	gs_buf_init(&range, 200);
	type->print(&range, key->min);
	gs_buf_cstr(&range, " to ");
	type->print(&range, key->max);
	if (range.status != GS_OK)
		l->no_memory = true;
	else
		gs_load_error(l, path, node, "is out of range: \"%.*s\" is not in %.*s", quoted(node->text),
		    node->text.p, GS_FMT(gs_buf_slice(&range)));
	gs_buf_free(&range);
}

static void load_number(struct gs_loader *l, const struct gs_config_key *key, const struct gs_path *path,
    const struct gs_node *node, int64_t *ret) {
	const struct number_type *type = number_type(key->type);
	int64_t v = 0;
	*ret = GS_LOAD_BROKEN;
	if (!gs_load_is(l, path, node, GS_NODE_SCALAR))
		return;
	enum gs_status status = type->parse(node->text, &v);
	if (status == GS_EINVAL)
		gs_load_error(l, path, node, "%s: \"%.*s\"", type->form, quoted(node->text), node->text.p);
	else if (status != GS_OK || v < key->min || v > key->max)
		out_of_range(l, key, path, node);
	else
		*ret = v;
}

static const char *load_string(
    struct gs_loader *l, const struct gs_config_key *key, const struct gs_path *path, const struct gs_node *node) {
	const char *text = gs_load_text(l, path, node, key->min, key->max);
	const char *wrong = text != NULL && key->check != NULL ? key->check(node->text) : NULL;
	if (wrong != NULL)
		gs_load_error(l, path, node, "%s", wrong); /* not quoted: an address may hold a password */
	/* Empty is the same as not given where that is the default. */
	return text != NULL && text[0] == '\0' ? key->text : text;
}

static int load_choice(
    struct gs_loader *l, const struct gs_config_key *key, const struct gs_path *path, const struct gs_node *node) {
	if (!gs_load_is(l, path, node, GS_NODE_SCALAR))
		return 0;
	for (int i = 0; key->choices[i] != NULL; i++) {
		if (gs_str_eq(gs_str_of(key->choices[i]), node->text))
			return i;
	}
	char list[256];
	size_t n = 0;
	for (int i = 0; key->choices[i] != NULL && n < sizeof(list); i++)
		n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s",
		    i == 0                        ? ""
		    : key->choices[i + 1] != NULL ? ", "
						  : " or ",
		    key->choices[i]);
	gs_load_error(l, path, node, "is %s, not \"%.*s\"", list, quoted(node->text), node->text.p);
	return 0;
}

/* The addresses in "a, b", or in one item of a list. */
static void load_url_text(struct gs_loader *l, const struct gs_config_key *key, const struct gs_path *path,
    const struct gs_node *node, struct gs_config_stream *stream) {
	struct gs_str rest = node->text, url;
	if (gs_load_text(l, path, node, 1, key->max) == NULL)
		return;
	for (bool more = true; more;) {
		more = gs_str_cut(rest, ',', &url, &rest);
		url = gs_str_trim(url);
		const char *wrong = url.n != 0 ? gs_check_nats_url(url) : "has an empty address";
		if (wrong != NULL)
			gs_load_error(l, path, node, "%s", wrong);
		stream->urls[stream->nurls++] = copy_text(l, url);
	}
}

static size_t count_commas(const struct gs_node *node) {
	size_t n = 0;
	for (size_t i = 0; i < node->text.n; i++)
		n += node->text.p[i] == ',';
	return n;
}

static void load_urls(struct gs_loader *l, const struct gs_config_key *key, const struct gs_path *path,
    const struct gs_node *node, struct gs_config_stream *stream) {
	size_t max = 1 + count_commas(node);
	if (node->kind == GS_NODE_MAPPING || (node->kind == GS_NODE_LIST && node->nitems == 0)) {
		gs_load_error(l, path, node, "must be an address or a list of them");
		return;
	}
	for (size_t i = 0; node->kind == GS_NODE_LIST && i < node->nitems; i++)
		max += 1 + count_commas(node->items[i]);
	stream->nurls = 0;
	stream->urls = gs_load_alloc(l, max, sizeof(stream->urls[0]));
	if (stream->urls == NULL)
		return;
	if (node->kind == GS_NODE_SCALAR)
		load_url_text(l, key, path, node, stream);
	for (size_t i = 0; node->kind == GS_NODE_LIST && i < node->nitems; i++) {
		struct gs_path item = {.up = path, .index = i};
		if (gs_load_is(l, &item, node->items[i], GS_NODE_SCALAR))
			load_url_text(l, key, &item, node->items[i], stream);
	}
}

static void load_subsection(struct gs_loader *l, const struct gs_config_key *key, const struct gs_path *path,
    const struct gs_node *node, void *at) {
	if (key->marks & GS_KEY_PRESENCE)
		*(bool *)at = true;
	gs_load_section(l, key->section, path, node, at);
}

static void load_value(struct gs_loader *l, const struct gs_config_key *key, const struct gs_path *path,
    const struct gs_node *node, char *base) {
	/* What has no effect is read into nowhere; so are the keys of such a section, whose offsets are all 0. */
	union {
		bool b;
		int64_t i;
		const char *s;
		enum gs_config_storage storage;
	} nowhere;
	void *at = key->marks & GS_KEY_INERT ? (void *)&nowhere : base + key->offset;
	switch (key->type) {
	case GS_KEY_BOOL:
		load_bool(l, path, node, at);
		break;
	case GS_KEY_INT:
	case GS_KEY_DURATION:
	case GS_KEY_SIZE:
		load_number(l, key, path, node, at);
		break;
	case GS_KEY_STRING:
		*(const char **)at = load_string(l, key, path, node);
		break;
	case GS_KEY_CHOICE:
		*(enum gs_config_storage *)at = (enum gs_config_storage)load_choice(l, key, path, node);
		break;
	case GS_KEY_URLS:
		load_urls(l, key, path, node, (struct gs_config_stream *)(void *)base);
		break;
	case GS_KEY_SECTION:
		load_subsection(l, key, path, node, at);
		break;
	case GS_KEY_FREE:
		gs_load_is(l, path, node, GS_NODE_MAPPING);
		break;
	case GS_KEY_JOBS:
		break; /* after all others: they need the global interval and timeout */
	case GS_KEY_TARGETS:
		gs_load_targets(l, path, node, (struct gs_config_job *)(void *)base);
		break;
	case GS_KEY_RULES:
		gs_load_rules(l, key, path, node, (struct gs_config_job *)(void *)base);
		break;
	case GS_KEY_LABELS:
		gs_load_labels(l, key, path, node, (struct gs_config_target *)(void *)base);
		break;
	}
}

static void unknown_key(struct gs_loader *l, const struct gs_config_section *section, const struct gs_path *path,
    const struct gs_node *node) {
	char text[PATH_TEXT], elsewhere[64], up[PATH_TEXT];
	if (l->problems->n == GS_PROBLEMS_MAX) {
		gs_load_error(l, NULL, node, "unknown key"); /* only counted: spare the search */
		return;
	}
	const struct gs_config_key *near = gs_keys_suggest(section, node->text);
	path_text(path, text);
	path_text(path->up, up);
	if (near != NULL)
		gs_load_error(l, NULL, node, "unknown key \"%s\"; did you mean \"%s%s%s\"?", text, up,
		    up[0] != '\0' ? "." : "", near->name);
	else if (gs_keys_elsewhere(node->text, elsewhere, sizeof(elsewhere)))
		gs_load_error(l, NULL, node, "unknown key \"%s\"; did you mean \"%s\"?", text, elsewhere);
	else
		gs_load_error(l, NULL, node, "unknown key \"%s\"; docs/CONFIG.md lists all keys", text);
}

static void load_pair(struct gs_loader *l, const struct gs_config_section *section, const struct gs_path *path,
    struct gs_node *const pair[2], void *base) {
	const struct gs_config_key *key = gs_keys_find(section, pair[0]->text);
	struct gs_path here = {.up = path, .name = pair[0]->text};
	char text[PATH_TEXT];
	if (key == NULL) {
		unknown_key(l, section, &here, pair[0]);
		return;
	}
	if (key->marks & GS_KEY_INERT)
		gs_problems_warning(l->problems, pair[0]->line, pair[0]->column,
		    "key \"%s\" is known but has no effect yet", path_text(&here, text));
	if (!gs_node_is_null(pair[1]))
		load_value(l, key, &here, pair[1], base);
}

static void check_required(struct gs_loader *l, const struct gs_config_section *section, const struct gs_path *path,
    const struct gs_node *node) {
	for (size_t i = 0; i < section->nkeys; i++) {
		const struct gs_config_key *key = &section->keys[i];
		struct gs_path here = {.up = path, .name = gs_str_of(key->name)};
		if (!(key->marks & GS_KEY_REQUIRED))
			continue;
		const struct gs_node *value = gs_node_get(node, here.name);
		if (value == NULL || gs_node_is_null(value))
			gs_load_error(l, &here, node, "is missing");
	}
}

void gs_load_section(struct gs_loader *l, const struct gs_config_section *section, const struct gs_path *path,
    const struct gs_node *node, void *base) {
	if (!gs_load_is(l, path, node, GS_NODE_MAPPING))
		return;
	for (size_t i = 0; i < node->nitems && !l->no_memory; i += 2)
		load_pair(l, section, path, &node->items[i], base);
	check_required(l, section, path, node);
}

void gs_load_times(
    struct gs_loader *l, const struct gs_path *path, const struct gs_node *node, int64_t interval, int64_t timeout) {
	struct gs_path here = {.up = path, .name = GS_STR("scrape_timeout")};
	char long_text[48], short_text[48];
	const struct gs_node *value = gs_node_get(node, here.name);
	if (value == NULL || gs_node_is_null(value) || interval < 0 || timeout <= interval)
		return;
	gs_num_print_duration(long_text, sizeof(long_text), timeout);
	gs_num_print_duration(short_text, sizeof(short_text), interval);
	gs_load_error(l, &here, value, "is longer than the scrape_interval: %s against %s", long_text, short_text);
}

/* Two keys for one value must not say two things. */
static void check_publisher_label(struct gs_loader *l, const struct gs_node *root) {
	struct gs_path gateway = {.name = GS_STR("push_gateway")};
	struct gs_path here = {.up = &gateway, .name = GS_STR("publisher_label")};
	const struct gs_node *ours = gs_node_get(gs_node_get(root, GS_STR("receiver")), here.name);
	const struct gs_node *old = gs_node_get(gs_node_get(root, gateway.name), here.name);
	bool a, b;
	if (ours == NULL || old == NULL || gs_value_bool(ours->text, &a) != GS_OK ||
	    gs_value_bool(old->text, &b) != GS_OK)
		return;
	if (a != b)
		gs_load_error(
		    l, &here, old, "contradicts \"receiver.publisher_label\" in line %lu", (unsigned long)ours->line);
}

static void load_top(struct gs_loader *l, const struct gs_node *root) {
	struct gs_path jobs_path = {.name = GS_STR("jobs")};
	const struct gs_node *jobs = gs_node_get(root, jobs_path.name);
	gs_load_section(l, &gs_keys_top, NULL, root, l->config);
	gs_load_times(l, NULL, root, l->config->scrape_interval, l->config->scrape_timeout);
	check_publisher_label(l, root);
	if (jobs != NULL && !gs_node_is_null(jobs))
		gs_load_jobs(l, gs_keys_find(&gs_keys_top, jobs_path.name), &jobs_path, jobs);
}

enum gs_status gs_load_tree(
    const struct gs_node *root, struct gs_problems *problems, struct gs_arena *arena, struct gs_config *config) {
	struct gs_loader l = {.problems = problems, .arena = arena, .config = config};
	if (root != NULL)
		load_top(&l, root);
	/* The default of the timeout must not exceed a shorter interval; a timeout of the user's has been checked. */
	if (config->scrape_timeout > config->scrape_interval)
		config->scrape_timeout = config->scrape_interval;
	return l.no_memory ? GS_ENOMEM : GS_OK;
}
