/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether two settings are the same: all that matters is written one behind the other, each text with its length, and hashed. A key of a job that is
 * missing here would not be seen by a reload: tests/unit/manager/test_settings.c changes each.
 */
#include "gravel/base/hash.h"
#include "manager_internal.h"

#define SETTINGS_MAX ((size_t)GS_LIMIT_CONFIG * 4)

static void put_i64(struct gs_buf *out, int64_t v) {
	gs_buf_add(out, &v, sizeof(v));
}

static void put_str(struct gs_buf *out, const char *s) {
	put_i64(out, s != NULL ? (int64_t)strlen(s) : -1);
	gs_buf_cstr(out, s != NULL ? s : "");
}

static void put_list(struct gs_buf *out, const char *const *list, size_t n) {
	put_i64(out, (int64_t)n);
	for (size_t i = 0; i < n; i++)
		put_str(out, list[i]);
}

static void put_labels(struct gs_buf *out, const struct gs_config_label *labels, size_t n) {
	put_i64(out, (int64_t)n);
	for (size_t i = 0; i < n; i++) {
		put_str(out, labels[i].name);
		put_str(out, labels[i].value);
	}
}

static void put_secret(struct gs_buf *out, const struct gs_config_secret *secret) {
	put_str(out, secret->value);
	put_str(out, secret->file);
}

static void put_http(struct gs_buf *out, const struct gs_config_http *http) {
	put_i64(out, http->basic_auth);
	put_str(out, http->username);
	put_secret(out, &http->password);
	put_i64(out, http->authorization);
	put_str(out, http->authorization_type);
	put_secret(out, &http->credentials);
	put_str(out, http->ca_file);
	put_str(out, http->cert_file);
	put_str(out, http->key_file);
	put_str(out, http->server_name);
	put_i64(out, http->insecure_skip_verify);
	put_i64(out, http->min_version);
	put_i64(out, (int64_t)http->nheaders);
	for (size_t i = 0; i < http->nheaders; i++) {
		put_str(out, http->headers[i].name);
		put_str(out, http->headers[i].value);
		put_secret(out, &http->headers[i].secret);
	}
	put_str(out, http->proxy_url);
	put_i64(out, http->follow_redirects);
}

static void put_relabel(struct gs_buf *out, const struct gs_config_relabel *rules, size_t n) {
	put_i64(out, (int64_t)n);
	for (size_t i = 0; i < n; i++) {
		put_i64(out, rules[i].action);
		put_list(out, rules[i].source_labels, rules[i].nsource_labels);
		put_str(out, rules[i].separator);
		put_str(out, rules[i].regex);
		put_i64(out, rules[i].modulus);
		put_str(out, rules[i].target_label);
		put_str(out, rules[i].replacement);
	}
}

static void put_rollups(struct gs_buf *out, const struct gs_config_job *job) {
	put_i64(out, (int64_t)job->nrollups);
	for (size_t i = 0; i < job->nrollups; i++) {
		const struct gs_config_rollup *rollup = &job->rollups[i];
		put_i64(out, rollup->op);
		put_str(out, rollup->of);
		put_str(out, rollup->as);
		put_list(out, rollup->labels, rollup->nlabels);
		put_i64(out, rollup->without);
		put_i64(out, rollup->drop);
	}
	if (job->nrollups != 0)
		put_i64(out, job->scrape_interval); /* results come as often */
}

static enum gs_status finish(struct gs_buf *buf, uint64_t *ret) {
	enum gs_status status = buf->status;
	if (status == GS_OK)
		*ret = gs_hash(gs_buf_slice(buf));
	gs_buf_free(buf);
	return status == GS_ELIMIT ? GS_ENOMEM : status;
}

enum gs_status gs_settings_scope(const struct gs_config *config, const struct gs_config_job *job, uint64_t *ret) {
	struct gs_buf buf;
	gs_buf_init(&buf, SETTINGS_MAX);
	put_str(&buf, job->name);
	put_i64(&buf, job->honor_labels);
	put_i64(&buf, job->honor_timestamps);
	put_http(&buf, &job->http);
	put_i64(&buf, job->enable_compression);
	put_i64(&buf, job->body_size_limit != 0 ? job->body_size_limit : config->scrape_body_limit);
	put_i64(&buf, job->sample_limit);
	put_i64(&buf, job->label_limit);
	put_i64(&buf, job->label_name_length_limit);
	put_i64(&buf, job->label_value_length_limit);
	put_relabel(&buf, job->metric_relabel, job->nmetric_relabel);
	put_rollups(&buf, job);
	put_i64(&buf, (int64_t)job->nrules);
	for (size_t i = 0; i < job->nrules; i++) {
		put_str(&buf, job->rules[i].metric);
		put_str(&buf, job->rules[i].clearmode);
	}
	return finish(&buf, ret);
}

enum gs_status gs_settings_build(const struct gs_config_job *job, uint64_t *ret) {
	struct gs_buf buf;
	gs_buf_init(&buf, SETTINGS_MAX);
	put_str(&buf, job->name);
	put_i64(&buf, job->scrape_interval);
	put_i64(&buf, job->scrape_timeout);
	put_str(&buf, job->metrics_path);
	put_str(&buf, job->scheme);
	put_labels(&buf, job->params, job->nparams);
	put_relabel(&buf, job->relabel, job->nrelabel);
	return finish(&buf, ret);
}

enum gs_status gs_settings_source(const struct gs_config_sd *sd, uint64_t *ret) {
	struct gs_buf buf;
	gs_buf_init(&buf, SETTINGS_MAX);
	put_i64(&buf, sd->kind);
	put_i64(&buf, sd->refresh_interval);
	put_list(&buf, sd->names, sd->nnames);
	put_labels(&buf, sd->labels, sd->nlabels);
	put_i64(&buf, sd->dns_type);
	put_i64(&buf, sd->dns_port);
	put_str(&buf, sd->prefix);
	put_http(&buf, &sd->http);
	enum gs_status status = finish(&buf, ret);
	if (status == GS_OK)
		*ret |= 1; /* 0 is the static source */
	return status;
}
