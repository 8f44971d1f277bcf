/*
 * snapshot: everything a connection may read, built from a bundle and immutable.
 *
 * snapshot_build() is a pure function of the bundle's bytes: start, reload and
 * `check` call the same one, and it works after privileges are gone. A connection
 * holds the snapshot it began with; the last to let go frees it.
 */
#ifndef SALLYPORT_PROXY_SNAPSHOT_H
#define SALLYPORT_PROXY_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "conf/bundle.h"
#include "conf/conf.h"
#include "tls/ctx.h"

struct snap_route {
    const struct conf_route *conf;
    struct tls_ctx *tls;
};

struct snap_listener {
    const struct conf_listener *conf;
    const struct snap_route *route;     /* the route that listens here */
};

struct snapshot {
    unsigned refs;
    uint64_t generation;                /* set by the worker that applies it */
    struct conf *conf;
    struct keypair **keypairs;  size_t nkeypairs;
    struct trust **trusts;      size_t ntrusts;
    struct snap_route *routes;  size_t nroutes;
    struct snap_listener *listeners; size_t nlisteners;   /* in the order of conf->listeners */
};

/*
 * One reference, the caller's; NULL with findings in d. It does not judge dates: a
 * worker that is replaced must come up with what is in force, however old that is;
 * the loader judges (keypair_check) before a bundle is put in force.
 */
struct snapshot *snapshot_build(const struct bundle *b, struct diags *d);
struct snapshot *snapshot_ref(struct snapshot *s);
void snapshot_unref(struct snapshot *s);    /* NULL is fine */

#endif
