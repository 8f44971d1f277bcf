/*
 * trust: the anchors a route believes, ready for verification.
 *
 * Any certificate listed is an anchor, an intermediate or a leaf too
 * (X509_V_FLAG_PARTIAL_CHAIN), as in a Java truststore.
 */
#ifndef SALLYPORT_TLS_TRUST_H
#define SALLYPORT_TLS_TRUST_H

#include <openssl/x509.h>
#include <stddef.h>

#include "base/err.h"
#include "tls/load.h"

struct trust {
    X509_STORE *store;
    STACK_OF(X509_NAME) *names; /* to send as acceptable issuers; NULL when the list would
                                   be over 8 KiB: clients then offer what they have */
};

struct trust *trust_new(const struct der *anchors, size_t n, struct err *e);
void trust_free(struct trust *t);

#endif
