/*
 * trust: the anchors a route believes, and CRLs, ready for verification.
 *
 * Any certificate listed is an anchor, an intermediate or a leaf too
 * (X509_V_FLAG_PARTIAL_CHAIN), as in a Java truststore.
 */
#ifndef SALLYPORT_TLS_TRUST_H
#define SALLYPORT_TLS_TRUST_H

#include <openssl/x509.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "tls/digest.h"
#include "tls/material.h"

struct trust {
    unsigned refs;
    uint8_t id[DIGEST_LEN];     /* of what it was made from */
    X509_STORE *store;
    STACK_OF(X509_NAME) *names; /* to send as acceptable issuers; NULL when the list would
                                   be over 8 KiB: clients then offer what they have */
};

/* With one reference, the caller's. NULL and e when an anchor does not parse. `anchors`
   holds CRLs too: with one among them, every chain is checked (revocation.h). */
struct trust *trust_new(const struct der *anchors, size_t n, struct err *e);
/* What it would have for an id: who holds one of the same needs no other. */
void trust_id(const struct der *anchors, size_t n, uint8_t id[DIGEST_LEN]);
struct trust *trust_ref(struct trust *t);
void trust_unref(struct trust *t);          /* NULL is fine */

#endif
