/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TARGET_PARTS_H
#define TARGET_PARTS_H

#include "gravel/base/buf.h"
#include "gravel/expo/expo.h"

/* Whether an address has a port, as net.SplitHostPort of Go sees it. */
enum gs_address_port {
	GS_ADDRESS_PORT, /* yes */
	GS_ADDRESS_NO_PORT, /* no, and one can be added */
	GS_ADDRESS_BAD, /* it is no address */
};
enum gs_address_port gs_address_port(struct gs_str address);

/* What a URL is made of. */
struct gs_url_parts {
	struct gs_str scheme;
	struct gs_str address;
	struct gs_str path;
	const struct gs_label *params; /* of the job, in its order */
	size_t nparams;
	const struct gs_label *labels; /* sorted; __param_<name> among them */
	size_t nlabels;
};

/** gs_url_write(parts, out): Append the URL as Go writes it: parameters sorted by name, the values of one name in the order of the job; the label of a name stands in
 * the place of its first value. Errors stick to ${out}; GS_ENOMEM likewise. */
void gs_url_write(const struct gs_url_parts *parts, struct gs_buf *out);

#endif
