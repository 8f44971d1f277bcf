/*
 * identity: who a peer is, copied out of its verified certificate.
 *
 * Taken once, when the handshake ends; nothing after it reaches into the SSL. A connection
 * keeps it as long as it lives, to be judged again after every reload. So it is one block of
 * memory, of bounded size: of a certificate with thousands of names the first are in it.
 *
 * Names are byte runs with a length: one with a NUL inside is kept whole and so
 * matches nothing. Texts are UTF-8 as in the certificate, not yet escaped.
 */
#ifndef SALLYPORT_TLS_IDENTITY_H
#define SALLYPORT_TLS_IDENTITY_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

enum identity_kind { ID_CN, ID_OU, ID_O, ID_DNS, ID_URI, ID_IP, ID_EMAIL };

struct identity_name {
    enum identity_kind kind;
    struct span text;           /* ID_IP: printed form */
};

#define IDENTITY_NAMES_MAX 16384        /* bytes for names: some 300 of usual length */
#define IDENTITY_SUBJECT_MAX 2048       /* the same for the whole subject, and the issuer */

struct identity {
    char *subject;              /* RFC 2253 order, one line: "CN=alice,OU=ops"; "?": unreadable;
                                   one that is too long ends in "..." */
    char *issuer;
    char *serial;               /* hex, lower case */
    char sha256[65];            /* of the certificate, hex */
    char pin[65];               /* of its SubjectPublicKeyInfo, hex (RFC 7469 2.4) */
    int64_t not_after;          /* seconds since 1970 */
    struct identity_name *names;
    size_t nnames;
    bool incomplete;            /* it has names that are not here: too many, or unreadable */
    struct identity_name *best; /* its name in one word: URI, else CN, else DNS …, or NULL */
};

/* NULL when memory is out. */
struct identity *identity_of(X509 *leaf);
void identity_free(struct identity *id);

/* The name for a log line, as "uri:spiffe://x" or "cn:alice"; control characters and
   backslashes are \xNN in it, UTF-8 stays; cut to cap. */
#define IDENTITY_TEXT_MAX 512
char *identity_text(const struct identity *id, char *out, size_t cap);
/* The same of one of its names. */
char *identity_name_text(const struct identity_name *name, char *out, size_t cap);

#endif
