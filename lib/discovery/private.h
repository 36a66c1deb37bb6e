/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_DISCOVERY_PRIVATE_H
#define GRAVEL_LIB_DISCOVERY_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "doc.h"
#include "gravel/discovery/discovery.h"

/*
 * How the parts of this module fit together.
 *
 * One thread waits in epoll for all sources. A source has a time for its next refresh and, while something is under way, one for its next
 * tick; what it waits for are descriptors of its own (gs_sd_poll). A refresh never blocks: it begins a request and ends when the answer is there. What it
 * has found are documents (gs_sd_doc), one for each file, name, answer or key, and the list of a source is all of them together (gs_sd_publish).
 * Each refresh ends with gs_sd_good or gs_sd_failed.
 */

/* Milliseconds of the monotonic clock; GS_SD_NEVER: not until something happens. */
#define GS_SD_NEVER INT64_MAX

/* A descriptor in the epoll of the discovery. */
struct gs_sd_poll {
	void (*fn)(void *ctx, int fd, uint32_t events);
	void *ctx;
	int fd;
	bool added;
};

struct gs_sd_source;

/* A kind of source. All run on the thread of discovery, but for open. */
struct gs_sd_ops {
	const char *name; /* label kind */
	/* Make the source's state; on the thread of gs_discovery_add. GS_ENOMEM, GS_EIO, GS_EINVAL with ${err}. */
	enum gs_status (*open)(struct gs_sd_source *source, struct gs_error *err);
	/* The thread has started; may be NULL. */
	void (*start)(struct gs_sd_source *source);
	/* The refresh is due and none is under way (busy). */
	void (*refresh)(struct gs_sd_source *source);
	/* tick_ms has come; it is GS_SD_NEVER again. May be NULL. */
	void (*tick)(struct gs_sd_source *source);
	/* Somebody called gs_sd_wake. May be NULL. */
	void (*woken)(struct gs_sd_source *source);
	/* Stop and free the state; also after a failed open, then on its thread. */
	void (*close)(struct gs_sd_source *source);
};

extern const struct gs_sd_ops gs_sd_file_ops, gs_sd_dns_ops, gs_sd_http_ops, gs_sd_etcd_ops, gs_sd_kv_ops;

#define GS_SD_SHOWN 256
#define GS_SD_REASON 512

/* Why something failed, in words: cut where it is too long. Empty: it did not. */
struct gs_sd_reason {
	char text[GS_SD_REASON];
};

struct gs_sd_source {
	struct gs_discovery *discovery;
	size_t number;
	const char *job;
	const struct gs_config_sd *sd;
	const struct gs_sd_ops *ops;
	void *state; /* of the kind */
	int64_t due_ms; /* of the next refresh */
	int64_t tick_ms;
	bool busy; /* a refresh is under way */
	bool reported; /* a list was given to on_list */
	uint64_t hash; /* of that list */
	size_t ntargets; /* in it */
	double good_time; /* seconds since the epoch of the last refresh that ended well; 0: none */
	char shown[GS_SD_SHOWN]; /* what it asks, for the log: without secrets */
	struct gs_sd_reason said; /* why it fails, as the log has it */
};

struct gs_discovery {
	struct gs_discovery_options options;
	char *user_agent;
	char *dns_servers;
	int epoll;
	struct gs_sd_poll wake; /* an eventfd */
	struct gs_sd_poll inotify; /* fd is -1 until a source of files needs it, or when the system has none left */
	struct gs_http *http; /* NULL until a source needs it */
	struct gs_sd_poll http_poll;
	_Atomic bool stopping;
	pthread_t thread;
	bool started;
	struct gs_sd_source **sources;
	size_t nsources;
	size_t cap;
};

/* discovery.c */

/** gs_sd_poll_set(discovery, poll, events): Wait for ${events} (of epoll; 0: no more) of poll->fd. False where the system refuses. */
bool gs_sd_poll_set(struct gs_discovery *discovery, struct gs_sd_poll *poll, uint32_t events);

/** gs_sd_wake(discovery): From any thread: all sources get their woken. */
void gs_sd_wake(struct gs_discovery *discovery);

/** gs_sd_publish(source, docs, n): The list of ${source} is now what these documents hold (a NULL among them: nothing); if it is another one than before, it is
 * reported. False where it cannot be: that was said as with gs_sd_failed. */
bool gs_sd_publish(struct gs_sd_source *source, struct gs_sd_doc *const *docs, size_t n);

/** gs_sd_because(reason, fmt, ...): Set ${reason}; bytes that could forge a line of the log become '?'. */
void gs_sd_because(struct gs_sd_reason *reason, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** gs_sd_failed(source, fmt, ...): A refresh failed, in whole or in part; what was found before stays. No secrets. */
void gs_sd_failed(struct gs_sd_source *source, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** gs_sd_good(source): A refresh ended well. */
void gs_sd_good(struct gs_sd_source *source);

/** gs_sd_http(discovery, err): Make discovery->http, if it is not there yet. */
GS_MUST_USE enum gs_status gs_sd_http(struct gs_discovery *discovery, struct gs_error *err);

/** gs_sd_shown_url(url, out, n): Write ${url} without userinfo, query and fragment. */
void gs_sd_shown_url(const char *url, char *out, size_t n);

/* file.c */

/** gs_sd_file_watch(discovery): Open inotify, if that was not done. Without it the refresh_interval alone finds changes. */
void gs_sd_file_watch(struct gs_discovery *discovery);

#endif
