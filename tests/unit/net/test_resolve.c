#include <criterion/criterion.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/resolve.h"

Test(resolve, asks_again_when_the_ttl_is_over)
{
    cr_expect_eq(resolve_again_ms(60, 0), 60000);
    cr_expect_eq(resolve_again_ms(1, 0), 1000);
}

Test(resolve, a_ttl_has_bounds)
{
    cr_expect_eq(resolve_again_ms(0, 0), 1000);
    cr_expect_eq(resolve_again_ms(301, 0), 300000);
    cr_expect_eq(resolve_again_ms(UINT32_MAX, 0), 300000);
}

Test(resolve, failures_are_tried_again_ever_more_rarely)
{
    cr_expect_eq(resolve_again_ms(0, 1), 1000);
    cr_expect_eq(resolve_again_ms(0, 2), 2000);
    cr_expect_eq(resolve_again_ms(0, 5), 16000);
    cr_expect_eq(resolve_again_ms(0, 6), 30000);
    cr_expect_eq(resolve_again_ms(0, UINT32_MAX), 30000);
}

struct heard {
    struct loop *loop;
    unsigned answers;
    size_t n;
    struct addr first;
    const char *why;
};

static void on_answer(void *arg, const struct addr *v, size_t n, const char *why)
{
    struct heard *h = arg;

    h->answers++;
    h->n = n;
    h->why = why;
    if (n > 0)
        h->first = v[0];
    loop_stop(h->loop);
}

static void on_time(void *arg)
{
    loop_stop(arg);
}

/* A name server that is bound, and never answers. */
static int silent_server(struct addr *at)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(in);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    cr_assert_eq(bind(fd, (struct sockaddr *)&in, len), 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&in, &len), 0);
    *at = (struct addr){ .len = len, .u.in = in };
    return fd;
}

Test(resolve, localhost_needs_no_name_server)
{
    struct err e = ERR_INIT;
    struct addr server;
    int fd = silent_server(&server);
    struct heard h = { .loop = loop_new(&e) };
    struct resolver *r = resolver_new(h.loop, &server, 1, &e);
    cr_assert_not_null(r, "%s", e.text);
    struct resolve_name *n = resolve_name_new(r, "localhost", 80, on_answer, &h);

    cr_expect_eq(h.answers, 0, "not from within");
    loop_run(h.loop);
    cr_expect_eq(h.answers, 1);
    cr_assert_geq(h.n, 1, "%s", h.why);
    cr_expect_eq(addr_port(&h.first), 80);
    cr_expect(addr_is_local(&h.first));
    resolve_name_free(n);
    resolver_free(r);
    loop_free(h.loop);
    close(fd);
}

Test(resolve, a_name_may_go_while_it_is_asked_for)
{
    struct err e = ERR_INIT;
    struct addr server;
    int fd = silent_server(&server);
    struct heard h = { .loop = loop_new(&e) };
    struct resolver *r = resolver_new(h.loop, &server, 1, &e);
    struct resolve_name *n = resolve_name_new(r, "db.sally.test", 80, on_answer, &h);
    struct loop_timer *t = loop_timer_new(h.loop, on_time, h.loop);
    char query[512];

    loop_timer_set(t, 100);
    loop_run(h.loop);
    cr_assert_gt(recv(fd, query, sizeof(query), MSG_DONTWAIT), 12, "it was not asked");
    resolve_name_free(n);
    resolver_free(r);
    cr_expect_eq(h.answers, 0);
    loop_timer_free(t);
    loop_free(h.loop);
    close(fd);
}
