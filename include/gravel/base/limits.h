/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_BASE_LIMITS_H
#define GRAVEL_BASE_LIMITS_H

/*
 * Every limit of the project in one place. Each has a config key that overrides it, or the reason why
 * it is fixed.
 */

/* Exposition (expo). Fixed: state of the parser, and what any sane exporter stays far below. receiver.limits.labels_per_series, name_length and value_length lower
 * those of labels, names and values for what reaches the receiver. */
#define GS_LIMIT_LINE (1024 * 1024) /* bytes in a line */
#define GS_LIMIT_LABELS 128 /* labels of a sample */
#define GS_LIMIT_NAME 1024 /* bytes in a metric or label name */
#define GS_LIMIT_LABEL_VALUE (64 * 1024) /* bytes in a label value, HELP or UNIT */
#define GS_LIMIT_BUCKETS 4096 /* buckets or quantiles of one histogram or summary */
#define GS_LIMIT_SEEN 25000000 /* series, metrics and families that gs_expo_seen remembers: 256 MiB */

/* Regular expressions (match). Fixed: what takes its compiler no noticeable time. */
#define GS_LIMIT_REGEX (16 * 1024) /* bytes */

/* Checking of whole bodies (check). Fixed: some hundred MiB of memory. */
#define GS_LIMIT_CHECK_FAMILIES 1000000 /* families that are counted one by one */

/* Pushes. receiver.limits.push_body, receiver.limits.push_samples, receiver.limits.pushes_in_flight */
#define GS_LIMIT_PUSH_BODY (64 * 1024 * 1024) /* bytes, after decompression */
#define GS_LIMIT_PUSH_SAMPLES 1000000
#define GS_LIMIT_PUSHES_IN_FLIGHT 1024
#define GS_LIMIT_SAMPLES_IN_FLIGHT                                                                                     \
	2000000 /* fixed, but twice push_samples if that is more: of pushes that were read and wait; a sample can take 450 bytes */

/* Keys of pushes that are remembered, so that none counts twice; how long is receiver.log.key_window. Fixed: a key costs 32 bytes. */
#define GS_LIMIT_KEY_WINDOW_MS (2 * 3600 * 1000)
#define GS_LIMIT_KEYS 1000000
#define GS_LIMIT_KEY 255 /* fixed: bytes of an Idempotency-Key */

#define GS_LIMIT_TTL_MS (10 * 366LL * 86400 * 1000) /* fixed: of a push; who wants more wants no expiry */

/* Store. receiver.limits.series, series_per_group, series_per_family, groups */
#define GS_LIMIT_SERIES 20000000
#define GS_LIMIT_SERIES_PER_GROUP 5000000 /* so that one target or job cannot take it all */
#define GS_LIMIT_SERIES_PER_FAMILY 10000000
#define GS_LIMIT_GROUPS 1000000
#define GS_LIMIT_TTLS                                                                                                  \
	1024 /* different times to live of pushed series; fixed: each is a list that is looked at every second */
/* Fixed: compressed, the renderings of some million series; what does not fit is compressed for each reader. */
#define GS_LIMIT_RENDER_CACHE (64 * 1024 * 1024)
/* Fixed: how long the selectors of a reader may look at one family, for the writer waits meanwhile. */
#define GS_LIMIT_MATCH_MS 250
/* Fixed: bounds that the slices of a pebble of histograms have together, those of neighbours with the same once. */
#define GS_LIMIT_PEBBLE_BOUNDS (4 * GS_LIMIT_BUCKETS)
/* Fixed by the grammar of pebbles (DESIGN 3.2). */
#define GS_LIMIT_PEBBLE_SLICES 100
#define GS_LIMIT_PEBBLE_WINDOW_MS (366LL * 86400 * 1000)

/* Scraping. scrape_body_limit */
#define GS_LIMIT_SCRAPE_BODY (64 * 1024 * 1024)
#define GS_LIMIT_TARGETS 1000000 /* fixed: what the config parser takes */
#define GS_LIMIT_REDIRECTS 5 /* fixed: what is no loop */

/* Wire. Fixed by the protocol (docs/PROTOCOL.md). */
#define GS_LIMIT_PARTS 1024 /* parts of one scrape */
#define GS_LIMIT_WIRE_BODY (128 * 1024 * 1024) /* bytes of one scrape, decompressed */
#define GS_LIMIT_SUBJECT 1024 /* bytes in a subject */
#define GS_LIMIT_HEADER 8192 /* bytes in our header line */

/* Poller's memory of what it could not send: poller_stream.buffer. */
#define GS_LIMIT_OUTBOX (64 * 1024 * 1024)

/* Poller's memory of pushes that are not acknowledged yet. Fixed: some seconds of what a site pushes. */
#define GS_LIMIT_FORWARD (64 * 1024 * 1024)

/* Codec. Fixed: RFC 9659 allows no larger window for Content-Encoding zstd, and a frame of a few bytes can claim it. */
#define GS_LIMIT_ZSTD_WINDOW_LOG 23

/* HTTP server. Fixed: fds and memory of one process (fewer connections where the limit of open files is low); what no sane
 * client exceeds; and how much of a refused body is read so that its sender gets to see the answer. */
#define GS_LIMIT_WEB_CONNECTIONS 4096
#define GS_LIMIT_WEB_HEADERS                                                                                           \
	(128 * 1024) /* request line and headers of one connection; MHD sends answers in pieces of it as well */
#define GS_LIMIT_WEB_DISCARD (1024 * 1024)
#define GS_LIMIT_WEB_BODIES 4 /* full bodies' worth of memory for all requests together; beyond: 429 */

/* An answer in JSON. Fixed: beyond it nobody reads it, and /metrics has the same. */
#define GS_LIMIT_JSON (256 * 1024 * 1024)

/* Own metrics: distinct label values of one metric; more are counted under "other". Fixed. */
#define GS_LIMIT_METRIC_SERIES 4096

/* A config file. Fixed. */
#define GS_LIMIT_CONFIG (16 * 1024 * 1024)

#endif
