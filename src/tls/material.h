/*
 * material: what loading begins with and what it ends with: files as bytes, and DER.
 */
#ifndef SALLYPORT_TLS_MATERIAL_H
#define SALLYPORT_TLS_MATERIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"

/* A file's bytes, and which key of the configuration named it. */
struct tls_input {
    const char *path;
    bool uri;                   /* `path` is the URI of a key (key_uri.h), and there are no bytes */
    const uint8_t *data;
    size_t len;
    int64_t time;               /* last written, seconds since 1970; 0: unknown */
    unsigned mode;              /* the file's permissions; 0: unknown */
    bool exposed;               /* everybody on this machine can read it */
    struct diag_at where;
};

/* What opens a file; NULL: not given. A keystore can have one of its own and another
   for the keys in it; where only `store` is given, it is both. */
struct key_decoder;

struct passwords {
    const char *store, *key;
    struct key_decoder *decoder;        /* NULL: none is kept */
};

static inline const char *key_password(const struct passwords *pw)
{
    return pw->key != NULL ? pw->key : pw->store;
}

/* The files of a store, and how it chooses among what is in them. */
struct store_input {
    const struct tls_input *certs, *keys;
    size_t ncerts, nkeys;
    bool mixed;                 /* certs: files of one pair, whichever holds what; the chain
                                   may be spread over them */
    bool *exposed;              /* of a folder: set when a key that lies open was warned of,
                                   for one warning is enough; NULL: warn of each */
    struct diags *strays;       /* of a folder: takes the findings about files that are plainly
                                   nothing of ours (parts.stray); NULL: these are errors too */
    bool *refused;              /* set when a key could not be had by its URI: to try that again
                                   and again locks the token, if the PIN was wrong; or NULL */
    const char *alias;          /* the keystore entry that is meant; NULL: the only one */
    struct diag_at alias_at;
    struct passwords pw;
};

struct der {
    uint8_t *p;
    size_t len;
};

#endif
