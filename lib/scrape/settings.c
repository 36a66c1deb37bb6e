/* SPDX-License-Identifier: Apache-2.0 */
#include "settings.h"

#include <stdatomic.h>
#include <strings.h>

#include "gravel/base/buf.h"
#include "gravel/base/mem.h"
#include "secret.h"

/* Fixed: a name, a type and a secret. */
#define LINE_MAX_BYTES (GS_SECRET_MAX + 4096)
/* Fixed: how long the authorities of a file that has changed may still count, seconds. */
#define CA_CACHE_S 60L

struct gs_settings {
	const struct gs_config_http *http;
	uint64_t serial;
	char *proxy; /* without its user and password */
	char *proxy_user; /* "user:password", escaped as in a URL; NULL: none */
	struct gs_secret password;
	struct gs_secret credentials;
	struct gs_secret *headers; /* one for each of http->headers */
	bool stay;
};

static const struct gs_config_http defaults = {.follow_redirects = true};

static char no_proxy[] = "";
static const struct gs_settings default_settings = {.http = &defaults, .serial = UINT64_MAX, .proxy = no_proxy};

const struct gs_settings *gs_settings_default(void) {
	return &default_settings;
}

static uint64_t next_serial(void) {
	static _Atomic uint64_t last;
	return atomic_fetch_add(&last, 1) + 1;
}

/* Apart, so that no message of libcurl can hold the password. */
static enum gs_status split_proxy(struct gs_settings *settings) {
	struct gs_str url = gs_str_of(settings->http->proxy_url);
	const char *host = url.n != 0 ? strstr(url.p, "://") : NULL;
	size_t scheme = host != NULL ? (size_t)(host + 3 - url.p) : 0;
	size_t authority = strcspn(url.n != 0 ? url.p + scheme : "", "/?#");
	const char *at = url.n != 0 ? memrchr(url.p + scheme, '@', authority) : NULL;
	size_t user = at != NULL ? (size_t)(at - url.p) - scheme : 0;
	struct gs_buf buf;
	gs_buf_init(&buf, SIZE_MAX);
	gs_buf_add(&buf, url.n != 0 ? url.p : "", scheme);
	size_t rest = scheme + (at != NULL ? user + 1 : 0);
	gs_buf_cstr(&buf, url.n != 0 ? url.p + rest : "");
	settings->proxy = buf.status == GS_OK ? gs_strdup(gs_buf_slice(&buf)) : NULL;
	gs_buf_free(&buf);
	if (at != NULL)
		settings->proxy_user = gs_strdup(gs_str_make(url.p + scheme, user));
	return settings->proxy == NULL || (at != NULL && settings->proxy_user == NULL) ? GS_ENOMEM : GS_OK;
}

static bool is_host_name(const char *name) {
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_";
	return name[0] != '\0' && name[strspn(name, letters)] == '\0';
}

static enum gs_status fill(struct gs_settings *settings) {
	const struct gs_config_http *http = settings->http;
	gs_secret_init(
	    &settings->password, &http->password, http->password.file != NULL ? "password_file" : "password");
	gs_secret_init(&settings->credentials, &http->credentials,
	    http->credentials.file != NULL ? "credentials_file" : "credentials");
	if (http->server_name != NULL && !is_host_name(http->server_name))
		return GS_EINVAL;
	settings->headers = gs_alloc_array(http->nheaders, sizeof(*settings->headers));
	if (settings->headers == NULL)
		return GS_ENOMEM;
	for (size_t i = 0; i < http->nheaders; i++) {
		gs_secret_init(&settings->headers[i], &http->headers[i].secret, http->headers[i].name);
		settings->stay |= http->headers[i].value == NULL;
	}
	return split_proxy(settings);
}

enum gs_status gs_settings_new(const struct gs_config_http *http, struct gs_settings **ret_settings) {
	struct gs_settings *settings = gs_alloc(sizeof(*settings));
	if (settings == NULL)
		return GS_ENOMEM;
	settings->http = http != NULL ? http : &defaults;
	settings->serial = next_serial();
	enum gs_status status = fill(settings);
	if (status == GS_OK)
		*ret_settings = settings;
	else
		gs_settings_free(settings);
	return status;
}

