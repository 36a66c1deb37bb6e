/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/base/mem.h"
#include "rollup_internal.h"

/* Compiling */

static enum gs_status fail(struct gs_error *err, size_t number, const char *what, const char *quoted) {
	return gs_error_set(err, GS_EINVAL, (uint32_t)number, 0, "%s: \"%s\"", what, quoted != NULL ? quoted : "");
}

static bool is_name(const char *text, size_t max) {
	struct gs_str s = gs_str_of(text);
	return s.n != 0 && s.n <= max && gs_str_is_utf8(s);
}

static bool is_suffixed(struct gs_str s, struct gs_str stem) {
	static const struct gs_str suffixes[] = {
	    GS_STR_INIT("_bucket"), GS_STR_INIT("_sum"), GS_STR_INIT("_count"), GS_STR_INIT("_created")};
	for (size_t i = 0; gs_str_starts(s, stem) && i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		if (gs_str_eq(gs_str_make(s.p + stem.n, s.n - stem.n), suffixes[i]))
			return true;
	}
	return false;
}

/* Two results must never be lines of one name. */
static enum gs_status check_as(const struct gs_rollup_rule *rules, size_t i, struct gs_error *err) {
	if (!is_name(rules[i].as, GS_LIMIT_NAME - (sizeof("_created") - 1)))
		return fail(err, i + 1, "as: is no name of a metric", rules[i].as);
	struct gs_str as = gs_str_of(rules[i].as);
	for (size_t j = 0; j < i; j++) {
		struct gs_str other = gs_str_of(rules[j].as);
		if (gs_str_eq(as, other))
			return fail(err, i + 1, "as: a rule before has the same result", rules[i].as);
		if (is_suffixed(as, other) || is_suffixed(other, as))
			return fail(err, i + 1, "as: is a part of what a histogram of another rule would be called",
			    rules[i].as);
	}
	return GS_OK;
}

static enum gs_status check_rule(const struct gs_rollup_rule *rules, size_t i, struct gs_error *err) {
	const struct gs_rollup_rule *rule = &rules[i];
	if ((unsigned)rule->op > GS_ROLLUP_COUNT)
		return fail(err, i + 1, "is none of sum, min, max, avg and count", "");
	if (rule->of == NULL || rule->of[0] == '\0')
		return fail(err, i + 1, "of: matches no name", rule->of);
	for (size_t k = 0; k < rule->nlabels; k++) {
		if (!is_name(rule->labels[k], GS_LIMIT_NAME))
			return fail(err, i + 1, "is no name of a label", rule->labels[k]);
		if (gs_str_eq(gs_str_of(rule->labels[k]), GS_STR("__name__")))
			return fail(err, i + 1, "the result has a name of its own, so leave it out", rule->labels[k]);
	}
	return check_as(rules, i, err);
}

static enum gs_status copy(struct gs_str from, struct gs_str *to) {
	to->p = gs_strdup(from);
	to->n = to->p != NULL ? from.n : 0;
	return to->p != NULL ? GS_OK : GS_ENOMEM;
}

static enum gs_status compile(struct rule *to, const struct gs_rollup_rule *rule, size_t number, struct gs_error *err) {
	*to = (struct rule){.op = rule->op, .without = rule->without, .drop = rule->drop};
	enum gs_status status = gs_regex_new(gs_str_of(rule->of), &to->of, err);
	if (status != GS_OK) {
		if (err != NULL && status != GS_ENOMEM)
			err->line = (uint32_t)number;
		return status == GS_ENOMEM ? status : GS_EINVAL;
	}
	if (copy(gs_str_of(rule->as), &to->as) != GS_OK)
		return GS_ENOMEM;
	to->labels = gs_alloc_array(rule->nlabels + 1, sizeof(*to->labels));
	if (to->labels == NULL)
		return GS_ENOMEM;
	for (; to->nlabels < rule->nlabels; to->nlabels++) {
		if (copy(gs_str_of(rule->labels[to->nlabels]), &to->labels[to->nlabels]) != GS_OK)
			return GS_ENOMEM;
	}
	return GS_OK;
}

