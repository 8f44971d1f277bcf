/* What a mode wants of its route and of the upstream, and what makes no sense with it. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf/build.h"

static bool is_set(const struct conf_head *h, enum conf_key key)
{
    return h->set[key].file != NULL;
}

/* --- routes --- */

static const struct {
    enum conf_key key;
    const char *hint;
} tls_keys[] = {                /* of a route whose clients speak TLS */
    { KEY_ROUTE_STORE, "our certificate for the server is tls_store of the [upstream]" },
    { KEY_ROUTE_TRUST, "whom we believe to be the server is tls_trust of the [upstream]" },
    { KEY_ROUTE_ALLOW, "rules for the server are tls_allow of the [upstream]" },
    { KEY_ROUTE_ALPN, "what the server is offered is tls_alpn of the [upstream]" },
    { KEY_ROUTE_PROTOCOLS, "versions for the server are tls_protocols of the [upstream]" },
    { KEY_ROUTE_SNI, "the name that the server is asked for is tls_sni of the [upstream]" },
    { KEY_ROUTE_CLIENT_AUTH, "who may connect is plaintext_from" },
    { KEY_ROUTE_DENY, "who may connect is plaintext_from" },
    { KEY_ROUTE_CIPHERS, NULL },         { KEY_ROUTE_CIPHERSUITES, NULL },
    { KEY_ROUTE_GROUPS, NULL },          { KEY_ROUTE_SESSION_TICKETS, NULL },
    { KEY_ROUTE_ON_EXPIRY, NULL },
};

static bool is_tls_key(enum conf_key key)
{
    return key >= KEY_UPSTREAM_TLS_TRUST && key <= KEY_UPSTREAM_TLS_PROTOCOLS;
}

bool build_applies(const struct conf_head *h, enum conf_key key)
{
    bool plain = conf_keys[key].section == SECTION_ROUTE
              && !conf_takes_tls((const struct conf_route *)(const void *)h);

    for (size_t i = 0; plain && i < sizeof(tls_keys) / sizeof(tls_keys[0]); i++)
        if (tls_keys[i].key == key)
            return false;
    if (conf_keys[key].section != SECTION_UPSTREAM)
        return true;
    bool tls = ((const struct conf_upstream *)(const void *)h)->tls;
    return tls ? key != KEY_UPSTREAM_PLAINTEXT_TO : !is_tls_key(key);
}

static void check_originate(struct builder *b, const struct conf_route *r)
{
    for (size_t i = 0; i < sizeof(tls_keys) / sizeof(tls_keys[0]); i++)
        if (is_set(&r->head, tls_keys[i].key))
            build_error(b, conf_at(&r->head, tls_keys[i].key, NULL),
                        tls_keys[i].hint != NULL ? tls_keys[i].hint : "leave it out",
                        "of no sense with mode = originate: clients speak plaintext");
}

static void check_route(struct builder *b, const struct conf_route *r)
{
    if (build_was_refused(b, &r->head, KEY_ROUTE_MODE))
        return;
    if (!conf_takes_tls(r))
        check_originate(b, r);
    else if (!is_set(&r->head, KEY_ROUTE_STORE))
        build_error(b, conf_at(&r->head, KEY_ROUTE_STORE, NULL), conf_keys[KEY_ROUTE_STORE].help,
                    "required, and not set");
}

/* --- upstreams --- */

/* Of one upstream the first route of each kind; NULL: none. */
struct users {
    const struct conf_route *plain, *tls;
};

static struct users *find_users(const struct conf *c)
{
    struct users *u = mem_zalloc(c->nupstreams * sizeof(u[0]));

    for (size_t i = c->nroutes; i-- > 0;) {
        const struct conf_route *r = c->routes[i];
        if (r->upstream == NULL)
            continue;
        struct users *of = &u[r->upstream->head.index];
        *(conf_dials_tls(r) ? &of->tls : &of->plain) = r;
    }
    return u;
}

