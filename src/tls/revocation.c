#include "tls/revocation.h"

#include <openssl/x509v3.h>
#include <stdio.h>
#include <time.h>

#include "tls/certinfo.h"

int revocation_require(X509_STORE *store)
{
    return X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL) == 1
               ? 0 : -1;
}

/* Errors about a CRL, not about the certificate. */
static bool about_crl(int error)
{
    switch (error) {
    case X509_V_ERR_UNABLE_TO_GET_CRL:
    case X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER:
    case X509_V_ERR_UNABLE_TO_DECRYPT_CRL_SIGNATURE:
    case X509_V_ERR_CRL_SIGNATURE_FAILURE:
    case X509_V_ERR_CRL_NOT_YET_VALID:
    case X509_V_ERR_CRL_HAS_EXPIRED:
    case X509_V_ERR_ERROR_IN_CRL_LAST_UPDATE_FIELD:
    case X509_V_ERR_ERROR_IN_CRL_NEXT_UPDATE_FIELD:
    case X509_V_ERR_KEYUSAGE_NO_CRL_SIGN:
    case X509_V_ERR_DIFFERENT_CRL_SCOPE:
    case X509_V_ERR_CRL_PATH_VALIDATION_ERROR:
        return true;
    default:
        return false;
    }
}

bool revocation_spares(X509_STORE_CTX *store)
{
    int anchor = sk_X509_num(X509_STORE_CTX_get0_chain(store)) - 1;

    if (!about_crl(X509_STORE_CTX_get_error(store))
        || X509_STORE_CTX_get_error_depth(store) != anchor)
        return false;
    X509_STORE_CTX_set_error(store, X509_V_OK);
    return true;
}

static const char *reason_text(const X509_REVOKED *entry)
{
    static const char *const texts[] = {
        [CRL_REASON_KEY_COMPROMISE] = "keyCompromise",
        [CRL_REASON_CA_COMPROMISE] = "cACompromise",
        [CRL_REASON_AFFILIATION_CHANGED] = "affiliationChanged",
        [CRL_REASON_SUPERSEDED] = "superseded",
        [CRL_REASON_CESSATION_OF_OPERATION] = "cessationOfOperation",
        [CRL_REASON_CERTIFICATE_HOLD] = "certificateHold",
        [CRL_REASON_PRIVILEGE_WITHDRAWN] = "privilegeWithdrawn",
        [CRL_REASON_AA_COMPROMISE] = "aACompromise",
    };
    ASN1_ENUMERATED *code = X509_REVOKED_get_ext_d2i(entry, NID_crl_reason, NULL, NULL);
    long n = code != NULL ? ASN1_ENUMERATED_get(code) : -1;

    ASN1_ENUMERATED_free(code);
    return n >= 0 && n < (long)(sizeof(texts) / sizeof(texts[0])) ? texts[n] : NULL;
}

bool revocation_when(X509_STORE_CTX *store, X509 *x, char *out, size_t cap)
{
    X509_CRL *crl = X509_STORE_CTX_get0_current_crl(store);
    X509_REVOKED *entry = NULL;
    const char *reason = NULL;
    const ASN1_TIME *at;
    char date[DATE_TEXT_MAX], distance[DATE_TEXT_MAX];

    if (crl == NULL)
        return false;
    switch (X509_STORE_CTX_get_error(store)) {
    case X509_V_ERR_CERT_REVOKED:
        if (X509_CRL_get0_by_cert(crl, &entry, x) <= 0)
            return false;
        at = X509_REVOKED_get0_revocationDate(entry);
        reason = reason_text(entry);
        break;
    case X509_V_ERR_CRL_HAS_EXPIRED:
        at = X509_CRL_get0_nextUpdate(crl);
        break;
    case X509_V_ERR_CRL_NOT_YET_VALID:
        at = X509_CRL_get0_lastUpdate(crl);
        break;
    default:
        return false;
    }
    snprintf(out, cap, "%s (%s)%s%s", distance_text(time_of(at), time(NULL), distance),
             date_text(time_of(at), date), reason != NULL ? ", reason " : "",
             reason != NULL ? reason : "");
    return true;
}

static bool issued_one(const X509_CRL *crl, STACK_OF(X509) *chain)
{
    /* But the anchor, the last, which nothing clears. */
    for (int i = 0; i + 1 < sk_X509_num(chain); i++)
        if (X509_NAME_cmp(X509_CRL_get_issuer(crl),
                          X509_get_issuer_name(sk_X509_value(chain, i))) == 0)
            return true;
    return false;
}

int64_t revocation_until(X509_STORE *store, STACK_OF(X509) *chain, int64_t now)
{
    STACK_OF(X509_OBJECT) *objects = store != NULL ? X509_STORE_get0_objects(store) : NULL;
    int64_t until = INT64_MAX;

    for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
        X509_CRL *crl = X509_OBJECT_get0_X509_CRL(sk_X509_OBJECT_value(objects, i));
        const ASN1_TIME *next = crl != NULL ? X509_CRL_get0_nextUpdate(crl) : NULL;
        if (next == NULL || !issued_one(crl, chain))
            continue;
        int64_t end = time_of(next);
        if (end > now && end < until)   /* one that had expired has cleared nobody */
            until = end;
    }
    return until;
}
