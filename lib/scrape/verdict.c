/* SPDX-License-Identifier: Apache-2.0 */
#include "verdict.h"

#include <errno.h>

#include "gravel/base/limits.h"
#include "gravel/base/num.h"

static const char *const names[GS_SCRAPE_CAUSES] = {
    [GS_SCRAPE_OK] = "ok",
    [GS_SCRAPE_RESOLVE] = "resolve",
    [GS_SCRAPE_CONNECT] = "connect",
    [GS_SCRAPE_TIMEOUT] = "timeout",
    [GS_SCRAPE_TLS] = "tls",
    [GS_SCRAPE_STATUS] = "status",
    [GS_SCRAPE_REDIRECTS] = "redirects",
    [GS_SCRAPE_BODY_LIMIT] = "body_limit",
    [GS_SCRAPE_EMPTY] = "empty",
    [GS_SCRAPE_TRUNCATED] = "truncated",
    [GS_SCRAPE_ENCODING] = "encoding",
    [GS_SCRAPE_SECRET] = "secret",
    [GS_SCRAPE_PROXY] = "proxy",
    [GS_SCRAPE_PARSE] = "parse",
    [GS_SCRAPE_SHUTDOWN] = "shutdown",
    [GS_SCRAPE_OTHER] = "other",
};

const char *gs_scrape_cause_name(enum gs_scrape_cause cause) {
	return (unsigned)cause < GS_SCRAPE_CAUSES ? names[cause] : "other";
}

static long info_long(const struct gs_transfer *transfer, CURLINFO info) {
	long value = 0;
	curl_easy_getinfo(transfer->easy, info, &value);
	return value;
}

static bool reached(const struct gs_transfer *transfer, CURLINFO time_of_stage) {
	double seconds = 0;
	curl_easy_getinfo(transfer->easy, time_of_stage, &seconds);
	return seconds > 0;
}

/* host:port of the URL that was asked last, as it stands there. */
static struct gs_str host(const struct gs_transfer *transfer) {
	const char *effective = NULL;
	curl_easy_getinfo(transfer->easy, CURLINFO_EFFECTIVE_URL, &effective);
	const char *url = effective != NULL ? effective : transfer->request.url;
	if (transfer->request.shown_url != NULL)
		url = transfer->request.shown_url;
	const char *p = strstr(url, "://");
	p = p != NULL ? p + 3 : url;
	struct gs_str host = gs_str_make(p, strcspn(p, "/?#")), user, rest;
	while (gs_str_cut(host, '@', &user, &rest))
		host = rest;
	return host;
}

enum gs_scrape_cause gs_verdict_encoding(struct gs_error *error, const char *what) {
	(void)gs_error_set(error, GS_EINVAL, 0, 0, "the content encoding is %s", what);
	return GS_SCRAPE_ENCODING;
}

enum gs_scrape_cause gs_verdict_body_limit(const struct gs_transfer *transfer, struct gs_error *error) {
	(void)gs_error_set(error, GS_ELIMIT, 0, 0, "the body is larger than the limit of %zu bytes (%s)",
	    transfer->limit, transfer->request.body_limit != 0 ? "body_size_limit" : "scrape_body_limit");
	return GS_SCRAPE_BODY_LIMIT;
}

enum gs_scrape_cause gs_verdict_memory(struct gs_error *error) {
	(void)gs_error_set(error, GS_ENOMEM, 0, 0, "out of memory");
	return GS_SCRAPE_OTHER;
}

static enum gs_scrape_cause on_connect(const struct gs_transfer *transfer, struct gs_error *error) {
	struct gs_str h = host(transfer);
	char text[128];
	long number = info_long(transfer, CURLINFO_OS_ERRNO);
	if (number == ECONNREFUSED)
		(void)gs_error_set(error, GS_EIO, 0, 0, "connection refused by %.*s", GS_FMT(h));
	else if (number != 0)
		(void)gs_error_set(error, GS_EIO, 0, 0, "cannot connect to %.*s: %s", GS_FMT(h),
		    strerror_r((int)number, text, sizeof(text)));
	else
		(void)gs_error_set(error, GS_EIO, 0, 0, "cannot connect to %.*s: %s", GS_FMT(h), transfer->curl_text);
	return GS_SCRAPE_CONNECT;
}