void gs_settings_free(struct gs_settings *settings) {
	if (settings == NULL)
		return;
	for (size_t i = 0; settings->headers != NULL && i < settings->http->nheaders; i++)
		gs_secret_free(&settings->headers[i]);
	gs_free(settings->headers);
	gs_secret_free(&settings->password);
	gs_secret_free(&settings->credentials);
	gs_free(settings->proxy);
	if (settings->proxy_user != NULL)
		explicit_bzero(settings->proxy_user, strlen(settings->proxy_user));
	gs_free(settings->proxy_user);
	gs_free(settings);
}

enum gs_status gs_settings_refresh(struct gs_settings *settings, struct gs_error *err) {
	const struct gs_config_http *http = settings->http;
	enum gs_status status = GS_OK;
	bool changed = false;
	if (http->basic_auth)
		status = gs_secret_refresh(&settings->password, &changed, err);
	if (status == GS_OK && http->authorization)
		status = gs_secret_refresh(&settings->credentials, &changed, err);
	for (size_t i = 0; i < http->nheaders && status == GS_OK; i++) {
		if (http->headers[i].value == NULL)
			status = gs_secret_refresh(&settings->headers[i], &changed, err);
	}
	if (changed)
		settings->serial = next_serial();
	return status;
}

uint64_t gs_settings_serial(const struct gs_settings *settings) {
	return settings->serial;
}

bool gs_settings_stay(const struct gs_settings *settings) {
	return settings->stay;
}

/* Options */

static bool set_text(CURL *easy, CURLoption option, const char *value) {
	return value == NULL || curl_easy_setopt(easy, option, value) == CURLE_OK;
}

static bool apply_tls(const struct gs_config_http *http, CURL *easy) {
	/* As in Prometheus nothing below 1.2 unless it is asked for. */
	static const long versions[] = {
	    [GS_TLS_DEFAULT] = CURL_SSLVERSION_TLSv1_2,
	    [GS_TLS_10] = CURL_SSLVERSION_TLSv1_0,
	    [GS_TLS_11] = CURL_SSLVERSION_TLSv1_1,
	    [GS_TLS_12] = CURL_SSLVERSION_TLSv1_2,
	    [GS_TLS_13] = CURL_SSLVERSION_TLSv1_3,
	};
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, versions[http->min_version]);
	if (http->insecure_skip_verify) {
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
	}
#if LIBCURL_VERSION_NUM >= 0x075700
	curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, CA_CACHE_S);
#endif
	if (http->ca_file != NULL) /* those alone: the system's folder of authorities is not asked as well */
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	/* An empty passphrase: without one a key that has one would ask at the terminal. */
	return set_text(easy, CURLOPT_CAINFO, http->ca_file) && set_text(easy, CURLOPT_SSLCERT, http->cert_file) &&
	       set_text(easy, CURLOPT_SSLKEY, http->key_file) && set_text(easy, CURLOPT_KEYPASSWD, "");
}

enum gs_status gs_settings_apply(const struct gs_settings *settings, CURL *easy) {
	const struct gs_config_http *http = settings->http;
	bool ok = apply_tls(http, easy);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, http->follow_redirects ? 1L : 0L);
	/* Set in any case: else libcurl would look into the environment. */
	ok = ok && set_text(easy, CURLOPT_NOPROXY, "") && set_text(easy, CURLOPT_PROXY, settings->proxy) &&
	     set_text(easy, CURLOPT_PROXYUSERPWD, settings->proxy_user);
	if (ok && http->basic_auth) {
		curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
		ok = set_text(easy, CURLOPT_USERNAME, http->username != NULL ? http->username : "") &&
		     set_text(easy, CURLOPT_PASSWORD, settings->password.value);
	}
	return ok ? GS_OK : GS_ENOMEM;
}

/* Headers */

static enum gs_status append(struct curl_slist **list, struct gs_buf *line) {
	gs_buf_char(line, '\0');
	struct curl_slist *longer = line->status == GS_OK ? curl_slist_append(*list, line->p) : NULL;
	if (longer != NULL)
		*list = longer;
	if (line->p != NULL)
		explicit_bzero(line->p, line->n);
	gs_buf_free(line);
	return longer != NULL ? GS_OK : GS_ENOMEM;
}

