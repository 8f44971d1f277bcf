#include "tls/parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "tls/sslerr.h"

static const char *wanted(enum parts_use use)
{
    if (use == PARTS_PAIR_FILE)
        return "a certificate or its private key";
    return use == PARTS_KEY_FILE ? "a private key" : "a certificate";
}

static int refuse_alien(const struct parts *p, enum alien a, struct diags *d)
{
    char *hint = alien_hint(a, p->use, p->in->path);

    diag_add(d, DIAG_ERROR, p->in->where, hint, "%s is %s, not %s", p->in->path, alien_text(a),
             wanted(p->use));
    free(hint);
    return -1;
}

#define SHOWN 16

static int refuse_unknown(const struct parts *p, struct diags *d)
{
    char first[SHOWN * 4 + 1];
    size_t n = p->in->len < SHOWN ? p->in->len : SHOWN;

    str_escape(first, sizeof(first), (struct span){ (const char *)p->in->data, n });
    diag_add(d, DIAG_ERROR, p->in->where, "a PEM file has a line that begins with -----BEGIN",
             "%s is neither PEM nor DER; it begins with \"%s\"", p->in->path, first);
    return -1;
}

/* Read, but what was wanted is not in it. */
static int refuse_empty(const struct parts *p, struct diags *d)
{
    const char *path = p->in->path;

    if (p->alien != ALIEN_NONE && p->alien != ALIEN_PARAMETERS)
        return refuse_alien(p, p->alien, d);
    if (p->use == PARTS_PAIR_FILE)
        diag_add(d, DIAG_ERROR, p->in->where, NULL, "%s holds no certificate and no private key",
                 path);
    else if (p->use != PARTS_KEY_FILE && p->nkeys + p->nclosed > 0)
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
        diag_add(d, DIAG_ERROR, p->in->where, NULL, "%s holds no %s", path,
                 p->use == PARTS_KEY_FILE ? "private key" : "certificate");
    return -1;
}

static bool has_what_is_wanted(const struct parts *p)
{
    switch (p->use) {
    case PARTS_KEY_FILE: return p->nkeys > 0;
    case PARTS_PAIR_FILE: return p->nkeys + p->ncerts > 0;
    default: return p->ncerts > 0;
    }
}

static bool has_pem(const uint8_t *p, size_t len)
{
    return memmem(p, len, "-----BEGIN", 10) != NULL;
}

int parts_read(const struct tls_input *in, enum parts_use use, const struct passwords *pw,
               struct parts *out, struct diags *d)
{
    static const uint8_t utf8_mark[] = { 0xef, 0xbb, 0xbf };
    const uint8_t *p = in->data;
    size_t len = in->len;
    enum alien a;
    int rc;

    *out = (struct parts){ .in = in, .use = use, .decoder = pw->decoder };
    if (len == 0) {
        diag_add(d, DIAG_ERROR, in->where, NULL, "%s is empty", in->path);
        return -1;
    }
    a = alien_of_bytes(p, len);
    if (a != ALIEN_NONE)
        return refuse_alien(out, a, d);
    if (len >= sizeof(utf8_mark) && memcmp(p, utf8_mark, sizeof(utf8_mark)) == 0) {
        p += sizeof(utf8_mark);
        len -= sizeof(utf8_mark);
    }
    if (p[0] == 0x30)
        rc = parts_der(out, pw, d);
    else if (has_pem(p, len))
        rc = parts_pem(out, p, len, pw, d);
    else
        return refuse_unknown(out, d);
    sslerr_clear();

    if (rc != 0)
        return rc;
    return has_what_is_wanted(out) ? 0 : refuse_empty(out, d);
}

void parts_add_cert(struct parts *p, X509 *x, bool trusted)
{
    p->certs = mem_grow(p->certs, p->ncerts + 1, sizeof(p->certs[0]));
    p->certs[p->ncerts++] = (struct part_cert){ .x = x, .trusted = trusted };
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
    free(p->certs);
    free(p->keys);
    *p = (struct parts){ 0 };
}
