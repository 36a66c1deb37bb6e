/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "gravel/base/mem.h"
#include "gravel/base/num.h"

void gs_buf_init(struct gs_buf *buf, size_t max) {
	*buf = (struct gs_buf){.max = max};
}

void gs_buf_free(struct gs_buf *buf) {
	gs_free(buf->p);
	gs_buf_init(buf, buf->max);
}

void gs_buf_clear(struct gs_buf *buf) {
	buf->n = 0;
	buf->status = GS_OK;
}

char *gs_buf_reserve(struct gs_buf *buf, size_t n) {
	if (buf->status != GS_OK)
		return NULL;
	if (n > buf->max - buf->n) {
		buf->status = GS_ELIMIT;
		return NULL;
	}
	if (n <= buf->cap - buf->n && buf->p != NULL)
		return buf->p + buf->n;
	size_t cap = buf->cap < buf->max / 2 ? buf->cap * 2 : buf->max;
	if (cap < 256)
		cap = 256 < buf->max ? 256 : buf->max;
	if (cap < buf->n + n)
		cap = buf->n + n;
	char *p = gs_realloc_array(buf->p, cap, 1);
	if (p == NULL) {
		buf->status = GS_ENOMEM;
		return NULL;
	}
	buf->p = p;
	buf->cap = cap;
	return p + buf->n;
}

void gs_buf_add(struct gs_buf *buf, const void *p, size_t n) {
	if (n == 0)
		return;
	char *at = gs_buf_reserve(buf, n);
	if (at == NULL)
		return;
	memcpy(at, p, n);
	buf->n += n;
}

void gs_buf_str(struct gs_buf *buf, struct gs_str s) {
	gs_buf_add(buf, s.p, s.n);
}

void gs_buf_cstr(struct gs_buf *buf, const char *c) {
	gs_buf_add(buf, c, strlen(c));
}

void gs_buf_char(struct gs_buf *buf, char c) {
	gs_buf_add(buf, &c, 1);
}

void gs_buf_u64(struct gs_buf *buf, uint64_t v) {
	char text[GS_NUM_DOUBLE_MAX];
	gs_buf_add(buf, text, gs_num_print_u64(text, v));
}

void gs_buf_i64(struct gs_buf *buf, int64_t v) {
	if (v < 0)
		gs_buf_char(buf, '-');
	gs_buf_u64(buf, v < 0 ? -(uint64_t)v : (uint64_t)v);
}

void gs_buf_double(struct gs_buf *buf, double v) {
	char text[GS_NUM_DOUBLE_MAX];
	gs_buf_add(buf, text, gs_num_print_double(text, v));
}

void gs_buf_printf(struct gs_buf *buf, const char *fmt, ...) {
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	char *at = n >= 0 ? gs_buf_reserve(buf, (size_t)n + 1) : NULL;
	if (at == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(at, (size_t)n + 1, fmt, ap);
	va_end(ap);
	buf->n += (size_t)n;
}

char *gs_buf_take(struct gs_buf *buf, size_t *ret_n) {
	if (buf->status != GS_OK || buf->n == 0)
		return NULL;
	char *p = buf->p;
	*ret_n = buf->n;
	gs_buf_init(buf, buf->max);
	return p;
}

void gs_buf_check(const struct gs_buf *buf) {
	assert(buf->n <= buf->cap && buf->cap <= buf->max);
	assert((buf->cap == 0) == (buf->p == NULL));
}