static enum gs_status append_header(struct curl_slist **list, const char *name, const char *type, const char *value) {
	struct gs_buf line;
	gs_buf_init(&line, LINE_MAX_BYTES);
	gs_buf_cstr(&line, name);
	/* An empty value has a form of its own. */
	gs_buf_cstr(&line, type[0] != '\0' || value[0] != '\0' ? ": " : ";");
	gs_buf_cstr(&line, type);
	if (type[0] != '\0')
		gs_buf_char(&line, ' ');
	gs_buf_cstr(&line, value);
	return append(list, &line);
}

enum gs_status gs_settings_headers(const struct gs_settings *settings, struct curl_slist **list) {
	const struct gs_config_http *http = settings->http;
	enum gs_status status = GS_OK;
	if (http->authorization)
		status = append_header(list, "Authorization",
		    http->authorization_type != NULL ? http->authorization_type : "Bearer",
		    settings->credentials.value);
	for (size_t i = 0; i < http->nheaders && status == GS_OK; i++) {
		const char *value = http->headers[i].value;
		status =
		    append_header(list, http->headers[i].name, "", value != NULL ? value : settings->headers[i].value);
	}
	return status;
}

/* Routes */

/* The authority of a URL whose scheme is https: what is the host, and what the port. */
static bool split_https(const char *url, struct gs_str *ret_user, struct gs_str *ret_host, struct gs_str *ret_port) {
	if (strncasecmp(url, "https://", 8) != 0)
		return false;
	struct gs_str rest = gs_str_make(url + 8, strcspn(url + 8, "/?#"));
	const char *at = memrchr(rest.p, '@', rest.n);
	size_t user = at != NULL ? (size_t)(at + 1 - rest.p) : 0;
	*ret_user = gs_str_make(rest.p, user);
	rest = gs_str_make(rest.p + user, rest.n - user);
	const char *bracket = memrchr(rest.p, ']', rest.n);
	size_t from = bracket != NULL ? (size_t)(bracket - rest.p) : 0;
	const char *colon = memchr(rest.p + from, ':', rest.n - from);
	size_t host = colon != NULL ? (size_t)(colon - rest.p) : rest.n;
	*ret_host = gs_str_make(rest.p, host);
	*ret_port = colon != NULL ? gs_str_make(colon + 1, rest.n - host - 1) : (struct gs_str){0};
	return host != 0;
}

static char *text_of(struct gs_buf *buf) {
	char *text = buf->status == GS_OK ? gs_strdup(gs_buf_slice(buf)) : NULL;
	gs_buf_clear(buf);
	return text;
}

enum gs_status gs_route_init(struct gs_route *route, const struct gs_settings *settings, const char *url) {
	const char *name = settings->http->server_name;
	struct gs_str user, host, port;
	*route = (struct gs_route){0};
	if (name == NULL || !split_https(url, &user, &host, &port) || gs_str_eq(host, gs_str_of(name)))
		return GS_OK;
	struct gs_str colon = port.n != 0 ? GS_STR(":") : GS_STR(""), shown = port.n != 0 ? port : GS_STR("443");
	struct gs_buf buf;
	gs_buf_init(&buf, SIZE_MAX);
	gs_buf_printf(&buf, "https://%.*s%s%.*s%.*s%s", GS_FMT(user), name, GS_FMT(colon), GS_FMT(port),
	    host.p + strcspn(host.p, "/?#"));
	route->url = text_of(&buf);
	gs_buf_printf(&buf, "Host: %.*s%.*s%.*s", GS_FMT(host), GS_FMT(colon), GS_FMT(port));
	route->host_line = text_of(&buf);
	gs_buf_printf(&buf, "%s:%.*s:%.*s:%.*s", name, GS_FMT(shown), GS_FMT(host), GS_FMT(shown));
	gs_buf_char(&buf, '\0');
	if (buf.status == GS_OK)
		route->connect_to = curl_slist_append(NULL, buf.p);
	gs_buf_free(&buf);
	route->host.data = route->host_line;
	if (route->url != NULL && route->host_line != NULL && route->connect_to != NULL)
		return GS_OK;
	gs_route_free(route);
	return GS_ENOMEM;
}

void gs_route_free(struct gs_route *route) {
	gs_free(route->url);
	gs_free(route->host_line);
	curl_slist_free_all(route->connect_to);
	*route = (struct gs_route){0};
}
