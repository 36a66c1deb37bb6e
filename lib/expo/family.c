/* SPDX-License-Identifier: Apache-2.0 */
/* What a sample is to its family. */
#include "parser.h"

enum gs_status gs_expo_classify(struct gs_expo_parser *parser, struct gs_expo_event *event) {
	(void)parser;
	if (event->kind == GS_EXPO_SAMPLE)
		event->family = event->name;
	return GS_OK;
}
