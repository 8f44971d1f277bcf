/*
 * inventory: what an edition holds, as facts with whom they belong to.
 *
 * The loader writes it into the bundle beside the material, that of a key pair into
 * its record (tls/pairs.h), that of anchors into an entry of its own; who
 * tells of certificates (the difference a reload made, expiry warnings, the status)
 * reads it there.
 */
#ifndef SALLYPORT_APP_INVENTORY_H
#define SALLYPORT_APP_INVENTORY_H

#include <stddef.h>
#include <stdint.h>

#include "base/pack.h"
#include "conf/bundle.h"
#include "tls/facts.h"
#include "tls/pairs.h"

struct inventory_item {
    const char *owner;                /* "store node", "trust clients" */
    struct fact fact;
};

struct inventory {
    struct bundle *from;        /* held: the texts are in it */
    struct inventory_item *v;
    size_t n;
    unsigned asked;             /* inventory_find() */
    bool unread;                /* until it is asked */
    bool partial;               /* inventory_changes() */
};

#define INVENTORY_ENTRY "facts" /* owners and facts, packed */

void inventory_pack(const char *owner, const struct fact *f, struct pack *k);

/* The same, but a file that was written anew with what it had (`before`), or
   delivered anew, is as old as that. */
void inventory_keep(struct inventory *before, const char *owner, const struct fact *f,
                    struct pack *k);

/* The next that was packed; false at the end, and when it is damaged (u->bad, or more is left). */
bool inventory_next(struct unpack *u, struct inventory_item *out);

/* All that was packed there, to be read for as long as that is; inventory_free() it. False, and an
   empty one, when it is damaged. */
bool inventory_unpack(const void *p, size_t len, struct inventory *out);

/* Of a bundle; empty when it holds none. False when it is damaged. */
bool inventory_read(struct bundle *b, struct inventory *out);
/* The same, for inventory_find() alone: it is read when that is called. */
struct inventory inventory_later(struct bundle *b);
/* Of these records of the bundle alone. */
bool inventory_read_pairs(struct bundle *b, const struct pair *v, size_t n, struct inventory *out);
/* Of two, what is not the same records in both: most of ten thousand need not be read.
   What is the same may still be in either. */
bool inventory_changes(struct bundle *before, struct bundle *after, struct inventory *was,
                       struct inventory *is);
void inventory_free(struct inventory *inv);

/* The one of that print and owner (path NULL: in any file), or NULL. Who asks often makes
   it sorted. */
const struct inventory_item *inventory_find(struct inventory *inv, const char *owner,
                                            const char *sha256, const char *path);

#endif
