/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of a snapshot: numbers in groups of 7 bits, the lowest first, doubles as 8 bytes, strings behind their length. */
#include "archive.h"

#define PIECE ((size_t)64 * 1024)

void gs_archive_fail(struct archive *archive, enum gs_status status) {
	if (archive->status == GS_OK)
		archive->status = status;
}

static void flush(struct archive *archive) {
	if (archive->status == GS_OK)
		gs_archive_fail(archive, archive->bytes.status);
	if (archive->status == GS_OK && archive->bytes.n != 0)
		gs_archive_fail(archive, archive->put(archive->ctx, gs_buf_slice(&archive->bytes)));
	gs_buf_clear(&archive->bytes);
}

static void write_bytes(struct archive *archive, const void *p, size_t n) {
	gs_buf_add(&archive->bytes, p, n);
	if (archive->bytes.n >= PIECE)
		flush(archive);
}

/* What the window has of ${n} bytes, at least one; none after an error. */
static struct gs_str read_some(struct archive *archive, size_t n) {
	if (archive->window.n == 0 && archive->status == GS_OK) {
		gs_archive_fail(archive, archive->get(archive->ctx, &archive->window));
		if (archive->status == GS_OK && archive->window.n == 0)
			gs_archive_fail(archive, GS_EINVAL); /* more was to come */
	}
	if (archive->status != GS_OK)
		return (struct gs_str){0};
	size_t some = n < archive->window.n ? n : archive->window.n;
	struct gs_str bytes = gs_str_make(archive->window.p, some);
	archive->window = gs_str_make(archive->window.p + some, archive->window.n - some);
	return bytes;
}

/* All zeros after an error. */
static void read_bytes(struct archive *archive, void *to, size_t n) {
	size_t at = 0;
	while (at < n) {
		struct gs_str some = read_some(archive, n - at);
		if (some.n == 0) {
			memset(to, 0, n);
			return;
		}
		memcpy((char *)to + at, some.p, some.n);
		at += some.n;
	}
}

static void write_u64(struct archive *archive, uint64_t x) {
	unsigned char bytes[10];
	size_t n = 0;
	for (; x >= 0x80; x >>= 7)
		bytes[n++] = (unsigned char)(x | 0x80);
	bytes[n++] = (unsigned char)x;
	write_bytes(archive, bytes, n);
}

static uint64_t read_u64(struct archive *archive) {
	uint64_t x = 0;
	for (unsigned shift = 0; shift < 64; shift += 7) {
		unsigned char byte;
		read_bytes(archive, &byte, 1);
		if (shift == 63 && byte > 1)
			break;
		x |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return archive->status == GS_OK ? x : 0;
	}
	gs_archive_fail(archive, GS_EINVAL);
	return 0;
}

void gs_archive_u64(struct archive *archive, uint64_t *x) {
	if (archive->loading)
		*x = read_u64(archive);
	else
		write_u64(archive, *x);
}

void gs_archive_u32(struct archive *archive, uint32_t *x, uint32_t max) {
	uint64_t wide = *x;
	gs_archive_u64(archive, &wide);
	if (wide > max)
		gs_archive_fail(archive, GS_EINVAL);
	*x = archive->status == GS_OK ? (uint32_t)wide : 0;
}

void gs_archive_i64(struct archive *archive, int64_t *x) {
	uint64_t folded = (uint64_t)*x << 1 ^ (*x < 0 ? UINT64_MAX : 0);
	gs_archive_u64(archive, &folded);
	*x = (int64_t)(folded >> 1 ^ (0 - (folded & 1)));
}

void gs_archive_time(struct archive *archive, int64_t *ms) {
	gs_archive_i64(archive, ms);
	if (*ms > INT64_MAX / 4 || *ms < INT64_MIN / 4) {
		gs_archive_fail(archive, GS_EINVAL);
		*ms = 0;
	}
}

void gs_archive_bool(struct archive *archive, bool *x) {
	uint32_t wide = *x;
	gs_archive_u32(archive, &wide, 1);
	*x = wide != 0;
}

void gs_archive_double(struct archive *archive, double *x) {
	unsigned char bytes[8];
	uint64_t bits = 0;
	if (!archive->loading) {
		memcpy(&bits, x, sizeof(bits));
		for (unsigned i = 0; i < 8; i++)
			bytes[i] = (unsigned char)(bits >> 8 * i);
		write_bytes(archive, bytes, sizeof(bytes));
		return;
	}
	read_bytes(archive, bytes, sizeof(bytes));
	for (unsigned i = 0; i < 8; i++)
		bits |= (uint64_t)bytes[i] << 8 * i;
	memcpy(x, &bits, sizeof(bits));
}

void gs_archive_str(struct archive *archive, struct gs_str *s, size_t max) {
	uint32_t n = (uint32_t)s->n;
	gs_archive_u32(archive, &n, max < UINT32_MAX ? (uint32_t)max : UINT32_MAX);
	if (!archive->loading) {
		write_bytes(archive, s->p, n);
		return;
	}
	gs_buf_clear(&archive->bytes);
	while (archive->bytes.n < n && archive->status == GS_OK) {
		struct gs_str some = read_some(archive, n - archive->bytes.n);
		gs_buf_str(&archive->bytes, some); /* memory as the bytes come, not as they are claimed */
		gs_archive_fail(archive, archive->bytes.status);
	}
	*s = archive->status == GS_OK ? gs_buf_slice(&archive->bytes) : (struct gs_str){0};
}

void gs_archive_layout(struct archive *archive, struct layout **layout) {
	uint32_t place = archive->loading ? 0 : (*layout)->place;
	gs_archive_u32(archive, &place, UINT32_MAX);
	if (!archive->loading)
		return;
	*layout = NULL;
	if (place < archive->nlayouts && archive->status == GS_OK)
		*layout = gs_layout_ref(archive->layouts[place]);
	else
		gs_archive_fail(archive, GS_EINVAL);
}

void gs_archive_end(struct archive *archive) {
	if (!archive->loading)
		flush(archive);
	else if (archive->status == GS_OK && archive->window.n != 0)
		gs_archive_fail(archive, GS_EINVAL);
}
