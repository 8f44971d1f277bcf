/*
 * listener: accepts on one socket, as long as there is room.
 *
 * Descriptors are what runs out first. A worker knows how many connections its
 * limit allows and stops accepting there; new ones wait in the kernel's queue and
 * the loop does not spin over a socket that nobody empties. When the kernel says
 * that descriptors or memory are out all the same, or anything else that is not the
 * trouble of one connection alone, accepting pauses for a moment. The same where the
 * listener's own max_connections are open, in all workers together.
 */
#ifndef SALLYPORT_PROXY_LISTENER_H
#define SALLYPORT_PROXY_LISTENER_H

#include <stdbool.h>

#include "base/list.h"
#include "proxy/conn.h"
#include "proxy/snapshot.h"

struct listener {
    struct list link;
    struct conn_env *env;
    struct addr addr;                   /* as configured; what a reload compares */
    struct snapshot *snap;              /* in force for new connections; held */
    const struct snap_listener *settings;   /* of snap */
    struct loop_fd *io;
    int fd;
    uint16_t port;                      /* the real one */
    uint32_t number;                    /* names it in the tables of sources, in every worker */
    struct loop_timer *again;           /* max_connections is reached: looks whether it still is */
    void (*starved)(void *arg);         /* accepting fails, and may go on to */
    bool (*room)(void *arg);            /* may one more be accepted? */
    void *arg;
};

/* Takes fd, also on failure. NULL when memory is out. */
struct listener *listener_new(struct conn_env *env, int fd, struct snapshot *snap,
                              const struct snap_listener *settings);
void listener_update(struct listener *l, struct snapshot *snap,
                     const struct snap_listener *settings);
void listener_pause(struct listener *l);
void listener_resume(struct listener *l);

/* Watch its socket no more, for good. */
void listener_leave(struct listener *l);

/* Take what waits in the queue, as far as there is room. */
void listener_empty_queue(struct listener *l);
void listener_free(struct listener *l);     /* closes the socket, not the connections */

#endif
