/*
 * certs: which certificate for which server name, over the records of a store.
 *
 * Exact name first, then a wildcard that stands for one label, then the default: whatever
 * serves the first name of the first record. Of two records with one name and one type of
 * key, that one serves it whose certificate is valid longer: most likely it renews the other.
 * Several key types for one name are all put on the connection; OpenSSL picks by what the
 * client can verify. Records are parsed when they are first asked for (pair_cache.h).
 */
#ifndef SALLYPORT_TLS_CERTS_H
#define SALLYPORT_TLS_CERTS_H

#include <openssl/ssl.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/err.h"
#include "tls/ctx.h"
#include "tls/pair_cache.h"

struct certs;

/* Over records that stay where they are for as long as it lives. NULL and e when they
   are damaged or none. Counts a reference to `cache`. */
struct certs *certs_new(const uint8_t *records, size_t len, struct pair_cache *cache,
                        struct err *e);
void certs_free(struct certs *c);                   /* NULL is fine */

/* Open the keys that stay in tokens now (key_uri.h), and see that those do sign that are open
   already: a token that cannot be used is met by a reload then, not by a client. 0, or -1 and e. */
int certs_open_tokens(struct certs *c, struct err *e);

size_t certs_count(const struct certs *c);
size_t certs_names(const struct certs *c);          /* different ones */
struct pair certs_pair(const struct certs *c, size_t i);
size_t certs_default(const struct certs *c);        /* the number of the pair */

/* A pair that is not served for some of its names, because another of its type of key is. */
struct certs_hidden {
    size_t pair, by;
    struct span name;           /* the first of them; p is NULL where pairs have none */
    size_t n;                   /* of those names */
    bool wholly;                /* all it has */
};

/* The first of them from number `from` on; false when there is none. */
bool certs_next_hidden(const struct certs *c, size_t from, struct certs_hidden *out);

#define CERTS_TYPES 5           /* RSA, RSA-PSS, EC, Ed25519, Ed448: at most one of each */

/*
 * The pairs for a name (NULL: none was asked for) into out, at most one per key type;
 * their number, at least 1; or 0 and e when one does not parse or memory is out.
 * They are the cache's, which is to hold at least CERTS_TYPES: good until the next call.
 */
size_t certs_find(struct certs *c, const char *name, struct keypair *out[CERTS_TYPES],
                  struct err *e);

/* Whether a pair is for that name; the default is not for every name. */
bool certs_cover(const struct certs *c, const char *name);

/* Whether each pair will do on a connection of that context; -1 with a finding in d for each that
   will not. Those that are as strong as it demands are not parsed for it. */
int certs_check(struct certs *c, const struct tls_policy *p, struct tls_ctx *ctx,
                struct diags *d);

/* SHA-256 over the ids of the default pairs: the same for the same default. */
void certs_default_id(const struct certs *c, uint8_t id[PAIR_ID]);

/*
 * For SSL_set_cert_cb(), arg is a struct certs. The context holds the default pairs;
 * when the name asked for wants others, they take their place on this connection.
 */
int certs_choose(SSL *ssl, void *arg);

#endif
