#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf/build.h"
#include "conf/presets.h"
#include "conf/types.h"

__attribute__((format(printf, 5, 0)))
static void add_finding(struct builder *b, enum diag_level level, struct diag_at where,
                        const char *hint, const char *fmt, va_list ap)
{
    char message[1024];

    vsnprintf(message, sizeof(message), fmt, ap);
    diag_add(b->d, level, where, hint, "%s", message);
}

void build_error(struct builder *b, struct diag_at where, const char *hint, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    add_finding(b, DIAG_ERROR, where, hint, fmt, ap);
    va_end(ap);
}

void build_warn(struct builder *b, struct diag_at where, const char *hint, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    add_finding(b, DIAG_WARNING, where, hint, fmt, ap);
    va_end(ap);
}

void build_refuse(struct builder *b, const struct conf_head *h, enum conf_key key)
{
    b->refused = mem_grow(b->refused, b->nrefused + 1, sizeof(b->refused[0]));
    b->refused[b->nrefused++] = (struct conf_refused){ h, key };
}

bool build_was_refused(const struct builder *b, const struct conf_head *h, enum conf_key key)
{
    for (size_t i = 0; i < b->nrefused; i++)
        if (b->refused[i].head == h && b->refused[i].key == key)
            return true;
    return false;
}

#define APPEND(list, n, type)                                         \
    (list = mem_append(list, n, sizeof(list[0])),                     \
     list[n] = mem_zalloc(sizeof(struct type)), &list[n++]->head)

static struct conf_head *allocate(struct conf *c, enum conf_section s)
{
    switch (s) {
    case SECTION_STORE: return APPEND(c->stores, c->nstores, conf_store);
    case SECTION_TRUST: return APPEND(c->trusts, c->ntrusts, conf_trust);
    case SECTION_LISTENER: return APPEND(c->listeners, c->nlisteners, conf_listener);
    case SECTION_ROUTE: return APPEND(c->routes, c->nroutes, conf_route);
    case SECTION_UPSTREAM: return APPEND(c->upstreams, c->nupstreams, conf_upstream);
    default: return &c->proxy.head;
    }
}

/* Objects of a kind; [proxy], in no list, is one. */
static size_t count(const struct conf *c, enum conf_section s)
{
    switch (s) {
    case SECTION_STORE: return c->nstores;
    case SECTION_TRUST: return c->ntrusts;
    case SECTION_LISTENER: return c->nlisteners;
    case SECTION_ROUTE: return c->nroutes;
    case SECTION_UPSTREAM: return c->nupstreams;
    default: return 1;
    }
}

struct conf_head *build_section(struct builder *b, enum conf_section s, const char *name,
                                struct origin at)
{
    struct conf_head *h = allocate(b->c, s);

    h->section = conf_sections[s];
    h->name = mem_strdup(name);
    h->index = count(b->c, s) - 1;
    names_add(&b->by_name[s], (struct span){ h->name, strlen(name) }, (uint32_t)h->index);
    h->title = mem_printf("%s%s%s", h->section, name[0] ? " " : "", name);
    h->at = at;
    return h;
}

static void clear_section(enum conf_section s, struct conf_head *h)
{
    for (size_t i = 0; i < KEY_COUNT; i++)
        if (conf_keys[i].section == s)
            type_clear(&conf_keys[i], type_field(&conf_keys[i], h));
    free(h->name);
    free(h->title);
}

void build_section_free(enum conf_section s, struct conf_head *h)
{
    clear_section(s, h);
    if (s == SECTION_LISTENER)
        free(((struct conf_listener *)(void *)h)->routes);
    free(h);
}

struct conf_head *build_nth(const struct conf *c, enum conf_section s, size_t i)
{
    switch (s) {
    case SECTION_STORE: return i < c->nstores ? &c->stores[i]->head : NULL;
    case SECTION_TRUST: return i < c->ntrusts ? &c->trusts[i]->head : NULL;
    case SECTION_LISTENER: return i < c->nlisteners ? &c->listeners[i]->head : NULL;
    case SECTION_ROUTE: return i < c->nroutes ? &c->routes[i]->head : NULL;
    case SECTION_UPSTREAM: return i < c->nupstreams ? &c->upstreams[i]->head : NULL;
    default: return NULL;       /* [proxy] is in no list */
    }
}

