/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "gravel/base/mem.h"
#include "model.h"

#define INTERNED_MAX 4096

void m_demand(bool condition, const char *what) {
	if (condition)
		return;
	fprintf(stderr, "model: %s\n", what);
	abort();
}

const char *m_intern(const char *text) {
	static char *interned[INTERNED_MAX];
	static size_t n;
	for (size_t i = 0; i < n; i++) {
		if (m_same(interned[i], text))
			return interned[i];
	}
	m_demand(n < INTERNED_MAX, "too many strings");
	interned[n] = gs_strdup(gs_str_of(text));
	m_demand(interned[n] != NULL, "memory");
	return interned[n++];
}

const char *m_join(const char *head, const char *tail) {
	char text[256];
	snprintf(text, sizeof(text), "%s%s", head, tail);
	return m_intern(text);
}

bool m_is_joined(const char *text, const char *head, const char *tail) {
	size_t n = strlen(head);
	return strncmp(text, head, n) == 0 && m_same(text + n, tail);
}

enum m_kind m_kind_of(enum gs_expo_type type) {
	if (type == GS_TYPE_HISTOGRAM || type == GS_TYPE_GAUGEHISTOGRAM)
		return M_HISTOGRAM;
	return type == GS_TYPE_SUMMARY ? M_SUMMARY : M_PLAIN;
}

unsigned m_suffixes(enum gs_expo_type type, const char *suffixes[3]) {
	unsigned n = 0;
	bool gauge = type == GS_TYPE_GAUGEHISTOGRAM;
	if (m_kind_of(type) == M_PLAIN)
		return 0;
	suffixes[n++] = gauge ? "_gsum" : "_sum";
	suffixes[n++] = gauge ? "_gcount" : "_count";
	if (m_kind_of(type) == M_HISTOGRAM)
		suffixes[n++] = "_bucket";
	return n;
}

const struct m_label *m_find_label(const struct m_label *labels, unsigned n, const char *name) {
	for (unsigned i = 0; i < n; i++) {
		if (m_same(labels[i].name, name))
			return &labels[i];
	}
	return NULL;
}

void m_sort_labels(struct m_label *labels, unsigned n) {
	for (unsigned i = 0; i < n; i++) {
		for (unsigned k = i + 1; k < n; k++) {
			if (strcmp(labels[k].name, labels[i].name) >= 0)
				continue;
			struct m_label label = labels[i];
			labels[i] = labels[k];
			labels[k] = label;
		}
	}
}

bool m_same_labels(const struct m_label *a, unsigned na, const struct m_label *b, unsigned nb) {
	return na == nb && m_has_labels(a, na, b, nb) && m_has_labels(b, nb, a, na);
}

/* An empty label is one that is absent. */
bool m_has_labels(const struct m_label *labels, unsigned n, const struct m_label *wanted, unsigned nwanted) {
	for (unsigned i = 0; i < nwanted; i++) {
		const struct m_label *label = m_find_label(labels, n, wanted[i].name);
		if (!m_same(label != NULL ? label->value : "", wanted[i].value))
			return false;
	}
	return true;
}
