/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of each poller: when it was last seen, how late it is, how wrong its clock. */
#include "gravel/base/mem.h"
#include "gravel/telemetry/telemetry.h"
#include "ingest_internal.h"

static struct publisher *publisher_get(struct gs_ingest *ingest, struct gs_str name) {
	struct publisher *publisher = gs_map_get(ingest->publishers, name);
	if (publisher != NULL)
		return publisher;
	publisher = gs_alloc(sizeof(*publisher) + name.n + 1);
	if (publisher == NULL)
		return NULL;
	char *p = (char *)(publisher + 1);
	memcpy(p, name.p, name.n);
	publisher->name = gs_str_make(p, name.n);
	if (gs_map_put(ingest->publishers, publisher->name, publisher) != GS_OK) {
		gs_free(publisher);
		return NULL;
	}
	return publisher;
}

void gs_publisher_saw(struct gs_ingest *ingest, const struct entry *entry, int64_t now_ms) {
	struct publisher *publisher = publisher_get(ingest, entry->info.key.publisher);
	if (publisher == NULL)
		return; /* no memory: its gauges stay as they are */
	const char *name = publisher->name.p;
	publisher->seen_ms = now_ms;
	publisher->lag_ms = now_ms - entry->sent_ms;
	publisher->skew_ms = entry->sent_ms - entry->stored_ms;
	gs_metric_set_l(GS_M_PUBLISHER_LAST_SEEN, (double)now_ms / 1e3, name, NULL);
	gs_metric_set_l(GS_M_PUBLISHER_LAG, (double)publisher->lag_ms / 1e3, name, NULL);
	gs_metric_set_l(GS_M_PUBLISHER_SKEW, (double)publisher->skew_ms / 1e3, name, NULL);
}

static void drop_publisher(struct gs_ingest *ingest, struct publisher *publisher) {
	gs_metric_drop_l(GS_M_PUBLISHER_LAST_SEEN, publisher->name.p, NULL);
	gs_metric_drop_l(GS_M_PUBLISHER_LAG, publisher->name.p, NULL);
	gs_metric_drop_l(GS_M_PUBLISHER_SKEW, publisher->name.p, NULL);
	gs_ingest_store_take(ingest);
	gs_map_remove(ingest->publishers, publisher->name);
	gs_ingest_store_release(ingest);
	gs_free(publisher);
}

void gs_publishers_forget(struct gs_ingest *ingest) {
	struct gs_group_view group;
	struct publisher *publisher;
	size_t cursor = 0;
	gs_ingest_store_take(ingest);
	while (gs_store_group_next(ingest->store, &cursor, &group)) {
		publisher = gs_map_get(ingest->publishers, group.key.publisher);
		if (publisher != NULL)
			publisher->seen = true;
	}
	gs_ingest_store_release(ingest);
	cursor = 0;
	while ((publisher = gs_map_next(ingest->publishers, &cursor, NULL)) != NULL) {
		if (!publisher->seen)
			drop_publisher(ingest, publisher);
		else
			publisher->seen = false;
	}
}

void gs_publishers_free(struct gs_ingest *ingest) {
	struct publisher *publisher;
	size_t cursor = 0;
	while (ingest->publishers != NULL && (publisher = gs_map_next(ingest->publishers, &cursor, NULL)) != NULL)
		gs_free(publisher);
	gs_map_free(ingest->publishers);
}
