/* SPDX-License-Identifier: Apache-2.0 */
#include <strings.h>

#include "web_internal.h"

static bool is_word(struct gs_str s, struct gs_str word) {
	return s.n == word.n && strncasecmp(s.p, word.p, s.n) == 0;
}

/* Whether the parameters of a coding say "not this one": q=0, q=0.0, ... */
static bool is_refused(struct gs_str params) {
	struct gs_str param;
	while (params.n != 0) {
		gs_str_cut(params, ';', &param, &params);
		param = gs_str_trim(param);
		if (param.n < 3 || (param.p[0] != 'q' && param.p[0] != 'Q') || param.p[1] != '=')
			continue;
		size_t i = 2;
		while (i < param.n && (param.p[i] == '0' || param.p[i] == '.'))
			i++;
		return i == param.n;
	}
	return false;
}

bool gs_web_accepts_gzip(struct gs_str accept) {
	bool any = false;
	while (accept.n != 0) {
		struct gs_str coding;
		struct gs_str params;
		gs_str_cut(accept, ',', &coding, &accept);
		gs_str_cut(coding, ';', &coding, &params);
		coding = gs_str_trim(coding);
		if (is_word(coding, GS_STR("gzip")) || is_word(coding, GS_STR("x-gzip")))
			return !is_refused(params);
		if (is_word(coding, GS_STR("*")))
			any = !is_refused(params);
	}
	return any;
}
