/* SPDX-License-Identifier: Apache-2.0 */
#include "transfer.h"

#include <strings.h>

#include "gravel/base/clock.h"
#include "gravel/base/limits.h"
#include "gravel/base/mem.h"
#include "verdict.h"

/* Fixed: what a refusal may say before it is cheaper to close the connection than to read on. */
#define DISCARD_MAX (64 * 1024)
/* Fixed: most bodies come in one or two reads. */
#define READ_SIZE (64L * 1024)

static bool is_status_line(struct gs_str line) {
	return gs_str_starts(line, GS_STR("HTTP/"));
}

static void take_encoding(struct gs_transfer *transfer, struct gs_str value) {
	if (gs_codec_parse(value, &transfer->encoding) != GS_OK)
		transfer->bad_encoding = true;
}

static long status_of(const struct gs_transfer *transfer) {
	long status = 0;
	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

/* Whether ${location} has an origin, and that is not the one of ${url}, as far as can be told from their texts. */
static bool leaves_origin(struct gs_str location, const char *url) {
	const char *host = strstr(url, "://");
	size_t n = host != NULL ? (size_t)(host + 3 - url) : 0;
	n += strcspn(url + n, "/?#");
	if (location.n == 0 || location.p[0] == '?' || location.p[0] == '#')
		return false;
	if (location.p[0] == '/')
		return location.n > 1 && (location.p[1] == '/' || location.p[1] == '\\');
	if (memchr(location.p, ':', location.n) == NULL)
		return false;
	return location.n < n || strncasecmp(location.p, url, n) != 0 ||
	       (location.n > n && strchr("/?#", location.p[n]) == NULL);
}

static void take_location(struct gs_transfer *transfer, struct gs_str value) {
	const char *url = NULL;
	if (!gs_settings_stay(transfer->request.settings))
		return;
	curl_easy_getinfo(transfer->easy, CURLINFO_EFFECTIVE_URL, &url);
	transfer->leaves = leaves_origin(value, url != NULL ? url : transfer->request.url);
}

static bool is_header(struct gs_str name, struct gs_str expected) {
	return name.n == expected.n && strncasecmp(name.p, expected.p, name.n) == 0;
}

static size_t on_header(char *p, size_t size, size_t n, void *ctx) {
	struct gs_transfer *transfer = ctx;
	struct gs_str line = gs_str_make(p, size * n), name, value;
	transfer->header_bytes += line.n;
	if (transfer->header_bytes > GS_TRANSFER_HEADERS_MAX)
		return 0;
	if (is_status_line(line)) { /* what the headers of a redirect said is void */
		transfer->begun = true;
		transfer->encoding = GS_CODEC_IDENTITY;
		transfer->bad_encoding = false;
	} else if (gs_str_cut(line, ':', &name, &value)) {
		if (is_header(name, GS_STR("content-encoding")))
			take_encoding(transfer, gs_str_trim(value));
		else if (is_header(name, GS_STR("location")) && status_of(transfer) / 100 == 3)
			take_location(transfer, gs_str_trim(value));
	} else if (gs_str_trim(line).n == 0) {
		transfer->begun = status_of(transfer) / 100 != 3;
	}
	return transfer->leaves ? 0 : line.n;
}

static size_t waiting(const struct gs_transfer *transfer) {
	return transfer->raw.n - transfer->stream.taken;
}

static bool is_large(const struct gs_transfer *transfer) {
	return transfer->raw.n >
	       (transfer->encoding == GS_CODEC_IDENTITY ? GS_TRANSFER_LARGE : GS_TRANSFER_LARGE_PACKED);
}

static size_t on_body(char *p, size_t size, size_t n, void *ctx) {
	struct gs_transfer *transfer = ctx;
	struct gs_transfer_stream *stream = &transfer->stream;
	n *= size;
	if (transfer->received == 0) {
		transfer->wrong_status = status_of(transfer) != 200;
	}
	if (stream->on && waiting(transfer) > GS_TRANSFER_AHEAD) {
		stream->paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	transfer->received += n;
	if (transfer->wrong_status)
		return transfer->received <= DISCARD_MAX ? n : 0;
	if (transfer->received > transfer->limit)
		transfer->raw.status = GS_ELIMIT;
	gs_buf_add(&transfer->raw, p, n);
	if (transfer->raw.status != GS_OK)
		return 0;
	if (transfer->on_large != NULL && !transfer->bad_encoding && (stream->on || is_large(transfer)))
		transfer->on_large(transfer->large_ctx, transfer);
	return n;
}

static CURLcode only_http(CURL *easy) {
#if LIBCURL_VERSION_NUM >= 0x075500
	CURLcode code = curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	return code != CURLE_OK ? code : curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
#else
	long http = CURLPROTO_HTTP | CURLPROTO_HTTPS;
	CURLcode code = curl_easy_setopt(easy, CURLOPT_PROTOCOLS, http);
	return code != CURLE_OK ? code : curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS, http);
#endif
}

static void set_newer_options(CURL *easy) {
#if LIBCURL_VERSION_NUM >= 0x074000
	curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L);
#endif
#if LIBCURL_VERSION_NUM >= 0x075700
	/* Else the end of a transfer waits for its getaddrinfo, and with it every other target. Older releases do wait. */
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
	(void)easy;
}

