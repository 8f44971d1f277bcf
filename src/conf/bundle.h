/*
 * bundle: everything a worker needs, as named runs of bytes in one sealed file.
 *
 * The loader reads the configuration and every file it names once, turns key and
 * certificate files into DER, and puts the lot here. The master seals it into a
 * memory file (memfd, F_SEAL_*: nobody can change it any more) and hands the same
 * descriptor to every worker, which maps it: one copy in memory however many
 * workers. It never touches a disk. Layout: a magic, a count, then per entry name
 * length, data length, name, data.
 *
 *   settings                 settings_pack()
 *   store/NAME               tls/pairs.h: key pairs
 *   trust/NAME/N             trust anchor or CRL, DER
 *   tickets                  secrets of a ticket key file (tls/ticket.h), one behind the other
 *   facts                    app/inventory.h: what the anchors and CRLs say, in words
 *   roster                   app/roster.h: how many pairs and names there are
 */
#ifndef SALLYPORT_CONF_BUNDLE_H
#define SALLYPORT_CONF_BUNDLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/pack.h"

struct bundle;

struct bundle *bundle_new(void);
/* Copies data. A name is given once. */
void bundle_put(struct bundle *b, const void *data, size_t len, const char *name_fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* The same with what was packed, which becomes the bundle's: no copy. *k is empty then. */
void bundle_take(struct bundle *b, struct pack *k, const char *name_fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The bytes of an entry, inside the bundle's own memory; NULL if there is none. */
const uint8_t *bundle_get(const struct bundle *b, size_t *len, const char *name_fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* A new descriptor (close-on-exec) of the sealed bundle, or -1. */
int bundle_seal(const struct bundle *b, struct err *e);

/* Map a sealed bundle; every length in it is checked. The descriptor stays the
   caller's and may be closed. NULL and e on damage or a missing seal. */
struct bundle *bundle_map(int fd, struct err *e);

/* The i-th entry by name; false when there are no more. */
bool bundle_nth(const struct bundle *b, size_t i, const char **name, const uint8_t **data,
                size_t *len);

/* Whether two sealed bundles hold the same, byte for byte. */
bool bundle_same(int fd, int other);

/* One more owner, for bundle_free(). */
struct bundle *bundle_ref(struct bundle *b);

/* The last owner frees or unmaps; memory of our own is wiped first. */
void bundle_free(struct bundle *b);

#endif
