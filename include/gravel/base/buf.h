/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_BASE_BUF_H
#define GRAVEL_BASE_BUF_H

#include <stdint.h>

#include "gravel/base/status.h"
#include "gravel/base/str.h"

/*
 * A growable buffer with a maximum and a sticky error: append without looking, ask once at the end.
 * Invariants (gs_buf_check):
 * 1. n <= cap <= max; cap == 0 if and only if p == NULL.
 * 2. Once status is not GS_OK every append is a no-op, until gs_buf_clear.
 */
struct gs_buf {
	char *p;
	size_t n;
	size_t cap;
	size_t max;
	enum gs_status status; /* GS_OK, GS_ENOMEM, or GS_ELIMIT when max was reached */
};

/** gs_buf_init(buf, max): Make an empty buffer that holds at most ${max} bytes. Allocates nothing. */
void gs_buf_init(struct gs_buf *buf, size_t max);

/** gs_buf_free(buf): Free the memory; the buffer is as after gs_buf_init. A zeroed struct is fine. */
void gs_buf_free(struct gs_buf *buf);

/** gs_buf_clear(buf): Forget contents and error, keep the memory. */
void gs_buf_clear(struct gs_buf *buf);

/** gs_buf_reserve(buf, n): Return room for ${n} more bytes at the end, or NULL (the error then sticks). The caller
 * writes there and then adds what it wrote to buf->n. */
char *gs_buf_reserve(struct gs_buf *buf, size_t n);

void gs_buf_add(struct gs_buf *buf, const void *p, size_t n);
void gs_buf_str(struct gs_buf *buf, struct gs_str s);
void gs_buf_cstr(struct gs_buf *buf, const char *c);
void gs_buf_char(struct gs_buf *buf, char c);
void gs_buf_u64(struct gs_buf *buf, uint64_t v);
void gs_buf_i64(struct gs_buf *buf, int64_t v);

/** gs_buf_double(buf, v): Append ${v} as gs_num_print_double writes it. */
void gs_buf_double(struct gs_buf *buf, double v);

/** gs_buf_printf(buf, fmt, ...): For text, not for numbers with a fraction (those depend on the locale). Needs room for one byte
 * more than it appends. */
void gs_buf_printf(struct gs_buf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** gs_buf_slice(buf): The contents, valid until the next append. */
static inline struct gs_str gs_buf_slice(const struct gs_buf *buf) {
	return (struct gs_str){.p = buf->p, .n = buf->n};
}

/** gs_buf_take(buf, n): Return the memory (to be freed with gs_free) and its length in ${ret_n}; the buffer is empty
 * afterwards. NULL if the buffer has an error or holds nothing. */
char *gs_buf_take(struct gs_buf *buf, size_t *ret_n);

void gs_buf_check(const struct gs_buf *buf);

#endif
