#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
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

/* --- looking before reading --- */

static void expect_held(const struct stream *s, const char *text)
{
    size_t n = 99;
    const uint8_t *p = stream_held(s, &n);

    cr_assert_eq(n, strlen(text), "%zu bytes are held, not %zu", n, strlen(text));
    cr_expect(n == 0 ? p == NULL : memcmp(p, text, n) == 0);
}

static enum stream_io hold_more(struct ends *x, const char *text, size_t cap)
{
    cr_assert_eq(write(x->peer, text, strlen(text)), (ssize_t)strlen(text));
    wait_for(x, LOOP_READ);
    return stream_hold(&x->s, cap);
}

/* What is read next, in parts of `cap`; then the state is `end`. */
static void expect_read(struct ends *x, const char *text, size_t cap, enum stream_io end)
{
    char p[64];
    size_t n = 0, all = 0;
    enum stream_io io;

    while ((io = stream_read(&x->s, p + all, cap, &n)) == STREAM_OK) {
        cr_assert(n > 0 && n <= cap);
        all += n;
    }
    cr_expect_eq(io, end, "%d, not %d", (int)io, (int)end);
    cr_assert_eq(all, strlen(text), "%zu bytes", all);
    cr_expect_eq(memcmp(p, text, all), 0);
}

Test(stream, what_is_held_is_read_first_and_then_what_comes_after_it)
{
    struct ends x;

    open_ends(&x);
    cr_expect_eq(stream_hold(&x.s, 100), STREAM_AGAIN);
    expect_held(&x.s, "");
    cr_expect_eq(hold_more(&x, "abc", 100), STREAM_OK);
    expect_held(&x.s, "abc");
    cr_expect_eq(stream_hold(&x.s, 100), STREAM_AGAIN);
    expect_held(&x.s, "abc");
    cr_expect_eq(hold_more(&x, "defg", 100), STREAM_OK);
    expect_held(&x.s, "abcdefg");
    cr_assert_eq(write(x.peer, "hi", 2), 2);
    expect_read(&x, "abcdefg", 2, STREAM_AGAIN);    /* not before the loop says so */
    expect_held(&x.s, "");
    cr_expect_null(x.s.held.p, "nothing is kept for an idle stream");
    wait_for(&x, LOOP_READ);
    expect_read(&x, "hi", 64 - 8, STREAM_AGAIN);
    close_ends(&x);
}

Test(stream, what_is_skipped_is_not_read)
{
    struct ends x;

    open_ends(&x);
    cr_expect_eq(hold_more(&x, "PROXY x\r\nhello", 100), STREAM_OK);
    stream_skip(&x.s, 0);
    expect_held(&x.s, "PROXY x\r\nhello");
    stream_skip(&x.s, 9);
    expect_held(&x.s, "hello");
    cr_expect_eq(hold_more(&x, "!", 100), STREAM_OK);
    expect_held(&x.s, "hello!");
    expect_read(&x, "hello!", 4, STREAM_AGAIN);
    cr_expect_eq(hold_more(&x, "all", 100), STREAM_OK);
    stream_skip(&x.s, 3);
    expect_held(&x.s, "");
    cr_expect_null(x.s.held.p);
    expect_read(&x, "", 4, STREAM_AGAIN);
    close_ends(&x);
}

Test(stream, no_more_is_held_than_was_allowed)
{
    struct ends x;
    static char block[6000], got[6000];
    size_t n = 0, all = 0;

    for (size_t i = 0; i < sizeof(block); i++)
        block[i] = (char)(i * 7);
    open_ends(&x);
    cr_assert_eq(write(x.peer, block, sizeof(block)), (ssize_t)sizeof(block));
    wait_for(&x, LOOP_READ);
    while (stream_hold(&x.s, 5000) == STREAM_OK)
        (void)stream_held(&x.s, &all);
    cr_expect_eq(all, 5000, "%zu", all);
    for (int again = 0; again < 2; again++) {
        cr_expect_eq(stream_hold(&x.s, 5000), STREAM_ERROR);
        cr_expect_eq(x.s.sys_errno, ENOMEM);
    }
    for (all = 0; stream_read(&x.s, got + all, 700, &n) == STREAM_OK; all += n)
        ;
    cr_expect_eq(all, sizeof(block), "the bound is no end: %zu", all);
    cr_expect_eq(memcmp(got, block, all), 0);
    close_ends(&x);
}

Test(stream, an_end_behind_held_bytes_comes_after_them)
{
    struct ends x;

    open_ends(&x);
    cr_expect_eq(hold_more(&x, "last", 100), STREAM_OK);
    close(x.peer);
    x.peer = -1;
    wait_for(&x, LOOP_READ);
    cr_expect_eq(stream_hold(&x.s, 100), STREAM_EOF);
    expect_held(&x.s, "last");
    expect_read(&x, "last", 3, STREAM_EOF);
    expect_read(&x, "", 3, STREAM_EOF);
    close_ends(&x);
}

Test(stream, an_end_without_a_byte)
{
    struct ends x;

    open_ends(&x);
    close(x.peer);
    x.peer = -1;
    wait_for(&x, LOOP_READ);
    cr_expect_eq(stream_hold(&x.s, 100), STREAM_EOF);
    expect_held(&x.s, "");
    cr_expect_null(x.s.held.p);
    expect_read(&x, "", 3, STREAM_EOF);
    close_ends(&x);
}

/* A connection over TCP, for resets: (ours, the peer's). */
static void open_tcp(struct ends *x)
{
    struct err e = ERR_INIT;
    struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(sin);
    int listener = socket(AF_INET, SOCK_STREAM, 0), fd;

    x->loop = loop_new(&e);
    cr_assert_not_null(x->loop);
    cr_assert_eq(bind(listener, (struct sockaddr *)&sin, sizeof(sin)), 0);
    cr_assert_eq(listen(listener, 1), 0);
    cr_assert_eq(getsockname(listener, (struct sockaddr *)&sin, &len), 0);
    x->peer = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(connect(x->peer, (struct sockaddr *)&sin, sizeof(sin)), 0);
    fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    cr_assert(fd >= 0);
    close(listener);
    cr_assert_eq(stream_open(&x->s, x->loop, fd, on_wake, x->loop), 0);
}

Test(stream, a_reset_behind_held_bytes_comes_after_them)
{
    struct ends x;
    struct linger none = { .l_onoff = 1, .l_linger = 0 };

    open_tcp(&x);
    cr_expect_eq(hold_more(&x, "last", 100), STREAM_OK);
    cr_assert_eq(setsockopt(x.peer, SOL_SOCKET, SO_LINGER, &none, sizeof(none)), 0);
    close(x.peer);
    x.peer = -1;
    wait_for(&x, LOOP_READ);
    cr_expect_eq(stream_hold(&x.s, 100), STREAM_ERROR);
    cr_expect_eq(x.s.sys_errno, ECONNRESET);
    expect_held(&x.s, "last");
    expect_read(&x, "last", 64, STREAM_ERROR);
    cr_expect_eq(x.s.sys_errno, ECONNRESET);
    close_ends(&x);
}
