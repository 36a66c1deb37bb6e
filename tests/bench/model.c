/* SPDX-License-Identifier: Apache-2.0 */
#include "model.h"

#include <stdio.h>
#include <string.h>

#include "gravel/base/mem.h"
#include "gravel/base/num.h"

#define FAMILY_SAMPLES 700 /* of a large model; a small one still has every kind */
#define SPARE_EVERY 50 /* one metric of so many is not there at first */
#define NAME_ROOM 96
#define SUFFIX_PRIME 7368787 /* has no factor in common with 27^5, so that numbers below that stay distinct */
#define SUFFIX_SPACE 14348907 /* 27^5 */
#define START_S 1700000000

enum kind { KIND_HISTOGRAM, KIND_COUNTER, KIND_GAUGE, KIND_SUMMARY };

/* How the values of a family look; a target written in Go prints large numbers with an exponent. */
enum look { LOOK_WHOLE, LOOK_GO, LOOK_SHORT, LOOK_LONG };

static const char *const bounds[] = {
    "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1.0", "2.5", "5.0", "10.0", "+Inf"};
static const char *const quantiles[] = {"0.5", "0.9", "0.99"};

#define BOUNDS (sizeof(bounds) / sizeof(bounds[0]))
#define QUANTILES (sizeof(quantiles) / sizeof(quantiles[0]))

static const enum kind cycle[] = {KIND_HISTOGRAM, KIND_COUNTER, KIND_HISTOGRAM, KIND_GAUGE, KIND_HISTOGRAM,
    KIND_SUMMARY, KIND_HISTOGRAM, KIND_COUNTER, KIND_HISTOGRAM, KIND_GAUGE};

#define CYCLE (sizeof(cycle) / sizeof(cycle[0]))

struct metric {
	uint32_t version; /* how often it changed */
	bool gone;
};

struct family {
	enum kind kind;
	enum look look;
	uint64_t seed;
	size_t first; /* metric */
	size_t count;
	size_t nlabels; /* without le and quantile */
	char base[NAME_ROOM]; /* name without suffixes */
	const char *unit; /* "" if it has none */
};

struct bench_model {
	struct family *families;
	size_t nfamilies;
	size_t families_cap;
	struct metric *metrics;
	size_t nmetrics;
	size_t metrics_cap;
	size_t samples;
	uint64_t step;
};

