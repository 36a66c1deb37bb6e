/* SPDX-License-Identifier: Apache-2.0 */
/* The way of one sample: labels of the target, metric_relabel_configs, limits, aggregation, and the line that is sent. In the order, and with the counts, of
 * Prometheus 2.42 (scrapeLoop.append). */
#include "gravel/transform/transform.h"

#include "gravel/base/limits.h"
#include "gravel/base/mem.h"
#include "internal.h"

enum way {
	WAY_COPY, /* nothing is written */
	WAY_INSERT, /* the bytes of the target, with clearmodes put into them */
	WAY_WRITE, /* family by family */
};

struct gs_transform {
	struct gs_relabel *relabel; /* NULL: none */
	struct gs_clearmodes *clearmodes; /* NULL: none */
	struct gs_rollup *rollup; /* NULL: none; the caller's */
	struct gs_label_limits limits;
	uint64_t sample_limit;
	bool limited; /* one of limits */
	bool honor_labels;
	bool honor_timestamps;
	bool shares; /* relabel and clearmodes are another one's */
	bool makes_names; /* a rule can make a label name that is none */
	/* Of the scrape. */
	enum way way;
	struct gs_expo_options format;
	struct gs_settle settle;
	struct gs_families families;
	struct gs_buf *out;
	size_t base; /* of out */
	struct gs_str window; /* WAY_INSERT */
	struct gs_str rest; /* of it: not written yet */
	uint64_t samples;
	uint64_t kept;
	bool last_kept;
	enum gs_status status; /* of the begin */
};

static enum gs_status no_memory(enum gs_status status, struct gs_error *err) {
	return status == GS_ENOMEM ? gs_error_set(err, status, 0, 0, "out of memory") : status;
}

/* Whether a rule that Prometheus takes can give a label a name that is none: replace and hashmod look at it themselves. */
static bool may_make_names(const struct gs_relabel_rule *rule) {
	if (rule->action == GS_RELABEL_LABELMAP)
		return true;
	return (rule->action == GS_RELABEL_LOWERCASE || rule->action == GS_RELABEL_UPPERCASE) &&
	       !gs_expo_is_label_name(gs_str_of(rule->target_label));
}

enum gs_status gs_transform_new(
    const struct gs_transform_options *options, struct gs_transform **ret_transform, struct gs_error *err) {
	struct gs_transform *t = gs_alloc(sizeof(*t));
	if (t == NULL)
		return no_memory(GS_ENOMEM, err);
	t->rollup = options->rollup;
	t->limits = (struct gs_label_limits){.labels = options->label_limit,
	    .name_length = options->label_name_length_limit,
	    .value_length = options->label_value_length_limit};
	t->limited = t->limits.labels != 0 || t->limits.name_length != 0 || t->limits.value_length != 0;
	t->sample_limit = options->sample_limit;
	t->honor_labels = t->settle.honor = options->honor_labels;
	t->honor_timestamps = options->honor_timestamps;
	t->settle.labels = gs_labels_new();
	enum gs_status status = gs_families_init(&t->families);
	if (status == GS_OK && t->settle.labels == NULL)
		status = GS_ENOMEM;
	if (status == GS_OK && options->nrelabel != 0)
		status = gs_relabel_new(options->relabel, options->nrelabel, &t->relabel, err);
	if (status == GS_OK && options->nclearmodes != 0)
		status = gs_clearmodes_new(options->clearmodes, options->nclearmodes, &t->clearmodes, err);
	for (size_t i = 0; i < options->nrelabel; i++)
		t->makes_names = t->makes_names || may_make_names(&options->relabel[i]);
	if (status != GS_OK) {
		gs_transform_free(t);
		return no_memory(status, err);
	}
	*ret_transform = t;
	return GS_OK;
}

void gs_transform_free(struct gs_transform *t) {
	if (t == NULL)
		return;
	if (!t->shares) {
		gs_relabel_free(t->relabel);
		gs_clearmodes_free(t->clearmodes);
	}
	gs_labels_free(t->settle.labels);
	gs_free(t->settle.target);
	gs_families_free(&t->families);
	gs_free(t);
}

