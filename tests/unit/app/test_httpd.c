#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/httpd.h"
#include "net/sock.h"
#include "scratch.h"

static struct loop *loop;
static struct httpd *httpd;
static struct addr where;

static struct {
    struct httpd_call *waiting;     /* the last call that was left unanswered */
    char method[16], path[64];
    size_t door;
    unsigned requests, gone;
    bool defer;
} seen;

static void on_request(void *arg, struct httpd_call *call, const struct http1_request *r,
                       size_t door)
{
    (void)arg;
    seen.requests++;
    seen.door = door;
    snprintf(seen.method, sizeof(seen.method), "%.*s", (int)r->method.len, r->method.p);
    snprintf(seen.path, sizeof(seen.path), "%.*s", (int)r->path.len, r->path.p);
    if (seen.defer)
        seen.waiting = call;
    else
        httpd_say(call, 200, "here");
}

static void on_gone(void *arg, struct httpd_call *call)
{
    (void)arg;
    cr_expect_eq(call, seen.waiting);
    seen.waiting = NULL;
    seen.gone++;
}

static int listen_anywhere(void)
{
    struct err e = ERR_INIT;

    cr_assert_eq(addr_parse((struct span){ "127.0.0.1:0", 11 }, &where, &e), 0);
    int fd = sock_listen(&where, SOMAXCONN, &e);
    cr_assert_geq(fd, 0, "%s", e.text);
    cr_assert_eq(sock_local_addr(fd, &where), 0);
    return fd;
}

static void setup(void)
{
    struct httpd_events ev = { .request = on_request, .gone = on_gone };
    struct err e = ERR_INIT;
    int fds[2] = { listen_anywhere(), -1 };

    fds[1] = listen_anywhere();     /* `where` is this one: door 1 */
    loop = loop_new(&e);
    httpd = httpd_new(loop, fds, 2, &ev, &e);
    cr_assert_not_null(httpd, "%s", e.text);
}

static void teardown(void)
{
    httpd_free(httpd);
    loop_free(loop);
}

TestSuite(httpd, .init = setup, .fini = teardown);

static void on_time(void *arg)
{
    loop_stop(arg);
}

/* Long enough for what a few loopback sockets have to say. */
static void turn(void)
{
    struct loop_timer *t = loop_timer_new(loop, on_time, loop);

    loop_timer_set(t, 20);
    loop_run(loop);
    loop_timer_free(t);
}

