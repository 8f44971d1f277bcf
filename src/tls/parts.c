#include "tls/parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "proto/jks.h"
#include "tls/own_passwords.h"
#include "tls/sslerr.h"

static const char *wanted(enum parts_use use)
{
    switch (use) {
    case PARTS_KEY_FILE:
        return "private key";
    case PARTS_PAIR_FILE:
        return "certificate or its private key";
    case PARTS_CRL_FILE:
        return "certificate revocation list";
    case PARTS_SHOW:
        return "key, certificate or certificate revocation list";
    default:
        return "certificate";
    }
}

static int refuse_alien(struct parts *p, enum alien a, struct diags *d)
{
    char *hint = alien_hint(a, p->use, p->in->path);

    p->stray = a == ALIEN_CSR || a == ALIEN_PUBLIC_KEY || a == ALIEN_CRL || a == ALIEN_PARAMETERS
               || a == ALIEN_PGP;
    diag_add(d, DIAG_ERROR, p->in->where, hint, "%s is %s, not a %s", p->in->path, alien_text(a),
             wanted(p->use));
    free(hint);
    return -1;
}

#define LOOKED_AT 16
#define SHOWN 4

/* Of text nothing is shown: it may be a password that was named as a certificate. */
static bool is_text(struct span s)
{
    for (size_t i = 0; i < s.len && i < LOOKED_AT; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if ((c < ' ' && c != '\n' && c != '\r' && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

/* What is left of PEM when lines of it are missing. */
static bool is_like_pem(struct span s)
{
    return memmem(s.p, s.len, "-----", 5) != NULL || (s.len >= 3 && memcmp(s.p, "MII", 3) == 0);
}

static int refuse_unknown(struct parts *p, struct diags *d)
{
    struct span all = { (const char *)p->in->data, p->in->len };
    char first[SHOWN * 4 + 1] = "";
    bool text = is_text(all);

    p->stray = text && !is_like_pem(all);
    if (!text)
        str_escape(first, sizeof(first),
                   (struct span){ all.p, all.len < SHOWN ? all.len : SHOWN });
    diag_add(d, DIAG_ERROR, p->in->where, "a PEM file has a line that begins with -----BEGIN",
             "%s is neither PEM nor DER%s%s%s", p->in->path,
             text ? ", but other text" : "; it begins with \"", first, text ? "" : "\"");
    return -1;
}

static int refuse_empty_keystore(const struct parts *p, struct diags *d)
{
    const char *hint = p->alien == ALIEN_SECRET_KEY
        ? "a secret key is for other uses: keytool -genkeypair makes a key for TLS" : NULL;

    if (p->use == PARTS_KEY_FILE)
        diag_add(d, DIAG_ERROR, p->in->where, hint,
                 "no private key entry in %s (%zu trusted certificate%s)", p->in->path,
                 p->ncerts, p->ncerts == 1 ? "" : "s");
    else if (p->use == PARTS_CRL_FILE)
        diag_add(d, DIAG_ERROR, p->in->where, "name the CRL as a file of its own, PEM or DER",
                 "%s is %s, which holds no certificate revocation list", p->in->path,
                 parts_form_text(p));
    else
        diag_add(d, DIAG_ERROR, p->in->where, hint, "%s is %s without a certificate", p->in->path,
                 parts_form_text(p));
    return -1;
}

/* Read, but what was wanted is not in it. */
static int refuse_empty(struct parts *p, struct diags *d)
{
    const char *path = p->in->path;
    bool has_key = p->nkeys + p->nclosed > 0;

    if (parts_is_keystore(p))
        return refuse_empty_keystore(p, d);
    if (p->alien != ALIEN_NONE && (p->alien != ALIEN_PARAMETERS || p->use == PARTS_PAIR_FILE))
        return refuse_alien(p, p->alien, d);
    if (p->use == PARTS_PAIR_FILE)
        diag_add(d, DIAG_ERROR, p->in->where, NULL, "%s holds no certificate and no private key",
                 path);
    else if (p->use == PARTS_CRL_FILE && (has_key || p->ncerts > 0))
        diag_add(d, DIAG_ERROR, p->in->where,
                 "the certificate of a CA goes into the setting `ca`, its CRL here",
                 "%s holds a %s and no certificate revocation list", path,
                 p->ncerts > 0 ? "certificate" : "private key");
    else if (p->use != PARTS_KEY_FILE && has_key)
        diag_add(d, DIAG_ERROR, p->in->where,
                 p->use == PARTS_CERT_FILE
                     ? "a key goes into the setting `key`, its certificate here"
                     : "name the certificate of the CA; its key is not needed",
                 "%s holds a private key and no certificate", path);
    else if (p->use == PARTS_KEY_FILE && p->ncerts > 0)
        diag_add(d, DIAG_ERROR, p->in->where,
                 "a certificate goes into the setting `cert`, its private key here",
                 "%s holds a certificate and no private key", path);
    else
        diag_add(d, DIAG_ERROR, p->in->where, NULL, "%s holds no %s", path, wanted(p->use));
    return -1;
}

static bool has_what_is_wanted(const struct parts *p)
{
    switch (p->use) {
    case PARTS_KEY_FILE: return p->nkeys > 0;
    case PARTS_PAIR_FILE: return p->nkeys + p->ncerts > 0;
    case PARTS_CRL_FILE: return p->ncrls > 0;
    case PARTS_SHOW:
        return parts_is_keystore(p) || p->ncerts + p->nkeys + p->ncrls + p->nothers > 0;
    default: return p->ncerts > 0;
    }
}

static bool has_pem(const uint8_t *p, size_t len)
{
    return memmem(p, len, "-----BEGIN", 10) != NULL;
}

/* SEQUENCE { INTEGER 3, ... in DER or BER is PKCS#12's version. */
static bool is_pkcs12(const uint8_t *p, size_t len)
{
    size_t at = 2;

    if (len < 2 || p[0] != 0x30)
        return false;
    if (p[1] & 0x80)
        at += p[1] & 0x7f;
    return len >= at + 3 && p[at] == 0x02 && p[at + 1] == 0x01 && p[at + 2] == 0x03;
}

static int read_keystore(struct parts *out, const struct passwords *pw, struct diags *d)
{
    struct own_passwords own;
    int rc;

    own_passwords(pw, out->in->path, &own);
    rc = out->form == FORM_PKCS12 ? parts_p12(out, &own.pw, d) : parts_jks(out, &own.pw, d);
    own_passwords_free(&own);
    return rc;
}

static int read_text_or_der(struct parts *out, const struct passwords *pw, struct diags *d)
{
    static const uint8_t utf8_mark[] = { 0xef, 0xbb, 0xbf };
    const uint8_t *p = out->in->data;
    size_t len = out->in->len;

    if (len >= sizeof(utf8_mark) && memcmp(p, utf8_mark, sizeof(utf8_mark)) == 0) {
        p += sizeof(utf8_mark);
        len -= sizeof(utf8_mark);
    }
    if (len > 0 && p[0] == 0x30) {
        out->form = FORM_DER;
        return parts_der(out, pw, d);
    }
    if (has_pem(p, len))
        return parts_pem(out, p, len, pw, d);
    return refuse_unknown(out, d);
}

static int read_form(struct parts *out, const struct passwords *pw, struct diags *d)
{
    const uint8_t *p = out->in->data;
    size_t len = out->in->len;
    enum jks_form java = jks_form(p, len);
    enum alien a;

    if (java != JKS_NOT || is_pkcs12(p, len)) {
        out->form = java == JKS_JKS ? FORM_JKS : java == JKS_JCEKS ? FORM_JCEKS : FORM_PKCS12;
        return read_keystore(out, pw, d);
    }
    a = alien_of_bytes(p, len);
    if (a != ALIEN_NONE)
        return refuse_alien(out, a, d);
    return read_text_or_der(out, pw, d);
}

int parts_read_entry(const struct tls_input *in, enum parts_use use, const struct passwords *pw,
                     const char *alias, struct parts *out, struct diags *d)
{
    int rc;

    *out = (struct parts){ .in = in, .use = use, .alias = alias, .decoder = pw->decoder };
    if (in->len == 0) {
        diag_add(d, DIAG_ERROR, in->where, NULL, "%s is empty", in->path);
        out->stray = true;
        return -1;
    }
    rc = read_form(out, pw, d);
    sslerr_clear();

    if (rc != 0)
        return rc;
    return has_what_is_wanted(out) ? 0 : refuse_empty(out, d);
}

int parts_read(const struct tls_input *in, enum parts_use use, const struct passwords *pw,
               struct parts *out, struct diags *d)
{
    return parts_read_entry(in, use, pw, NULL, out, d);
}

void parts_add_cert(struct parts *p, X509 *x, bool trusted)
{
    p->certs = mem_grow(p->certs, p->ncerts + 1, sizeof(p->certs[0]));
    p->certs[p->ncerts++] = (struct part_cert){ .x = x, .trusted = trusted };
}

bool parts_wants_crls(const struct parts *p)
{
    return p->use == PARTS_TRUST_FILE || p->use == PARTS_CRL_FILE || p->use == PARTS_SHOW;
}

void parts_add_crl(struct parts *p, X509_CRL *crl)
{
    p->crls = mem_grow(p->crls, p->ncrls + 1, sizeof(X509_CRL *));
    p->crls[p->ncrls++] = crl;
}

void parts_add_alien(struct parts *p, enum alien kind, const uint8_t *der, size_t len)
{
    if (p->alien == ALIEN_NONE)
        p->alien = kind;
    if (p->use != PARTS_SHOW || kind == ALIEN_NONE)
        return;
    p->others = mem_grow(p->others, p->nothers + 1, sizeof(p->others[0]));
    p->others[p->nothers++] =
        (struct part_other){ .kind = kind, .der = { mem_dup(der, len), len } };
}

struct der parts_cert_der(const X509 *x)
{
    unsigned char *p = NULL;
    int len = i2d_X509(x, &p);
    struct der out = { NULL, 0 };

    if (len > 0)
        out = (struct der){ .p = mem_dup(p, (size_t)len), .len = (size_t)len };
    OPENSSL_free(p);
    return out;
}

void parts_free(struct parts *p)
{
    for (size_t i = 0; i < p->ncerts; i++) {
        X509_free(p->certs[i].x);
        free(p->certs[i].alias);
    }
    for (size_t i = 0; i < p->nkeys; i++) {
        EVP_PKEY_free(p->keys[i].key);
        free(p->keys[i].alias);
    }
    for (size_t i = 0; i < p->ncrls; i++)
        X509_CRL_free(p->crls[i]);
    for (size_t i = 0; i < p->nothers; i++) {
        mem_wipe_free(p->others[i].der.p, p->others[i].der.len);
        free(p->others[i].alias);
    }
    free(p->certs);
    free(p->keys);
    free(p->crls);
    free(p->others);
    *p = (struct parts){ 0 };
}
