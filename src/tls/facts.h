/*
 * facts: a certificate or a revocation list as plain data.
 *
 * What people are told about it: `show`, the difference between two editions,
 * expiry warnings, the status. Made where the file is read, and packed beside the
 * material in the bundle, so that whoever tells needs no OpenSSL. All texts are escaped.
 */
#ifndef SALLYPORT_TLS_FACTS_H
#define SALLYPORT_TLS_FACTS_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/pack.h"

enum fact_kind {
    FACT_LEAF,                  /* shown to clients, with a private key */
    FACT_CHAIN,                 /* sent along with a leaf */
    FACT_ANCHOR,                /* believed */
    FACT_CRL
};

struct fact {
    enum fact_kind kind;
    char *path;                 /* the file it came from */
    char *alias;                /* its keystore entry; NULL: none */
    char *name;                 /* short, as in log lines: "CN=a" (CRL: its issuer) */
    char *subject, *issuer;     /* in full, as RFC 2253 has it; a CRL has no subject */
    char *serial;               /* hexadecimal, upper case; a CRL's number, or NULL */
    char *names;                /* "DNS:a.example, IP:10.0.0.1"; "" without */
    char *key;                  /* "EC P-256"; NULL for a CRL */
    char *sha256;               /* of the DER, lower-case hexadecimal */
    char *spki_sha256;          /* the same of its public key (RFC 7469 2.4); NULL for a CRL */
    int64_t not_before, not_after;  /* seconds since 1970; a CRL's thisUpdate and nextUpdate.
                                   INT64_MIN for one that is no time, INT64_MAX: no nextUpdate */
    int64_t file_time;          /* when the file was last written; 0: unknown */
    bool ca, self_signed;
    int version;                /* of X.509: 1 to 3 */
};

/* Everything but kind, path, alias and file_time. */
void fact_of_cert(X509 *x, struct fact *out);
void fact_of_crl(X509_CRL *crl, struct fact *out);
void fact_free(struct fact *f);

void fact_pack(const struct fact *f, struct pack *k);
/* Its texts are where it was packed: to be read for as long as that is there, and not to
   be freed. False when what is there is no fact; *out is empty then. */
bool fact_view(struct unpack *u, struct fact *out);

#endif