static uint64_t mix(uint64_t a, uint64_t b) {
	uint64_t x = (a + 0x9e3779b97f4a7c15ULL) * 0xbf58476d1ce4e5b9ULL + b;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

/* A fair coin that falls on its head in ${share} of all cases. */
static bool toss(uint64_t hash, double share) {
	return (double)(hash >> 11) / 9007199254740992.0 < share;
}

static const char *pick(const char *const *words, size_t n, uint64_t hash) {
	return words[hash % n];
}

#define PICK(words, hash) pick(words, sizeof(words) / sizeof((words)[0]), hash)

static size_t samples_of(enum kind kind) {
	if (kind == KIND_HISTOGRAM) {
		return BOUNDS + 2;
	}
	return kind == KIND_SUMMARY ? QUANTILES + 2 : 1;
}

/* Families. */

static void name_family(struct family *f, size_t number) {
	static const char *const systems[] = {"http_server", "grpc_client", "database_pool", "message_queue",
	    "object_cache", "payment_gateway", "search_index", "session_store", "storage_engine", "job_scheduler"};
	static const char *const timed[] = {"request_duration", "operation_latency", "queue_wait", "transaction_time"};
	static const char *const counted[] = {"requests", "operations_failed", "messages_processed", "retries"};
	static const char *const levels[] = {
	    "connections_active", "queue_depth", "utilization_ratio", "entries_resident"};
	bool time = f->kind == KIND_HISTOGRAM || f->kind == KIND_SUMMARY;
	bool bytes = !time && number % 4 == 1;

	f->unit = time ? "seconds" : bytes ? "bytes" : "";
	snprintf(f->base, sizeof(f->base), "%s_%s_%03zu%s%s", PICK(systems, f->seed),
	    time                      ? PICK(timed, f->seed >> 8)
	    : f->kind == KIND_COUNTER ? PICK(counted, f->seed >> 8)
				      : PICK(levels, f->seed >> 8),
	    number, f->unit[0] != '\0' ? "_" : "", f->unit);
}

static struct metric *add_metric(struct bench_model *model, struct family *f) {
	struct metric *m = gs_grow_array(model->metrics, &model->metrics_cap, model->nmetrics, sizeof(*m));

	if (m == NULL) {
		return NULL;
	}
	model->metrics = m;
	m += model->nmetrics++;
	*m = (struct metric){.gone = f->count++ % SPARE_EVERY == SPARE_EVERY / 2};
	return m;
}

/* A family whose metrics that are there have at most ${samples} samples together. */
static bool add_family(struct bench_model *model, enum kind kind, size_t samples) {
	struct family *f = gs_grow_array(model->families, &model->families_cap, model->nfamilies, sizeof(*f));
	size_t number = model->nfamilies;
	size_t left = samples;

	if (f == NULL) {
		return false;
	}
	model->families = f;
	f += model->nfamilies++;
	*f = (struct family){.kind = kind, .seed = mix(kind, number), .first = model->nmetrics};
	f->look = (enum look)(f->seed >> 20 & 3);
	f->nlabels = 5 + (f->seed >> 30) % (samples_of(kind) > 1 ? 3 : 4);
	name_family(f, number);
	while (left >= samples_of(kind)) {
		const struct metric *m = add_metric(model, f);

		if (m == NULL) {
			return false;
		}
		left -= m->gone ? 0 : samples_of(kind);
	}
	model->samples += samples - left;
	return true;
}

struct bench_model *bench_model_new(size_t series, size_t family) {
	struct bench_model *model = gs_alloc(sizeof(*model));
	size_t size = family != 0 ? family : series / (2 * CYCLE);

	if (model == NULL) {
		return NULL;
	}
	if (family == 0 && size > FAMILY_SAMPLES) {
		size = FAMILY_SAMPLES;
	}
	while (model->samples < series) {
		enum kind kind = cycle[model->nfamilies % CYCLE];
		size_t left = series - model->samples;

		if (left < size || size < samples_of(KIND_HISTOGRAM)) {
			kind = KIND_GAUGE;
			size = left;
		}
		if (!add_family(model, kind, size)) {
			bench_model_free(model);
			return NULL;
		}
	}
	return model;
}

void bench_model_free(struct bench_model *model) {
	if (model == NULL) {
		return;
	}
	gs_free(model->families);
	gs_free(model->metrics);
	gs_free(model);
}

size_t bench_model_samples(const struct bench_model *model) {
	return model->samples;
}

/* From one scrape to the next. */

/* As many metrics appear as vanish: those that are gone are so much fewer. */
static double churn_of(const struct metric *m, double churn) {
	double back = churn * (SPARE_EVERY - 1);

	return !m->gone ? churn : back < 1 ? back : 1;
}

size_t bench_model_step(struct bench_model *model, struct bench_step step) {
	size_t changed = 0;

	model->step++;
	for (size_t i = 0; i < model->nfamilies; i++) {
		const struct family *f = &model->families[i];
		size_t n = samples_of(f->kind);

		for (size_t j = 0; j < f->count; j++) {
			struct metric *m = &model->metrics[f->first + j];
			uint64_t hash = mix(f->seed + j, model->step);

			if (toss(mix(hash, 1), churn_of(m, step.churn))) {
				m->gone = !m->gone;
				model->samples = m->gone ? model->samples - n : model->samples + n;
			} else if (toss(mix(hash, 2), step.changed)) {
				m->version++;
				changed += m->gone ? 0 : n;
			}
		}
	}
	return changed;
}

/* Values. Each version has another value than the one before. */

static void put_go(struct gs_buf *out, uint64_t v) {
	char digits[24];
	int n = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)v);
	int point = n - 1;

	if (n <= 6) {
		gs_buf_u64(out, v);
		return;
	}
	while (n > 1 && digits[n - 1] == '0') {
		n--;
	}
	gs_buf_printf(out, "%c%s%.*se+%02d", digits[0], n > 1 ? "." : "", n - 1, digits + 1, point);
}

static void put_counter(struct gs_buf *out, const struct family *f, uint64_t hash, uint32_t version) {
	uint64_t start = mix(hash, 3) % 1000000000000ULL >> (mix(hash, 4) % 40);
	uint64_t v = start + version * (1 + start / 4096 + (hash & 63));

	switch (f->look) {
	case LOOK_WHOLE:
		gs_buf_u64(out, v);
		break;
	case LOOK_GO:
		put_go(out, v);
		break;
	case LOOK_SHORT:
		gs_buf_printf(out, "%llu.%llu", (unsigned long long)(v / 10), (unsigned long long)(v % 10));
		break;
	case LOOK_LONG:
		gs_buf_double(out, (double)v * 0.0012345678901234567);
		break;
	}
}

