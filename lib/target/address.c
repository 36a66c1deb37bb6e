/* SPDX-License-Identifier: Apache-2.0 */
#include "parts.h"

static bool has(struct gs_str s, char c) {
	return s.n != 0 && memchr(s.p, c, s.n) != NULL;
}

static struct gs_str from(struct gs_str s, size_t i) {
	return gs_str_make(s.p + i, s.n - i);
}

/* [host]: what stands behind the bracket is a port, nothing, or wrong. */
static enum gs_address_port bracketed(struct gs_str address) {
	const char *close = memchr(address.p, ']', address.n);
	if (close == NULL)
		return GS_ADDRESS_BAD;
	struct gs_str host = gs_str_make(address.p + 1, (size_t)(close - address.p) - 1);
	struct gs_str rest = from(address, host.n + 2);
	if (has(host, '[') || has(rest, '[') || has(rest, ']'))
		return GS_ADDRESS_BAD;
	if (rest.n == 0)
		return GS_ADDRESS_NO_PORT;
	return rest.p[0] == ':' && !has(from(rest, 1), ':') ? GS_ADDRESS_PORT : GS_ADDRESS_BAD;
}

enum gs_address_port gs_address_port(struct gs_str address) {
	struct gs_str host, port;
	if (address.n != 0 && address.p[0] == '[')
		return bracketed(address);
	bool colon = gs_str_cut(address, ':', &host, &port);
	if (has(address, '[') || has(address, ']') || has(port, ':'))
		return GS_ADDRESS_BAD;
	return colon ? GS_ADDRESS_PORT : GS_ADDRESS_NO_PORT;
}
