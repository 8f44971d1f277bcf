/*
 * A redirected connection: it goes to where its client meant it for. Two that would go round
 * in circles are ended instead. One that nobody redirected has this proxy for its destination,
 * and would be dialled by it again; one that comes from our own dialling was redirected by a
 * rule that does not spare us. The latter may come to any of the workers, which know only of
 * their own: so it goes on from one to the next until it meets the one it has been at, after
 * about as many turns as there are workers.
 */
#include <stdlib.h>

#include "net/sock.h"
#include "proxy/conn_state.h"

#define PORTS 65536u

/* Whether one of our connections has dialled its upstream from there. */
static bool was_dialled_from(const struct conn *c, const struct peer *from)
{
    const struct conn *other = c->env->dialling[from->port];
    struct addr here;
    struct peer p;

    if (other == NULL || sock_local_addr(other->upstream.fd, &here) != 0)
        return false;
    peer_from(&here.u.sa, &p);
    return peer_same_host(&p, from);
}

static bool find(struct conn *c, struct addr *to)
{
    struct addr listening = c->listener->conf->addr;
    uint16_t port = c->route->conf->upstream->servers.original_port;

    if (addr_port(&listening) == 0)
        addr_set_port(&listening, c->port);
    if (!sock_original_dst(c->client.fd, &listening, to))
        return false;
    if (port != 0)
        addr_set_port(to, port);
    return true;
}

bool conn_original_find(struct conn *c)
{
    struct addr to;

    if (!find(c, &to)) {
        conn_end(c, REASON_NOT_REDIRECTED);
        return false;
    }
    if (c->env->dialling == NULL)
        c->env->dialling = calloc(PORTS, sizeof(c->env->dialling[0]));
    c->original = malloc(sizeof(*c->original));
    if (c->env->dialling == NULL || c->original == NULL) {
        conn_end(c, REASON_NO_MEMORY);
        return false;
    }
    c->original->addr = to;
    addr_text(&to, c->original->text);
    if (was_dialled_from(c, c->header != NULL ? &c->header->via : &c->peer)) {
        conn_end(c, REASON_REDIRECT_LOOP);
        return false;
    }
    return true;
}

void conn_original_dialled(struct conn *c, int fd)
{
    struct addr here;

    /* Two may have the same port, towards different destinations: the later one is known. */
    if (sock_local_addr(fd, &here) == 0) {
        c->dialled_port = addr_port(&here);
        c->env->dialling[c->dialled_port] = c;
    }
}

void conn_original_leave(struct conn *c)
{
    if (c->dialled_port != 0 && c->env->dialling[c->dialled_port] == c)
        c->env->dialling[c->dialled_port] = NULL;
    c->dialled_port = 0;
}
