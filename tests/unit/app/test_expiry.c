#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "app/expiry.h"
#include "facts.h"

#define DAY INT64_C(86400)
#define NOW INT64_C(1798804800)

static struct conf_store store = { .warn_before_ms = 21u * 86400000u };
static struct conf_trust trust = { .warn_before_ms = 7u * 86400000u };
static struct conf_store *stores[] = { &store };
static struct conf_trust *trusts[] = { &trust };
static const struct conf conf = {
    .stores = stores, .nstores = 1, .trusts = trusts, .ntrusts = 1
};

static struct expiry *memory;
static struct diags said;

static void setup(void)
{
    static char s[] = "store s", t[] = "trust t";

    store.head.title = s;
    trust.head.title = t;
    memory = expiry_new();
}

static void teardown(void)
{
    expiry_free(memory);
    diags_free(&said);
}

TestSuite(expiry, .init = setup, .fini = teardown);

static const struct {
    const char *what;
    enum fact_kind kind;
    int64_t from, until, written;       /* days from now */
    int64_t warn;                       /* days */
    enum expiry_state is;
} states[] = {
    { "fresh", FACT_LEAF, -1, 89, -1, 21, EXPIRY_FINE },
    { "22 days left", FACT_LEAF, -100, 22, -1, 21, EXPIRY_FINE },
    { "21 days left", FACT_LEAF, -100, 21, -1, 21, EXPIRY_DUE },
    { "today", FACT_LEAF, -100, 0, -1, 21, EXPIRY_DUE },
    { "yesterday", FACT_LEAF, -100, -1, -1, 21, EXPIRY_PAST },
    { "yesterday, and no warnings wanted", FACT_LEAF, -100, -1, -1, 0, EXPIRY_PAST },
    { "no warnings wanted", FACT_LEAF, -100, 5, -1, 0, EXPIRY_FINE },
    { "an intermediate", FACT_CHAIN, -1000, 20, -900, 21, EXPIRY_DUE },
    { "a CA", FACT_ANCHOR, -1000, 20, -900, 21, EXPIRY_DUE },
    { "a list", FACT_CRL, -30, 5, -29, 7, EXPIRY_DUE },
    { "a list that is late", FACT_CRL, -30, -5, -29, 7, EXPIRY_PAST },
    { "a short life, fresh", FACT_LEAF, -1, 5, -1, 21, EXPIRY_FINE },
    { "a short life, last third", FACT_LEAF, -5, 2, -1, 21, EXPIRY_DUE },
    { "two thirds over, not renewed", FACT_LEAF, -250, 110, -240, 21, EXPIRY_STALE },
    { "just before", FACT_LEAF, -239, 121, -230, 21, EXPIRY_FINE },
    { "written after that", FACT_LEAF, -250, 110, -3, 21, EXPIRY_FINE },
    { "an old CA need not be renewed", FACT_ANCHOR, -2500, 1100, -2400, 21, EXPIRY_FINE },
    { "both", FACT_LEAF, -350, 10, -340, 21, EXPIRY_DUE },
};

Test(expiry, states)
{
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        struct fact f = {
            .kind = states[i].kind, .not_before = NOW + states[i].from * DAY,
            .not_after = NOW + states[i].until * DAY, .file_time = NOW + states[i].written * DAY,
        };
        enum expiry_state is = expiry_state(&f, states[i].warn * DAY, NOW);
        cr_expect_eq(is, states[i].is, "%s: %d", states[i].what, (int)is);
    }
}

Test(expiry, what_has_no_date_is_fine)
{
    struct fact f = { .kind = FACT_CRL, .not_before = 0, .not_after = INT64_MAX };

    cr_expect_eq(expiry_state(&f, 21 * DAY, NOW), EXPIRY_FINE);
    f = (struct fact){ .kind = FACT_LEAF, .not_before = 0, .not_after = INT64_MIN };
    cr_expect_eq(expiry_state(&f, 21 * DAY, NOW), EXPIRY_FINE);
    f = (struct fact){ .kind = FACT_LEAF, .not_before = NOW - 300 * DAY,
                       .not_after = NOW + 60 * DAY, .file_time = 0 };
    cr_expect_eq(expiry_state(&f, 21 * DAY, NOW), EXPIRY_FINE, "not a file at all");
}

/* How many lines the rows are worth at `now`. */
static size_t lines(const struct row *rows, int64_t now, bool loaded)
{
    struct inventory inv = inventory_of(rows);

    diags_free(&said);
    expiry_check(memory, &conf, &inv, now, loaded, &said);
    inventory_free(&inv);
    return said.n;
}

static void expect_text(size_t i, const char *text)
{
    char *line = diag_text(&said.v[i]);

    cr_expect_str_eq(line, text);
    free(line);
}

Test(expiry, lines_say_what_and_when)
{
    struct row rows[] = {
        { "store s", .from = NOW - 60 * DAY, .until = NOW + 5 * DAY },
        { "trust t", FACT_ANCHOR, .path = "ca.crt", .from = NOW - 60 * DAY,
          .until = NOW + 6 * DAY },
        { "trust t", FACT_CRL, .path = "crl", .from = NOW - 60 * DAY, .until = NOW - DAY },
        { "store s", FACT_LEAF, .serial = "02", .from = NOW - 250 * DAY, .until = NOW + 110 * DAY,
          .written = NOW - 240 * DAY },
        { .owner = NULL },
    };

    cr_assert_eq(lines(rows, NOW, false), 4u);
    expect_text(0, "warning: [trust t] crl: the revocation list of CN=a should have been renewed "
                   "24 hours ago (2026-12-31 12:00 UTC) (fetch a new one from the CA)");
    expect_text(1, "warning: [store s] tls.crt: the certificate CN=a expires in 5 days "
                   "(2027-01-06 12:00 UTC) (renew it)");
    expect_text(2, "warning: [trust t] ca.crt: the trusted certificate CN=a expires in 6 days "
                   "(2027-01-07 12:00 UTC) (renew it)");
    expect_text(3, "warning: [store s] tls.crt: two thirds of the life of the certificate CN=a "
                   "have passed, and nothing has renewed it since 2026-05-06 12:00 UTC; it expires "
                   "in 110 days (2027-04-21 12:00 UTC) (look after what should renew it)");
}

