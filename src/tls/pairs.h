/*
 * pairs: the key pairs of a store as bytes, one record each.
 *
 * This is what the loader makes of a store's files and what lies in the bundle: a
 * worker looks a name up in it and parses no more than the pair it needs (certs.h).
 * So ten thousand certificates cost their DER once, in memory all processes share.
 * A record also tells which files it was made from, as they were then (`unit`):
 * while they have not changed, the next load copies the record.
 */
#ifndef SALLYPORT_TLS_PAIRS_H
#define SALLYPORT_TLS_PAIRS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/pack.h"
#include "tls/digest.h"
#include "tls/load.h"

#define PAIR_ID DIGEST_LEN

/* One record, as pointers into it. */
struct pair {
    const uint8_t *unit;        /* PAIR_ID bytes */
    const char *unit_name;      /* "" for one that is always read */
    const char *unit_files;     /* as in struct pair_unit */
    const uint8_t *id;          /* PAIR_ID bytes: of the key and the chain */
    int type;                   /* EVP_PKEY_RSA, EVP_PKEY_EC … */
    unsigned bits;              /* keypair_bits() */
    int64_t until;              /* its leaf's notAfter, seconds since 1970 */
    struct unpack names;        /* its DNS names, in lower case: unpack_span() until empty */
    const uint8_t *key;         /* PKCS#8, or how to get at it (key_uri_record()) */
    size_t keylen;
    struct unpack chain;        /* DER, leaf first: unpack_blob() until empty */
    const uint8_t *facts;       /* as the loader gave them */
    size_t factslen;
    const uint8_t *whole;       /* the record itself */
    size_t wholelen;
};

/* What a record is made from: files by a name, and as they were then. */
struct pair_unit {
    uint8_t id[PAIR_ID];
    const char *name;
    const char *files;          /* what follows the name in those of its files, each after a '/'
                                   ("/.crt/.key"): who knows them need not list a folder. ""
                                   where they are called otherwise */
};

/* Zeros stand for files that cannot be told from what they may yet become. */
bool pair_unit_known(const uint8_t id[PAIR_ID]);

/* Append a record. */
void pairs_put(struct pack *k, const struct pair_unit *unit, const struct keymat *m,
               const void *facts, size_t factslen);
void pairs_copy(struct pack *k, const struct pair *p);

/* Take the next record; false at the end, and when it is damaged (u->bad). */
bool pairs_next(struct unpack *u, struct pair *out);

/* Take the next records of both for as long as these are the same. */
void pairs_skip_same(struct unpack *a, struct unpack *b);

#endif
