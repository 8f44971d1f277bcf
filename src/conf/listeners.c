#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/names.h"
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

const struct conf_listener *conf_listener_reached(const struct conf *c, const struct addr *a)
{
    const struct conf_listener *l = conf_listener_for(c, a);

    for (size_t i = 0; l == NULL && i < c->nlisteners; i++)
        if (covers(&c->listeners[i]->addr, a))
            l = c->listeners[i];
    return l;
}

/* Of two addresses where one stands for many. The kernel gives a connection to the one that
   says it more exactly. */
static void compare_listeners(struct builder *b, const struct conf_listener *l,
                              const struct conf_listener *before)
{
    const struct conf_route *r = l->routes[0], *other = before->routes[0];
    char mine[ADDR_TEXT_MAX], theirs[ADDR_TEXT_MAX];
    struct diag_at where = conf_at(&r->head, KEY_ROUTE_LISTEN, addr_text(&l->addr, mine));

    addr_text(&before->addr, theirs);
    if (covers(&before->addr, &l->addr))
        build_warn(b, where, NULL, "part of %s of [%s], which will not see its connections",
                   theirs, other->head.title);
    else if (covers(&l->addr, &before->addr))
        build_warn(b, where, NULL, "connections to %s will go to [%s] instead", theirs,
                   other->head.title);
}

/* Each with those before it, where one of the two stands for many: those are few. */
static void check_covered(struct builder *b)
{
    struct conf_listener **all = b->c->listeners, **many;
    size_t nmany = 0;

    many = mem_zalloc(b->c->nlisteners * sizeof(many[0]));
    for (size_t i = 0; i < b->c->nlisteners; i++) {
        bool wildcard = is_wildcard(&all[i]->addr);
        for (size_t k = 0; k < (wildcard ? i : nmany); k++)
            compare_listeners(b, all[i], wildcard ? all[k] : many[k]);
        if (wildcard)
            many[nmany++] = all[i];
    }
    free(many);
}

/* --- routes that nobody would ever come to --- */

static bool offers(const struct conf_route *r, const char *protocol)
{
    for (size_t i = 0; i < r->alpn.n; i++)
        if (strcmp(r->alpn.v[i], protocol) == 0)
            return true;
    return false;
}

/* Among the routes of one name the first that offers a protocol of the client's is taken,
   else the first that offers none (proxy/route.h). What earlier ones leave to this one? */
static bool is_left_a_client(const struct conf_listener *l, const struct conf_route *r,
                             const struct names *seen, struct span name)
{
    const struct names_item *first = names_find(seen, name), *i;

    for (size_t p = 0; p < r->alpn.n; p++) {
        for (i = first; i != NULL && !offers(l->routes[i->value], r->alpn.v[p]);)
            i = names_next(seen, i);
        if (i == NULL)
            return true;
    }
    for (i = first; i != NULL && (r->alpn.n > 0 || l->routes[i->value]->alpn.n > 0);)
        i = names_next(seen, i);
    return r->alpn.n == 0 && i == NULL;
}

static void refuse_shadowed(struct builder *b, const struct conf_listener *l,
                            const struct conf_route *r, const struct conf_route *other,
                            const char *name)
{
    const char *tell_apart = r->alpn.n + other->alpn.n > 0 ? "sni" : "sni or alpn";
    char text[ADDR_TEXT_MAX];
    char *hint = mem_printf("give every route an address of its own, or tell them apart by %s",
                            tell_apart);

    if (name == NULL)
        build_error(b, conf_at(&r->head, KEY_ROUTE_LISTEN, addr_text(&l->addr, text)), hint,
                    "[%s] listens there already (line %u), and takes all that would come here",
                    other->head.title, other->head.set[KEY_ROUTE_LISTEN].line);
    else
        build_error(b, conf_at(&r->head, KEY_ROUTE_SNI, name), NULL,
                    "[%s] has the name on %s already (line %u), and takes all that would come "
                    "here", other->head.title, addr_text(&l->addr, text),
                    other->head.set[KEY_ROUTE_SNI].line);
    free(hint);
}

static void check_shadowed(struct builder *b, const struct conf_listener *l)
{
    struct names seen = { 0 };

    for (size_t i = 0; i < l->nroutes; i++) {
        const struct conf_route *r = l->routes[i];
        for (size_t k = 0; k < (r->sni.n > 0 ? r->sni.n : 1); k++) {
            const char *name = r->sni.n > 0 ? r->sni.v[k] : NULL;
            struct span text = { name ? name : "", name ? strlen(name) : 0 };
            const struct names_item *first = names_find(&seen, text);
            if (first != NULL && !is_left_a_client(l, r, &seen, text))
                refuse_shadowed(b, l, r, l->routes[first->value], name);
            names_add(&seen, text, (uint32_t)i);
        }
    }
    names_free(&seen);
}

