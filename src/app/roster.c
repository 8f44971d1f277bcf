#include "app/roster.h"

#include <inttypes.h>
#include <stdlib.h>

#include "app/inventory.h"
#include "base/mem.h"
#include "tls/certinfo.h"

/* The fact about a record's leaf, in the record; false when it holds none. */
static bool leaf_of(const struct certs *c, size_t i, struct fact *out)
{
    struct pair p = certs_pair(c, i);
    struct unpack u = { p.facts, p.factslen, false };
    struct inventory_item item;

    if (!inventory_next(&u, &item))
        return false;
    *out = item.fact;
    return true;
}

static struct diag_at where(const struct conf_store *st)
{
    return conf_at(&st->head, st->dir.n > 0 ? KEY_STORE_DIR : KEY_STORE_CERT, NULL);
}

static const char *plural(uint64_t n)
{
    return n == 1 ? "" : "s";
}

static void tell_numbers(const struct conf_store *st, const struct certs *c, struct diags *d)
{
    size_t pairs = certs_count(c), names = certs_names(c);
    struct fact standard;

    if (leaf_of(c, certs_default(c), &standard))
        diag_add(d, DIAG_NOTE, where(st), NULL,
                 "%zu pair%s for %zu name%s; who asks for no name, or for one that none of them "
                 "has, gets %s (%s)", pairs, plural(pairs), names, plural(names), standard.name,
                 standard.path);
}

static char *names_text(const struct certs_hidden *h)
{
    if (h->name.p == NULL)
        return mem_strdup("clients that ask for no name");
    if (h->n == 1)
        return mem_printf("%.*s", (int)h->name.len, h->name.p);
    return mem_printf("%.*s and %zu more name%s", (int)h->name.len, h->name.p, h->n - 1,
                      plural(h->n - 1));
}

static void tell_hidden(const struct conf_store *st, const struct certs *c,
                        const struct certs_hidden *h, struct diags *d)
{
    struct fact it, by;
    char until[DATE_TEXT_MAX], longer[DATE_TEXT_MAX], *names, *hint = NULL;

    if (!leaf_of(c, h->pair, &it) || !leaf_of(c, h->by, &by))
        return;
    names = names_text(h);
    if (h->wholly)
        hint = mem_printf("remove %s if the other one renews it", it.path);
    date_text(it.not_after, until);
    date_text(by.not_after, longer);
    diag_add(d, DIAG_WARNING, where(st), hint,
             "two pairs with one kind of key are for %s: %s is served, valid until %s, and not "
             "%s, valid until %s", names, by.path, longer, it.path, until);
    free(hint);
    free(names);
}

void roster_add(struct roster *r, const struct conf_store *st, const struct certs *c,
                struct diags *d)
{
    struct certs_hidden h;
    size_t n = 0;

    r->pairs += certs_count(c);
    r->names += certs_names(c);
    if (st->dir.n > 0)
        tell_numbers(st, c, d);
    for (size_t i = 0; certs_next_hidden(c, i, &h); i = h.pair + 1)
        if (n++ < ROSTER_LINES_MAX)
            tell_hidden(st, c, &h, d);
    if (n > ROSTER_LINES_MAX)
        diag_add(d, DIAG_WARNING, where(st), NULL,
                 "and %zu more pairs are not served because others have their names",
                 n - ROSTER_LINES_MAX);
}

void roster_put(const struct roster *r, struct bundle *b)
{
    struct pack k = { 0 };

    pack_u64(&k, r->pairs);
    pack_u64(&k, r->names);
    bundle_take(b, &k, ROSTER_ENTRY);
}

struct roster roster_of(const struct bundle *b)
{
    size_t len = 0;
    const uint8_t *p = bundle_get(b, &len, ROSTER_ENTRY);
    struct unpack u = { p, p != NULL ? len : 0, false };
    struct roster r = { .pairs = unpack_u64(&u) };

    r.names = unpack_u64(&u);
    return r;
}
