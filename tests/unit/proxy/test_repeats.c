#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/repeats.h"

#define SECOND UINT64_C(1000000)
#define WINDOW 60000u
#define START (1000 * SECOND)

static struct repeats *r;

static void setup(void)
{
    /* What is told of is looked at in flow tests. */
    log_set(&(struct log_sink){ .fd = STDERR_FILENO, .level = LOG_LEVEL_ERROR });
    r = repeats_new();
}

static void teardown(void)
{
    repeats_free(r);
}

TestSuite(repeats, .init = setup, .fini = teardown);

static bool told(uint64_t source, enum tls_cause cause, const char *text, uint64_t at)
{
    struct tls_failure f = { .cause = cause, .name = failure_name(cause) };
    struct occurrence o = { .source = source, .client = { .family = AF_UNIX }, .listener = "l",
                            .route = "r", .reason = "handshake-failed", .failure = &f };

    snprintf(f.text, sizeof(f.text), "%s", text);
    return repeats_tell(r, &o, WINDOW, START + at * SECOND);
}

static void sweep(uint64_t at)
{
    repeats_sweep(r, START + at * SECOND, false);
}

Test(repeats, the_same_again_is_not_told)
{
    cr_expect(told(1, TLS_CAUSE_PLAIN_HTTP, "x", 0));
    cr_expect_not(told(1, TLS_CAUSE_PLAIN_HTTP, "x", 1));
    cr_expect(told(1, TLS_CAUSE_NOT_TLS, "x", 1), "another cause");
    cr_expect(told(2, TLS_CAUSE_PLAIN_HTTP, "x", 1), "another source");
    cr_expect(told(1, TLS_CAUSE_PLAIN_HTTP, "y", 1), "it says something else");
    cr_expect_not(told(1, TLS_CAUSE_PLAIN_HTTP, "y", 2));
    cr_expect_not(told(1, TLS_CAUSE_PLAIN_HTTP, "x", 59));
}

Test(repeats, it_is_new_when_a_window_has_passed_without_any)
{
    cr_expect(told(1, TLS_CAUSE_PLAIN_HTTP, "x", 0));
    cr_expect_not(told(1, TLS_CAUSE_PLAIN_HTTP, "x", 30));
    sweep(59);
    cr_expect_not(told(1, TLS_CAUSE_PLAIN_HTTP, "x", 59));
    sweep(60);
    cr_expect_not(told(1, TLS_CAUSE_PLAIN_HTTP, "x", 119), "it goes on");
    sweep(120);
    sweep(179);
    cr_expect_not(told(1, TLS_CAUSE_PLAIN_HTTP, "x", 179));
    sweep(180);
    sweep(240);
    cr_expect(told(1, TLS_CAUSE_PLAIN_HTTP, "x", 240));
}

Test(repeats, who_says_something_else_each_time_is_told_so_often)
{
    char text[16];
    unsigned n = 0;

    for (unsigned i = 0; i < 100; i++) {
        snprintf(text, sizeof(text), "%u", i);
        n += told(1, TLS_CAUSE_UNKNOWN_NAME, text, i / 2);
    }
    cr_expect_eq(n, REPEATS_TOLD);
}

Test(repeats, a_source_that_never_pauses_has_new_texts_told_in_the_next_window)
{
    char text[16];
    unsigned n = 0;

    for (unsigned i = 0; i < 2 * REPEATS_TOLD; i++) {
        snprintf(text, sizeof(text), "text %u", i);
        (void)told(1u << 16, TLS_CAUSE_PLAIN_HTTP, text, i / 2);
    }
    sweep(60);
    cr_expect(!told(1u << 16, TLS_CAUSE_PLAIN_HTTP, text, 61), "the one in the sum was told there");
    for (unsigned i = 0; i < 2 * REPEATS_TOLD; i++) {
        snprintf(text, sizeof(text), "next %u", i);
        n += told(1u << 16, TLS_CAUSE_PLAIN_HTTP, text, 62);
    }
    cr_expect_eq(n, REPEATS_TOLD - 1);
}

Test(repeats, more_sources_than_there_is_room_for)
{
    unsigned n = 0;

    for (uint64_t s = 1; s <= 3 * REPEATS_MAX; s++)
        n += told(s << 16, TLS_CAUSE_PLAIN_HTTP, "x", 0);
    cr_expect_eq(n, REPEATS_MAX);
    sweep(60);
    cr_expect(told(5u * REPEATS_MAX << 16, TLS_CAUSE_PLAIN_HTTP, "x", 61), "there is room again");
}

Test(repeats, none_is_summed_without_a_window)
{
    struct tls_failure f = { .cause = TLS_CAUSE_PLAIN_HTTP };
    struct occurrence o = { .source = 1, .failure = &f, .listener = "", .route = "" };

    for (int i = 0; i < 3; i++)
        cr_expect(repeats_tell(r, &o, 0, START) && repeats_tell(NULL, &o, WINDOW, START));
}
