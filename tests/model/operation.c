/* SPDX-License-Identifier: Apache-2.0 */
#include "operation.h"

#include <math.h>

#include "gravel/gravel/mode.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

bool op_has[FEATURES];

static const char *const feature_names[FEATURES] = {"min-max", "pebbles", "ttl", "gateway", "memory", "render-memory"};

/* Randomness (splitmix64) */

struct dice {
	uint64_t state;
};

static uint64_t roll(struct dice *dice) {
	uint64_t z = (dice->state += UINT64_C(0x9e3779b97f4a7c15));
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static unsigned below(struct dice *dice, unsigned n) {
	return (unsigned)(roll(dice) % n);
}

static bool chance(struct dice *dice, unsigned percent) {
	return below(dice, 100) < percent;
}

/* What makes a body wrong: seldom, because it is looked at for each of its samples. */
static bool mistake(struct dice *dice) {
	return below(dice, 400) == 0;
}

static struct dice dice_of(uint64_t seed, uint64_t number, uint64_t salt) {
	struct dice dice = {.state = seed * UINT64_C(0xd1342543de82ef95) ^ salt};
	dice.state = roll(&dice) ^ number * UINT64_C(0xa0761d6478bd642f);
	(void)roll(&dice);
	return dice;
}

/* The universe */

static const struct {
	const char *name;
	enum gs_expo_type type; /* that it mostly has */
} names[] = {
    {"a", GS_TYPE_GAUGE},
    {"b_total", GS_TYPE_COUNTER},
    {"foo", GS_TYPE_SUMMARY},
    {"foo_count", GS_TYPE_COUNTER},
    {"foo_sum", GS_TYPE_GAUGE},
    {"foo_bucket", GS_TYPE_UNTYPED},
    {"h", GS_TYPE_HISTOGRAM},
    {"h_bucket", GS_TYPE_COUNTER},
    {"h_count", GS_TYPE_SUMMARY},
    {"g", GS_TYPE_GAUGEHISTOGRAM},
    {"g_gcount", GS_TYPE_UNTYPED},
    {"u", GS_TYPE_UNTYPED},
    {"i_info", GS_TYPE_INFO},
    {"st", GS_TYPE_STATESET},
    {"b_created", GS_TYPE_GAUGE},
    {"t_seconds", GS_TYPE_GAUGE},
    {"x.y", GS_TYPE_COUNTER},
    {"x.z", GS_TYPE_HISTOGRAM},
};

static const struct m_mode plain_modes[] = {
    {.text = "aggregate", .kind = M_AGGREGATE},
    {.text = "sum", .kind = M_AGGREGATE},
    {.text = "replace", .kind = M_REPLACE},
    {.text = "family", .kind = M_FAMILY},
    {.text = "info", .kind = M_FAMILY},
    {.text = "sum1s", .kind = M_PEBBLE, .agg = M_SUM, .window_ms = 1000},
    {.text = "sum:50ms", .kind = M_PEBBLE, .agg = M_SUM, .window_ms = 50},
    {.text = "sum1m", .kind = M_PEBBLE, .agg = M_SUM, .window_ms = 60000},
};

static const struct m_mode pebbles[] = {
    {.text = "mean1m", .kind = M_PEBBLE, .agg = M_MEAN, .window_ms = 60000},
    {.text = "avg:30s", .kind = M_PEBBLE, .agg = M_MEAN, .window_ms = 30000},
    {.text = "min30s", .kind = M_PEBBLE, .agg = M_AGG_MIN, .window_ms = 30000},
    {.text = "max:1m", .kind = M_PEBBLE, .agg = M_AGG_MAX, .window_ms = 60000},
    {.text = "count10s", .kind = M_PEBBLE, .agg = M_COUNT, .window_ms = 10000},
    {.text = "last1m", .kind = M_PEBBLE, .agg = M_LAST, .window_ms = 60000},
    {.text = "stddev1h", .kind = M_PEBBLE, .agg = M_STDDEV, .window_ms = 3600000},
    {.text = "median1m", .kind = M_PEBBLE, .agg = M_PERCENTILE, .percent = 50, .window_ms = 60000},
    {.text = "p99.9:1m", .kind = M_PEBBLE, .agg = M_PERCENTILE, .percent = 99.9, .window_ms = 60000},
};

static const struct m_mode min_max[] = {
    {.text = "min", .kind = M_MIN},
    {.text = "max", .kind = M_MAX},
};

static const struct m_mode unknown = {.text = "agregate", .kind = M_UNKNOWN};

static const struct m_mode *pick_mode(struct dice *dice) {
	if (op_has[FEATURE_MIN_MAX] && chance(dice, 15))
		return &min_max[below(dice, COUNT(min_max))];
	if (op_has[FEATURE_PEBBLES] && chance(dice, 40))
		return &pebbles[below(dice, COUNT(pebbles))];
	return &plain_modes[below(dice, COUNT(plain_modes))];
}

static bool is_mode(const char *text) {
	struct gs_mode mode;
	return gs_mode_parse(gs_str_of(text), &mode, NULL) == GS_OK;
}

void op_features(void) {
	op_has[FEATURE_MIN_MAX] = is_mode("min") && is_mode("max");
	op_has[FEATURE_PEBBLES] = is_mode("last1m") && is_mode("p99:1m");
	op_has[FEATURE_TTL] = op_has[FEATURE_GATEWAY] = true;
	op_has[FEATURE_MEMORY] = op_has[FEATURE_RENDER_MEMORY] = true;
}

bool op_without(const char *name) {
	for (size_t i = 0; i < FEATURES; i++) {
		if (m_same(feature_names[i], name)) {
			op_has[i] = false;
			return true;
		}
	}
	return false;
}

/* Bodies */

/* Numbers that add and scale exactly, so that no order of adding matters; seldom others that do so too. */
static double pick_number(struct dice *dice) {
	static const double odd[] = {-0.25, 1e15, -3, NAN, INFINITY, -INFINITY, 0.0, -0.0};
	if (chance(dice, 4))
		return odd[below(dice, COUNT(odd))];
	return (double)below(dice, 40) / 4;
}

static void add_label(struct m_line *line, const char *name, const char *value) {
	if (m_find_label(line->labels, line->nlabels, name) == NULL)
		line->labels[line->nlabels++] = (struct m_label){name, value};
}

static const char *pick_value(struct dice *dice) {
	static const char *const values[] = {"1", "2", "1", "2", "", "\xc3\xa4", "q\"b\\s\nn"};
	return values[below(dice, COUNT(values))];
}

/* Mostly other ones than those of the ${others} points before: a push may not have a series twice. */
static void pick_labels(struct dice *dice, struct m_line *line, unsigned others) {
	static const char *const distinct[] = {"1", "2", "\xc3\xa4"};
	static const char *const rare[] = {
	    "job", "instance", "publisher", "exported_job", "quantile", "le", "u.v", "foo", "zz"};
	if (chance(dice, 92))
		add_label(line, "l", others < 3 ? distinct[others] : "4");
	else if (chance(dice, 50))
		add_label(line, "l", pick_value(dice));
	if (chance(dice, 20))
		add_label(line, "m", pick_value(dice));
	while (chance(dice, 8))
		add_label(line, rare[below(dice, COUNT(rare))], chance(dice, 70) ? "0.5" : pick_value(dice));
}

static struct m_line *add_line(struct m_body *body, const struct m_line *like) {
	static struct m_line spare;
	if (body->n == M_LINES)
		return &spare;
	body->lines[body->n] = *like;
	return &body->lines[body->n++];
}

/* Also where none is kept. */
static struct m_exemplar pick_exemplar(struct dice *dice, int64_t now_ms) {
	static const char *const traces[] = {"1", "2", "",
	    ("a-trace-of-one-hundred-and-twenty-four-characters-which-is-one-more-than-may-be-kept-together-with-the-"
	     "name-of-its-label-trace")};
	return (struct m_exemplar){
	    .trace = traces[below(dice, chance(dice, 90) ? 2 : COUNT(traces))],
	    .value = pick_number(dice),
	    .has_time = chance(dice, 60),
	    .time_ms = now_ms - below(dice, 5000),
	};
}

/* A sample like ${like} with a suffix, and perhaps the label of a part. Seldom one of the parts says something else. */
static void add_sample(struct dice *dice, struct m_body *body, const struct m_line *like, const char *suffix,
    const char *bound, const char *at, double value) {
	struct m_line line = *like;
	line.name = m_join(like->name, suffix);
	line.value = value;
	if (chance(dice, 4))
		line.exemplar = pick_exemplar(dice, like->time_ms);
	if (bound != NULL && !mistake(dice))
		add_label(&line, bound, at);
	if (mistake(dice))
		line.mode = pick_mode(dice);
	if (mistake(dice))
		line.has_time = false;
	(void)add_line(body, &line);
	if (mistake(dice))
		(void)add_line(body, &line); /* twice */
}

/* Mostly cumulative, with or without +Inf, sum and count. */
static void add_histogram(struct dice *dice, struct m_body *body, const struct m_line *like, bool gauge) {
	static const char *const bounds[] = {"0.5", "1", "2", "2.0", "5"};
	unsigned all = 0;
	for (size_t i = 0; i < COUNT(bounds); i++) {
		if (chance(dice, i == 3 ? 10 : 50) && !(i == 3 && chance(dice, 50)))
			add_sample(dice, body, like, "_bucket", "le", bounds[i], (double)(all += below(dice, 4)));
	}
	if (chance(dice, 1))
		all -= all != 0;
	all += below(dice, 3);
	bool inf = chance(dice, 85);
	if (inf)
		add_sample(dice, body, like, "_bucket", "le", "+Inf", (double)all);
	if (chance(dice, 80))
		add_sample(dice, body, like, gauge ? "_gsum" : "_sum", NULL, NULL, pick_number(dice));
	if (!inf || chance(dice, 80))
		add_sample(dice, body, like, gauge ? "_gcount" : "_count", NULL, NULL,
		    (double)(chance(dice, 99) ? all : all + 1));
	if (chance(dice, 1))
		add_sample(dice, body, like, "", NULL, NULL, 1); /* a histogram has no such sample */
}

static void add_summary(struct dice *dice, struct m_body *body, const struct m_line *like) {
	static const char *const quantiles[] = {"0", "0.5", "0.99", "1"};
	for (size_t i = 0; i < COUNT(quantiles); i++) {
		if (chance(dice, 40))
			add_sample(dice, body, like, "", "quantile", quantiles[i], pick_number(dice));
	}
	if (chance(dice, 85))
		add_sample(dice, body, like, "_sum", NULL, NULL, pick_number(dice));
	if (chance(dice, 85))
		add_sample(dice, body, like, "_count", NULL, NULL, (double)below(dice, 9));
}

static int64_t pick_time(struct dice *dice, int64_t now_ms) {
	if (chance(dice, 2))
		return chance(dice, 50) ? 0 : INT64_C(4102444800000);
	return now_ms + (int64_t)below(dice, 3000) - (chance(dice, 70) ? 2500 : 90000);
}

static void add_point(
    struct dice *dice, struct m_body *body, const char *name, enum gs_expo_type type, unsigned others, int64_t now_ms) {
	struct m_line like = {.kind = M_SAMPLE, .name = name};
	pick_labels(dice, &like, others);
	if (chance(dice, 25))
		like.mode = pick_mode(dice);
	if (mistake(dice))
		like.mode = &unknown;
	like.has_time = chance(dice, 40);
	like.time_ms = pick_time(dice, now_ms);
	switch (m_kind_of(type)) {
	case M_PLAIN:
		add_sample(dice, body, &like, "", NULL, NULL, pick_number(dice));
		break;
	case M_HISTOGRAM:
		add_histogram(dice, body, &like, type == GS_TYPE_GAUGEHISTOGRAM);
		break;
	case M_SUMMARY:
		add_summary(dice, body, &like);
		break;
	}
}

static void add_family(struct dice *dice, struct m_body *body, int64_t now_ms) {
	static const char *const helps[] = {"Help.", "Other help.", "back\\slash \"quote\"\nline", ""};
	unsigned which = below(dice, COUNT(names));
	enum gs_expo_type type = names[which].type;
	struct m_line head = {.name = names[which].name};
	if (chance(dice, 10))
		type = (enum gs_expo_type)below(dice, GS_TYPE_GAUGEHISTOGRAM + 1);
	if (chance(dice, 20)) {
		head.kind = M_HELP;
		head.help = helps[below(dice, COUNT(helps))];
		(void)add_line(body, &head);
	}
	if (chance(dice, m_same(head.name, "t_seconds") ? 50 : 2)) {
		head.kind = M_UNIT;
		head.help = chance(dice, 85) ? "seconds" : "bytes";
		(void)add_line(body, &head);
	}
	if (chance(dice, type == GS_TYPE_UNTYPED ? 30 : 90)) {
		head.kind = M_TYPE;
		head.type = chance(dice, 98) ? type : GS_TYPE_GAUGE;
		(void)add_line(body, &head);
	}
	unsigned points = chance(dice, 95) ? 1 + below(dice, 3) : 0;
	for (unsigned i = 0; i < points; i++)
		add_point(dice, body, head.name, type, i, now_ms);
}

static void make_body(struct dice *dice, struct m_body *body, unsigned families, int64_t now_ms) {
	body->n = 0;
	for (; families > 0; families--)
		add_family(dice, body, now_ms);
	if (!chance(dice, 10) || body->n < 2)
		return;
	/* Nothing says that lines stand in order. */
	for (unsigned i = body->n - 1; i > 0; i--) {
		unsigned k = below(dice, i + 1);
		struct m_line line = body->lines[i];
		body->lines[i] = body->lines[k];
		body->lines[k] = line;
	}
}

/* Operations */

static unsigned pick_path(struct dice *dice, struct m_label *labels) {
	static const char *const path[] = {"job", "instance", "l", "quantile"};
	unsigned n = 0;
	for (size_t i = 0; i < COUNT(path); i++) {
		if (chance(dice, i == 0 ? 50 : i == 3 ? 2 : 15))
			labels[n++] = (struct m_label){path[i], chance(dice, 95) ? (chance(dice, 60) ? "1" : "2") : ""};
	}
	return n;
}

static void make_push(struct dice *dice, struct op *op) {
	op->options.nlabels = pick_path(dice, op->options.labels);
	op->options.rule = M_OVERRIDE;
	if (chance(dice, 10))
		op->options.mode = *pick_mode(dice);
	static const int64_t ttls[] = {1000, 20000, 600000};
	if (op_has[FEATURE_TTL] && chance(dice, 15))
		op->options.ttl_ms = ttls[below(dice, COUNT(ttls))];
	make_body(dice, &op->body, 1 + below(dice, 3), op->now_ms);
}

static void make_gateway(struct dice *dice, struct op *op) {
	op->gateway = chance(dice, 90) ? (enum m_gateway_op)below(dice, 2) : M_REMOVE + below(dice, 2);
	op->labels[op->nlabels++] = (struct m_label){"job", chance(dice, 50) ? "1" : "2"};
	if (chance(dice, 40))
		op->labels[op->nlabels++] = (struct m_label){"instance", chance(dice, 50) ? "1" : "2"};
	if (chance(dice, 20))
		op->labels[op->nlabels++] = (struct m_label){"l", "1"};
	if (op->gateway == M_REMOVE || op->gateway == M_FAILED)
		return;
	op->options.gateway = true;
	op->options.rule = M_OVERRIDE;
	op->options.nlabels = op->nlabels;
	memcpy(op->options.labels, op->labels, sizeof(op->labels));
	make_body(dice, &op->body, 1 + below(dice, 3), op->now_ms);
	for (unsigned i = 0; i < op->body.n && chance(dice, 99); i++)
		op->body.lines[i].has_time = false;
}

static void make_group(struct dice *dice, struct op *op) {
	static const char *const words[] = {"1", "2", "3"};
	struct m_group *group = &op->group;
	*group = (struct m_group){0};
	group->publisher = chance(dice, 80) ? "p" : "";
	group->job = words[below(dice, 2)];
	group->instance = words[below(dice, 3)];
	group->interval_ms = chance(dice, 90) ? 1000 : 60000;
	group->time_ms = op->now_ms - below(dice, 1500);
	if (chance(dice, 5))
		group->time_ms += (int64_t)below(dice, 400000) - 200000;
}

static void make_scrape(struct dice *dice, struct op *op) {
	const struct m_group *group = &op->group;
	make_group(dice, op);
	struct m_label *labels = op->options.labels;
	labels[0] = (struct m_label){"job", group->job};
	labels[1] = (struct m_label){"instance", group->instance};
	labels[2] = (struct m_label){"publisher", group->publisher};
	/* With fewer labels groups take series from each other, and from the pushers. */
	op->options.nlabels = chance(dice, 50) ? 3 : below(dice, 3);
	op->options.rule = chance(dice, 75) ? M_EXPORT : M_HONOR;
	op->options.lenient = true;
	make_body(dice, &op->body, 1 + below(dice, 4), op->now_ms);
	/* Who reads before the time of the scrape and what it says of its own past: nothing says what is then seen of a pebble. */
	for (unsigned i = 0; i < op->body.n && group->time_ms > op->now_ms; i++)
		op->body.lines[i].has_time = false;
}

static void make_own(struct dice *dice, struct op *op) {
	op->options.rule = M_HONOR;
	op->options.lenient = true;
	make_body(dice, &op->body, 1 + below(dice, 2), op->now_ms);
}

struct m_limits op_limits(uint64_t seed) {
	struct dice dice = dice_of(seed, 0, 1);
	return (struct m_limits){
	    .max_series = chance(&dice, 20) ? 20 + below(&dice, 30) : 500,
	    .max_series_per_family = chance(&dice, 20) ? 3 + below(&dice, 8) : 500,
	    .max_series_per_group = chance(&dice, 20) ? 5 + below(&dice, 20) : 500,
	    .max_groups = chance(&dice, 30) ? 4 : 50,
	    .expiration_ms = chance(&dice, 50) ? 0 : 120000,
	    .max_age_ms = chance(&dice, 10) ? 0 : 80000,
	};
}

int64_t op_clock(uint64_t seed, uint64_t number) {
	struct dice dice = dice_of(seed, number, 2);
	if (chance(&dice, 90))
		return below(&dice, 500);
	if (chance(&dice, 95))
		return below(&dice, 60000);
	return chance(&dice, 80) ? 300000 : INT64_C(2) * 3600 * 1000;
}

void op_make(uint64_t seed, uint64_t number, int64_t now_ms, struct op *ret) {
	struct dice dice = dice_of(seed, number, 3);
	unsigned kind = below(&dice, 100);
	ret->now_ms = now_ms;
	ret->options = (struct m_options){0};
	ret->body.n = 0;
	ret->nlabels = 0;
	static const unsigned upto[OP_KINDS] = {45, 74, 77, 81, 89, 97, 100};
	for (ret->kind = OP_PUSH; kind >= upto[ret->kind];)
		ret->kind++;
	if (ret->kind == OP_GATEWAY && !op_has[FEATURE_GATEWAY])
		ret->kind = OP_EXPIRE;
	bool fails = op_has[FEATURE_MEMORY] && chance(&dice, 8);
	ret->fail_after = fails ? (int64_t)below(&dice, chance(&dice, 50) ? 4 : 40) : -1;
	ret->render_fails = op_has[FEATURE_RENDER_MEMORY] && chance(&dice, 3);
	switch (ret->kind) {
	case OP_PUSH:
		make_push(&dice, ret);
		break;
	case OP_SCRAPE:
		make_scrape(&dice, ret);
		break;
	case OP_OWN:
		make_own(&dice, ret);
		break;
	case OP_DELETE:
		ret->nlabels = pick_path(&dice, ret->labels);
		if (ret->nlabels == 0 && chance(&dice, 80))
			ret->labels[ret->nlabels++] = (struct m_label){"m", chance(&dice, 50) ? "1" : "2"};
		break;
	case OP_GATEWAY:
		make_gateway(&dice, ret);
		break;
	case OP_GONE:
		make_group(&dice, ret);
		break;
	case OP_EXPIRE:
	case OP_KINDS:
		break;
	}
}

/* Printing */

static void print_labels(struct gs_buf *out, const struct m_label *labels, unsigned n) {
	for (unsigned i = 0; i < n; i++)
		gs_buf_printf(out, " %s=\"%s\"", labels[i].name, labels[i].value);
}

void op_print(const struct op *op, struct gs_buf *out) {
	static const char *const kinds[OP_KINDS] = {"push", "scrape", "own", "delete", "expire", "gateway", "gone"};
	static const char *const gateway_ops[] = {"PUT", "POST", "DELETE", "failed"};
	static const char *const rules[] = {"override", "honor", "export"};
	gs_buf_printf(out, "%s at %lld", kinds[op->kind], (long long)op->now_ms);
	if (op->kind == OP_SCRAPE || op->kind == OP_GONE)
		gs_buf_printf(out, ", group %s/%s/%s of %lld every %lld ms", op->group.publisher, op->group.job,
		    op->group.instance, (long long)op->group.time_ms, (long long)op->group.interval_ms);
	if (op->kind == OP_GATEWAY)
		gs_buf_printf(out, ", %s", gateway_ops[op->gateway]);
	if (op->kind == OP_DELETE || op->kind == OP_GATEWAY)
		print_labels(out, op->labels, op->nlabels);
	if (op->fail_after >= 0)
		gs_buf_printf(out, ", allocation %lld fails", (long long)op->fail_after);
	if (op->options.ttl_ms != 0)
		gs_buf_printf(out, ", ttl %lld ms", (long long)op->options.ttl_ms);
	if (op->kind == OP_PUSH || op->kind == OP_SCRAPE || op->kind == OP_OWN) {
		gs_buf_printf(out, ", %s", rules[op->options.rule]);
		print_labels(out, op->options.labels, op->options.nlabels);
		if (op->options.mode.kind != M_DEFAULT)
			gs_buf_printf(out, ", clearmode %s", op->options.mode.text);
	}
	gs_buf_char(out, '\n');
	m_body_text(&op->body, out);
}
