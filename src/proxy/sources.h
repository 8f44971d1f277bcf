/*
 * sources: how many connections a source has open, and how many it began this second.
 *
 * A worker writes its own table and reads those of the others (account.h), so a limit
 * holds over all workers without a lock; two that accept at the same moment may overshoot
 * it by one each. Keys are hashes with a secret of this run: nobody can choose addresses
 * that meet. A source that finds its place in the table taken is not counted, and so not
 * limited: with 8,192 places, 16 of them for each key, that takes a flood of sources,
 * against which a limit per source is no help.
 */
#ifndef SALLYPORT_PROXY_SOURCES_H
#define SALLYPORT_PROXY_SOURCES_H

#include <stdint.h>

#include "base/addr.h"

#define SOURCES_PLACES 8192u

struct source {
    uint64_t key;               /* 0: never used */
    uint32_t open;
    uint32_t second;            /* of the monotonic clock: when `began` was counted */
    uint32_t began;
};

struct sources {
    uint64_t secret[2];
    uint32_t used;              /* places ever used: most workers have none */
    struct source v[SOURCES_PLACES];
};

/*
 * The key of a source on a listener (a number of its own): an IPv4 address, or the /64 of
 * an IPv6 one, which is what one host has for itself. `from` NULL: of the listener as a
 * whole. 0, which counts nothing, for a Unix socket's peer.
 */
uint64_t source_key(const struct sources *s, uint32_t listener, const struct peer *from);

/* One begins, and ends. False: there was no place, and nothing is to be ended. */
bool source_begin(struct sources *s, uint64_t key, uint32_t second);
void source_end(struct sources *s, uint64_t key);

uint32_t source_open(const struct sources *s, uint64_t key);
uint32_t source_began(const struct sources *s, uint64_t key, uint32_t second);

/* Its worker died: nothing is open any more. */
void sources_clear(struct sources *s);

#endif
