/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "doc.h"
#include "gravel/base/mem.h"
#include "gravel/config/tree.h"
#include "json.h"

/* What both forms share. */

struct reader {
	const struct gs_sd_parse *parse;
	struct gs_sd_group group;
};

static enum gs_status begin(
    const struct gs_sd_parse *parse, struct reader **ret_reader, struct gs_sd_doc **ret_doc, struct gs_error *err) {
	*ret_doc = gs_sd_doc_new();
	*ret_reader = gs_alloc(sizeof(**ret_reader));
	if (*ret_doc == NULL || *ret_reader == NULL)
		return gs_error_set(err, GS_ENOMEM, 0, 0, "out of memory");
	(*ret_reader)->parse = parse;
	return GS_OK;
}

static enum gs_status end(
    enum gs_status status, struct reader *reader, struct gs_sd_doc *doc, struct gs_sd_doc **ret_doc) {
	gs_free(reader);
	if (status == GS_OK)
		*ret_doc = doc;
	else
		gs_sd_doc_free(doc);
	return status;
}

static enum gs_status put_meta(struct reader *r, struct gs_error *err) {
	enum gs_status status = GS_OK;
	for (size_t i = 0; i < r->parse->nmeta && status == GS_OK; i++)
		status = gs_sd_group_put(&r->group, r->parse->meta[i].name, r->parse->meta[i].value, err);
	return status;
}

/* JSON. */

/* jansson keeps no places of values: walk to the ${group}-th of the list, for the sake of whoever has to find the error. */
static void place_of_group(struct gs_str text, size_t group, struct gs_error *err) {
	uint32_t line = 1, column = 0;
	size_t depth = 0, at = 0;
	bool string = false, wanted = false;
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		column++;
		if (c == '\n') {
			line++;
			column = 0;
		} else if (string) {
			string = c != '"';
			if (c == '\\')
				i++, column++;
		} else if (wanted) {
			if (c != ' ' && c != '\t' && c != '\r')
				break;
		} else {
			string = c == '"';
			depth += c == '[' || c == '{';
			depth -= c == ']' || c == '}';
			at += c == ',' && depth == 1;
			wanted = depth == 1 && ((c == '[' && group == 0) || (c == ',' && at == group));
		}
	}
	if (err != NULL) {
		err->line = line;
		err->column = column;
	}
}

static enum gs_status read_json_labels(struct reader *r, json_t *labels, struct gs_error *err) {
	enum gs_status status = GS_OK;
	if (json_is_null(labels))
		return GS_OK;
	if (!json_is_object(labels))
		return gs_error_set(err, GS_EINVAL, 0, 0, "\"labels\" is no object");
	for (void *i = json_object_iter(labels); i != NULL && status == GS_OK; i = json_object_iter_next(labels, i)) {
		struct gs_str name = gs_str_of(json_object_iter_key(i));
		const json_t *value = json_object_iter_value(i);
		if (!json_is_string(value))
			return gs_error_set(err, GS_EINVAL, 0, 0, "the value of label \"%.*s\" is no string",
			    (int)(name.n < 80 ? name.n : 80), name.p);
		status = gs_sd_group_put(&r->group, name, gs_sd_json_str(value), err);
	}
	return status;
}

static enum gs_status read_json_targets(struct reader *r, const json_t *targets, struct gs_error *err) {
	enum gs_status status = GS_OK;
	if (targets == NULL || json_is_null(targets))
		return GS_OK;
	if (!json_is_array(targets))
		return gs_error_set(err, GS_EINVAL, 0, 0, "\"targets\" is no list");
	for (size_t i = 0; i < json_array_size(targets) && status == GS_OK; i++) {
		const json_t *target = json_array_get(targets, i);
		if (!json_is_string(target))
			return gs_error_set(err, GS_EINVAL, 0, 0, "target %zu of \"targets\" is no string", i + 1);
		status = gs_sd_group_target(&r->group, gs_sd_json_str(target), err);
	}
	return status;
}

static enum gs_status read_json_group(struct reader *r, struct gs_sd_doc *doc, json_t *group, struct gs_error *err) {
	enum gs_status status = GS_OK;
	if (!json_is_object(group))
		return gs_error_set(
		    err, GS_EINVAL, 0, 0, "this is no group (an object with \"targets\" and \"labels\")");
	gs_sd_group_begin(&r->group, doc);
	for (void *i = json_object_iter(group); i != NULL && status == GS_OK; i = json_object_iter_next(group, i)) {
		struct gs_str key = gs_str_of(json_object_iter_key(i));
		if (gs_str_eq(key, GS_STR("labels")))
			status = read_json_labels(r, json_object_iter_value(i), err);
		else if (!gs_str_eq(key, GS_STR("targets")))
			status = gs_error_set(err, GS_EINVAL, 0, 0,
			    "unknown field \"%.*s\"; a group has \"targets\" and \"labels\"",
			    (int)(key.n < 80 ? key.n : 80), key.p);
	}
	if (status == GS_OK)
		status = put_meta(r, err);
	return status == GS_OK ? read_json_targets(r, json_object_get(group, "targets"), err) : status;
}

static enum gs_status read_json(
    struct reader *r, struct gs_sd_doc *doc, struct gs_str text, json_t *root, struct gs_error *err) {
	bool one = r->parse->one && json_is_object(root);
	if (!one && !json_is_null(root) && !json_is_array(root))
		return gs_error_set(err, GS_EINVAL, 1, 1, "this is no list of groups");
	size_t n = one ? 1 : json_array_size(root);
	for (size_t i = 0; i < n; i++) {
		enum gs_status status = read_json_group(r, doc, one ? root : json_array_get(root, i), err);
		if (status == GS_OK)
			continue;
		if (status == GS_ENOMEM)
			return status;
		if (one && err != NULL)
			err->line = err->column = 1;
		else if (!one)
			place_of_group(text, i, err);
		return status;
	}
	return GS_OK;
}

