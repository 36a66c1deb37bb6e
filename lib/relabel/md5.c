/* SPDX-License-Identifier: Apache-2.0 */
#include "md5.h"

#include <openssl/evp.h>

#include "gravel/base/mem.h"

#define BYTES 16

#if OPENSSL_VERSION_NUMBER >= 0x30000000L
#include <openssl/provider.h>
#define HAS_PROVIDERS 1
#else
#define HAS_PROVIDERS 0
#endif

/*
 * Here MD5 keeps no secret: it spreads targets, as every Prometheus beside us does. So it is asked for where the system is in FIPS mode as well: OpenSSL 3 by the
 * property "-fips", which any provider fulfils, and, where the configuration loads nothing but that of FIPS, from the default provider in a
 * library context of our own; before it by a flag of the context.
 */
struct gs_md5 {
	EVP_MD_CTX *context;
#if HAS_PROVIDERS
	EVP_MD *md;
	OSSL_LIB_CTX *library; /* NULL: the one of the process */
	OSSL_PROVIDER *provider; /* in library */
#else
	const EVP_MD *md;
#endif
};

#if HAS_PROVIDERS
static enum gs_status fetch(struct gs_md5 *md5) {
	md5->md = EVP_MD_fetch(NULL, "MD5", "-fips");
	if (md5->md != NULL)
		return GS_OK;
	md5->library = OSSL_LIB_CTX_new();
	if (md5->library == NULL)
		return GS_ENOMEM;
	md5->provider = OSSL_PROVIDER_load(md5->library, "default");
	if (md5->provider != NULL)
		md5->md = EVP_MD_fetch(md5->library, "MD5", "-fips");
	return md5->md != NULL ? GS_OK : GS_EUNSUPPORTED;
}

static void drop(struct gs_md5 *md5) {
	EVP_MD_free(md5->md);
	if (md5->provider != NULL)
		OSSL_PROVIDER_unload(md5->provider);
	OSSL_LIB_CTX_free(md5->library);
}
#else
static enum gs_status fetch(struct gs_md5 *md5) {
	EVP_MD_CTX_set_flags(md5->context, EVP_MD_CTX_FLAG_NON_FIPS_ALLOW);
	md5->md = EVP_md5();
	return md5->md != NULL ? GS_OK : GS_EUNSUPPORTED;
}

static void drop(struct gs_md5 *md5) {
	(void)md5;
}
#endif

enum gs_status gs_md5_new(struct gs_md5 **ret_md5) {
	struct gs_md5 *md5 = gs_alloc(sizeof(*md5));
	if (md5 == NULL)
		return GS_ENOMEM;
	md5->context = EVP_MD_CTX_new();
	enum gs_status status = md5->context != NULL ? fetch(md5) : GS_ENOMEM;
	if (status != GS_OK) {
		gs_md5_free(md5);
		return status;
	}
	*ret_md5 = md5;
	return GS_OK;
}

void gs_md5_free(struct gs_md5 *md5) {
	if (md5 == NULL)
		return;
	EVP_MD_CTX_free(md5->context);
	drop(md5);
	gs_free(md5);
}

enum gs_status gs_md5_tail(struct gs_md5 *md5, struct gs_str text, uint64_t *ret) {
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	if (EVP_DigestInit_ex(md5->context, md5->md, NULL) != 1 ||
	    EVP_DigestUpdate(md5->context, text.n != 0 ? text.p : "", text.n) != 1 ||
	    EVP_DigestFinal_ex(md5->context, sum, &n) != 1 || n != BYTES)
		return GS_ENOMEM;
	*ret = 0;
	for (size_t i = BYTES / 2; i < BYTES; i++)
		*ret = *ret << 8 | sum[i];
	return GS_OK;
}
