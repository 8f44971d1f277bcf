#include "tls/pbe.h"

#include <openssl/objects.h>
#include <openssl/pkcs12.h>
#include <openssl/provider.h>
#include <stdio.h>

enum key_opened pbe_judge_rounds(const ASN1_INTEGER *rounds, int64_t *left)
{
    int64_t n = 1;

    if (rounds != NULL && (!ASN1_INTEGER_get_int64(&n, rounds) || n < 1)) {
        /* What does not fit is a number above all limits, or none. */
        return (ASN1_STRING_type(rounds) & V_ASN1_NEG) == 0 && ASN1_STRING_length(rounds) > 8
                   ? KEY_TOO_SLOW : KEY_DAMAGED;
    }
    if (n > *left)
        return KEY_TOO_SLOW;
    *left -= n;
    return KEY_OPEN;
}

static const ASN1_STRING *parameters(const X509_ALGOR *how)
{
    const ASN1_TYPE *t = how->parameter;

    return t != NULL && t->type == V_ASN1_SEQUENCE ? t->value.sequence : NULL;
}

/* PKCS#5 v2: the parameters name a key derivation and, behind it, a cipher or a MAC. */
static enum key_opened judge_v2(const ASN1_STRING *der, int64_t *left)
{
    const unsigned char *p = ASN1_STRING_get0_data(der);
    PBE2PARAM *v2 = d2i_PBE2PARAM(NULL, &p, ASN1_STRING_length(der));
    PBKDF2PARAM *kdf = NULL;
    enum key_opened result = KEY_DAMAGED;
    const ASN1_STRING *inner;

    if (v2 == NULL)
        return KEY_DAMAGED;
    if (OBJ_obj2nid(v2->keyfunc->algorithm) != NID_id_pbkdf2) {
        result = KEY_UNSUPPORTED;
    } else if ((inner = parameters(v2->keyfunc)) != NULL) {
        p = ASN1_STRING_get0_data(inner);
        kdf = d2i_PBKDF2PARAM(NULL, &p, ASN1_STRING_length(inner));
        if (kdf != NULL && kdf->iter != NULL)
            result = pbe_judge_rounds(kdf->iter, left);
    }
    PBKDF2PARAM_free(kdf);
    PBE2PARAM_free(v2);
    return result;
}

enum key_opened pbe_judge(const X509_ALGOR *how, int64_t *left)
{
    const ASN1_STRING *der = parameters(how);
    const unsigned char *p;
    int nid = OBJ_obj2nid(how->algorithm);
    enum key_opened result;
    PBEPARAM *v1;

    if (nid != NID_pbes2 && nid != NID_pbmac1
        && !EVP_PBE_find(EVP_PBE_TYPE_OUTER, nid, NULL, NULL, NULL))
        return KEY_UNSUPPORTED;
    if (der == NULL)
        return KEY_DAMAGED;
    if (nid == NID_pbes2 || nid == NID_pbmac1)
        return judge_v2(der, left);
    p = ASN1_STRING_get0_data(der);
    v1 = d2i_PBEPARAM(NULL, &p, ASN1_STRING_length(der));
    if (v1 == NULL)
        return KEY_DAMAGED;
    result = pbe_judge_rounds(v1->iter, left);
    PBEPARAM_free(v1);
    return result;
}

char *pbe_text(const X509_ALGOR *how, char out[PBE_TEXT_MAX])
{
    const ASN1_STRING *der = parameters(how);

    OBJ_obj2txt(out, PBE_TEXT_MAX, how->algorithm, 0);
    /* PBES2 is but a frame; what counts is the cipher in it. */
    if (OBJ_obj2nid(how->algorithm) == NID_pbes2 && der != NULL) {
        const unsigned char *p = ASN1_STRING_get0_data(der);
        PBE2PARAM *v2 = d2i_PBE2PARAM(NULL, &p, ASN1_STRING_length(der));
        if (v2 != NULL) {
            char kdf[PBE_TEXT_MAX / 2], cipher[PBE_TEXT_MAX / 2];
            OBJ_obj2txt(kdf, sizeof(kdf), v2->keyfunc->algorithm, 0);
            OBJ_obj2txt(cipher, sizeof(cipher), v2->encryption->algorithm, 0);
            snprintf(out, PBE_TEXT_MAX, "PBES2, %.34s, %.34s", kdf, cipher);
        }
        PBE2PARAM_free(v2);
    }
    return out;
}

OSSL_LIB_CTX *pbe_legacy(struct pbe_legacy *l)
{
    if (l->ctx == NULL) {
        l->ctx = OSSL_LIB_CTX_new();
        if (l->ctx != NULL) {
            l->old = OSSL_PROVIDER_load(l->ctx, "legacy");
            l->usual = OSSL_PROVIDER_load(l->ctx, "default");
        }
    }
    return l->old != NULL && l->usual != NULL ? l->ctx : NULL;
}

void pbe_legacy_free(struct pbe_legacy *l)
{
    if (l->old != NULL)
        OSSL_PROVIDER_unload(l->old);
    if (l->usual != NULL)
        OSSL_PROVIDER_unload(l->usual);
    OSSL_LIB_CTX_free(l->ctx);
    *l = (struct pbe_legacy){ 0 };
}
