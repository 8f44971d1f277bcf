#include "app/catalog.h"

#include <stdlib.h>
#include <string.h>

#include "app/memfile.h"
#include "base/mem.h"

#define FACTS_MAX (512u << 20)

static int by_owner(const void *a, const void *b)
{
    const struct inventory_item *x = a, *y = b;
    int c = strcmp(x->owner, y->owner);

    /* The alias and the texts lie in the order in which they came. */
    return c != 0 ? c : (x->fact.path > y->fact.path) - (x->fact.path < y->fact.path);
}

static bool read_items(struct catalog *c, size_t len)
{
    struct unpack u = { c->bytes, len, false };
    size_t room = 0;

    while (u.left > 0) {
        struct inventory_item item;
        if (!inventory_next(&u, &item))
            return false;
        if (c->n == room) {
            room = room > 0 ? 2 * room : 32;
            c->v = mem_grow(c->v, room, sizeof(c->v[0]));
        }
        c->v[c->n++] = item;
    }
    return true;
}

bool catalog_read(int fd, uint64_t generation, struct catalog *out)
{
    size_t len = 0;

    *out = (struct catalog){ .bytes = memfile_read(fd, FACTS_MAX, &len) };
    bool good = out->bytes != NULL && read_items(out, len);
    if (!good)
        catalog_free(out);
    else if (out->n > 0)
        qsort(out->v, out->n, sizeof(out->v[0]), by_owner);
    out->generation = generation;
    return good;
}

void catalog_free(struct catalog *c)
{
    free(c->bytes);
    free(c->v);
    *c = (struct catalog){ 0 };
}

const struct inventory_item *catalog_of(const struct catalog *c, const char *owner, size_t *n)
{
    size_t low = 0, high = c->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (strcmp(c->v[mid].owner, owner) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    for (*n = 0; low + *n < c->n && strcmp(c->v[low + *n].owner, owner) == 0; ++*n)
        ;
    return *n > 0 ? &c->v[low] : NULL;
}
