/* SPDX-License-Identifier: Apache-2.0 */
#include "plain.h"

#include "gravel/base/buf.h"
#include "gravel/base/limits.h"
#include "gravel/base/mem.h"

#define BRANCHES 64
#define TEXT_MAX (4 * GS_LIMIT_REGEX)

/* What stands before or behind the fixed text of a branch. */
enum rest {
	REST_NONE,
	REST_ANY, /* .* */
	REST_SOME, /* .+ */
	REST_ASK, /* only behind: something else */
};

/* One alternative: before, text, behind. */
struct branch {
	uint32_t at; /* of its text */
	uint32_t n;
	enum rest before; /* if not REST_NONE, behind is REST_NONE */
	enum rest behind;
};

/* Invariants:
 * 1. The text of every branch lies within text.
 * 2. Unless any_first, a text that matches begins with a byte whose bit in first is set; so it is not empty. */
struct gs_plain {
	bool lines;
	bool any_first;
	uint32_t first[8];
	size_t n;
	struct branch branches
	    [2 * BRANCHES]; /* n <= BRANCHES at the end: while they are multiplied there are the old and the new ones */
	char *text;
};

/* The branches begin..n of plain are those of the alternative that is being read. */
struct reader {
	struct gs_plain *plain;
	struct gs_buf text;
	const char *p;
	const char *end;
	size_t begin;
	bool given_up;
	enum gs_status status; /* of the words */
};

static bool at(const struct reader *reader, char c) {
	return reader->p < reader->end && *reader->p == c;
}

static bool at_text(const struct reader *reader, const char *text) {
	size_t n = strlen(text);
	return (size_t)(reader->end - reader->p) >= n && memcmp(reader->p, text, n) == 0;
}

static bool is_repeat(char c) {
	return c == '*' || c == '+' || c == '?' || c == '{';
}

static bool is_special(char c) {
	return strchr("\\.+*?()|[]{}^$", c) != NULL; /* and NUL */
}

