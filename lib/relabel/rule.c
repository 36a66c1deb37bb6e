/* SPDX-License-Identifier: Apache-2.0 */
#include "rule.h"

#include "gravel/base/limits.h"

#define SEPARATOR GS_STR(";")
#define REGEX GS_STR("(.*)")
#define REPLACEMENT GS_STR("$1")

/* What an action needs and takes. */
static const struct {
	const char *name;
	bool target; /* a target_label has to be there */
	bool replacement;
	bool regex;
	bool only_labels; /* nothing but source_labels and target_label */
	bool only_regex;
} actions[] = {
    [GS_RELABEL_REPLACE] = {"replace", true, true, true, false, false},
    [GS_RELABEL_KEEP] = {"keep", false, true, true, false, false},
    [GS_RELABEL_DROP] = {"drop", false, true, true, false, false},
    [GS_RELABEL_KEEPEQUAL] = {"keepequal", true, false, false, true, false},
    [GS_RELABEL_DROPEQUAL] = {"dropequal", true, false, false, true, false},
    [GS_RELABEL_HASHMOD] = {"hashmod", true, true, false, false, false},
    [GS_RELABEL_LABELMAP] = {"labelmap", false, true, true, false, false},
    [GS_RELABEL_LABELDROP] = {"labeldrop", false, true, true, false, true},
    [GS_RELABEL_LABELKEEP] = {"labelkeep", false, true, true, false, true},
    [GS_RELABEL_LOWERCASE] = {"lowercase", true, false, false, false, false},
    [GS_RELABEL_UPPERCASE] = {"uppercase", true, false, false, false, false},
};

