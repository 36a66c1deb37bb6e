/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_SCRAPE_TRANSFER_H
#define GRAVEL_LIB_SCRAPE_TRANSFER_H

#include <curl/curl.h>

#include "gravel/base/buf.h"
#include "gravel/base/error.h"
#include "gravel/codec/codec.h"
#include "gravel/scrape/scrape.h"
#include "settings.h"

/*
 * One GET: an easy handle of libcurl with its options, what came back, and why it failed. Private to the module; one thread.
 * The body is decoded here by codec and not by libcurl: up to 7.88 at least that takes a truncated gzip stream for a good one, and in EL 8 it
 * knows no zstd.
 */

/* Fixed: a body with more bytes than that is large, and can be taken while it comes; a compressed one much earlier. */
#define GS_TRANSFER_LARGE (256 * 1024)
#define GS_TRANSFER_LARGE_PACKED (32 * 1024)
/* Fixed: of a large one this much waits for us before its server waits. */
#define GS_TRANSFER_AHEAD (512 * 1024)
/* Fixed: what is taken of it at a time, between two looks at all the others. */
#define GS_TRANSFER_PIECE (64 * 1024)

/* Fixed: bytes of all header lines of a transfer, redirects included. libcurl bounds them only in later releases. */
#define GS_TRANSFER_HEADERS_MAX (256 * 1024)

struct gs_transfer_request {
	const char *url; /* http or https */
	int64_t timeout_ms; /* for everything, name and connection included */
	struct curl_slist *headers; /* must live until the transfer has ended, as must the next three */
	const struct gs_settings *settings; /* refreshed; NULL: the defaults */
	struct curl_slist *connect_to; /* as in CURLOPT_CONNECT_TO; NULL: the host of the URL */
	const char *shown_url; /* for errors, where url is not what the user knows; NULL: url */
	size_t body_limit; /* 0: that of the transfer */
	struct gs_transfer **handle; /* set as long as the transfer runs, then NULL; may be NULL itself */
	struct gs_str post; /* p is not NULL: a POST of it, which must live as long; else a GET */
	void *user;
};

struct gs_transfer;

/* What a fetcher wants to hear of while a body comes: it has become large, or a large one has bytes again. May set stream. */
typedef void gs_transfer_large_fn(void *ctx, struct gs_transfer *transfer);

struct gs_transfer {
	CURL *easy;
	struct gs_transfer *next; /* in a list of the fetcher */
	struct gs_transfer **link; /* what points at it in that list */
	void *multi; /* that runs it, or ran it last */
	struct gs_transfer_request request;
	const char *user_agent;
	size_t body_limit; /* where the request has none */
	uint64_t serial; /* of the settings that easy has */
	int64_t time_ms; /* wall clock at the start */
	int64_t start_ns;
	size_t limit; /* of the body, before and after decoding */
	struct gs_buf raw; /* the body as it came, of a stream what was not taken yet: from taken on */
	gs_transfer_large_fn *on_large; /* NULL: all bodies are whole */
	void *large_ctx;
	struct gs_transfer_stream {
		bool on; /* the body is taken while it comes */
		bool paused; /* libcurl waits until there is room */
		bool over; /* libcurl is through with it, and said code */
		bool told; /* a piece was handed on */
		bool enough; /* whoever takes the pieces wants no more */
		CURLcode code;
		size_t taken; /* bytes of raw */
		size_t plain; /* bytes decoded so far */
		struct gs_decoder *decoder; /* NULL: as it comes */
		enum gs_status status; /* of decoding */
		struct gs_transfer *next; /* in the fetcher's list of those that have work */
		bool listed;
	} stream;
	size_t received; /* bytes of the body, discarded ones included */
	size_t header_bytes; /* of all answers, redirects included */
	bool begun; /* the answer that is no redirect has begun */
	bool leaves; /* a redirect leads to where the headers must not go */
	bool wrong_status; /* the body is read to keep the connection, and discarded */
	bool bad_encoding; /* a Content-Encoding that is none of ours */
	enum gs_codec_kind encoding;
	char curl_text[CURL_ERROR_SIZE];
};

/** gs_transfer_new(user_agent, body_limit): ${user_agent} must live as long. NULL when out of memory. */
struct gs_transfer *gs_transfer_new(const char *user_agent, size_t body_limit);
void gs_transfer_free(struct gs_transfer *transfer);

/** gs_transfer_prepare(transfer, request): Make it ready for the next GET. The struct is copied. GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_transfer_prepare(struct gs_transfer *transfer, const struct gs_transfer_request *request);

/** gs_transfer_stream(transfer): Take the body in pieces from now on. GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_transfer_stream(struct gs_transfer *transfer);

/** gs_transfer_is_good(transfer, code): Whether the answer is one whose body counts, after libcurl ended it with ${code}. */
bool gs_transfer_is_good(const struct gs_transfer *transfer, CURLcode code);

/** gs_transfer_piece(transfer, plain):
 * Of a stream: the next piece, decoded, in ${plain} or in the transfer; empty where nothing can be had before more has come. The status of decoding is noted. Lets libcurl go on where there is room again. */
struct gs_str gs_transfer_piece(struct gs_transfer *transfer, struct gs_buf *plain);

/* What decoding needs, shared by all transfers of a thread. */
struct gs_transfer_scratch {
	struct gs_codec *codec;
	struct gs_buf plain;
	struct gs_error error; /* holds the text of the last result */
};

/** gs_transfer_result(transfer, code, scratch, result):
 * Fill ${result} but for its target, after libcurl ended the transfer with ${code}. Slices and text stand in
 * ${transfer} and ${scratch}, valid until either is used again. */
void gs_transfer_result(
    struct gs_transfer *transfer, CURLcode code, struct gs_transfer_scratch *scratch, struct gs_scrape_result *result);

#endif
