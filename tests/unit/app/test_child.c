#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/child.h"
#include "app/pool.h"

static const char *after(int status)
{
    static char text[CHILD_TEXT_MAX];

    return child_ending(status, text);
}

/* A child's exit status is what fn says. */
static int run_child(const struct child_keep *keep, int (*fn)(const int *), const int *arg)
{
    struct err e = ERR_INIT;
    struct loop *l = loop_new(&e);
    int status;
    pid_t pid = child_fork(l, keep, &e);

    if (pid == 0)
        _exit(fn(arg));
    cr_assert_gt(pid, 0, "%s", e.text);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    loop_free(l);
    return status;
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

/* Bit i: the i-th descriptor is open. */
static int which_are_open(const int *fds)
{
    int bits = 0;

    for (int i = 0; i < 3; i++)
        bits |= is_open(fds[i]) << i;
    return bits;
}

Test(child, keeps_only_what_it_is_to_keep)
{
    int fds[3] = {
        fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 50),
        fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 60),
        fcntl(STDERR_FILENO, F_DUPFD, 70), /* as if inherited */
    };
    struct child_keep keep = { .fds = fds, .n = 1 };

    int status = run_child(&keep, which_are_open, fds);
    cr_expect_eq(WEXITSTATUS(status), 1);
    keep.inherited = true;
    status = run_child(&keep, which_are_open, fds);
    cr_expect_eq(WEXITSTATUS(status), 1 | 4);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
}

static int survive_the_terminal(const int *unused)
{
    static const int group[] = { SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGPIPE };

    (void)unused;
    for (size_t i = 0; i < sizeof(group) / sizeof(group[0]); i++)
        raise(group[i]);
    return 7;
}

static void on_signal(void *arg, int signo)
{
    int *calls = arg;

    (void)signo;
    ++*calls;
}

static void on_timeout(void *arg)
{
    loop_stop(arg);
}

Test(child, signals_to_it_do_not_reach_the_master)
{
    struct err e = ERR_INIT;
    struct loop *l = loop_new(&e);
    int calls = 0;
    struct loop_signal *s = loop_signal_new(l, SIGTERM, on_signal, &calls);
    pid_t pid = child_fork(l, &(struct child_keep){ 0 }, &e);
    int status;

    if (pid == 0)
        _exit(survive_the_terminal(NULL));
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_expect_str_eq(after(status), "ended with status 7");

    struct loop_timer *t = loop_timer_new(l, on_timeout, l);
    loop_timer_set(t, 30);
    loop_run(l);
    cr_expect_eq(calls, 0, "the child's signal came through the loop's pipe");
    raise(SIGTERM);
    loop_timer_set(t, 30);
    loop_run(l);
    cr_expect_eq(calls, 1, "the master no longer hears its own");
    loop_timer_free(t);
    loop_signal_free(s);
    loop_free(l);
}

static int die(const int *signo)
{
    raise(*signo);
    return 0;
}

Test(child, its_end_in_words)
{
    int signo = SIGKILL;

    cr_expect_str_eq(after(run_child(&(struct child_keep){ 0 }, die, &signo)),
                     "was killed by signal 9 (Killed)");
}

Test(pool, a_worker_that_served_is_replaced_within_100_ms)
{
    cr_expect_eq(pool_respawn_ms(true, 60000000, 0), 0);
    cr_expect_eq(pool_respawn_ms(true, 1000000, 9), 0);
    cr_expect_leq(pool_respawn_ms(true, 0, 0), 30, "there is a fork and a build to come");
    cr_expect_gt(pool_respawn_ms(true, 0, 0), 0, "a worker that dies of every connection spins");
}

Test(pool, a_worker_that_cannot_start_is_tried_ever_more_rarely)
{
    static const uint64_t wanted[] = { 0, 100, 200, 400, 800, 1600, 3200, 5000, 5000 };

    for (unsigned i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        cr_expect_eq(pool_respawn_ms(false, 1000, i + 1), wanted[i], "start %u", i + 1);
    cr_expect_eq(pool_respawn_ms(false, 1000, 1000000), 5000);
}
