/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_BUS_SHELF_H
#define GRAVEL_BUS_SHELF_H

#include "gravel/bus/bus.h"

/*
 * Files on a stream of their own: what one program puts there, another one takes. The GS_SHELF_KEPT newest are kept (the order is that of the puts, whatever their positions are); a file
 * is there whole or not at all, and what is taken is checked. What is in them is the caller's business. Over the connection of a bus; calls block, for answers of
 * JetStream, and belong to one thread at a time, but for gs_shelf_stop.
 */
struct gs_shelf;

#define GS_SHELF_KEPT 2

struct gs_shelf_options {
	const char *stream;
	const char *subject; /* "<topic>.snapshot"; the stream takes "<subject>.>" */
	int64_t replicas;
	bool memory;
};

struct gs_shelf_file {
	uint64_t position; /* as given to gs_shelf_put, as the next one */
	int64_t time_ms;
	uint64_t size; /* bytes */
	uint64_t hash; /* XXH3 of its messages, each seeded with the hash of those before it */
	uint32_t messages;
	uint64_t first, last; /* sequences of its messages in the stream; others may stand between them */
	char id[33];
};

/** gs_shelf_new(bus, options, ret_shelf, err): Needs no connection. Options are copied. GS_EINVAL for a stream or subject that is none; GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_shelf_new(
    struct gs_bus *bus, const struct gs_shelf_options *options, struct gs_shelf **ret_shelf, struct gs_error *err);

/** gs_shelf_free(shelf): Before gs_bus_close; no call may run. NULL is nothing. */
void gs_shelf_free(struct gs_shelf *shelf);

/** gs_shelf_stop(shelf): A call that runs returns GS_ECLOSED within one request's time (5 s at most), unless it comes to its end before; later ones at once. Any thread. */
void gs_shelf_stop(struct gs_shelf *shelf);

/** gs_shelf_list(shelf, files, ret_n, err):
 * The files that are there, the newest first, in ${files} (GS_SHELF_KEPT of them). What is listed may still be damaged: gs_shelf_take tells. GS_ENOTFOUND where there is no stream, so that nobody ever put a
 * file; none with GS_OK may mean that somebody is just putting the first one, or that its servers are not through with their own start. GS_EAGAIN while
 * not connected, or when JetStream does not answer; GS_EIO for what NATS refused, GS_ENOMEM, GS_ECLOSED; each with ${err}. */
GS_MUST_USE enum gs_status gs_shelf_list(
    struct gs_shelf *shelf, struct gs_shelf_file *files, size_t *ret_n, struct gs_error *err);

/** gs_shelf_put(shelf, position, time_ms, path, err):
 * Put the file ${path} on the shelf, and remove what is older than the GS_SHELF_KEPT newest. Makes the stream if it is missing; one that is there is used as it is. With GS_OK the file is
 * there; otherwise those that were there still are, and the new one only if its last answer was lost (GS_EAGAIN). GS_EINVAL for an empty file and a negative time, GS_ELIMIT for one
 * that is too large (a million messages: 122 GiB, less where max_payload is small); GS_EAGAIN while not connected, when JetStream does not answer, or when another program was
 * faster; GS_EIO for the file, or what NATS refused; GS_ENOMEM, GS_ECLOSED; each with ${err}. */
GS_MUST_USE enum gs_status gs_shelf_put(
    struct gs_shelf *shelf, uint64_t position, int64_t time_ms, const char *path, struct gs_error *err);

/** gs_shelf_take(shelf, file, path, err):
 * Write a ${file} that was listed to ${path}: under another name first (".new" behind it), checked, synced, renamed. Otherwise ${path} stays what it was, but for a GS_EIO
 * because its folder could not be synced. GS_ENOTFOUND when it, or a part of it, is not there any more; GS_EINVAL when it is damaged; GS_EAGAIN while not connected, or when JetStream does
 * not answer; GS_EIO for the file system, or what NATS refused; GS_ENOMEM, GS_ECLOSED; each with ${err}. */
GS_MUST_USE enum gs_status gs_shelf_take(
    struct gs_shelf *shelf, const struct gs_shelf_file *file, const char *path, struct gs_error *err);

#endif