/* What is the same for every request. Options that take no memory cannot fail. */
static enum gs_status set_fixed_options(struct gs_transfer *transfer) {
	CURL *easy = transfer->easy;
	curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->curl_text);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 1L);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_MAXREDIRS, (long)GS_LIMIT_REDIRECTS);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, READ_SIZE);
	/* Connections are kept, so names are seldom asked for; libcurl walks its whole cache after each transfer. */
	curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
	set_newer_options(easy);
	if (only_http(easy) != CURLE_OK || curl_easy_setopt(easy, CURLOPT_USERAGENT, transfer->user_agent) != CURLE_OK)
		return GS_ENOMEM;
	return GS_OK;
}

struct gs_transfer *gs_transfer_new(const char *user_agent, size_t body_limit) {
	struct gs_transfer *transfer = gs_alloc(sizeof(*transfer));
	if (transfer == NULL)
		return NULL;
	gs_buf_init(&transfer->raw, body_limit);
	transfer->body_limit = body_limit;
	transfer->user_agent = user_agent;
	transfer->easy = curl_easy_init();
	if (transfer->easy == NULL) {
		gs_transfer_free(transfer);
		return NULL;
	}
	return transfer;
}

static void reset_stream(struct gs_transfer *transfer) {
	gs_decoder_free(transfer->stream.decoder);
	transfer->stream = (struct gs_transfer_stream){0};
}

void gs_transfer_free(struct gs_transfer *transfer) {
	if (transfer == NULL)
		return;
	curl_easy_cleanup(transfer->easy);
	reset_stream(transfer);
	gs_buf_free(&transfer->raw);
	gs_free(transfer);
}

static void set_method(CURL *easy, struct gs_str post) {
	if (post.p == NULL) {
		curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
		return;
	}
	curl_easy_setopt(easy, CURLOPT_POST, 1L);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)post.n);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDS, post.p);
}

/* Empty ${buf}, whose maximum is another one now. */
static void empty(struct gs_buf *buf, size_t max) {
	gs_buf_clear(buf);
	if (buf->cap > max)
		gs_buf_free(buf);
	buf->max = max;
}

/* Give easy the settings of the request; nothing of those of the request before stays. */
static enum gs_status set_settings(struct gs_transfer *transfer, const struct gs_settings *settings) {
	uint64_t serial = gs_settings_serial(settings);
	if (transfer->serial == serial)
		return GS_OK;
	transfer->serial = 0;
	curl_easy_reset(transfer->easy);
	enum gs_status status = set_fixed_options(transfer);
	if (status == GS_OK)
		status = gs_settings_apply(settings, transfer->easy);
	if (status == GS_OK)
		transfer->serial = serial;
	return status;
}

enum gs_status gs_transfer_prepare(struct gs_transfer *transfer, const struct gs_transfer_request *request) {
	transfer->request = *request;
	if (request->settings == NULL)
		transfer->request.settings = gs_settings_default();
	enum gs_status status = set_settings(transfer, transfer->request.settings);
	if (status != GS_OK)
		return status;
	transfer->limit = request->body_limit != 0 ? request->body_limit : transfer->body_limit;
	empty(&transfer->raw, transfer->limit);
	reset_stream(transfer);
	transfer->leaves = false;
	transfer->received = 0;
	transfer->header_bytes = 0;
	transfer->begun = false;
	transfer->wrong_status = false;
	transfer->bad_encoding = false;
	transfer->encoding = GS_CODEC_IDENTITY;
	transfer->curl_text[0] = '\0';
	curl_easy_setopt(transfer->easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
	curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, request->headers);
	set_method(transfer->easy, request->post);
	curl_easy_setopt(transfer->easy, CURLOPT_CONNECT_TO, request->connect_to);
	curl_easy_setopt(transfer->easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)transfer->limit);
	if (curl_easy_setopt(transfer->easy, CURLOPT_URL, request->url) != CURLE_OK)
		return GS_ENOMEM;
	transfer->time_ms = gs_clock_wall_ms();
	transfer->start_ns = gs_clock_mono_ns();
	return GS_OK;
}

enum gs_status gs_transfer_stream(struct gs_transfer *transfer) {
	if (transfer->encoding != GS_CODEC_IDENTITY) {
		transfer->stream.decoder = gs_decoder_new(transfer->encoding);
		if (transfer->stream.decoder == NULL)
			return GS_ENOMEM;
	}
	transfer->stream.on = true;
	return GS_OK;
}

bool gs_transfer_is_good(const struct gs_transfer *transfer, CURLcode code) {
	return code == CURLE_OK && !transfer->wrong_status && !transfer->bad_encoding && status_of(transfer) == 200;
}