static enum gs_scrape_cause on_timeout(const struct gs_transfer *transfer, struct gs_error *error) {
	struct gs_str h = host(transfer);
	char limit[48];
	gs_num_print_duration(limit, sizeof(limit), transfer->request.timeout_ms);
	if (transfer->begun)
		(void)gs_error_set(error, GS_EIO, 0, 0,
		    "the answer of %.*s was not complete within %s (%zu bytes came)", GS_FMT(h), limit,
		    transfer->received);
	else if (reached(transfer, CURLINFO_PRETRANSFER_TIME))
		(void)gs_error_set(error, GS_EIO, 0, 0, "no answer from %.*s within %s", GS_FMT(h), limit);
	else if (reached(transfer, CURLINFO_NAMELOOKUP_TIME))
		(void)gs_error_set(error, GS_EIO, 0, 0, "no connection to %.*s within %s", GS_FMT(h), limit);
	else
		(void)gs_error_set(
		    error, GS_EIO, 0, 0, "the name of %.*s was not resolved within %s", GS_FMT(h), limit);
	return GS_SCRAPE_TIMEOUT;
}

static enum gs_scrape_cause on_status(const struct gs_transfer *transfer, long status, struct gs_error *error) {
	struct gs_str h = host(transfer);
	(void)gs_error_set(error, GS_EIO, 0, 0, "%.*s answered with status %ld, not 200", GS_FMT(h), status);
	return GS_SCRAPE_STATUS;
}

static enum gs_scrape_cause on_redirects(const struct gs_transfer *transfer, CURLcode code, struct gs_error *error) {
	struct gs_str h = host(transfer);
	if (code == CURLE_TOO_MANY_REDIRECTS)
		(void)gs_error_set(
		    error, GS_EIO, 0, 0, "more than %d redirects, the last one by %.*s", GS_LIMIT_REDIRECTS, GS_FMT(h));
	else
		(void)gs_error_set(
		    error, GS_EIO, 0, 0, "a redirect leads to what is neither http nor https: %s", transfer->curl_text);
	return GS_SCRAPE_REDIRECTS;
}

static enum gs_scrape_cause on_close(const struct gs_transfer *transfer, struct gs_error *error) {
	struct gs_str h = host(transfer);
	/* With TLS 1.3 a server looks at our certificate after we think that all is well. */
	if (strstr(transfer->curl_text, " alert ") != NULL) {
		(void)gs_error_set(error, GS_EIO, 0, 0, "%.*s refused us: %s", GS_FMT(h), transfer->curl_text);
		return GS_SCRAPE_TLS;
	}
	if (!transfer->begun) {
		(void)gs_error_set(error, GS_EIO, 0, 0, "%.*s closed the connection before it answered", GS_FMT(h));
		return GS_SCRAPE_EMPTY;
	}
	(void)gs_error_set(error, GS_EIO, 0, 0,
	    "%.*s closed the connection in the middle of the answer, after %zu bytes of body", GS_FMT(h),
	    transfer->received);
	return GS_SCRAPE_TRUNCATED;
}

static enum gs_scrape_cause with_curl_text(
    const struct gs_transfer *transfer, CURLcode code, enum gs_scrape_cause cause, struct gs_error *error) {
	struct gs_str h = host(transfer);
	const char *text = transfer->curl_text[0] != '\0' ? transfer->curl_text : curl_easy_strerror(code);
	(void)gs_error_set(error, GS_EIO, 0, 0, "%.*s: %s", GS_FMT(h), text);
	return cause;
}

/* CURLE_SSL_CACERT is a number of its own before 7.62. */
static bool is_tls(CURLcode code) {
	static const CURLcode codes[] = {CURLE_SSL_CONNECT_ERROR, CURLE_SSL_CACERT, CURLE_PEER_FAILED_VERIFICATION,
	    CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR,
	    CURLE_SSL_CRL_BADFILE, CURLE_SSL_ENGINE_NOTFOUND, CURLE_SSL_ENGINE_SETFAILED, CURLE_SSL_ENGINE_INITFAILED,
	    CURLE_SSL_SHUTDOWN_FAILED, CURLE_SSL_INVALIDCERTSTATUS, CURLE_SSL_PINNEDPUBKEYNOTMATCH,
	    CURLE_USE_SSL_FAILED};
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		if (codes[i] == code)
			return true;
	}
	return false;
}