enum gs_status gs_rollup_rules(
    struct gs_rollup *r, const struct gs_rollup_rule *rules, size_t n, struct gs_error *err) {
	if (n > GS_LIMIT_ROLLUP_RULES)
		return gs_error_set(
		    err, GS_EINVAL, GS_LIMIT_ROLLUP_RULES + 1, 0, "more than %d rules", GS_LIMIT_ROLLUP_RULES);
	r->rules = gs_alloc_array(n + 1, sizeof(*r->rules));
	if (r->rules == NULL)
		return GS_ENOMEM;
	for (size_t i = 0; i < n; i++) {
		enum gs_status status = check_rule(rules, i, err);
		if (status != GS_OK)
			return status;
		r->nrules = i + 1;
		status = compile(&r->rules[i], &rules[i], i + 1, err);
		if (status != GS_OK)
			return status;
	}
	return GS_OK;
}

static void free_text(struct gs_str s) {
	char *p;
	memcpy(&p, &s.p, sizeof(p)); /* we made it */
	gs_free(p);
}

void gs_rollup_rules_free(struct gs_rollup *r) {
	for (size_t i = 0; i < r->nrules; i++) {
		struct rule *rule = &r->rules[i];
		gs_regex_free(rule->of);
		free_text(rule->as);
		for (size_t k = 0; k < rule->nlabels; k++)
			free_text(rule->labels[k]);
		gs_free(rule->labels);
	}
	gs_free(r->rules);
}

bool gs_rollup_keeps(const struct rule *rule, struct gs_str name) {
	if (gs_str_eq(name, GS_STR("__name__")))
		return false;
	for (size_t i = 0; i < rule->nlabels; i++) {
		if (gs_str_eq(rule->labels[i], name))
			return !rule->without;
	}
	return rule->without;
}

/* Names */

static bool has_parts(enum gs_expo_type type) {
	return type == GS_TYPE_HISTOGRAM || type == GS_TYPE_SUMMARY;
}

static struct gs_str suffix_of(enum gs_expo_part part) {
	switch (part) {
	case GS_PART_BUCKET:
		return GS_STR("_bucket");
	case GS_PART_SUM:
		return GS_STR("_sum");
	case GS_PART_COUNT:
		return GS_STR("_count");
	case GS_PART_CREATED:
		return GS_STR("_created");
	case GS_PART_VALUE:
	case GS_PART_QUANTILE:
	case GS_PART_NATIVE:
		break;
	}
	return GS_STR("");
}

/* The family that a rule may name instead of its parts; empty: there is none, or relabelling changed the name so that it is none. */
static struct gs_str family_of(const struct name *name) {
	struct gs_str suffix = suffix_of(name->part);
	if (!has_parts(name->type) || name->part == GS_PART_VALUE || !gs_str_ends(name->text, suffix))
		return GS_STR("");
	return gs_str_make(name->text.p, name->text.n - suffix.n);
}

static bool is_counter(const struct name *name) {
	if (name->type == GS_TYPE_COUNTER)
		return name->part == GS_PART_VALUE;
	return has_parts(name->type) &&
	       (name->part == GS_PART_BUCKET || name->part == GS_PART_SUM || name->part == GS_PART_COUNT);
}

static enum gs_status matches(struct rule *rule, struct gs_str text, bool *ret) {
	*ret = false;
	return text.n != 0 ? gs_regex_match(rule->of, text, ret) : GS_OK;
}

static enum take take_of_family(const struct rule *rule, const struct name *name) {
	if (rule->op == GS_ROLLUP_COUNT)
		return name->part == GS_PART_COUNT ? TAKE_VALUE : TAKE_NOTHING;
	bool part = name->part == GS_PART_SUM || name->part == GS_PART_COUNT || name->part == GS_PART_BUCKET;
	return part ? TAKE_PART : TAKE_NOTHING;
}

/* When a counter was created says nothing that could be added, but is of no use without the counter. */
static enum gs_status match_created(struct rule *rule, const struct name *name, bool *ret) {
	char text[GS_LIMIT_NAME + sizeof("_total")];
	struct gs_str suffix = suffix_of(GS_PART_CREATED);
	*ret = false;
	if (name->type != GS_TYPE_COUNTER || name->part != GS_PART_CREATED || !gs_str_ends(name->text, suffix) ||
	    name->text.n > GS_LIMIT_NAME)
		return GS_OK;
	size_t n = name->text.n - suffix.n;
	memcpy(text, name->text.p, n);
	memcpy(text + n, "_total", sizeof("_total") - 1);
	return matches(rule, gs_str_make(text, n + sizeof("_total") - 1), ret);
}

