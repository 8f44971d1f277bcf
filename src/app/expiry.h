/*
 * expiry: warnings before certificates and revocation lists end.
 *
 * One line for each that is within `warn_before` of its end, or past it; and for a leaf
 * whose file nothing has renewed after two thirds of its life, which is when what renews
 * certificates does so at the latest. Each is said at once when it becomes true, and then
 * once a day. What lives no longer than `warn_before` as a whole (a certificate of a
 * day) is warned of in the last third of its life.
 */
#ifndef SALLYPORT_APP_EXPIRY_H
#define SALLYPORT_APP_EXPIRY_H

#include <stdbool.h>
#include <stdint.h>

#include "app/inventory.h"
#include "base/diag.h"
#include "conf/conf.h"

enum expiry_state {
    EXPIRY_FINE,
    EXPIRY_STALE,               /* two thirds have passed, and the file is older than that */
    EXPIRY_DUE,
    EXPIRY_PAST
};

/* Times in seconds since 1970. */
enum expiry_state expiry_state(const struct fact *f, int64_t warn_before_s, int64_t now);

#define EXPIRY_LINES_MAX 20     /* the soonest; the rest is a number */

struct expiry;                  /* what was said, and when; and until when nothing is to be */

struct expiry *expiry_new(void);
void expiry_free(struct expiry *x);         /* NULL is fine */

/* What is to be said now about the inventory of that configuration, as warnings. loaded: the
   loader has just warned of certificates and lists that have expired. */
void expiry_check(struct expiry *x, const struct conf *c, const struct inventory *inv, int64_t now,
                  bool loaded, struct diags *d);

/* All was fine when it was last checked, still is, and so is what is new since then (and this
   is kept in mind): it need not be checked. The configuration is the one of that check. */
bool expiry_all_fine(struct expiry *x, const struct conf *c, const struct inventory *news,
                     int64_t now);

#endif