/* The key, or where the route names an upstream that has no section. */
static struct diag_at at_key(const struct conf_upstream *u, const struct conf_route *user,
                             enum conf_key key, const char *value)
{
    return build_is_unnamed(u) ? conf_at(&user->head, KEY_ROUTE_UPSTREAM, u->head.name)
                               : conf_at(&u->head, key, value);
}

static void refuse_tls_keys(struct builder *b, const struct conf_upstream *u,
                            const struct conf_route *user)
{
    char *hint = mem_printf("write mode = bridge in [%s] (TLS comes in), or mode = originate "
                            "(plaintext comes in)", user->head.title);

    for (int k = 0; k < KEY_COUNT; k++)
        if (is_tls_key((enum conf_key)k) && is_set(&u->head, (enum conf_key)k))
            build_error(b, conf_at(&u->head, (enum conf_key)k, NULL), hint,
                        "plaintext goes to this upstream: [%s] has mode = terminate",
                        user->head.title);
    free(hint);
}

static void check_trust(struct builder *b, const struct conf_upstream *u,
                        const struct conf_route *user)
{
    bool off = u->tls_verify == VERIFY_OFF;

    if (!off && u->tls_trust == NULL && !build_was_refused(b, &u->head, KEY_UPSTREAM_TLS_TRUST))
        build_error(b, at_key(u, user, KEY_UPSTREAM_TLS_TRUST, NULL),
                    build_is_unnamed(u)
                        ? "write an [upstream] section with this server and tls_trust = NAME, and "
                          "in [trust NAME] the issuers to believe"
                        : "write tls_trust = NAME, and in [trust NAME] the issuers to believe; "
                          "tls_verify = off says that nobody checks",
                    "the server's certificate cannot be checked without tls_trust");
    if (off && is_set(&u->head, KEY_UPSTREAM_TLS_TRUST))
        build_error(b, conf_at(&u->head, KEY_UPSTREAM_TLS_VERIFY, "off"),
                    "choose full or chain, or leave out the issuers to believe",
                    "tls_trust says whom to believe, but no certificate would be looked at");
    if (off && u->tls_allow.n > 0)
        build_error(b, conf_at(&u->head, KEY_UPSTREAM_TLS_ALLOW, u->tls_allow.v[0].written),
                    "choose full or chain; a key can be pinned without: tls_pin",
                    "a rule about what anybody can write into a certificate, which is not "
                    "verified with tls_verify = off");
    if (off && u->tls_pin.n == 0)
        build_warn(b, conf_at(&u->head, KEY_UPSTREAM_TLS_VERIFY, "off"),
                   "tls_pin with the hash of its key is the least that helps",
                   "whoever answers at the address of the server is taken for it");
}

static bool has_unix(const struct conf_upstream *u)
{
    for (size_t i = 0; i < u->servers.n; i++)
        if (u->servers.v[i].host == NULL && u->servers.v[i].addr.u.sa.sa_family == AF_UNIX)
            return true;
    return false;
}

static void check_names(struct builder *b, const struct conf_upstream *u,
                        const struct conf_route *user)
{
    bool full = u->tls_verify == VERIFY_FULL;

    if (!full && u->tls_name != NULL)
        build_error(b, conf_at(&u->head, KEY_UPSTREAM_TLS_NAME, u->tls_name),
                    "choose tls_verify = full; the name to ask for is tls_sni",
                    "no name is checked with tls_verify = %s",
                    u->tls_verify == VERIFY_OFF ? "off" : "chain");
    if (full && u->tls_name == NULL && has_unix(u))
        build_error(b, at_key(u, user, KEY_UPSTREAM_TLS_NAME, NULL),
                    "write tls_name = NAME, or tls_verify = chain",
                    "a Unix socket has no name that could be checked");
    if (u->tls_sni != NULL && addr_is_ip(u->tls_sni))
        build_error(b, conf_at(&u->head, KEY_UPSTREAM_TLS_SNI, u->tls_sni),
                    "leave it out: a server that is dialled by address is asked for no name",
                    "an address; servers are asked for names only (RFC 6066 3)");
}

