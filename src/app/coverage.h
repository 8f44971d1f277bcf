/*
 * coverage: is there a certificate for each name that leads to a route?
 *
 * Where there is none, clients that ask for the name meet the default certificate of the
 * store and go away. That may be meant, by clients that check no name; so it is a warning.
 */
#ifndef SALLYPORT_APP_COVERAGE_H
#define SALLYPORT_APP_COVERAGE_H

#include "base/diag.h"
#include "proxy/snapshot.h"

/* A warning for each `sni` that no certificate of its route's store is for, with the names
   they are for. */
void coverage_check(const struct snapshot *s, struct diags *d);

#endif
