/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a config: no crash; and what is accepted is dumped to something that is accepted again, without a word, has as many of
 * everything, and dumps to the same. */
#include <stdint.h>
#include <stdlib.h>

#include "gravel/config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct gs_config *parse(struct gs_str text, size_t *ret_errors, size_t *ret_all) {
	struct gs_config_report report;
	struct gs_config *config = NULL;
	enum gs_status status = gs_config_parse(text, "fuzz.yaml", &report, &config);
	if ((status == GS_OK) != (report.errors == 0) || (status == GS_OK) != (config != NULL))
		abort();
	*ret_errors = report.errors;
	*ret_all = report.errors + report.warnings;
	if (*ret_all != 0 && report.text.n == 0)
		abort();
	gs_config_report_free(&report);
	return config;
}

static void dump(const struct gs_config *config, struct gs_buf *out) {
	gs_buf_init(out, (size_t)64 * 1024 * 1024);
	gs_config_dump(config, out);
	if (out->status != GS_OK)
		abort();
}

static void same(size_t a, size_t b) {
	if (a != b)
		abort();
}

static void same_secret(const struct gs_config_secret *a, const struct gs_config_secret *b) {
	same(a->value != NULL, b->value != NULL);
	same(a->file != NULL, b->file != NULL);
	if (a->value != NULL && a->file != NULL)
		abort(); /* at most one is there */
}

static void same_http(const struct gs_config_http *a, const struct gs_config_http *b) {
	same(a->basic_auth, b->basic_auth);
	same(a->authorization, b->authorization);
	same_secret(&a->password, &b->password);
	same_secret(&a->credentials, &b->credentials);
	same(a->min_version, b->min_version);
	same(a->follow_redirects, b->follow_redirects);
	same(a->nheaders, b->nheaders);
	for (size_t i = 0; i < a->nheaders; i++) {
		same_secret(&a->headers[i].secret, &b->headers[i].secret);
		same(a->headers[i].value != NULL, b->headers[i].value != NULL);
	}
}

static void same_job(const struct gs_config_job *a, const struct gs_config_job *b) {
	same_http(&a->http, &b->http);
	same(a->nparams, b->nparams);
	same(a->nrelabel, b->nrelabel);
	for (size_t i = 0; i < a->nrelabel; i++)
		same((size_t)a->relabel[i].action, (size_t)b->relabel[i].action);
	same(a->nmetric_relabel, b->nmetric_relabel);
	same(a->nrollups, b->nrollups);
	for (size_t i = 0; i < a->nrollups; i++) {
		same((size_t)a->rollups[i].op, (size_t)b->rollups[i].op);
		same(a->rollups[i].without, b->rollups[i].without);
		same(a->rollups[i].drop, b->rollups[i].drop);
		same(a->rollups[i].nlabels, b->rollups[i].nlabels);
	}
	same(a->nrules, b->nrules);
	same(a->ntargets, b->ntargets);
	same(a->nsds, b->nsds);
	for (size_t i = 0; i < a->nsds; i++) {
		same(a->sds[i].kind, b->sds[i].kind);
		same(a->sds[i].nnames, b->sds[i].nnames);
		same(a->sds[i].nlabels, b->sds[i].nlabels);
		same(a->sds[i].dns_type, b->sds[i].dns_type);
		same_http(&a->sds[i].http, &b->sds[i].http);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct gs_buf first, second;
	size_t errors, all;
	struct gs_config *config = parse(gs_str_make((const char *)data, size), &errors, &all);
	if (config == NULL)
		return 0;
	dump(config, &first);
	struct gs_config *again = parse(gs_buf_slice(&first), &errors, &all);
	if (again == NULL || all != 0)
		abort();
	same(config->njobs, again->njobs);
	for (size_t i = 0; i < config->njobs; i++)
		same_job(&config->jobs[i], &again->jobs[i]);
	dump(again, &second);
	if (!gs_str_eq(gs_buf_slice(&first), gs_buf_slice(&second)))
		abort();
	gs_config_free(config);
	gs_config_free(again);
	gs_buf_free(&first);
	gs_buf_free(&second);
	return 0;
}
