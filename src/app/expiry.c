#include "app/expiry.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tls/certinfo.h"

#define DAY_S 86400

/* Something to say, or that was said. */
struct saying {
    char *owner, *sha256;       /* the inventory's until it is decided; then our own */
    enum expiry_state state;
    int64_t said;               /* when */
    const struct fact *fact;    /* while it is decided on; then NULL */
    bool now;
};

struct expiry {
    struct saying *v;           /* sorted by whom it is about */
    size_t n;
    int64_t fine_until;         /* before then nothing else is to be said (INT64_MIN: unknown) */
};

/* When it is due, stale and past. */
struct terms {
    int64_t due, stale, past;   /* INT64_MAX: never */
};

static struct terms terms_of(const struct fact *f, int64_t warn_before_s)
{
    struct terms t = { INT64_MAX, INT64_MAX, INT64_MAX };

    if (f->not_after == INT64_MIN || f->not_after == INT64_MAX || f->not_before == INT64_MIN)
        return t;               /* no time, which its reader has told; or no end */

    int64_t life = f->not_after - f->not_before, last_third = f->not_after - life / 3;
    t.past = f->not_after + 1;
    if (warn_before_s > 0)
        t.due = life > warn_before_s ? f->not_after - warn_before_s : last_third;
    if (f->kind == FACT_LEAF && f->file_time != 0 && f->file_time < last_third)
        t.stale = last_third;
    return t;
}

static enum expiry_state state_in(const struct terms *t, int64_t now)
{
    return now >= t->past ? EXPIRY_PAST : now >= t->due ? EXPIRY_DUE
           : now >= t->stale ? EXPIRY_STALE : EXPIRY_FINE;
}

enum expiry_state expiry_state(const struct fact *f, int64_t warn_before_s, int64_t now)
{
    struct terms t = terms_of(f, warn_before_s);

    return state_in(&t, now);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* --- texts --- */

static const char *kind_word(const struct fact *f)
{
    switch (f->kind) {
    case FACT_LEAF: return "certificate";
    case FACT_CHAIN: return "intermediate certificate";
    case FACT_ANCHOR: return "trusted certificate";
    case FACT_CRL: break;
    }
    return "revocation list of";
}

static void say(const struct saying *s, int64_t now, struct diags *d)
{
    const struct fact *f = s->fact;
    struct diag_at where = { .section = s->owner };
    char date[DATE_TEXT_MAX], when[DATE_TEXT_MAX], written[DATE_TEXT_MAX];
    bool list = f->kind == FACT_CRL, past = s->state == EXPIRY_PAST;

    date_text(f->not_after, date);
    distance_text(f->not_after, now, when);
    if (s->state == EXPIRY_STALE)
        diag_add(d, DIAG_WARNING, where, "look after what should renew it",
                 "%s: two thirds of the life of the certificate %s have passed, and nothing has "
                 "renewed it since %s; it expires %s (%s)", f->path, f->name,
                 date_text(f->file_time, written), when, date);
    else
        diag_add(d, DIAG_WARNING, where, list ? "fetch a new one from the CA" : "renew it",
                 "%s: the %s %s %s %s (%s)", f->path, kind_word(f), f->name,
                 list ? past ? "should have been renewed" : "has to be renewed"
                      : past ? "expired" : "expires", when, date);
}

/* --- what to say --- */

static int64_t warn_before_s(const struct conf *c, const char *owner)
{
    for (size_t i = 0; i < c->nstores; i++)
        if (strcmp(c->stores[i]->head.title, owner) == 0)
            return (int64_t)(c->stores[i]->warn_before_ms / 1000u);
    for (size_t i = 0; i < c->ntrusts; i++)
        if (strcmp(c->trusts[i]->head.title, owner) == 0)
            return (int64_t)(c->trusts[i]->warn_before_ms / 1000u);
    return 0;
}

static int by_subject(const void *x, const void *y)
{
    const struct saying *a = x, *b = y;
    int c = strcmp(a->sha256, b->sha256);

    if (c == 0)
        c = strcmp(a->owner, b->owner);
    return c != 0 ? c : (int)a->state - (int)b->state;
}

static int by_end(const void *x, const void *y)
{
    const struct saying *a = *(const struct saying *const *)x;
    const struct saying *b = *(const struct saying *const *)y;

    return (a->fact->not_after > b->fact->not_after) - (a->fact->not_after < b->fact->not_after);
}

/* All that is not fine, each once; an intermediate may lie in a thousand files. */
static struct expiry gather(const struct conf *c, const struct inventory *inv, int64_t now)
{
    struct expiry x = { .fine_until = INT64_MAX };
    const char *owner = NULL;
    int64_t warn = 0;
    size_t n = 0;

