/*
 * roster: what the stores of an edition serve, in numbers and in words.
 *
 * How many pairs there are and for how many names, which of them clients get that ask for
 * no name, and which lies there and is not served because another has its name. The loader
 * tells it and packs the numbers into the bundle; the master logs them from there.
 */
#ifndef SALLYPORT_APP_ROSTER_H
#define SALLYPORT_APP_ROSTER_H

#include "base/diag.h"
#include "conf/bundle.h"
#include "conf/conf.h"
#include "tls/certs.h"

#define ROSTER_ENTRY "roster"
#define ROSTER_LINES_MAX 10     /* of pairs that are not served; the rest is a number */

struct roster {
    uint64_t pairs, names;      /* of all stores */
};

/* Count a store in, and tell of it: a note where its pairs are a folder's, and a warning for
   each pair that is not served. */
void roster_add(struct roster *r, const struct conf_store *st, const struct certs *c,
                struct diags *d);

void roster_put(const struct roster *r, struct bundle *b);
/* Zeros when there is none in it. */
struct roster roster_of(const struct bundle *b);

#endif
