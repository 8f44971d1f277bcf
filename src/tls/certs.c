#include "tls/certs.h"

#include <stdlib.h>
#include <string.h>

#include "base/names.h"
#include "tls/key_uri.h"
#include "tls/sslerr.h"

/* --- the index --- */

struct slot {                   /* one name of one record; open addressing */
    uint32_t hash;
    uint32_t record;            /* its place in certs.at, and 1; 0: empty */
};

struct certs {
    const uint8_t *records;
    size_t len;
    size_t *at;                 /* where each record begins */
    size_t n;
    struct slot *slots;
    size_t mask;                /* number of slots less one */
    size_t standard[CERTS_TYPES];       /* the default pairs */
    size_t nstandard;
    size_t nnames;              /* different ones */
    bool contested;             /* two pairs are for one name and type of key */
    bool tokens;                /* the key of a pair is in one */
    unsigned least_bits;        /* of security, of any pair */
    struct pair_cache *cache;
};

static struct pair record(const struct certs *c, size_t i)
{
    struct unpack u = { c->records + c->at[i], c->len - c->at[i], false };
    struct pair p = { 0 };

    (void)pairs_next(&u, &p);   /* it was whole when the index was made */
    return p;
}

static bool has_name(const struct pair *p, const char *name, size_t n)
{
    struct unpack u = p->names;

    while (u.left > 0) {
        struct span s = unpack_span(&u);
        if (s.p != NULL && s.len == n && memcmp(s.p, name, n) == 0)
            return true;
        if (u.bad)
            return false;
    }
    return false;
}

static bool has_type(const struct certs *c, const size_t *set, size_t n, int type)
{
    for (size_t i = 0; i < n; i++)
        if (record(c, set[i]).type == type)
            return true;
    return false;
}

/* The records that have a name, one a key type. */
static size_t named(const struct certs *c, const char *name, size_t len, size_t out[CERTS_TYPES])
{
    uint32_t h = names_hash((struct span){ name, len });
    size_t n = 0;

    for (size_t i = h & c->mask; c->slots[i].record != 0; i = (i + 1) & c->mask) {
        if (c->slots[i].hash != h || n == CERTS_TYPES)
            continue;
        size_t r = c->slots[i].record - 1;
        struct pair p = record(c, r);
        if (has_name(&p, name, len) && !has_type(c, out, n, p.type))
            out[n++] = r;
    }
    return n;
}

/* Of two pairs with one name and one type of key, the one that is valid longer is served, or
   the first; the other is not in the index: a thousand of them would make every lookup of
   that name long. */
static void add_name(struct certs *c, struct span name, size_t r)
{
    uint32_t h = names_hash(name);
    size_t i = h & c->mask;
    bool known = false;

    for (; c->slots[i].record != 0; i = (i + 1) & c->mask) {
        size_t other = c->slots[i].record - 1;
        if (c->slots[i].hash != h)
            continue;
        struct pair p = record(c, r), q = record(c, other);
        if (!has_name(&q, name.p, name.len))
            continue;
        known = true;
        if (q.type != p.type)
            continue;
        c->contested = c->contested || other != r;
        if (p.until > q.until)
            c->slots[i].record = (uint32_t)r + 1;
        return;
    }
    c->slots[i] = (struct slot){ h, (uint32_t)r + 1 };
    c->nnames += !known;
}

/* While the index is made: the names in the order of the records, so that each of these is
   unpacked once. */
struct found {
    struct span name;
    size_t record;
};

struct findings {
    struct found *v;
    size_t n;
};

/* As mem_append(), but NULL when memory is out: workers come here too. */
static void *appendable(void *list, size_t n, size_t size)
{
    bool full = (n & (n - 1)) == 0;

    return full ? realloc(list, (n > 0 ? 2 * n : 1) * size) : list;
}

static int find_names(const struct pair *p, size_t record, struct findings *out, struct err *e)
{
    struct unpack u = p->names;

    while (u.left > 0) {
        struct span s = unpack_span(&u);
        if (s.p == NULL)
            break;
        struct found *v = appendable(out->v, out->n, sizeof(*v));
        if (v == NULL)
            return err_setx(e, "memory is out");
        out->v = v;
        v[out->n++] = (struct found){ s, record };
    }
    return 0;
}

