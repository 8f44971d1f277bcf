#include "tls/facts.h"

#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tls/certinfo.h"
#include "tls/sslerr.h"

static char *hex(const ASN1_INTEGER *n)
{
    BIGNUM *b = n != NULL ? ASN1_INTEGER_to_BN(n, NULL) : NULL;
    char *text = b != NULL ? BN_bn2hex(b) : NULL;
    char *out = text != NULL ? mem_strdup(text) : NULL;

    OPENSSL_free(text);
    BN_free(b);
    return out;
}

static char *digest_text(const unsigned char *d, unsigned len)
{
    char *out = mem_zalloc(2 * (size_t)len + 1);

    for (unsigned i = 0; i < len; i++)
        snprintf(out + 2 * i, 3, "%02x", d[i]);
    return out;
}

/* Of the SubjectPublicKeyInfo as it stands in the certificate. */
static char *spki_digest(X509 *x)
{
    unsigned char d[EVP_MAX_MD_SIZE], *der = NULL;
    unsigned len = 0;
    int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);

    if (n <= 0 || EVP_Digest(der, (size_t)n, d, &len, EVP_sha256(), NULL) != 1)
        len = 0;
    OPENSSL_free(der);
    return digest_text(d, len);
}

void fact_of_cert(X509 *x, struct fact *out)
{
    char text[CERT_TEXT_MAX], key[KEY_TEXT_MAX];
    unsigned char d[EVP_MAX_MD_SIZE];
    EVP_PKEY *pub = X509_get0_pubkey(x);
    unsigned len = 0;

    out->name = mem_strdup(cert_subject(x, text));
    out->subject = name_full(X509_get_subject_name(x));
    out->issuer = name_full(X509_get_issuer_name(x));
    out->serial = hex(X509_get0_serialNumber(x));
    out->names = cert_names(x);
    out->key = mem_strdup(pub != NULL ? key_text(pub, key) : "unknown");
    if (X509_digest(x, EVP_sha256(), d, &len) != 1)
        len = 0;
    out->sha256 = digest_text(d, len);
    out->spki_sha256 = spki_digest(x);
    out->not_before = time_of(X509_get0_notBefore(x));
    out->not_after = time_of(X509_get0_notAfter(x));
    out->ca = cert_is_ca(x);
    out->self_signed = cert_self_signed(x);
    out->version = (int)X509_get_version(x) + 1;
    sslerr_clear();
}

void fact_of_crl(X509_CRL *crl, struct fact *out)
{
    ASN1_INTEGER *number = X509_CRL_get_ext_d2i(crl, NID_crl_number, NULL, NULL);
    const ASN1_TIME *next = X509_CRL_get0_nextUpdate(crl);
    char text[CERT_TEXT_MAX];
    unsigned char d[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    out->kind = FACT_CRL;
    out->name = mem_strdup(name_text(X509_CRL_get_issuer(crl), text));
    out->issuer = name_full(X509_CRL_get_issuer(crl));
    out->serial = hex(number);
    if (X509_CRL_digest(crl, EVP_sha256(), d, &len) != 1)
        len = 0;
    out->sha256 = digest_text(d, len);
    out->not_before = time_of(X509_CRL_get0_lastUpdate(crl));
    out->not_after = next != NULL ? time_of(next) : INT64_MAX;
    out->version = (int)X509_CRL_get_version(crl) + 1;
    ASN1_INTEGER_free(number);
    sslerr_clear();
}

#define TEXTS 10

static void texts_of(struct fact *f, char **out[TEXTS])
{
    char **all[TEXTS] = { &f->path, &f->alias, &f->name, &f->subject, &f->issuer,
                          &f->serial, &f->names, &f->key, &f->sha256,
                          &f->spki_sha256 };

    memcpy(out, all, sizeof(all));
}

void fact_free(struct fact *f)
{
    char **texts[TEXTS];

    texts_of(f, texts);
    for (size_t i = 0; i < TEXTS; i++)
        free(*texts[i]);
    *f = (struct fact){ 0 };
}

void fact_pack(const struct fact *f, struct pack *k)
{
    struct fact copy = *f;
    char **texts[TEXTS];

    texts_of(&copy, texts);
    pack_u32(k, (uint32_t)f->kind);
    pack_u32(k, (uint32_t)f->version | (f->ca ? 0x100u : 0) | (f->self_signed ? 0x200u : 0));
    pack_u64(k, (uint64_t)f->not_before);
    pack_u64(k, (uint64_t)f->not_after);
    pack_u64(k, (uint64_t)f->file_time);
    for (size_t i = 0; i < TEXTS; i++)
        pack_text(k, *texts[i]);
}

bool fact_view(struct unpack *u, struct fact *out)
{
    uint32_t kind = unpack_u32(u), bits = unpack_u32(u);
    char **texts[TEXTS];

    *out = (struct fact){ .kind = (enum fact_kind)kind, .version = (int)(bits & 0xff),
                          .ca = bits & 0x100, .self_signed = bits & 0x200 };
    out->not_before = (int64_t)unpack_u64(u);
    out->not_after = (int64_t)unpack_u64(u);
    out->file_time = (int64_t)unpack_u64(u);
    texts_of(out, texts);
    for (size_t i = 0; i < TEXTS; i++)
        *texts[i] = (char *)(uintptr_t)unpack_text(u);
    if (!u->bad && kind <= FACT_CRL && out->name != NULL && out->path != NULL
        && out->sha256 != NULL && out->issuer != NULL)
        return true;
    *out = (struct fact){ 0 };
    return false;
}
