#include "proxy/listener.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/sock.h"

#define BATCH 16        /* accepted in one turn, so that running connections get theirs */

static void on_ready(void *arg, unsigned ready);

struct listener *listener_new(struct conn_env *env, int fd, struct snapshot *snap,
                              const struct snap_listener *settings)
{
    struct listener *l = calloc(1, sizeof(*l));
    struct addr real;

    if (l == NULL)
        goto fail;
    l->io = loop_fd_new(env->loop, fd, on_ready, l);
    if (l->io == NULL || loop_fd_want(l->io, LOOP_READ) != 0)
        goto fail;
    l->env = env;
    l->fd = fd;
    l->snap = snapshot_ref(snap);
    l->settings = settings;
    l->addr = settings->conf->addr;
    if (sock_local_addr(fd, &real) == 0)
        l->port = addr_port(&real);
    list_init(&l->link);
    return l;
fail:
    if (l != NULL)
        loop_fd_free(l->io);
    free(l);
    close(fd);
    return NULL;
}

void listener_update(struct listener *l, struct snapshot *snap,
                     const struct snap_listener *settings)
{
    snapshot_ref(snap);
    snapshot_unref(l->snap);
    l->snap = snap;
    l->settings = settings;
}

void listener_pause(struct listener *l)
{
    loop_fd_want(l->io, 0);
}

void listener_resume(struct listener *l)
{
    /* Out of memory for one more watch: the next connection that ends tries again. */
    (void)loop_fd_want(l->io, LOOP_READ);
}

/* The peer was gone before it was accepted, or the network has a word for it
   (accept(2)): that connection's trouble, not the socket's. Whatever else goes wrong
   may last, and to try again at once would be to try for ever. */
static bool befell_one(int error)
{
    switch (error) {
    case ECONNABORTED:
    case ECONNRESET:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENETDOWN:
    case ENETUNREACH:
    case ENONET:
    case ENOPROTOOPT:
    case EOPNOTSUPP:
    case EPERM:
    case EPROTO:
    case ETIMEDOUT:
        return true;
    default:
        return false;
    }
}

/* True when one was taken and another may wait. */
static bool accept_one(struct listener *l)
{
    struct peer from;
    int fd;

    if (!l->room(l->arg))
        return false;
    fd = sock_accept(l->fd, &from);
    if (fd >= 0) {
        conn_begin(l->env, l->snap, l->settings, l->port, fd, &from);
        return true;
    }
    if (errno == EAGAIN)
        return false;
    bool next = befell_one(errno);
    l->env->count->value[COUNTER_ACCEPT_ERRORS]++;
    if (!next)
        l->starved(l->arg);
    return next;
}

static void on_ready(void *arg, unsigned ready)
{
    struct listener *l = arg;
    int n = 0;

    (void)ready;
    while (n < BATCH && accept_one(l))
        n++;
}

void listener_empty_queue(struct listener *l)
{
    while (accept_one(l))
        ;
}

void listener_free(struct listener *l)
{
    if (l == NULL)
        return;
    list_remove(&l->link);
    loop_fd_free(l->io);
    close(l->fd);
    snapshot_unref(l->snap);
    free(l);
}
