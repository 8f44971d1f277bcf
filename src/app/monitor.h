/*
 * monitor: the role that answers at the admin addresses, and looks after the servers.
 *
 * An unprivileged process beside the workers. It holds the admin sockets and a
 * channel to the master, no key and no client's byte, so whatever is done to it
 * never reaches the data path; and the master, which can do everything, parses
 * nothing that a stranger sent: it is asked for a reload by a message of fixed form.
 * (Only with `workers = 0` is it the fork of a process that has keys in memory.)
 *
 *   GET  /           how it is: a page for browsers (Accept: text/html), lines for others
 *   GET  /status.json   the same for programs
 *   GET  /metrics    for Prometheus
 *   GET  /healthz    200 while this process runs; depends on nothing else
 *   GET  /readyz     200 when connections are welcome; else 503 and why, a line each
 *   POST /reload     over a Unix socket alone; answered when the reload has ended,
 *                    200 or 409, as JSON or, with Accept: text/plain, as lines
 *   POST /drain      over a Unix socket alone; sallyport ends in order, within drain_timeout
 *                    or ?timeout=10s; answered when it has: 200, or 409 and how many
 *                    connections were cut
 *
 * It is sent the settings of each edition in force, resolves the names of upstreams in them and
 * checks their servers (health.h), and tells the master what has changed, who hands that on to
 * the workers unread. When it dies nothing is lost that a worker knows: the next one begins
 * with what was told last.
 *
 * One reload is asked for at a time: who comes meanwhile is answered by the one after
 * it, for the files may have changed since the one under way has read them.
 */
#ifndef SALLYPORT_APP_MONITOR_H
#define SALLYPORT_APP_MONITOR_H

#include <stddef.h>

#include "base/err.h"
#include "net/loop.h"
#include "proxy/account.h"

struct monitor;

/* The master is gone: end. Called from the loop. */
typedef void monitor_done_fn(void *arg);

/*
 * Owns `channel` (the monitor's end) and the n listening sockets, even when this fails
 * (NULL and e). n may be 0. It shows what is counted in `accounts`. Says READY to the master.
 */
struct monitor *monitor_new(struct loop *l, int channel, const int *sockets, size_t n,
                            const struct accounts *accounts, monitor_done_fn *done, void *arg,
                            struct err *e);
void monitor_free(struct monitor *m);       /* NULL is fine */

#endif