enum gs_status gs_transform_share(const struct gs_transform *transform, struct gs_transform **ret_transform) {
	struct gs_transform_options options = {
	    .honor_labels = transform->honor_labels,
	    .honor_timestamps = transform->honor_timestamps,
	    .sample_limit = transform->sample_limit,
	    .label_limit = transform->limits.labels,
	    .label_name_length_limit = transform->limits.name_length,
	    .label_value_length_limit = transform->limits.value_length,
	};
	struct gs_transform *t = NULL;
	if (transform->rollup != NULL)
		return GS_EUNSUPPORTED;
	enum gs_status status = gs_transform_new(&options, &t, NULL);
	if (status != GS_OK)
		return status;
	t->shares = true;
	t->relabel = transform->relabel;
	t->clearmodes = transform->clearmodes;
	t->makes_names = transform->makes_names;
	*ret_transform = t;
	return GS_OK;
}

void gs_transform_remove(struct gs_transform *transform, uint64_t target) {
	if (transform->rollup != NULL)
		gs_rollup_remove(transform->rollup, target);
}

bool gs_transform_copies(const struct gs_transform *t) {
	return t->relabel == NULL && t->clearmodes == NULL && t->rollup == NULL && t->honor_timestamps;
}

void gs_transform_begin(struct gs_transform *t, const struct gs_label *labels, size_t nlabels, uint64_t target,
    const struct gs_expo_options *format, struct gs_buf *out) {
	t->way = gs_transform_copies(t) ? WAY_COPY : WAY_WRITE;
	t->format = *format;
	t->out = out;
	t->window = t->rest = (struct gs_str){0};
	t->samples = t->kept = 0;
	t->last_kept = false;
	t->status = GS_OK;
	if (t->rollup != NULL)
		gs_rollup_begin(t->rollup, target);
	if (t->way != WAY_COPY || t->limited)
		t->status = gs_settle_begin(&t->settle, labels, nlabels);
	if (t->way == WAY_COPY)
		return;
	t->base = out->n;
	if (t->status == GS_OK)
		t->status = gs_families_begin(&t->families, out);
}

void gs_transform_window(struct gs_transform *t, size_t used, struct gs_str window) {
	bool alone = t->relabel == NULL && t->rollup == NULL && t->honor_timestamps;
	if (t->way == WAY_COPY || !alone || t->format.format == GS_FORMAT_PROTOBUF)
		return;
	if (t->way == WAY_INSERT && t->rest.n != 0)
		gs_buf_add(t->out, t->rest.p, (size_t)(t->window.p + used - t->rest.p));
	t->way = WAY_INSERT;
	t->window = t->rest = window;
}

/* What went over the limit is counted all the same, so that the numbers of the scrape are right. */
static bool is_over(const struct gs_transform *t) {
	return t->sample_limit != 0 && t->kept > t->sample_limit;
}

static enum gs_status settle(struct gs_transform *t, const struct gs_expo_event *event, struct gs_error *err) {
	enum gs_status status = gs_settle(&t->settle, event);
	if (status == GS_ELIMIT)
		return gs_error_set(
		    err, status, 0, 0, "a series has too many labels together with those of its target");
	return status;
}

/* Limits of what is sent as it came: most series are so far below that their labels need not be put together. */
static enum gs_status check_limits(struct gs_transform *t, const struct gs_expo_event *event, struct gs_error *err) {
	size_t n;
	if (!t->limited || gs_limits_surely_kept(&t->limits, &t->settle, event))
		return GS_OK;
	enum gs_status status = settle(t, event, err);
	if (status != GS_OK)
		return status;
	const struct gs_label *labels = gs_labels_sorted(t->settle.labels, &n);
	return gs_limits_check(&t->limits, labels, n, err);
}

static bool has_label(const struct gs_label *labels, size_t n, struct gs_str name) {
	for (size_t i = 0; i < n; i++) {
		if (gs_str_eq(labels[i].name, name))
			return true;
	}
	return false;
}

/* The label of the rules; empty if the sample has one, or no rule fits. */
static enum gs_status find_clearmode(struct gs_transform *t, struct gs_str name, const struct gs_label *labels,
    size_t n, struct gs_str *ret, struct gs_error *err) {
	*ret = (struct gs_str){0};
	if (t->clearmodes == NULL || has_label(labels, n, GS_STR("clearmode")))
		return GS_OK;
	enum gs_status status = gs_clearmodes_find(t->clearmodes, name, ret);
	if (status == GS_ELIMIT)
		return gs_error_set(err, status, 0, 0, "the clearmode rules of the job cannot be applied");
	return status;
}

