/* What must hold where connections are redirected: such a route goes where its clients wanted
   to go, and no other one can. */
#include "base/mem.h"
#include "conf/build.h"

#include <stdlib.h>

static void check_listen(struct builder *b, const struct conf_route *r)
{
    char text[ADDR_TEXT_MAX];

    for (size_t i = 0; i < r->listen.n; i++)
        if (r->listen.v[i].u.sa.sa_family == AF_UNIX || addr_is_systemd(&r->listen.v[i]))
            build_error(b, conf_at(&r->head, KEY_ROUTE_LISTEN, addr_text(&r->listen.v[i], text)),
                        "listen on an address: 127.0.0.1:15001",
                        "connections to a %s cannot be redirected",
                        addr_is_systemd(&r->listen.v[i]) ? "socket of systemd's" : "Unix socket");
}

static void check_on(struct builder *b, const struct conf_route *r)
{
    const struct conf_upstream *u = r->upstream;

    if (r->mode != MODE_ORIGINATE) {
        build_error(b, conf_at(&r->head, KEY_ROUTE_TRANSPARENT, "on"),
                    "write mode = originate, or leave it out",
                    "only plaintext that becomes TLS here can be redirected");
        return;
    }
    check_listen(b, r);
    if (u != NULL && u->servers.original && u->check.kind > CHECK_AUTO)
        build_error(b, conf_at(&u->head, KEY_UPSTREAM_CHECK, NULL), "leave it out",
                    "original destinations are not known before they are dialled");
    if (u == NULL || u->servers.original || build_was_refused(b, &u->head, KEY_UPSTREAM_SERVER))
        return;
    char *hint = mem_printf("write server = original in [%s], or original:PORT where TLS has a "
                            "port of its own", u->head.title);
    build_error(b, conf_at(&r->head, KEY_ROUTE_TRANSPARENT, "on"), hint,
                "redirected connections go to where they were meant for");
    free(hint);
}

void build_transparent(struct builder *b)
{
    for (size_t i = 0; i < b->c->nroutes; i++) {
        const struct conf_route *r = b->c->routes[i];
        if (build_was_refused(b, &r->head, KEY_ROUTE_TRANSPARENT)
            || build_was_refused(b, &r->head, KEY_ROUTE_MODE))
            continue;
        if (r->transparent)
            check_on(b, r);
        else if (r->upstream != NULL && r->upstream->servers.original)
            build_error(b, conf_at(&r->head, KEY_ROUTE_UPSTREAM, r->upstream->head.name),
                        "write mode = originate and transparent = on; a host of that name is "
                        "\"original.\", with a dot",
                        "only a redirected connection has an original destination");
    }
}
