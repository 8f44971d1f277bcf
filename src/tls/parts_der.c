/* DER: one certificate or several in a row, or one key. */
#include <limits.h>
#include <openssl/evp.h>
#include <openssl/pkcs7.h>
#include <openssl/x509.h>
#include <stdio.h>

#include "base/mem.h"
#include "tls/parts.h"
#include "tls/sslerr.h"

/* Length of the outermost element with its head; 0 when that makes no sense. */
static size_t element_length(const uint8_t *p, size_t len)
{
    long body;
    int tag, class;
    const uint8_t *q = p;

    if (len > INT_MAX || (ASN1_get_object(&q, &body, &tag, &class, (long)len) & 0x80) != 0)
        return 0;
    return (size_t)(q - p) + (size_t)body;
}

bool parts_cut_short(const uint8_t *p, size_t len, size_t *whole)
{
    long body = 0;
    int tag, class;
    const uint8_t *q = p;

    if (len > INT_MAX || (ASN1_get_object(&q, &body, &tag, &class, (long)len) & 0x80) == 0)
        return false;
    *whole = (size_t)(q - p) + (size_t)body;
    sslerr_clear();
    return body > 0 && *whole > len;
}

static bool is_element(const uint8_t *p, size_t len, int tag)
{
    return len > 0 && p[0] == tag;
}

/* The form of a key is plain from its first two members. */
static bool key_form(const uint8_t *p, size_t len, enum key_form *form)
{
    long body;
    int tag, class;
    const uint8_t *q = p, *end = p + len;
    size_t first;

    if (ASN1_get_object(&q, &body, &tag, &class, (long)len) & 0x80)
        return false;
    if (is_element(q, (size_t)(end - q), V_ASN1_SEQUENCE | V_ASN1_CONSTRUCTED)) {
        first = element_length(q, (size_t)(end - q));
        *form = KEY_PKCS8_ENCRYPTED;
        return first > 0 && is_element(q + first, (size_t)(end - q) - first, V_ASN1_OCTET_STRING);
    }
    if (!is_element(q, (size_t)(end - q), V_ASN1_INTEGER))
        return false;
    first = element_length(q, (size_t)(end - q));
    if (first == 0)
        return false;
    q += first;
    if (is_element(q, (size_t)(end - q), V_ASN1_SEQUENCE | V_ASN1_CONSTRUCTED))
        *form = KEY_PKCS8;
    else if (is_element(q, (size_t)(end - q), V_ASN1_OCTET_STRING))
        *form = KEY_EC;
    else if (is_element(q, (size_t)(end - q), V_ASN1_INTEGER))
        *form = KEY_RSA;        /* or DSA: both are rows of numbers; DSA has six of them */
    else
        return false;
    if (*form == KEY_RSA) {
        int numbers = 1;
        for (size_t n; q < end && (n = element_length(q, (size_t)(end - q))) > 0; q += n)
            numbers++;
        if (numbers == 6)
            *form = KEY_DSA;
    }
    return true;
}

/* SEQUENCE { SEQUENCE { SEQUENCE { OID ... }, OCTET STRING }, ...: a BCFKS keystore. An
   encrypted key has one SEQUENCE less, and a list of revocations no OCTET STRING. */
static bool is_bcfks(const uint8_t *p, size_t len)
{
    const uint8_t *end = p + len, *q = p;
    long body;
    int tag, class;
    size_t first;

    for (int i = 0; i < 2; i++)
        if (!is_element(q, (size_t)(end - q), V_ASN1_SEQUENCE | V_ASN1_CONSTRUCTED)
            || (ASN1_get_object(&q, &body, &tag, &class, (long)(end - q)) & 0x80))
            return false;
    first = is_element(q, (size_t)(end - q), V_ASN1_SEQUENCE | V_ASN1_CONSTRUCTED)
                ? element_length(q, (size_t)(end - q)) : 0;
    if (first == 0 || !is_element(q + first, (size_t)(end - q) - first, V_ASN1_OCTET_STRING))
        return false;
    return !(ASN1_get_object(&q, &body, &tag, &class, (long)(end - q)) & 0x80)
        && is_element(q, (size_t)(end - q), V_ASN1_OBJECT);
}

