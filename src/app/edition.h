/*
 * edition: one configuration as the master hands it out.
 *
 * The sealed bundle that workers map, the sockets that go with it, and the
 * configuration in it for the master's own use. There is the edition in force and,
 * during a reload, the one on offer.
 */
#ifndef SALLYPORT_APP_EDITION_H
#define SALLYPORT_APP_EDITION_H

#include <stdint.h>

#include "app/inventory.h"
#include "app/listeners.h"
#include "app/roster.h"
#include "base/diag.h"
#include "conf/conf.h"

struct edition {
    uint64_t generation;
    int bundle_fd;
    struct conf *conf;
    struct listen_set *sockets; /* NULL before edition_bind(), and after edition_unbind() */
};

/* From a sealed bundle, whose descriptor it owns whatever happens. NULL with
   findings. */
struct edition *edition_new(int bundle_fd, uint64_t generation, struct diags *d);
void edition_free(struct edition *ed);      /* NULL is fine */

/* Open its sockets, sharing those of `running` (may be NULL). 0, or -1 with findings. */
int edition_bind(struct edition *ed, const struct edition *running, size_t nworkers,
                 struct diags *d);

/* Close the master's share of its sockets. */
void edition_unbind(struct edition *ed);

/* What it holds, out of the bundle; empty when that is damaged. inventory_free() it. */
void edition_inventory(const struct edition *ed, struct inventory *out);

/* What the second one brings, entry by entry, as notes; and *news, what is not in the first as
   it is (inventory_changes()), to be freed. */
void edition_compare(const struct edition *before, const struct edition *after,
                     struct inventory *news, struct diags *d);

/* Its settings, as a file in memory: a new descriptor, or -1. */
int edition_settings(const struct edition *ed);

/* The facts of its certificates and revocation lists, the same way, as inventory_pack() has
   them. */
int edition_facts(const struct edition *ed);

/* How many pairs and names it serves. */
struct roster edition_roster(const struct edition *ed);

/* "listening on 127.0.0.1:8443 route=cql", for those that are new with it. */
void edition_log_listeners(const struct edition *ed);

#endif
