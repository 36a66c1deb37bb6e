/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From what a source found to targets. All that was found of one is its key, and what has the same key as before is not built again: of a list of ten thousand of
 * which one is new, one is relabelled.
 */
#include <stdlib.h>

#include "gravel/base/mem.h"
#include "manager_internal.h"

#define KEY_MAX ((size_t)64 * 1024 * 1024) /* more than GS_LIMIT_LABELS of the longest */
#define ARENA_MAX ((size_t)1024 * 1024 * 1024)
#define NO_LABEL UINT32_MAX /* in a key, instead of a length: the URL follows */

enum gs_status gs_builder_init(struct builder *builder) {
	builder->scratch = gs_labels_new();
	builder->arena = gs_arena_new(ARENA_MAX);
	gs_buf_init(&builder->key, KEY_MAX);
	gs_buf_init(&builder->found_key, KEY_MAX);
	gs_buf_init(&builder->url, KEY_MAX);
	return builder->scratch != NULL && builder->arena != NULL ? GS_OK : GS_ENOMEM;
}

void gs_builder_free(struct builder *builder) {
	gs_labels_free(builder->scratch);
	gs_arena_free(builder->arena);
	gs_buf_free(&builder->key);
	gs_buf_free(&builder->found_key);
	gs_buf_free(&builder->url);
}

/* Keys */

static void put_u32(struct gs_buf *out, uint32_t v) {
	gs_buf_add(out, &v, sizeof(v));
}

static void put_text(struct gs_buf *out, struct gs_str s) {
	put_u32(out, (uint32_t)s.n);
	gs_buf_str(out, s);
}

static void put_labels(struct gs_buf *out, const struct gs_label *labels, size_t n) {
	for (size_t i = 0; i < n; i++) {
		put_text(out, labels[i].name);
		put_text(out, labels[i].value);
	}
}

static void found_key(struct gs_buf *out, const struct found *found) {
	gs_buf_clear(out);
	put_labels(out, found->labels, found->nlabels);
	if (found->url == NULL)
		return;
	put_u32(out, NO_LABEL);
	gs_buf_cstr(out, found->url);
	gs_buf_char(out, '\0');
}

static uint32_t get_u32(const char *p) {
	uint32_t v;
	memcpy(&v, p, sizeof(v));
	return v;
}

static struct gs_str get_text(const char **p) {
	struct gs_str s = gs_str_make(*p + sizeof(uint32_t), get_u32(*p));
	*p = s.p + s.n;
	return s;
}

/* The other way; ${labels} has room for GS_LIMIT_LABELS. What it gives stands in ${key}. */
static struct found read_key(struct gs_str key, struct gs_label *labels) {
	struct found found = {.labels = labels};
	const char *p = key.p, *end = key.p + key.n;
	while (p < end && get_u32(p) != NO_LABEL && found.nlabels < GS_LIMIT_LABELS) {
		labels[found.nlabels].name = get_text(&p);
		labels[found.nlabels++].value = get_text(&p);
	}
	if (p < end && get_u32(p) == NO_LABEL)
		found.url = p + sizeof(uint32_t);
	return found;
}

static void target_key(struct gs_buf *out, const struct target_parts *parts) {
	gs_buf_clear(out);
	gs_buf_add(out, &parts->scope->id, sizeof(parts->scope->id));
	gs_buf_add(out, &parts->interval_ms, sizeof(parts->interval_ms));
	gs_buf_add(out, &parts->timeout_ms, sizeof(parts->timeout_ms));
	put_text(out, parts->url);
	put_labels(out, parts->labels, parts->nlabels);
}

/* URLs that were given */

struct url {
	struct gs_str scheme;
	struct gs_str address; /* host and port */
	struct gs_str path;
	struct gs_str query; /* with its '?' */
};

static size_t find_any(struct gs_str s, const char *bytes) {
	for (size_t i = 0; i < s.n; i++) {
		if (strchr(bytes, s.p[i]) != NULL)
			return i;
	}
	return s.n;
}

