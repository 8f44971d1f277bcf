#include "proxy/snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* conf and tls name the same things on their own side of the layer border. */
_Static_assert((int)PROTO_TLS10 == (int)TLS_V10 && (int)PROTO_TLS13 == (int)TLS_V13
                   && (int)CLIENT_AUTH_REQUIRE == (int)TLS_CLIENT_REQUIRE,
               "conf's and tls's enums must agree");

/* A configuration, for all snapshots that were built from the same settings: certificates
   are replaced more often than those change. */
struct snap_conf {
    unsigned refs;
    uint8_t id[DIGEST_LEN];
    struct conf *conf;
};

static void snap_conf_unref(struct snap_conf *c)
{
    if (c == NULL || --c->refs > 0)
        return;
    conf_free(c->conf);
    free(c);
}

static struct snap_conf *new_conf(const uint8_t *p, size_t len, struct diags *d)
{
    struct snap_conf *c = mem_zalloc(sizeof(*c));
    struct settings s = { 0 };

    c->refs = 1;
    if (settings_unpack(p, len, &s) != 0)
        diag_add(d, DIAG_ERROR, (struct diag_at){ 0 }, NULL, "the bundle's settings are damaged");
    else
        c->conf = conf_build(&s, d);
    settings_free(&s);
    return c;
}

static struct snap_conf *conf_from(const struct bundle *b, const struct snapshot *running,
                                   struct diags *d)
{
    size_t len = 0;
    const uint8_t *p = bundle_get(b, &len, "settings");
    uint8_t id[DIGEST_LEN];
    struct snap_conf *c;

    digest_ders(&(struct der){ (uint8_t *)(uintptr_t)p, p != NULL ? len : 0 }, 1, id);
    if (running != NULL && memcmp(running->shared->id, id, sizeof(id)) == 0) {
        running->shared->refs++;
        return running->shared;
    }
    c = new_conf(p, p != NULL ? len : 0, d);
    memcpy(c->id, id, sizeof(id));
    return c;
}

static struct certs *certs_from(const struct snapshot *s, const struct conf_store *store,
                                struct diags *d)
{
    struct err e = ERR_INIT;
    size_t len = 0;
    const uint8_t *p = bundle_get(s->bundle, &len, "store/%s", store->head.name);
    struct certs *c = certs_new(p, len, s->cache, &e);

    if (c == NULL)
        diag_add(d, DIAG_ERROR, conf_at(&store->head, KEY_STORE_CERT, NULL), NULL, "%s", e.text);
    else if (certs_open_tokens(c, &e) != 0)
        diag_add(d, DIAG_ERROR, conf_at(&store->head, KEY_STORE_KEY, NULL),
                 "workers open it as the user of [proxy] user, who must be allowed to use "
                 "the token",
                 "%s", e.text);
    return c;
}

static struct trust *shared_trust(const struct snapshot *running, const struct der *anchors,
                                  size_t n)
{
    uint8_t id[DIGEST_LEN];

    trust_id(anchors, n, id);
    for (size_t i = 0; running != NULL && i < running->ntrusts; i++)
        if (memcmp(running->trusts[i]->id, id, sizeof(id)) == 0)
            return trust_ref(running->trusts[i]);
    return NULL;
}

static struct trust *trust_from(const struct bundle *b, const struct snapshot *running,
                                const struct conf_trust *t, struct diags *d)
{
    struct der *anchors = NULL;
    struct err e = ERR_INIT;
    struct trust *trust;
    size_t n = 0, len;
    const uint8_t *p;

    while ((p = bundle_get(b, &len, "trust/%s/%zu", t->head.name, n)) != NULL) {
        anchors = mem_grow(anchors, n + 1, sizeof(*anchors));
        anchors[n++] = (struct der){ (uint8_t *)(uintptr_t)p, len };
    }
    trust = shared_trust(running, anchors, n);
    if (trust == NULL)
        trust = trust_new(anchors, n, &e);
    free(anchors);
    if (trust == NULL)
        diag_add(d, DIAG_ERROR, conf_at(&t->head, KEY_TRUST_CA, NULL), NULL, "%s", e.text);
    return trust;
}

/* False when memory is out. */
static bool read_tickets(struct snapshot *s)
{
    size_t len;
    const uint8_t *p = bundle_get(s->bundle, &len, "tickets");

    if (p == NULL)
        return true;
    s->tickets = ticket_ring_new();
    if (s->tickets != NULL)
        ticket_ring_set(s->tickets, p, len / TICKET_SECRET_LEN);
    return s->tickets != NULL;
}

static bool wants_tickets(const struct conf_route *r)
{
    if (r->session_tickets == TICKETS_AUTO)
        return r->client_auth == CLIENT_AUTH_NONE;
    return r->session_tickets == TICKETS_ON;
}

static struct span id_span(const uint8_t id[DIGEST_LEN])
{
    return (struct span){ (const char *)id, DIGEST_LEN };
}

