/*
 * resolve: names to addresses, again and again, on the loop and without blocking it.
 *
 * A name is asked for its IPv4 and IPv6 addresses, and asked again when their TTL is over:
 * not within a second, and at least every five minutes. /etc/hosts comes first, and search
 * domains apply, as the system's configuration says. While it does not resolve it is
 * tried ever more rarely, up to every 30 s; what to do with the addresses there were is the
 * owner's matter. Answers that nobody asked for are no answers (c-ares sees to that): a server
 * that lies so is like one that is silent.
 *
 * The work is c-ares', which is used here alone.
 */
#ifndef SALLYPORT_NET_RESOLVE_H
#define SALLYPORT_NET_RESOLVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "net/loop.h"

struct resolver;
struct resolve_name;

/* Ask these servers (n 0: the system's, which are read again when /etc/resolv.conf changes).
   NULL and e on failure. */
struct resolver *resolver_new(struct loop *l, const struct addr *servers, size_t n, struct err *e);

/* Its names must be gone before. NULL is fine. */
void resolver_free(struct resolver *r);

/* More addresses of one name than anybody needs; the others are left out. */
#define RESOLVE_MAX 64u

/*
 * A try is over: n addresses, in an order of their own that does not depend on the server's; or
 * none, and `why` in words. The name may be freed.
 */
typedef void resolve_fn(void *arg, const struct addr *v, size_t n, const char *why);

/* Asked at once, and then whenever it is due. The addresses carry the port. Memory that is out
   ends the process. `fn` is never called from within. */
struct resolve_name *resolve_name_new(struct resolver *r, const char *host, uint16_t port,
                                      resolve_fn *fn, void *arg);
void resolve_name_free(struct resolve_name *n);     /* NULL is fine */

/* When to ask again: after an answer (failures 0) with that TTL in seconds, or after so many
   failures in a row. In ms. */
uint64_t resolve_again_ms(uint32_t ttl, unsigned failures);

#endif