static struct gs_str tail(struct gs_str s, size_t n) {
	return gs_str_make(s.p + n, s.n - n);
}

/* The configuration has seen to it that it is one. */
static struct url split_url(const char *text) {
	struct url url = {0};
	struct gs_str s = gs_str_of(text), user, host;
	size_t n = find_any(s, ":");
	url.scheme = gs_str_make(s.p, n);
	s = tail(s, n + 3 <= s.n ? n + 3 : s.n);
	n = find_any(s, "/?#");
	url.address = gs_str_make(s.p, n);
	while (gs_str_cut(url.address, '@', &user, &host))
		url.address = host;
	s = tail(s, n);
	s.n = find_any(s, "#");
	n = find_any(s, "?");
	url.path = n != 0 ? gs_str_make(s.p, n) : GS_STR("/");
	url.query = tail(s, n);
	return url;
}

/* Building */

static struct gs_target_defaults defaults_of(const struct builder *builder, const struct found *found) {
	const struct gs_config_job *job = builder->config;
	return (struct gs_target_defaults){
	    .job = gs_str_of(job->name),
	    .scheme = gs_str_of(job->scheme),
	    .metrics_path = gs_str_of(job->metrics_path),
	    .params = builder->params,
	    .nparams = found->url == NULL ? job->nparams : 0,
	    .interval_ms = job->scrape_interval,
	    .timeout_ms = job->scrape_timeout,
	    .relabel = builder->relabel,
	};
}

/* A URL that was given stays as it is, unless relabelling makes another one of it: then its query is what stays. */
static enum gs_status choose_url(struct builder *builder, const struct found *found, struct gs_target *target) {
	struct gs_target_defaults defaults = defaults_of(builder, found);
	struct gs_target plain;
	struct gs_error err;
	bool keep;
	if (found->url == NULL)
		return GS_OK;
	defaults.relabel = NULL;
	enum gs_status status = gs_target_build(
	    &defaults, found->labels, found->nlabels, builder->scratch, builder->arena, &plain, &keep, &err);
	if (status != GS_OK)
		return status;
	if (gs_str_eq(plain.url, target->url)) {
		target->url = gs_str_of(found->url);
		return GS_OK;
	}
	struct gs_str query = split_url(found->url).query;
	gs_buf_clear(&builder->url);
	gs_buf_str(&builder->url, target->url);
	if (query.n > 1 && target->url.n != 0 && memchr(target->url.p, '?', target->url.n) != NULL)
		gs_buf_char(&builder->url, '&');
	else if (query.n > 1)
		gs_buf_char(&builder->url, '?');
	if (query.n > 1)
		gs_buf_str(&builder->url, tail(query, 1));
	target->url = gs_buf_slice(&builder->url);
	return builder->url.status;
}

static enum gs_status build_target(struct builder *builder, const struct found *found, struct target **ret) {
	struct gs_target_defaults defaults = defaults_of(builder, found);
	struct gs_target built = {0};
	struct gs_error err = {0};
	bool keep = false;
	gs_arena_clear(builder->arena);
	enum gs_status status = gs_target_build(
	    &defaults, found->labels, found->nlabels, builder->scratch, builder->arena, &built, &keep, &err);
	if (status == GS_OK && keep)
		status = choose_url(builder, found, &built);
	if (status == GS_ENOMEM)
		return status;
	struct target_parts parts = {
	    .kind = keep ? TARGET_SCRAPED : TARGET_DROPPED,
	    .discovered = built.discovered,
	    .ndiscovered = built.ndiscovered,
	};
	if (status != GS_OK) {
		parts.kind = TARGET_REFUSED;
		parts.discovered = found->labels;
		parts.ndiscovered = found->nlabels;
		parts.error = gs_str_of(err.text[0] != '\0' ? err.text : gs_status_name(status));
	} else if (keep) {
		parts.scope = builder->scope;
		parts.labels = built.labels;
		parts.nlabels = built.nlabels;
		parts.url = built.url;
		parts.interval_ms = built.interval_ms;
		parts.timeout_ms = built.timeout_ms;
		target_key(&builder->key, &parts);
		if (builder->key.status != GS_OK)
			return GS_ENOMEM;
		parts.key = gs_buf_slice(&builder->key);
		struct target *known = builder->known != NULL ? gs_map_get(builder->known, parts.key) : NULL;
		if (known != NULL) {
			*ret = gs_managed_ref(known);
			return GS_OK;
		}
	}
	*ret = gs_managed_new(&parts);
	return *ret != NULL ? GS_OK : GS_ENOMEM;
}

