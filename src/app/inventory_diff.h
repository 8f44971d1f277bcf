/*
 * inventory_diff: what a reload changed, certificate by certificate.
 *
 *   [store node] /etc/tls/tls.crt: certificate CN=a replaced: serial 01 -> 02,
 *   valid until 2027-01-01 00:00 UTC (was 2026-12-01 00:00 UTC), names DNS:a -> DNS:a, DNS:b
 */
#ifndef SALLYPORT_APP_INVENTORY_DIFF_H
#define SALLYPORT_APP_INVENTORY_DIFF_H

#include "app/inventory.h"
#include "base/diag.h"

#define INVENTORY_DIFF_MAX 20   /* changes that are told one by one; the rest is a number */

/* A note for each. What is the same certificate is no change, whatever file it is in. Of two
   inventories, or of what inventory_changes() has made of two. */
void inventory_diff(const struct inventory *before, const struct inventory *after,
                    struct diags *d);

#endif
