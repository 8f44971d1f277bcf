/*
 * issue: make keys and sign certificates (local CA, throw-away CA of `tunnel`).
 *
 * P-256 keys, random 128-bit serials, X.509 v3 with key identifiers. The CA is
 * name-constrained (RFC 5280 4.2.1.10) to the names it is made for, so trusting
 * it on a laptop gives nobody the rest of the web.
 */
#ifndef SALLYPORT_TLS_ISSUE_H
#define SALLYPORT_TLS_ISSUE_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct issued {
    EVP_PKEY *key;
    X509 *cert;
};

struct issue_names {
    const char *const *dns;     /* names, or for a CA also domains it may sign below */
    size_t ndns;
    const char *const *ip;      /* "127.0.0.1"; for a CA "127.0.0.0/8" and "::1/128" too */
    size_t nip;
};

/* Valid from 5 minutes ago for `seconds`. 0 or -1; on success the caller owns *out. */
int issue_ca(const char *cn, const struct issue_names *permitted, int64_t seconds,
             struct issued *out, struct err *e);

enum issue_use { ISSUE_SERVER, ISSUE_CLIENT };
int issue_leaf(const struct issued *ca, const char *cn, const struct issue_names *names,
               enum issue_use use, int64_t seconds, struct issued *out, struct err *e);

/* PEM, NUL-terminated, the caller's (free(); wipe a key with mem_wipe_free). NULL on failure. */
char *issue_cert_pem(const struct issued *i);
char *issue_key_pem(const struct issued *i);

void issued_free(struct issued *i);

#endif