static void put_gauge(struct gs_buf *out, const struct family *f, uint64_t hash, uint32_t version) {
	uint64_t span = 1000 + mix(hash, 5) % 100000;
	uint64_t v = (mix(hash, 6) + version * 617ULL) % span;

	switch (f->look) {
	case LOOK_WHOLE:
		gs_buf_u64(out, v);
		break;
	case LOOK_GO:
		put_go(out, v * 4096);
		break;
	case LOOK_SHORT:
		gs_buf_printf(out, "%llu.%02llu", (unsigned long long)(v / 100), (unsigned long long)(v % 100));
		break;
	case LOOK_LONG:
		gs_buf_double(out, (double)(v + 1) / (double)span);
		break;
	}
}

/* Observations up to the bound of ${bucket}. */
static uint64_t observations(uint64_t hash, size_t bucket, uint32_t version) {
	uint64_t scale = 2 + (mix(hash, 7) % 200000 >> (hash % 17));

	return (1 + bucket * bucket) * scale + version * (1 + bucket + scale / 1024);
}

static void put_sum(struct gs_buf *out, uint64_t hash, uint32_t version) {
	gs_buf_double(
	    out, (double)observations(hash, BOUNDS - 1, version) * (0.01 + (double)(hash & 0xffff) / 700000.0));
}

static void put_quantile(struct gs_buf *out, uint64_t hash, size_t quantile, uint32_t version) {
	uint64_t v = (mix(hash, quantile) + version * 40503ULL) % 1000003;

	gs_buf_double(out, (double)((quantile + 1) * 1000000 + v) / 300007000.0);
}

/* Lines. */

/* One line in the making: what its parts have in common. */
struct row {
	struct gs_buf *out;
	const struct family *family;
	size_t number; /* of the metric in its family */
	uint64_t hash;
	uint32_t version;
	bool openmetrics;
};

static void put_pod(struct gs_buf *out, const struct family *f, const char *service, size_t number) {
	static const char letters[] = "bcdfghjklmnpqrstvwxz2456789";
	uint64_t rest = (uint64_t)number * SUFFIX_PRIME % SUFFIX_SPACE;
	char suffix[6] = {0};

	for (size_t i = 0; i < 5; i++) {
		suffix[i] = letters[rest % 27];
		rest /= 27;
	}
	gs_buf_printf(out, "pod=\"%s-%08x-%s\"", service, (unsigned)(f->seed >> 32), suffix);
}

static void put_labels(const struct row *r) {
	static const char *const services[] = {
	    "payments-api", "checkout", "inventory-sync", "user-profile", "search-frontend"};
	static const char *const namespaces[] = {
	    "commerce-production", "commerce-staging", "platform-batch-jobs", "platform-observability"};
	static const char *const methods[] = {"GET", "POST", "PUT", "DELETE", "PATCH"};
	static const char *const routes[] = {"/api/v1/tenants/{tenant}/orders/{id}", "/api/v1/customers/addresses",
	    "/healthz/ready", "/api/v2/catalog/search", "/internal/replicate/{shard}/{segment}"};
	static const char *const codes[] = {"200", "201", "204", "400", "404", "500", "503"};
	static const char *const zones[] = {"eu-west-1a", "eu-west-1b", "us-east-2c"};
	const char *service = PICK(services, r->family->seed >> 3);
	size_t n = r->family->nlabels;

	gs_buf_printf(r->out, "{namespace=\"%s\",", PICK(namespaces, r->family->seed >> 5));
	put_pod(r->out, r->family, service, r->number);
	gs_buf_printf(r->out, ",method=\"%s\",http_route=\"%s\",code=\"%s\"", PICK(methods, r->hash),
	    PICK(routes, r->hash >> 8), PICK(codes, r->hash >> 16));
	if (n > 5) {
		gs_buf_printf(r->out, ",zone=\"%s\"", PICK(zones, r->hash >> 24));
	}
	if (n > 6) {
		gs_buf_printf(r->out, ",instance=\"10.%u.%u.%u:9090\"", (unsigned)(r->hash >> 32 & 31),
		    (unsigned)(r->hash >> 40 & 255), (unsigned)(r->hash >> 48 & 255));
	}
	if (n > 7) {
		gs_buf_printf(
		    r->out, ",version=\"2.%u.%u\"", (unsigned)(r->hash >> 36 & 15), (unsigned)(r->hash >> 44 & 7));
	}
}

/* Everything up to the value. ${extra} is one more label, or "". */
static void put_series(const struct row *r, const char *suffix, const char *extra, const char *value) {
	gs_buf_cstr(r->out, r->family->base);
	gs_buf_cstr(r->out, suffix);
	put_labels(r);
	if (extra[0] != '\0') {
		gs_buf_printf(r->out, ",%s=\"%s\"", extra, value);
	}
	gs_buf_str(r->out, GS_STR("} "));
}