    for (size_t i = 0; i < inv->n; i++) {
        const struct inventory_item *item = &inv->v[i];
        if (owner == NULL || strcmp(owner, item->owner) != 0)
            warn = warn_before_s(c, item->owner);
        owner = item->owner;
        struct terms t = terms_of(&item->fact, warn);
        enum expiry_state state = state_in(&t, now);
        if (state == EXPIRY_FINE) {
            x.fine_until = earlier(x.fine_until, earlier(t.due, earlier(t.stale, t.past)));
            continue;
        }
        x.v = mem_grow(x.v, x.n + 1, sizeof(x.v[0]));
        x.v[x.n++] = (struct saying){ (char *)(uintptr_t)item->owner, item->fact.sha256, state,
                                      INT64_MIN, &item->fact, false };
    }
    if (x.n > 0)
        qsort(x.v, x.n, sizeof(x.v[0]), by_subject);
    for (size_t i = 0; i < x.n; i++)
        if (n == 0 || by_subject(&x.v[n - 1], &x.v[i]) != 0)
            x.v[n++] = x.v[i];
    x.n = n;
    return x;
}

static bool is_time(const struct saying *before, int64_t now)
{
    return before == NULL || now < before->said || now - before->said >= DAY_S;
}

static void say_soonest(const struct expiry *x, int64_t now, struct diags *d)
{
    const struct saying **v = mem_zalloc(x->n * sizeof(struct saying *));
    size_t n = 0;

    for (size_t i = 0; i < x->n; i++)
        if (x->v[i].now)
            v[n++] = &x->v[i];
    if (n > 0)
        qsort(v, n, sizeof(struct saying *), by_end);
    for (size_t i = 0; i < n && i < EXPIRY_LINES_MAX; i++)
        say(v[i], now, d);
    if (n > EXPIRY_LINES_MAX)
        diag_add(d, DIAG_WARNING, (struct diag_at){ 0 }, NULL,
                 "and %zu more certificates and revocation lists expire soon",
                 n - EXPIRY_LINES_MAX);
    free(v);
}

static void forget(struct expiry *x)
{
    for (size_t i = 0; i < x->n; i++) {
        free(x->v[i].owner);
        free(x->v[i].sha256);
    }
    free(x->v);
    *x = (struct expiry){ 0 };
}

void expiry_check(struct expiry *x, const struct conf *c, const struct inventory *inv, int64_t now,
                  bool loaded, struct diags *d)
{
    struct expiry next = gather(c, inv, now);

    for (size_t i = 0; i < next.n; i++) {
        struct saying *s = &next.v[i];
        const struct saying *before =
            x->n > 0 ? bsearch(s, x->v, x->n, sizeof(x->v[0]), by_subject) : NULL;
        bool by_loader = loaded && s->state == EXPIRY_PAST;

        s->now = !by_loader && is_time(before, now);
        s->said = s->now || by_loader ? now : before->said;
    }
    say_soonest(&next, now, d);
    for (size_t i = 0; i < next.n; i++) {   /* the inventory goes, what was said stays */
        next.v[i].owner = mem_strdup(next.v[i].owner);
        next.v[i].sha256 = mem_strdup(next.v[i].sha256);
        next.v[i].fact = NULL;
    }
    forget(x);
    *x = next;
}

bool expiry_all_fine(struct expiry *x, const struct conf *c, const struct inventory *news,
                     int64_t now)
{
    if (x->n > 0 || now >= x->fine_until)
        return false;

    struct expiry add = gather(c, news, now);
    bool fine = add.n == 0;
    x->fine_until = earlier(x->fine_until, add.fine_until);
    free(add.v);                /* its texts are the inventory's */
    return fine;
}

struct expiry *expiry_new(void)
{
    struct expiry *x = mem_zalloc(sizeof(*x));

    x->fine_until = INT64_MIN;
    return x;
}

void expiry_free(struct expiry *x)
{
    if (x == NULL)
        return;
    forget(x);
    free(x);
}
