/*
 * admin: the master's side of the admin addresses: their sockets, and the monitor
 * process that is kept alive behind them.
 *
 * A monitor that dies is replaced, at once or, if it keeps dying, ever more rarely;
 * the sockets stay, and who knocks meanwhile waits. The workers never notice. All the
 * master does for a monitor is to begin a reload or a drain and to tell it the outcome.
 */
#ifndef SALLYPORT_APP_ADMIN_H
#define SALLYPORT_APP_ADMIN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "app/reload.h"
#include "base/diag.h"
#include "conf/conf.h"
#include "net/loop.h"

struct admin;

/* Somebody wants it to end in order, within that time or CHANNEL_DRAIN_DEFAULT. */
typedef void admin_drain_fn(void *arg, uint64_t timeout_ms);

/* Binds; NULL with findings. `r` is asked for reloads, and must outlive it. */
struct admin *admin_new(struct loop *l, struct reload *r, const struct conf_proxy *p,
                        admin_drain_fn *drain, void *arg, struct diags *d);

/* Ends the monitor, which has a moment to hand out its last answers, and removes the
   sockets. NULL is fine. */
void admin_free(struct admin *a);

void admin_start(struct admin *a);          /* the monitor; once */
void admin_log(struct admin *a);            /* hand it the log again */
void admin_drained(struct admin *a, uint64_t cut);      /* all have ended; NULL is fine */

/* A child ended: true when it was the monitor. */
bool admin_reaped(struct admin *a, pid_t pid, int wait_status);

#endif