/* Our own callback refused to take more. */
static enum gs_scrape_cause on_write(const struct gs_transfer *transfer, struct gs_error *error) {
	struct gs_str h = host(transfer);
	if (transfer->leaves) {
		(void)gs_error_set(error, GS_EINVAL, 0, 0,
		    "a redirect of %.*s leads to another server, which must not see the secrets of http_headers",
		    GS_FMT(h));
		return GS_SCRAPE_REDIRECTS;
	}
	if (transfer->raw.status == GS_ELIMIT)
		return gs_verdict_body_limit(transfer, error);
	if (transfer->raw.status == GS_ENOMEM)
		return gs_verdict_memory(error);
	(void)gs_error_set(
	    error, GS_ELIMIT, 0, 0, "%.*s sent more than %d bytes of headers", GS_FMT(h), GS_TRANSFER_HEADERS_MAX);
	return GS_SCRAPE_OTHER;
}

static enum gs_scrape_cause not_http(const struct gs_transfer *transfer, struct gs_error *error) {
	struct gs_str h = host(transfer);
	(void)gs_error_set(error, GS_EINVAL, 0, 0, "what %.*s answered is not HTTP", GS_FMT(h));
	return GS_SCRAPE_OTHER;
}

/* Without the text of libcurl: it may quote the URL of the proxy. */
static enum gs_scrape_cause on_proxy(const struct gs_transfer *transfer, CURLcode code, struct gs_error *error) {
	struct gs_str h = host(transfer);
	long status = info_long(transfer, CURLINFO_HTTP_CONNECTCODE);
	if (status != 0 && status / 100 != 2)
		(void)gs_error_set(
		    error, GS_EIO, 0, 0, "the proxy (proxy_url) answered with status %ld to %.*s", status, GS_FMT(h));
	else
		(void)gs_error_set(error, GS_EIO, 0, 0, "%.*s cannot be reached through the proxy (proxy_url): %s",
		    GS_FMT(h), curl_easy_strerror(code));
	return GS_SCRAPE_PROXY;
}

static bool is_proxy(const struct gs_transfer *transfer, CURLcode code) {
	long status = info_long(transfer, CURLINFO_HTTP_CONNECTCODE);
	if (code == CURLE_COULDNT_RESOLVE_PROXY)
		return true;
#if LIBCURL_VERSION_NUM >= 0x074900
	if (code == CURLE_PROXY)
		return true;
#endif
	return code != CURLE_OK && status != 0 && status / 100 != 2;
}

static bool is_redirect(const struct gs_transfer *transfer, CURLcode code) {
	/* A target's own URL was seen to be http or https when it was added. */
	return code == CURLE_TOO_MANY_REDIRECTS || code == CURLE_URL_MALFORMAT ||
	       (code == CURLE_UNSUPPORTED_PROTOCOL && info_long(transfer, CURLINFO_RESPONSE_CODE) / 100 == 3);
}

enum gs_scrape_cause gs_verdict(const struct gs_transfer *transfer, CURLcode code, struct gs_error *error) {
	long status = info_long(transfer, CURLINFO_RESPONSE_CODE);
	if (is_proxy(transfer, code))
		return on_proxy(transfer, code, error);
	if (is_redirect(transfer, code))
		return on_redirects(transfer, code, error);
	if (code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_WEIRD_SERVER_REPLY || (code == CURLE_OK && status == 0))
		return not_http(transfer, error);
	if (transfer->wrong_status || (code == CURLE_OK && status != 200))
		return on_status(transfer, status, error);
	if (is_tls(code))
		return with_curl_text(transfer, code, GS_SCRAPE_TLS, error);
	if (code == CURLE_OK)
		return GS_SCRAPE_OK;
	if (code == CURLE_COULDNT_RESOLVE_HOST)
		return with_curl_text(transfer, code, GS_SCRAPE_RESOLVE, error);
	if (code == CURLE_COULDNT_CONNECT)
		return on_connect(transfer, error);
	if (code == CURLE_OPERATION_TIMEDOUT)
		return on_timeout(transfer, error);
	if (code == CURLE_FILESIZE_EXCEEDED)
		return gs_verdict_body_limit(transfer, error);
	if (code == CURLE_WRITE_ERROR)
		return on_write(transfer, error);
	if (code == CURLE_GOT_NOTHING || code == CURLE_PARTIAL_FILE || code == CURLE_RECV_ERROR ||
	    code == CURLE_SEND_ERROR)
		return on_close(transfer, error);
	if (code == CURLE_OUT_OF_MEMORY)
		return gs_verdict_memory(error);
	return with_curl_text(transfer, code, GS_SCRAPE_OTHER, error);
}
