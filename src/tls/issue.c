#include "tls/issue.h"

#include <arpa/inet.h>
#include <openssl/asn1.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/addr.h"
#include "tls/certinfo.h"
#include "tls/sslerr.h"

#define BACKDATE 300            /* seconds, for clients whose clock is a little slow */

static int openssl_failed(struct err *e, const char *doing)
{
    char why[128];

    return err_setx(e, "%s: %s", doing, sslerr_text(why, sizeof(why)));
}

/* --- the plain fields --- */

static bool set_serial(X509 *x)
{
    unsigned char bytes[16];
    BIGNUM *n;
    bool ok;

    if (RAND_bytes(bytes, sizeof(bytes)) != 1)
        return false;
    bytes[0] = (unsigned char)((bytes[0] & 0x7f) | 0x40);   /* positive, and never shorter */
    n = BN_bin2bn(bytes, sizeof(bytes), NULL);
    ok = n != NULL && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x)) != NULL;
    BN_free(n);
    return ok;
}

static bool set_dates(X509 *x, const X509 *ca, int64_t seconds)
{
    time_t now = time(NULL);
    int days = (int)(seconds / 86400);
    long rest = (long)(seconds % 86400);

    if (X509_time_adj_ex(X509_getm_notBefore(x), 0, -BACKDATE, &now) == NULL
        || X509_time_adj_ex(X509_getm_notAfter(x), days, rest, &now) == NULL)
        return false;
    /* Nothing is valid for longer than its issuer. */
    if (ca != NULL && ASN1_TIME_compare(X509_get0_notAfter(x), X509_get0_notAfter(ca)) > 0)
        return X509_set1_notAfter(x, X509_get0_notAfter(ca)) == 1;
    return true;
}

static bool set_subject(X509 *x, const char *cn)
{
    X509_NAME *name = X509_get_subject_name(x);

    return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)cn, -1, -1,
                                      0) == 1;
}

/* Extensions whose text is ours alone; names come in as structures, never as text. */
static bool add_text_ext(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *ext;
    bool ok;

    X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
    ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    ok = ext != NULL && X509_add_ext(x, ext, -1) == 1;
    X509_EXTENSION_free(ext);
    return ok;
}

/* --- names --- */

static GENERAL_NAME *general_name(int type, const void *p, size_t len)
{
    GENERAL_NAME *g = GENERAL_NAME_new();
    ASN1_STRING *s = type == GEN_DNS ? ASN1_IA5STRING_new() : ASN1_OCTET_STRING_new();

    if (g == NULL || s == NULL || !ASN1_STRING_set(s, p, (int)len)) {
        GENERAL_NAME_free(g);
        ASN1_STRING_free(s);
        return NULL;
    }
    GENERAL_NAME_set0_value(g, type, s);
    return g;
}

static int push_name(GENERAL_NAMES *names, GENERAL_NAME *g, struct err *e)
{
    if (g != NULL && sk_GENERAL_NAME_push(names, g))
        return 0;
    GENERAL_NAME_free(g);
    return openssl_failed(e, "alternative name");
}

static bool plain_ascii(const char *s)
{
    for (; *s != '\0'; s++)
        if ((unsigned char)*s <= ' ' || (unsigned char)*s > '~')
            return false;
    return true;
}

static int fill_names(GENERAL_NAMES *names, const struct issue_names *in, struct err *e)
{
    unsigned char ip[16];

    for (size_t i = 0; i < in->ndns; i++) {
        if (in->dns[i][0] == '\0' || !plain_ascii(in->dns[i]))
            return err_setx(e, "\"%s\" is not a DNS name (an international one is written xn--…)",
                            in->dns[i]);
        if (push_name(names, general_name(GEN_DNS, in->dns[i], strlen(in->dns[i])), e) != 0)
            return -1;
    }
    for (size_t i = 0; i < in->nip; i++) {
        size_t len = inet_pton(AF_INET, in->ip[i], ip) == 1    ? 4
                     : inet_pton(AF_INET6, in->ip[i], ip) == 1 ? 16
                                                               : 0;
        if (len == 0)
            return err_setx(e, "\"%s\" is not an IP address", in->ip[i]);
        if (push_name(names, general_name(GEN_IPADD, ip, len), e) != 0)
            return -1;
    }
    return 0;
}