/* Items */

static void item_unref(struct item *item) {
	if (item == NULL || --item->refs != 0)
		return;
	gs_managed_unref(item->target);
	gs_free(item);
}

static enum gs_status item_new(
    struct builder *builder, struct gs_str key, const struct found *found, struct item **ret) {
	struct item *item = gs_alloc(sizeof(*item) + key.n);
	if (item == NULL)
		return GS_ENOMEM;
	item->refs = 1;
	memcpy(item->bytes, key.p, key.n);
	item->key = gs_str_make(item->bytes, key.n);
	enum gs_status status = build_target(builder, found, &item->target);
	if (status != GS_OK) {
		gs_free(item);
		return status;
	}
	builder->built++;
	*ret = item;
	return GS_OK;
}

/* Sources */

static struct source *source_new(uint64_t hash, size_t n) {
	struct source *source = gs_alloc(sizeof(*source));
	if (source == NULL)
		return NULL;
	source->refs = 1;
	source->hash = hash;
	source->items = gs_alloc_array(n, sizeof(struct item *));
	source->map = gs_map_new(n + 1);
	if (source->items != NULL && source->map != NULL)
		return source;
	gs_source_unref(source);
	return NULL;
}

struct source *gs_source_ref(struct source *source) {
	source->refs++;
	return source;
}

void gs_source_unref(struct source *source) {
	if (source == NULL || --source->refs != 0)
		return;
	for (size_t i = 0; i < source->n; i++)
		item_unref(source->items[i]);
	gs_free(source->items);
	gs_map_free(source->map);
	gs_free(source);
}

static enum gs_status add_found(
    struct builder *builder, struct source *source, const struct source *old, const struct found *found) {
	enum gs_status status = GS_OK;
	found_key(&builder->found_key, found);
	if (builder->found_key.status != GS_OK)
		return GS_ENOMEM;
	struct gs_str key = gs_buf_slice(&builder->found_key);
	if (gs_map_get(source->map, key) != NULL)
		return GS_OK; /* twice in the list */
	struct item *item = old != NULL ? gs_map_get(old->map, key) : NULL;
	if (item != NULL)
		item->refs++;
	else
		status = item_new(builder, key, found, &item);
	if (status == GS_OK)
		status = gs_map_put(source->map, item->key, item);
	if (status == GS_OK)
		source->items[source->n++] = item;
	else
		item_unref(item);
	return status;
}

enum gs_status gs_source_new(struct builder *builder, uint64_t hash, const struct source *old,
    const struct found *found, size_t n, struct source **ret) {
	struct source *source = source_new(hash, n);
	enum gs_status status = source != NULL ? GS_OK : GS_ENOMEM;
	for (size_t i = 0; i < n && status == GS_OK; i++)
		status = add_found(builder, source, old, &found[i]);
	if (status == GS_OK)
		*ret = source;
	else
		gs_source_unref(source);
	return status;
}

enum gs_status gs_source_again(struct builder *builder, const struct source *old, struct source **ret) {
	struct gs_label labels[GS_LIMIT_LABELS];
	struct source *source = source_new(old->hash, old->n);
	enum gs_status status = source != NULL ? GS_OK : GS_ENOMEM;
	for (size_t i = 0; i < old->n && status == GS_OK; i++) {
		struct found found = read_key(old->items[i]->key, labels);
		status = add_found(builder, source, NULL, &found);
	}
	if (status == GS_OK)
		*ret = source;
	else
		gs_source_unref(source);
	return status;
}

