/*
 * endpoints: what the monitor knows of servers, on its way to the workers.
 *
 * One file in memory tells all of it: each name with its addresses, and every address that is
 * down. What it does not mention is up, or keeps the addresses that it had. The master passes
 * it on without a look; a worker, and a new monitor, believe no length in it.
 */
#ifndef SALLYPORT_APP_ENDPOINTS_H
#define SALLYPORT_APP_ENDPOINTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/pack.h"
#include "net/resolve.h"
#include "proxy/upstream.h"

/* Far more than any configuration needs. */
#define ENDPOINTS_MAX (16u << 20)
#define ENDPOINTS_ADDRS_MAX RESOLVE_MAX

/* One more server. */
void endpoints_put(struct pack *k, const struct upstream_news *news);

/* Each server that stands there; what `fn` is given is good until it returns. False: it is
   damaged; those before the damage were told. */
typedef void endpoints_fn(void *arg, const struct upstream_news *news);
bool endpoints_each(const void *p, size_t len, endpoints_fn *fn, void *arg);

#endif
