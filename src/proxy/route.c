#include "proxy/route.h"

#include <string.h>

#include "proto/hello.h"

void route_table_init(struct route_table *t, const struct conf_listener *l)
{
    *t = (struct route_table){ .listener = l };
    for (size_t i = 0; i < l->nroutes; i++) {
        const struct conf_strs *sni = &l->routes[i]->sni;
        if (sni->n == 0)
            names_add(&t->names, (struct span){ "", 0 }, (uint32_t)i);
        for (size_t k = 0; k < sni->n; k++)
            names_add(&t->names, str_span(sni->v[k]), (uint32_t)i);
    }
}

void route_table_free(struct route_table *t)
{
    names_free(&t->names);
}

/* The routes for a name, as the first of a chain; NULL: none. */
static const struct names_item *candidates(const struct route_table *t, const char *name,
                                           enum route_by *by)
{
    char text[DNS_NAME_MAX + 1], *wild;
    size_t n = name != NULL ? dns_fold(str_span(name), text) : 0;
    const struct names_item *i = NULL;

    if (n > 0 && (i = names_find(&t->names, (struct span){ text, n })) != NULL)
        *by = ROUTE_BY_NAME;
    else if (n > 0 && (wild = dns_wildcard(text)) != NULL
             && (i = names_find(&t->names, str_span(wild))) != NULL)
        *by = ROUTE_BY_WILDCARD;
    if (i == NULL)
        i = names_find(&t->names, (struct span){ "", 0 });
    return i;
}

/* Does it offer one of the client's protocols? */
static bool shares_protocol(const struct conf_strs *offered, const struct route_ask *ask)
{
    for (size_t i = 0; i < offered->n; i++)
        if (alpn_has(ask->alpn, ask->alpn_len, offered->v[i]))
            return true;
    return false;
}

size_t route_choose(const struct route_table *t, const struct route_ask *ask, enum route_by *by)
{
    struct conf_route *const *routes = t->listener->routes;
    const struct names_item *first, *plain = NULL;

    *by = ROUTE_BY_DEFAULT;
    first = candidates(t, ask->name, by);
    if (first == NULL)
        return 0;               /* every route has names, and none has this one */
    for (const struct names_item *i = first; i != NULL; i = names_next(&t->names, i)) {
        const struct conf_strs *offered = &routes[i->value]->alpn;
        if (shares_protocol(offered, ask))
            return i->value;
        if (plain == NULL && offered->n == 0)
            plain = i;
    }
    return plain != NULL ? plain->value : first->value;
}

size_t route_candidate(const struct route_table *t, const char *name,
                       const struct names_item **item)
{
    enum route_by unused;

    *item = *item == NULL ? candidates(t, name, &unused) : names_next(&t->names, *item);
    return *item != NULL ? (*item)->value : SIZE_MAX;
}
