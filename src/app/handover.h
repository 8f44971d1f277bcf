/*
 * handover: to give one's place to a sallyport that is started for it (USR2); takeover.h
 * tells how the two come to terms.
 *
 * It is the file that we were started from, as it is by now, with the same arguments. Until
 * it says that it serves nothing of ours changes; if it ends before, says why it cannot, or
 * says nothing for a minute, nothing ever will have.
 */
#ifndef SALLYPORT_APP_HANDOVER_H
#define SALLYPORT_APP_HANDOVER_H

#include <stdbool.h>
#include <sys/types.h>

#include "app/admin.h"
#include "app/listeners.h"
#include "app/notify.h"
#include "app/tickets.h"
#include "base/err.h"
#include "net/loop.h"

struct handover;

struct handover_events {
    /* That process serves, with our sockets: it is time to end. It waits for handover_go(). */
    void (*done)(void *arg, pid_t pid);
    void *arg;
};

/* To be made early: it remembers from where we were started. NULL when memory is out. */
struct handover *handover_new(struct loop *l, const struct handover_events *ev);
void handover_free(struct handover *h);     /* NULL is fine, here and below */

/* What is handed over. */
struct handover_gift {
    const struct listen_set *sockets;
    const struct admin *admin;
    const struct tickets *tickets;
    const struct notify *notify;
};

/* Start the new one. 0, or -1 and e: nothing has happened then. */
int handover_begin(struct handover *h, const struct handover_gift *g, struct err *e);
bool handover_is_under_way(const struct handover *h);

/* A reload was asked for: the new one has to read everything again, too, once it serves. */
void handover_hangup(struct handover *h);

/* To the new one, after `done`: all is yours. */
void handover_go(struct handover *h);

/* Let it not come to be: `why` is logged. */
void handover_cancel(struct handover *h, const char *why);

/* A child ended: true when it was the new one. */
bool handover_reaped(struct handover *h, pid_t pid, int wait_status);

#endif
