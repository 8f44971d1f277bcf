/*
 * describe: what is in a file of keys and certificates, as plain data (for `show`).
 *
 * Entries in the file's order. One with a private key has the chain that would be sent:
 * the leaf, its issuer, the issuer's issuer, as far as the file has them (in a Java
 * keystore: as the entry has them). Certificates that are in no such chain are entries
 * of their own. Findings say what is wrong with each and how to mend it, and tell in
 * words, as notes, how far the chains go.
 */
#ifndef SALLYPORT_TLS_DESCRIBE_H
#define SALLYPORT_TLS_DESCRIBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "tls/facts.h"
#include "tls/material.h"

enum item_kind {
    ITEM_KEY,                  /* a private key, with its certificates */
    ITEM_CERTIFICATE,
    ITEM_TRUSTED,              /* a certificate marked as an anchor */
    ITEM_CRL,
    ITEM_REQUEST,              /* a certificate signing request */
    ITEM_SECRET,               /* a keystore's key for something that is not TLS */
    ITEM_OTHER                 /* known, and of no use here: a public key, ... */
};

struct item {
    enum item_kind kind;
    char *alias;                /* escaped; NULL: none */
    char *what;                 /* "private key (encrypted)", "public key" */
    char *key;                  /* "EC P-256"; NULL: it stayed closed, or there is none */
    bool encrypted;             /* the key lies in the file under a password */
    char *subject;              /* of a request, in full; else NULL */
    size_t revoked;             /* how many certificates the CRL revokes */
    struct fact *facts;         /* the chain, leaf first; the certificate; the CRL */
    size_t nfacts;
};

struct listing {
    const char *form;           /* "PEM", "DER", "PKCS#12", "JKS", "JCEKS"; NULL: unreadable */
    struct item *v;
    size_t n;
};

/* 0; or -1 when an error is among the findings. What could be read is in *out. */
int describe(const struct tls_input *in, const struct passwords *pw, int64_t now,
             struct listing *out, struct diags *d);
void listing_free(struct listing *l);

#endif
