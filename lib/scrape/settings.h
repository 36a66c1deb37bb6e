/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_SCRAPE_SETTINGS_H
#define GRAVEL_LIB_SCRAPE_SETTINGS_H

#include <curl/curl.h>

#include "gravel/base/error.h"
#include "gravel/config/config.h"

/*
 * The HTTP settings of a job as options of libcurl. Private to the module; one thread, but for gs_settings_new.
 *
 * Credentials of a server go to no other one that a redirect leads to: libcurl sees to that for basic_auth and authorization, and a transfer ends where secrets of http_headers would leave the origin.
 * Certificates and keys are files that libcurl reads for each connection. Needs no more than libcurl 7.61.
 */
struct gs_settings;

/** gs_settings_new(http, ret_settings): ${http} (NULL: the defaults) must live as long. GS_EINVAL for a server_name that is none, GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_settings_new(const struct gs_config_http *http, struct gs_settings **ret_settings);

/** gs_settings_default(): Those of NULL; static, without secrets to refresh. */
const struct gs_settings *gs_settings_default(void);
void gs_settings_free(struct gs_settings *settings);

/** gs_settings_refresh(settings, err): Before each use: read what changed in files of secrets. As gs_secret_refresh. */
GS_MUST_USE enum gs_status gs_settings_refresh(struct gs_settings *settings, struct gs_error *err);

/** gs_settings_serial(settings): A number that no other settings ever had, nor these before their secrets changed. */
uint64_t gs_settings_serial(const struct gs_settings *settings);

/** gs_settings_apply(settings, easy): Set the options of ${easy}, which has none of other settings. GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_settings_apply(const struct gs_settings *settings, CURL *easy);

/** gs_settings_headers(settings, list): Append the request headers that are settings: authorization, http_headers. GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_settings_headers(const struct gs_settings *settings, struct curl_slist **list);

/** gs_settings_stay(settings): Whether redirects must not leave the origin. */
bool gs_settings_stay(const struct gs_settings *settings);

/*
 * Where a server is to be greeted by another name than that of its URL: libcurl has no option for that, so the URL gets the name, and the connection goes to the
 * host that it had.
 */
struct gs_route {
	char *url; /* NULL: that of the target */
	struct curl_slist *connect_to;
	char *host_line; /* the header Host, as it would have been */
	struct curl_slist host; /* a list of that line and of what its next is set to */
};

/** gs_route_init(route, settings, url): All zero where the URL is good as it is; else it is to be asked as ${route} says. GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_route_init(struct gs_route *route, const struct gs_settings *settings, const char *url);
void gs_route_free(struct gs_route *route);

#endif
