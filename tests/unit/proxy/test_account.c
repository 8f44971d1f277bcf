#include <criterion/criterion.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proxy/account.h"

Test(account, every_reason_has_a_name_of_its_own_and_a_text)
{
    for (int i = 0; i < REASON_COUNT; i++) {
        cr_expect(strlen(reason_name((enum reason)i)) > 0);
        cr_expect(strlen(reason_text((enum reason)i)) > 0);
        for (int k = 0; k < i; k++)
            cr_expect_str_neq(reason_name((enum reason)i), reason_name((enum reason)k));
    }
}

Test(account, what_a_child_counts_is_seen_and_outlives_it_but_its_gauges_do_not)
{
    struct account *slots = accounts_map(2);
    struct counters sum;

    cr_assert_not_null(slots);
    pid_t pid = fork();
    if (pid == 0) {
        slots[1].count.value[COUNTER_ACCEPTED] = 5;
        slots[1].count.value[COUNTER_OPEN] = 3;
        slots[1].count.reason[REASON_DONE] = 2;
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    slots[0].count.value[COUNTER_ACCEPTED] = 1;
    account_clear_gauges(&slots[1]);
    accounts_sum(slots, 2, &sum);
    cr_expect_eq(sum.value[COUNTER_ACCEPTED], 6);
    cr_expect_eq(sum.value[COUNTER_OPEN], 0);
    cr_expect_eq(sum.reason[REASON_DONE], 2);
    accounts_unmap(slots, 2);
}
