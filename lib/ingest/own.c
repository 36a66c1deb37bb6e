/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The receiver's own metrics are a source like any other: they go through the store, so that nothing they are named can split a family
 * or double a series that a poller's own metrics brought.
 */
#include "gravel/base/clock.h"
#include "gravel/expo/write.h"
#include "gravel/telemetry/telemetry.h"
#include "ingest_internal.h"

static void write_group_gauge(struct gs_buf *out, const char *name, const struct gs_group_view *group, double value) {
	struct gs_expo_writer writer;
	struct gs_label labels[] = {
	    {GS_STR_INIT("instance"), group->key.instance},
	    {GS_STR_INIT("job"), group->key.job},
	    {GS_STR_INIT("publisher"), group->key.publisher},
	};
	struct gs_expo_family family = {
	    .name = gs_str_of(name), .no_type = true}; /* its head stands at another place */
	struct gs_expo_sample sample = {
	    .labels = labels, .nlabels = sizeof(labels) / sizeof(labels[0]), .value = value};
	gs_expo_writer_init(&writer, out, (struct gs_expo_dialect){.format = GS_FORMAT_TEXT});
	gs_expo_write_family(&writer, &family);
	gs_expo_write_sample(&writer, &sample);
}

static void set_store_metrics(struct gs_ingest *ingest) {
	struct gs_store_stats stats = gs_ingest_stats(ingest); /* with the lock: reading a pebble allocates */
	gs_metric_set(GS_M_FAMILIES, (double)stats.families);
	gs_metric_set(GS_M_SERIES, (double)stats.series);
	gs_metric_set(GS_M_STORE_BYTES, (double)stats.bytes);
	gs_metric_set_l(GS_M_GROUPS, (double)stats.groups_fresh, "fresh", NULL);
	gs_metric_set_l(GS_M_GROUPS, (double)stats.groups_stale, "stale", NULL);
}

void gs_ingest_refresh_own(struct gs_ingest *ingest) {
	int64_t now_ms = gs_clock_wall_ms();
	struct gs_group_view group;
	size_t cursor = 0;
	struct gs_batch_options options = {.lenient = true, .max_samples = SIZE_MAX};
	gs_buf_clear(&ingest->own_text);
	set_store_metrics(ingest);
	gs_telemetry_render(GS_METRIC_RECEIVER, &ingest->own_text);
	gs_metric_head(GS_M_SCRAPE_TIMESTAMP, &ingest->own_text);
	gs_metric_head(GS_M_SCRAPE_AGE, &ingest->own_text);
	gs_ingest_store_take(ingest);
	while (gs_store_group_next(ingest->store, &cursor, &group)) {
		write_group_gauge(
		    &ingest->own_text, "gravel_scrape_timestamp_seconds", &group, (double)group.time_ms / 1e3);
		write_group_gauge(
		    &ingest->own_text, "gravel_scrape_age_seconds", &group, (double)(now_ms - group.time_ms) / 1e3);
	}
	gs_ingest_store_release(ingest);
	gs_batch_begin(ingest->own_batch, &options);
	if (ingest->own_text.status != GS_OK ||
	    gs_batch_read(ingest->own_batch, ingest->own_parser, NULL, gs_buf_slice(&ingest->own_text), NULL) != GS_OK)
		return; /* without memory the last ones stay */
	gs_ingest_store_take(ingest);
	enum gs_status status = gs_store_own(ingest->store, ingest->own_batch, now_ms);
	gs_ingest_store_release(ingest);
	if (status != GS_OK)
		gs_metric_add_l(GS_M_DROPPED, 1, "own_metrics", NULL);
}