/* What there is. */
static int measure(struct certs *c, struct findings *names, struct err *e)
{
    struct unpack u = { c->records, c->len, false };
    struct pair p;

    for (size_t at = 0; pairs_next(&u, &p); at = c->len - u.left) {
        size_t *v = appendable(c->at, c->n, sizeof(*v));
        if (v == NULL)
            return err_setx(e, "memory is out");
        c->at = v;
        v[c->n] = at;
        if (find_names(&p, c->n++, names, e) != 0)
            return -1;
        if (c->n == 1 || p.bits < c->least_bits)
            c->least_bits = p.bits;
        c->tokens = c->tokens || key_uri_is_record(p.key, p.keylen);
    }
    if (u.bad || c->n == 0 || c->n >= UINT32_MAX)
        return err_setx(e, c->n == 0 && !u.bad ? "no certificate" : "the store is damaged");
    return 0;
}

/* With room for them at most half full. */
static int fill(struct certs *c, const struct findings *names, struct err *e)
{
    size_t slots = 8;

    while (slots < 2 * names->n)
        slots *= 2;
    c->slots = calloc(slots, sizeof(*c->slots));
    c->mask = slots - 1;
    if (c->slots == NULL)
        return err_setx(e, "memory is out");
    for (size_t i = 0; i < names->n; i++)
        add_name(c, names->v[i].name, names->v[i].record);
    return 0;
}

/* The records without a name, one a key type: of two the one that is valid longer. */
static size_t nameless(struct certs *c, size_t out[CERTS_TYPES])
{
    size_t n = 0;

    for (size_t r = 0; r < c->n; r++) {
        struct pair p = record(c, r);
        size_t i = 0;
        if (p.names.left > 0)
            continue;
        while (i < n && record(c, out[i]).type != p.type)
            i++;
        c->contested = c->contested || i < n;
        if (i == n && n < CERTS_TYPES)
            out[n++] = r;
        else if (i < n && p.until > record(c, out[i]).until)
            out[i] = r;
    }
    return n;
}

/* What serves the first name of the first record, or all that have none: that of the first
   one's type of key before the others. */
static void settle_default(struct certs *c)
{
    struct pair first = record(c, 0);
    struct unpack u = first.names;
    struct span name = unpack_span(&u);

    c->nstandard = name.p != NULL ? named(c, name.p, name.len, c->standard)
                                  : nameless(c, c->standard);
    for (size_t i = 1; i < c->nstandard; i++) {
        if (record(c, c->standard[i]).type != first.type)
            continue;
        size_t r = c->standard[0];
        c->standard[0] = c->standard[i];
        c->standard[i] = r;
    }
}

struct certs *certs_new(const uint8_t *records, size_t len, struct pair_cache *cache,
                        struct err *e)
{
    struct certs *c = calloc(1, sizeof(*c));

    if (c == NULL) {
        err_setx(e, "memory is out");
        return NULL;
    }
    struct findings names = { 0 };
    c->records = records;
    c->len = len;
    c->cache = pair_cache_ref(cache);
    bool good = measure(c, &names, e) == 0 && fill(c, &names, e) == 0;
    free(names.v);
    if (!good) {
        certs_free(c);
        return NULL;
    }
    settle_default(c);
    return c;
}

void certs_free(struct certs *c)
{
    if (c == NULL)
        return;
    pair_cache_unref(c->cache);
    free(c->at);
    free(c->slots);
    free(c);
}

size_t certs_count(const struct certs *c)
{
    return c->n;
}

size_t certs_names(const struct certs *c)
{
    return c->nnames;
}

struct pair certs_pair(const struct certs *c, size_t i)
{
    return record(c, i);
}

size_t certs_default(const struct certs *c)
{
    return c->standard[0];
}

/* Who of the set has that type of key; r itself when nobody has. */
static size_t rival(const struct certs *c, const size_t *set, size_t n, size_t r, int type)
{
    for (size_t i = 0; i < n; i++)
        if (record(c, set[i]).type == type)
            return set[i];
    return r;
}

/* What is served instead of r; false when r is served for all its names. */
static bool is_hidden(const struct certs *c, size_t r, struct certs_hidden *out)
{
    struct pair p = record(c, r);
    struct unpack u = p.names;

    *out = (struct certs_hidden){ .pair = r, .wholly = true };
    if (u.left == 0 && record(c, c->standard[0]).names.left == 0)
        out->by = rival(c, c->standard, c->nstandard, r, p.type);
    else if (u.left == 0)
        return false;
    while (u.left > 0) {
        size_t set[CERTS_TYPES], by;
        struct span s = unpack_span(&u);
        if (s.p == NULL)
            break;
        by = rival(c, set, named(c, s.p, s.len, set), r, p.type);
        out->wholly = out->wholly && by != r;
        if (by != r && out->n++ == 0) {
            out->by = by;
            out->name = s;
        }
    }
    return out->n > 0 || (p.names.left == 0 && out->by != r);
}

