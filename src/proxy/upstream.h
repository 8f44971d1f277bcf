/*
 * upstream: the servers behind a route, and which of them a connection goes to.
 *
 * A worker has one registry. It has a group for each [upstream], with the servers that
 * the newest configuration names; a server is one address, or a name with as many as the
 * monitor says that it has (upstreams_learn()). Each such address is an endpoint, and what
 * is known of it (connections, failures) outlives snapshots; and its being listed, as long as
 * a connection is with it, so that one that goes and comes back is the same.
 *
 * Failures (endpoint.h) and checks only order the endpoints: where no better one is left,
 * those that failed, or are down, are tried all the same. So a lone server is tried at once,
 * always; and a check that is wrong about all of them stops nothing.
 *
 * Plaintext goes nowhere that plaintext_to does not allow: the configuration judges the
 * addresses that it names, this the ones that names turn out to have. And who tells of
 * servers cannot lead elsewhere: to another address than is written, or another port than a
 * name's.
 */
#ifndef SALLYPORT_PROXY_UPSTREAM_H
#define SALLYPORT_PROXY_UPSTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "conf/conf.h"
#include "proxy/endpoint.h"

struct upstreams;

/* NULL: memory is out. Elsewhere whatever the registry does not find memory for ends the
   worker, as in all that reloads do. */
struct upstreams *upstreams_new(void);
void upstreams_free(struct upstreams *u);   /* NULL is fine; what connections hold goes last */

/* From now on these are the servers. What they have in common with those before keeps what is
   known of it. */
void upstreams_apply(struct upstreams *u, const struct conf *conf);

/* What the monitor knows of one server: its addresses, and whether each is up. */
struct upstream_addr {
    struct addr addr;
    bool up;
};

struct upstream_news {
    const char *upstream;       /* the section's name */
    const char *server;         /* as it is written there */
    size_t n;
    const struct upstream_addr *v;
};

/*
 * All that is known, server by server, between a begin and an end. Of what is not configured it
 * takes no notice, nor of what is told of a server for the second time: who tells sets no bound to
 * the work. A list without an address that the server may have takes none away: the last good ones
 * stay. What is not mentioned is up. The end says whether all of them are.
 */
void upstreams_learn_begin(struct upstreams *u);
void upstreams_learn(struct upstreams *u, const struct upstream_news *news);
bool upstreams_learn_end(struct upstreams *u);

enum upstream_pick {
    PICK_OK,
    PICK_NO_ADDRESS,            /* its names are not resolved yet */
    PICK_FORBIDDEN,             /* plaintext_to allows none of its addresses */
    PICK_NAMELESS,              /* the name of none could be verified, as is demanded */
    PICK_NONE_LEFT,             /* all were tried */
};

struct upstream_ask {
    const struct peer *client;  /* for balance = source_hash */
    struct endpoint *const *tried;      /* these not again */
    size_t ntried;
    uint64_t now_us;
};

/* The endpoint for a connection, which joined it: endpoint_leave() is its matter. */
enum upstream_pick upstreams_pick(struct upstreams *u, const struct conf_upstream *conf,
                                  const struct upstream_ask *ask, struct endpoint **out);

#endif
