#include <criterion/criterion.h>
#include <string.h>
#include <sys/mman.h>
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
    struct accounts *a = accounts_new(2);
    struct counters sum;
    struct route_count r;

    cr_assert_not_null(a);
    uint32_t row = ledger_enter(a->ledger, LEDGER_ROUTE, "cql");
    pid_t pid = fork();
    if (pid == 0) {
        a->v[1].count.value[COUNTER_ACCEPTED] = 5;
        a->v[1].count.value[COUNTER_OPEN] = 3;
        a->v[1].count.reason[REASON_DONE] = 2;
        account_route(&a->v[1], row)->open = 3;
        account_route(&a->v[1], row)->bytes_in = 7;
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    a->v[0].count.value[COUNTER_ACCEPTED] = 1;
    account_route(&a->v[0], row)->bytes_in = 4;
    account_clear_gauges(a, 1);
    accounts_sum(a, &sum);
    cr_expect_eq(sum.value[COUNTER_ACCEPTED], 6);
    cr_expect_eq(sum.value[COUNTER_OPEN], 0);
    cr_expect_eq(sum.reason[REASON_DONE], 2);
    cr_expect(accounts_route(a, row, 0, &r));
    cr_expect_eq(r.open, 0);
    cr_expect_eq(r.bytes_in, 11);
    cr_expect_not(accounts_route(a, 0, 0, &r), "nothing was counted there");
    accounts_free(a);
}

Test(account, who_only_reads_sees_it_all_and_cannot_get_back_to_writing)
{
    struct accounts *a = accounts_new(1);

    cr_assert_not_null(a);
    a->v[0].count.value[COUNTER_ACCEPTED] = 1;
    pid_t pid = fork();
    if (pid == 0) {
        int fd = dup(a->fd);
        bool good = accounts_only_read(a) == 0 && a->v[0].count.value[COUNTER_ACCEPTED] == 1
            && mprotect(a->v, 4096, PROT_READ | PROT_WRITE) != 0
            && mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED
            && write(fd, "x", 1) < 0;
        _exit(good ? 0 : 1);
    }
    int status;
    waitpid(pid, &status, 0);
    cr_expect_eq(status, 0);
    accounts_free(a);
}

Test(account, a_histogram_has_each_time_in_one_bucket)
{
    struct histogram h = { 0 };

    histogram_add(&h, 0);
    histogram_add(&h, 500);
    histogram_add(&h, 501);
    histogram_add(&h, UINT32_MAX);
    cr_expect_eq(h.bucket[0], 2);
    cr_expect_eq(h.bucket[1], 1);
    cr_expect_eq(h.bucket[HISTOGRAM_BUCKETS - 1], 1);
    cr_expect_eq(h.sum_us, 1001ull + UINT32_MAX);
    for (unsigned i = 1; i < HISTOGRAM_BUCKETS; i++)
        cr_expect_gt(histogram_limit_us(i), histogram_limit_us(i - 1));
}

static int64_t ends(const struct accounts *a, uint64_t now_s)
{
    struct route_count r;

    (void)accounts_route(a, 0, now_s, &r);
    return r.ends[0];
}

Test(account, the_soonest_end_of_a_client_is_forgotten_with_time)
{
    struct accounts *a = accounts_new(2);
    uint64_t span = ACCOUNT_SPAN_S, now = 100 * span;

    cr_assert_not_null(a);
    cr_expect_eq(ends(a, now), 0);
    account_client_ends(account_route(&a->v[0], 0), 5000, now);
    account_client_ends(account_route(&a->v[0], 0), 9000, now);
    account_client_ends(account_route(&a->v[1], 0), 7000, now);
    cr_expect_eq(ends(a, now), 5000);
    cr_expect_eq(ends(a, now + span), 5000);
    account_client_ends(account_route(&a->v[0], 0), 9000, now + span);
    cr_expect_eq(ends(a, now + span), 5000);
    cr_expect_eq(ends(a, now + 2 * span), 9000);
    account_client_ends(account_route(&a->v[0], 0), 9500, now + 4 * span);
    cr_expect_eq(ends(a, now + 4 * span), 9500);
    accounts_free(a);
}