static void put_created(const struct row *r) {
	put_series(r, "_created", "", "");
	gs_buf_printf(r->out, "%d.%03u\n", START_S, (unsigned)(r->hash % 1000));
}

/* Some buckets of one metric in eight carry the last observation that fell into them. */
static void put_exemplar(const struct row *r, size_t bucket) {
	double bound = 0;

	if (r->hash % 8 != 0 || bucket + 1 == BOUNDS || (bucket + r->number) % 4 != 0 ||
	    gs_num_parse_double(gs_str_of(bounds[bucket]), &bound) != GS_OK) {
		return;
	}
	gs_buf_printf(r->out, " # {trace_id=\"%016llx%016llx\"} ", (unsigned long long)mix(r->hash, bucket),
	    (unsigned long long)mix(r->hash + 1, r->version));
	gs_buf_double(r->out, bound * 0.9);
	gs_buf_printf(r->out, " %u.%03u", START_S + r->version * 15, (unsigned)(r->hash >> 20 & 511));
}

static void put_histogram(const struct row *r) {
	for (size_t i = 0; i < BOUNDS; i++) {
		put_series(r, "_bucket", "le", bounds[i]);
		gs_buf_u64(r->out, observations(r->hash, i, r->version));
		if (r->openmetrics) {
			put_exemplar(r, i);
		}
		gs_buf_char(r->out, '\n');
	}
	put_series(r, "_sum", "", "");
	put_sum(r->out, r->hash, r->version);
	gs_buf_char(r->out, '\n');
	put_series(r, "_count", "", "");
	gs_buf_u64(r->out, observations(r->hash, BOUNDS - 1, r->version));
	gs_buf_char(r->out, '\n');
}

static void put_summary(const struct row *r) {
	for (size_t i = 0; i < QUANTILES; i++) {
		put_series(r, "", "quantile", quantiles[i]);
		put_quantile(r->out, r->hash, i, r->version);
		gs_buf_char(r->out, '\n');
	}
	put_series(r, "_sum", "", "");
	put_sum(r->out, r->hash, r->version);
	gs_buf_char(r->out, '\n');
	put_series(r, "_count", "", "");
	gs_buf_u64(r->out, observations(r->hash, BOUNDS - 1, r->version));
	gs_buf_char(r->out, '\n');
}

static void put_single(const struct row *r) {
	bool counter = r->family->kind == KIND_COUNTER;

	put_series(r, counter ? "_total" : "", "", "");
	if (counter) {
		put_counter(r->out, r->family, r->hash, r->version);
	} else {
		put_gauge(r->out, r->family, r->hash, r->version);
	}
	gs_buf_char(r->out, '\n');
}

static void put_metric(const struct row *r, bool created) {
	if (r->family->kind == KIND_HISTOGRAM) {
		put_histogram(r);
	} else if (r->family->kind == KIND_SUMMARY) {
		put_summary(r);
	} else {
		put_single(r);
	}
	if (created && r->family->kind != KIND_GAUGE) {
		put_created(r);
	}
}

/* The family of a counter is named without _total in OpenMetrics, with it in text. */
static void put_meta(struct gs_buf *out, const struct family *f, bool openmetrics) {
	static const char *const words[] = {[KIND_HISTOGRAM] = "histogram",
	    [KIND_COUNTER] = "counter",
	    [KIND_GAUGE] = "gauge",
	    [KIND_SUMMARY] = "summary"};
	const char *suffix = f->kind == KIND_COUNTER && !openmetrics ? "_total" : "";

	gs_buf_printf(out, "# HELP %s%s A made-up %s of the service, by pod, method, route and code.\n", f->base,
	    suffix, words[f->kind]);
	gs_buf_printf(out, "# TYPE %s%s %s\n", f->base, suffix, words[f->kind]);
	if (openmetrics && f->unit[0] != '\0') {
		gs_buf_printf(out, "# UNIT %s %s\n", f->base, f->unit);
	}
}

void bench_model_render(const struct bench_model *model, enum bench_model_format format, struct gs_buf *out) {
	bool openmetrics = format != BENCH_MODEL_TEXT;

	for (size_t i = 0; i < model->nfamilies; i++) {
		const struct family *f = &model->families[i];

		put_meta(out, f, openmetrics);
		for (size_t j = 0; j < f->count; j++) {
			const struct metric *m = &model->metrics[f->first + j];
			struct row row = {out, f, j, mix(f->seed, j), m->version, openmetrics};

			if (!m->gone) {
				put_metric(&row, format == BENCH_MODEL_OPENMETRICS_CREATED);
			}
		}
	}
	if (openmetrics) {
		gs_buf_str(out, GS_STR("# EOF\n"));
	}
}
