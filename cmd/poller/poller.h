/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_CMD_POLLER_H
#define GRAVEL_CMD_POLLER_H

#include <stdatomic.h>

#include "../common/program.h"
#include "gravel/manager/manager.h"
#include "gravel/web/web.h"
#include "push.h"

#define POLLER_FIXED_KEYS 17

struct waiter;

struct poller {
	struct gs_relay *relay;
	_Atomic(struct gs_manager *) manager; /* NULL: not yet */
	struct gs_web *web;
	struct gs_forward *forward; /* of pushes */
	char self_url[128];
	bool has_self;
	_Atomic(struct waiter *) waiting; /* for a reload that HTTP asked for */
	uint64_t fixed[POLLER_FIXED_KEYS]; /* the keys that a reload cannot change, as they are in force */
};

extern const struct gs_web_route poller_routes[];

/** poller_reload_init(poller, config): What is in force from now on. */
void poller_reload_init(struct poller *poller, const struct gs_config *config);

/** poller_reload(poller): Read the configuration again, and answer those who asked for it. A program_wait hook. */
void poller_reload(void *poller);

/** poller_reload_close(poller): No more reloads: who waits is told. */
void poller_reload_close(struct poller *poller);

/** poller_serve_reload(poller, request): POST /-/reload. */
void poller_serve_reload(void *poller, struct gs_web_request *request);

#endif