static enum gs_status insert(struct gs_transform *t, const struct gs_expo_event *event, struct gs_error *err) {
	struct gs_str label;
	enum gs_status status = check_limits(t, event, err);
	if (status != GS_OK)
		return status;
	t->kept++;
	t->last_kept = true;
	status = find_clearmode(t, event->name, event->labels, event->nlabels, &label, err);
	if (status != GS_OK || label.n == 0 || is_over(t))
		return status;
	gs_clearmodes_insert(t->out, &t->rest, event->series, label);
	return t->out->status;
}

/* The labels of the target, and the rules; sets what is left, sorted, or that nothing is. */
static enum gs_status relabel(struct gs_transform *t, const struct gs_expo_event *event,
    const struct gs_label **ret_labels, size_t *ret_n, struct gs_error *err) {
	bool keep = true;
	enum gs_status status = settle(t, event, err);
	if (status == GS_OK && t->relabel != NULL) {
		status = gs_relabel_apply(t->relabel, t->settle.labels, &keep);
		if (status == GS_ELIMIT)
			gs_error_set(err, status, 0, 0,
			    "metric_relabel_configs cannot be applied: an expression takes too many steps, or a "
			    "label or their number is too large");
	}
	if (status != GS_OK)
		return status;
	*ret_n = 0;
	*ret_labels = keep ? gs_labels_sorted(t->settle.labels, ret_n) : NULL;
	return GS_OK;
}

/* Whether names are what they were, or what Prometheus 2.42 takes for names. */
static enum gs_status check_names(const struct gs_transform *t, const struct gs_expo_event *event, struct gs_str name,
    const struct gs_label *labels, size_t n, struct gs_error *err) {
	if (name.n == 0)
		return gs_error_set(err, GS_EINVAL, 0, 0, "missing metric name (__name__ label)");
	if (!gs_str_eq(name, event->name) && !gs_expo_is_metric_name(name))
		return gs_settle_fail_names(labels, n, err);
	for (size_t i = 0; t->makes_names && i < n; i++) {
		if (!gs_expo_is_label_name(labels[i].name) &&
		    !has_label(event->labels, event->nlabels, labels[i].name) &&
		    !has_label(t->settle.target, t->settle.ntarget, labels[i].name))
			return gs_settle_fail_names(labels, n, err);
	}
	return GS_OK;
}

static enum gs_status aggregate(
    struct gs_transform *t, const struct gs_expo_event *event, bool *ret_drop, struct gs_error *err) {
	*ret_drop = false;
	if (t->rollup == NULL)
		return GS_OK;
	enum gs_status status = gs_rollup_sample(t->rollup, event, t->settle.labels, ret_drop);
	if (status == GS_ELIMIT)
		return gs_error_set(err, status, 0, 0,
		    "the aggregation of the job has too many series, or an expression in it takes too many steps");
	return status;
}

/* Split off the name; what is left keeps its order. The labels are the set's own array, of which a part before and one behind the name are left: so they are copied. */
static size_t split_name(const struct gs_label *labels, size_t n, struct gs_label *ret, struct gs_str *ret_name) {
	size_t left = 0;
	*ret_name = (struct gs_str){0};
	for (size_t i = 0; i < n; i++) {
		if (gs_str_eq(labels[i].name, GS_STR("__name__")))
			*ret_name = labels[i].value;
		else
			ret[left++] = labels[i];
	}
	return left;
}

static enum gs_status write_sample(struct gs_transform *t, struct gs_sample_out *sample, struct gs_error *err) {
	enum gs_status status =
	    find_clearmode(t, sample->name, sample->labels, sample->nlabels, &sample->clearmode, err);
	return status == GS_OK ? gs_sample_write(&t->families, sample, err) : status;
}

/* Where nothing of the series changes, its labels are sent as they came, and the receiver puts the target's to them. */
static enum gs_status write_as_it_is(struct gs_transform *t, const struct gs_expo_event *event, struct gs_error *err) {
	struct gs_sample_out sample = {.event = event,
	    .name = event->name,
	    .labels = event->labels,
	    .nlabels = event->nlabels,
	    .timestamp = t->honor_timestamps};
	bool drop = false;
	enum gs_status status = check_limits(t, event, err);
	if (status == GS_OK && t->rollup != NULL)
		status = settle(t, event, err);
	if (status != GS_OK)
		return status;
	t->kept++;
	t->last_kept = true;
	if (is_over(t))
		return GS_OK;
	status = aggregate(t, event, &drop, err);
	return status == GS_OK && !drop ? write_sample(t, &sample, err) : status;
}

