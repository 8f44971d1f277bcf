#include "tls/pair_cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "tls/key_decoder.h"

struct cached {
    struct list lru;            /* pair_cache.lru, most recently used first */
    struct cached *next;        /* of its bucket */
    uint8_t id[PAIR_ID];
    uint64_t epoch;             /* when it was last asked for */
    struct keypair *pair;
};

#define BUCKETS 1024u

struct pair_cache {
    unsigned refs;
    size_t n, max;
    uint64_t epoch;
    struct list lru;
    struct cached *bucket[BUCKETS];
    struct key_decoder *decoder;
};

static size_t bucket_of(const uint8_t id[PAIR_ID])
{
    return ((unsigned)id[0] << 8 | id[1]) % BUCKETS;    /* a hash is its own hash */
}

struct pair_cache *pair_cache_new(size_t max)
{
    struct pair_cache *c = calloc(1, sizeof(*c));

    if (c == NULL)
        return NULL;
    c->refs = 1;
    c->max = max;
    c->decoder = key_decoder_new();     /* without one it is slower */
    list_init(&c->lru);
    return c;
}

struct pair_cache *pair_cache_ref(struct pair_cache *c)
{
    c->refs++;
    return c;
}

static void evict(struct pair_cache *c, struct cached *e)
{
    struct cached **p = &c->bucket[bucket_of(e->id)];

    while (*p != e)
        p = &(*p)->next;
    *p = e->next;
    list_remove(&e->lru);
    keypair_free(e->pair);
    free(e);
    c->n--;
}

void pair_cache_unref(struct pair_cache *c)
{
    if (c == NULL || --c->refs > 0)
        return;
    LIST_EACH (l, next, &c->lru)
        evict(c, LIST_OF(struct cached, lru, l));
    key_decoder_free(c->decoder);
    free(c);
}

static struct cached *lookup(struct pair_cache *c, const uint8_t id[PAIR_ID])
{
    for (struct cached *e = c->bucket[bucket_of(id)]; e != NULL; e = e->next) {
        if (memcmp(e->id, id, PAIR_ID) != 0)
            continue;
        list_remove(&e->lru);
        list_prepend(&c->lru, &e->lru);
        e->epoch = c->epoch;
        return e;
    }
    return NULL;
}

#define CHAIN_MAX 32            /* longer ones no client takes; the loader sends none */

static struct keypair *parse(struct pair_cache *c, const struct pair *p, struct err *e)
{
    struct der chain[CHAIN_MAX];
    struct unpack u = p->chain;
    size_t n = 0;

    while (u.left > 0 && n < CHAIN_MAX) {
        chain[n].p = (uint8_t *)(uintptr_t)unpack_blob(&u, &chain[n].len);
        n++;
    }
    if (u.bad || u.left > 0) {
        err_setx(e, "a record of the store is damaged");
        return NULL;
    }
    return keypair_new(c->decoder, p->key, p->keylen, chain, n, e);
}

struct keypair *pair_cache_get(struct pair_cache *c, const struct pair *p, struct err *e)
{
    struct cached *have = lookup(c, p->id);
    struct keypair *k;

    if (have != NULL)
        return have->pair;
    k = parse(c, p, e);
    if (k == NULL)
        return NULL;
    have = calloc(1, sizeof(*have));
    if (have == NULL) {
        keypair_free(k);
        err_setx(e, "memory is out");
        return NULL;
    }
    if (c->n == c->max)
        evict(c, LIST_OF(struct cached, lru, c->lru.prev));
    memcpy(have->id, p->id, PAIR_ID);
    have->pair = k;
    have->epoch = c->epoch;
    have->next = c->bucket[bucket_of(p->id)];
    c->bucket[bucket_of(p->id)] = have;
    list_prepend(&c->lru, &have->lru);
    c->n++;
    return k;
}

void pair_cache_age(struct pair_cache *c)
{
    c->epoch++;
    LIST_EACH (l, next, &c->lru) {
        struct cached *e = LIST_OF(struct cached, lru, l);
        if (e->epoch + 1 < c->epoch)
            evict(c, e);
    }
}
