#include "tls/identity.h"

#include <arpa/inet.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tls/certinfo.h"
#include "tls/sslerr.h"

/* This runs for every connection: memory may be out, and then only it is lost. */

static char *dup_bytes(const void *p, size_t len)
{
    char *copy = malloc(len + 1);

    if (copy == NULL)
        return NULL;
    memcpy(copy, p, len);
    copy[len] = '\0';
    return copy;
}

static char *whole_name(const X509_NAME *name)
{
    /* Control characters (NUL is \00) stay escaped, UTF-8 stays UTF-8. */
    static const unsigned long flags = XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB;
    BIO *b = BIO_new(BIO_s_mem());
    char *p, *out;

    if (b == NULL)
        return NULL;
    if (X509_NAME_print_ex(b, name, 0, flags) >= 0) {
        long len = BIO_get_mem_data(b, &p);
        out = dup_bytes(len > 0 ? p : "", len > 0 ? (size_t)len : 0);
    } else {
        out = dup_bytes("?", 1);    /* a text OpenSSL cannot read: no reason to end here */
    }
    BIO_free(b);
    return out;
}

static char *serial_text(const X509 *x)
{
    BIGNUM *n = ASN1_INTEGER_to_BN(X509_get0_serialNumber(x), NULL);
    char *hex = n != NULL ? BN_bn2hex(n) : NULL;
    char *out = hex != NULL ? dup_bytes(hex, strlen(hex)) : NULL;

    for (char *c = out; c != NULL && *c != '\0'; c++)
        if (*c >= 'A' && *c <= 'F')
            *c = (char)(*c - 'A' + 'a');
    OPENSSL_free(hex);
    BN_free(n);
    return out;
}

static void hex(const unsigned char digest[32], char out[65])
{
    for (unsigned i = 0; i < 32; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

static bool fingerprint(const X509 *x, char out[65])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len;

    if (X509_digest(x, EVP_sha256(), digest, &len) != 1 || len != 32)
        return false;
    hex(digest, out);
    return true;
}

static bool key_pin(const X509 *x, char out[65])
{
    unsigned char *der = NULL, digest[EVP_MAX_MD_SIZE];
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);
    unsigned size = 0;
    bool ok = len > 0 && EVP_Digest(der, (size_t)len, digest, &size, EVP_sha256(), NULL) == 1
           && size == 32;

    OPENSSL_free(der);
    if (ok)
        hex(digest, out);
    return ok;
}

static bool add(struct identity *id, enum identity_kind kind, const void *p, int len)
{
    struct identity_name *grown = realloc(id->names, (id->nnames + 1) * sizeof(*grown));
    char *copy;

    if (grown == NULL)
        return false;
    id->names = grown;
    copy = dup_bytes(p, len > 0 ? (size_t)len : 0);
    if (copy == NULL)
        return false;
    id->names[id->nnames++] =
        (struct identity_name){ kind, { copy, len > 0 ? (size_t)len : 0 } };
    return true;
}

static bool add_subject(struct identity *id, const X509_NAME *name, int nid,
                        enum identity_kind kind)
{
    for (int i = -1; (i = X509_NAME_get_index_by_NID(name, nid, i)) >= 0;) {
        unsigned char *utf8 = NULL;
        const X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, i);
        int len = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(entry));
        bool ok = len < 0 || add(id, kind, utf8, len);
        OPENSSL_free(utf8);
        if (!ok)
            return false;
    }
    return true;
}

static bool add_alternative(struct identity *id, const GENERAL_NAME *g)
{
    int type;
    const ASN1_STRING *s = GENERAL_NAME_get0_value(g, &type);
    char ip[INET6_ADDRSTRLEN];

    switch (type) {
    case GEN_DNS:
        return add(id, ID_DNS, ASN1_STRING_get0_data(s), ASN1_STRING_length(s));
    case GEN_URI:
        return add(id, ID_URI, ASN1_STRING_get0_data(s), ASN1_STRING_length(s));
    case GEN_EMAIL:
        return add(id, ID_EMAIL, ASN1_STRING_get0_data(s), ASN1_STRING_length(s));
    case GEN_IPADD: {
        int len = ASN1_STRING_length(s);
        if ((len != 4 && len != 16)
            || !inet_ntop(len == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(s), ip, sizeof(ip)))
            return true;
        return add(id, ID_IP, ip, (int)strlen(ip));
    }
    default:
        return true;
    }
}

