/*
 * route: which of a listener's routes a connection is for. A pure function of what the
 * client says in its ClientHello; connections, `check` and `explain` ask the same one.
 *
 * By the name: the routes that have it; else those with the wildcard of one label that
 * stands for it; else those without names; else the first of the listener, which also
 * serves who asks for none. Of several, by ALPN: the first that offers a protocol of the
 * client's; else the first that offers none; else the first.
 */
#ifndef SALLYPORT_PROXY_ROUTE_H
#define SALLYPORT_PROXY_ROUTE_H

#include <stddef.h>
#include <stdint.h>

#include "base/names.h"
#include "conf/conf.h"

struct route_table {
    const struct conf_listener *listener;
    struct names names;         /* of its routes, "" for one without; to places in ->routes */
};

/* Borrows the listener, which is of a conf_build() and so has a route. */
void route_table_init(struct route_table *t, const struct conf_listener *l);
void route_table_free(struct route_table *t);

struct route_ask {
    const char *name;           /* SNI as it was sent; NULL: none */
    const uint8_t *alpn;        /* protocols offered, each with its length before it */
    size_t alpn_len;
};

enum route_by { ROUTE_BY_NAME, ROUTE_BY_WILDCARD, ROUTE_BY_DEFAULT };

/* Its place in listener->routes; *by: how the name led there. */
size_t route_choose(const struct route_table *t, const struct route_ask *ask, enum route_by *by);

/* The routes among which ALPN chooses for the name, in their order, by their place in
   listener->routes; *item is NULL at first, and again behind the last (then SIZE_MAX). */
size_t route_candidate(const struct route_table *t, const char *name,
                       const struct names_item **item);

#endif
