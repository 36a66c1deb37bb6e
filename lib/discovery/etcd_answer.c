/* SPDX-License-Identifier: Apache-2.0 */
#include "etcd_answer.h"

#include "gravel/base/base64.h"
#include "gravel/base/json.h"
#include "gravel/base/mem.h"
#include "gravel/base/num.h"
#include "json.h"

/* Asking. */

static void add_bytes(struct gs_json *json, const char *key, struct gs_str bytes) {
	gs_json_key(json, gs_str_of(key));
	gs_buf_char(json->out, '"');
	gs_base64_encode(bytes, json->out);
	gs_buf_char(json->out, '"');
	json->comma = true;
}

/* The first key that does not begin with ${prefix}: "\0" stands for the end of all keys. */
static void add_end(struct gs_json *json, struct gs_str prefix) {
	struct gs_buf end;
	while (prefix.n != 0 && (unsigned char)prefix.p[prefix.n - 1] == 0xff)
		prefix.n--;
	gs_buf_init(&end, prefix.n + 1);
	gs_buf_str(&end, prefix);
	if (prefix.n == 0)
		gs_buf_char(&end, '\0');
	else if (end.status == GS_OK)
		end.p[end.n - 1]++;
	if (end.status != GS_OK)
		json->out->status = end.status;
	add_bytes(json, "range_end", gs_buf_slice(&end));
	gs_buf_free(&end);
}

void gs_sd_etcd_ask(struct gs_str first, struct gs_str prefix, int64_t revision, size_t limit, struct gs_buf *out) {
	struct gs_json json;
	gs_json_init(&json, out);
	gs_json_open(&json, '{');
	add_bytes(&json, "key", first.n != 0 ? first : GS_STR("\0"));
	add_end(&json, prefix);
	gs_json_key(&json, GS_STR("limit"));
	gs_json_u64(&json, limit);
	if (revision > 0) {
		gs_json_key(&json, GS_STR("revision"));
		gs_json_u64(&json, (uint64_t)revision);
	}
	gs_json_close(&json, '}');
}

void gs_sd_etcd_login(struct gs_str name, struct gs_str password, struct gs_buf *out) {
	struct gs_json json;
	gs_json_init(&json, out);
	gs_json_open(&json, '{');
	gs_json_key(&json, GS_STR("name"));
	gs_json_str(&json, name);
	gs_json_key(&json, GS_STR("password"));
	gs_json_str(&json, password);
	gs_json_close(&json, '}');
}

/* Reading. */

static bool is_port(struct gs_str s) {
	uint64_t port;
	return s.n <= 5 && gs_num_parse_u64(s, &port) == GS_OK && port >= 1 && port <= 65535;
}

static bool is_ipv6(struct gs_str s) {
	for (size_t i = 0; i < s.n; i++) {
		if (!strchr("0123456789abcdefABCDEF:.%", s.p[i]) || s.p[i] == '\0')
			return false;
	}
	return s.n != 0 && memchr(s.p, ':', s.n) != NULL;
}

static bool is_name(struct gs_str s) {
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
		if (!letter && c != '-' && c != '.' && c != '_')
			return false;
	}
	return s.n != 0;
}

bool gs_sd_is_address(struct gs_str s) {
	size_t colon = s.n;
	while (colon > 0 && s.p[colon - 1] != ':')
		colon--;
	if (colon == 0 || !is_port(gs_str_make(s.p + colon, s.n - colon)))
		return false;
	struct gs_str host = gs_str_make(s.p, colon - 1);
	if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		return is_ipv6(gs_str_make(host.p + 1, host.n - 2));
	return is_name(host);
}

static struct gs_str behind_slash(struct gs_str key) {
	size_t at = key.n;
	while (at > 0 && key.p[at - 1] != '/')
		at--;
	return at != 0 ? gs_str_make(key.p + at, key.n - at) : key;
}

static enum gs_status add_key(struct gs_sd_group *group, struct gs_str key, struct gs_str value,
    struct gs_sd_etcd_page *page, struct gs_error *err) {
	struct gs_str address = behind_slash(key);
	if (!gs_sd_is_address(address))
		address = gs_str_trim(value);
	if (!gs_sd_is_address(address) || !gs_str_is_utf8(key)) {
		if (++page->skipped > GS_LIMIT_TARGETS)
			return gs_error_set(
			    err, GS_ELIMIT, 0, 0, "more than %d keys without host:port", GS_LIMIT_TARGETS);
		return GS_OK;
	}
	gs_sd_group_begin(group, group->doc);
	enum gs_status status = gs_sd_group_put(group, GS_STR("__meta_etcd_key"), key, err);
	return status == GS_OK ? gs_sd_group_target(group, address, err) : status;
}

