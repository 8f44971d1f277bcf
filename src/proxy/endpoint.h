/*
 * endpoint: one address of a server, and what a worker knows of it.
 *
 * One that failed is left alone for a pause, of 100 ms at first, that doubles up to 10 s.
 * When the pause is over one connection tries it, while the others wait for what becomes of
 * that. When it begins to fail a line says so and why, and another when it is reached
 * again, with how often and how long: not one for each connection.
 */
#ifndef SALLYPORT_PROXY_ENDPOINT_H
#define SALLYPORT_PROXY_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

/* The registry (upstream.h) holds those it lists, and a connection the one it picked. */
struct endpoint {
    struct addr addr;
    char *group;                /* the [upstream], for the log */
    char *server;               /* of it, as it is written */
    unsigned refs;
    unsigned in_flight;         /* connections that picked it, and are not over */
    unsigned failures;          /* since it was reached last */
    uint64_t failing_us;        /* since when */
    uint64_t retry_us;          /* until then it is left alone */
    uint64_t key;               /* of its address: for balance = source_hash */
    bool up;                    /* as the last check saw it; without checks, true */
    bool allowed;               /* plaintext_to has it */
};

/* One reference, the caller's. Aborts when memory is out. */
struct endpoint *endpoint_new(const struct addr *a, const char *group, const char *server);
void endpoint_unref(struct endpoint *e);

/* A connection begins with it; leaves it (NULL is fine). */
void endpoint_join(struct endpoint *e, uint64_t now_us);
void endpoint_leave(struct endpoint *e);

/* It is neither down nor left alone. */
bool endpoint_is_fit(const struct endpoint *e, uint64_t now_us);

/* It was reached; or it failed, and why, in a few words. */
void endpoint_reached(struct endpoint *e, uint64_t now_us);
void endpoint_failed(struct endpoint *e, uint64_t now_us, const char *why);

/* How long one that failed so often in a row is left alone, in ms; chance adds up to a
   quarter to it. */
uint64_t endpoint_pause_ms(unsigned failures);

/* For hashes that shall not be alike where what they are made of is. */
uint64_t endpoint_mix(uint64_t x);

#endif
