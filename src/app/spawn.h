/*
 * spawn: one worker, brought to life.
 *
 * Whether a worker is a process or runs on the master's own loop (`workers = 0`,
 * for a debugger) is decided here and known nowhere else: either way there is a
 * channel to talk to it, and its end is the channel's end plus, for a process,
 * its exit status.
 */
#ifndef SALLYPORT_APP_SPAWN_H
#define SALLYPORT_APP_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

#include "app/privs.h"
#include "app/role.h"
#include "app/sandbox.h"
#include "base/err.h"
#include "net/loop.h"
#include "proxy/account.h"

struct spawn_spec {
    struct loop *loop;          /* the master's */
    bool foreground;            /* no process: on that loop */
    const struct privs *privs;  /* what a process becomes */
    const struct accounts *accounts;    /* its slot is that of the index */
    const struct sandbox *sandbox;      /* and where it is shut in */
    size_t index;
};

struct spawned {
    pid_t pid;                  /* 0: on our own loop */
    int fd;                     /* our end of its channel */
    struct role *role;          /* on our own loop; frees itself when it has drained */
};

/* 0, or -1 and e. *out must stay where it is while the worker lives. */
int spawn_worker(const struct spawn_spec *spec, struct spawned *out, struct err *e);

/* End it at once, with whatever it serves. Its channel's end follows. */
void spawn_kill(struct spawned *s);

#endif
