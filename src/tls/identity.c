#include "tls/identity.h"

#include <arpa/inet.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tls/certinfo.h"
#include "tls/sslerr.h"

/* This runs for every connection: memory may be out, and then only it is lost. */

/* What goes into the one block, until its size is known. */
struct item {
    enum identity_kind kind;
    size_t at, len;             /* in the text */
};

struct gather {
    char *text;
    size_t len, room;
    struct item *items;
    size_t n, items_room;
    size_t issuer, serial;      /* where they begin */
    size_t names_size;          /* of all names, those that were too many, too */
    bool incomplete;
};

static bool put(struct gather *g, const void *p, size_t len)
{
    if (g->room - g->len <= len) {
        size_t room = 2 * g->room + len + 256;
        char *grown = realloc(g->text, room);
        if (grown == NULL)
            return false;
        g->text = grown;
        g->room = room;
    }
    memcpy(g->text + g->len, p, len);
    g->text[g->len + len] = '\0';
    g->len += len + 1;
    return true;
}

/* Not in the middle of a character. */
static size_t cut_at(const char *utf8, size_t max)
{
    while (max > 0 && ((unsigned char)utf8[max] & 0xc0) == 0x80)
        max--;
    return max;
}

static bool put_whole_name(struct gather *g, const X509_NAME *name)
{
    /* Control characters (NUL is \00) stay escaped, UTF-8 stays UTF-8. */
    static const unsigned long flags = XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB;
    static const char dots[] = "...";
    BIO *b = BIO_new(BIO_s_mem());
    char *p;
    bool ok;

    if (b == NULL)
        return false;
    if (X509_NAME_print_ex(b, name, 0, flags) >= 0) {
        long said = BIO_get_mem_data(b, &p);
        size_t len = said > 0 ? (size_t)said : 0;
        if (len > IDENTITY_SUBJECT_MAX) {
            len = cut_at(p, IDENTITY_SUBJECT_MAX - strlen(dots));
            memcpy(p + len, dots, strlen(dots));
            len += strlen(dots);
        }
        ok = put(g, len > 0 ? p : "", len);
    } else {
        ok = put(g, "?", 1);    /* a text OpenSSL cannot read: no reason to end here */
    }
    BIO_free(b);
    return ok;
}

static bool put_serial(struct gather *g, const X509 *x)
{
    BIGNUM *n = ASN1_INTEGER_to_BN(X509_get0_serialNumber(x), NULL);
    char *hex = n != NULL ? BN_bn2hex(n) : NULL;

    for (char *c = hex; c != NULL && *c != '\0'; c++)
        if (*c >= 'A' && *c <= 'F')
            *c = (char)(*c - 'A' + 'a');
    bool ok = hex != NULL && put(g, hex, strlen(hex));
    OPENSSL_free(hex);
    BN_free(n);
    return ok;
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

static bool add(struct gather *g, enum identity_kind kind, const void *p, int length)
{
    size_t len = length > 0 ? (size_t)length : 0;

    g->names_size += len + 1 + sizeof(struct identity_name);
    if (g->names_size > IDENTITY_NAMES_MAX) {
        g->incomplete = true;
        return true;
    }
    if (g->n == g->items_room) {
        size_t room = 2 * g->items_room + 8;
        struct item *grown = realloc(g->items, room * sizeof(*grown));
        if (grown == NULL)
            return false;
        g->items = grown;
        g->items_room = room;
    }
    g->items[g->n++] = (struct item){ kind, g->len, len };
    return put(g, len > 0 ? p : "", len);
}

static bool add_subject(struct gather *g, const X509_NAME *name, int nid,
                        enum identity_kind kind)
{
    for (int i = -1; (i = X509_NAME_get_index_by_NID(name, nid, i)) >= 0;) {
        unsigned char *utf8 = NULL;
        const X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, i);
        int len = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(entry));
        bool ok = len < 0 || add(g, kind, utf8, len);
        g->incomplete = g->incomplete || len < 0;
        OPENSSL_free(utf8);
        if (!ok)
            return false;
    }
    return true;
}

