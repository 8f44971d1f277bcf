#include <arpa/inet.h>
#include <stdlib.h>

#include "base/mem.h"
#include "conf/build.h"

static bool is_wildcard(const struct addr *a)
{
    switch (a->u.sa.sa_family) {
    case AF_INET: return a->u.in.sin_addr.s_addr == htonl(INADDR_ANY);
    case AF_INET6: return IN6_IS_ADDR_UNSPECIFIED(&a->u.in6.sin6_addr);
    default: return false;
    }
}

/* Whether `part` is one of the addresses that the wildcard `all` stands for. */
static bool covers(const struct addr *all, const struct addr *part)
{
    if (!is_wildcard(all) || all->u.sa.sa_family != part->u.sa.sa_family)
        return false;
    return all->u.sa.sa_family == AF_INET ? all->u.in.sin_port == part->u.in.sin_port
                                          : all->u.in6.sin6_port == part->u.in6.sin6_port;
}

static void compare_listen(struct builder *b, const struct conf_route *r, const struct addr *a,
                           const struct conf_route *other, const struct addr *theirs)
{
    char mine[ADDR_TEXT_MAX], wide[ADDR_TEXT_MAX];
    struct diag_at where = conf_at(&r->head, KEY_ROUTE_LISTEN, addr_text(a, mine));

    if (addr_equal(a, theirs))
        build_error(b, where, "give every route an address of its own",
                    "[%s] listens there already (line %u)", other->head.title,
                    other->head.set[KEY_ROUTE_LISTEN].line);
    else if (covers(theirs, a))
        build_warn(b, where, NULL, "part of %s of [%s], which will not see its connections",
                   addr_text(theirs, wide), other->head.title);
    else if (covers(a, theirs))
        build_warn(b, where, NULL, "connections to %s will go to [%s] instead",
                   addr_text(theirs, wide), other->head.title);
}

static void check_listen(struct builder *b)
{
    const struct conf *c = b->c;

    for (size_t i = 1; i < c->nroutes; i++)
        for (size_t j = 0; j < i; j++)
            for (size_t k = 0; k < c->routes[i]->listen.n; k++)
                for (size_t m = 0; m < c->routes[j]->listen.n; m++)
                    compare_listen(b, c->routes[i], &c->routes[i]->listen.v[k], c->routes[j],
                                   &c->routes[j]->listen.v[m]);
}

static void check_admin(struct builder *b)
{
    const struct conf_proxy *p = &b->c->proxy;
    char text[ADDR_TEXT_MAX];

    for (size_t i = 0; i < p->admin.n; i++)
        for (size_t r = 0; r < b->c->nroutes; r++)
            for (size_t k = 0; k < b->c->routes[r]->listen.n; k++) {
                const struct addr *a = &p->admin.v[i], *other = &b->c->routes[r]->listen.v[k];
                bool chosen = a->u.sa.sa_family == AF_UNIX || addr_port(a) != 0;
                if (chosen && addr_equal(a, other))
                    build_error(b, conf_at(&p->head, KEY_PROXY_ADMIN, addr_text(a, text)),
                                "give the endpoints an address of their own",
                                "[%s] listens there", b->c->routes[r]->head.title);
            }
}

/* Takes the section for the address out of `written`, or makes a default one. */
static void add_listener(struct builder *b, struct conf_listener **written, size_t n,
                         const struct conf_route *r, const struct addr *a)
{
    char name[ADDR_TEXT_MAX];
    struct conf *c = b->c;

    if (conf_listener_for(c, a) != NULL)
        return;
    for (size_t i = 0; i < n; i++) {
        if (written[i] != NULL && addr_equal(&written[i]->addr, a)) {
            c->listeners = mem_grow(c->listeners, c->nlisteners + 1, sizeof(c->listeners[0]));
            c->listeners[c->nlisteners++] = written[i];
            written[i] = NULL;
            return;
        }
    }
    struct conf_head *h = build_section(c, SECTION_LISTENER, addr_text(a, name),
                                        r->head.set[KEY_ROUTE_LISTEN]);
    ((struct conf_listener *)(void *)h)->addr = *a;
    build_defaults(SECTION_LISTENER, h);
}

static void refuse_listener(struct builder *b, const struct conf_listener *l)
{
    const struct conf *c = b->c;
    const char **names = NULL;
    size_t n = 0;

    for (; n < c->nlisteners; n++) {
        names = mem_grow(names, n + 1, sizeof(names[0]));
        names[n] = c->listeners[n]->head.name;
    }
    char *hint = schema_hint(l->head.name, names, n);
    build_error(b, (struct diag_at){ l->head.at, l->head.title, NULL, NULL }, hint,
                "no route listens on this address");
    free(hint);
    free(names);
}

void build_listeners(struct builder *b)
{
    struct conf *c = b->c;
    struct conf_listener **written = c->listeners;
    size_t n = c->nlisteners;

    check_listen(b);
    check_admin(b);
    c->listeners = NULL;
    c->nlisteners = 0;
    for (size_t i = 0; i < c->nroutes; i++)
        for (size_t k = 0; k < c->routes[i]->listen.n; k++)
            add_listener(b, written, n, c->routes[i], &c->routes[i]->listen.v[k]);
    for (size_t i = 0; i < n; i++) {
        if (written[i] == NULL)
            continue;
        if (written[i]->addr.len != 0)  /* else its name was refused before */
            refuse_listener(b, written[i]);
        build_section_free(SECTION_LISTENER, &written[i]->head);
    }
    free(written);
}
