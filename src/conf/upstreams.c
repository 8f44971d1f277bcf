/* What must hold of an upstream, taken as a whole. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf/build.h"

bool build_is_unnamed(const struct conf_upstream *u)
{
    return strchr(u->head.name, ':') != NULL;
}

/* Where one of its servers is written. */
static struct diag_at server_at(const struct conf_upstream *u, const struct conf_route *user,
                                const struct conf_server *s)
{
    struct diag_at where = build_is_unnamed(u) && user != NULL
                               ? conf_at(&user->head, KEY_ROUTE_UPSTREAM, s->written)
                               : conf_at(&u->head, KEY_UPSTREAM_SERVER, s->written);

    if (s->at.file != NULL)
        where.at = s->at;
    return where;
}

/* How to write that it may go there. The caller's. */
static char *plaintext_fix(const struct conf_upstream *u, const struct conf_server *s)
{
    char ip[INET6_ADDRSTRLEN];
    struct peer p;
    unsigned bits;

    peer_from(&s->addr.u.sa, &p);
    bits = p.family == AF_INET ? 32 : 128;
    inet_ntop(p.family, p.ip, ip, sizeof(ip));
    if (build_is_from(&u->head, ORIGIN_COMMAND_LINE))
        return mem_printf("add --plaintext-to %s/%u", ip, bits);
    if (build_is_from(&u->head, ORIGIN_ENVIRONMENT))
        return mem_printf("set SALLYPORT_PLAINTEXT_TO=%s/%u", ip, bits);
    if (build_is_unnamed(u))
        return mem_printf("write an [upstream] section with this server and plaintext_to = %s/%u",
                          ip, bits);
    return mem_printf("add plaintext_to = %s/%u", ip, bits);
}

static void guard_plaintext(struct builder *b, const struct conf_upstream *u,
                            const struct conf_route *user)
{
    struct nets to = conf_nets(&u->plaintext_to);

    for (size_t i = 0; i < u->servers.n; i++) {
        const struct conf_server *s = &u->servers.v[i];
        /* A name is judged when it is resolved, by who dials. */
        if (s->host != NULL || nets_let_plaintext(&to, &s->addr))
            continue;
        char *fix = plaintext_fix(u, s);
        char *hint = mem_printf("if the network to it is trusted, %s", fix);
        build_error(b, server_at(u, user, s), hint,
                    "plaintext would leave this host, which plaintext_to does not allow");
        free(hint);
        free(fix);
    }
    nets_free(&to);
}

/* Where nobody looks, nobody finds a server down. */
static void check_checks(struct builder *b, const struct conf_upstream *u)
{
    if (u->servers.builtin_page && u->check.kind > CHECK_AUTO)
        build_error(b, conf_at(&u->head, KEY_UPSTREAM_CHECK, NULL), "leave it out",
                    "the builtin page is always up, and is not checked");
    if (u->check.kind == CHECK_OFF && u->on_down == ON_DOWN_CLOSE)
        build_error(b, conf_at(&u->head, KEY_UPSTREAM_ON_DOWN, "close"),
                    "leave it out, or set check",
                    "with check = off no server goes down");
}

int conf_check_kind(const struct conf_upstream *u, size_t naddrs)
{
    if (u->check.kind != CHECK_AUTO)
        return u->check.kind;
    return naddrs > 1 ? CHECK_TCP : CHECK_OFF;
}

bool conf_is_watched(const struct conf_upstream *u)
{
    if (u->servers.n > 0 && conf_check_kind(u, u->servers.n) != CHECK_OFF)
        return true;
    for (size_t i = 0; i < u->servers.n; i++)
        if (u->servers.v[i].host != NULL)
            return true;
    return false;
}

/* The page is no service that could be told. */
static void check_proxy(struct builder *b, const struct conf_upstream *u)
{
    const char *word = u->proxy_protocol == PROXY_V1 ? "v1" : "v2";

    if (u->servers.builtin_page && u->proxy_protocol != PROXY_OFF)
        build_error(b, conf_at(&u->head, KEY_UPSTREAM_PROXY_PROTOCOL, word),
                    "leave it out: the page shows the client all the same",
                    "the builtin page reads no PROXY header");
}

void build_upstream(struct builder *b, const struct conf_upstream *u,
                    const struct conf_route *user)
{
    if (!u->tls && !build_was_refused(b, &u->head, KEY_UPSTREAM_PLAINTEXT_TO))
        guard_plaintext(b, u, user);
    check_checks(b, u);
    check_proxy(b, u);
}

void build_resolver(struct builder *b)
{
    const struct conf_proxy *p = &b->c->proxy;

    for (size_t i = 0; i < p->resolver.n; i++) {
        const struct addr *a = &p->resolver.v[i];
        char text[ADDR_TEXT_MAX];
        struct diag_at where = conf_at(&p->head, KEY_PROXY_RESOLVER, addr_text(a, text));
        if (a->u.sa.sa_family == AF_UNIX)
            build_error(b, where, "such as 10.0.0.2:53", "no name server is at a Unix socket");
        else if (addr_port(a) == 0)
            build_error(b, where, "name servers have port 53", "nobody can be reached on port 0");
    }
}
