/*
 * pool: the workers, kept alive and kept at one edition.
 *
 * An edition is offered to all workers at once. All that answer READY: it is the
 * one in force. Any that answers FAILED, or none left alive to answer: those who
 * took it get the old one again, and nothing has changed. A worker that dies is
 * replaced and gets the edition in force; its sockets waited for it, with
 * whatever knocked meanwhile. So is one whose loop does not turn (watchdog.h).
 */
#ifndef SALLYPORT_APP_POOL_H
#define SALLYPORT_APP_POOL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "app/dialler.h"
#include "app/edition.h"
#include "app/privs.h"
#include "app/report.h"
#include "app/tickets.h"
#include "app/watchdog.h"
#include "base/err.h"
#include "net/loop.h"
#include "proxy/account.h"

struct pool;

struct pool_events {
    /* The offer was taken by all (why NULL), or by none. */
    void (*settled)(void *arg, const char *why);
    /* A worker began, or is gone: pool_workers() says something else now. */
    void (*changed)(void *arg);
    /* After pool_drain(): all workers are gone; this many connections were cut. */
    void (*ended)(void *arg, uint64_t cut);
    void *arg;
};

struct pool_spec {
    struct loop *loop;
    size_t n;
    bool foreground;            /* n is 1, and it is no process */
    struct privs privs;         /* the pool's from now on */
    const struct tickets *tickets;      /* what its workers are given; outlives it */
    struct dialler *dialler;    /* whom they may ask; outlives it too */
    struct watchdog *watchdog;  /* looks after them; outlives it */
    struct pool_events events;
};

/* No worker is started before the first offer. NULL and e when memory is out. */
struct pool *pool_new(const struct pool_spec *spec, struct err *e);
void pool_free(struct pool *p);             /* kills what is left; NULL is fine */

/* One at a time. The edition must live until another is in force. */
void pool_offer(struct pool *p, const struct edition *ed);

/* Hand the log to the workers again, after it was reopened. */
void pool_log(struct pool *p);

/* Hand out the secrets of session tickets again, after they turned. */
void pool_tickets(struct pool *p);

/* What the monitor knows of servers (endpoints.h), for those that are and those to come. The
   descriptor becomes the pool's; -1: nothing is known. */
void pool_endpoints(struct pool *p, int fd);

/* Tell the workers that dialler_fd() is another. */
void pool_dialler(struct pool *p);

/* Let every worker end in order; what is not done by then is cut. */
void pool_drain(struct pool *p, uint64_t timeout_ms);

/* Kill all, and wait until they are gone. The number of connections cut. */
uint64_t pool_kill(struct pool *p);

/* A child ended: true when it was a worker. */
bool pool_reaped(struct pool *p, pid_t pid, int wait_status);

/*
 * How long after a worker's death its replacement starts. One that had served: at
 * once, but for a breath when it lived less than a second and may be dying of every
 * connection. One that never came to serve, for the n-th time in a row: at once,
 * then ever more rarely.
 */
uint64_t pool_respawn_ms(bool served, uint64_t lived_us, unsigned false_starts);

/* How they are: as many as pool_size(), the caller's. */
struct report_worker *pool_workers(const struct pool *p);

/* Where they count; the monitor reads it. */
struct accounts *pool_accounts(const struct pool *p);

size_t pool_size(const struct pool *p);
bool pool_is_foreground(const struct pool *p);
void pool_counters(const struct pool *p, struct counters *sum);

#endif
