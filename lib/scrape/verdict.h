/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_SCRAPE_VERDICT_H
#define GRAVEL_LIB_SCRAPE_VERDICT_H

#include "transfer.h"

/*
 * Why a scrape failed, in one word and one sentence. Each function fills ${error} and returns the cause. Sentences name host and port,
 * never the user part or the query of a URL. Private to the module.
 */

/** gs_verdict(transfer, code, error): On what libcurl ended with; GS_SCRAPE_OK for a whole answer with status 200. */
enum gs_scrape_cause gs_verdict(const struct gs_transfer *transfer, CURLcode code, struct gs_error *error);

enum gs_scrape_cause gs_verdict_encoding(struct gs_error *error, const char *what);
enum gs_scrape_cause gs_verdict_body_limit(const struct gs_transfer *transfer, struct gs_error *error);
enum gs_scrape_cause gs_verdict_memory(struct gs_error *error);

#endif
