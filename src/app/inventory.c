#include "app/inventory.h"

#include <stdlib.h>

#include "base/mem.h"

void inventory_pack(const char *owner, const struct fact *f, struct pack *k)
{
    pack_str(k, owner);
    fact_pack(f, k);
}

bool inventory_read(const struct bundle *b, struct inventory *out)
{
    size_t len = 0;
    const uint8_t *p = bundle_get(b, &len, INVENTORY_ENTRY);
    struct unpack u = { p, len, false };

    *out = (struct inventory){ 0 };
    while (u.left > 0) {
        struct inventory_item item = { .owner = unpack_str(&u) };
        bool good = fact_unpack(&u, &item.fact) && item.owner != NULL;
        out->v = mem_grow(out->v, out->n + 1, sizeof(out->v[0]));
        out->v[out->n++] = item;
        if (!good) {
            inventory_free(out);
            return false;
        }
    }
    return true;
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