/* Once half of what waits was taken, so that little is moved and libcurl is not stopped for each piece. */
static void make_room(struct gs_transfer *transfer) {
	struct gs_transfer_stream *stream = &transfer->stream;
	struct gs_buf *raw = &transfer->raw;
	if (stream->taken == raw->n || stream->taken > GS_TRANSFER_AHEAD / 2) {
		raw->n -= stream->taken;
		memmove(raw->p, raw->p + stream->taken, raw->n);
		stream->taken = 0;
	}
	if (stream->paused && !stream->over && waiting(transfer) <= GS_TRANSFER_AHEAD / 2) {
		stream->paused = false;
		curl_easy_pause(transfer->easy, CURLPAUSE_CONT);
	}
}

struct gs_str gs_transfer_piece(struct gs_transfer *transfer, struct gs_buf *plain) {
	struct gs_transfer_stream *stream = &transfer->stream;
	size_t n = waiting(transfer);
	/* Room is made before, for the piece may stand in raw. */
	make_room(transfer);
	n = waiting(transfer);
	struct gs_str in = gs_str_make(transfer->raw.p + stream->taken, n);
	struct gs_str piece = gs_str_make(in.p, n < GS_TRANSFER_PIECE ? n : GS_TRANSFER_PIECE);
	if (stream->decoder == NULL) {
		stream->taken += piece.n;
	} else {
		empty(plain, SIZE_MAX);
		stream->status = gs_decoder_feed(stream->decoder, &in, GS_TRANSFER_PIECE, plain);
		stream->taken = transfer->raw.n - in.n;
		piece = gs_buf_slice(plain);
	}
	stream->plain += piece.n;
	if (stream->status == GS_OK && stream->plain > transfer->limit) {
		stream->status = GS_ELIMIT;
		piece.n = 0;
	}
	if (stream->status == GS_OK && piece.n == 0 && stream->over && stream->decoder != NULL)
		stream->status = gs_decoder_end(stream->decoder);
	return piece;
}

static enum gs_scrape_cause decoding_failed(
    const struct gs_transfer *transfer, enum gs_status status, struct gs_error *error) {
	if (status == GS_ELIMIT)
		return gs_verdict_body_limit(transfer, error);
	if (status == GS_ENOMEM)
		return gs_verdict_memory(error);
	return gs_verdict_encoding(error, "damaged or cut short");
}

/* The decoded body of a transfer that ended well. */
static enum gs_scrape_cause decode(
    struct gs_transfer *transfer, struct gs_transfer_scratch *scratch, struct gs_str *ret_body) {
	if (transfer->bad_encoding)
		return gs_verdict_encoding(&scratch->error, "neither gzip nor zstd, which is all that was asked for");
	*ret_body = gs_buf_slice(&transfer->raw);
	/* Whoever sends nothing at all has nothing to decode. */
	if (transfer->encoding == GS_CODEC_IDENTITY || transfer->raw.n == 0)
		return GS_SCRAPE_OK;
	empty(&scratch->plain, transfer->limit);
	enum gs_status status = gs_codec_decompress(scratch->codec, transfer->encoding, *ret_body, &scratch->plain);
	*ret_body = gs_buf_slice(&scratch->plain);
	return status == GS_OK ? GS_SCRAPE_OK : decoding_failed(transfer, status, &scratch->error);
}

/* Of a body that was taken in pieces. */
static enum gs_scrape_cause judge_stream(struct gs_transfer *transfer, CURLcode code, struct gs_error *error) {
	const struct gs_transfer_stream *stream = &transfer->stream;
	error->text[0] = '\0';
	if (stream->enough)
		return GS_SCRAPE_PARSE;
	if (stream->status != GS_OK)
		return decoding_failed(transfer, stream->status, error);
	return gs_verdict(transfer, code, error);
}

void gs_transfer_result(
    struct gs_transfer *transfer, CURLcode code, struct gs_transfer_scratch *scratch, struct gs_scrape_result *result) {
	const char *content_type = NULL;
	*result = (struct gs_scrape_result){
	    .text = "",
	    .time_ms = transfer->time_ms,
	    .duration_us = (gs_clock_mono_ns() - transfer->start_ns) / 1000,
	};
	result->in_pieces = transfer->stream.told;
	if (transfer->stream.on)
		result->cause = judge_stream(transfer, code, &scratch->error);
	else
		result->cause = gs_verdict(transfer, code, &scratch->error);
	if (result->cause == GS_SCRAPE_OK && !transfer->stream.on)
		result->cause = decode(transfer, scratch, &result->body);
	if (result->cause != GS_SCRAPE_OK) {
		result->body = (struct gs_str){0};
		result->text = scratch->error.text;
	}
	curl_easy_getinfo(transfer->easy, CURLINFO_CONTENT_TYPE, &content_type);
	result->content_type = gs_str_of(content_type);
}
