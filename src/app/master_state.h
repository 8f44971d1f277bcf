/*
 * master_state: what the master holds, for the master*.c files alone: master.c is its life,
 * master_tell.c what it tells of it, in the log, to the monitor and to systemd.
 */
#ifndef SALLYPORT_APP_MASTER_STATE_H
#define SALLYPORT_APP_MASTER_STATE_H

#include "app/admin.h"
#include "app/dialler.h"
#include "app/expiry.h"
#include "app/handover.h"
#include "app/hops.h"
#include "app/master.h"
#include "app/notify.h"
#include "app/pool.h"
#include "app/reload.h"
#include "app/takeover.h"
#include "app/tickets.h"
#include "app/watchdog.h"
#include "net/loop.h"

#define NSIGNALS 7u

enum phase { STARTING, RUNNING, DRAINING, ENDED };

struct master {
    struct loop *loop;
    struct loop_signal *signals[NSIGNALS];
    const struct master_hooks *hooks;
    struct reload *reload;
    struct admin *admin;        /* NULL until the first configuration is loaded */
    struct pool *pool;          /* NULL until the first configuration is loaded */
    struct tickets *tickets;
    struct dialler *dialler;    /* NULL until then, too */
    struct watchdog *watchdog;
    struct notify *notify;
    struct takeover *takeover;  /* of another's place; NULL: there was none */
    struct handover *handover;  /* of ours */
    struct loop_task reloaded;  /* tells systemd of it, when all else knows */
    struct expiry *expiry;
    struct hops hops;           /* that were told */
    char *cause, *files;        /* of the last reload */
    bool mended;                /* report.h */
    uint64_t wall_us, since_us, last_ok_us;     /* of the start, of what is in force, of the
                                                   last good load; by the clock on the wall */
    struct loop_task tell;
    struct loop_timer *hourly;
    enum phase phase;
    uint64_t started_us;
    int code;
};

/* The one line of the start; what all workers together have done, zeros left out; how a reload
   ended. */
void master_log_started(const struct master *m);
void master_log_totals(const struct master *m, const char *message, uint64_t cut);
void master_log_failed(const struct master *m, const struct reload_outcome *o);
void master_log_done(const struct master *m, const struct reload_outcome *o);

/* Tell the monitor how we are (report.h): now; and at the end of this turn of the loop, once for
   whatever has changed in it. */
void master_tell(void *master);
void master_tell_later(void *master);

/* One line for systemd. */
void master_put_status(void *master, char out[NOTIFY_STATUS_MAX]);

#endif
