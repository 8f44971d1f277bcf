#include "facts.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"

/* Rows never write to their texts, nor does what takes a fact. */
static char *text(const char *s, const char *otherwise)
{
    return (char *)(uintptr_t)(s != NULL ? s : otherwise);
}

static void pack_row(const struct row *r, struct pack *k)
{
    struct fact f = {
        .kind = r->kind,
        .path = text(r->path, "tls.crt"),
        .alias = text(r->alias, NULL),
        .name = text(r->name, "CN=a"),
        .subject = r->kind == FACT_CRL ? NULL : text(r->name, "CN=a"),
        .issuer = text(r->name, "CN=a"),
        .serial = text(r->serial, "01"),
        .names = text(r->names, ""),
        .key = r->kind == FACT_CRL ? NULL : text(r->key, "EC P-256"),
        .sha256 = mem_printf("%s/%s", r->name ? r->name : "CN=a", r->serial ? r->serial : "01"),
        .not_before = r->from,
        .not_after = r->until,
        .file_time = r->written,
        .ca = r->ca,
        .version = 3,
    };

    inventory_pack(r->owner, &f, k);
    free(f.sha256);
}

/* By the way that all inventories take: out of a bundle. */
struct inventory inventory_of(const struct row *rows)
{
    struct bundle *b = bundle_new();
    struct pack k = { 0 };
    struct inventory inv;

    for (const struct row *r = rows; r->owner != NULL; r++)
        pack_row(r, &k);
    bundle_put(b, k.p, k.len, INVENTORY_ENTRY);
    pack_free(&k);
    if (!inventory_read(b, &inv))
        abort();
    bundle_free(b);
    return inv;
}
