/* SPDX-License-Identifier: Apache-2.0 */
/* What a limit refused: counted by the limit's key, which is told to whoever sent it. */
#include <stdio.h>
#include <string.h>

#include "gravel/telemetry/telemetry.h"
#include "ingest_internal.h"

#define OTHER "other" /* fixed limits, of which few will ever hear */

static void count(const char *limit) {
	gs_metric_add_l(GS_M_LIMITED, 1, limit != NULL ? limit : OTHER, NULL);
}

void gs_ingest_limited(struct gs_error *err) {
	char key[64];
	count(err->limit);
	if (err->limit == NULL)
		return;
	int n = snprintf(key, sizeof(key), " (receiver.limits.%s)", err->limit);
	size_t length = strlen(err->text);
	if (length + (size_t)n < sizeof(err->text))
		memcpy(err->text + length, key, (size_t)n + 1);
}

enum gs_status gs_ingest_limited_scrape(struct gs_ingest *ingest, struct entry *entry, const char *limit) {
	struct kit *kit = gs_kit_get(ingest);
	count(limit);
	if (kit == NULL)
		return GS_ENOMEM;
	entry->gauges.up = 0;
	enum gs_status status = gs_message_begin(ingest, entry, false);
	if (status == GS_OK)
		status = gs_batch_read(entry->batch, kit->parser, NULL, GS_STR(""), NULL);
	gs_kit_put(ingest, kit);
	return status;
}