struct conf_head *build_find(const struct builder *b, enum conf_section s, const char *name)
{
    const struct names_item *i =
        names_find(&b->by_name[s], str_span(name));

    return i != NULL ? build_nth(b->c, s, i->value) : NULL;
}

/* It stands together at the beginning of each kind, and the
   flow of an IPv6 address, between, is never written. */
struct span build_addr_key(const struct addr *a)
{
    const char *p = (const char *)&a->u;

    switch (a->u.sa.sa_family) {
    case AF_INET:
        return (struct span){ p, offsetof(struct sockaddr_in, sin_zero) };
    case AF_INET6:
        return (struct span){ p, offsetof(struct sockaddr_in6, sin6_scope_id) };
    default:
        return (struct span){ p, offsetof(struct sockaddr_un, sun_path)
                                     + strlen(a->u.un.sun_path) };
    }
}

void build_place_listener(struct builder *b, const struct conf_listener *l)
{
    names_add(&b->by_addr, build_addr_key(&l->addr), (uint32_t)l->head.index);
}

struct conf_listener *build_listener_at(const struct builder *b, const struct addr *a)
{
    const struct names_item *i = names_find(&b->by_addr, build_addr_key(a));

    return i != NULL ? b->c->listeners[i->value] : NULL;
}

void conf_free(struct conf *c)
{
    struct conf_head *h;

    if (c == NULL)
        return;
    for (int s = SECTION_PROXY + 1; s < SECTION_COUNT; s++)
        for (size_t i = 0; (h = build_nth(c, (enum conf_section)s, i)) != NULL; i++)
            build_section_free((enum conf_section)s, h);
    clear_section(SECTION_PROXY, &c->proxy.head);
    for (size_t i = 0; i < c->norigins; i++)
        free(c->origins[i]);
    free(c->origins);
    free(c->stores);
    free(c->trusts);
    free(c->listeners);
    free(c->routes);
    free(c->upstreams);
    free(c);
}

/* A flag makes a section and the route's reference to it at once. */
static enum conf_key behind_reference(enum conf_key key)
{
    switch (key) {
    case KEY_ROUTE_STORE: return KEY_STORE_CERT;
    case KEY_ROUTE_TRUST: return KEY_TRUST_CA;
    case KEY_ROUTE_UPSTREAM: return KEY_UPSTREAM_SERVER;
    default: return key;
    }
}

struct diag_at conf_at(const struct conf_head *h, enum conf_key key, const char *value)
{
    const struct key_row *row = &conf_keys[key], *given = &conf_keys[behind_reference(key)];
    struct origin at = h->set[key].file != NULL ? h->set[key] : h->at;
    /* What a preset set, the user knows by the line of the preset. */
    if (row->section == SECTION_ROUTE && preset_of(at) != NULL)
        at = h->set[KEY_ROUTE_PRESET];
    bool flag = at.file != NULL && strcmp(at.file, ORIGIN_COMMAND_LINE) == 0;
    bool env = at.file != NULL && strcmp(at.file, ORIGIN_ENVIRONMENT) == 0;

    if (flag || env) {
        const char *name = flag ? given->flag : given->env;
        return (struct diag_at){ at, NULL, name ? name : row->key, value };
    }
    return (struct diag_at){ at, h->title, row->key, value };
}

struct nets conf_nets(const struct conf_strs *written)
{
    struct nets list = { 0 };
    struct err unused = ERR_INIT;

    for (size_t i = 0; i < written->n; i++)
        (void)nets_add(&list, str_span(written->v[i]), &unused);
    return list;
}

const struct conf_listener *conf_listener_for(const struct conf *c, const struct addr *a)
{
    for (size_t i = 0; i < c->nlisteners; i++)
        if (addr_equal(&c->listeners[i]->addr, a))
            return c->listeners[i];
    return NULL;
}
