/* SPDX-License-Identifier: Apache-2.0 */
#include <strings.h>

#include "web_internal.h"

#define FULL 1000 /* q=1 */
#define UNSAID (-1)

static bool is_word(struct gs_str s, struct gs_str word) {
	return s.n == word.n && strncasecmp(s.p, word.p, s.n) == 0;
}

/* In thousandths; what is no number counts as if it was not there. */
static int read_weight(struct gs_str s) {
	int q = 0;
	if (s.n == 0 || (s.p[0] != '0' && s.p[0] != '1'))
		return FULL;
	if (s.p[0] == '1')
		return FULL;
	for (size_t i = 2, unit = 100; i < s.n && unit != 0; i++, unit /= 10) {
		if (s.p[i] < '0' || s.p[i] > '9')
			break;
		q += (s.p[i] - '0') * (int)unit;
	}
	return q;
}

static int weight_of(struct gs_str params) {
	struct gs_str param;
	while (params.n != 0) {
		gs_str_cut(params, ';', &param, &params);
		param = gs_str_trim(param);
		if (param.n >= 2 && (param.p[0] == 'q' || param.p[0] == 'Q') && param.p[1] == '=')
			return read_weight(gs_str_make(param.p + 2, param.n - 2));
	}
	return FULL;
}

/* The first mention of a coding counts. */
static void say(int *weight, int q) {
	if (*weight == UNSAID)
		*weight = q;
}

struct gs_web_accept gs_web_accept_read(struct gs_str accept) {
	int gzip = UNSAID, zstd = UNSAID, identity = UNSAID, any = UNSAID;
	while (accept.n != 0) {
		struct gs_str coding;
		struct gs_str params;
		gs_str_cut(accept, ',', &coding, &accept);
		gs_str_cut(coding, ';', &coding, &params);
		coding = gs_str_trim(coding);
		int q = weight_of(params);
		if (is_word(coding, GS_STR("gzip")) || is_word(coding, GS_STR("x-gzip")))
			say(&gzip, q);
		else if (is_word(coding, GS_STR("zstd")))
			say(&zstd, q);
		else if (is_word(coding, GS_STR("identity")))
			say(&identity, q);
		else if (is_word(coding, GS_STR("*")))
			say(&any, q);
	}
	say(&gzip, any == UNSAID ? 0 : any);
	say(&zstd, any == UNSAID ? 0 : any);
	/* Not mentioned it is fine, but nobody's first choice. */
	bool plain = identity != 0 && (identity != UNSAID || any != 0);
	struct gs_web_accept ret = {.plain = plain, .nothing = !plain && gzip == 0 && zstd == 0};
	/* gzip first: it is what scrapers ask for, so it is there already. */
	if (gzip != 0 && gzip >= zstd && gzip >= identity)
		ret.best = GS_CODEC_GZIP;
	else if (zstd != 0 && zstd >= identity)
		ret.best = GS_CODEC_ZSTD;
	return ret;
}