static void check_pins(struct builder *b, const struct conf_upstream *u)
{
    for (size_t i = 0; i < u->tls_pin.n; i++)
        if (u->tls_pin.v[i].kind != RULE_SHA256)
            build_error(b, conf_at(&u->head, KEY_UPSTREAM_TLS_PIN, u->tls_pin.v[i].written),
                        "a rule about names is tls_allow",
                        "a pin is sha256: with the hash of a public key");
}

static void check_tls(struct builder *b, const struct conf_upstream *u,
                      const struct conf_route *user)
{
    if (u->servers.builtin_page)
        build_error(b, at_key(u, user, KEY_UPSTREAM_SERVER, "builtin:page"),
                    "the page needs mode = terminate", "the builtin page speaks no TLS");
    if (is_set(&u->head, KEY_UPSTREAM_PLAINTEXT_TO))
        build_warn(b, conf_at(&u->head, KEY_UPSTREAM_PLAINTEXT_TO, NULL), "leave it out",
                   "of no effect: TLS goes to this upstream");
    if (build_was_refused(b, &u->head, KEY_UPSTREAM_TLS_VERIFY))
        return;
    check_trust(b, u, user);
    check_names(b, u, user);
    check_pins(b, u);
}

static void check_upstream(struct builder *b, struct conf_upstream *u, const struct users *by)
{
    u->tls = by->tls != NULL;
    if (by->tls != NULL && by->plain != NULL)
        build_error(b, (struct diag_at){ u->head.at, u->head.title, NULL, NULL },
                    "make an [upstream] for each",
                    "[%s] would speak TLS to it, and [%s] plaintext", by->tls->head.title,
                    by->plain->head.title);
    else if (by->tls != NULL)
        check_tls(b, u, by->tls);
    else if (by->plain != NULL)
        refuse_tls_keys(b, u, by->plain);
}

/* --- all --- */

static void find_uses(const struct conf *c)
{
    for (size_t i = 0; i < c->nroutes; i++)
        if (c->routes[i]->store != NULL)
            c->routes[i]->store->for_clients = true;
    for (size_t i = 0; i < c->nupstreams; i++)
        if (c->upstreams[i]->tls_store != NULL)
            c->upstreams[i]->tls_store->for_servers = true;
}

void build_modes(struct builder *b)
{
    const struct conf *c = b->c;
    struct users *users = find_users(c);

    for (size_t i = 0; i < c->nroutes; i++)
        check_route(b, c->routes[i]);
    for (size_t i = 0; i < c->nupstreams; i++)
        check_upstream(b, c->upstreams[i], &users[i]);
    find_uses(c);
    free(users);
}

/* --- who may send plaintext --- */

static bool can_be_told_apart(const struct conf_listener *l)
{
    for (size_t i = 0; i < l->nroutes; i++)
        if (l->routes[i]->sni.n + l->routes[i]->alpn.n > 0)
            return true;
    return false;
}

static void guard_listener(struct builder *b, const struct conf_route *r, const struct addr *a)
{
    const struct conf_listener *l = conf_listener_for(b->c, a);
    char text[ADDR_TEXT_MAX];
    struct diag_at where = conf_at(&r->head, KEY_ROUTE_LISTEN, addr_text(a, text));

    if (l->nroutes > 1 && can_be_told_apart(l))     /* else it was said of all that come later */
        build_error(b, where, "give the route an address of its own",
                    "other routes listen there too, and plaintext says nothing by which to choose");
    if (!addr_is_local(a) && r->plaintext_from.n == 0
        && !build_was_refused(b, &r->head, KEY_ROUTE_PLAINTEXT_FROM))
        build_error(b, where,
                    "listen on loopback or a Unix socket, or name the networks that may: "
                    "plaintext_from = 10.0.0.0/8",
                    "whoever reaches this address could speak to the upstream in plaintext, and "
                    "with our certificate");
}

void build_plain_listeners(struct builder *b)
{
    const struct conf *c = b->c;

    for (size_t i = 0; i < c->nroutes; i++) {
        const struct conf_route *r = c->routes[i];
        for (size_t k = 0; !conf_takes_tls(r) && k < r->listen.n; k++)
            guard_listener(b, r, &r->listen.v[k]);
    }
}
