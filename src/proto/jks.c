#include "proto/jks.h"

#include <string.h>

#define HEAD_LEN 12

enum jks_form jks_form(const uint8_t *p, size_t len)
{
    static const uint8_t jks[] = { 0xfe, 0xed, 0xfe, 0xed }, jceks[] = { 0xce, 0xce, 0xce, 0xce };

    if (len >= sizeof(jks) && memcmp(p, jks, sizeof(jks)) == 0)
        return JKS_JKS;
    if (len >= sizeof(jceks) && memcmp(p, jceks, sizeof(jceks)) == 0)
        return JKS_JCEKS;
    return JKS_NOT;
}

struct jks_bytes jks_digested(const struct jks *k)
{
    return (struct jks_bytes){ k->file.p, k->file.len - JKS_DIGEST_LEN };
}

const uint8_t *jks_digest(const struct jks *k)
{
    return k->file.p + k->file.len - JKS_DIGEST_LEN;
}

/* --- fields; each is refused when it ends behind what is left for entries --- */

static size_t left(const struct jks *k)
{
    return k->file.len - JKS_DIGEST_LEN - k->at;
}

static int short_of(const struct jks *k, const char *what, struct err *e)
{
    return err_setx(e, "the %s at byte %zu ends behind the end of the file", what, k->at);
}

static uint64_t number(const uint8_t *p, size_t n)
{
    uint64_t v = 0;

    for (size_t i = 0; i < n; i++)
        v = v << 8 | p[i];
    return v;
}

static int take_number(struct jks *k, size_t n, const char *what, uint64_t *out, struct err *e)
{
    if (left(k) < n)
        return short_of(k, what, e);
    *out = number(k->file.p + k->at, n);
    k->at += n;
    return 0;
}

static int take_u32(struct jks *k, const char *what, uint32_t *out, struct err *e)
{
    uint64_t v = 0;
    int rc = take_number(k, 4, what, &v, e);

    *out = (uint32_t)v;
    return rc;
}

/* Bytes behind their own length, which takes `n` bytes itself. */
static int take_bytes(struct jks *k, size_t n, const char *what, struct jks_bytes *out,
                      struct err *e)
{
    uint64_t len = 0;

    if (take_number(k, n, what, &len, e) != 0)
        return -1;
    if (len > left(k))
        return short_of(k, what, e);
    *out = (struct jks_bytes){ k->file.p + k->at, (size_t)len };
    k->at += (size_t)len;
    return 0;
}

/* --- entries --- */

int jks_open(struct jks *k, const uint8_t *p, size_t len, struct err *e)
{
    *k = (struct jks){ .file = { p, len }, .at = 4 };
    if (jks_form(p, len) == JKS_NOT)
        return err_setx(e, "it does not begin as a Java keystore does");
    if (len < HEAD_LEN + JKS_DIGEST_LEN)
        return err_setx(e, "it is cut short after %zu bytes", len);
    take_u32(k, "version", &k->version, e);
    take_u32(k, "number of entries", &k->entries, e);
    if (k->version != 1 && k->version != 2)
        return err_setx(e, "its version is %u, not 1 or 2", k->version);
    if (k->entries > JKS_ENTRIES_MAX)
        return err_setx(e, "it says that it has %u entries; at most %d are read", k->entries,
                        JKS_ENTRIES_MAX);
    return 0;
}

static int take_cert(struct jks *k, struct jks_bytes *der, struct err *e)
{
    static const char x509[] = "X.509";
    struct jks_bytes type;
    size_t begin = k->at;

    if (k->version == 2) {
        if (take_bytes(k, 2, "type of a certificate", &type, e) != 0)
            return -1;
        if (type.len != strlen(x509) || memcmp(type.p, x509, type.len) != 0)
            return err_setx(e, "the certificate at byte %zu is not of the type X.509", begin);
    }
    return take_bytes(k, 4, "certificate", der, e);
}

