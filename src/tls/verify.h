/*
 * verify: whether a context would take a peer, without a handshake.
 *
 * The same calls with the same settings as OpenSSL makes them within one, and refusals in
 * the same words (failure.h): for who asks beforehand, and for connections that stay when
 * what they were admitted by has changed. Nothing is kept and nothing is changed.
 */
#ifndef SALLYPORT_TLS_VERIFY_H
#define SALLYPORT_TLS_VERIFY_H

#include <openssl/x509.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/str.h"
#include "tls/ctx.h"
#include "tls/failure.h"
#include "tls/identity.h"
#include "tls/material.h"

/*
 * The certificate of a client, and what it sent with it (NULL: nothing; the leaf may be in
 * it); leaf NULL: it has none. Dates are compared with the clock, CRLs are looked at, as far
 * as the context's trust says so. 0: it is taken, or nobody asks for one; -1 and *why.
 */
int verify_client(const struct tls_ctx *c, X509 *leaf, STACK_OF(X509) *sent,
                  struct tls_failure *why);

/* The same of one that was let in before, and may stay. A CRL that has expired lets nobody in,
   and still says who is revoked. */
int verify_client_again(const struct tls_ctx *c, X509 *leaf, STACK_OF(X509) *sent,
                        struct tls_failure *why);

/* The protocols that a client offers, each with its length before it (none: len 0). 0 and
   the one that is chosen (p NULL: none, which is fine); -1 and *why. */
int verify_alpn(const struct tls_ctx *c, const uint8_t *offered, size_t len, struct span *chosen,
                struct tls_failure *why);

/* A client, as a file has it. */
struct peer_file {
    X509 *leaf;
    STACK_OF(X509) *sent;       /* all of the file, as most clients send it */
    struct identity *identity;
};

/*
 * In any form that a store can have (load.h): of a keystore the certificate of its key, else
 * the first one. Keys stay closed; only PKCS#12 needs its password. 0, or -1 with findings;
 * *out is the caller's either way.
 */
int peer_file_read(const struct tls_input *in, const char *password, struct peer_file *out,
                   struct diags *d);
void peer_file_free(struct peer_file *p);

#endif
