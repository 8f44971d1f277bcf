/*
 * chain: which certificates of a file lead from a leaf towards its root, in order.
 */
#ifndef SALLYPORT_TLS_CHAIN_H
#define SALLYPORT_TLS_CHAIN_H

#include <openssl/x509.h>
#include <stdbool.h>

#include "tls/parts.h"

/* Issuers of `leaf` among the file's certificates, nearest first, without the leaf.
   The stack is the caller's (sk_X509_free()), its members are the file's. NULL: none. */
STACK_OF(X509) *chain_of(X509 *leaf, const struct parts *file);

/* By content. NULL has nothing. */
bool chain_has(STACK_OF(X509) *chain, const X509 *x);

#endif
