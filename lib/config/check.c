/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include <strings.h>

#include "gravel/base/num.h"

#define PORT_MAX 65535

/* Whether a character that no YAML file may hold as it is begins at ${i}: controls, line breaks of Unicode, the byte order mark, and U+FFFE
 * and U+FFFF. */
static bool is_control(struct gs_str s, size_t i) {
	static const struct gs_str wide[] = {GS_STR_INIT("\xe2\x80\xa8"), GS_STR_INIT("\xe2\x80\xa9"),
	    GS_STR_INIT("\xef\xbb\xbf"), GS_STR_INIT("\xef\xbf\xbe"), GS_STR_INIT("\xef\xbf\xbf")};
	struct gs_str rest = gs_str_make(s.p + i, s.n - i);
	unsigned char c = (unsigned char)rest.p[0];
	if (c < 0x80)
		return c < 0x20 || c == 0x7f;
	if (c == 0xc2)
		return rest.n > 1 && (unsigned char)rest.p[1] < 0xa0; /* U+0080 to U+009F */
	for (size_t k = 0; k < sizeof(wide) / sizeof(wide[0]); k++) {
		if (gs_str_starts(rest, wide[k]))
			return true;
	}
	return false;
}

const char *gs_check_text(struct gs_str s) {
	for (size_t i = 0; i < s.n; i++) {
		if (is_control(s, i))
			return "has a control character";
	}
	return gs_str_is_utf8(s) ? NULL : "is not UTF-8";
}

const char *gs_check_raw(struct gs_str s) {
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\0' || ((unsigned char)s.p[i] >= 0x80 && is_control(s, i)))
			return "has a control character";
	}
	return gs_str_is_utf8(s) ? NULL : "is not UTF-8";
}

static bool is_port(struct gs_str s, uint64_t min) {
	uint64_t v;
	return s.n <= 5 && gs_num_parse_u64(s, &v) == GS_OK && v >= min && v <= PORT_MAX;
}

/* Cut "host:port", "[v6]:port", "host" or "[v6]"; *ret_colon tells whether a port is named. */
static bool cut_port(struct gs_str s, struct gs_str *ret_host, struct gs_str *ret_port, bool *ret_colon) {
	struct gs_str inner, after;
	if (s.n != 0 && s.p[0] == '[') {
		if (!gs_str_cut(s, ']', &inner, &after) || inner.n < 3)
			return false;
		*ret_host = gs_str_make(s.p, inner.n + 1);
		*ret_colon = after.n != 0;
		*ret_port = after.n != 0 ? gs_str_make(after.p + 1, after.n - 1) : after;
		for (size_t i = 1; i < inner.n; i++) {
			if (strchr("0123456789abcdefABCDEF:.%", inner.p[i]) == NULL)
				return false;
		}
		return after.n == 0 || after.p[0] == ':';
	}
	*ret_colon = gs_str_cut(s, ':', ret_host, ret_port);
	return memchr(ret_port->n != 0 ? ret_port->p : "", ':', ret_port->n) == NULL;
}

static bool is_host(struct gs_str s) {
	if (s.n != 0 && s.p[0] == '[')
		return true; /* cut_port has looked */
	for (size_t i = 0; i < s.n; i++) {
		if (strchr("/?#@[]<>\"\\^`{|}", s.p[i]) != NULL || s.p[i] == ' ')
			return false;
	}
	return s.n != 0;
}

static bool has_blank(struct gs_str s) {
	return s.n != 0 && memchr(s.p, ' ', s.n) != NULL;
}

/* Split "authority/rest" at the first byte that ends an authority. */
static void cut_rest(struct gs_str s, struct gs_str *ret_authority, struct gs_str *ret_rest) {
	size_t n = 0;
	while (n < s.n && s.p[n] != '/' && s.p[n] != '?' && s.p[n] != '#')
		n++;
	*ret_authority = gs_str_make(s.p, n);
	*ret_rest = gs_str_make(s.p + n, s.n - n);
}