static enum gs_status damaged(struct gs_error *err) {
	return gs_error_set(err, GS_EINVAL, 0, 0, "the answer is not one of etcd's");
}

/* ${arena} holds what is decoded of this key alone. */
static enum gs_status read_key(struct gs_sd_group *group, const json_t *kv, struct gs_arena *arena,
    struct gs_sd_etcd_page *page, struct gs_error *err) {
	struct gs_str key, value;
	if (!json_is_string(json_object_get(kv, "key")))
		return damaged(err);
	enum gs_status status =
	    gs_base64_decode(GS_BASE64_STANDARD, gs_sd_json_str(json_object_get(kv, "key")), arena, &key);
	if (status == GS_OK)
		status =
		    gs_base64_decode(GS_BASE64_STANDARD, gs_sd_json_str(json_object_get(kv, "value")), arena, &value);
	if (status == GS_EINVAL)
		return damaged(err);
	if (status != GS_OK)
		return gs_error_set(err, status, 0, 0, "out of memory");
	/* In rising order, over all pages: else a server could send us on for ever. */
	if (page->last->n != 0 && gs_str_cmp(key, gs_buf_slice(page->last)) < 0)
		return damaged(err);
	gs_buf_clear(page->last);
	gs_buf_str(page->last, key);
	if (page->last->status != GS_OK)
		return gs_error_set(err, page->last->status, 0, 0, "a key is too long");
	return add_key(group, key, value, page, err);
}

/* protobuf's JSON writes numbers of 64 bits as strings. */
static int64_t number(const json_t *value) {
	int64_t n;
	if (json_is_integer(value))
		return json_integer_value(value);
	return json_is_string(value) && gs_num_parse_i64(gs_sd_json_str(value), &n) == GS_OK ? n : 0;
}

static enum gs_status read_keys(
    const json_t *root, struct gs_sd_doc *doc, struct gs_sd_etcd_page *page, struct gs_error *err) {
	const json_t *keys = json_object_get(root, "kvs"), *header = json_object_get(root, "header");
	if (!json_is_object(root) || !json_is_object(header) || (keys != NULL && !json_is_array(keys)))
		return damaged(err);
	page->revision = number(json_object_get(header, "revision"));
	page->more = json_is_true(json_object_get(root, "more"));
	if (page->more && json_array_size(keys) == 0)
		return damaged(err);
	if (page->last->n != 0)
		gs_buf_char(page->last, '\0'); /* the first key behind the page before */
	if (page->last->status != GS_OK)
		return gs_error_set(err, page->last->status, 0, 0, "out of memory");
	struct gs_sd_group *group = gs_alloc(sizeof(*group));
	struct gs_arena *arena = gs_arena_new(GS_LIMIT_SD_DOCUMENT);
	enum gs_status status = GS_OK;
	if (group == NULL || arena == NULL)
		status = gs_error_set(err, GS_ENOMEM, 0, 0, "out of memory");
	else
		gs_sd_group_begin(group, doc);
	for (size_t i = 0; i < json_array_size(keys) && status == GS_OK; i++) {
		gs_arena_clear(arena);
		status = read_key(group, json_array_get(keys, i), arena, page, err);
	}
	gs_arena_free(arena);
	gs_free(group);
	return status;
}

enum gs_status gs_sd_etcd_read(
    struct gs_str text, struct gs_sd_doc *doc, struct gs_sd_etcd_page *page, struct gs_error *err) {
	enum gs_status status;
	json_t *root = gs_sd_json_load(text, &status, err);
	if (status == GS_OK)
		status = read_keys(root, doc, page, err);
	json_decref(root);
	return status;
}

enum gs_status gs_sd_etcd_token(struct gs_str text, struct gs_buf *out, struct gs_error *err) {
	enum gs_status status;
	json_t *root = gs_sd_json_load(text, &status, NULL);
	struct gs_str token = gs_sd_json_str(json_object_get(root, "token"));
	gs_buf_clear(out);
	if (status == GS_ENOMEM) {
		(void)gs_error_set(err, status, 0, 0, "out of memory");
	} else if (status != GS_OK || token.n == 0) {
		status = gs_error_set(err, GS_EINVAL, 0, 0, "the answer to the login has no token");
	} else {
		for (size_t i = 0; i < token.n && status == GS_OK; i++) {
			if (token.p[i] <= ' ' || token.p[i] >= 0x7f)
				status =
				    gs_error_set(err, GS_EINVAL, 0, 0, "the token has bytes that no header can have");
		}
		gs_buf_str(out, token);
		if (status == GS_OK && out->status != GS_OK)
			status = gs_error_set(err, out->status, 0, 0, "the token is too long, or memory is out");
	}
	json_decref(root);
	return status;
}