static int dial(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    cr_assert_eq(connect(fd, &where.u.sa, where.len), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    cr_assert_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* What has come until the end; NULL while there is no end. */
static const char *answer(int fd)
{
    static char got[65536];
    size_t len = 0;

    for (int i = 0; i < 250; i++) {
        turn();
        ssize_t n;
        while ((n = recv(fd, got + len, sizeof(got) - 1 - len, MSG_DONTWAIT)) > 0)
            len += (size_t)n;
        got[len] = '\0';
        if (n == 0)
            return got;
    }
    return NULL;
}

static void expect(int fd, const char *status)
{
    const char *got = answer(fd);

    cr_assert_not_null(got);
    cr_expect_eq(strncmp(got, status, strlen(status)), 0, "%s", got);
    close(fd);
}

Test(httpd, hands_over_a_whole_request)
{
    int fd = dial();

    say(fd, "POST /a/b?c HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n");
    turn();
    say(fd, "\r\nab");
    turn();
    cr_expect_eq(seen.requests, 0);
    say(fd, "c");
    const char *got = answer(fd);
    cr_expect_str_eq(seen.method, "POST");
    cr_expect_str_eq(seen.path, "/a/b");
    cr_expect_eq(seen.door, 1);
    cr_assert_not_null(got);
    cr_expect_not_null(strstr(got, "\r\nContent-Length: 5\r\n"));
    cr_expect_not_null(strstr(got, "\r\nConnection: close\r\n"));
    cr_expect_not_null(strstr(got, "\r\n\r\nhere\n"));
    close(fd);
}

Test(httpd, answers_head_without_a_body)
{
    int fd = dial();

    say(fd, "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
    const char *got = answer(fd);
    cr_assert_not_null(got);
    cr_expect_not_null(strstr(got, "\r\nContent-Length: 5\r\n"));
    cr_expect_str_eq(strstr(got, "\r\n\r\n"), "\r\n\r\n");
    close(fd);
}

Test(httpd, refuses_what_is_too_long_or_makes_no_sense)
{
    static const struct {
        const char *request, *status;
    } cases[] = {
        { "nonsense\r\n\r\n", "HTTP/1.1 400 " },
        { "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 " },      /* no Host */
        { "GET / HTTP/2.0\r\nHost: x\r\n\r\n", "HTTP/1.1 505 " },
        { "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 65537\r\n\r\n", "HTTP/1.1 413 " },
        { "GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 411 " },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int fd = dial();
        say(fd, cases[i].request);
        expect(fd, cases[i].status);
    }

    int fd = dial();
    char *filler = calloc(1, HTTPD_HEAD_MAX + 1);
    memset(filler, 'x', HTTPD_HEAD_MAX);
    say(fd, filler);
    expect(fd, "HTTP/1.1 431 ");
    free(filler);
    cr_expect_eq(seen.requests, 0);
}

Test(httpd, answers_later)
{
    int fd = dial();

    seen.defer = true;
    say(fd, "GET /x HTTP/1.1\r\nHost: x\r\n\r\nand more that nobody asked for");
    for (int i = 0; i < 250 && seen.waiting == NULL; i++)
        turn();
    cr_assert_not_null(seen.waiting);
    httpd_say(seen.waiting, 409, "no");
    expect(fd, "HTTP/1.1 409 Conflict\r\n");
    cr_expect_eq(seen.gone, 0);
}

Test(httpd, tells_of_a_peer_that_left)
{
    struct linger reset = { .l_onoff = 1 };
    int fd = dial();

    seen.defer = true;
    say(fd, "GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
    for (int i = 0; i < 250 && seen.waiting == NULL; i++)
        turn();
    cr_assert_not_null(seen.waiting);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(fd);
    for (int i = 0; i < 250 && seen.gone == 0; i++)
        turn();
    cr_expect_eq(seen.gone, 1);
}

Test(httpd, who_is_not_done_asking_makes_room)
{
    static int silent[HTTPD_CONNS_MAX + 20];
    unsigned before = scratch_open_fds(), n = HTTPD_CONNS_MAX + 20;

    for (unsigned i = 0; i < n; i++)
        silent[i] = dial();
    for (int i = 0; i < 20; i++)
        turn();
    cr_expect_eq(scratch_open_fds(), before + n + HTTPD_CONNS_MAX);
    cr_expect_not_null(answer(silent[0]), "the oldest was closed");

    int fd = dial();
    say(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(fd, "HTTP/1.1 200 OK\r\n");
    say(silent[n - 1], "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(silent[n - 1], "HTTP/1.1 200 OK\r\n");
    for (unsigned i = 0; i < n - 1; i++)
        close(silent[i]);
}

Test(httpd, who_waits_for_an_answer_is_not_put_out)
{
    static int waiting[HTTPD_CONNS_MAX];

    seen.defer = true;
    for (unsigned i = 0; i < HTTPD_CONNS_MAX; i++) {
        waiting[i] = dial();
        say(waiting[i], "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    for (int i = 0; i < 250 && seen.requests < HTTPD_CONNS_MAX; i++)
        turn();
    cr_assert_eq(seen.requests, HTTPD_CONNS_MAX);

    int fd = dial();
    cr_expect_not_null(answer(fd), "closed at once");
    close(fd);
    cr_expect_eq(seen.gone, 0);
    for (unsigned i = 0; i < HTTPD_CONNS_MAX; i++)
        close(waiting[i]);
}
