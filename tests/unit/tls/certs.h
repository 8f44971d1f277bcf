/*
 * certs: certificates of every kind a test needs, made while it runs.
 *
 * OpenSSL's calls are used here directly, so that what is tested is not also what
 * makes the test's material. Everything aborts the test when it fails.
 */
#ifndef SALLYPORT_TESTS_CERTS_H
#define SALLYPORT_TESTS_CERTS_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/diag.h"
#include "tls/keypair.h"
#include "tls/load.h"
#include "tls/trust.h"

struct made {
    EVP_PKEY *key;
    X509 *x;
};

struct cert_spec {
    const char *cn;             /* NULL: an empty subject */
    const char *key;            /* "EC" (default), "RSA", "RSA1024", "ED25519", "P-384" */
    const struct made *issuer;  /* NULL: self-signed */
    EVP_PKEY *with_key;         /* use this key instead of a new one */
    const char *basic;          /* extensions in openssl.cnf form; NULL: none */
    const char *usage, *extended, *san, *aia;
    bool v1;
    bool no_key_ids;            /* leave out subject and authority key identifiers */
    long from, until;           /* seconds from now; both 0: -1 hour to +1 day */
};

struct made make_cert(const struct cert_spec *spec);
struct made make_ca(const char *cn, const struct made *issuer);
struct made make_server(const char *cn, const struct made *issuer, const char *key);
struct made make_client(const char *cn, const struct made *issuer);
void made_free(struct made *m);

/* Text and bytes; the caller frees. */
char *pem_cert(X509 *x);
char *pem_key(EVP_PKEY *key);                           /* PKCS#8 */
char *pem_key_encrypted(EVP_PKEY *key, const char *password);
char *pem_key_traditional(EVP_PKEY *key, const char *password); /* PKCS#1 or SEC1; NULL: plain */
char *join(const char *a, const char *b);               /* frees both */
struct der der_cert(const X509 *x);
struct der der_key(EVP_PKEY *key);                      /* PKCS#8 */

struct tls_input input_text(const char *path, const char *text);

struct keypair *pair_of(const struct made *leaf, X509 *const *chain, size_t nchain);
struct trust *trust_of(X509 *const *anchors, size_t n);

/* Does a finding of this level have this text in its line (hint included)? */
bool found(const struct diags *d, enum diag_level level, const char *text);

/* load_store() without an alias, one password for all. */
int load_files(const struct tls_input *certs, size_t ncerts, const struct tls_input *keys,
               size_t nkeys, const char *password, struct keymats *out, struct diags *d);

#endif
