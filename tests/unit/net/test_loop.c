#include <criterion/criterion.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/loop.h"

struct seen {
    struct loop *loop;
    unsigned ready;
    int calls, stop_after;
};

static struct loop *make(void)
{
    struct err e = ERR_INIT;
    struct loop *l = loop_new(&e);

    cr_assert_not_null(l, "%s", e.text);
    return l;
}

static void on_fd(void *arg, unsigned ready)
{
    struct seen *s = arg;

    s->ready |= ready;
    if (++s->calls >= s->stop_after)
        loop_stop(s->loop);
}

static void on_stop(void *arg)
{
    loop_stop(arg);
}

Test(loop, reports_only_what_is_wanted)
{
    struct loop *l = make();
    struct seen s = { .loop = l, .stop_after = 1 };
    int pair[2];

    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    cr_assert_eq(write(pair[1], "x", 1), 1);
    struct loop_fd *f = loop_fd_new(l, pair[0], on_fd, &s);
    cr_assert_eq(loop_fd_want(f, LOOP_WRITE), 0);
    loop_run(l);
    cr_expect_eq(s.ready, LOOP_WRITE);

    s.ready = 0;
    cr_assert_eq(loop_fd_want(f, LOOP_READ), 0);
    cr_assert_eq(loop_fd_want(f, LOOP_READ), 0);
    loop_run(l);
    cr_expect_eq(s.ready, LOOP_READ);

    /* Unread bytes are there still, but nobody wants them: only the timer comes. */
    struct loop_timer *t = loop_timer_new(l, on_stop, l);
    s.ready = 0;
    cr_assert_eq(loop_fd_want(f, 0), 0);
    cr_assert_eq(loop_timer_set(t, 20), 0);
    loop_run(l);
    cr_expect_eq(s.ready, 0);

    loop_timer_free(t);
    loop_fd_free(f);
    close(pair[0]);
    close(pair[1]);
    loop_free(l);
}

/* A descriptor that is closed and whose number is given out again within one turn:
   the kernel has forgotten the old one, and the new one must be watched. */
Test(loop, watches_a_reused_descriptor)
{
    struct loop *l = make();
    struct seen s = { .loop = l, .stop_after = 1 };
    int a[2], b[2];

    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, a), 0);
    struct loop_fd *f = loop_fd_new(l, a[0], on_fd, &s);
    cr_assert_eq(loop_fd_want(f, LOOP_READ), 0);
    cr_assert_eq(write(a[1], "x", 1), 1);
    loop_run(l);
    cr_assert_eq(s.calls, 1);

    loop_fd_free(f);
    close(a[0]);
    close(a[1]);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, b), 0);
    cr_assert_eq(b[0], a[0], "the test needs the number again");
    f = loop_fd_new(l, b[0], on_fd, &s);
    cr_assert_eq(loop_fd_want(f, LOOP_READ), 0);
    cr_assert_eq(write(b[1], "y", 1), 1);
    loop_run(l);
    cr_expect_eq(s.calls, 2);

    loop_fd_free(f);
    close(b[0]);
    close(b[1]);
    loop_free(l);
}

struct tasks {
    struct loop *loop;
    struct loop_task first, second;
    int order[8], n;
};

static void second(void *arg)
{
    struct tasks *t = arg;

    t->order[t->n++] = 2;
    loop_stop(t->loop);
}

static void first(void *arg)
{
    struct tasks *t = arg;

    t->order[t->n++] = 1;
    if (t->n == 1)
        loop_later(t->loop, &t->first);     /* again, in the next turn */
    else
        loop_later(t->loop, &t->second);
}

Test(loop, tasks_run_once_a_turn_without_waiting)
{
    struct loop *l = make();
    struct tasks t = { .loop = l };

    loop_task_init(&t.first, first, &t);
    loop_task_init(&t.second, second, &t);
    loop_later(l, &t.first);
    loop_later(l, &t.first);    /* twice is once */
    loop_run(l);
    cr_expect_eq(t.n, 3);
    cr_expect(t.order[0] == 1 && t.order[1] == 1 && t.order[2] == 2);

    t.n = 0;
    loop_later(l, &t.second);
    loop_task_cancel(&t.second);
    loop_run(l);                /* nothing left to happen: it returns */
    cr_expect_eq(t.n, 0);
    loop_free(l);
}

static void on_signal(void *arg, int signo)
{
    struct seen *s = arg;

    s->ready = (unsigned)signo;
    loop_stop(s->loop);
}

Test(loop, signals_arrive_as_events)
{
    struct loop *l = make();
    struct seen s = { .loop = l };
    struct loop_signal *sig = loop_signal_new(l, SIGUSR1, on_signal, &s);

    cr_assert_not_null(sig);
    raise(SIGUSR1);
    loop_run(l);
    cr_expect_eq(s.ready, SIGUSR1);
    loop_signal_free(sig);
    loop_free(l);
}

/* What a child does with the parent's loop must not reach the parent's epoll. */
Test(loop, abandoned_in_a_child_it_goes_on_in_the_parent)
{
    struct loop *l = make();
    struct seen s = { .loop = l, .stop_after = 1 };
    int pair[2], status;

    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    struct loop_fd *f = loop_fd_new(l, pair[0], on_fd, &s);
    cr_assert_eq(loop_fd_want(f, LOOP_READ), 0);
    struct loop_timer *t = loop_timer_new(l, on_stop, l);
    cr_assert_eq(loop_timer_set(t, 1), 0);
    loop_run(l);                /* so that the kernel knows of the descriptor */

    pid_t pid = fork();
    if (pid == 0) {
        loop_abandon(l);
        _exit(0);
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert_eq(status, 0);
    cr_assert_eq(write(pair[1], "x", 1), 1);
    loop_run(l);
    cr_expect_eq(s.ready, LOOP_READ);

    loop_timer_free(t);
    loop_fd_free(f);
    close(pair[0]);
    close(pair[1]);
    loop_free(l);
}
