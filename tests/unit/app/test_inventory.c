#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "app/inventory_diff.h"
#include "facts.h"

#define NOON INT64_C(1798804800)        /* 2027-01-01 12:00 UTC */
#define LATER (NOON + 86400)

struct change {
    const char *what;
    struct row before[5], after[5];
    const char *notes[4];       /* in any order; NULL: no more */
};

static const struct change changes[] = {
    { "nothing",
      { { "store s", .until = NOON } }, { { "store s", .until = NOON } }, { NULL } },
    { "the same in another file",
      { { "store s", .path = "a" } }, { { "store s", .path = "b" } }, { NULL } },
    { "renewed",
      { { "store s", .until = NOON } }, { { "store s", .serial = "02", .until = LATER } },
      { "[store s] tls.crt: certificate CN=a replaced: serial 01 -> 02, "
        "valid until 2027-01-02 12:00 UTC (was 2027-01-01 12:00 UTC)" } },
    { "with another name, too",
      { { "store s", .names = "DNS:a" } },
      { { "store s", .serial = "02", .names = "DNS:a, DNS:b" } },
      { ", names DNS:a -> DNS:a, DNS:b" } },
    { "with another key",
      { { "store s", .key = "RSA 2048" } }, { { "store s", .serial = "02" } },
      { ", key RSA 2048 -> EC P-256" } },
    { "by somebody else, in the same file",
      { { "store s", .name = "CN=a" } }, { { "store s", .name = "CN=b", .serial = "02" } },
      { "certificate CN=a replaced by CN=b: serial 01 -> 02" } },
    { "into another file",
      { { "store s", .path = "old" } }, { { "store s", .path = "new", .serial = "02" } },
      { "[store s] new: certificate CN=a replaced: serial 01 -> 02, valid until "
        "1970-01-01 00:00 UTC (was 1970-01-01 00:00 UTC), it was in old" } },
    { "each of two keeps its own",
      { { "store s", .key = "RSA 2048", .path = "r", .serial = "01" },
        { "store s", .path = "e", .serial = "02" } },
      { { "store s", .key = "RSA 2048", .path = "r", .serial = "11" },
        { "store s", .path = "e", .serial = "12" } },
      { "r: certificate CN=a replaced: serial 01 -> 11",
        "e: certificate CN=a replaced: serial 02 -> 12" } },
    { "by alias in one keystore",
      { { "store s", .alias = "x", .name = "CN=x" }, { "store s", .alias = "y", .name = "CN=y" } },
      { { "store s", .alias = "y", .name = "CN=n", .serial = "02" },
        { "store s", .alias = "x", .name = "CN=m", .serial = "03" } },
      { "certificate CN=x replaced by CN=m", "certificate CN=y replaced by CN=n" } },
    { "one more store",
      { { .owner = "store s" } },
      { { .owner = "store s" }, { "store t", .serial = "02", .names = "DNS:t" } },
      { "[store t] tls.crt: certificate CN=a added: serial 02, valid until "
        "1970-01-01 00:00 UTC, names DNS:t" } },
    { "one less",
      { { .owner = "store s" }, { .owner = "store t" } }, { { .owner = "store s" } },
      { "[store t] tls.crt: certificate CN=a removed: serial 01" } },
    { "CAs come and go, and none replaces another",
      { { "trust t", FACT_ANCHOR, .name = "CN=old", .ca = true },
        { "trust t", FACT_ANCHOR, .name = "CN=both", .ca = true } },
      { { "trust t", FACT_ANCHOR, .name = "CN=new", .ca = true },
        { "trust t", FACT_ANCHOR, .name = "CN=both", .ca = true } },
      { "CA CN=new added: serial 01", "CA CN=old removed: serial 01" } },
    { "a CA that was made anew",
      { { "trust t", FACT_ANCHOR, .ca = true } },
      { { "trust t", FACT_ANCHOR, .serial = "02", .ca = true } },
      { "CA CN=a replaced: serial 01 -> 02" } },
    { "an intermediate",
      { { "store s", FACT_CHAIN, .name = "CN=i" } },
      { { "store s", FACT_CHAIN, .name = "CN=i", .serial = "02" } },
      { "intermediate CN=i replaced: serial 01 -> 02" } },
    { "a pair more that shares its intermediate",
      { { "store s", FACT_CHAIN, "b", .name = "CN=i" },
        { "store s", FACT_CHAIN, "c", .name = "CN=i" } },
      { { "store s", FACT_CHAIN, "a", .name = "CN=i" }, { "store s", .path = "a" },
        { "store s", FACT_CHAIN, "b", .name = "CN=i" },
        { "store s", FACT_CHAIN, "c", .name = "CN=i" } },
      { "a: certificate CN=a added" } },
    { "a pair less",
      { { "store s", FACT_CHAIN, "a", .name = "CN=i" }, { "store s", .path = "a" },
        { "store s", FACT_CHAIN, "b", .name = "CN=i" } },
      { { "store s", FACT_CHAIN, "b", .name = "CN=i" } },
      { "a: certificate CN=a removed" } },
    { "one of two gets another intermediate",
      { { "store s", FACT_CHAIN, "a", .name = "CN=i" },
        { "store s", FACT_CHAIN, "b", .name = "CN=i" } },
      { { "store s", FACT_CHAIN, "a", .name = "CN=i" },
        { "store s", FACT_CHAIN, "b", .name = "CN=i", .serial = "02" } },
      { "b: intermediate CN=i replaced: serial 01 -> 02" } },
    { "all get another intermediate",
      { { "store s", FACT_CHAIN, "a", .name = "CN=i" },
        { "store s", FACT_CHAIN, "b", .name = "CN=i" },
        { "store s", FACT_CHAIN, "c", .name = "CN=i" } },
      { { "store s", FACT_CHAIN, "a", .name = "CN=i", .serial = "02" },
        { "store s", FACT_CHAIN, "b", .name = "CN=i", .serial = "02" },
        { "store s", FACT_CHAIN, "c", .name = "CN=i", .serial = "02" } },
      { "a: intermediate CN=i replaced: serial 01 -> 02, valid until 1970-01-01 00:00 UTC "
        "(was 1970-01-01 00:00 UTC); the same in 2 more files" } },
    { "a revocation list",
      { { "trust t", FACT_CRL, .until = NOON } },
      { { "trust t", FACT_CRL, .serial = "02", .until = INT64_MAX } },
      { "revocation list of CN=a replaced: number 01 -> 02, next update (none) "
        "(was 2027-01-01 12:00 UTC)" } },
};

