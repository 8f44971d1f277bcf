#include "proxy/snap_upstream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/pack.h"

_Static_assert((int)VERIFY_FULL == (int)TLS_VERIFY_FULL && (int)VERIFY_OFF == (int)TLS_VERIFY_OFF,
               "conf's and tls's enums must agree");

static struct span id_span(const uint8_t id[DIGEST_LEN])
{
    return (struct span){ (const char *)id, DIGEST_LEN };
}

static struct tls_client *shared(const struct snap_upstreams *s, const uint8_t id[DIGEST_LEN])
{
    const struct names_item *i = s != NULL ? names_find(&s->ids, id_span(id)) : NULL;

    return i != NULL ? tls_client_ref(s->v[i->value].tls) : NULL;
}

static struct tls_client *new_client(const struct tls_client_policy *p, struct certs *certs,
                                     struct diags *d)
{
    struct keypair *pairs[CERTS_TYPES];
    struct err e = ERR_INIT;
    size_t n = certs != NULL ? certs_find(certs, NULL, pairs, &e) : 0;

    if (certs == NULL || n > 0)
        return tls_client_new(p, pairs, n, d);
    diag_add(d, DIAG_ERROR, p->at_store, NULL, "%s", e.text);
    return NULL;
}

static struct tls_client *client_for(struct snap_upstreams *s, const struct tls_client_policy *p,
                                     struct certs *certs, const struct snap_upstreams *running,
                                     struct diags *d)
{
    uint8_t pairs[DIGEST_LEN], id[DIGEST_LEN];
    struct tls_client *c;

    if (certs != NULL)
        certs_default_id(certs, pairs);
    tls_client_id(p, certs != NULL ? pairs : NULL, id);
    c = shared(s, id);
    if (c == NULL)
        c = shared(running, id);
    if (c == NULL && (c = new_client(p, certs, d)) != NULL)
        memcpy(c->id, id, sizeof(id));
    return c;
}

static void policy_id(const struct conf_upstream *u, uint8_t id[DIGEST_LEN])
{
    struct pack k = { 0 };

    for (size_t i = 0; i < u->tls_allow.n; i++) {
        pack_u32(&k, (uint32_t)u->tls_allow.v[i].kind);
        pack_str(&k, u->tls_allow.v[i].pattern);
    }
    digest_ders(&(struct der){ k.p, k.len }, 1, id);
    pack_free(&k);
}

static struct tls_client *make_client(struct snap_upstreams *s, const struct conf_upstream *u,
                                      struct trust *trust, struct certs *certs,
                                      const struct snap_upstreams *running, struct diags *d)
{
    const char **pins = mem_zalloc(u->tls_pin.n * sizeof(pins[0]));
    struct tls_client_policy p = {
        .versions = u->tls_protocols,
        .alpn = (const char *const *)u->tls_alpn.v,
        .nalpn = u->tls_alpn.n,
        .verify = (enum tls_verify)u->tls_verify,
        .trust = trust,
        .depth = u->tls_trust != NULL ? (int)u->tls_trust->depth : 0,
        .pins = pins,
        .npins = u->tls_pin.n,
        .at_versions = conf_at(&u->head, KEY_UPSTREAM_TLS_PROTOCOLS, NULL),
        .at_alpn = conf_at(&u->head, KEY_UPSTREAM_TLS_ALPN, NULL),
        .at_store = conf_at(&u->head, KEY_UPSTREAM_TLS_STORE, NULL),
    };
    struct tls_client *c;

    for (size_t i = 0; i < u->tls_pin.n; i++)
        pins[i] = u->tls_pin.v[i].pattern;
    c = client_for(s, &p, certs, running, d);
    free(pins);
    return c;
}

void snap_upstreams_add(struct snap_upstreams *s, const struct conf_upstream *u,
                        struct trust *trust, struct certs *certs,
                        const struct snap_upstreams *running, struct diags *d)
{
    struct snap_upstream *out;

    s->v = mem_append(s->v, s->n, sizeof(s->v[0]));
    out = &s->v[s->n];
    *out = (struct snap_upstream){ .conf = u };
    if (u->tls) {
        policy_id(u, out->policy);
        out->tls = make_client(s, u, trust, certs, running, d);
    }
    if (out->tls != NULL)
        names_add(&s->ids, id_span(out->tls->id), (uint32_t)s->n);
    s->n++;
}

void snap_upstreams_free(struct snap_upstreams *s)
{
    for (size_t i = 0; i < s->n; i++)
        tls_client_unref(s->v[i].tls);
    names_free(&s->ids);
    free(s->v);
    *s = (struct snap_upstreams){ 0 };
}

const char *snap_upstream_host(const char *server, char out[DIAL_NAME_MAX])
{
    const char *colon = strrchr(server, ':');
    size_t len = colon != NULL ? (size_t)(colon - server) : strlen(server);

    if (strncmp(server, "unix:", 5) == 0)
        return NULL;
    if (len >= 2 && server[0] == '[' && server[len - 1] == ']') {
        server++;
        len -= 2;
    }
    snprintf(out, DIAL_NAME_MAX, "%.*s", (int)len, server);
    return out;
}

const char *snap_upstream_name(const struct conf_upstream *u, const char *host)
{
    return u->tls_name != NULL ? u->tls_name : host;
}

const char *snap_upstream_sni(const struct conf_upstream *u, const char *host)
{
    const char *name = u->tls_sni != NULL ? u->tls_sni : snap_upstream_name(u, host);

    return name != NULL && !addr_is_ip(name) ? name : NULL;
}