/* Who speaks plaintext asks for no name and no protocol: this route serves him (proxy/route.h). */
static const struct conf_route *default_route(const struct conf_listener *l)
{
    const struct conf_route *first = NULL;

    for (size_t i = 0; i < l->nroutes; i++) {
        const struct conf_route *r = l->routes[i];
        if (r->sni.n == 0 && r->alpn.n == 0)
            return r;
        if (r->sni.n == 0 && first == NULL)
            first = r;
    }
    return first != NULL ? first : l->routes[0];
}

/* On any other route plaintext_from would be believed to do something. */
static void check_plaintext_from(struct builder *b)
{
    const struct conf *c = b->c;
    bool *is_default = mem_zalloc(c->nroutes * sizeof(is_default[0]));

    for (size_t i = 0; i < c->nlisteners; i++)
        is_default[default_route(c->listeners[i])->head.index] = true;
    for (size_t i = 0; i < c->nroutes; i++) {
        const struct conf_route *r = c->routes[i];
        if (r->plaintext_from.n == 0 || is_default[i] || r->listen.n == 0)
            continue;
        const struct conf_listener *l = conf_listener_for(c, &r->listen.v[0]);
        char *hint = mem_printf("that is [%s]: if plaintext may come to it, write it there",
                                default_route(l)->head.title);
        build_warn(b, conf_at(&r->head, KEY_ROUTE_PLAINTEXT_FROM, r->plaintext_from.v[0]), hint,
                   "of no effect: what is plaintext is served by the default route of the address");
        free(hint);
    }
    free(is_default);
}

static void check_admin(struct builder *b)
{
    const struct conf_proxy *p = &b->c->proxy;
    char text[ADDR_TEXT_MAX];

    for (size_t i = 0; i < p->admin.n; i++)
        for (size_t r = 0; r < b->c->nroutes; r++)
            for (size_t k = 0; k < b->c->routes[r]->listen.n; k++) {
                const struct addr *a = &p->admin.v[i], *other = &b->c->routes[r]->listen.v[k];
                bool chosen = a->u.sa.sa_family == AF_UNIX || addr_is_systemd(a)
                           || addr_port(a) != 0;
                if (chosen && addr_equal(a, other))
                    build_error(b, conf_at(&p->head, KEY_PROXY_ADMIN, addr_text(a, text)),
                                "give the endpoints an address of their own",
                                "[%s] listens there", b->c->routes[r]->head.title);
            }
}

/* The sections as they stand in the file, until routes have asked for them. */
struct written {
    struct conf_listener **v;   /* NULL: taken */
    size_t n;
    struct names by_addr;
};

static void append(struct conf *c, struct conf_listener *l)
{
    c->listeners = mem_append(c->listeners, c->nlisteners, sizeof(c->listeners[0]));
    l->head.index = c->nlisteners;
    c->listeners[c->nlisteners++] = l;
}

/* Takes the section for the address out of `written`, or makes a default one. */
static struct conf_listener *add_listener(struct builder *b, struct written *w,
                                          const struct conf_route *r, const struct addr *a)
{
    const struct names_item *i = names_find(&w->by_addr, build_addr_key(a));
    char name[ADDR_TEXT_MAX];
    struct conf_listener *l;

    if (i != NULL) {
        l = w->v[i->value];
        w->v[i->value] = NULL;
        append(b->c, l);
    } else {
        struct conf_head *h = build_section(b, SECTION_LISTENER, addr_text(a, name),
                                            r->head.set[KEY_ROUTE_LISTEN]);
        l = (struct conf_listener *)(void *)h;
        l->addr = *a;
        build_defaults(SECTION_LISTENER, h);
    }
    build_place_listener(b, l);
    return l;
}

static void listen_there(struct builder *b, struct written *w, struct conf_route *r,
                         const struct addr *a)
{
    struct conf_listener *l = build_listener_at(b, a);

    if (l == NULL)
        l = add_listener(b, w, r, a);
    l->routes = mem_append(l->routes, l->nroutes, sizeof(l->routes[0]));
    l->routes[l->nroutes++] = r;
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
    struct written w = { c->listeners, c->nlisteners, b->by_addr };

    check_admin(b);
    c->listeners = NULL;
    c->nlisteners = 0;
    b->by_addr = (struct names){ 0 };
    for (size_t i = 0; i < c->nroutes; i++)
        for (size_t k = 0; k < c->routes[i]->listen.n; k++)
            listen_there(b, &w, c->routes[i], &c->routes[i]->listen.v[k]);
    names_free(&w.by_addr);
    for (size_t i = 0; i < w.n; i++) {
        if (w.v[i] == NULL)
            continue;
        if (w.v[i]->addr.len != 0)      /* else its name was refused before */
            refuse_listener(b, w.v[i]);
        build_section_free(SECTION_LISTENER, &w.v[i]->head);
    }
    free(w.v);
    check_covered(b);
    for (size_t i = 0; i < c->nlisteners; i++)
        check_shadowed(b, c->listeners[i]);
    check_plaintext_from(b);
}