/* A reference that the snapshot now holds. */
static struct tls_ctx *keep_ctx(struct snapshot *s, struct tls_ctx *ctx)
{
    s->ctxs = mem_grow(s->ctxs, s->nctxs + 1, sizeof(s->ctxs[0]));
    names_add(&s->ctx_ids, id_span(ctx->id), (uint32_t)s->nctxs);
    s->ctxs[s->nctxs++] = ctx;
    return ctx;
}

/* One of this snapshot, or of that in force. */
static struct tls_ctx *shared_ctx(struct snapshot *s, const struct snapshot *running,
                                  const uint8_t id[DIGEST_LEN])
{
    const struct names_item *i = names_find(&s->ctx_ids, id_span(id));

    if (i != NULL)
        return s->ctxs[i->value];
    i = running != NULL ? names_find(&running->ctx_ids, id_span(id)) : NULL;
    return i != NULL ? keep_ctx(s, tls_ctx_ref(running->ctxs[i->value])) : NULL;
}

static struct tls_ctx *new_ctx(const struct tls_policy *p, struct certs *certs, struct diags *d)
{
    struct keypair *pairs[CERTS_TYPES];
    struct err e = ERR_INIT;
    size_t n = certs_find(certs, NULL, pairs, &e);

    if (n > 0)
        return tls_ctx_new(p, pairs, n, d);
    diag_add(d, DIAG_ERROR, p->at_versions, NULL, "%s", e.text);
    return NULL;
}

static struct tls_ctx *ctx_for(struct snapshot *s, const struct tls_policy *p,
                               struct certs *certs, const struct snapshot *running,
                               struct diags *d)
{
    uint8_t pairs[DIGEST_LEN], id[DIGEST_LEN];
    struct tls_ctx *ctx;

    certs_default_id(certs, pairs);
    tls_ctx_id(p, pairs, id);
    ctx = shared_ctx(s, running, id);
    if (ctx == NULL && (ctx = new_ctx(p, certs, d)) != NULL) {
        memcpy(ctx->id, id, sizeof(id));
        keep_ctx(s, ctx);
    }
    return ctx;
}

/* What a session belongs to: one way through, and what its handshakes demand. Which
   certificate we show is no part of it. */
static void policy_id(const struct conf_route *r, const struct tls_policy *p,
                      uint8_t id[DIGEST_LEN])
{
    static const uint8_t no_pairs[DIGEST_LEN];
    uint8_t demands[DIGEST_LEN];
    struct pack k = { 0 };

    tls_ctx_id(p, no_pairs, demands);
    pack_bytes(&k, demands, sizeof(demands));
    pack_str(&k, r->head.name);
    pack_str(&k, r->store->head.name);
    digest_ders(&(struct der){ k.p, k.len }, 1, id);
    pack_free(&k);
}

/* What its clients meet who speak TLS. */
static void make_tls(struct snap_route *out, struct snapshot *s, const struct conf_route *r,
                     const struct snapshot *running, struct diags *d)
{
    struct tls_policy p = {
        .versions = r->protocols,
        .ciphers = r->ciphers,
        .ciphersuites = r->ciphersuites,
        .groups = r->groups,
        .alpn = (const char *const *)r->alpn.v,
        .nalpn = r->alpn.n,
        .client_auth = (enum tls_client_auth)r->client_auth,
        .trust = r->trust != NULL ? s->trusts[r->trust->head.index] : NULL,
        .depth = r->trust != NULL ? (int)r->trust->depth : 0,
        .tickets = wants_tickets(r),
        .at_versions = conf_at(&r->head, KEY_ROUTE_PROTOCOLS, NULL),
        .at_ciphers = conf_at(&r->head, KEY_ROUTE_CIPHERS, r->ciphers),
        .at_ciphersuites = conf_at(&r->head, KEY_ROUTE_CIPHERSUITES, r->ciphersuites),
        .at_groups = conf_at(&r->head, KEY_ROUTE_GROUPS, r->groups),
        .at_alpn = conf_at(&r->head, KEY_ROUTE_ALPN, NULL),
    };

    out->certs = s->certs[r->store->head.index];
    out->tls = ctx_for(s, &p, out->certs, running, d);
    policy_id(r, &p, out->policy);
    if (out->tls != NULL)
        (void)certs_check(out->certs, &p, out->tls, d);     /* counted by build() */
}

static void make_route(struct snap_route *out, struct snapshot *s, const struct conf_route *r,
                       const struct snapshot *running, struct diags *d)
{
    out->conf = r;
    names_add(&s->route_names, str_span(r->head.name),
              (uint32_t)r->head.index);
    out->plaintext_from = conf_nets(&r->plaintext_from);
    if (conf_takes_tls(r))
        make_tls(out, s, r, running, d);
}

static void make_upstream(struct snapshot *s, const struct conf_upstream *u,
                          const struct snapshot *running, struct diags *d)
{
    snap_upstreams_add(&s->upstreams, u,
                       u->tls_trust != NULL ? s->trusts[u->tls_trust->head.index] : NULL,
                       u->tls_store != NULL ? s->certs[u->tls_store->head.index] : NULL,
                       running != NULL ? &running->upstreams : NULL, d);
}