static enum alien other_kind(const uint8_t *p, size_t len)
{
    const uint8_t *q = p;
    enum alien found = ALIEN_NONE;
    X509_REQ *req = NULL;
    X509_CRL *crl = NULL;
    EVP_PKEY *pub = NULL;
    PKCS7 *p7 = NULL;

    if (is_bcfks(p, len))
        return ALIEN_BCFKS;
    if ((req = d2i_X509_REQ(NULL, &q, (long)len)) != NULL)
        found = ALIEN_CSR;
    else if (q = p, (crl = d2i_X509_CRL(NULL, &q, (long)len)) != NULL)
        found = ALIEN_CRL;
    else if (q = p, (pub = d2i_PUBKEY(NULL, &q, (long)len)) != NULL)
        found = ALIEN_PUBLIC_KEY;
    else if (q = p, (p7 = d2i_PKCS7(NULL, &q, (long)len)) != NULL)
        found = ALIEN_PKCS7;
    X509_REQ_free(req);
    X509_CRL_free(crl);
    EVP_PKEY_free(pub);
    PKCS7_free(p7);
    sslerr_clear();
    return found;
}

static int add_key(struct parts *out, enum key_form form, const char *password, struct diags *d)
{
    uint8_t *copy = mem_dup(out->in->data, out->in->len);
    char no_dek[] = "";
    int rc = parts_add_key(out, form, no_dek, copy, out->in->len, 0, password, d);

    mem_wipe_free(copy, out->in->len);
    return rc;
}

static int refuse(const struct parts *out, const char *why, struct diags *d)
{
    diag_add(d, DIAG_ERROR, out->in->where, "make a new copy of the file",
             "%s looks like DER, but %s", out->in->path, why);
    return -1;
}

static int add_crls(struct parts *out, const uint8_t *p, const uint8_t *end, struct diags *d)
{
    for (X509_CRL *c; p < end && (c = d2i_X509_CRL(NULL, &p, (long)(end - p))) != NULL;)
        parts_add_crl(out, c);
    sslerr_clear();
    if (out->use == PARTS_TRUST_FILE)
        out->alien = ALIEN_CRL;
    return p < end ? refuse(out, "there are other bytes behind the CRL", d) : 0;
}

static int refuse_length(const struct parts *out, struct diags *d)
{
    char why[80] = "it is cut short or damaged";
    size_t whole;

    if (parts_cut_short(out->in->data, out->in->len, &whole))
        snprintf(why, sizeof(why), "it is cut short: %zu of %zu bytes are there", out->in->len,
                 whole);
    return refuse(out, why, d);
}

int parts_der(struct parts *out, const struct passwords *pw, struct diags *d)
{
    const uint8_t *p = out->in->data, *end = p + out->in->len;
    size_t whole = element_length(p, out->in->len);
    enum key_form form;

    sslerr_clear();
    if (whole == 0)
        return refuse_length(out, d);
    for (X509 *x; p < end && (x = d2i_X509(NULL, &p, (long)(end - p))) != NULL;)
        parts_add_cert(out, x, false);
    sslerr_clear();
    if (out->ncerts > 0 && p < end)
        return refuse(out, "there are other bytes behind the certificate", d);
    if (out->ncerts > 0)
        return 0;
    enum alien kind = other_kind(p, out->in->len);
    if (kind == ALIEN_CRL && parts_wants_crls(out))
        return add_crls(out, p, end, d);
    parts_add_alien(out, kind, p, out->in->len);
    if (kind != ALIEN_NONE)
        return 0;
    if (!key_form(p, out->in->len, &form))
        return refuse(out, "it is neither a certificate nor a key, or it is damaged", d);
    if (whole != out->in->len)
        return refuse(out, "there are other bytes behind the key", d);
    return add_key(out, form, key_password(pw), d);
}
