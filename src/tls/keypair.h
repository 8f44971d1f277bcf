/*
 * keypair: one private key and its chain, parsed and judged.
 *
 * Made from DER (load.h), by the loader to prove it and by each worker to use it; a key that
 * cannot be had as DER is opened where it is (key_uri.h).
 * Immutable afterwards; contexts hold it by count.
 */
#ifndef SALLYPORT_TLS_KEYPAIR_H
#define SALLYPORT_TLS_KEYPAIR_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/err.h"
#include "tls/material.h"

struct keypair {
    EVP_PKEY *key;
    X509 *leaf;
    STACK_OF(X509) *chain;      /* without the leaf; may be empty */
    bool proven;                /* that they belong together, by a signature (key_uri.h) */
};

/* NULL and e when a part does not parse, or memory is out. `decoder` may be NULL. */
struct keypair *keypair_new(struct key_decoder *decoder, const uint8_t *key, size_t keylen,
                            const struct der *chain, size_t n, struct err *e);

/* Of what is parsed already; each part is held by count. `chain` may be NULL. NULL when
   memory is out. */
struct keypair *keypair_of(EVP_PKEY *key, X509 *leaf, STACK_OF(X509) *chain);
void keypair_free(struct keypair *k);

struct keypair_rules {
    bool serve_expired;         /* expired is a warning, not an error */
    bool to_servers;            /* it is shown to servers, by us as a client, */
    bool not_to_clients;        /* and to them alone */
    int64_t now;                /* seconds since 1970 */
    const char *alias;          /* of the keystore entry; NULL: in no keystore */
    char **noted;               /* where notes are wanted, and not the same for each pair of a
                                   store: of what the last was, at first NULL; the caller's */
};

/*
 * What is wrong with it. Errors: key does not match the leaf; leaf expired
 * (unless served all the same) or not valid yet; leaf whose extended key usage
 * excludes what it is for, serverAuth or clientAuth. Warnings: no subject alternative
 * name, where clients see it; X.509 v1; chain with a gap or out of order; an intermediate
 * that is expired; what judge_strength() has to say of each; an issuer that is missing.
 * Notes, where wanted: judge_note_alone(). Every finding has a hint with the fix.
 */
void keypair_check(const struct keypair *k, const struct keypair_rules *rules,
                   struct diag_at where, const char *path, struct diags *d);

/* Of security, as OpenSSL reckons it for its levels (SSL_CTX_set_security_level(3)): the least of
   its keys and signatures. */
unsigned keypair_bits(const struct keypair *k);

/* "RSA 2048", "EC P-256", "ED25519"; static or in buf. */
const char *keypair_type(const struct keypair *k, char buf[32]);

#endif