/* An escaped sign stands for itself, an escaped letter or digit does not. */
static bool is_sign(char c) {
	return c > ' ' && c < 0x7f && !(c >= '0' && c <= '9') && !((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* A character that stands for itself and is not repeated, or the empty slice. */
static struct gs_str take_literal(struct reader *reader) {
	const char *p = reader->p;
	if (p == reader->end)
		return (struct gs_str){0};
	bool escaped = *p == '\\';
	if (escaped ? p + 1 == reader->end || !is_sign(p[1]) : is_special(*p))
		return (struct gs_str){0};
	p += escaped;
	struct gs_str taken = gs_str_make(p, 1);
	for (p++; p < reader->end && ((unsigned char)*p & 0xc0) == 0x80; p++)
		taken.n++;
	if (p < reader->end && is_repeat(*p))
		return (struct gs_str){0};
	reader->p = p;
	return taken;
}

static enum rest take_rest(struct reader *reader) {
	static const struct {
		const char *text;
		enum rest rest;
	} rests[] = {{".*", REST_ANY}, {".+", REST_SOME}, {"(.*)", REST_ANY}, {"(.+)", REST_SOME}};
	for (size_t i = 0; i < sizeof(rests) / sizeof(rests[0]); i++) {
		const char *behind = reader->p + strlen(rests[i].text);
		if (at_text(reader, rests[i].text) && (behind == reader->end || !is_repeat(*behind))) {
			reader->p = behind;
			return rests[i].rest;
		}
	}
	return REST_NONE;
}

/* ^ at the begin of an alternative and $ at its end say what is true anyway. */
static void skip_anchor(struct reader *reader, char anchor) {
	const char *behind = reader->p + 1;
	if (at(reader, anchor) && (behind == reader->end || (anchor == '$' ? *behind == '|' : !is_repeat(*behind))))
		reader->p++;
}

/* Add the branch "old text, more" where the text of old is. */
static void add_branch(struct reader *reader, struct branch old, struct gs_str more) {
	struct gs_plain *plain = reader->plain;
	if (plain->n == 2 * BRANCHES) {
		reader->given_up = true;
		return;
	}
	struct branch branch = {.at = (uint32_t)reader->text.n, .n = old.n + (uint32_t)more.n, .before = old.before};
	/* The reservation may move what old.at is an offset of. */
	char *room = branch.n != 0 ? gs_buf_reserve(&reader->text, branch.n) : NULL;
	if (branch.n != 0 && room == NULL)
		return;
	if (old.n != 0)
		memcpy(room, reader->text.p + old.at, old.n);
	if (more.n != 0)
		memcpy(room + old.n, more.p, more.n);
	reader->text.n += branch.n;
	plain->branches[plain->n++] = branch;
}

/* Each of the alternatives so far goes on with each of the ${n} texts. */
static void multiply(struct reader *reader, const struct gs_str *texts, size_t n) {
	struct gs_plain *plain = reader->plain;
	size_t olds = plain->n - reader->begin;
	for (size_t i = 0; i < olds && !reader->given_up; i++) {
		for (size_t k = 0; k < n && !reader->given_up; k++)
			add_branch(reader, plain->branches[reader->begin + i], texts[k]);
	}
	if (reader->given_up || reader->text.status != GS_OK)
		return;
	memmove(plain->branches + reader->begin, plain->branches + reader->begin + olds,
	    (plain->n - reader->begin - olds) * sizeof(plain->branches[0]));
	plain->n -= olds;
	reader->given_up = plain->n > BRANCHES;
}

/* Add the text up to what is no literal to ${words}. */
static void take_word(struct reader *reader, struct gs_buf *words) {
	for (;;) {
		struct gs_str c = take_literal(reader);
		if (c.n == 0)
			break;
		gs_buf_str(words, c);
	}
	if (words->status != GS_OK) {
		reader->status = words->status;
		reader->given_up = true;
	}
}

/* (a|b|c), (?:a|b|c) or (?P<name>a|b|c) of literals, without a repeat. False, and nothing taken, where it is something else. */
static bool take_group(struct reader *reader, struct gs_buf *words) {
	const char *from = reader->p;
	uint32_t ends[BRANCHES];
	struct gs_str texts[BRANCHES];
	size_t n = 0;
	bool more = true;
	reader->p++;
	if (at_text(reader, "?:")) {
		reader->p += 2;
	} else if (at_text(reader, "?P<")) {
		while (reader->p < reader->end && *reader->p != '>')
			reader->p++;
		reader->p += reader->p < reader->end;
	}
	gs_buf_clear(words);
	while (more && n < BRANCHES) {
		take_word(reader, words);
		ends[n++] = (uint32_t)words->n;
		more = at(reader, '|');
		reader->p += more;
	}
	bool ends_well = !more && at(reader, ')') && !(reader->p + 1 < reader->end && is_repeat(reader->p[1]));
	if (!ends_well || reader->given_up) {
		reader->p = from;
		return false;
	}
	reader->p++;
	for (size_t i = 0; i < n; i++) {
		uint32_t begin = i != 0 ? ends[i - 1] : 0;
		texts[i] = ends[i] != begin ? gs_str_make(words->p + begin, ends[i] - begin) : (struct gs_str){0};
	}
	multiply(reader, texts, n);
	return true;
}

/* Go behind a class of characters. One with a class by name, [[:alpha:]], is not worth the trouble. */
static void skip_class(struct reader *reader) {
	reader->p++;
	reader->p += at(reader, '^');
	reader->p += at(reader, ']');
	while (reader->p < reader->end && *reader->p != ']') {
		reader->given_up |= *reader->p == '[';
		reader->p += *reader->p == '\\' ? 2 : 1;
	}
	reader->p++;
}

/* Go to the end of the alternative, over whatever it is. */
static void skip_branch(struct reader *reader) {
	size_t depth = 0;
	while (reader->p < reader->end && (depth != 0 || *reader->p != '|')) {
		char c = *reader->p;
		if (c == '[') {
			skip_class(reader);
			continue;
		}
		depth += c == '(';
		depth -= c == ')' && depth != 0;
		reader->p += c == '\\' ? 2 : 1;
	}
	if (reader->p > reader->end)
		reader->p = reader->end;
}

static void finish(struct reader *reader, enum rest rest) {
	for (size_t i = reader->begin; i < reader->plain->n; i++) {
		struct branch *branch = &reader->plain->branches[i];
		/* What has something before its text and behind it is the engine's. */
		if (branch->before != REST_NONE && rest != REST_NONE) {
			branch->n = 0;
			branch->before = REST_NONE;
			rest = REST_ASK;
		}
		branch->behind = rest;
	}
}

/* One alternative. The words of a group are gathered in ${words}. */
static void take_branch(struct reader *reader, struct gs_buf *words) {
	reader->begin = reader->plain->n;
	skip_anchor(reader, '^');
	struct branch empty = {.before = take_rest(reader)};
	add_branch(reader, empty, (struct gs_str){0});
	while (!reader->given_up) {
		gs_buf_clear(words);
		take_word(reader, words);
		struct gs_str word = gs_buf_slice(words);
		if (word.n != 0)
			multiply(reader, &word, 1);
		if (!at(reader, '(') || !take_group(reader, words))
			break;
	}
	enum rest rest = take_rest(reader);
	skip_anchor(reader, '$');
	if (reader->p < reader->end && *reader->p != '|') {
		rest = REST_ASK;
		skip_branch(reader);
	}
	finish(reader, rest);
	reader->given_up |= reader->plain->n > BRANCHES;
}

/* Options in the middle, verbs and quotes change the meaning of what follows or stands before. */
static bool is_plain_enough(struct gs_str pattern) {
	static const char *const others[] = {"(*", "\\Q", "\\E", "\\c"};
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		if (memmem(pattern.p, pattern.n, others[i], strlen(others[i])) != NULL)
			return false;
	}
	const char *p = pattern.p, *end = p + pattern.n;
	while ((p = memmem(p, (size_t)(end - p), "(?", 2)) != NULL) {
		p += 2;
		if (p == end || (*p != ':' && *p != 'P') || (*p == 'P' && (p + 1 == end || p[1] != '<')))
			return false;
	}
	return true;
}

static void note_first(struct gs_plain *plain) {
	for (size_t i = 0; i < plain->n; i++) {
		const struct branch *branch = &plain->branches[i];
		if (branch->n == 0 || branch->before != REST_NONE) {
			plain->any_first = true;
			return;
		}
		unsigned char c = (unsigned char)plain->text[branch->at];
		plain->first[c / 32] |= UINT32_C(1) << c % 32;
	}
}

static enum gs_status read_all(struct reader *reader) {
	struct gs_buf words;
	gs_buf_init(&words, GS_LIMIT_REGEX);
	for (;;) {
		take_branch(reader, &words);
		if (reader->given_up || !at(reader, '|'))
			break;
		reader->p++;
	}
	enum gs_status status = reader->status != GS_OK ? reader->status : reader->text.status;
	gs_buf_free(&words);
	/* More text than can be worth it. */
	if (status == GS_ELIMIT)
		reader->given_up = true;
	return status == GS_ENOMEM ? status : GS_OK;
}

enum gs_status gs_plain_new(struct gs_str pattern, bool lines, struct gs_plain **ret_plain) {
	*ret_plain = NULL;
	if (pattern.n == 0)
		pattern = GS_STR("");
	if (!is_plain_enough(pattern))
		return GS_OK;
	struct gs_plain *plain = gs_alloc(sizeof(*plain));
	if (plain == NULL)
		return GS_ENOMEM;
	plain->lines = lines;
	struct reader reader = {.plain = plain, .p = pattern.p, .end = pattern.p + pattern.n};
	gs_buf_init(&reader.text, TEXT_MAX);
	enum gs_status status = read_all(&reader);
	size_t n;
	plain->text = status == GS_OK && !reader.given_up ? gs_buf_take(&reader.text, &n) : NULL;
	gs_buf_free(&reader.text);
	/* Alone, the engine has to be asked for all texts. */
	bool useless = plain->n == 1 && plain->branches[0].n == 0 && plain->branches[0].behind == REST_ASK;
	if (status != GS_OK || reader.given_up || useless) {
		gs_plain_free(plain);
		return status;
	}
	note_first(plain);
	*ret_plain = plain;
	return GS_OK;
}

void gs_plain_free(struct gs_plain *plain) {
	if (plain == NULL)
		return;
	gs_free(plain->text);
	gs_free(plain);
}

static bool is_rest(const struct gs_plain *plain, enum rest rest, struct gs_str text) {
	if (text.n == 0)
		return rest != REST_SOME;
	return rest != REST_NONE && (!plain->lines || memchr(text.p, '\n', text.n) == NULL) && gs_str_is_utf8(text);
}

static enum gs_plain_answer match_branch(
    const struct gs_plain *plain, const struct branch *branch, struct gs_str text) {
	if (text.n < branch->n)
		return GS_PLAIN_NO;
	size_t more = text.n - branch->n;
	const char *fixed = text.p + (branch->before != REST_NONE ? more : 0);
	if (branch->n != 0 && memcmp(fixed, plain->text + branch->at, branch->n) != 0)
		return GS_PLAIN_NO;
	if (branch->behind == REST_ASK)
		return GS_PLAIN_ASK;
	if (branch->before == REST_NONE)
		return is_rest(plain, branch->behind, gs_str_make(text.p + branch->n, more));
	return is_rest(plain, branch->before, gs_str_make(text.p, more));
}

enum gs_plain_answer gs_plain_match(const struct gs_plain *plain, struct gs_str text) {
	enum gs_plain_answer answer = GS_PLAIN_NO;
	if (text.n == 0)
		text.p = "";
	if (!plain->any_first) {
		if (text.n == 0)
			return GS_PLAIN_NO;
		unsigned char c = (unsigned char)text.p[0];
		if ((plain->first[c / 32] >> c % 32 & 1) == 0)
			return GS_PLAIN_NO;
	}
	for (size_t i = 0; i < plain->n && answer != GS_PLAIN_YES; i++) {
		enum gs_plain_answer one = match_branch(plain, &plain->branches[i], text);
		if (one != GS_PLAIN_NO)
			answer = one;
	}
	return answer;
}
