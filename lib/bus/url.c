/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "gravel/base/num.h"
#include "private.h"

struct parts {
	struct gs_str scheme; /* with "://"; empty if there is none */
	struct gs_str userinfo; /* without '@' */
	struct gs_str rest; /* host[:port][/...] */
};

/* As nats.c splits: the last '@' ends the userinfo, whatever stands before it. */
static struct parts split(struct gs_str url) {
	struct parts p = {.rest = url};
	const char *at = url.n != 0 ? memmem(url.p, url.n, "://", 3) : NULL;
	if (at != NULL) {
		p.scheme = gs_str_make(url.p, (size_t)(at - url.p) + 3);
		p.rest = gs_str_make(at + 3, url.n - p.scheme.n);
	}
	at = p.rest.n != 0 ? memrchr(p.rest.p, '@', p.rest.n) : NULL;
	if (at != NULL) {
		p.userinfo = gs_str_make(p.rest.p, (size_t)(at - p.rest.p));
		p.rest = gs_str_make(at + 1, p.rest.n - p.userinfo.n - 1);
	}
	return p;
}

static bool printable(struct gs_str s) {
	for (size_t i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
			return false;
	}
	return true;
}

static enum gs_status check_port(struct gs_str port, struct gs_error *err) {
	uint64_t v;
	if (gs_num_parse_u64(port, &v) != GS_OK || v == 0 || v > 65535)
		return gs_error_set(err, GS_EINVAL, 0, 0, "the port of a NATS URL must be 1 to 65535");
	return GS_OK;
}

static enum gs_status check_host(struct gs_str rest, struct gs_error *err) {
	struct gs_str host, port, bracket = {0};
	if (gs_str_ends(rest, GS_STR("/")))
		rest.n--;
	bool v6 = gs_str_starts(rest, GS_STR("["));
	if (v6 && !gs_str_cut(rest, ']', &bracket, &rest))
		return gs_error_set(err, GS_EINVAL, 0, 0, "a NATS URL has '[' without ']'");
	bool has_port = gs_str_cut(rest, ':', &host, &port);
	bool bad = v6 ? host.n != 0 || bracket.n < 2 : host.n == 0;
	if (bad || memchr(rest.p, '/', rest.n) != NULL)
		return gs_error_set(err, GS_EINVAL, 0, 0, "a NATS URL must be nats://host:port");
	return has_port ? check_port(port, err) : GS_OK;
}

/* The errors quote nothing: in a URL that is wrong, a password may stand anywhere. */
enum gs_status gs_url_check(struct gs_str url, struct gs_error *err) {
	struct parts p = split(url);
	if (!printable(url))
		return gs_error_set(err, GS_EINVAL, 0, 0, "a NATS URL holds a space or a control byte");
	if (p.scheme.n != 0 && !gs_str_eq(p.scheme, GS_STR("nats://")) && !gs_str_eq(p.scheme, GS_STR("tls://")))
		return gs_error_set(err, GS_EINVAL, 0, 0, "a NATS URL begins with nats:// or tls://");
	if (p.rest.n == 0)
		return gs_error_set(err, GS_EINVAL, 0, 0, "a NATS URL has no host");
	return check_host(p.rest, err);
}

void gs_url_redact(struct gs_str url, char *out, size_t n) {
	struct parts p = split(url);
	snprintf(out, n, "%.*s%s%.*s", GS_FMT(p.scheme), p.userinfo.n != 0 ? "***@" : "", GS_FMT(p.rest));
}

static void overwrite(char *text, struct gs_str secret) {
	if (secret.n == 0)
		return;
	for (char *at = text; (at = memmem(at, strlen(at), secret.p, secret.n)) != NULL; at += secret.n)
		memset(at, '*', secret.n);
}

void gs_url_scrub(char *text, struct gs_str url) {
	struct gs_str user, password;
	struct parts p = split(url);
	overwrite(text, p.userinfo);
	/* A password of a letter or two would blacken half the sentence, and hides nothing. */
	if (gs_str_cut(p.userinfo, ':', &user, &password) && password.n >= 4)
		overwrite(text, password);
	for (char *at = text; (at = strstr(at, "://")) != NULL;) {
		at += 3;
		size_t n = strcspn(at, " \t");
		const char *end = memrchr(at, '@', n);
		if (end != NULL)
			memset(at, '*', (size_t)(end - at));
		at += n;
	}
}