const char *gs_check_url(struct gs_str s, struct gs_url *ret) {
	struct gs_str authority, after;
	bool colon;
	*ret = (struct gs_url){0};
	if (has_blank(s))
		return "has a blank in it";
	if (gs_check_text(s) != NULL)
		return gs_check_text(s);
	if (!gs_str_cut(s, ':', &ret->scheme, &after) || !gs_str_starts(after, GS_STR("//")) || ret->scheme.n == 0)
		return "does not begin with scheme://";
	cut_rest(gs_str_make(after.p + 2, after.n - 2), &authority, &ret->rest);
	const char *at = authority.n != 0 ? memrchr(authority.p, '@', authority.n) : NULL;
	if (at != NULL) {
		size_t n = (size_t)(at - authority.p);
		ret->userinfo = gs_str_make(authority.p, n);
		authority = gs_str_make(at + 1, authority.n - n - 1);
	}
	if (!cut_port(authority, &ret->host, &ret->port, &colon) || !is_host(ret->host))
		return ret->host.n == 0 ? "has no host" : "has a host that is none";
	if (colon && !is_port(ret->port, 1))
		return "has a port that is none (1 to 65535)";
	return NULL;
}

const char *gs_check_target_url(struct gs_str s) {
	struct gs_url url;
	const char *wrong = gs_check_url(s, &url);
	if (wrong != NULL)
		return wrong;
	if (!gs_str_eq(url.scheme, GS_STR("http")) && !gs_str_eq(url.scheme, GS_STR("https")))
		return "must begin with http:// or https://";
	return NULL;
}

const char *gs_check_nats_url(struct gs_str s) {
	struct gs_url url;
	const char *wrong = gs_check_url(s, &url);
	if (wrong != NULL)
		return wrong;
	if (!gs_str_eq(url.scheme, GS_STR("nats")) && !gs_str_eq(url.scheme, GS_STR("tls")))
		return "must begin with nats:// or tls://";
	if (url.rest.n != 0 && !gs_str_eq(url.rest, GS_STR("/")))
		return "must end after host and port";
	return NULL;
}

const char *gs_check_listen(struct gs_str s) {
	struct gs_str host, port;
	bool colon;
	if (!cut_port(s, &host, &port, &colon) || !colon || (host.n != 0 && !is_host(host)))
		return "is no host:port, [v6]:port or :port";
	return is_port(port, 0) ? NULL : "has a port that is none (0 to 65535)";
}

const char *gs_check_topic(struct gs_str s) {
	if (s.n == 0 || s.p[0] == '.' || s.p[s.n - 1] == '.')
		return "must not be empty, nor begin or end with a dot";
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == ' ' || s.p[i] == '*' || s.p[i] == '>' || s.p[i] == '$')
			return "must not hold a blank, '*', '>' or '$'";
		if (s.p[i] == '.' && s.p[i - 1] == '.')
			return "must not hold two dots in a row";
	}
	return NULL;
}

const char *gs_check_stream(struct gs_str s) {
	for (size_t i = 0; i < s.n; i++) {
		if (strchr(" .*>/\\$", s.p[i]) != NULL)
			return "must not hold a blank, '.', '*', '>', '/', '\\' or '$'";
	}
	return NULL;
}

static bool is_letter(char c) {
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c) {
	return c >= '0' && c <= '9';
}

/* Letters, digits but for the first, and ${more}. */
static bool is_name(struct gs_str s, const char *more) {
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\0' ||
		    !(is_letter(s.p[i]) || (i != 0 && is_digit(s.p[i])) || strchr(more, s.p[i]) != NULL))
			return false;
	}
	return s.n != 0;
}

const char *gs_check_any_label_name(struct gs_str s) {
	return is_name(s, "_") ? NULL : "is no label name ([a-zA-Z_][a-zA-Z0-9_]*)";
}

const char *gs_check_metric_name(struct gs_str s) {
	return is_name(s, "_:") ? NULL : "is no metric name ([a-zA-Z_:][a-zA-Z0-9_:]*)";
}

const char *gs_check_label_name(struct gs_str s) {
	static const char *const taken[] = {"job", "instance", "publisher"};
	const char *wrong = gs_check_any_label_name(s);
	if (wrong != NULL)
		return wrong;
	if (gs_str_starts(s, GS_STR("__")))
		return "begins with \"__\", which is reserved";
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		if (gs_str_eq(s, gs_str_of(taken[i])))
			return "is set by the poller itself";
	}
	if (gs_str_eq(s, GS_STR("clearmode")))
		return "is no label of a target; use the job's \"clearmodes\"";
	return NULL;
}

