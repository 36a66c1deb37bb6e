/* SPDX-License-Identifier: Apache-2.0 */
/* Groups of the Pushgateway's dialect: gs_store_gateway. */
#include "model.h"

#define MOMENT_MS 1000

static struct m_gateway *find_gateway(struct model *model, const struct m_label *key, unsigned nkey) {
	for (size_t i = 0; i < model->ngateways; i++) {
		if (m_same_labels(model->gateways[i].key, model->gateways[i].nkey, key, nkey))
			return &model->gateways[i];
	}
	return NULL;
}

/* push_time_seconds and push_failure_time_seconds are gauges like others, with the labels of the key. */
static enum gs_status apply_times(struct model *model, const struct m_gateway *group) {
	static const char *const names[] = {"push_time_seconds", "push_failure_time_seconds"};
	static const char *const helps[] = {
	    "Last Unix time when changing this group in the Pushgateway succeeded.",
	    "Last Unix time when changing this group in the Pushgateway failed.",
	};
	const int64_t times[] = {group->push_ms, group->failure_ms};
	static struct m_batch batch;
	struct m_result result = {0};
	batch.options = (struct m_options){.gateway = true};
	batch.nfamilies = batch.npoints = 0;
	for (size_t i = 0; i < 2; i++) {
		batch.families[i] = (struct m_family){
		    .name = names[i], .help = helps[i], .unit = "", .type = GS_TYPE_GAUGE, .typed = true};
		struct m_point *point = &batch.points[batch.npoints++];
		*point = (struct m_point){.family = &batch.families[i], .nlabels = group->nkey, .samples = 1};
		point->value.simple = (double)times[i] / 1000;
		memcpy(point->labels, group->key, sizeof(point->labels));
		if (m_find_label(point->labels, point->nlabels, "instance") == NULL)
			point->labels[point->nlabels++] = (struct m_label){"instance", ""};
		batch.nfamilies++;
	}
	return m_apply_batch(model, &batch, group->owner + 1, -1, 0, &result);
}

struct m_posted {
	int owner;
	const struct m_batch *batch;
};

static bool is_posted_over(const struct m_series *series, const void *ctx) {
	const struct m_posted *posted = ctx;
	return series->owner == posted->owner && !series->renewed && m_is_in_batch(posted->batch, series->name);
}

static enum gs_status change_gateway(struct model *model, enum m_gateway_op op, const struct m_gateway *group,
    const struct m_batch *batch, int64_t now_ms, struct m_result *ret) {
	struct m_posted posted = {.owner = group->owner, .batch = batch};
	enum gs_status status = m_apply_batch(model, batch, group->owner, op == M_PUT ? group->owner : -1, now_ms, ret);
	if (status == GS_OK && op == M_PUT)
		ret->series_gone += m_remove_series(model, m_is_left_behind, &group->owner);
	else if (status == GS_OK)
		ret->series_gone += m_remove_series(model, is_posted_over, &posted);
	return status;
}

static void remove_gateway(struct model *model, struct m_gateway *group, struct m_result *ret) {
	int times = group->owner + 1;
	ret->series_gone = m_remove_series(model, m_is_owned, &group->owner);
	(void)m_remove_series(model, m_is_owned, &times);
	*group = model->gateways[--model->ngateways];
}

/* Of two within a moment the last one is the later one. */
static int64_t later(int64_t now_ms, int64_t other_ms) {
	return now_ms <= other_ms && other_ms < now_ms + MOMENT_MS ? other_ms + 1 : now_ms;
}

enum gs_status m_gateway(struct model *model, enum m_gateway_op op, const struct m_label *key, unsigned nkey,
    const struct m_batch *batch, int64_t now_ms, struct m_result *ret) {
	struct m_gateway *group = find_gateway(model, key, nkey);
	*ret = (struct m_result){0};
	if (op == M_REMOVE) {
		if (group != NULL)
			remove_gateway(model, group, ret);
		return GS_OK;
	}
	if (group == NULL && model->ngateways >= model->limits.max_groups)
		return GS_ELIMIT;
	struct m_gateway changed = {.owner = model->next_gateway, .nkey = nkey};
	memcpy(changed.key, key, nkey * sizeof(*key));
	if (group != NULL)
		changed = *group;
	enum gs_status status = apply_times(model, &changed);
	if (status != GS_OK)
		return status;
	if (group == NULL) {
		m_demand(model->ngateways < M_GROUPS, "too many groups");
		group = &model->gateways[model->ngateways++];
		model->next_gateway += 2;
	}
	if (op != M_FAILED)
		status = change_gateway(model, op, &changed, batch, now_ms, ret);
	if (op != M_FAILED && status == GS_OK)
		changed.push_ms = later(now_ms, changed.failure_ms);
	else
		changed.failure_ms = later(now_ms, changed.push_ms);
	*group = changed;
	m_demand(apply_times(model, group) == GS_OK, "the times of a group");
	return status;
}
