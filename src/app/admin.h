/*
 * admin: the master's side of the monitor: the sockets of the admin addresses, and the process
 * that is kept alive behind them.
 *
 * The monitor runs while there is something for it to do: an admin address, a name to resolve, a
 * server to check. One that dies is replaced, at once or, if it keeps dying, ever more rarely;
 * the sockets stay, and who knocks meanwhile waits; so does what it has told of servers. All the
 * master does for a monitor is to begin a reload or a drain and to tell it the outcome, to send
 * it the settings in force, and to pass on what it has to say of servers.
 */
#ifndef SALLYPORT_APP_ADMIN_H
#define SALLYPORT_APP_ADMIN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "app/dialler.h"
#include "app/reload.h"
#include "app/report.h"
#include "app/watchdog.h"
#include "base/diag.h"
#include "conf/conf.h"
#include "net/loop.h"
#include "proxy/account.h"

struct admin;

struct admin_events {
    /* What is known of servers has changed (endpoints.h). The descriptor is the callee's; -1:
       nothing is known any more. */
    void (*endpoints)(void *arg, int fd);
    /* Somebody wants it to end in order, within that time or CHANNEL_DRAIN_DEFAULT. */
    void (*drain)(void *arg, uint64_t timeout_ms);
    void *arg;
};

/* What it works with; all of it must outlive it. */
struct admin_around {
    struct reload *reload;      /* is asked for reloads */
    struct accounts *accounts;  /* the monitor reads what is counted there */
    struct dialler *dialler;    /* whom the monitor may ask */
    struct watchdog *watchdog;  /* looks after the monitor */
};

/* Binds; NULL with findings. */
struct admin *admin_new(struct loop *l, const struct admin_around *around, const struct conf *c,
                        const struct admin_events *ev, struct diags *d);

/* Ends the monitor, which has a moment to hand out its last answers, and removes the
   sockets. NULL is fine. */
void admin_free(struct admin *a);

/* This edition is in force: the monitor is started, told of it, or ended. */
void admin_edition(struct admin *a, const struct edition *ed);

/* How sallyport is now: it is told to the monitor, and to those after it. */
void admin_report(struct admin *a, const struct report *r);

void admin_log(struct admin *a);            /* hand it the log again */
void admin_dialler(struct admin *a);        /* dialler_fd() is another; NULL is fine */
void admin_drained(struct admin *a, uint64_t cut);      /* all have ended; NULL is fine */

/* --- for another sallyport, which takes over --- */

/* The sockets, as admin_sockets_each() has them; and what is known of servers, -1 for nothing. */
void admin_each_socket(const struct admin *a, void (*fn)(void *arg, const char *key, int fd),
                       void *arg);
int admin_endpoints(const struct admin *a);
/* It answers at them now: end the monitor, for good. */
void admin_leave(struct admin *a);
/* There, before the first edition: what the old one knew. The descriptor becomes its own. */
void admin_recall(struct admin *a, int endpoints);

/* A child ended: true when it was the monitor. */
bool admin_reaped(struct admin *a, pid_t pid, int wait_status);

#endif
