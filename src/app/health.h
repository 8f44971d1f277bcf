/*
 * health: which addresses the servers of all upstreams have, and which of them are up.
 *
 * The monitor's work, so that neither a name server nor a service that hangs is ever waited for
 * where connections are served. Names are resolved again and again (net/resolve.h), each
 * address is checked as its upstream says (knock.h, vitals.h), and whatever changes is told in
 * the log and to the owner, who hands it on as endpoints_put() packs it.
 *
 * A name that does not resolve any more keeps the addresses that it had. What was known of a
 * server stays when a reload leaves the server in place.
 */
#ifndef SALLYPORT_APP_HEALTH_H
#define SALLYPORT_APP_HEALTH_H

#include "base/err.h"
#include "base/pack.h"
#include "conf/conf.h"
#include "net/loop.h"

struct health;

/* Something has changed: health_pack() it. Called at the end of a turn. */
typedef void health_fn(void *arg);

/* It looks after nothing yet. */
struct health *health_new(struct loop *l, health_fn *changed, void *arg);
void health_free(struct health *h);         /* NULL is fine */

/* These are the servers, from now on. The conf becomes its own. 0; or -1 and e: nobody can be
   asked for names, but the rest goes on. */
int health_apply(struct health *h, struct conf *conf, struct err *e);

/* Whom to ask to dial what this process may not (net/dial.h); becomes its own. -1: nobody. */
void health_dialler(struct health *h, int fd);

/* What another monitor knew before: packed as below, and not believed. It is where this one
   begins; what it knows already is not touched. */
void health_recall(struct health *h, const void *p, size_t len);

/* One address of a server of an upstream, and what checks found. */
struct health_seen {
    const char *server;         /* as it is written */
    const struct addr *addr;    /* NULL: its name has none yet */
    bool known, down;           /* known: it was checked */
    uint64_t since_us;          /* since 1970: since when it is so; 0: not known */
    const char *why;            /* it is down; "" otherwise */
};

/* Those of that upstream, when it is looked after: none otherwise. */
typedef void health_seen_fn(void *arg, const struct health_seen *seen);
void health_each(const struct health *h, const char *upstream, health_seen_fn *fn, void *arg);

/* The configuration that it was given last; NULL: none. */
const struct conf *health_conf(const struct health *h);

/* All that is to be told. */
void health_pack(const struct health *h, struct pack *out);

#endif