static bool has(const struct diags *d, const char *what)
{
    for (size_t i = 0; i < d->n; i++) {
        char *text = diag_text(&d->v[i]);
        bool found = strstr(text, what) != NULL && d->v[i].level == DIAG_NOTE;
        free(text);
        if (found)
            return true;
    }
    return false;
}

static void expect_notes(const struct change *c, const struct inventory *before,
                         const struct inventory *after)
{
    struct diags d = { 0 };
    size_t n = 0;

    inventory_diff(before, after, &d);
    for (; n < 4 && c->notes[n] != NULL; n++)
        cr_expect(has(&d, c->notes[n]), "%s: no \"%s\" but \"%s\"", c->what, c->notes[n],
                  d.n > 0 ? d.v[0].message : "");
    cr_expect_eq(d.n, n, "%s: %zu notes", c->what, d.n);
    diags_free(&d);
}

Test(inventory, the_difference_in_words)
{
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        struct inventory before = inventory_of(changes[i].before);
        struct inventory after = inventory_of(changes[i].after);
        expect_notes(&changes[i], &before, &after);
        inventory_free(&before);
        inventory_free(&after);
    }
}

static bool compare(const struct row *before, const struct row *after, struct inventory *was,
                    struct inventory *is)
{
    struct bundle *b = bundle_of_pairs(before), *a = bundle_of_pairs(after);
    bool good = inventory_changes(b, a, was, is);

    bundle_free(b);
    bundle_free(a);
    return good;
}

Test(inventory, what_changed_tells_the_same)
{
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        struct inventory was, is;
        cr_assert(compare(changes[i].before, changes[i].after, &was, &is));
        expect_notes(&changes[i], &was, &is);
        inventory_free(&was);
        inventory_free(&is);
    }
}

Test(inventory, what_is_the_same_is_not_read)
{
    struct row before[101] = { { .owner = NULL } }, after[102] = { { .owner = NULL } };
    char names[101][16];
    struct inventory was, is;

    for (size_t i = 0; i < 101; i++)
        snprintf(names[i], sizeof(names[i]), "CN=%03zu", i);
    for (size_t i = 0; i < 100; i++)
        before[i] = (struct row){ "store s", .path = names[i + 1], .name = names[i + 1] };
    for (size_t i = 0; i < 101; i++)
        after[i] = (struct row){ "store s", .path = names[i], .name = names[i],
                                 .serial = i == 50 ? "02" : "01" };
    cr_assert(compare(before, after, &was, &is));
    cr_expect_eq(was.n, 1u);
    cr_expect_eq(is.n, 2u);
    inventory_free(&was);
    inventory_free(&is);
    cr_assert(compare(after, before, &was, &is));
    cr_expect_eq(was.n, 2u, "one is gone");
    cr_expect_eq(is.n, 1u);
    inventory_free(&was);
    inventory_free(&is);
}

Test(inventory, many_changes_are_summed_up)
{
    struct row rows[38] = { { .owner = NULL } }, none[1] = { { .owner = NULL } };
    char serials[37][8];

    for (size_t i = 0; i < 37; i++) {
        snprintf(serials[i], sizeof(serials[i]), "%zu", i);
        rows[i] = (struct row){ "store s", .serial = serials[i] };
    }
    struct inventory before = inventory_of(none), after = inventory_of(rows);
    struct diags d = { 0 };

    inventory_diff(&before, &after, &d);
    cr_expect_eq(d.n, INVENTORY_DIFF_MAX + 1u);
    cr_expect_str_eq(d.v[d.n - 1].message, "and 17 more certificates changed");
    diags_free(&d);
    inventory_free(&before);
    inventory_free(&after);
}

Test(inventory, find_by_print_owner_and_file)
{
    struct row rows[] = {
        { "store s", .path = "a" }, { "store s", .path = "b" }, { "store t", .path = "a" },
        { "store s", .path = "c", .serial = "02" }, { .owner = NULL },
    };
    struct inventory inv = inventory_of(rows);

    for (int round = 0; round < 10; round++) {      /* few questions, and many */
        cr_expect_str_eq(inventory_find(&inv, "store s", "CN=a/01", "b")->fact.path, "b");
        cr_expect_str_eq(inventory_find(&inv, "store t", "CN=a/01", NULL)->owner, "store t");
        cr_expect_not_null(inventory_find(&inv, "store s", "CN=a/02", NULL));
        cr_expect_null(inventory_find(&inv, "store s", "CN=a/01", "c"));
        cr_expect_null(inventory_find(&inv, "store t", "CN=a/02", NULL));
        cr_expect_null(inventory_find(&inv, "store u", "CN=z/99", NULL));
    }
    inventory_free(&inv);
}