static bool add_alternatives(struct identity *id, X509 *x)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    bool ok = true;

    for (int i = 0; i < sk_GENERAL_NAME_num(names) && ok; i++)
        ok = add_alternative(id, sk_GENERAL_NAME_value(names, i));
    GENERAL_NAMES_free(names);
    return ok;
}

/* A name that says what it names comes before one that needs a context. Of several
   CNs the last is the most specific, of the others the first is taken. */
static void choose_best(struct identity *id)
{
    static const enum identity_kind order[] = { ID_URI, ID_CN, ID_DNS, ID_EMAIL, ID_IP, ID_OU,
                                                ID_O };

    for (size_t k = 0; k < sizeof(order) / sizeof(order[0]) && id->best == NULL; k++) {
        for (size_t i = 0; i < id->nnames; i++) {
            if (id->names[i].kind != order[k])
                continue;
            id->best = &id->names[i];
            if (order[k] != ID_CN)
                break;
        }
    }
}

struct identity *identity_of(X509 *leaf)
{
    struct identity *id = calloc(1, sizeof(*id));
    const X509_NAME *subject = X509_get_subject_name(leaf);

    if (id == NULL)
        return NULL;
    id->subject = whole_name(subject);
    id->issuer = whole_name(X509_get_issuer_name(leaf));
    id->serial = serial_text(leaf);
    id->not_after = time_of(X509_get0_notAfter(leaf));
    if (id->subject == NULL || id->issuer == NULL || id->serial == NULL
        || !fingerprint(leaf, id->sha256) || !key_pin(leaf, id->pin)
        || !add_subject(id, subject, NID_commonName, ID_CN)
        || !add_subject(id, subject, NID_organizationalUnitName, ID_OU)
        || !add_subject(id, subject, NID_organizationName, ID_O) || !add_alternatives(id, leaf)) {
        identity_free(id);
        id = NULL;
    } else {
        choose_best(id);
    }
    sslerr_clear();
    return id;
}

static void free_name(struct identity_name *n)
{
    char *text;

    memcpy(&text, &n->text.p, sizeof(text));
    free(text);
}

void identity_trim(struct identity *id)
{
    size_t kept = 0, best = 0;

    if (id->best == NULL)
        return;                 /* then there are none */
    for (size_t i = 0; i < id->nnames; i++) {
        struct identity_name *n = &id->names[i];
        if (n != id->best && n->kind != ID_CN) {
            free_name(n);
            continue;
        }
        if (n == id->best)
            best = kept;
        id->names[kept++] = *n;
    }
    struct identity_name *fewer = realloc(id->names, kept * sizeof(*fewer));
    id->names = fewer != NULL ? fewer : id->names;
    id->nnames = kept;
    id->best = &id->names[best];
}

void identity_free(struct identity *id)
{
    if (id == NULL)
        return;
    for (size_t i = 0; i < id->nnames; i++)
        free_name(&id->names[i]);
    free(id->names);
    free(id->subject);
    free(id->issuer);
    free(id->serial);
    free(id);
}

/* What fits of s, with control characters and the backslash as \xNN: a NUL must not
   end a name early, nor one that spells \x00 look as if it had a NUL. UTF-8 stays. */
static void show(char *out, size_t cap, struct span s)
{
    size_t len = 0;

    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool plain = c >= 0x20 && c != 0x7f && c != '\\';
        if (len + (plain ? 1 : 4) >= cap)
            break;
        if (plain)
            out[len++] = (char)c;
        else
            len += (size_t)snprintf(out + len, cap - len, "\\x%02x", c);
    }
    out[len] = '\0';
}

char *identity_text(const struct identity *id, char *out, size_t cap)
{
    static const char *const kinds[] = {
        [ID_CN] = "cn", [ID_OU] = "ou", [ID_O] = "o",         [ID_DNS] = "dns",
        [ID_URI] = "uri", [ID_IP] = "ip", [ID_EMAIL] = "email",
    };

    if (id->best == NULL) {
        snprintf(out, cap, "serial:%s", id->serial);
        return out;
    }
    int n = snprintf(out, cap, "%s:", kinds[id->best->kind]);
    if (n >= 0 && (size_t)n < cap)
        show(out + n, cap - (size_t)n, id->best->text);
    return out;
}
