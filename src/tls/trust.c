#include "tls/trust.h"

#include <limits.h>
#include <openssl/x509_vfy.h>
#include <stdlib.h>

#include "base/mem.h"
#include "tls/certinfo.h"
#include "tls/digest.h"
#include "tls/revocation.h"
#include "tls/sslerr.h"

#define NAMES_MAX 8192u         /* bytes of a CertificateRequest that the names may take */

static bool have_name(STACK_OF(X509_NAME) *names, const X509_NAME *name)
{
    for (int i = 0; i < sk_X509_NAME_num(names); i++)
        if (X509_NAME_cmp(sk_X509_NAME_value(names, i), name) == 0)
            return true;
    return false;
}

/* A client looks for a certificate by its issuer: a CA is that, another anchor has one. */
static int add_name(struct trust *t, X509 *x, size_t *bytes)
{
    const X509_NAME *name = cert_is_ca(x) ? X509_get_subject_name(x) : X509_get_issuer_name(x);
    X509_NAME *copy;

    if (t->names == NULL || have_name(t->names, name))
        return 0;
    int len = i2d_X509_NAME(name, NULL);
    *bytes += (len > 0 ? (size_t)len : 0) + 2;
    if (*bytes > NAMES_MAX) {
        sk_X509_NAME_pop_free(t->names, X509_NAME_free);
        t->names = NULL;
        return 0;
    }
    copy = X509_NAME_dup(name);
    if (copy == NULL || !sk_X509_NAME_push(t->names, copy)) {
        X509_NAME_free(copy);
        return -1;
    }
    return 0;
}

static int add_crl(struct trust *t, const struct der *der)
{
    const unsigned char *p = der->p;
    X509_CRL *crl = der->len <= INT_MAX ? d2i_X509_CRL(NULL, &p, (long)der->len) : NULL;
    int rc = crl != NULL && X509_STORE_add_crl(t->store, crl) == 1
             ? revocation_require(t->store) : -1;

    X509_CRL_free(crl);
    return rc;
}

/* A certificate and a CRL cannot be taken for each other: one has two dates as a pair
   where the other has them one by one. */
static int add_item(struct trust *t, const struct der *der, size_t *bytes)
{
    const unsigned char *p = der->p;
    X509 *x = der->len <= INT_MAX ? d2i_X509(NULL, &p, (long)der->len) : NULL;

    if (x == NULL && add_crl(t, der) == 0) {
        sslerr_clear();
        return 0;
    }
    int rc = x != NULL && X509_STORE_add_cert(t->store, x) == 1 ? add_name(t, x, bytes) : -1;

    X509_free(x);
    return rc;
}

void trust_id(const struct der *anchors, size_t n, uint8_t id[DIGEST_LEN])
{
    digest_ders(anchors, n, id);
}

struct trust *trust_new(const struct der *anchors, size_t n, struct err *e)
{
    struct trust *t = mem_zalloc(sizeof(*t));
    size_t bytes = 0;
    char why[128];

    sslerr_clear();
    t->refs = 1;
    trust_id(anchors, n, t->id);
    if (n == 0) {
        err_setx(e, "no trust anchor");
        goto fail;
    }
    t->store = X509_STORE_new();
    t->names = sk_X509_NAME_new_null();
    if (t->store == NULL || t->names == NULL
        || !X509_STORE_set_flags(t->store, X509_V_FLAG_PARTIAL_CHAIN)) {
        err_setx(e, "cannot make a trust store: %s", sslerr_text(why, sizeof(why)));
        goto fail;
    }
    for (size_t i = 0; i < n; i++) {
        if (add_item(t, &anchors[i], &bytes) != 0) {
            err_setx(e, "trust anchor %zu: %s", i + 1, sslerr_text(why, sizeof(why)));
            goto fail;
        }
    }
    sslerr_clear();
    return t;
fail:
    trust_unref(t);
    return NULL;
}

struct trust *trust_ref(struct trust *t)
{
    t->refs++;
    return t;
}

void trust_unref(struct trust *t)
{
    if (t == NULL || --t->refs > 0)
        return;
    X509_STORE_free(t->store);
    sk_X509_NAME_pop_free(t->names, X509_NAME_free);
    free(t);
}
