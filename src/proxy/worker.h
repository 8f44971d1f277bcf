/*
 * worker: listeners, connections and the snapshot in force, on one loop.
 *
 * It does not know whether it is a process of its own or the debugger's
 * foreground: app/ decides that and passes it snapshots and descriptors.
 */
#ifndef SALLYPORT_PROXY_WORKER_H
#define SALLYPORT_PROXY_WORKER_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "net/loop.h"
#include "proxy/account.h"
#include "proxy/snapshot.h"
#include "proxy/upstream.h"

struct worker;

/* `slot` is where this worker counts. NULL and e on failure. */
struct worker *worker_new(struct loop *l, const struct accounts *all, size_t slot, struct err *e);

/*
 * Put a snapshot in force: new connections use it, running ones keep theirs.
 * Takes the caller's reference. `fds` has a listening socket for each of
 * snap->listeners, in that order; they become the worker's. A socket for an
 * address it serves already is closed and the one in use kept; addresses that
 * are gone are closed. 0, or -1 and e with everything as it was (the fds closed).
 */
int worker_apply(struct worker *w, struct snapshot *snap, const int *fds, size_t nfds,
                 struct err *e);

/* Secrets for session tickets, newest first, in place of those it had; before the first there
   are no tickets. They are copied. */
void worker_tickets(struct worker *w, const uint8_t *secrets, size_t n);

/* What the monitor knows of servers now, all of it: begin, each, end. Connections to what is down
   end with that where their upstream says so. */
void worker_learn_begin(struct worker *w);
void worker_learn(struct worker *w, const struct upstream_news *news);
void worker_learn_end(struct worker *w);

/* Whom to ask to dial what this process may not (net/dial.h); the descriptor becomes the
   worker's. -1: nobody. */
void worker_dialler(struct worker *w, int fd);

/* In force; NULL before the first. */
const struct snapshot *worker_snapshot(const struct worker *w);

/*
 * Take what waits in the listening queues, close the listeners, and call
 * done(arg, cut) once no connection is left, or when timeout_ms is over and the
 * rest has been cut: `cut` is their number. Calling it again only changes the timeout.
 */
typedef void worker_drained_fn(void *arg, unsigned cut);
void worker_drain(struct worker *w, uint64_t timeout_ms, worker_drained_fn *done, void *arg);

/* Ends every connection at once. */
void worker_free(struct worker *w);

#endif
