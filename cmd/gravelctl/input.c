/* SPDX-License-Identifier: Apache-2.0 */
#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gravel/base/limits.h"

#define HEAD ((size_t)1024 * 1024) /* read before a format is guessed */
#define PIECE ((size_t)256 * 1024)

static enum gs_status fail_errno(struct gs_error *err) {
	char reason[128];
	return gs_error_set(err, GS_EIO, 0, 0, "%s", strerror_r(errno, reason, sizeof(reason)));
}

static enum gs_status no_memory(struct gs_error *err) {
	return gs_error_set(err, GS_ENOMEM, 0, 0, "out of memory");
}

/* Fill the buffer up to n bytes, or to the end of the file. */
static enum gs_status fill(struct input *in, size_t n, struct gs_error *err) {
	while (in->buf.n < n && !in->at_end) {
		char *room = gs_buf_reserve(&in->buf, n - in->buf.n < PIECE ? n - in->buf.n : PIECE);
		if (room == NULL)
			return no_memory(err);
		ssize_t got = read(in->fd, room, in->buf.cap - in->buf.n < PIECE ? in->buf.cap - in->buf.n : PIECE);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return fail_errno(err);
		in->at_end = got == 0;
		in->buf.n += (size_t)got;
	}
	return GS_OK;
}

static enum gs_status fail_large(struct gs_error *err) {
	return gs_error_set(err, GS_ELIMIT, 0, 0,
	    "compressed files of more than %d bytes (decompressed) are not read; decompress it first: "
	    "zcat FILE | gravelctl check",
	    GS_LIMIT_SCRAPE_BODY);
}

/* Read all of the compressed file and replace the buffer by its text. */
static enum gs_status decompress(struct input *in, struct gs_error *err) {
	struct gs_buf plain;
	enum gs_status status = fill(in, (size_t)GS_LIMIT_SCRAPE_BODY + 1, err);
	if (status != GS_OK)
		return status;
	if (!in->at_end)
		return fail_large(err);
	struct gs_codec *codec = gs_codec_new();
	if (codec == NULL)
		return no_memory(err);
	gs_buf_init(&plain, GS_LIMIT_SCRAPE_BODY);
	status = gs_codec_decompress(codec, in->packing, gs_buf_slice(&in->buf), &plain);
	gs_codec_free(codec);
	gs_buf_free(&in->buf);
	in->buf = plain;
	if (status == GS_ELIMIT)
		return fail_large(err);
	if (status == GS_ENOMEM)
		return no_memory(err);
	return status == GS_OK ? GS_OK : gs_error_set(err, status, 0, 0, "the compressed file is damaged or cut off");
}

/* The last bytes of what is all here, or of a file that can be read at any place. */
static void find_tail(struct input *in) {
	struct stat st;
	in->has_tail = true;
	in->tail = gs_buf_slice(&in->buf);
	if (in->at_end)
		return;
	off_t n = sizeof(in->tail_memory);
	in->has_tail = fstat(in->fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size >= n &&
		       pread(in->fd, in->tail_memory, (size_t)n, st.st_size - n) == n;
	in->tail = gs_str_make(in->tail_memory, (size_t)n);
}

enum gs_status input_open(struct input *in, const char *file, struct gs_error *err) {
	*in = (struct input){.packing = GS_CODEC_IDENTITY};
	gs_buf_init(&in->buf, (size_t)GS_LIMIT_SCRAPE_BODY + PIECE);
	in->fd = strcmp(file, "-") == 0 ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (in->fd < 0)
		return fail_errno(err);
	enum gs_status status = fill(in, HEAD, err);
	if (status != GS_OK)
		return status;
	in->packing = gs_codec_sniff(gs_buf_slice(&in->buf));
	if (in->packing != GS_CODEC_IDENTITY)
		status = decompress(in, err);
	find_tail(in);
	return status;
}

enum gs_status input_next(struct input *in, struct gs_error *err) {
	gs_buf_clear(&in->buf);
	return fill(in, PIECE, err);
}

void input_close(struct input *in) {
	if (in->fd > STDIN_FILENO)
		close(in->fd);
	gs_buf_free(&in->buf);
}