enum gs_status gs_sd_parse_json(
    struct gs_str text, const struct gs_sd_parse *parse, struct gs_sd_doc **ret_doc, struct gs_error *err) {
	struct reader *reader = NULL;
	struct gs_sd_doc *doc = NULL;
	enum gs_status status;
	json_t *root = gs_sd_json_load(text, &status, err);
	if (status == GS_OK)
		status = begin(parse, &reader, &doc, err);
	if (status == GS_OK)
		status = read_json(reader, doc, text, root, err);
	json_decref(root);
	return end(status, reader, doc, ret_doc);
}

/* YAML. */

static enum gs_status put_place(enum gs_status status, const struct gs_node *node, struct gs_error *err) {
	if (status != GS_OK && status != GS_ENOMEM && err != NULL && err->line == 0) {
		err->line = node->line;
		err->column = node->column;
	}
	return status;
}

static enum gs_status refuse(const struct gs_node *node, const char *what, struct gs_error *err) {
	return gs_error_set(err, GS_EINVAL, node->line, node->column, "%s; it is %s", what, gs_node_kind_name(node));
}

static enum gs_status read_yaml_labels(struct reader *r, const struct gs_node *labels, struct gs_error *err) {
	if (gs_node_is_null(labels))
		return GS_OK;
	if (labels->kind != GS_NODE_MAPPING)
		return refuse(labels, "\"labels\" must be a mapping", err);
	for (size_t i = 0; i < labels->nitems; i += 2) {
		const struct gs_node *name = labels->items[i], *value = labels->items[i + 1];
		if (value->kind != GS_NODE_SCALAR)
			return refuse(value, "the value of a label must be a word", err);
		struct gs_str text = gs_node_is_null(value) ? (struct gs_str){0} : value->text;
		enum gs_status status = gs_sd_group_put(&r->group, name->text, text, err);
		if (status != GS_OK)
			return put_place(status, name, err);
	}
	return GS_OK;
}

static enum gs_status read_yaml_targets(struct reader *r, const struct gs_node *targets, struct gs_error *err) {
	if (targets == NULL || gs_node_is_null(targets))
		return GS_OK;
	if (targets->kind != GS_NODE_LIST)
		return refuse(targets, "\"targets\" must be a list", err);
	for (size_t i = 0; i < targets->nitems; i++) {
		const struct gs_node *target = targets->items[i];
		if (target->kind != GS_NODE_SCALAR)
			return refuse(target, "a target must be a word", err);
		if (gs_node_is_null(target))
			return gs_error_set(err, GS_EINVAL, target->line, target->column, "this target is nothing");
		enum gs_status status = gs_sd_group_target(&r->group, target->text, err);
		if (status != GS_OK)
			return put_place(status, target, err);
	}
	return GS_OK;
}

static enum gs_status read_yaml_group(
    struct reader *r, struct gs_sd_doc *doc, const struct gs_node *group, struct gs_error *err) {
	enum gs_status status = GS_OK;
	if (group->kind != GS_NODE_MAPPING)
		return refuse(group, "a group must be a mapping with \"targets\" and \"labels\"", err);
	gs_sd_group_begin(&r->group, doc);
	for (size_t i = 0; i < group->nitems && status == GS_OK; i += 2) {
		struct gs_str key = group->items[i]->text;
		if (gs_str_eq(key, GS_STR("labels")))
			status = read_yaml_labels(r, group->items[i + 1], err);
		else if (!gs_str_eq(key, GS_STR("targets")))
			status = gs_error_set(err, GS_EINVAL, group->items[i]->line, group->items[i]->column,
			    "unknown field \"%.*s\"; a group has \"targets\" and \"labels\"",
			    (int)(key.n < 80 ? key.n : 80), key.p);
	}
	if (status == GS_OK)
		status = put_meta(r, err);
	if (status == GS_OK)
		status = read_yaml_targets(r, gs_node_get(group, GS_STR("targets")), err);
	return put_place(status, group, err);
}

static enum gs_status read_yaml(
    struct reader *r, struct gs_sd_doc *doc, const struct gs_node *root, struct gs_error *err) {
	enum gs_status status = GS_OK;
	if (root == NULL)
		return GS_OK;
	if (r->parse->one && root->kind == GS_NODE_MAPPING)
		return read_yaml_group(r, doc, root, err);
	if (root->kind != GS_NODE_LIST)
		return refuse(root, "this must be a list of groups", err);
	for (size_t i = 0; i < root->nitems && status == GS_OK; i++)
		status = read_yaml_group(r, doc, root->items[i], err);
	return status;
}

enum gs_status gs_sd_parse_yaml(
    struct gs_str text, const struct gs_sd_parse *parse, struct gs_sd_doc **ret_doc, struct gs_error *err) {
	struct reader *reader = NULL;
	struct gs_sd_doc *doc = NULL;
	struct gs_node *root = NULL;
	struct gs_arena *arena = gs_arena_new(GS_LIMIT_SD_MEMORY);
	enum gs_status status = arena != NULL ? GS_OK : gs_error_set(err, GS_ENOMEM, 0, 0, "out of memory");
	if (status == GS_OK)
		status = gs_tree_read(text, arena, &root, err);
	if (status == GS_OK)
		status = begin(parse, &reader, &doc, err);
	if (status == GS_OK)
		status = read_yaml(reader, doc, root, err);
	gs_arena_free(arena);
	return end(status, reader, doc, ret_doc);
}