static bool add_alternative(struct gather *g, const GENERAL_NAME *name)
{
    int type;
    const ASN1_STRING *s = GENERAL_NAME_get0_value(name, &type);
    char ip[INET6_ADDRSTRLEN];

    switch (type) {
    case GEN_DNS:
        return add(g, ID_DNS, ASN1_STRING_get0_data(s), ASN1_STRING_length(s));
    case GEN_URI:
        return add(g, ID_URI, ASN1_STRING_get0_data(s), ASN1_STRING_length(s));
    case GEN_EMAIL:
        return add(g, ID_EMAIL, ASN1_STRING_get0_data(s), ASN1_STRING_length(s));
    case GEN_IPADD: {
        int len = ASN1_STRING_length(s), family = len == 4 ? AF_INET : AF_INET6;
        if ((len != 4 && len != 16)
            || inet_ntop(family, ASN1_STRING_get0_data(s), ip, sizeof(ip)) == NULL) {
            g->incomplete = true;
            return true;
        }
        return add(g, ID_IP, ip, (int)strlen(ip));
    }
    default:
        return true;
    }
}

static bool add_alternatives(struct gather *g, X509 *x)
{
    int critical;               /* -1: it has none */
    GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, &critical, NULL);
    bool ok = true;

    g->incomplete = g->incomplete || (names == NULL && critical != -1);
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && ok; i++)
        ok = add_alternative(g, sk_GENERAL_NAME_value(names, i));
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

/* One block: the identity, its names, all texts. */
static struct identity *pack(const struct gather *g)
{
    size_t names = g->n * sizeof(struct identity_name);
    struct identity *id = calloc(1, sizeof(*id) + names + g->len);
    char *text;

    if (id == NULL)
        return NULL;
    id->names = (struct identity_name *)(void *)(id + 1);
    id->nnames = g->n;
    id->incomplete = g->incomplete;
    text = (char *)(id->names + g->n);
    memcpy(text, g->text, g->len);
    id->subject = text;
    id->issuer = text + g->issuer;
    id->serial = text + g->serial;
    for (size_t i = 0; i < g->n; i++)
        id->names[i] = (struct identity_name){ g->items[i].kind,
                                               { text + g->items[i].at, g->items[i].len } };
    choose_best(id);
    return id;
}

static bool put_texts(struct gather *g, const X509 *x)
{
    if (!put_whole_name(g, X509_get_subject_name(x)))
        return false;
    g->issuer = g->len;
    if (!put_whole_name(g, X509_get_issuer_name(x)))
        return false;
    g->serial = g->len;
    return put_serial(g, x);
}

struct identity *identity_of(X509 *leaf)
{
    const X509_NAME *subject = X509_get_subject_name(leaf);
    struct gather g = { 0 };
    struct identity *id = NULL;

    if (put_texts(&g, leaf) && add_subject(&g, subject, NID_commonName, ID_CN)
        && add_subject(&g, subject, NID_organizationalUnitName, ID_OU)
        && add_subject(&g, subject, NID_organizationName, ID_O) && add_alternatives(&g, leaf))
        id = pack(&g);
    free(g.text);
    free(g.items);
    if (id != NULL && fingerprint(leaf, id->sha256) && key_pin(leaf, id->pin)) {
        id->not_after = time_of(X509_get0_notAfter(leaf));
    } else {
        identity_free(id);
        id = NULL;
    }
    sslerr_clear();
    return id;
}

void identity_free(struct identity *id)
{
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

char *identity_name_text(const struct identity_name *name, char *out, size_t cap)
{
    static const char *const kinds[] = {
        [ID_CN] = "cn", [ID_OU] = "ou", [ID_O] = "o",         [ID_DNS] = "dns",
        [ID_URI] = "uri", [ID_IP] = "ip", [ID_EMAIL] = "email",
    };
    int n = snprintf(out, cap, "%s:", kinds[name->kind]);

    if (n >= 0 && (size_t)n < cap)
        show(out + n, cap - (size_t)n, name->text);
    return out;
}

char *identity_text(const struct identity *id, char *out, size_t cap)
{
    if (id->best != NULL)
        return identity_name_text(id->best, out, cap);
    snprintf(out, cap, "serial:%s", id->serial);
    return out;
}