static int add_alternative_names(X509 *x, const struct issue_names *in, struct err *e)
{
    GENERAL_NAMES *names;
    int rc;

    if (in == NULL || in->ndns + in->nip == 0)
        return 0;
    names = GENERAL_NAMES_new();
    rc = names != NULL ? fill_names(names, in, e) : openssl_failed(e, "alternative names");
    if (rc == 0 && X509_add1_ext_i2d(x, NID_subject_alt_name, names, 0, 0) != 1)
        rc = openssl_failed(e, "alternative names");
    GENERAL_NAMES_free(names);
    return rc;
}

/* --- constraints of a CA --- */

static int push_subtree(STACK_OF(GENERAL_SUBTREE) **trees, GENERAL_NAME *base, struct err *e)
{
    GENERAL_SUBTREE *t = GENERAL_SUBTREE_new();

    if (*trees == NULL)
        *trees = sk_GENERAL_SUBTREE_new_null();
    if (base == NULL || t == NULL || *trees == NULL || !sk_GENERAL_SUBTREE_push(*trees, t)) {
        GENERAL_NAME_free(base);
        GENERAL_SUBTREE_free(t);
        return openssl_failed(e, "name constraints");
    }
    GENERAL_NAME_free(t->base);
    t->base = base;
    return 0;
}

static GENERAL_NAME *network_name(const struct cidr *c)
{
    unsigned char both[32] = { 0 };
    size_t len = c->family == AF_INET ? 4 : 16;

    memcpy(both, c->ip, len);
    for (size_t i = 0; i < c->bits; i++)
        both[len + i / 8] |= (unsigned char)(0x80u >> (i % 8));
    return general_name(GEN_IPADD, both, 2 * len);
}

static int fill_constraints(NAME_CONSTRAINTS *nc, const struct issue_names *in, struct err *e)
{
    for (size_t i = 0; i < in->ndns; i++) {
        if (in->dns[i][0] == '\0' || !plain_ascii(in->dns[i]))
            return err_setx(e, "\"%s\" is not a DNS name", in->dns[i]);
        if (push_subtree(&nc->permittedSubtrees,
                         general_name(GEN_DNS, in->dns[i], strlen(in->dns[i])), e) != 0)
            return -1;
    }
    for (size_t i = 0; i < in->nip; i++) {
        struct cidr c;
        if (cidr_parse(str_span(in->ip[i]), &c, e) != 0)
            return err_wrap(e, "\"%s\"", in->ip[i]);
        if (push_subtree(&nc->permittedSubtrees, network_name(&c), e) != 0)
            return -1;
    }
    /* RFC 5280 leaves a kind of name that is not mentioned free: forbid it. */
    if (in->ndns == 0
        && push_subtree(&nc->excludedSubtrees, general_name(GEN_DNS, "", 0), e) != 0)
        return -1;
    if (in->nip == 0
        && (push_subtree(&nc->excludedSubtrees,
                         network_name(&(struct cidr){ .family = AF_INET }), e) != 0
            || push_subtree(&nc->excludedSubtrees,
                            network_name(&(struct cidr){ .family = AF_INET6 }), e) != 0))
        return -1;
    return 0;
}

static int add_constraints(X509 *x, const struct issue_names *in, struct err *e)
{
    NAME_CONSTRAINTS *nc;
    int rc;

    if (in == NULL || in->ndns + in->nip == 0)
        return err_setx(e, "a CA needs at least one name that it may sign for");
    nc = NAME_CONSTRAINTS_new();
    rc = nc != NULL ? fill_constraints(nc, in, e) : openssl_failed(e, "name constraints");
    if (rc == 0 && X509_add1_ext_i2d(x, NID_name_constraints, nc, 1, 0) != 1)
        rc = openssl_failed(e, "name constraints");
    NAME_CONSTRAINTS_free(nc);
    return rc;
}

/* --- certificates --- */