static void add_take(const struct gs_rollup *r, struct name *name, size_t rule, enum take take) {
	name->take[name->ntakes++] = (struct name_take){.rule = (uint16_t)rule, .take = (uint8_t)take};
	name->takes_value |= take == TAKE_VALUE;
	name->takes_part |= take == TAKE_PART;
	name->drop_nothing |= take == TAKE_NOTHING && r->rules[rule].drop;
	name->drop_any |= r->rules[rule].drop;
}

static enum gs_status decide_rule(const struct gs_rollup *r, struct name *name, size_t number) {
	struct rule *rule = &r->rules[number];
	bool whole = rule->op == GS_ROLLUP_SUM || rule->op == GS_ROLLUP_COUNT, is;
	enum gs_status status = matches(rule, whole ? family_of(name) : GS_STR(""), &is);
	if (status != GS_OK)
		return status;
	if (is) {
		add_take(r, name, number, take_of_family(rule, name));
		return GS_OK;
	}
	status = name->part != GS_PART_NATIVE ? matches(rule, name->text, &is) : GS_OK;
	if (status == GS_OK && is) {
		add_take(r, name, number, TAKE_VALUE);
		return GS_OK;
	}
	if (status == GS_OK)
		status = match_created(rule, name, &is);
	if (status == GS_OK && is)
		add_take(r, name, number, TAKE_NOTHING);
	return status;
}

static enum gs_status decide(const struct gs_rollup *r, struct name *name) {
	name->class = is_counter(name) ? CLASS_COUNTER : CLASS_VALUE;
	name->nsuffix = (uint16_t)suffix_of(name->part).n;
	for (size_t i = 0; i < r->nrules; i++) {
		enum gs_status status = decide_rule(r, name, i);
		if (status != GS_OK)
			return status;
	}
	return GS_OK;
}

void gs_rollup_names_clear(struct gs_rollup *r) {
	size_t cursor = 0;
	r->name = NULL;
	if (r->names == NULL)
		return;
	for (struct name *name; (name = gs_map_next(r->names, &cursor, NULL)) != NULL;) {
		while (name != NULL) {
			struct name *next = name->next;
			gs_free(name);
			name = next;
		}
	}
	gs_map_clear(r->names);
}

static enum gs_status make_name(
    struct gs_rollup *r, enum gs_expo_type type, enum gs_expo_part part, struct gs_str text, struct name **ret) {
	size_t takes = r->nrules * sizeof(struct name_take);
	struct name *name = gs_alloc(sizeof(*name) + takes + text.n);
	if (name == NULL)
		return GS_ENOMEM;
	name->type = (uint16_t)type;
	name->part = (uint16_t)part;
	memcpy((char *)name->take + takes, text.p, text.n);
	name->text = gs_str_make((char *)name->take + takes, text.n);
	enum gs_status status = decide(r, name);
	if (status != GS_OK)
		gs_free(name);
	else
		*ret = name;
	return status;
}

static enum gs_status add_name(struct gs_rollup *r, struct name *first, enum gs_expo_type type, enum gs_expo_part part,
    struct gs_str text, const struct name **ret_name) {
	struct name *name = NULL;
	enum gs_status status = make_name(r, type, part, text, &name);
	if (status != GS_OK)
		return status;
	if (first != NULL) {
		name->next = first->next;
		first->next = name;
	} else {
		/* Names that come and go must not fill the memory; finding out again is cheap. */
		if (gs_map_count(r->names) >= GS_LIMIT_ROLLUP_NAMES)
			gs_rollup_names_clear(r);
		status = gs_map_put(r->names, name->text, name);
	}
	if (status != GS_OK)
		gs_free(name);
	else
		*ret_name = r->name = name;
	return status;
}

enum gs_status gs_rollup_name_find(struct gs_rollup *r, enum gs_expo_type type, enum gs_expo_part part,
    struct gs_str text, const struct name **ret_name) {
	const struct name *last = r->name;
	if (last != NULL && last->type == type && last->part == part && gs_str_eq(last->text, text)) {
		*ret_name = last;
		return GS_OK;
	}
	struct name *first = text.n != 0 ? gs_map_get(r->names, text) : NULL;
	for (struct name *name = first; name != NULL; name = name->next) {
		if (name->type == type && name->part == part) {
			*ret_name = r->name = name;
			return GS_OK;
		}
	}
	return add_name(r, first, type, part, text, ret_name);
}
