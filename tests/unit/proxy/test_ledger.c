#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/ledger.h"

static struct ledger *make(void)
{
    struct ledger *l = calloc(1, sizeof(*l));

    cr_assert_not_null(l);
    return l;
}

Test(ledger, a_name_keeps_its_row_and_each_kind_has_its_own)
{
    struct ledger *l = make();
    char room[LEDGER_NAME];

    cr_expect_eq(ledger_last(l, LEDGER_ROUTE), 0);
    cr_expect_eq(ledger_enter(l, LEDGER_ROUTE, "cql"), 1);
    cr_expect_eq(ledger_enter(l, LEDGER_ROUTE, "web"), 2);
    cr_expect_eq(ledger_enter(l, LEDGER_ROUTE, "cql"), 1);
    cr_expect_eq(ledger_enter(l, LEDGER_UPSTREAM, "web"), 1);
    cr_expect_eq(ledger_find(l, LEDGER_ROUTE, "web"), 2);
    cr_expect_eq(ledger_find(l, LEDGER_ROUTE, "none"), 0);
    cr_expect_eq(ledger_find(l, LEDGER_LISTENER, "web"), 0);
    cr_expect_eq(ledger_last(l, LEDGER_ROUTE), 2);
    cr_expect_str_eq(ledger_name(l, LEDGER_ROUTE, 2, room), "web");
    cr_expect_str_eq(ledger_name(l, LEDGER_ROUTE, 0, room), "(others)");
    free(l);
}

Test(ledger, when_it_is_full_the_rest_share_a_row)
{
    struct ledger *l = make();
    char name[32];

    for (unsigned i = 1; i < LEDGER_ROWS + 10; i++) {
        snprintf(name, sizeof(name), "route-%u", i);
        cr_assert_eq(ledger_enter(l, LEDGER_ROUTE, name), i < LEDGER_ROWS ? i : 0);
    }
    for (unsigned i = 1; i < LEDGER_ROWS + 10; i++) {
        snprintf(name, sizeof(name), "route-%u", i);
        cr_assert_eq(ledger_find(l, LEDGER_ROUTE, name), i < LEDGER_ROWS ? i : 0);
    }
    free(l);
}

Test(ledger, a_name_that_is_too_long_gets_no_row)
{
    struct ledger *l = make();
    char name[LEDGER_NAME + 1];

    memset(name, 'x', sizeof(name));
    name[LEDGER_NAME] = '\0';
    cr_expect_eq(ledger_enter(l, LEDGER_ROUTE, name), 0);
    name[LEDGER_NAME - 1] = '\0';
    cr_expect_eq(ledger_enter(l, LEDGER_ROUTE, name), 1);
    free(l);
}

/* A process that was broken into can write there. Nobody who reads shall follow. */
Test(ledger, garbage_is_read_as_texts_and_small_numbers)
{
    struct ledger *l = make();
    char room[LEDGER_NAME];

    memset(l, 0xff, sizeof(*l));
    cr_expect_lt(ledger_last(l, LEDGER_ROUTE), LEDGER_ROWS);
    cr_expect_eq(ledger_find(l, LEDGER_ROUTE, "cql"), 0);
    cr_expect_eq(ledger_enter(l, LEDGER_ROUTE, "cql"), 0);
    cr_expect_eq(strlen(ledger_name(l, LEDGER_ROUTE, 1, room)), LEDGER_NAME - 1);
    cr_expect_str_eq(ledger_name(l, LEDGER_ROUTE, UINT32_MAX, room), "(others)");
    free(l);
}
