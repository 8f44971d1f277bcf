#include "proxy/sources.h"

#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#define TRIES 16u               /* places that a key may have */

static uint64_t mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t source_key(const struct sources *s, uint32_t listener, const struct peer *from)
{
    uint64_t part[2] = { 0, 0 }, key;

    if (from != NULL && from->family != AF_INET && from->family != AF_INET6)
        return 0;
    if (from != NULL)
        memcpy(part, from->ip, from->family == AF_INET ? 4 : 8);
    part[1] = (uint64_t)listener << 8 | (from != NULL ? from->family : 0);
    key = mix(part[0] ^ s->secret[0], part[1] ^ s->secret[1]);
    key = mix(key ^ s->secret[1], s->secret[0]);
    return key != 0 ? key : 1;
}

static const struct source *find(const struct sources *s, uint64_t key)
{
    for (size_t i = 0; s->used > 0 && i < TRIES; i++) {
        const struct source *p = &s->v[(key + i) % SOURCES_PLACES];
        if (p->key == key)
            return p;
        if (p->key == 0)
            break;
    }
    return NULL;
}

/* Its own place, else an empty one, else that of a source that is gone. */
static struct source *take(struct sources *s, uint64_t key, uint32_t second)
{
    struct source *unused = NULL;

    for (size_t i = 0; i < TRIES; i++) {
        struct source *p = &s->v[(key + i) % SOURCES_PLACES];
        if (p->key == key)
            return p;
        if (unused == NULL && p->open == 0 && (p->key == 0 || p->second != second))
            unused = p;
        if (p->key == 0)
            break;
    }
    if (unused == NULL)
        return NULL;
    s->used += unused->key == 0;
    *unused = (struct source){ .key = key };
    return unused;
}

bool source_begin(struct sources *s, uint64_t key, uint32_t second)
{
    struct source *p = key != 0 ? take(s, key, second) : NULL;

    if (p == NULL)
        return false;
    if (p->second != second) {
        p->second = second;
        p->began = 0;
    }
    p->began++;
    p->open++;
    return true;
}

void source_end(struct sources *s, uint64_t key)
{
    struct source *p = (struct source *)(uintptr_t)find(s, key);

    if (p != NULL && p->open > 0)
        p->open--;
}

uint32_t source_open(const struct sources *s, uint64_t key)
{
    const struct source *p = find(s, key);

    return p != NULL ? p->open : 0;
}

uint32_t source_began(const struct sources *s, uint64_t key, uint32_t second)
{
    const struct source *p = find(s, key);

    return p != NULL && p->second == second ? p->began : 0;
}

void sources_clear(struct sources *s)
{
    for (size_t i = 0; s->used > 0 && i < SOURCES_PLACES; i++)
        s->v[i].open = 0;
}
