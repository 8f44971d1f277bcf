#include "app/inventory_diff.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tls/certinfo.h"

#define NAMES_SHOWN 160

typedef const struct inventory_item *item;

/* One side of the comparison: what has found no partner yet. */
struct side {
    item *v;
    size_t n;
};

struct diff {
    struct side before, after;
    struct diags *d;
    size_t changes;
    item was, is;               /* an intermediate's replacement, not told yet, */
    size_t files;               /* and in how many files it is the same */
};

/* --- what belongs together --- */

static int cmp_text(const char *a, const char *b)
{
    return strcmp(a != NULL ? a : "", b != NULL ? b : "");
}

/* A list has no subject; it is known by who issued it. */
static const char *whose(item i)
{
    return i->fact.kind == FACT_CRL ? i->fact.issuer : i->fact.subject;
}

static int by_owner(item a, item b)
{
    int c = strcmp(a->owner, b->owner);

    return c != 0 ? c : (int)a->fact.kind - (int)b->fact.kind;
}

static int by_content(const void *x, const void *y)
{
    item a = *(const item *)x, b = *(const item *)y;
    int c = by_owner(a, b);

    return c != 0 ? c : strcmp(a->fact.sha256, b->fact.sha256);
}

static int by_content_in_file(const void *x, const void *y)
{
    item a = *(const item *)x, b = *(const item *)y;
    int c = by_content(x, y);

    return c != 0 ? c : cmp_text(a->fact.path, b->fact.path);
}

static int by_subject(const void *x, const void *y)
{
    item a = *(const item *)x, b = *(const item *)y;
    int c = by_owner(a, b);

    return c != 0 ? c : cmp_text(whose(a), whose(b));
}

static int by_subject_in_file(const void *x, const void *y)
{
    item a = *(const item *)x, b = *(const item *)y;
    int c = by_subject(x, y);

    return c != 0 ? c : cmp_text(a->fact.path, b->fact.path);
}

/* The place where the one certificate of a service lies may get one of another name.
   Of several that are believed, or sent along, another name is another certificate. */
static int by_place(const void *x, const void *y)
{
    item a = *(const item *)x, b = *(const item *)y;
    int c = by_owner(a, b);

    if (c == 0)
        c = cmp_text(a->fact.path, b->fact.path);
    if (c == 0)
        c = cmp_text(a->fact.alias, b->fact.alias);
    if (c == 0)
        c = cmp_text(a->fact.key, b->fact.key);
    if (c == 0 && a->fact.kind != FACT_LEAF)
        c = cmp_text(whose(a), whose(b));
    return c;
}

/* --- telling --- */

static const char *kind_word(const struct fact *f)
{
    switch (f->kind) {
    case FACT_LEAF: return "certificate";
    case FACT_CHAIN: return "intermediate";
    case FACT_ANCHOR: return f->ca ? "CA" : "trusted certificate";
    case FACT_CRL: break;
    }
    return "revocation list of";
}

struct line {
    char text[1000];
    size_t len;
};

