/*
 * snapshot: everything a connection may read, built from a bundle and immutable.
 *
 * snapshot_build() is a pure function of the bundle's bytes: start, reload and
 * `check` call the same one, and it works after privileges are gone. A connection
 * holds the snapshot it began with; the last to let go frees it.
 *
 * Connections may live for days, and certificates are replaced every few hours. So
 * what did not change is shared with the snapshot that was in force before (trust,
 * contexts, parsed pairs), and what only handshakes need, the keys with the memory
 * they lie in, is given back as soon as a snapshot is not in force any more and the
 * last handshake that began with it is over.
 */
#ifndef SALLYPORT_PROXY_SNAPSHOT_H
#define SALLYPORT_PROXY_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "conf/bundle.h"
#include "conf/conf.h"
#include "tls/certs.h"
#include "proxy/route.h"
#include "proxy/snap_upstream.h"
#include "tls/ctx.h"
#include "tls/ticket.h"

struct snap_route {
    const struct conf_route *conf;
    struct tls_ctx *tls;                /* NULL: clients speak plaintext. Shared by the routes for
                                           which it would be the same */
    struct certs *certs;                /* of its store, if it has one; NULL once the keys are
                                           gone */
    uint32_t row;                       /* where it is counted (ledger.h), as in the other two;
                                           set by the worker that applies it */
    struct nets plaintext_from;
    uint8_t policy[DIGEST_LEN];         /* sessions are resumed where this is the same alone */
};

struct snap_listener {
    const struct conf_listener *conf;
    struct route_table table;
    struct nets proxy_from;
    uint32_t row;
};

struct snapshot {
    unsigned refs;
    unsigned keys_held;                 /* by being in force, and by handshakes */
    unsigned conns;                     /* connections that began with it */
    uint64_t generation;                /* set by the worker that applies it */
    struct snap_conf *shared;           /* the owner of conf */
    const struct conf *conf;
    struct bundle *bundle;              /* what certs look into; NULL once the keys are gone */
    struct pair_cache *cache;
    struct ticket_ring *tickets;        /* of the key file; NULL: there is none, or as above */
    struct certs **certs;       size_t ncerts;      /* of each store */
    struct trust **trusts;      size_t ntrusts;
    struct tls_ctx **ctxs;      size_t nctxs;
    struct names ctx_ids;               /* to places in ctxs */
    struct names route_names;           /* to places in routes */
    struct snap_route *routes;  size_t nroutes;     /* in the order of conf->routes */
    struct snap_upstreams upstreams;    /* in the order of conf->upstreams */
    struct snap_listener *listeners; size_t nlisteners;   /* in the order of conf->listeners */
};

/*
 * One reference and one hold on the keys, the caller's; NULL with findings in d. The
 * bundle is held by count. `running` is the one in force, or NULL. It does not judge dates: a
 * worker that is replaced must come up with what is in force, however old that is;
 * the loader judges (keypair_check) before a bundle is put in force.
 */
struct snapshot *snapshot_build(struct bundle *b, const struct snapshot *running, struct diags *d);
struct snapshot *snapshot_ref(struct snapshot *s);
void snapshot_unref(struct snapshot *s);    /* NULL is fine */

/* The route for what a client asks for. */
const struct snap_route *snapshot_route(const struct snapshot *s, const struct snap_listener *l,
                                        const struct route_ask *ask, enum route_by *by);

/* Whether a name that led there is served (NULL: none was asked for): it is not where only
   those are that a route lists or, of a route for any name, a certificate has. */
bool snapshot_serves_name(const struct snap_listener *l, const struct snap_route *r,
                          const char *name, enum route_by by);

/* The route of that name, or NULL. */
const struct snap_route *snapshot_named(const struct snapshot *s, const char *name);

/* A handshake begins, and is over. */
void snapshot_hold_keys(struct snapshot *s);
void snapshot_drop_keys(struct snapshot *s);

/* It is not in force any more: the builder's hold and reference are given back. */
void snapshot_retire(struct snapshot *s);   /* NULL is fine */

#endif