static int take_chain(struct jks *k, struct jks_entry *out, struct err *e)
{
    uint32_t n = 1;
    struct jks_bytes der;

    if (out->kind == JKS_KEY && take_u32(k, "length of a chain", &n, e) != 0)
        return -1;
    if (n > JKS_ENTRIES_MAX - k->ncerts)
        return err_setx(e, "the chain before byte %zu says that it has %u certificates", k->at, n);

    size_t begin = k->at;
    for (uint32_t i = 0; i < n; i++)
        if (take_cert(k, &der, e) != 0)
            return -1;
    k->ncerts += n;
    out->ncerts = n;
    out->certs = (struct jks_bytes){ k->file.p + begin, k->at - begin };
    return 0;
}

static int take_entry(struct jks *k, struct jks_entry *out, struct err *e)
{
    size_t begin = k->at;
    uint64_t created = 0;
    uint32_t tag;

    if (take_u32(k, "entry", &tag, e) != 0)
        return -1;
    bool secret = tag == JKS_SECRET && jks_form(k->file.p, k->file.len) == JKS_JCEKS;
    if (tag != JKS_KEY && tag != JKS_TRUSTED && !secret)
        return err_setx(e, "the entry at byte %zu is of no known kind (%u)", begin, tag);
    out->kind = (enum jks_kind)tag;
    if (take_bytes(k, 2, "alias", &out->alias, e) != 0
        || take_number(k, 8, "time of an entry", &created, e) != 0)
        return -1;
    out->created = (int64_t)created;
    if (secret)
        return 0;
    if (out->kind == JKS_KEY && take_bytes(k, 4, "private key", &out->key, e) != 0)
        return -1;
    return take_chain(k, out, e);
}

int jks_next(struct jks *k, struct jks_entry *out, struct err *e)
{
    *out = (struct jks_entry){ 0 };
    if (k->next == k->entries) {
        if (left(k) == 0)
            return 0;
        return err_setx(e, "there are %zu bytes too many behind its %u entries", left(k),
                        k->entries);
    }
    k->next++;
    if (take_entry(k, out, e) != 0)
        return err_wrap(e, "entry %u of %u", k->next, k->entries);
    return 1;
}

bool jks_cert(const struct jks *k, struct jks_entry *e, struct jks_bytes *der)
{
    const uint8_t *p = e->certs.p;
    size_t at = 0;

    if (e->certs.len == 0)
        return false;
    if (k->version == 2)
        at = 2 + (size_t)number(p, 2);
    *der = (struct jks_bytes){ p + at + 4, (size_t)number(p + at, 4) };
    at += 4 + der->len;
    e->certs = (struct jks_bytes){ p + at, e->certs.len - at };
    return true;
}

/* --- modified UTF-8 --- */

/* One character of at most three bytes; how many, or 0 when it is none. */
static size_t character(const uint8_t *p, size_t len, uint32_t *out)
{
    if (p[0] < 0x80) {
        *out = p[0];
        return 1;
    }
    if ((p[0] & 0xe0) == 0xc0 && len >= 2 && (p[1] & 0xc0) == 0x80) {
        *out = (uint32_t)(p[0] & 0x1f) << 6 | (p[1] & 0x3f);
        return 2;
    }
    if ((p[0] & 0xf0) == 0xe0 && len >= 3 && (p[1] & 0xc0) == 0x80 && (p[2] & 0xc0) == 0x80) {
        *out = (uint32_t)(p[0] & 0x0f) << 12 | (uint32_t)(p[1] & 0x3f) << 6 | (p[2] & 0x3f);
        return 3;
    }
    return 0;
}

static size_t put_utf8(uint32_t c, char *out)
{
    static const uint8_t heads[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

    if (n == 1) {
        out[0] = (char)c;
        return 1;
    }
    for (size_t i = n; i-- > 1; c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)(heads[n] | c);
    return n;
}

ptrdiff_t jks_text(struct jks_bytes text, char *out)
{
    size_t used = 0;
    uint32_t c, low;

    for (size_t i = 0, n; i < text.len; i += n) {
        n = character(text.p + i, text.len - i, &c);
        if (n == 0)
            return -1;
        if (c >= 0xd800 && c < 0xdc00 && text.len - i > n) {
            size_t m = character(text.p + i + n, text.len - i - n, &low);
            if (m > 0 && low >= 0xdc00 && low < 0xe000) {
                c = 0x10000 + ((c - 0xd800) << 10 | (low - 0xdc00));
                n += m;
            }
        }
        used += put_utf8(c, out + used);
    }
    return (ptrdiff_t)used;
}