const char *gs_check_scheme(struct gs_str s) {
	return gs_str_eq(s, GS_STR("http")) || gs_str_eq(s, GS_STR("https")) ? NULL : "is http or https";
}

const char *gs_check_proxy_url(struct gs_str s) {
	struct gs_url url;
	const char *wrong = gs_check_url(s, &url);
	if (wrong != NULL)
		return wrong;
	if (gs_check_scheme(url.scheme) != NULL && !gs_str_eq(url.scheme, GS_STR("socks5")))
		return "must begin with http://, https:// or socks5://";
	return url.rest.n == 0 || gs_str_eq(url.rest, GS_STR("/")) ? NULL : "must end after host and port";
}

static bool is_word(struct gs_str s, const char *word) {
	return s.n == strlen(word) && strncasecmp(s.p, word, s.n) == 0;
}

/* RFC 9110, section 5.6.2 */
static bool is_token(struct gs_str s) {
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\0' ||
		    !(is_letter(s.p[i]) || is_digit(s.p[i]) || strchr("!#$%&'*+-.^_`|~", s.p[i]) != NULL))
			return false;
	}
	return s.n != 0;
}

const char *gs_check_authorization_type(struct gs_str s) {
	if (is_word(s, "basic"))
		return "is not Basic here: use basic_auth";
	return s.n == 0 || is_token(s) ? NULL : "is one word without blanks"; /* empty: the default */
}

const char *gs_check_header_name(struct gs_str s) {
	static const char *const taken[] = {"Accept", "Accept-Encoding", "Authorization", "Connection",
	    "Content-Encoding", "Content-Length", "Content-Type", "Host", "Keep-Alive", "Proxy-Authenticate",
	    "Proxy-Authorization", "Transfer-Encoding", "User-Agent", "Www-Authenticate",
	    "X-Prometheus-Scrape-Timeout-Seconds"};
	if (!is_token(s))
		return "is no name of a header";
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		if (is_word(s, taken[i]))
			return "is set by the poller itself";
	}
	return NULL;
}

const char *gs_check_no_blank(struct gs_str s) {
	return has_blank(s) ? "has a blank in it" : NULL;
}

const char *gs_check_server_name(struct gs_str s) {
	return is_host(s) ? NULL : "is no name of a host";
}

const char *gs_check_address(struct gs_str s) {
	return s.n != 0 && memchr(s.p, '/', s.n) != NULL
		   ? "is an address (host:port) and has no '/'; see scheme and metrics_path"
		   : gs_check_no_blank(s);
}

const char *gs_check_sd_file(struct gs_str s) {
	static const struct gs_str ends[] = {GS_STR_INIT(".json"), GS_STR_INIT(".yml"), GS_STR_INIT(".yaml"),
	    GS_STR_INIT(".JSON"), GS_STR_INIT(".YML"), GS_STR_INIT(".YAML")};
	const char *star = s.n != 0 ? memchr(s.p, '*', s.n) : NULL;
	bool ended = false;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		ended = ended || gs_str_ends(s, ends[i]);
	if (!ended)
		return "must end in .json, .yml or .yaml";
	if (star != NULL && memchr(star, '/', s.n - (size_t)(star - s.p)) != NULL)
		return "has '*' before its last part";
	return NULL;
}

const char *gs_check_bucket(struct gs_str s) {
	for (size_t i = 0; i < s.n; i++) {
		if (!is_letter(s.p[i]) && !is_digit(s.p[i]) && s.p[i] != '_' && s.p[i] != '-')
			return "is no name of a bucket ([a-zA-Z0-9_-]+)";
	}
	return NULL;
}

const char *gs_check_kv_prefix(struct gs_str s) {
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\0' || (!is_letter(s.p[i]) && !is_digit(s.p[i]) && strchr("-/_=.", s.p[i]) == NULL))
			return "is no beginning of a key ([a-zA-Z0-9_=./-]+)";
	}
	return s.n != 0 && s.p[0] == '.' ? "begins with a dot, as no key does" : NULL;
}
