/*
 * describe_words: what `show` remarks about a file's contents, as findings.
 */
#ifndef SALLYPORT_TLS_DESCRIBE_WORDS_H
#define SALLYPORT_TLS_DESCRIBE_WORDS_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>

#include "tls/describe.h"
#include "tls/parts.h"

/* A file that is being described. */
struct description {
    const struct parts *p;
    struct listing *out;
    struct diags *d;
    int64_t now;
    const struct part_key **owner;      /* of each certificate: the key whose leaf it is */
    bool *in_chain;             /* of each certificate: an issuer in the chain of a key */
};

/* Order, gaps and end of a key's chain, which begins with the leaf. */
/* `alias`: of its keystore entry. */
void describe_chain(const struct description *s, STACK_OF(X509) *chain, const char *alias);

/* Every certificate by itself; and of a file without keys, its order. */
void describe_certs(const struct description *s);

void describe_lone_key(const struct description *s, const struct part_key *k);
void describe_crl(const struct description *s, const struct fact *crl);
void describe_other(const struct description *s, const struct part_other *o);

#endif
