#include <criterion/criterion.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/stream.h"

static void on_wake(void *owner)
{
    loop_stop(owner);
}

struct ends {
    struct loop *loop;
    struct stream s;
    int peer;
};

static void open_ends(struct ends *x)
{
    struct err e = ERR_INIT;
    int pair[2];

    x->loop = loop_new(&e);
    cr_assert_not_null(x->loop);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    cr_assert_eq(stream_open(&x->s, x->loop, pair[0], on_wake, x->loop), 0);
    x->peer = pair[1];
}

static void wait_for(struct ends *x, unsigned want)
{
    cr_assert_eq(stream_want(&x->s, want), 0);
    loop_run(x->loop);
}

static void close_ends(struct ends *x)
{
    stream_close(&x->s);
    stream_close(&x->s);        /* twice is harmless */
    if (x->peer >= 0)
        close(x->peer);
    loop_free(x->loop);
}

Test(stream, a_short_read_is_not_tried_again_before_the_loop_says_so)
{
    struct ends x;
    char p[8];
    size_t n = 0;

    open_ends(&x);
    cr_expect_eq(stream_read(&x.s, p, sizeof(p), &n), STREAM_AGAIN, "not before it is ready");
    cr_assert_eq(write(x.peer, "abc", 3), 3);
    wait_for(&x, LOOP_READ);
    cr_expect_eq(stream_read(&x.s, p, sizeof(p), &n), STREAM_OK);
    cr_expect_eq(n, 3);
    cr_expect(x.s.blocked_read);
    cr_assert_eq(write(x.peer, "defghijkl", 9), 9);
    cr_expect_eq(stream_read(&x.s, p, sizeof(p), &n), STREAM_AGAIN);
    wait_for(&x, LOOP_READ);
    cr_expect_eq(stream_read(&x.s, p, sizeof(p), &n), STREAM_OK);
    cr_expect_eq(n, 8);
    cr_expect(!x.s.blocked_read, "a full read may have left bytes");
    cr_expect_eq(stream_read(&x.s, p, sizeof(p), &n), STREAM_OK);
    cr_expect_eq(n, 1);
    close_ends(&x);
}

Test(stream, the_end_behind_the_last_bytes_is_reported)
{
    struct ends x;
    char p[8];
    size_t n = 0;

    open_ends(&x);
    cr_assert_eq(write(x.peer, "abc", 3), 3);
    close(x.peer);
    x.peer = -1;
    wait_for(&x, LOOP_READ);
    cr_expect_eq(stream_read(&x.s, p, sizeof(p), &n), STREAM_OK);
    wait_for(&x, LOOP_READ);
    cr_expect_eq(stream_read(&x.s, p, sizeof(p), &n), STREAM_EOF);
    close_ends(&x);
}

Test(stream, shut_ends_one_direction_only)
{
    struct ends x;
    char p[8];
    size_t n = 0;

    open_ends(&x);
    cr_expect_eq(stream_shut(&x.s), STREAM_OK);
    cr_expect_eq(read(x.peer, p, sizeof(p)), 0);
    cr_assert_eq(write(x.peer, "still", 5), 5);
    wait_for(&x, LOOP_READ);
    cr_expect_eq(stream_read(&x.s, p, sizeof(p), &n), STREAM_OK);
    cr_expect_eq(n, 5);
    cr_expect_eq(stream_write(&x.s, "x", 1, &n), STREAM_ERROR);
    cr_expect_eq(x.s.sys_errno, EPIPE);
    close_ends(&x);
}

Test(stream, a_full_socket_is_not_tried_again_before_the_loop_says_so)
{
    struct ends x;
    static char block[1 << 20];
    size_t n = 0, sent = 0;
    enum stream_io io;

    open_ends(&x);
    while ((io = stream_write(&x.s, block, sizeof(block), &n)) == STREAM_OK)
        sent += n;
    cr_expect_eq(io, STREAM_AGAIN);
    cr_expect(x.s.blocked_write);
    while (sent > 0) {
        ssize_t got = read(x.peer, block, sizeof(block));
        cr_assert(got > 0);
        sent -= (size_t)got;
    }
    cr_expect_eq(stream_write(&x.s, block, 1, &n), STREAM_AGAIN);
    wait_for(&x, LOOP_WRITE);
    cr_expect_eq(stream_write(&x.s, block, 1, &n), STREAM_OK);
    close_ends(&x);
}
