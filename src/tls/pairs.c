#include "tls/pairs.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tls/digest.h"

static void identify(const struct keymat *m, uint8_t id[PAIR_ID])
{
    struct der *all = mem_zalloc((m->nchain + 1) * sizeof(*all));

    all[0] = m->key;
    for (size_t i = 0; i < m->nchain; i++)
        all[i + 1] = m->chain[i];
    digest_ders(all, m->nchain + 1, id);
    free(all);
}

static void put_names(struct pack *k, const struct keymat *m)
{
    struct pack names = { 0 };

    for (size_t i = 0; i < m->nnames; i++)
        pack_str(&names, m->names[i]);
    pack_blob(k, names.p, names.len);
    pack_free(&names);
}

static void put_chain(struct pack *k, const struct keymat *m)
{
    struct pack chain = { 0 };

    for (size_t i = 0; i < m->nchain; i++)
        pack_blob(&chain, m->chain[i].p, m->chain[i].len);
    pack_blob(k, chain.p, chain.len);
    pack_free(&chain);
}

void pairs_put(struct pack *k, const struct pair_unit *unit, const struct keymat *m,
               const void *facts, size_t factslen)
{
    struct pack record = { 0 };
    uint8_t id[PAIR_ID];

    identify(m, id);
    pack_bytes(&record, unit->id, PAIR_ID);
    pack_text(&record, unit->name);
    pack_text(&record, unit->files);
    pack_bytes(&record, id, PAIR_ID);
    pack_u32(&record, (uint32_t)m->type);
    pack_u32(&record, m->bits);
    pack_u64(&record, (uint64_t)(m->nchain > 0 ? m->facts[0].not_after : INT64_MIN));
    put_names(&record, m);
    pack_blob(&record, m->key.p, m->key.len);
    put_chain(&record, m);
    pack_blob(&record, facts, factslen);
    pack_blob(k, record.p, record.len);
    pack_free(&record);
}

void pairs_copy(struct pack *k, const struct pair *p)
{
    pack_blob(k, p->whole, p->wholelen);
}

bool pair_unit_known(const uint8_t id[PAIR_ID])
{
    static const uint8_t unknown[PAIR_ID];

    return memcmp(id, unknown, PAIR_ID) != 0;
}

/* What was made from the same files, as they were then, was copied: the next load does so. */
static bool is_same(const uint8_t *a, size_t alen, const uint8_t *b, size_t blen)
{
    return alen == blen && alen > PAIR_ID && memcmp(a, b, PAIR_ID) == 0
           && (pair_unit_known(a) || memcmp(a, b, alen) == 0);
}

void pairs_skip_same(struct unpack *a, struct unpack *b)
{
    while (a->left > 0 && b->left > 0) {
        struct unpack x = *a, y = *b;
        size_t xlen, ylen;
        const uint8_t *p = unpack_blob(&x, &xlen), *q = unpack_blob(&y, &ylen);
        if (p == NULL || q == NULL || !is_same(p, xlen, q, ylen))
            return;
        *a = x;
        *b = y;
    }
}

static struct unpack part(struct unpack *u)
{
    struct unpack inner = { 0 };

    inner.p = unpack_blob(u, &inner.left);
    return inner;
}

bool pairs_next(struct unpack *u, struct pair *out)
{
    struct unpack r = { 0 };

    if (u->bad || u->left == 0)
        return false;
    *out = (struct pair){ 0 };
    out->whole = r.p = unpack_blob(u, &r.left);
    out->wholelen = r.left;
    out->unit = unpack_bytes(&r, PAIR_ID);
    out->unit_name = unpack_text(&r);
    out->unit_files = unpack_text(&r);
    out->id = unpack_bytes(&r, PAIR_ID);
    out->type = (int)unpack_u32(&r);
    out->bits = unpack_u32(&r);
    out->until = (int64_t)unpack_u64(&r);
    out->names = part(&r);
    out->key = unpack_blob(&r, &out->keylen);
    out->chain = part(&r);
    out->facts = unpack_blob(&r, &out->factslen);
    if (!u->bad && !r.bad && r.left == 0 && out->unit_name != NULL && out->unit_files != NULL)
        return true;
    u->bad = true;
    return false;
}