bool certs_next_hidden(const struct certs *c, size_t from, struct certs_hidden *out)
{
    for (; c->contested && from < c->n; from++)
        if (is_hidden(c, from, out))
            return true;
    return false;
}

/* --- choosing --- */

static size_t covering(const struct certs *c, const char *name, size_t out[CERTS_TYPES])
{
    char text[DNS_NAME_MAX + 1], *wild;
    size_t n = name != NULL ? dns_fold(str_span(name), text) : 0, found;

    found = n > 0 ? named(c, text, n, out) : 0;
    if (found == 0 && n > 0 && (wild = dns_wildcard(text)) != NULL)
        found = named(c, wild, strlen(wild), out);
    return found;
}

bool certs_cover(const struct certs *c, const char *name)
{
    size_t set[CERTS_TYPES];

    return covering(c, name, set) > 0;
}

static size_t wanted(const struct certs *c, const char *name, size_t out[CERTS_TYPES])
{
    size_t found = covering(c, name, out);

    if (found > 0)
        return found;
    memcpy(out, c->standard, sizeof(c->standard));
    return c->nstandard;
}

static size_t parse_all(struct certs *c, const size_t *set, size_t n,
                        struct keypair *out[CERTS_TYPES], struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        struct pair p = record(c, set[i]);
        out[i] = pair_cache_get(c->cache, &p, e);
        if (out[i] == NULL)
            return 0;
    }
    return n;
}

int certs_open_tokens(struct certs *c, struct err *e)
{
    for (size_t i = 0; c->tokens && i < c->n; i++) {
        struct pair p = record(c, i);
        struct keypair *k;
        char why[128];
        if (!key_uri_is_record(p.key, p.keylen))
            continue;
        if ((k = pair_cache_get(c->cache, &p, e)) == NULL)
            return -1;
        if (!key_uri_works(k->key))     /* opened by an older generation */
            return err_setx(e, "the token is lost to this process, which needs a restart: %s",
                            sslerr_text(why, sizeof(why)));
    }
    return 0;
}

size_t certs_find(struct certs *c, const char *name, struct keypair *out[CERTS_TYPES],
                  struct err *e)
{
    size_t set[CERTS_TYPES], n = wanted(c, name, set);

    return parse_all(c, set, n, out, e);
}

int certs_check(struct certs *c, const struct tls_policy *p, struct tls_ctx *ctx,
                struct diags *d)
{
    unsigned enough = tls_ctx_bits(ctx);
    int rc = 0;

    for (size_t i = 0; i < c->n && c->least_bits < enough; i++) {
        struct pair r = record(c, i);
        struct err e = ERR_INIT;
        struct keypair *k;
        if (r.bits >= enough)
            continue;
        k = pair_cache_get(c->cache, &r, &e);
        if (k == NULL)
            diag_add(d, DIAG_ERROR, p->at_versions, NULL, "%s", e.text);
        if (k == NULL || tls_ctx_takes(ctx, p, k, d) != 0)
            rc = -1;
    }
    return rc;
}

void certs_default_id(const struct certs *c, uint8_t id[PAIR_ID])
{
    struct der ids[CERTS_TYPES];

    for (size_t i = 0; i < c->nstandard; i++)
        ids[i] = (struct der){ (uint8_t *)(uintptr_t)record(c, c->standard[i]).id, PAIR_ID };
    digest_ders(ids, c->nstandard, id);
}

int certs_choose(SSL *ssl, void *arg)
{
    struct certs *c = arg;
    size_t set[CERTS_TYPES], n;
    struct keypair *pairs[CERTS_TYPES];
    struct err e = ERR_INIT;

    n = wanted(c, SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name), set);
    if (n == c->nstandard && memcmp(set, c->standard, n * sizeof(set[0])) == 0)
        return 1;
    n = parse_all(c, set, n, pairs, &e);
    if (n == 0)
        return 0;
    SSL_certs_clear(ssl);
    for (size_t i = 0; i < n; i++)
        if (SSL_use_cert_and_key(ssl, pairs[i]->leaf, pairs[i]->key, pairs[i]->chain, 1) != 1)
            return 0;
    return 1;
}
