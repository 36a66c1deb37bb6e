/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the log says of a push: the header line that it has on the wire, always of one part, and its content, which is compressed where it is shorter than body_size. Behind the
 * keys of the wire stand, with names of more than one letter: once=1 where the id is a key, and sequence and stored of the message that brought a push of the edge.
 */
#include "gravel/base/num.h"
#include "ingest_internal.h"

#define SMALL 512 /* bytes of content that are not worth compressing */
#define LEVEL 1
#define NO_ID GS_STR("-")

static void fill_plain(struct gs_buf *out, const struct gs_ingest_push *push, size_t *ret_labels) {
	gs_buf_clear(out);
	out->max = GS_LIMIT_WIRE_BODY;
	gs_wire_push_add_labels(out, push->labels, push->nlabels);
	*ret_labels = out->n;
	gs_buf_str(out, push->body);
}

/* Whatever is shorter: so the size says which it is. */
static enum gs_status pack(struct kit *kit, struct entry *entry) {
	struct gs_buf *content = &entry->content;
	gs_buf_clear(content);
	content->max = kit->plain.n > SMALL ? kit->plain.n - 1 : GS_LIMIT_WIRE_BODY;
	enum gs_status status = GS_ELIMIT;
	if (kit->plain.n > SMALL)
		status = gs_codec_compress(kit->codec, GS_CODEC_ZSTD, LEVEL, gs_buf_slice(&kit->plain), content);
	if (status != GS_ELIMIT)
		return status;
	gs_buf_clear(content);
	content->max = GS_LIMIT_WIRE_BODY;
	gs_buf_str(content, gs_buf_slice(&kit->plain));
	return content->status;
}

static void add_number(struct gs_buf *out, const char *key, uint64_t v) {
	gs_buf_cstr(out, key);
	gs_buf_u64(out, v);
}

static enum gs_status write_with(
    struct kit *kit, struct entry *entry, const struct record *record, struct gs_error *err) {
	size_t labels = 0;
	fill_plain(&kit->plain, record->push, &labels);
	gs_buf_clear(&kit->mode);
	gs_mode_print(&kit->mode, &record->push->mode);
	if (kit->plain.status == GS_ELIMIT)
		return gs_error_set(err, GS_ELIMIT, 0, 0, "the push is larger than what the push log takes");
	if (kit->plain.status != GS_OK || kit->mode.status != GS_OK || pack(kit, entry) != GS_OK)
		return GS_ENOMEM;
	struct gs_wire_push header = {
	    .op = record->op,
	    .time_ms = record->time_ms,
	    .ttl_ms = record->push->ttl_ms,
	    .body_size = kit->plain.n,
	    .labels_size = labels,
	    .parts = 1,
	    .format = record->push->format.format,
	    .utf8_names = record->push->format.utf8_names,
	    .publisher = record->publisher,
	    .id = record->id.n != 0 ? record->id : NO_ID,
	    .mode = gs_buf_slice(&kit->mode),
	};
	gs_buf_clear(&entry->head);
	gs_wire_push_write(&entry->head, &header);
	if (record->id.n != 0)
		gs_buf_cstr(&entry->head, " once=1");
	if (record->mark.sequence != 0) {
		add_number(&entry->head, " sequence=", record->mark.sequence);
		add_number(&entry->head, " stored=", (uint64_t)record->mark.stored_ms);
	}
	return entry->head.status;
}

enum gs_status gs_record_write(
    struct gs_ingest *ingest, struct entry *entry, const struct record *record, struct gs_error *err) {
	struct kit *kit = gs_kit_get(ingest);
	if (kit == NULL)
		return GS_ENOMEM;
	enum gs_status status = write_with(kit, entry, record, err);
	gs_kit_put(ingest, kit);
	if (status == GS_ELIMIT && err != NULL)
		gs_ingest_limited(err);
	return status;
}

/* The value of a key that the wire does not know; empty: it is not there. No value holds a blank. */
static struct gs_str find_key(struct gs_str line, struct gs_str key) {
	struct gs_str pair, name, value;
	for (bool more = true; more;) {
		more = gs_str_cut(line, ' ', &pair, &line);
		if (gs_str_cut(pair, '=', &name, &value) && gs_str_eq(name, key))
			return value;
	}
	return (struct gs_str){0};
}

static enum gs_status unpack(struct entry *entry, struct gs_codec *codec, const struct gs_wire_push *push,
    struct gs_str body, struct gs_str *ret) {
	*ret = body;
	if (body.n == push->body_size)
		return GS_OK;
	if (body.n == 0)
		return GS_EINVAL;
	gs_buf_clear(&entry->text);
	entry->text.max = (size_t)push->body_size;
	enum gs_status status = gs_codec_decompress(codec, GS_CODEC_ZSTD, body, &entry->text);
	*ret = gs_buf_slice(&entry->text);
	return status == GS_OK && ret->n != push->body_size ? GS_EINVAL : status;
}

enum gs_status gs_record_read(struct gs_ingest *ingest, struct entry *entry, struct gs_buf *scratch,
    struct gs_codec *codec, const struct gs_journal_entry *logged, struct gs_error *err) {
	struct gs_wire_push push = {0};
	struct gs_ingest_push what = {0};
	struct gs_str content, sequence, stored;
	uint64_t stored_ms = 0;
	enum gs_status status = gs_wire_push_parse(logged->header, scratch, &push, err);
	if (status != GS_OK)
		return status;
	gs_entry_reset(entry, gs_pushed_kind(push.op));
	status = unpack(entry, codec, &push, logged->body, &content);
	if (status == GS_OK)
		status = gs_pushed_request(entry, &push, content, &what);
	if (status != GS_OK)
		return gs_error_set(err, status, 0, 0, "its content cannot be read: %s", gs_status_name(status));
	if (find_key(logged->header, GS_STR("once")).n != 0)
		what.key = push.id;
	sequence = find_key(logged->header, GS_STR("sequence"));
	stored = find_key(logged->header, GS_STR("stored"));
	if (sequence.n != 0 && stored.n != 0 && gs_num_parse_u64(sequence, &entry->mark.sequence) == GS_OK &&
	    gs_num_parse_u64(stored, &stored_ms) == GS_OK)
		entry->mark.stored_ms = (int64_t)stored_ms;
	entry->op = gs_pushed_gateway_op(push.op);
	entry->time_ms = logged->time_ms;
	return gs_ingest_fill_push(ingest, entry, &what, true, err);
}