static void build(struct snapshot *s, const struct snapshot *running, struct diags *d)
{
    const struct conf *c = s->conf;
    size_t before = d->errors;

    s->certs = mem_zalloc(c->nstores * sizeof(s->certs[0]));
    for (size_t i = 0; i < c->nstores; i++)
        s->certs[s->ncerts++] = certs_from(s, c->stores[i], d);
    s->trusts = mem_zalloc(c->ntrusts * sizeof(s->trusts[0]));
    for (size_t i = 0; i < c->ntrusts; i++)
        s->trusts[s->ntrusts++] = trust_from(s->bundle, running, c->trusts[i], d);
    for (size_t i = 0; i < c->nupstreams && d->errors == before; i++)
        make_upstream(s, c->upstreams[i], running, d);
    s->routes = mem_zalloc(c->nroutes * sizeof(s->routes[0]));
    for (size_t i = 0; i < c->nroutes && d->errors == before; i++)
        make_route(&s->routes[s->nroutes++], s, c->routes[i], running, d);
    s->listeners = mem_zalloc(c->nlisteners * sizeof(s->listeners[0]));
    for (size_t i = 0; i < c->nlisteners && d->errors == before; i++) {
        s->listeners[i].conf = c->listeners[i];
        route_table_init(&s->listeners[i].table, c->listeners[i]);
        s->listeners[i].proxy_from = conf_nets(&c->listeners[i]->accept_proxy_from);
        s->nlisteners++;
    }
}

/* Pairs that stay parsed, per worker: about 6 KiB each with one intermediate. */
#define CACHED_PAIRS 1024

struct snapshot *snapshot_build(struct bundle *b, const struct snapshot *running, struct diags *d)
{
    struct snapshot *s = mem_zalloc(sizeof(*s));
    size_t before = d->errors;

    s->refs = s->keys_held = 1;
    s->bundle = bundle_ref(b);
    s->cache = running != NULL ? pair_cache_ref(running->cache) : pair_cache_new(CACHED_PAIRS);
    s->shared = conf_from(b, running, d);
    s->conf = s->shared->conf;
    if (s->cache == NULL || !read_tickets(s))
        diag_add(d, DIAG_ERROR, (struct diag_at){ 0 }, NULL, "memory is out");
    else if (s->conf != NULL)
        build(s, running, d);
    if (s->conf == NULL || d->errors > before) {
        snapshot_unref(s);
        return NULL;
    }
    return s;
}

static void free_keys(struct snapshot *s)
{
    for (size_t i = 0; i < s->nroutes; i++)
        s->routes[i].certs = NULL;
    for (size_t i = 0; i < s->ncerts; i++)
        certs_free(s->certs[i]);
    free(s->certs);
    s->certs = NULL;
    s->ncerts = 0;
    ticket_ring_free(s->tickets);
    s->tickets = NULL;
    bundle_free(s->bundle);
    s->bundle = NULL;
}

const struct snap_route *snapshot_route(const struct snapshot *s, const struct snap_listener *l,
                                        const struct route_ask *ask, enum route_by *by)
{
    return &s->routes[l->conf->routes[route_choose(&l->table, ask, by)]->head.index];
}

bool snapshot_serves_name(const struct snap_listener *l, const struct snap_route *r,
                          const char *name, enum route_by by)
{
    if (name == NULL || l->conf->unknown_sni != UNKNOWN_SNI_REJECT || by != ROUTE_BY_DEFAULT)
        return true;
    return r->conf->sni.n == 0 && certs_cover(r->certs, name);
}

const struct snap_route *snapshot_named(const struct snapshot *s, const char *name)
{
    const struct names_item *i = names_find(&s->route_names, str_span(name));

    return i != NULL ? &s->routes[i->value] : NULL;
}

void snapshot_hold_keys(struct snapshot *s)
{
    s->keys_held++;
}

void snapshot_drop_keys(struct snapshot *s)
{
    if (--s->keys_held == 0)
        free_keys(s);
}

struct snapshot *snapshot_ref(struct snapshot *s)
{
    s->refs++;
    return s;
}

void snapshot_unref(struct snapshot *s)
{
    if (s == NULL || --s->refs > 0)
        return;
    free_keys(s);
    for (size_t i = 0; i < s->nctxs; i++)
        tls_ctx_unref(s->ctxs[i]);
    for (size_t i = 0; i < s->ntrusts; i++)
        trust_unref(s->trusts[i]);
    for (size_t i = 0; i < s->nroutes; i++)
        nets_free(&s->routes[i].plaintext_from);
    for (size_t i = 0; i < s->nlisteners; i++) {
        route_table_free(&s->listeners[i].table);
        nets_free(&s->listeners[i].proxy_from);
    }
    snap_upstreams_free(&s->upstreams);
    names_free(&s->ctx_ids);
    names_free(&s->route_names);
    pair_cache_unref(s->cache);
    free(s->ctxs);
    free(s->listeners);
    free(s->routes);
    free(s->trusts);
    snap_conf_unref(s->shared);
    free(s);
}

void snapshot_retire(struct snapshot *s)
{
    if (s == NULL)
        return;
    snapshot_drop_keys(s);
    snapshot_unref(s);
}
