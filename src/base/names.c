#include "base/names.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

uint32_t names_hash(struct span text)
{
    uint32_t h = 2166136261u;   /* FNV-1a */

    for (size_t i = 0; i < text.len; i++)
        h = (h ^ (unsigned char)text.p[i]) * 16777619u;
    return h;
}

static bool is_text(const struct names_item *i, uint32_t hash, struct span text)
{
    return i->hash == hash && i->text.len == text.len
        && memcmp(i->text.p, text.p, text.len) == 0;
}

/* Its slot, or the empty one where it would be. */
static uint32_t *slot_of(const struct names *t, uint32_t hash, struct span text)
{
    size_t mask = t->nslots - 1, s = hash & mask;

    while (t->slots[s] != 0 && !is_text(&t->items[t->slots[s] - 1], hash, text))
        s = (s + 1) & mask;
    return &t->slots[s];
}

static void rehash(struct names *t, size_t nslots)
{
    free(t->slots);
    t->slots = mem_zalloc(nslots * sizeof(t->slots[0]));
    t->nslots = nslots;
    for (size_t i = 0; i < t->n; i++) {
        uint32_t *s = slot_of(t, t->items[i].hash, t->items[i].text);
        if (*s == 0)            /* else it is in the chain of another */
            *s = (uint32_t)i + 1;
    }
}

void names_add(struct names *t, struct span text, uint32_t value)
{
    uint32_t hash = names_hash(text), place, *s;

    if (t->n == t->room) {
        t->room = t->room > 0 ? 2 * t->room : 16;
        t->items = mem_grow(t->items, t->room, sizeof(t->items[0]));
    }
    if (2 * (t->n + 1) > t->nslots)
        rehash(t, t->nslots > 0 ? 2 * t->nslots : 32);
    s = slot_of(t, hash, text);
    place = (uint32_t)++t->n;
    t->items[place - 1] = (struct names_item){ text, hash, value, 0, place };
    if (*s == 0) {
        *s = place;
    } else {
        struct names_item *first = &t->items[*s - 1];
        t->items[first->last - 1].next = place;
        first->last = place;
    }
}

void names_free(struct names *t)
{
    free(t->items);
    free(t->slots);
    *t = (struct names){ 0 };
}

const struct names_item *names_find(const struct names *t, struct span text)
{
    uint32_t place = t->nslots > 0 ? *slot_of(t, names_hash(text), text) : 0;

    return place > 0 ? &t->items[place - 1] : NULL;
}

const struct names_item *names_next(const struct names *t, const struct names_item *i)
{
    return i->next > 0 ? &t->items[i->next - 1] : NULL;
}

size_t dns_fold(struct span name, char out[DNS_NAME_MAX + 1])
{
    size_t n = name.len;

    if (n > 0 && name.p[n - 1] == '.')
        n--;
    if (n > DNS_NAME_MAX)
        n = 0;
    for (size_t i = 0; i < n; i++) {
        char c = name.p[i];
        if (c == '\0') {
            out[0] = '\0';
            return 0;
        }
        out[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    out[n] = '\0';
    return n;
}

char *dns_wildcard(char *name)
{
    char *dot = strchr(name, '.');

    if (dot == NULL || dot == name)
        return NULL;
    *--dot = '*';
    return dot;
}

size_t uri_path(struct span uri)
{
    const char *colon = memchr(uri.p, ':', uri.len);
    size_t i = colon != NULL ? (size_t)(colon - uri.p) : uri.len;

    if (uri.len - i < 3 || memcmp(uri.p + i, "://", 3) != 0)
        return i;
    for (i += 3; i < uri.len; i++)
        if (strchr("/?#", uri.p[i]) != NULL)
            break;
    return i;
}
