#include "proxy/listener.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/sock.h"

#define BATCH 16        /* accepted in one turn, so that running connections get theirs */

#define FULL_MS 100u    /* connections end in other workers, too, without a word to this one */

static void on_ready(void *arg, unsigned ready);
static void on_again(void *arg);

/* The same in every worker, and after a restart. */
static uint32_t number_of(const struct addr *a)
{
    char text[ADDR_TEXT_MAX];

    addr_text(a, text);
    return names_hash(str_span(text));
}

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
    l->number = number_of(&l->addr);
    l->again = loop_timer_new(env->loop, on_again, l);
    if (l->again == NULL)
        goto fail;
    if (sock_local_addr(fd, &real) == 0)
        l->port = addr_port(&real);
    list_init(&l->link);
    return l;
fail:
    if (l != NULL) {
        loop_fd_free(l->io);
        snapshot_unref(l->snap);
    }
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

/* The limit is the listener's, over all workers: two that accept at once may pass it. */
static bool is_full(const struct listener *l)
{
    uint32_t max = l->settings->conf->max_connections;
    const struct account *a = l->env->account;

    return max > 0 && account_source_open(a, source_key(&a->sources, l->number, NULL)) >= max;
}

static void on_again(void *arg)
{
    struct listener *l = arg;

    if (is_full(l))
        (void)loop_timer_set(l->again, FULL_MS);
    else if (l->room(l->arg))
        listener_resume(l);
}

/* True when one was taken and another may wait. */
static bool accept_one(struct listener *l)
{
    struct peer from;
    int fd;

    if (!l->room(l->arg))
        return false;
    if (is_full(l)) {
        l->env->count->value[COUNTER_LISTENER_FULL]++;
        listener_pause(l);
        (void)loop_timer_set(l->again, FULL_MS);
        return false;
    }
    fd = sock_accept(l->fd, &from);
    if (fd >= 0) {
        conn_begin(l->env, l->snap, l->settings, l->number, l->port, fd, &from);
        return true;
    }
    if (errno == EAGAIN)
        return false;
    bool next = befell_one(errno);
    l->env->count->value[COUNTER_ACCEPT_ERRORS]++;
    account_listener(l->env->account, l->settings->row)->failed++;
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

void listener_leave(struct listener *l)
{
    loop_timer_clear(l->again);
    listener_pause(l);
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
    loop_timer_free(l->again);
    close(l->fd);
    snapshot_unref(l->snap);
    free(l);
}
