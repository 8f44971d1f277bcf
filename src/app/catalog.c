#include "app/catalog.h"

#include <stdlib.h>
#include <string.h>

#include "app/memfile.h"

#define FACTS_MAX (512u << 20)

static int by_owner(const void *a, const void *b)
{
    const struct inventory_item *x = a, *y = b;
    int c = strcmp(x->owner, y->owner);

    /* The alias and the texts lie in the order in which they came. */
    return c != 0 ? c : (x->fact.path > y->fact.path) - (x->fact.path < y->fact.path);
}

bool catalog_read(int fd, uint64_t generation, struct catalog *out)
{
    struct inventory all = { 0 };
    size_t len = 0;

    *out = (struct catalog){ .bytes = memfile_read(fd, FACTS_MAX, &len) };
    bool good = out->bytes != NULL && inventory_unpack(out->bytes, len, &all);
    out->v = all.v;
    out->n = all.n;
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
