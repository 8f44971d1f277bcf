#include "facts.h"

#include "base/mem.h"

static char *text(const char *s, const char *otherwise)
{
    return mem_strdup(s != NULL ? s : otherwise);
}

struct inventory inventory_of(const struct row *rows)
{
    struct inventory inv = { 0 };

    for (const struct row *r = rows; r->owner != NULL; r++) {
        inv.v = mem_grow(inv.v, inv.n + 1, sizeof(inv.v[0]));
        inv.v[inv.n++] = (struct inventory_item){
            .owner = mem_strdup(r->owner),
            .fact = {
                .kind = r->kind,
                .path = text(r->path, "tls.crt"),
                .alias = r->alias != NULL ? mem_strdup(r->alias) : NULL,
                .name = text(r->name, "CN=a"),
                .subject = r->kind == FACT_CRL ? NULL : text(r->name, "CN=a"),
                .issuer = text(r->name, "CN=a"),
                .serial = text(r->serial, "01"),
                .names = text(r->names, ""),
                .key = r->kind == FACT_CRL ? NULL : text(r->key, "EC P-256"),
                .sha256 = mem_printf("%s/%s", r->name ? r->name : "CN=a",
                                     r->serial ? r->serial : "01"),
                .not_before = r->from,
                .not_after = r->until,
                .file_time = r->written,
                .ca = r->ca,
                .version = 3,
            },
        };
    }
    return inv;
}
