#include "app/inventory.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void inventory_pack(const char *owner, const struct fact *f, struct pack *k)
{
    pack_text(k, owner);
    fact_pack(f, k);
}

bool inventory_next(struct unpack *u, struct inventory_item *out)
{
    if (u->left == 0)
        return false;
    *out = (struct inventory_item){ .owner = unpack_text(u) };
    return fact_view(u, &out->fact) && out->owner != NULL;
}

struct reading {
    struct inventory *out;
    size_t room;
};

static bool read_items(struct reading *r, const uint8_t *p, size_t len)
{
    struct unpack u = { p, len, false };
    struct inventory_item item;

    while (u.left > 0) {
        if (!inventory_next(&u, &item))
            return false;
        if (r->out->n == r->room) {
            r->room = r->room ? 2 * r->room : 32;
            r->out->v = mem_grow(r->out->v, r->room, sizeof(r->out->v[0]));
        }
        r->out->v[r->out->n++] = item;
    }
    return true;
}

bool inventory_unpack(const void *p, size_t len, struct inventory *out)
{
    struct reading r = { .out = out };

    *out = (struct inventory){ 0 };
    if (read_items(&r, p, len))
        return true;
    inventory_free(out);
    return false;
}

static bool read_store(struct reading *r, const uint8_t *p, size_t len)
{
    struct unpack u = { p, len, false };
    struct pair pair;

    while (pairs_next(&u, &pair))
        if (!read_items(r, pair.facts, pair.factslen))
            return false;
    return !u.bad;
}

static bool is_store(const char *entry)
{
    return strncmp(entry, "store/", strlen("store/")) == 0;
}

bool inventory_read(struct bundle *b, struct inventory *out)
{
    struct reading r = { .out = out };
    const char *name;
    const uint8_t *p;
    size_t len;
    bool good = true;

    *out = (struct inventory){ .from = bundle_ref(b) };
    for (size_t i = 0; good && bundle_nth(b, i, &name, &p, &len); i++) {
        if (is_store(name))
            good = read_store(&r, p, len);
        else if (strcmp(name, INVENTORY_ENTRY) == 0)
            good = read_items(&r, p, len);
    }
    if (!good)
        inventory_free(out);
    return good;
}

/* Both are in the order of their units' names, most often: what stands on one side alone is
   read there, and the others are side by side again. */
static bool read_changed(struct reading *was, struct unpack a, struct reading *is,
                         struct unpack b)
{
    for (;;) {
        struct pair x, y;
        pairs_skip_same(&a, &b);
        struct unpack an = a, bn = b;
        bool left = pairs_next(&an, &x), right = pairs_next(&bn, &y);
        if (!left && !right)
            return !an.bad && !bn.bad;
        int c = !left ? 1 : !right ? -1 : strcmp(x.unit_name, y.unit_name);
        if ((c <= 0 && !read_items(was, x.facts, x.factslen))
            || (c >= 0 && !read_items(is, y.facts, y.factslen)))
            return false;
        a = c <= 0 ? an : a;
        b = c >= 0 ? bn : b;
    }
}

/* The entry of that name and these bytes, and the other's of that name; with `alone` only if that
   has none, having been read from there. */
static bool read_entry(struct reading *r, const char *name, const uint8_t *p, size_t n,
                       struct reading *other, bool alone)
{
    size_t m = 0;
    const uint8_t *q = bundle_get(other->out->from, &m, "%s", name);

    if (alone && q != NULL)
        return true;
    if (is_store(name))
        return read_changed(r, (struct unpack){ p, n, false },
                            other, (struct unpack){ q, q != NULL ? m : 0, false });
    if (strcmp(name, INVENTORY_ENTRY) != 0 || (q != NULL && n == m && memcmp(p, q, n) == 0))
        return true;
    return read_items(r, p, n) && (q == NULL || read_items(other, q, m));
}

bool inventory_changes(struct bundle *before, struct bundle *after, struct inventory *was,
                       struct inventory *is)
{
    struct reading a = { .out = was }, b = { .out = is };
    const char *name;
    const uint8_t *p;
    size_t len;
    bool good = true;

    *was = (struct inventory){ .from = bundle_ref(before), .partial = true };
    *is = (struct inventory){ .from = bundle_ref(after), .partial = true };
    for (size_t i = 0; good && bundle_nth(before, i, &name, &p, &len); i++)
        good = read_entry(&a, name, p, len, &b, false);
    for (size_t i = 0; good && bundle_nth(after, i, &name, &p, &len); i++)
        good = read_entry(&b, name, p, len, &a, true);
    if (!good) {
        inventory_free(was);
        inventory_free(is);
    }
    return good;
}

struct inventory inventory_later(struct bundle *b)
{
    return (struct inventory){ .from = bundle_ref(b), .unread = true };
}

/* One that is damaged was refused by who maps it; nothing is found in it. */
static void read_now(struct inventory *inv)
{
    struct bundle *b = inv->from;

    (void)inventory_read(b, inv);
    bundle_free(b);
}

bool inventory_read_pairs(struct bundle *b, const struct pair *v, size_t n, struct inventory *out)
{
    struct reading r = { .out = out };
    bool good = true;

    *out = (struct inventory){ .from = bundle_ref(b) };
    for (size_t i = 0; i < n && good; i++)
        good = read_items(&r, v[i].facts, v[i].factslen);
    if (!good)
        inventory_free(out);
    return good;
}

void inventory_free(struct inventory *inv)
{
    bundle_free(inv->from);
    free(inv->v);
    *inv = (struct inventory){ 0 };
}

/* path NULL comes before all others. */
static int compare(const struct inventory_item *a, const char *sha256, const char *owner,
                   const char *path)
{
    int c = strcmp(a->fact.sha256, sha256);

    if (c == 0)
        c = strcmp(a->owner, owner);
    return c != 0 ? c : path == NULL ? 1 : strcmp(a->fact.path, path);
}

static int by_print(const void *x, const void *y)
{
    const struct inventory_item *b = y;

    return compare(x, b->fact.sha256, b->owner, b->fact.path);
}

static bool is(const struct inventory_item *i, const char *owner, const char *sha256,
               const char *path)
{
    return strcmp(i->fact.sha256, sha256) == 0 && strcmp(i->owner, owner) == 0
           && (path == NULL || strcmp(i->fact.path, path) == 0);
}

static const struct inventory_item *find_sorted(const struct inventory *inv, const char *owner,
                                                const char *sha256, const char *path)
{
    size_t low = 0, high = inv->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(&inv->v[middle], sha256, owner, path) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < inv->n && is(&inv->v[low], owner, sha256, path) ? &inv->v[low] : NULL;
}

#define FEW 16u                 /* questions that are not worth the sorting */

const struct inventory_item *inventory_find(struct inventory *inv, const char *owner,
                                            const char *sha256, const char *path)
{
    if (inv->unread)
        read_now(inv);
    if (inv->asked >= FEW)
        return find_sorted(inv, owner, sha256, path);
    if (++inv->asked == FEW && inv->n > 0)
        qsort(inv->v, inv->n, sizeof(inv->v[0]), by_print);
    for (size_t i = 0; i < inv->n; i++)
        if (is(&inv->v[i], owner, sha256, path))
            return &inv->v[i];
    return NULL;
}

void inventory_keep(struct inventory *before, const char *owner, const struct fact *f,
                    struct pack *k)
{
    const struct inventory_item *old = inventory_find(before, owner, f->sha256, f->path);
    struct fact now = *f;

    if (old != NULL)
        now.file_time = old->fact.file_time;
    inventory_pack(owner, &now, k);
}
