#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/addr.h"

static struct span span(const char *s)
{
    return (struct span){ s, strlen(s) };
}

static struct addr parse(const char *text)
{
    struct err e = ERR_INIT;
    struct addr a;

    cr_assert_eq(addr_parse(span(text), &a, &e), 0, "%s: %s", text, e.text);
    return a;
}

Test(addr, what_is_an_address)
{
    static const struct {
        const char *text, *shown;
        int family;
    } cases[] = {
        { "127.0.0.1:9042", "127.0.0.1:9042", AF_INET },
        { "0.0.0.0:0", "0.0.0.0:0", AF_INET },
        { "255.255.255.255:65535", "255.255.255.255:65535", AF_INET },
        { "localhost:80", "127.0.0.1:80", AF_INET },
        { "[::1]:443", "[::1]:443", AF_INET6 },
        { "[::]:0", "[::]:0", AF_INET6 },
        { "[2001:DB8:0:0:0:0:0:1]:1", "[2001:db8::1]:1", AF_INET6 },
        { "unix:/run/app.sock", "unix:/run/app.sock", AF_UNIX },
        { "systemd:web.socket", "systemd:web.socket", AF_UNSPEC },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[ADDR_TEXT_MAX];
        struct addr a = parse(cases[i].text);
        cr_assert_eq(a.u.sa.sa_family, cases[i].family, "%s", cases[i].text);
        cr_assert_str_eq(addr_text(&a, text), cases[i].shown);
        struct addr again = parse(text);
        cr_assert(addr_equal(&a, &again), "%s is not what it was printed from", text);
    }
}

