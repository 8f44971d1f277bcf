#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/sock.h"

static struct addr parse(const char *text)
{
    struct addr a;
    struct err e = ERR_INIT;

    cr_assert_eq(addr_parse((struct span){ text, strlen(text) }, &a, &e), 0, "%s", e.text);
    return a;
}

static int listen_on(const char *text, struct addr *real)
{
    struct err e = ERR_INIT;
    struct addr a = parse(text);
    int fd = sock_listen(&a, 16, &e);

    cr_assert(fd >= 0, "%s", e.text);
    cr_assert_eq(sock_local_addr(fd, real), 0);
    return fd;
}

static int accept_now(int l, struct peer *from)
{
    struct pollfd p = { .fd = l, .events = POLLIN };

    cr_assert_eq(poll(&p, 1, 5000), 1);
    int fd = sock_accept(l, from);
    cr_assert(fd >= 0);
    return fd;
}

static int option(int fd, int level, int name)
{
    int v = -1;
    socklen_t len = sizeof(v);

    cr_assert_eq(getsockopt(fd, level, name, &v, &len), 0);
    return v;
}

Test(sock, accepted_and_dialled_sockets_find_dead_peers)
{
    struct addr real;
    struct peer from;
    int l = listen_on("127.0.0.1:0", &real);
    int c = sock_connect(&real);
    int s = accept_now(l, &from);

    cr_assert(c >= 0);
    cr_expect_eq(from.family, AF_INET);
    for (int i = 0; i < 2; i++) {
        int fd = i ? c : s;
        cr_expect_eq(option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
        cr_expect_eq(option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
        int dead_after = option(fd, IPPROTO_TCP, TCP_KEEPIDLE)
            + option(fd, IPPROTO_TCP, TCP_KEEPINTVL) * option(fd, IPPROTO_TCP, TCP_KEEPCNT);
        cr_expect_leq(dead_after, 60);
        cr_expect_leq(option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 60000);
        cr_expect(fcntl(fd, F_GETFL) & O_NONBLOCK);
        cr_expect(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    }
    close(c);
    close(s);
    close(l);
}

Test(sock, two_sockets_share_an_address)
{
    struct addr real, again;
    struct err e = ERR_INIT;
    int a = listen_on("127.0.0.1:0", &real);
    int b = sock_listen(&real, 16, &e);

    cr_assert(b >= 0, "%s", e.text);
    cr_assert_eq(sock_local_addr(b, &again), 0);
    cr_expect(addr_equal(&real, &again));
    close(a);
    close(b);
}

Test(sock, an_address_of_another_is_an_error_that_says_so)
{
    struct err e = ERR_INIT;
    struct addr a = parse("192.0.2.1:1");

    cr_expect_eq(sock_listen(&a, 1, &e), -1);
    cr_expect(strstr(e.text, "cannot listen: Cannot assign requested address"), "%s", e.text);
}

Test(sock, a_stale_unix_socket_is_replaced_and_a_served_one_is_not)
{
    char dir[] = "/tmp/sock-XXXXXX", text[64];
    struct addr real;
    struct err e = ERR_INIT;

    cr_assert_not_null(mkdtemp(dir));
    snprintf(text, sizeof(text), "unix:%s/s", dir);
    close(listen_on(text, &real));          /* the file stays behind */
    int fd = listen_on(text, &real);
    struct addr a = parse(text);
    cr_expect_eq(sock_listen(&a, 1, &e), -1);
    cr_expect(strstr(e.text, "in use"), "%s", e.text);

    int c = sock_connect(&a);
    struct peer from;
    int s = accept_now(fd, &from);
    cr_expect_eq(from.family, AF_UNIX);
    close(c);
    close(s);
    close(fd);
    unlink(a.u.un.sun_path);
    rmdir(dir);
}

static void fill(int fd)
{
    static const char block[65536];

    while (send(fd, block, sizeof(block), MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
        ;
    cr_assert(errno == EAGAIN);
}

Test(sock, a_shut_window_is_told_from_a_reset)
{
    struct addr real;
    struct peer from;
    struct linger hard = { 1, 0 };
    int l = listen_on("127.0.0.1:0", &real), c = sock_connect(&real), s = accept_now(l, &from);

    cr_expect(!sock_peer_stalled(s));
    cr_expect_eq(sock_unacked(s), 0);
    fill(s);                                /* c does not read */
    for (int i = 0; i < 200 && !sock_peer_stalled(s); i++)
        usleep(10000);
    cr_expect(sock_peer_stalled(s));
    cr_expect(sock_unacked(s) > 0);
    cr_expect(!sock_is_dead(s));

    setsockopt(c, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    close(c);
    for (int i = 0; i < 200 && !sock_is_dead(s); i++)
        usleep(10000);
    cr_expect(sock_is_dead(s));
    close(s);
    close(l);
}

/* What redirection makes of it, tests/flow/test_65_transparent.py shows. */
Test(sock, who_came_to_us_was_not_redirected)
{
    static const struct {
        const char *listen, *dial;
    } cases[] = {
        { "127.0.0.1:0", "127.0.0.1" }, { "0.0.0.0:0", "127.0.0.1" }, { "0.0.0.0:0", "127.0.0.9" },
        { "[::1]:0", "[::1]" },         { "[::]:0", "[::1]" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct addr real, dst;
        struct peer from;
        char text[ADDR_TEXT_MAX];
        int l = listen_on(cases[i].listen, &real);
        snprintf(text, sizeof(text), "%s:%u", cases[i].dial, addr_port(&real));
        struct addr to = parse(text);
        int c = sock_connect(&to), s = accept_now(l, &from);

        cr_expect_not(sock_original_dst(s, &real, &dst), "%s", text);
        cr_expect(sock_is_this_host(&from));
        close(c);
        close(s);
        close(l);
    }
}

/* As TPROXY hands them out: at an address that the socket is not bound to. */
Test(sock, who_arrived_elsewhere_was_redirected)
{
    struct addr real, dst, other = parse("127.0.0.1:9042");
    struct peer from;
    int l = listen_on("127.0.0.1:0", &real);
    int c = sock_connect(&real), s = accept_now(l, &from);

    cr_expect(sock_original_dst(s, &other, &dst));
    cr_expect(addr_equal(&dst, &real));
    other = parse("0.0.0.0:9042");
    cr_expect(sock_original_dst(s, &other, &dst));
    close(c);
    close(s);
    close(l);
}

Test(sock, knows_the_addresses_of_this_host)
{
    struct peer p;
    struct addr ours = parse("127.0.0.1:1"), v6 = parse("[2001:db8::1]:1"),
                theirs = parse("192.0.2.1:1"), path = parse("unix:/run/x");

    peer_from(&ours.u.sa, &p);
    cr_expect(sock_is_this_host(&p));
    peer_from(&theirs.u.sa, &p);
    cr_expect_not(sock_is_this_host(&p));
    peer_from(&v6.u.sa, &p);
    cr_expect_not(sock_is_this_host(&p));
    peer_from(&path.u.sa, &p);
    cr_expect(sock_is_this_host(&p));
}
