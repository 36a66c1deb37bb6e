/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as what a source of discovery gives; the first byte says which: a JSON document, one of a key, a YAML document, a page of etcd's, a token, base64. What
 * is accepted keeps the invariants of a document, says so again when it is read again, and errors have words. */
#include <stdint.h>
#include <stdlib.h>

#include "etcd_answer.h"
#include "gravel/base/base64.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef enum gs_status parse_fn(
    struct gs_str text, const struct gs_sd_parse *parse, struct gs_sd_doc **ret_doc, struct gs_error *err);

static void check_error(enum gs_status status, const struct gs_error *err) {
	if (status != GS_OK && err->text[0] == '\0')
		abort();
}

static void check_doc(const struct gs_sd_doc *doc, const struct gs_sd_parse *parse) {
	gs_sd_doc_check(doc);
	for (size_t i = 0; i < doc->n; i++) {
		size_t found = 0;
		for (size_t j = 0; j < doc->targets[i].nlabels; j++) {
			const struct gs_label *label = &doc->targets[i].labels[j];
			if (!gs_str_is_utf8(label->value) || !gs_expo_is_label_name(label->name))
				abort();
			found += gs_str_eq(label->name, parse->meta[0].name) &&
				 gs_str_eq(label->value, parse->meta[0].value);
		}
		if (found != parse->nmeta)
			abort();
	}
}

static void try_parse(parse_fn *fn, struct gs_str text, bool one) {
	struct gs_sd_parse parse = {
	    .meta = {{.name = GS_STR("__meta_x"), .value = GS_STR("y")}}, .nmeta = 1, .one = one};
	struct gs_sd_doc *doc = NULL, *again = NULL;
	struct gs_error err = {0};
	enum gs_status status = fn(text, &parse, &doc, &err);
	check_error(status, &err);
	if ((status == GS_OK) != (doc != NULL) || (status == GS_EINVAL && (err.line == 0 || err.column == 0)))
		abort();
	if (doc == NULL)
		return;
	check_doc(doc, &parse);
	if (fn(text, &parse, &again, &err) != GS_OK || again->hash != doc->hash || again->n != doc->n)
		abort();
	gs_sd_doc_free(doc);
	gs_sd_doc_free(again);
}

static void try_etcd(struct gs_str text) {
	struct gs_buf last;
	struct gs_sd_etcd_page page = {.last = &last};
	struct gs_sd_doc *doc = gs_sd_doc_new();
	struct gs_error err = {0};
	gs_buf_init(&last, 1 << 20);
	check_error(gs_sd_etcd_read(text, doc, &page, &err), &err);
	gs_sd_doc_check(doc);
	for (size_t i = 0; i < doc->n; i++) {
		if (doc->targets[i].nlabels > 2 || !gs_sd_is_address(doc->targets[i].labels[0].value))
			abort();
	}
	gs_buf_free(&last);
	gs_sd_doc_free(doc);
}

static void try_token(struct gs_str text) {
	struct gs_buf out;
	struct gs_error err = {0};
	gs_buf_init(&out, 1024);
	enum gs_status status = gs_sd_etcd_token(text, &out, &err);
	check_error(status, &err);
	for (size_t i = 0; status == GS_OK && i < out.n; i++) {
		if (out.p[i] <= ' ' || out.p[i] > '~')
			abort();
	}
	gs_buf_free(&out);
}

static void try_base64(struct gs_str text) {
	struct gs_arena *arena = gs_arena_new(1 << 24);
	struct gs_str plain;
	struct gs_buf out;
	gs_buf_init(&out, 1 << 24);
	if (gs_base64_decode(GS_BASE64_STANDARD, text, arena, &plain) == GS_OK) {
		gs_base64_encode(plain, &out);
		if (!gs_str_eq(gs_buf_slice(&out), text))
			abort();
	}
	gs_buf_free(&out);
	gs_arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	if (size == 0)
		return 0;
	struct gs_str text = gs_str_make((const char *)data + 1, size - 1);
	switch (data[0]) {
	case 'j':
		try_parse(gs_sd_parse_json, text, false);
		break;
	case 'k':
		try_parse(gs_sd_parse_json, text, true);
		break;
	case 'y':
		try_parse(gs_sd_parse_yaml, text, false);
		break;
	case 'e':
		try_etcd(text);
		break;
	case 't':
		try_token(text);
		break;
	default:
		try_base64(text);
	}
	return 0;
}