Test(addr, what_is_not_and_why)
{
    static const struct {
        const char *text, *reason;
    } cases[] = {
        { "", "port is missing" },
        { "systemd:", "needs the name" },
        { "systemd:a:b", "no colon" },
        { "systemd:a b", "no blank" },
        { "127.0.0.1", "port is missing" },
        { "9042", "port is missing" },
        { "127.0.0.1:", "not a number from 0 to 65535" },
        { "127.0.0.1:65536", "not a number from 0 to 65535" },
        { "127.0.0.1:-1", "not a number from 0 to 65535" },
        { "127.0.0.1:http", "not a number from 0 to 65535" },
        { "127.0.0.1: 80", "not a number from 0 to 65535" },
        { ":9042", "address before the port is missing" },
        { "127.0.0:1", "not a numeric IPv4" },
        { "127.0.0.1.1:1", "not a numeric IPv4" },
        { "example.com:443", "not a numeric IPv4" },
        { "::1:443", "stands in brackets" },
        { "[::1]", "port is missing" },
        { "[::1]443", "port is missing" },
        { "[::1:443", "] of the IPv6 address is missing" },
        { "[]:443", "address before the port is missing" },
        { "[127.0.0.1]:443", "not a numeric IPv6" },
        { "[localhost]:443", "not a numeric IPv6" },
        { "[fe80::1%eth0]:443", "not a numeric IPv6" },
        { "unix:", "absolute path" },
        { "unix:app.sock", "absolute path" },
        { "/run/app.sock", "stands behind unix:" },
        { "/run/a:b", "stands behind unix:" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err e = ERR_INIT;
        struct addr a;
        cr_assert_eq(addr_parse(span(cases[i].text), &a, &e), -1, "\"%s\"", cases[i].text);
        cr_assert_not_null(strstr(e.text, cases[i].reason), "\"%s\": %s", cases[i].text, e.text);
    }
}

Test(addr, bytes_behind_a_nul_are_not_dropped)
{
    static const struct span cases[] = {
        { "127.0.0.1\0x:80", 14 },
        { "[::1\0x]:80", 10 },
        { "unix:/run/a\0b", 13 },
        { NULL, 0 },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err e = ERR_INIT;
        struct addr a;
        cr_assert_eq(addr_parse(cases[i], &a, &e), -1, "case %zu", i);
    }
    struct err e = ERR_INIT;
    struct cidr c;
    cr_assert_eq(cidr_parse((struct span){ "10.0.0.0\0x/8", 12 }, &c, &e), -1);
    cr_assert_eq(cidr_parse((struct span){ NULL, 0 }, &c, &e), -1);
}

Test(addr, the_longest_unix_path)
{
    char text[200] = "unix:/";
    char shown[ADDR_TEXT_MAX];
    struct err e = ERR_INIT;
    struct addr a;
    size_t max = sizeof(a.u.un.sun_path) - 1;

    memset(text + 6, 'x', max - 1);
    a = parse(text);
    cr_assert_str_eq(addr_text(&a, shown), text);
    strcat(text, "x");
    cr_assert_eq(addr_parse(span(text), &a, &e), -1);
    cr_assert_not_null(strstr(e.text, "may have 107 bytes, this has 108"), "%s", e.text);
}

Test(addr, equal)
{
    static const char *const all[] = {
        "127.0.0.1:1", "127.0.0.1:2", "127.0.0.2:1", "[::1]:1", "[::1]:2", "[::2]:1",
        "unix:/a", "unix:/ab",
        "unix:/run/app.sock",           /* as long as an IPv4 address, whole */
        "unix:/run/gate/some/app.socket",    /* and as an IPv6 one */
    };
    size_t n = sizeof(all) / sizeof(all[0]);
    struct addr none = { 0 };

    for (size_t i = 0; i < n; i++) {
        struct addr a = parse(all[i]);
        for (size_t j = 0; j < n; j++) {
            struct addr b = parse(all[j]);
            cr_assert_eq(addr_equal(&a, &b), i == j, "%s and %s", all[i], all[j]);
        }
        cr_assert_not(addr_equal(&a, &none), "%s and nothing", all[i]);
    }
    cr_assert(addr_equal(&none, &none));
}

Test(addr, what_is_local)
{
    static const struct {
        const char *text;
        bool local;
    } cases[] = {
        { "127.0.0.1:1", true },  { "127.255.0.9:1", true }, { "128.0.0.1:1", false },
        { "10.0.0.1:1", false },  { "0.0.0.0:1", false },    { "[::1]:1", true },
        { "[::2]:1", false },     { "[::]:1", false },       { "[::ffff:127.0.0.1]:1", true },
        { "unix:/a", true },      { "systemd:a", false },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct addr a = parse(cases[i].text);
        cr_assert_eq(addr_is_local(&a), cases[i].local, "%s", cases[i].text);
    }
}

static struct peer peer(const char *text)
{
    struct addr a = parse(text);
    struct peer p;

    peer_from(&a.u.sa, &p);
    return p;
}

Test(addr, peers_and_their_text)
{
    static const char *const cases[][2] = {
        { "192.0.2.1:40000", "192.0.2.1:40000" },
        { "[2001:db8::1]:443", "[2001:db8::1]:443" },
        { "[::ffff:192.0.2.1]:443", "192.0.2.1:443" },
        { "unix:/a", "unix" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[PEER_TEXT_MAX];
        struct peer p = peer(cases[i][0]);
        cr_assert_str_eq(peer_text(&p, text), cases[i][1]);
    }
}

Test(addr, networks)
{
    static const struct {
        const char *net, *peer;
        bool in;
    } cases[] = {
        { "10.0.0.0/8", "10.255.1.2:1", true },
        { "10.0.0.0/8", "11.0.0.0:1", false },
        { "192.168.4.0/22", "192.168.7.255:1", true },
        { "192.168.4.0/22", "192.168.8.0:1", false },
        { "192.0.2.1", "192.0.2.1:1", true },
        { "192.0.2.1", "192.0.2.2:1", false },
        { "192.0.2.0/31", "192.0.2.1:1", true },
        { "0.0.0.0/0", "203.0.113.9:1", true },
        { "0.0.0.0/0", "[2001:db8::1]:1", false },
        { "0.0.0.0/0", "[::ffff:10.0.0.1]:1", true },
        { "::/0", "[2001:db8::1]:1", true },
        { "::/0", "10.0.0.1:1", false },
        { "2001:db8::/33", "[2001:db8:7fff::]:1", true },
        { "2001:db8::/33", "[2001:db8:8000::]:1", false },
        { "::1", "[::1]:1", true },
        { "::1/128", "[::2]:1", false },
        { "::ffff:10.0.0.0/104", "10.255.1.2:1", true },
        { "::ffff:10.0.0.0/104", "[::ffff:10.255.1.2]:1", true },
        { "::ffff:10.0.0.0/104", "11.0.0.0:1", false },
        { "::ffff:192.0.2.1", "192.0.2.1:1", true },
        { "::ffff:192.0.2.1", "192.0.2.2:1", false },
        { "::ffff:0:0/96", "203.0.113.9:1", true },
        { "::ffff:0:0/96", "[::1]:1", false },
        { "0.0.0.0/0", "unix:/a", false },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err e = ERR_INIT;
        struct cidr c;
        struct peer p = peer(cases[i].peer);
        cr_assert_eq(cidr_parse(span(cases[i].net), &c, &e), 0, "%s: %s", cases[i].net, e.text);
        cr_assert_eq(cidr_has(&c, &p), cases[i].in, "%s in %s", cases[i].peer, cases[i].net);
    }
}

Test(addr, what_is_no_network)
{
    static const char *const cases[][2] = {
        { "", "not a numeric address or network" },
        { "/8", "not a numeric address or network" },
        { "10.0.0/8", "not a numeric address or network" },
        { "example.com/8", "not a numeric address or network" },
        { "10.0.0.0/", "not a number from 0 to 32" },
        { "10.0.0.0/33", "not a number from 0 to 32" },
        { "10.0.0.0/-1", "not a number from 0 to 32" },
        { "::/129", "not a number from 0 to 128" },
        { "10.1.2.3/8", "the network is 10.0.0.0/8" },
        { "2001:db8::1/64", "the network is 2001:db8::/64" },
        { "10.0.0.1/0", "the network is 0.0.0.0/0" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err e = ERR_INIT;
        struct cidr c;
        cr_assert_eq(cidr_parse(span(cases[i][0]), &c, &e), -1, "\"%s\"", cases[i][0]);
        cr_assert_not_null(strstr(e.text, cases[i][1]), "\"%s\": %s", cases[i][0], e.text);
    }
}

Test(nets, plaintext_may_stay_here_and_go_where_they_say)
{
    struct err e = ERR_INIT;
    struct nets list = { 0 };
    static const struct { const char *to; bool may; } cases[] = {
        { "127.0.0.1:9", true }, { "[::1]:9", true }, { "unix:/run/x", true },
        { "10.1.2.3:9", true }, { "192.0.2.1:9", false }, { "[2001:db8::1]:9", false },
    };

    cr_assert_eq(nets_add(&list, str_span("10.0.0.0/8"), &e), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct addr a;
        cr_assert_eq(addr_parse(str_span(cases[i].to), &a, &e), 0, "%s", e.text);
        cr_expect_eq(nets_let_plaintext(&list, &a), cases[i].may, "%s", cases[i].to);
    }
    nets_free(&list);
}