static void put(struct line *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void put(struct line *l, const char *fmt, ...)
{
    size_t room = sizeof(l->text) - l->len;
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(l->text + l->len, room, fmt, ap);
    va_end(ap);
    if (n > 0)
        l->len += (size_t)n < room ? (size_t)n : room - 1;
}

static void put_names(struct line *l, const char *names)
{
    size_t n = strlen(names);

    put(l, "%.*s%s", NAMES_SHOWN, n > 0 ? names : "none", n > NAMES_SHOWN ? "..." : "");
}

static const char *end_text(const struct fact *f, char out[DATE_TEXT_MAX])
{
    return f->not_after == INT64_MAX ? "(none)" : date_text(f->not_after, out);
}

static const char *end_word(const struct fact *f)
{
    return f->kind == FACT_CRL ? "next update" : "valid until";
}

static void say(struct diff *df, item i, const struct line *l)
{
    struct diag_at where = { .section = i->owner };

    if (df->changes++ < INVENTORY_DIFF_MAX)
        diag_add(df->d, DIAG_NOTE, where, NULL, "%s: %s", i->fact.path, l->text);
}

/* `files`: in how many of them it is the same. */
static void say_replaced(struct diff *df, item before, item after, size_t files)
{
    const struct fact *a = &before->fact, *b = &after->fact;
    char was[DATE_TEXT_MAX], is[DATE_TEXT_MAX];
    struct line l = { .len = 0 };

    put(&l, "%s %s replaced", kind_word(b), a->name);
    if (strcmp(a->name, b->name) != 0)
        put(&l, " by %s", b->name);
    put(&l, ": %s %s -> %s", b->kind == FACT_CRL ? "number" : "serial",
        a->serial ? a->serial : "none", b->serial ? b->serial : "none");
    put(&l, ", %s %s (was %s)", end_word(b), end_text(b, is), end_text(a, was));
    if (cmp_text(a->names, b->names) != 0) {
        put(&l, ", names ");
        put_names(&l, a->names ? a->names : "");
        put(&l, " -> ");
        put_names(&l, b->names ? b->names : "");
    }
    if (cmp_text(a->key, b->key) != 0)
        put(&l, ", key %s -> %s", a->key, b->key);
    if (strcmp(a->path, b->path) != 0)
        put(&l, ", it was in %s", a->path);
    if (files > 1)
        put(&l, "; the same in %zu more file%s", files - 1, files == 2 ? "" : "s");
    say(df, after, &l);
}

static void say_pending(struct diff *df)
{
    if (df->files > 0)
        say_replaced(df, df->was, df->is, df->files);
    df->files = 0;
}

/* What a thousand leaves have in common is replaced in a thousand files, and told once. */
static void replaced(struct diff *df, item before, item after)
{
    if (df->files > 0 && after->fact.kind == FACT_CHAIN && by_content(&df->was, &before) == 0
        && by_content(&df->is, &after) == 0) {
        df->files++;
        return;
    }
    say_pending(df);
    df->was = before;
    df->is = after;
    df->files = 1;
}

static void say_single(struct diff *df, item i, const char *what)
{
    const struct fact *f = &i->fact;
    char date[DATE_TEXT_MAX];
    struct line l = { .len = 0 };

    put(&l, "%s %s %s: ", kind_word(f), f->name, what);
    if (f->serial != NULL)
        put(&l, "%s %s, ", f->kind == FACT_CRL ? "number" : "serial", f->serial);
    put(&l, "%s %s", end_word(f), end_text(f, date));
    if (f->names != NULL && f->names[0] != '\0') {
        put(&l, ", names ");
        put_names(&l, f->names);
    }
    say(df, i, &l);
}

/* --- the comparison --- */

static void sort(struct side *s, int (*cmp)(const void *, const void *))
{
    if (s->n > 0)
        qsort(s->v, s->n, sizeof(s->v[0]), cmp);
}

/* Those that are alike by `cmp` leave both sides, and are told as replaced if `tell`. */
static void pair_up(struct diff *df, int (*cmp)(const void *, const void *), bool tell)
{
    struct side *a = &df->before, *b = &df->after;
    size_t i = 0, k = 0, na = 0, nb = 0;

    sort(a, cmp);
    sort(b, cmp);
    while (i < a->n || k < b->n) {
        int c = i == a->n ? 1 : k == b->n ? -1 : cmp(&a->v[i], &b->v[k]);
        if (c == 0 && tell)
            replaced(df, a->v[i], b->v[k]);
        if (c < 0)
            a->v[na++] = a->v[i];
        if (c > 0)
            b->v[nb++] = b->v[k];
        i += c <= 0;
        k += c >= 0;
    }
    say_pending(df);
    a->n = na;
    b->n = nb;
}

/* The first of a sorted side that is not before `what`. */
static size_t lower_bound(const struct side *s, item what)
{
    size_t low = 0, high = s->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (by_content(&s->v[middle], &what) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* `others` are all of the other side, most often many, and these are few. */
static void drop_those_in(struct side *s, const struct inventory *others)
{
    sort(s, by_content);
    for (size_t i = 0; i < others->n && s->n > 0; i++) {
        item known = &others->v[i];
        size_t k = lower_bound(s, known), end = k;
        while (end < s->n && by_content(&s->v[end], &known) == 0)
            end++;
        memmove(s->v + k, s->v + end, (s->n - end) * sizeof(item));
        s->n -= end - k;
    }
}

/* One that is there before and after is not new, however many have it now, and not gone. */
static void drop_known(struct side *s, const struct inventory *others)
{
    struct inventory all;

    if (s->n == 0)
        return;
    if (!others->partial) {
        drop_those_in(s, others);
    } else if (inventory_read(others->from, &all)) {
        drop_those_in(s, &all);
        inventory_free(&all);
    }
}

/* Most are where they were: they go without any sorting. */
static void drop_unmoved(struct diff *df)
{
    struct side *a = &df->before, *b = &df->after;
    size_t n = a->n < b->n ? a->n : b->n, kept = 0;

    for (size_t i = 0; i < n; i++) {
        if (by_content_in_file(&a->v[i], &b->v[i]) == 0)
            continue;
        a->v[kept] = a->v[i];
        b->v[kept++] = b->v[i];
    }
    memmove(a->v + kept, a->v + n, (a->n - n) * sizeof(item));
    memmove(b->v + kept, b->v + n, (b->n - n) * sizeof(item));
    a->n -= n - kept;
    b->n -= n - kept;
}

static struct side side_of(const struct inventory *inv)
{
    struct side s = { mem_zalloc(inv->n * sizeof(item)), inv->n };

    for (size_t i = 0; i < inv->n; i++)
        s.v[i] = &inv->v[i];
    return s;
}

void inventory_diff(const struct inventory *before, const struct inventory *after,
                    struct diags *d)
{
    struct diff df = { .before = side_of(before), .after = side_of(after), .d = d };

    drop_unmoved(&df);
    pair_up(&df, by_content_in_file, false);
    pair_up(&df, by_content, false);
    pair_up(&df, by_subject_in_file, true);
    drop_known(&df.before, after);
    drop_known(&df.after, before);
    pair_up(&df, by_place, true);
    pair_up(&df, by_subject, true);
    for (size_t i = 0; i < df.after.n; i++)
        say_single(&df, df.after.v[i], "added");
    for (size_t i = 0; i < df.before.n; i++)
        say_single(&df, df.before.v[i], "removed");
    if (df.changes > INVENTORY_DIFF_MAX)
        diag_add(d, DIAG_NOTE, (struct diag_at){ 0 }, NULL, "and %zu more certificates changed",
                 df.changes - INVENTORY_DIFF_MAX);
    free(df.before.v);
    free(df.after.v);
}