/* Key, version, serial, subject, issuer, dates; `ca` NULL: its own issuer. */
static int begin(const struct issued *ca, const char *cn, int64_t seconds, struct issued *out,
                 struct err *e)
{
    *out = (struct issued){ 0 };
    sslerr_clear();
    if (seconds <= 0 || seconds / 86400 > 100000)
        return err_setx(e, "a validity of %lld seconds", (long long)seconds);
    if (strlen(cn) == 0 || strlen(cn) > 64)
        return err_setx(e, "a common name has 1 to 64 characters");
    out->key = EVP_EC_gen("P-256");
    out->cert = X509_new();
    if (out->key == NULL || out->cert == NULL || !X509_set_version(out->cert, X509_VERSION_3)
        || !set_serial(out->cert) || !set_subject(out->cert, cn)
        || !X509_set_issuer_name(out->cert, X509_get_subject_name(ca ? ca->cert : out->cert))
        || !set_dates(out->cert, ca ? ca->cert : NULL, seconds)
        || !X509_set_pubkey(out->cert, out->key))
        return openssl_failed(e, "certificate");
    return 0;
}

static int sign(const struct issued *ca, struct issued *out, struct err *e)
{
    if (!add_text_ext(out->cert, ca->cert, NID_subject_key_identifier, "hash")
        || !add_text_ext(out->cert, ca->cert, NID_authority_key_identifier, "keyid:always")
        || X509_sign(out->cert, ca->key, EVP_sha256()) <= 0)
        return openssl_failed(e, "signature");
    return 0;
}

int issue_ca(const char *cn, const struct issue_names *permitted, int64_t seconds,
             struct issued *out, struct err *e)
{
    if (begin(NULL, cn, seconds, out, e) != 0)
        goto fail;
    if (!add_text_ext(out->cert, out->cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0")
        || !add_text_ext(out->cert, out->cert, NID_key_usage, "critical,keyCertSign,cRLSign")) {
        openssl_failed(e, "extensions");
        goto fail;
    }
    if (add_constraints(out->cert, permitted, e) != 0 || sign(out, out, e) != 0)
        goto fail;
    sslerr_clear();
    return 0;
fail:
    issued_free(out);
    return -1;
}

int issue_leaf(const struct issued *ca, const char *cn, const struct issue_names *names,
               enum issue_use use, int64_t seconds, struct issued *out, struct err *e)
{
    const char *purpose = use == ISSUE_SERVER ? "serverAuth" : "clientAuth";

    if (begin(ca, cn, seconds, out, e) != 0)
        goto fail;
    if (!add_text_ext(out->cert, ca->cert, NID_basic_constraints, "critical,CA:FALSE")
        || !add_text_ext(out->cert, ca->cert, NID_key_usage, "critical,digitalSignature")
        || !add_text_ext(out->cert, ca->cert, NID_ext_key_usage, purpose)) {
        openssl_failed(e, "extensions");
        goto fail;
    }
    if (add_alternative_names(out->cert, names, e) != 0 || sign(ca, out, e) != 0)
        goto fail;
    sslerr_clear();
    return 0;
fail:
    issued_free(out);
    return -1;
}

/* --- PEM --- */

static char *bio_text(BIO *b)
{
    char *p, *out = NULL;
    long len = BIO_get_mem_data(b, &p);

    if (len > 0 && (out = malloc((size_t)len + 1)) != NULL) {
        memcpy(out, p, (size_t)len);
        out[len] = '\0';
    }
    return out;
}

char *issue_cert_pem(const struct issued *i)
{
    BIO *b = BIO_new(BIO_s_mem());
    char *out = b != NULL && PEM_write_bio_X509(b, i->cert) ? bio_text(b) : NULL;

    BIO_free(b);
    sslerr_clear();
    return out;
}

char *issue_key_pem(const struct issued *i)
{
    BIO *b = BIO_new(BIO_s_mem());      /* wipes its memory when freed */
    char *out = b != NULL && PEM_write_bio_PrivateKey(b, i->key, NULL, NULL, 0, NULL, NULL)
                    ? bio_text(b)
                    : NULL;

    BIO_free(b);
    sslerr_clear();
    return out;
}

void issued_free(struct issued *i)
{
    EVP_PKEY_free(i->key);
    X509_free(i->cert);
    *i = (struct issued){ 0 };
}
