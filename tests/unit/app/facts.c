#include "facts.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

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

static bool of_one_file(const struct row *a, const struct row *b)
{
    return b->owner != NULL && strcmp(a->owner, b->owner) == 0
           && strcmp(text(a->path, "tls.crt"), text(b->path, "tls.crt")) == 0;
}

struct bundle *bundle_of_pairs(const struct row *rows)
{
    static const struct keymat none;
    struct bundle *b = bundle_new();
    struct pack rest = { 0 };

    for (const struct row *r = rows; r->owner != NULL;) {
        struct pack records = { 0 };
        const struct row *first = r;
        if (strncmp(r->owner, "store ", 6) != 0) {
            pack_row(r++, &rest);
            continue;
        }
        while (r->owner != NULL && strcmp(r->owner, first->owner) == 0) {
            struct pair_unit unit = { .name = text(r->path, "tls.crt"), .files = "" };
            struct pack facts = { 0 };
            do
                pack_row(r, &facts);
            while (of_one_file(r, r + 1) && r++);
            r++;
            pairs_put(&records, &unit, &none, facts.p, facts.len);
            pack_free(&facts);
        }
        bundle_take(b, &records, "store/%s", first->owner + 6);
    }
    bundle_take(b, &rest, INVENTORY_ENTRY);
    return b;
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