/* The static source */

struct collected {
	struct gs_arena *arena;
	struct found *found;
	size_t n;
};

static void set_label(struct gs_label *labels, size_t *n, const char *name, struct gs_str value) {
	struct gs_str key = gs_str_of(name);
	for (size_t i = 0; i < *n; i++) {
		if (gs_str_eq(labels[i].name, key))
			return;
	}
	if (value.n != 0)
		labels[(*n)++] = (struct gs_label){key, value};
}

static int by_name(const void *a, const void *b) {
	const struct gs_label *x = a, *y = b;
	return gs_str_cmp(x->name, y->name);
}

static struct gs_label *collect(struct collected *all, size_t nlabels, const char *url) {
	struct gs_label *labels = gs_arena_alloc(all->arena, (nlabels + 1) * sizeof(*labels));
	if (labels != NULL)
		all->found[all->n++] = (struct found){.labels = labels, .url = url};
	return labels;
}

static void close_labels(struct collected *all, struct gs_label *labels, size_t n) {
	qsort(labels, n, sizeof(*labels), by_name);
	all->found[all->n - 1].nlabels = n;
}

static enum gs_status collect_url(struct collected *all, const struct gs_config_target *target) {
	struct url url = split_url(target->url);
	struct gs_label *labels = collect(all, target->nlabels + 4, target->url);
	size_t n = 0;
	if (labels == NULL)
		return GS_ENOMEM;
	set_label(labels, &n, "__address__", url.address);
	for (size_t i = 0; i < target->nlabels; i++)
		set_label(labels, &n, target->labels[i].name, gs_str_of(target->labels[i].value));
	set_label(labels, &n, "__scheme__", url.scheme);
	set_label(labels, &n, "__metrics_path__", url.path);
	set_label(labels, &n, "instance", gs_str_of(target->name));
	close_labels(all, labels, n);
	return GS_OK;
}

static enum gs_status collect_address(struct collected *all, const struct gs_config_sd *sd, const char *address) {
	struct gs_label *labels = collect(all, sd->nlabels + 1, NULL);
	size_t n = 0;
	if (labels == NULL)
		return GS_ENOMEM;
	set_label(labels, &n, "__address__", gs_str_of(address));
	for (size_t i = 0; i < sd->nlabels; i++)
		set_label(labels, &n, sd->labels[i].name, gs_str_of(sd->labels[i].value));
	close_labels(all, labels, n);
	return GS_OK;
}

static enum gs_status collect_all(struct collected *all, const struct gs_config_job *job) {
	enum gs_status status = GS_OK;
	for (size_t i = 0; i < job->ntargets && status == GS_OK; i++)
		status = collect_url(all, &job->targets[i]);
	for (size_t i = 0; i < job->nsds && status == GS_OK; i++) {
		const struct gs_config_sd *sd = &job->sds[i];
		for (size_t a = 0; sd->kind == GS_SD_STATIC && a < sd->nnames && status == GS_OK; a++)
			status = collect_address(all, sd, sd->names[a]);
	}
	return status;
}

enum gs_status gs_source_static(struct builder *builder, const struct source *old, struct source **ret) {
	const struct gs_config_job *job = builder->config;
	size_t n = job->ntargets;
	for (size_t i = 0; i < job->nsds; i++)
		n += job->sds[i].kind == GS_SD_STATIC ? job->sds[i].nnames : 0;
	struct collected all = {.arena = gs_arena_new(ARENA_MAX)};
	all.found = gs_alloc_array(n, sizeof(*all.found));
	enum gs_status status = all.arena != NULL && all.found != NULL ? GS_OK : GS_ENOMEM;
	if (status == GS_OK)
		status = collect_all(&all, job);
	if (status == GS_OK)
		status = gs_source_new(builder, 0, old, all.found, all.n, ret);
	gs_arena_free(all.arena);
	gs_free(all.found);
	return status;
}