Test(expiry, what_the_loader_told_is_not_said_twice)
{
    struct row rows[] = {
        { "store s", .from = NOW - 60 * DAY, .until = NOW - DAY },
        { "trust t", FACT_CRL, .path = "crl", .from = NOW - 60 * DAY, .until = NOW - DAY },
        { .owner = NULL },
    };

    cr_assert_eq(lines(rows, NOW, true), 0u);
    cr_assert_eq(lines(rows, NOW + DAY, false), 2u);
}

Test(expiry, once_a_day_and_at_once_when_it_is_new)
{
    struct row one[] = {
        { "store s", .from = NOW - 60 * DAY, .until = NOW + 2 * DAY }, { .owner = NULL }
    };
    struct row two[] = {
        one[0], { "store s", .serial = "02", .from = NOW - 60 * DAY, .until = NOW + 3 * DAY },
        { .owner = NULL }
    };

    cr_expect_eq(lines(one, NOW, true), 1u);
    cr_expect_eq(lines(one, NOW + DAY / 24, false), 0u);
    cr_expect_eq(lines(two, NOW + DAY / 2, true), 1u, "the other");
    cr_expect_eq(lines(two, NOW + DAY - 1, false), 0u);
    cr_expect_eq(lines(two, NOW + DAY, false), 1u);
    cr_expect_eq(lines(two, NOW + DAY + DAY / 2, false), 1u);
    cr_expect_eq(lines(two, NOW + 2 * DAY + 1, false), 1u, "one has expired: that is new");
    cr_expect_eq(lines(two, NOW - DAY, false), 2u, "the clock was put back");
}

Test(expiry, what_the_loader_said_is_not_said_twice)
{
    struct row gone[] = {
        { "store s", .from = NOW - 60 * DAY, .until = NOW - DAY }, { .owner = NULL }
    };

    cr_expect_eq(lines(gone, NOW, true), 0u);
    cr_expect_eq(lines(gone, NOW + DAY / 2, false), 0u);
    cr_expect_eq(lines(gone, NOW + DAY, false), 1u);
}

Test(expiry, one_in_many_files_is_one)
{
    struct row rows[] = {
        { "store s", FACT_CHAIN, .path = "a", .from = NOW - 60 * DAY, .until = NOW + DAY },
        { "store s", FACT_CHAIN, .path = "b", .from = NOW - 60 * DAY, .until = NOW + DAY },
        { .owner = NULL },
    };

    cr_expect_eq(lines(rows, NOW, true), 1u);
    cr_expect_eq(lines(rows, NOW, false), 0u);
}

Test(expiry, many_are_summed_up)
{
    struct row rows[31] = { { .owner = NULL } };
    char serials[30][8];

    for (size_t i = 0; i < 30; i++) {
        snprintf(serials[i], sizeof(serials[i]), "%zu", i);
        rows[i] = (struct row){ "store s", .serial = serials[i], .from = NOW - 60 * DAY,
                                .until = NOW + DAY };
    }
    cr_expect_eq(lines(rows, NOW, true), EXPIRY_LINES_MAX + 1u);
    cr_expect_str_eq(said.v[EXPIRY_LINES_MAX].message,
                     "and 10 more certificates and revocation lists expire soon");
}

Test(expiry, each_section_has_its_own_notice)
{
    struct row rows[] = {
        { "store s", .from = NOW - 60 * DAY, .until = NOW + 10 * DAY },
        { "trust t", FACT_ANCHOR, .serial = "02", .from = NOW - 60 * DAY,
          .until = NOW + 10 * DAY },
        { .owner = NULL },
    };

    cr_assert_eq(lines(rows, NOW, true), 1u, "21 days here, 7 there");
    cr_expect_str_eq(said.v[0].section, "store s");
}

static bool all_fine(const struct row *news, int64_t now)
{
    struct inventory inv = inventory_of(news);
    bool fine = expiry_all_fine(memory, &conf, &inv, now);

    inventory_free(&inv);
    return fine;
}

/* `store` warns 21 days before. */
Test(expiry, what_was_fine_need_not_be_looked_at_again)
{
    struct row one[] = {
        { "store s", .from = NOW - DAY, .until = NOW + 89 * DAY }, { .owner = NULL }
    };
    struct row none[] = { { .owner = NULL } };
    struct row sooner[] = {
        { "store s", .from = NOW - 60 * DAY, .until = NOW + 30 * DAY }, { .owner = NULL }
    };

    cr_expect_not(all_fine(none, NOW), "it was never looked at");
    cr_expect_eq(lines(one, NOW, true), 0u);
    cr_expect(all_fine(none, NOW));
    cr_expect(all_fine(none, NOW + 68 * DAY - 1));
    cr_expect_not(all_fine(none, NOW + 68 * DAY), "it is due");
    cr_expect(all_fine(sooner, NOW));
    cr_expect(all_fine(none, NOW + 9 * DAY - 1));
    cr_expect_not(all_fine(none, NOW + 9 * DAY), "the new one is due");
    cr_expect_not(all_fine(sooner, NOW + 9 * DAY), "it is due when it comes");
    cr_expect_eq(lines(one, NOW + 70 * DAY, false), 1u);
    cr_expect_not(all_fine(none, NOW + 70 * DAY), "one was told of");
}
