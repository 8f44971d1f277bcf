#include "app/inventory.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tls/pairs.h"

void inventory_pack(const char *owner, const struct fact *f, struct pack *k)
{
    pack_str(k, owner);
    fact_pack(f, k);
}

static bool read_items(const uint8_t *p, size_t len, struct inventory *out)
{
    struct unpack u = { p, len, false };

    while (u.left > 0) {
        struct inventory_item item = { .owner = unpack_str(&u) };
        bool good = fact_unpack(&u, &item.fact) && item.owner != NULL;
        out->v = mem_grow(out->v, out->n + 1, sizeof(out->v[0]));
        out->v[out->n++] = item;
        if (!good)
            return false;
    }
    return true;
}

static bool read_store(const uint8_t *p, size_t len, struct inventory *out)
{
    struct unpack u = { p, len, false };
    struct pair pair;

    while (pairs_next(&u, &pair))
        if (!read_items(pair.facts, pair.factslen, out))
            return false;
    return !u.bad;
}

bool inventory_read(const struct bundle *b, struct inventory *out)
{
    const char *name;
    const uint8_t *p;
    size_t len;
    bool good = true;

    *out = (struct inventory){ 0 };
    for (size_t i = 0; good && bundle_nth(b, i, &name, &p, &len); i++) {
        if (strncmp(name, "store/", strlen("store/")) == 0)
            good = read_store(p, len, out);
        else if (strcmp(name, INVENTORY_ENTRY) == 0)
            good = read_items(p, len, out);
    }
    if (!good)
        inventory_free(out);
    return good;
}

void inventory_free(struct inventory *inv)
{
    for (size_t i = 0; i < inv->n; i++) {
        free(inv->v[i].owner);
        fact_free(&inv->v[i].fact);
    }
    free(inv->v);
    *inv = (struct inventory){ 0 };
}