static bool is_letter(char c) {
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_word(char c) {
	return is_letter(c) || (c >= '0' && c <= '9');
}

/* Bytes of $word or ${word} at i, or 0. */
static size_t reference_at(struct gs_str text, size_t i) {
	bool brace = i + 1 < text.n && text.p[i + 1] == '{';
	size_t begin = i + 1 + brace, end = begin;
	while (end < text.n && is_word(text.p[end]))
		end++;
	if (end == begin || (brace && (end == text.n || text.p[end] != '}')))
		return 0;
	return end + brace - i;
}

/* A name in which groups may stand. */
static bool is_label_template(struct gs_str text) {
	if (text.n == 0 || (!is_letter(text.p[0]) && text.p[0] != '$'))
		return false;
	for (size_t i = 0, n; i < text.n; i += n) {
		n = text.p[i] == '$' ? reference_at(text, i) : is_word(text.p[i]);
		if (n == 0)
			return false;
	}
	return true;
}

struct texts {
	struct gs_str separator, regex, target, replacement;
};

#define BAD(...) gs_error_set(err, GS_EINVAL, number, 0, __VA_ARGS__)

static enum gs_status check_names(
    const struct gs_relabel_rule *given, const struct texts *texts, uint32_t number, struct gs_error *err) {
	const char *name = actions[given->action].name;
	bool is_hashmod = given->action == GS_RELABEL_HASHMOD;
	for (size_t i = 0; i < given->nsource_labels; i++) {
		struct gs_str label = gs_str_of(given->source_labels[i]);
		if (!gs_expo_is_label_name(label))
			return BAD("\"%.*s\" of source_labels is no label name", GS_FMT(label));
	}
	if (is_hashmod && given->modulus == 0)
		return BAD("the action hashmod needs a modulus above 0");
	if (actions[given->action].target && texts->target.n == 0)
		return BAD("the action %s needs a target_label", name);
	if (actions[given->action].target &&
	    !(is_hashmod ? gs_expo_is_label_name(texts->target) : is_label_template(texts->target)))
		return BAD("\"%.*s\" is no target_label for the action %s", GS_FMT(texts->target), name);
	if (given->action == GS_RELABEL_LABELMAP && !is_label_template(texts->replacement))
		return BAD("\"%.*s\" is no replacement for the action labelmap: it gives no label names",
		    GS_FMT(texts->replacement));
	return GS_OK;
}

/* What would have no effect is refused, since who wrote it expects one. */
static enum gs_status check_unused(
    const struct gs_relabel_rule *given, const struct texts *texts, uint32_t number, struct gs_error *err) {
	const char *name = actions[given->action].name;
	bool replacement = !gs_str_eq(texts->replacement, REPLACEMENT);
	bool others = replacement || given->modulus != 0 || !gs_str_eq(texts->separator, SEPARATOR);
	if (actions[given->action].only_labels && (others || !gs_str_eq(texts->regex, REGEX)))
		return BAD("the action %s takes source_labels and target_label and nothing else", name);
	if (actions[given->action].only_regex && (others || given->nsource_labels != 0 || texts->target.n != 0))
		return BAD("the action %s takes a regex and nothing else", name);
	if (!actions[given->action].replacement && replacement)
		return BAD("the action %s takes no replacement", name);
	return GS_OK;
}

static enum gs_status compile(
    struct gs_relabel_step *rule, const struct texts *texts, uint32_t number, struct gs_error *err) {
	bool is_replace = rule->action == GS_RELABEL_REPLACE;
	/* An expression that is not used has to be one all the same. */
	enum gs_status status = gs_regex_new_lines(texts->regex, &rule->regex, err);
	if (status == GS_EINVAL || status == GS_ELIMIT) {
		if (err != NULL)
			err->line = number;
		return status;
	}
	if (status == GS_OK && is_replace && !gs_expo_is_label_name(rule->target))
		status = gs_template_new(rule->target, rule->regex, &rule->target_template);
	if (status == GS_OK && (is_replace || rule->action == GS_RELABEL_LABELMAP))
		status = gs_template_new(texts->replacement, rule->regex, &rule->replacement);
	if (status == GS_OK && !actions[rule->action].regex) {
		gs_regex_free(rule->regex);
		rule->regex = NULL;
	}
	return status;
}

static enum gs_status copy(struct gs_arena *arena, struct gs_str text, struct gs_str *ret) {
	*ret = gs_arena_dup(arena, text);
	return ret->n == text.n ? GS_OK : GS_ENOMEM;
}

static enum gs_status copy_source(
    struct gs_relabel_step *rule, const struct gs_relabel_rule *given, struct gs_arena *arena) {
	enum gs_status status = GS_OK;
	if (given->nsource_labels == 0)
		return GS_OK;
	rule->source = gs_arena_alloc(arena, given->nsource_labels * sizeof(*rule->source));
	if (rule->source == NULL)
		return GS_ENOMEM;
	for (size_t i = 0; i < given->nsource_labels && status == GS_OK; i++)
		status = copy(arena, gs_str_of(given->source_labels[i]), &rule->source[i]);
	rule->nsource = given->nsource_labels;
	return status;
}

enum gs_status gs_relabel_rule_open(struct gs_relabel_step *rule, const struct gs_relabel_rule *given, uint32_t number,
    struct gs_arena *arena, struct gs_error *err) {
	struct texts texts = {.separator = gs_str_of(given->separator),
	    .regex = gs_str_of(given->regex),
	    .target = gs_str_of(given->target_label),
	    .replacement = gs_str_of(given->replacement)};
	if ((unsigned)given->action >= sizeof(actions) / sizeof(actions[0]))
		return BAD("there is no such action");
	enum gs_status status = check_names(given, &texts, number, err);
	if (status == GS_OK)
		status = check_unused(given, &texts, number, err);
	if (status != GS_OK)
		return status;
	rule->action = given->action;
	rule->modulus = given->modulus;
	status = copy_source(rule, given, arena);
	if (status == GS_OK)
		status = copy(arena, texts.separator, &rule->separator);
	if (status == GS_OK)
		status = copy(arena, texts.target, &rule->target);
	return status == GS_OK ? compile(rule, &texts, number, err) : status;
}

void gs_relabel_rule_close(struct gs_relabel_step *rule) {
	gs_template_free(rule->target_template);
	gs_template_free(rule->replacement);
	gs_regex_free(rule->regex);
}
