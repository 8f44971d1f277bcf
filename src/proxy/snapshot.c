#include "proxy/snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* conf and tls name the same things on their own side of the layer border. */
_Static_assert((int)PROTO_TLS10 == (int)TLS_V10 && (int)PROTO_TLS13 == (int)TLS_V13
                   && (int)CLIENT_AUTH_REQUIRE == (int)TLS_CLIENT_REQUIRE,
               "conf's and tls's enums must agree");

static struct conf *conf_from(const struct bundle *b, struct diags *d)
{
    struct settings s = { 0 };
    struct conf *c = NULL;
    size_t len;
    const uint8_t *p = bundle_get(b, &len, "settings");

    if (p == NULL || settings_unpack(p, len, &s) != 0)
        diag_add(d, DIAG_ERROR, (struct diag_at){ 0 }, NULL, "the bundle's settings are damaged");
    else
        c = conf_build(&s, d);
    settings_free(&s);
    return c;
}

/* The certificates "PREFIX.0", "PREFIX.1", … of one chain; the array is the caller's. */
static size_t chain_from(const struct bundle *b, const char *store, size_t pair, struct der **out)
{
    struct der *chain = NULL;
    size_t n = 0, len;
    const uint8_t *p;

    while ((p = bundle_get(b, &len, "store/%s/%zu/cert.%zu", store, pair, n)) != NULL) {
        chain = mem_grow(chain, n + 1, sizeof(*chain));
        chain[n++] = (struct der){ (uint8_t *)(uintptr_t)p, len };
    }
    *out = chain;
    return n;
}

/* Key pairs of one store, appended to the snapshot's list. */
static void add_store(struct snapshot *s, const struct bundle *b, const struct conf_store *store,
                      struct diags *d)
{
    const char *name = store->head.name;
    const uint8_t *key;
    size_t keylen;

    for (size_t i = 0; (key = bundle_get(b, &keylen, "store/%s/%zu/key", name, i)) != NULL; i++) {
        struct err e = ERR_INIT;
        struct der *chain;
        size_t n = chain_from(b, name, i, &chain);
        struct keypair *k = keypair_new(key, keylen, chain, n, &e);

        free(chain);
        if (k == NULL) {
            diag_add(d, DIAG_ERROR, conf_at(&store->head, KEY_STORE_CERT, NULL), NULL, "%s",
                     e.text);
            continue;
        }
        s->keypairs = mem_grow(s->keypairs, s->nkeypairs + 1, sizeof(s->keypairs[0]));
        s->keypairs[s->nkeypairs++] = k;
    }
}

static struct trust *trust_from(const struct bundle *b, const struct conf_trust *t, struct diags *d)
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
    trust = trust_new(anchors, n, &e);
    free(anchors);
    if (trust == NULL)
        diag_add(d, DIAG_ERROR, conf_at(&t->head, KEY_TRUST_CA, NULL), NULL, "%s", e.text);
    return trust;
}

/* Where each store's key pairs begin in the snapshot's list; one more for the end. */
struct index {
    size_t *first;
};

static bool wants_tickets(const struct conf_route *r)
{
    if (r->session_tickets == TICKETS_AUTO)
        return r->client_auth == CLIENT_AUTH_NONE;
    return r->session_tickets == TICKETS_ON;
}

static struct tls_ctx *ctx_for(const struct snapshot *s, const struct index *ix,
                               const struct conf_route *r, struct diags *d)
{
    const struct conf *c = s->conf;
    size_t store = 0, trust = 0;
    char *context = mem_printf("route:%s", r->head.name);
    struct tls_policy p = {
        .versions = r->protocols,
        .ciphers = r->ciphers,
        .ciphersuites = r->ciphersuites,
        .groups = r->groups,
        .alpn = (const char *const *)r->alpn.v,
        .nalpn = r->alpn.n,
        .client_auth = (enum tls_client_auth)r->client_auth,
        .tickets = wants_tickets(r),
        .context = context,
        .at_versions = conf_at(&r->head, KEY_ROUTE_PROTOCOLS, NULL),
        .at_ciphers = conf_at(&r->head, KEY_ROUTE_CIPHERS, r->ciphers),
        .at_ciphersuites = conf_at(&r->head, KEY_ROUTE_CIPHERSUITES, r->ciphersuites),
        .at_groups = conf_at(&r->head, KEY_ROUTE_GROUPS, r->groups),
        .at_alpn = conf_at(&r->head, KEY_ROUTE_ALPN, NULL),
    };

    while (c->stores[store] != r->store)
        store++;
    if (r->trust != NULL) {
        while (c->trusts[trust] != r->trust)
            trust++;
        p.trust = s->trusts[trust];
        p.depth = (int)r->trust->depth;
    }
    struct tls_ctx *ctx = tls_ctx_new(&p, s->keypairs + ix->first[store],
                                      ix->first[store + 1] - ix->first[store], d);
    free(context);
    return ctx;
}

static const struct snap_route *route_on(const struct snapshot *s, const struct addr *a)
{
    for (size_t i = 0; i < s->nroutes; i++) {
        const struct conf_route *r = s->routes[i].conf;
        for (size_t k = 0; k < r->listen.n; k++)
            if (addr_equal(&r->listen.v[k], a))
                return &s->routes[i];
    }
    return NULL;
}

static void build(struct snapshot *s, const struct bundle *b, struct diags *d)
{
    const struct conf *c = s->conf;
    struct index ix = { mem_zalloc((c->nstores + 1) * sizeof(size_t)) };
    size_t before = d->errors;

    for (size_t i = 0; i < c->nstores; i++) {
        ix.first[i] = s->nkeypairs;
        add_store(s, b, c->stores[i], d);
    }
    ix.first[c->nstores] = s->nkeypairs;

    s->trusts = mem_zalloc(c->ntrusts * sizeof(s->trusts[0]));
    for (size_t i = 0; i < c->ntrusts; i++)
        s->trusts[s->ntrusts++] = trust_from(b, c->trusts[i], d);

    s->routes = mem_zalloc(c->nroutes * sizeof(s->routes[0]));
    for (size_t i = 0; i < c->nroutes && d->errors == before; i++) {
        s->routes[i].conf = c->routes[i];
        s->routes[i].tls = ctx_for(s, &ix, c->routes[i], d);
        s->nroutes++;
    }
    s->listeners = mem_zalloc(c->nlisteners * sizeof(s->listeners[0]));
    for (size_t i = 0; i < c->nlisteners && d->errors == before; i++) {
        s->listeners[i].conf = c->listeners[i];
        s->listeners[i].route = route_on(s, &c->listeners[i]->addr);
        s->nlisteners++;
    }
    free(ix.first);
}

struct snapshot *snapshot_build(const struct bundle *b, struct diags *d)
{
    struct snapshot *s = mem_zalloc(sizeof(*s));
    size_t before = d->errors;

    s->refs = 1;
    s->conf = conf_from(b, d);
    if (s->conf != NULL)
        build(s, b, d);
    if (s->conf == NULL || d->errors > before) {
        snapshot_unref(s);
        return NULL;
    }
    return s;
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
    for (size_t i = 0; i < s->nroutes; i++)
        tls_ctx_free(s->routes[i].tls);
    for (size_t i = 0; i < s->ntrusts; i++)
        trust_free(s->trusts[i]);
    for (size_t i = 0; i < s->nkeypairs; i++)
        keypair_free(s->keypairs[i]);
    free(s->listeners);
    free(s->routes);
    free(s->trusts);
    free(s->keypairs);
    conf_free(s->conf);
    free(s);
}
