/* SPDX-License-Identifier: Apache-2.0 */
#include "load.h"

#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#include "check.h"
#include "gravel/base/limits.h"
#include "gravel/base/map.h"
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

static const char *load_checked(struct gs_loader *l, const struct gs_path *path, const struct gs_node *node,
    int64_t min, int64_t max, const char *(*check)(struct gs_str s)) {
	if (!gs_load_is(l, path, node, GS_NODE_SCALAR))
		return NULL;
	const char *wrong = check(node->text);
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

const char *gs_load_text(
    struct gs_loader *l, const struct gs_path *path, const struct gs_node *node, int64_t min, int64_t max) {
	return load_checked(l, path, node, min, max, gs_check_text);
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

static const struct number_type *number_type(const struct gs_config_key *key) {
	static const struct number_type whole = {gs_num_parse_i64, gs_buf_i64, "is no whole number"};
	static const struct number_type duration = {
	    gs_value_duration, gs_value_print_duration, "is no duration (15s, 1m30s, or a number of seconds)"};
	static const struct number_type size = {
	    gs_value_size, gs_value_print_size, "is no size (bytes, or with KB, MB, GB, KiB, MiB, GiB)"};
	static const struct number_type binary = {
	    gs_value_binary_size, gs_value_print_size, "is no size (bytes, or with KB, MB, GB, KiB, MiB, GiB)"};
	if (key->type == GS_KEY_SIZE)
		return key->marks & GS_KEY_BINARY ? &binary : &size;
	return key->type == GS_KEY_DURATION ? &duration : &whole;
}

static void out_of_range(
    struct gs_loader *l, const struct gs_config_key *key, const struct gs_path *path, const struct gs_node *node) {
	const struct number_type *type = number_type(key);
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
	const struct number_type *type = number_type(key);
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

/* A relative path, from the folder of the config on. */
static const char *join_path(struct gs_loader *l, const struct gs_config_key *key, const struct gs_path *path,
    const struct gs_node *node, const char *text) {
	size_t n = l->folder.n + node->text.n + 1;
	if (text == NULL || text[0] == '\0' || text[0] == '/' || l->folder.n == 0)
		return text;
	if (n > (size_t)key->max) {
		gs_load_error(
		    l, path, node, "is longer than %lld bytes with the folder of the config", (long long)key->max);
		return NULL;
	}
	char *joined = gs_load_alloc(l, n + 1, 1);
	if (joined != NULL)
		snprintf(joined, n + 1, "%.*s/%s", GS_FMT(l->folder), text);
	return joined;
}

const char *gs_load_string(
    struct gs_loader *l, const struct gs_config_key *key, const struct gs_path *path, const struct gs_node *node) {
	const char *text =
	    load_checked(l, path, node, key->min, key->max, key->marks & GS_KEY_RAW ? gs_check_raw : gs_check_text);
	bool empty = text != NULL && text[0] == '\0' && !(key->marks & GS_KEY_EMPTY);
	/* Empty is the same as not given where that is the default. */
	if (empty && !(key->marks & GS_KEY_REQUIRED) && (key->text == NULL || key->text[0] == '\0'))
		return key->text;
	const char *wrong = text != NULL && key->check != NULL ? key->check(node->text) : NULL;
	if (wrong != NULL)
		gs_load_error(l, path, node, "%s", wrong); /* not quoted: an address may hold a password */
	if (empty)
		return key->text;
	return key->marks & GS_KEY_PATH ? join_path(l, key, path, node, text) : text;
}

/* "a, b or c" */
static void list_choices(const char *const *choices, char *out, size_t n) {
	size_t at = 0;
	out[0] = '\0';
	for (size_t i = 0; choices[i] != NULL && at < n; i++) {
		const char *before = at == 0 ? "" : choices[i + 1] != NULL ? ", " : " or ";
		if (choices[i][0] != '\0')
			at += (size_t)snprintf(out + at, n - at, "%s%s", before, choices[i]);
	}
}

static unsigned load_choice(
    struct gs_loader *l, const struct gs_config_key *key, const struct gs_path *path, const struct gs_node *node) {
	char list[256];
	if (!gs_load_is(l, path, node, GS_NODE_SCALAR))
		return 0;
	for (unsigned i = 0; key->choices[i] != NULL; i++) {
		struct gs_str word = gs_str_of(key->choices[i]);
		bool folded = (key->marks & GS_KEY_FOLD) && word.n == node->text.n &&
			      strncasecmp(word.p, node->text.p, word.n) == 0;
		if (folded || gs_str_eq(word, node->text))
			return i;
	}
	list_choices(key->choices, list, sizeof(list));
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

/* Whether a value is there that is not the same as none. */
static bool is_given(const struct gs_node *value) {
	return value != NULL && !gs_node_is_null(value) && (value->kind != GS_NODE_SCALAR || value->text.n != 0);
}

static void load_value(struct gs_loader *l, const struct gs_config_key *key, const struct gs_path *path,
    const struct gs_node *node, char *base) {
	/* What has no effect is read into nowhere; so are the keys of such a section, whose offsets are all 0. */
	union {
		bool b;
		int64_t i;
		const char *s;
		unsigned choice;
	} nowhere;
	void *at = key->marks & GS_KEY_INERT ? (void *)&nowhere : base + key->offset;
	switch (key->type) {
	case GS_KEY_BOOL:
		if (key->choices != NULL)
			*(bool *)at = load_choice(l, key, path, node) == 1;
		else
			load_bool(l, path, node, at);
		break;
	case GS_KEY_INT:
	case GS_KEY_DURATION:
	case GS_KEY_SIZE:
		load_number(l, key, path, node, at);
		break;
	case GS_KEY_STRING:
		if (!(key->marks & GS_KEY_ALIAS) || is_given(node)) /* an empty one does not undo the other place */
			*(const char **)at = gs_load_string(l, key, path, node);
		break;
	case GS_KEY_CHOICE:
		*(unsigned *)at = load_choice(l, key, path, node); /* what every enum of ours is */
		break;
	case GS_KEY_URLS:
		load_urls(l, key, path, node, (struct gs_config_stream *)(void *)base);
		break;
	case GS_KEY_SECTION:
		gs_load_section(l, key->section, path, node, at);
		break;
	case GS_KEY_TEXTS:
		gs_load_texts(l, key, path, node, base);
		break;
	case GS_KEY_LABELS:
		gs_load_labels(l, key, path, node, base);
		break;
	case GS_KEY_PARAMS:
		gs_load_params(l, key, path, node, base);
		break;
	case GS_KEY_HEADERS:
		gs_load_headers(l, key, path, node, base);
		break;
	case GS_KEY_ITEMS:
		gs_load_items(l, key, path, node, base);
		break;
	case GS_KEY_RULES:
		gs_load_rules(l, key, path, node, (struct gs_config_job *)(void *)base);
		break;
	case GS_KEY_FREE:
		gs_load_is(l, path, node, GS_NODE_MAPPING);
		break;
	case GS_KEY_JOBS: /* after all others: they need the global interval and timeout */
	case GS_KEY_ANY:
		break;
	case GS_KEY_REFUSED:
		gs_load_error(l, path, node, "is not supported: %s", key->help);
		break;
	}
}

/* The lists of targets that a job can have: "static_configs, file_sd_configs..." */
static void list_discovery(const struct gs_config_section *section, char *out, size_t n) {
	size_t at = 0;
	out[0] = '\0';
	for (size_t i = 0; i < section->nkeys && at < n; i++) {
		const struct gs_config_key *key = &section->keys[i];
		if (key->type == GS_KEY_ITEMS && key->section->tagged)
			at += (size_t)snprintf(out + at, n - at, "%s%s", at != 0 ? ", " : "", key->name);
	}
}

static void unknown_key(struct gs_loader *l, const struct gs_config_section *section, const struct gs_path *path,
    const struct gs_node *node) {
	char text[PATH_TEXT], elsewhere[128], up[PATH_TEXT], lists[256] = "";
	if (l->problems->n == GS_PROBLEMS_MAX) {
		gs_load_error(l, NULL, node, "unknown key"); /* only counted: spare the search */
		return;
	}
	const struct gs_config_key *near = gs_keys_suggest(section, node->text);
	path_text(path, text);
	path_text(path->up, up);
	if (gs_str_ends(node->text, GS_STR("_sd_configs")))
		list_discovery(section, lists, sizeof(lists));
	if (lists[0] != '\0')
		gs_load_error(l, NULL, node, "unknown discovery \"%s\"; there are %s", text, lists);
	else if (near != NULL)
		gs_load_error(l, NULL, node, "unknown key \"%s\"; did you mean \"%s%s%s\"?", text, up,
		    up[0] != '\0' ? "." : "", near->name);
	else if (gs_keys_elsewhere(node->text, elsewhere, sizeof(elsewhere)))
		gs_load_error(l, NULL, node, "unknown key \"%s\"; did you mean \"%s\"?", text, elsewhere);
	else
		gs_load_error(l, NULL, node, "unknown key \"%s\"; docs/CONFIG.md lists all keys", text);
}

/* What the marks of a key say about one that is given. */
static void note_given(struct gs_loader *l, const struct gs_config_key *key, const struct gs_path *path,
    const struct gs_node *name, char *base, const struct gs_node *first[GS_KEY_GROUPS]) {
	if (key->marks & (GS_KEY_PRESENCE | GS_KEY_ABSENCE))
		*(bool *)(base + key->also) = (key->marks & GS_KEY_PRESENCE) != 0;
	if (key->marks & GS_KEY_VARIANT)
		*(int *)(void *)(base + key->also) = (int)key->number;
	if (key->one_of == 0)
		return;
	const struct gs_node **before = &first[key->one_of];
	if (*before == NULL)
		*before = name;
	else if (!gs_str_eq((*before)->text, name->text)) /* else it is a duplicate, which was noted */
		gs_load_error(l, path, name, "stands beside \"%.*s\"; only one of them may", GS_FMT((*before)->text));
}

static void load_pair(struct gs_loader *l, const struct gs_config_section *section, const struct gs_path *path,
    struct gs_node *const pair[2], void *base, const struct gs_node *first[GS_KEY_GROUPS]) {
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
	if (gs_node_is_null(pair[1]))
		return;
	if (is_given(pair[1]))
		note_given(l, key, &here, pair[0], base, first);
	load_value(l, key, &here, pair[1], base);
	if (key->after != NULL && !l->no_memory)
		key->after(l, &here, pair[1], base);
}

/* "one of sum, min, max, avg, count" */
static void missing_group(struct gs_loader *l, const struct gs_config_section *section, unsigned group,
    const struct gs_path *path, const struct gs_node *node) {
	const char *names[16] = {NULL};
	char list[256];
	size_t n = 0;
	for (size_t i = 0; i < section->nkeys && n < 15; i++) {
		if (section->keys[i].one_of == group)
			names[n++] = section->keys[i].name;
	}
	list_choices(names, list, sizeof(list));
	gs_load_error(l, path, node, "needs %s", list);
}

static void check_required(struct gs_loader *l, const struct gs_config_section *section, const struct gs_path *path,
    const struct gs_node *node, const struct gs_node *first[GS_KEY_GROUPS]) {
	for (size_t i = 0; i < section->nkeys; i++) {
		const struct gs_config_key *key = &section->keys[i];
		struct gs_path here = {.up = path, .name = gs_str_of(key->name)};
		if (!(key->marks & GS_KEY_REQUIRED) && key->needs == NULL)
			continue;
		const struct gs_node *value = gs_node_get(node, here.name);
		if (key->needs != NULL && is_given(value) && !is_given(gs_node_get(node, gs_str_of(key->needs))))
			gs_load_error(l, &here, value, "needs \"%s\" beside it", key->needs);
		if (!(key->marks & GS_KEY_REQUIRED))
			continue;
		if (key->one_of == 0 && (value == NULL || gs_node_is_null(value)))
			gs_load_error(l, &here, node, "is missing");
		if (key->one_of != 0 && first[key->one_of] == NULL) {
			missing_group(l, section, key->one_of, path, node);
			first[key->one_of] = node;
		}
	}
}

void gs_load_section(struct gs_loader *l, const struct gs_config_section *section, const struct gs_path *path,
    const struct gs_node *node, void *base) {
	const struct gs_node *first[GS_KEY_GROUPS] = {NULL}; /* name of the first key of each that was given */
	if (!gs_load_is(l, path, node, GS_NODE_MAPPING))
		return;
	for (size_t i = 0; i < node->nitems && !l->no_memory; i += 2)
		load_pair(l, section, path, &node->items[i], base, first);
	check_required(l, section, path, node, first);
	if (section->after != NULL && !l->no_memory)
		section->after(l, path, node, base);
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

void gs_load_stream(struct gs_loader *l, const struct gs_path *path, const struct gs_node *node, void *base) {
	const struct gs_config_stream *stream = base;
	struct gs_path here = {.up = path, .name = GS_STR("push_stream")};
	const struct gs_node *value = gs_node_get(node, here.name);
	bool named = value != NULL && stream->push_stream != NULL && stream->push_stream[0] != '\0';
	if (named && stream->stream != NULL && strcmp(stream->push_stream, stream->stream) == 0)
		gs_load_error(l, &here, value, "is the stream of scrapes; pushes need one of their own");
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

static size_t count_items(const struct gs_node *node) {
	if (node == NULL || node->kind == GS_NODE_SCALAR)
		return 0;
	return node->kind == GS_NODE_MAPPING ? node->nitems / 2 : node->nitems;
}

static void load_all_jobs(struct gs_loader *l, const struct gs_node *root) {
	size_t n = 0;
	for (size_t i = 0; i < gs_keys_top.nkeys; i++) {
		if (gs_keys_top.keys[i].type == GS_KEY_JOBS)
			n += count_items(gs_node_get(root, gs_str_of(gs_keys_top.keys[i].name)));
	}
	if (!gs_load_reserve(l, NULL, root, n))
		return;
	l->config->jobs = gs_load_alloc(l, n, sizeof(l->config->jobs[0]));
	l->names = gs_map_new(n + 1);
	l->no_memory = l->no_memory || l->names == NULL;
	for (size_t i = 0; i < gs_keys_top.nkeys && !l->no_memory; i++) {
		const struct gs_config_key *key = &gs_keys_top.keys[i];
		if (key->type == GS_KEY_JOBS)
			gs_load_jobs(l, key, gs_node_get(root, gs_str_of(key->name)));
	}
	gs_map_free(l->names);
}

static void load_top(struct gs_loader *l, const struct gs_node *root) {
	gs_load_section(l, &gs_keys_top, NULL, root, l->config);
	gs_load_times(l, NULL, root, l->config->scrape_interval, l->config->scrape_timeout);
	check_publisher_label(l, root);
	if (!l->no_memory)
		load_all_jobs(l, root);
}

enum gs_status gs_load_tree(const struct gs_node *root, struct gs_str folder, struct gs_problems *problems,
    struct gs_arena *arena, struct gs_config *config) {
	struct gs_loader l = {.problems = problems, .arena = arena, .config = config, .folder = folder};
	if (root != NULL)
		load_top(&l, root);
	/* The default of the timeout must not exceed a shorter interval; a timeout of the user's has been checked. */
	if (config->scrape_timeout > config->scrape_interval)
		config->scrape_timeout = config->scrape_interval;
	return l.no_memory ? GS_ENOMEM : GS_OK;
}
