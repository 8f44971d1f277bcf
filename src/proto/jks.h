/*
 * jks: the container of a Java keystore (JKS or JCEKS), from bytes to entries.
 *
 * The layout only, no cryptography: whether the store is what its password says is
 * the digest's business, and what is in a certificate or under a key's protection
 * that of who has a library for it. Nothing is copied and nothing is allocated, so a
 * length that lies costs nothing; every one is checked against what remains. All
 * spans lie in the caller's bytes, which must outlive them.
 *
 *   magic, version 1 or 2, number of entries, entries, SHA-1 digest (20 bytes)
 *   entry: tag, alias, time; a key with its chain (tag 1), or a certificate (tag 2)
 *
 * JCEKS also has secret keys (tag 3): Java objects in serialised form, without a
 * length, so that what comes after one cannot be found. Such a file is refused.
 */
#ifndef SALLYPORT_PROTO_JKS_H
#define SALLYPORT_PROTO_JKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define JKS_DIGEST_LEN  20
#define JKS_ENTRIES_MAX 10000   /* of entries, and of certificates in all of them */

enum jks_form { JKS_NOT, JKS_JKS, JKS_JCEKS };

/* By the first four bytes. */
enum jks_form jks_form(const uint8_t *p, size_t len);

struct jks_bytes {
    const uint8_t *p;
    size_t len;
};

enum jks_kind { JKS_KEY = 1, JKS_TRUSTED = 2, JKS_SECRET = 3 };

struct jks_entry {
    enum jks_kind kind;
    struct jks_bytes alias;     /* in Java's modified UTF-8: jks_text() */
    int64_t created;            /* ms since 1970 */
    struct jks_bytes key;       /* DER of an EncryptedPrivateKeyInfo; JKS_KEY only */
    size_t ncerts;              /* of the chain, leaf first; 1 for JKS_TRUSTED */
    struct jks_bytes certs;     /* the rest of the entry: jks_cert() */
};

struct jks {
    struct jks_bytes file;
    size_t at;                  /* how much of it is read */
    uint32_t version, entries;
    uint32_t next;              /* entries read so far */
    size_t ncerts;              /* certificates read so far */
};

/* The head. 0, or -1 and e; so with the others. */
int jks_open(struct jks *k, const uint8_t *p, size_t len, struct err *e);

/* 1 and the next entry, JKS_SECRET included, behind which nothing can be read; or 0
   when all are read and the digest alone is left, or -1. */
int jks_next(struct jks *k, struct jks_entry *out, struct err *e);

/* Takes the next certificate of an entry off the front of e->certs; false when none is
   left. They were measured by jks_next(), so this cannot fail. */
bool jks_cert(const struct jks *k, struct jks_entry *e, struct jks_bytes *der);

/* What the digest is made of besides the password, and the digest (JKS_DIGEST_LEN).
   The digest is the end of the file whatever stands before it. */
struct jks_bytes jks_digested(const struct jks *k);
const uint8_t *jks_digest(const struct jks *k);

/* Modified UTF-8 to UTF-8, into `out` of at least text.len bytes: NUL is one byte again
   and a pair of surrogates one character; a lone one stays as it is. Returns the
   length, or -1 when it is not modified UTF-8. */
ptrdiff_t jks_text(struct jks_bytes text, char *out);

#endif