static enum gs_status write_relabelled(
    struct gs_transform *t, const struct gs_expo_event *event, struct gs_error *err) {
	struct gs_label own[GS_LIMIT_LABELS + 1];
	struct gs_sample_out sample = {.event = event,
	    .labels = own,
	    .target = t->settle.target,
	    .ntarget = t->settle.ntarget,
	    .moved = true,
	    .timestamp = t->honor_timestamps};
	const struct gs_label *labels = NULL;
	size_t n = 0;
	bool drop = false;
	enum gs_status status = relabel(t, event, &labels, &n, err);
	if (status != GS_OK || n == 0)
		return status;
	sample.nlabels = split_name(labels, n, own, &sample.name);
	status = check_names(t, event, sample.name, labels, n, err);
	if (status == GS_OK)
		status = gs_limits_check(&t->limits, labels, n, err);
	if (status != GS_OK)
		return status;
	t->kept++;
	t->last_kept = true;
	if (is_over(t))
		return GS_OK;
	status = aggregate(t, event, &drop, err);
	return status == GS_OK && !drop ? write_sample(t, &sample, err) : status;
}

static enum gs_status take_sample(struct gs_transform *t, const struct gs_expo_event *event, struct gs_error *err) {
	struct gs_families *families = &t->families;
	t->samples++;
	if (t->way == WAY_INSERT)
		return insert(t, event, err);
	if (t->way == WAY_WRITE) {
		families->meta_used =
		    families->meta_used || gs_str_eq(event->family, gs_buf_slice(&families->meta_name));
		return t->relabel != NULL ? write_relabelled(t, event, err) : write_as_it_is(t, event, err);
	}
	enum gs_status status = check_limits(t, event, err);
	t->kept += status == GS_OK;
	t->last_kept = status == GS_OK;
	return status;
}

enum gs_status gs_transform_event(struct gs_transform *t, const struct gs_expo_event *event, struct gs_error *err) {
	enum gs_status status = t->status;
	t->last_kept = false;
	if (status != GS_OK)
		return no_memory(status, err);
	if (event->kind == GS_EXPO_SAMPLE && event->part != GS_PART_NATIVE)
		status = take_sample(t, event, err);
	else if (event->kind != GS_EXPO_SAMPLE && event->kind != GS_EXPO_END && t->way == WAY_WRITE)
		status = gs_families_meta(&t->families, event);
	return no_memory(status, err);
}

bool gs_transform_kept(const struct gs_transform *t) {
	return t->last_kept;
}

static enum gs_status finish(struct gs_transform *t, struct gs_error *err) {
	if (t->status != GS_OK)
		return t->status;
	if (is_over(t)) {
		gs_error_set(err, GS_ELIMIT, 0, 0, "sample limit exceeded");
		return gs_error_limit(err, "sample_limit");
	}
	if (t->way == WAY_WRITE)
		return gs_families_end(&t->families);
	if (t->way == WAY_INSERT)
		gs_buf_str(t->out, t->rest);
	return t->way == WAY_COPY ? GS_OK : t->out->status;
}

enum gs_status gs_transform_end(
    struct gs_transform *t, bool ok, struct gs_transform_result *ret, struct gs_error *err) {
	enum gs_status status = ok ? finish(t, err) : GS_OK;
	bool whole = ok && status == GS_OK;
	*ret = (struct gs_transform_result){
	    .samples = t->samples,
	    .kept = t->kept,
	    .honor_labels = t->relabel != NULL || t->honor_labels,
	    .format = t->way == WAY_WRITE ? GS_FORMAT_TEXT : t->format.format,
	    .utf8_names = t->way != WAY_WRITE && t->format.utf8_names,
	};
	if (t->rollup != NULL)
		gs_rollup_end(t->rollup, whole);
	if (!whole && t->way != WAY_COPY) {
		if (t->out->status != GS_OK)
			gs_buf_clear(t->out);
		t->out->n = t->base;
	}
	return no_memory(status, err);
}
