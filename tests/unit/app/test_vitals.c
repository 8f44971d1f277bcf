#include <criterion/criterion.h>

#include "app/vitals.h"

static struct vitals v;

/* One check after the other, '+' or '-'; what changed: 'U', 'D' or '.'. */
static const char *after(const char *checks, uint32_t rise, uint32_t fall)
{
    static char said[32];
    size_t i = 0;

    for (; checks[i] != '\0'; i++)
        said[i] = !vitals_take(&v, checks[i] == '+', rise, fall) ? '.' : v.down ? 'D' : 'U';
    said[i] = '\0';
    return said;
}

static void fresh(void)
{
    v = (struct vitals){ 0 };
}

TestSuite(vitals, .init = fresh);

Test(vitals, the_first_check_decides_at_once)
{
    cr_expect_str_eq(after("-", 2, 3), "D");
    fresh();
    cr_expect_str_eq(after("+", 2, 3), ".");
    cr_expect_not(v.down);
}

Test(vitals, it_falls_after_so_many_in_a_row)
{
    cr_expect_str_eq(after("+--+---", 2, 3), "......D");
}

Test(vitals, it_rises_after_so_many_in_a_row)
{
    cr_expect_str_eq(after("-+-++", 2, 3), "D...U");
}

Test(vitals, one_is_enough_where_that_is_written)
{
    cr_expect_str_eq(after("+-+-", 1, 1), ".DUD");
}

Test(vitals, what_stays_as_it_is_is_no_news)
{
    cr_expect_str_eq(after("----++++", 2, 3), "D....U..");
}
