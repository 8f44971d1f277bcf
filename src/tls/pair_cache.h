/*
 * pair_cache: records of key pairs that were parsed, by their id.
 *
 * Generations of a worker share one, so a pair that a reload did not change is parsed
 * once. It is bounded: the least recently used leaves first. And it does not keep
 * what a reload replaced: what was not asked for since the last reload but one goes.
 */
#ifndef SALLYPORT_TLS_PAIR_CACHE_H
#define SALLYPORT_TLS_PAIR_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "tls/keypair.h"
#include "tls/pairs.h"

struct pair_cache;

/* `max`: pairs that stay parsed, at least one. NULL when memory is out. */
struct pair_cache *pair_cache_new(size_t max);
struct pair_cache *pair_cache_ref(struct pair_cache *c);
void pair_cache_unref(struct pair_cache *c);        /* NULL is fine */

/* The pair of a record, the cache's: good until `max` others were asked for. NULL and
   e when it does not parse or memory is out. */
struct keypair *pair_cache_get(struct pair_cache *c, const struct pair *p, struct err *e);

/* A reload happened. */
void pair_cache_age(struct pair_cache *c);

#endif
