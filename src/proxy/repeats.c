#include "proxy/repeats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/names.h"

#define BUCKETS 256u
#define ROUTE_MAX 80u

struct entry {
    struct entry *next;
    uint64_t source;
    uint64_t since_us, window_us;
    uint64_t again;             /* not told one by one */
    uint32_t told[REPEATS_TOLD];        /* hashes of the texts */
    unsigned ntold;
    struct peer client;
    char listener[ADDR_TEXT_MAX], route[ROUTE_MAX];
    char upstream[ROUTE_MAX], server[ADDR_TEXT_MAX];    /* "": a client's */
    const char *reason;         /* a row's: there for good */
    struct tls_failure last;    /* of those that were not told */
};

struct repeats {
    struct entry *bucket[BUCKETS];
    size_t n;
    uint64_t beyond;            /* of sources that found no place, */
    uint64_t beyond_since_us, beyond_window_us;     /* and since when */
};

struct repeats *repeats_new(void)
{
    return calloc(1, sizeof(struct repeats));
}

void repeats_free(struct repeats *r)
{
    for (size_t i = 0; r != NULL && i < BUCKETS; i++)
        while (r->bucket[i] != NULL) {
            struct entry *e = r->bucket[i];
            r->bucket[i] = e->next;
            free(e);
        }
    free(r);
}

/* --- what is known --- */

static struct entry **bucket_of(struct repeats *r, uint64_t source)
{
    return &r->bucket[(source >> 16) % BUCKETS];    /* the key is a hash */
}

static struct entry *find(struct repeats *r, const struct occurrence *o)
{
    for (struct entry *e = *bucket_of(r, o->source); e != NULL; e = e->next)
        if (e->source == o->source && e->last.cause == o->failure->cause)
            return e;
    return NULL;
}

static struct entry *add(struct repeats *r, const struct occurrence *o)
{
    struct entry *e = r->n < REPEATS_MAX ? calloc(1, sizeof(*e)) : NULL, **b;

    if (e == NULL)
        return NULL;
    b = bucket_of(r, o->source);
    e->next = *b;
    *b = e;
    r->n++;
    e->source = o->source;
    e->client = o->client;
    e->client.port = 0;
    e->reason = o->reason;
    e->last.cause = o->failure->cause;
    snprintf(e->listener, sizeof(e->listener), "%s", o->listener);
    snprintf(e->upstream, sizeof(e->upstream), "%s", o->upstream != NULL ? o->upstream : "");
    snprintf(e->server, sizeof(e->server), "%s", o->server != NULL ? o->server : "");
    return e;
}

/* Whether a text was told in this window, or as many as are. Else it is now. */
static bool was_told(struct entry *e, const char *text)
{
    uint32_t hash = names_hash(str_span(text));

    for (unsigned i = 0; i < e->ntold; i++)
        if (e->told[i] == hash)
            return true;
    if (e->ntold == REPEATS_TOLD)
        return true;
    e->told[e->ntold++] = hash;
    return false;
}

bool repeats_tell(struct repeats *r, const struct occurrence *o, uint64_t window_ms,
                  uint64_t now_us)
{
    struct entry *e;

    if (r == NULL || window_ms == 0)
        return true;
    e = find(r, o);
    if (e == NULL && (e = add(r, o)) == NULL) {
        if (r->beyond++ == 0)
            r->beyond_since_us = now_us;
        r->beyond_window_us = window_ms * 1000u;
        return false;
    }
    if (e->ntold == 0)
        e->since_us = now_us;
    e->window_us = window_ms * 1000u;
    if (!was_told(e, o->failure->text))
        return true;
    e->again++;
    e->last = *o->failure;
    snprintf(e->route, sizeof(e->route), "%s", o->route);
    return false;
}

/* --- telling --- */

static uint64_t seconds(uint64_t since_us, uint64_t now_us)
{
    return (now_us - since_us + 500000u) / 1000000u;
}

static void tell(const struct entry *e, uint64_t now_us)
{
    char client[PEER_TEXT_MAX];
    struct logline l;
    bool ours = e->server[0] != '\0';

    logline_begin(&l, failure_level(&e->last),
                  ours ? "TLS handshakes with the upstream failed again"
                       : "TLS handshakes failed again");
    logline_u64(&l, "times", e->again);
    logline_u64(&l, "seconds", seconds(e->since_us, now_us));
    logline_str(&l, "what", e->last.text);
    logline_str(&l, "route", e->route);
    logline_str(&l, "listener", e->listener);
    if (!ours)
        logline_str(&l, "client", peer_host_text(&e->client, client));
    logline_str(&l, "upstream", ours ? e->upstream : NULL);
    logline_str(&l, "server", ours ? e->server : NULL);
    logline_str(&l, "reason", e->reason);
    logline_str(&l, "cause", e->last.name);
    logline_str(&l, "side", failure_side_text(e->last.side));
    logline_str(&l, "fix", e->last.fix);
    logline_end(&l);
}

static void tell_beyond(struct repeats *r, uint64_t now_us)
{
    struct logline l;

    logline_begin(&l, LOG_LEVEL_WARN, "TLS handshakes failed from more sources than are told of");
    logline_u64(&l, "times", r->beyond);
    logline_u64(&l, "seconds", seconds(r->beyond_since_us, now_us));
    logline_end(&l);
    r->beyond = 0;
}

/* True: nothing came in this window, it is forgotten. What was told stays told while more of
   it comes, but where no other text has room beside it: the next window shall have lines. */
static bool end_window(struct entry *e, uint64_t now_us)
{
    if (e->again == 0)
        return true;
    tell(e, now_us);
    if (e->ntold == REPEATS_TOLD) {
        e->ntold = 0;
        (void)was_told(e, e->last.text);
    }
    e->again = 0;
    e->since_us = now_us;
    return false;
}

void repeats_sweep(struct repeats *r, uint64_t now_us, bool all)
{
    for (size_t i = 0; r->n > 0 && i < BUCKETS; i++) {
        struct entry **at = &r->bucket[i], *e;
        while ((e = *at) != NULL) {
            if ((!all && now_us - e->since_us < e->window_us) || !end_window(e, now_us)) {
                at = &e->next;
                continue;
            }
            *at = e->next;
            free(e);
            r->n--;
        }
    }
    if (r->beyond > 0 && (all || now_us - r->beyond_since_us >= r->beyond_window_us))
        tell_beyond(r, now_us);
}
