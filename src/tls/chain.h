/*
 * chain: which certificates of some files lead from a leaf towards its root, in order.
 */
#ifndef SALLYPORT_TLS_CHAIN_H
#define SALLYPORT_TLS_CHAIN_H

#include <openssl/x509.h>
#include <stdbool.h>

#include "tls/parts.h"

/* Issuers of `leaf` among the certificates of n files, nearest first, without the leaf.
   The stack is the caller's (sk_X509_free()), its members are the files'. NULL: none. */
STACK_OF(X509) *chain_of(X509 *leaf, const struct parts *files, size_t n);

/* By content. NULL has nothing. */
bool chain_has(STACK_OF(X509) *chain, const X509 *x);

#endif
