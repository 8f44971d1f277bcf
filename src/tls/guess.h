/*
 * guess: what a peer speaks that does not speak TLS, from its first bytes.
 */
#ifndef SALLYPORT_TLS_GUESS_H
#define SALLYPORT_TLS_GUESS_H

#include <stddef.h>

enum guess {
    GUESS_NOTHING,              /* no byte came */
    GUESS_TLS,                  /* a record of TLS, or an SSL 2 hello */
    GUESS_HTTP,
    GUESS_HTTP_CONNECT,
    GUESS_PROXY,                /* a PROXY protocol header */
    GUESS_NAMED,                /* another protocol: *name */
    GUESS_UNKNOWN
};

/* *name is set for GUESS_PROXY and GUESS_NAMED ("SSH"), static; else untouched. */
enum guess guess_protocol(const unsigned char *p, size_t n, const char **name);

#endif
