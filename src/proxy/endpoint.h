/*
 * endpoint: one address of a server, and what a worker knows of it.
 *
 * One that failed is left alone for a pause, of 100 ms at first, that doubles up to 10 s.
 * When the pause is over one connection tries it, while the others wait for what becomes of
 * that. A hundred connections that were on their way when it went are one failure, not a
 * hundred; and who began before it was last reached has nothing new to say. When it begins to
 * fail a line says so and why, and another when it is reached again, with how often and how
 * long: not one for each connection.
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
    unsigned step;              /* of its pause; 0: it does not fail */
    uint64_t failing_us;        /* since when */
    uint64_t failed_us;         /* when the pause was made longer last */
    uint64_t reached_us;
    uint64_t retry_us;          /* until then it is left alone */
    uint64_t key;               /* of its address: for balance = source_hash */
    bool up;                    /* as the last check saw it; without checks, true */
    bool plain;                 /* plaintext may go there */
};

/* One reference, the caller's. Aborts when memory is out. */
struct endpoint *endpoint_new(const struct addr *a, const char *group, const char *server);
void endpoint_unref(struct endpoint *e);

/* A connection begins with it, which takes a reference; it is not with it any more; and that
   with its reference given back (NULL is fine). */
void endpoint_join(struct endpoint *e, uint64_t now_us);
void endpoint_part(struct endpoint *e);
void endpoint_leave(struct endpoint *e);

/* How it stands, the best first. */
enum endpoint_state {
    ENDPOINT_FIT,
    ENDPOINT_PAUSED,            /* it failed, and is left alone */
    ENDPOINT_DOWN,              /* as a check says */
    ENDPOINT_DOWN_PAUSED,       /* both */
};
enum endpoint_state endpoint_state(const struct endpoint *e, uint64_t now_us);

/* It was reached; or what was begun then failed, and why, in a few words. */
void endpoint_reached(struct endpoint *e, uint64_t now_us);
void endpoint_failed(struct endpoint *e, uint64_t began_us, uint64_t now_us, const char *why);

/* How long one is left alone at that step, in ms; chance adds up to a quarter to it. */
uint64_t endpoint_pause_ms(unsigned step);

/* For hashes that shall not be alike where what they are made of is. */
uint64_t endpoint_mix(uint64_t x);

#endif
