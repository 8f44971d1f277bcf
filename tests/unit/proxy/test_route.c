#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "proxy/route.h"

#define MOST 8

/* A listener's routes, each with up to three names and two protocols. */
struct row {
    const char *sni[3], *alpn[2];
};

struct made {
    struct conf_listener listener;
    struct conf_route routes[MOST], *list[MOST];
    char *words[MOST][5];
    struct route_table table;
};

static size_t put(char **out, const char *const *words, size_t n)
{
    size_t used = 0;

    while (used < n && words[used] != NULL) {
        out[used] = (char *)(uintptr_t)words[used];
        used++;
    }
    return used;
}

static void make(struct made *m, const struct row *rows, size_t n)
{
    *m = (struct made){ .listener = { .routes = m->list, .nroutes = n } };
    for (size_t i = 0; i < n; i++) {
        struct conf_route *r = m->list[i] = &m->routes[i];
        r->sni = (struct conf_strs){ m->words[i], put(m->words[i], rows[i].sni, 3) };
        r->alpn = (struct conf_strs){ m->words[i] + 3, put(m->words[i] + 3, rows[i].alpn, 2) };
    }
    route_table_init(&m->table, &m->listener);
}

/* "h2 http/1.1" as it stands on the wire. */
static size_t wire(const char *protocols, uint8_t out[64])
{
    struct span rest = { protocols, strlen(protocols) }, word;
    size_t n = 0;

    while (rest.len > 0 && str_next(&rest, ' ', &word)) {
        out[n] = (uint8_t)word.len;
        memcpy(out + n + 1, word.p, word.len);
        n += 1 + word.len;
    }
    return n;
}

struct expected {
    const char *name, *alpn;
    size_t route;
    enum route_by by;
};

static void expect_all(const struct row *rows, size_t nrows, const struct expected *e, size_t n)
{
    struct made m;

    make(&m, rows, nrows);
    for (size_t i = 0; i < n; i++) {
        uint8_t protocols[64];
        struct route_ask ask = { e[i].name, protocols, wire(e[i].alpn, protocols) };
        enum route_by by = (enum route_by)-1;
        size_t got = route_choose(&m.table, &ask, &by);
        const char *name = e[i].name != NULL ? e[i].name : "(none)";
        cr_expect_eq(got, e[i].route, "%s [%s]: route %zu, not %zu", name, e[i].alpn, got,
                     e[i].route);
        cr_expect_eq(by, e[i].by, "%s [%s]: by %d, not %d", name, e[i].alpn, (int)by,
                     (int)e[i].by);
    }
    route_table_free(&m.table);
}

#define EXPECT(rows, ...)                                                       \
    expect_all(rows, sizeof(rows) / sizeof((rows)[0]),                          \
               (const struct expected[]){ __VA_ARGS__ },                        \
               sizeof((const struct expected[]){ __VA_ARGS__ }) / sizeof(struct expected))

Test(route, the_exact_name_then_the_wildcard_then_the_default)
{
    static const struct row rows[] = {
        { .sni = { "*.example.com" } },
        { .sni = { "a.example.com", "other.org" } },
        { .sni = { "*.a.example.com" } },
        { .sni = { NULL } },
        { .sni = { NULL }, .alpn = { "h2" } },
    };

    EXPECT(rows,
           { "a.example.com", "", 1, ROUTE_BY_NAME },
           { "other.org", "", 1, ROUTE_BY_NAME },
           { "b.example.com", "", 0, ROUTE_BY_WILDCARD },
           { "x.a.example.com", "", 2, ROUTE_BY_WILDCARD },
           { "x.b.example.com", "", 3, ROUTE_BY_DEFAULT },     /* one label and no more */
           { "example.com", "", 3, ROUTE_BY_DEFAULT },
           { "com", "", 3, ROUTE_BY_DEFAULT },
           { "", "", 3, ROUTE_BY_DEFAULT },
           { NULL, "", 3, ROUTE_BY_DEFAULT },
           { NULL, "h2", 4, ROUTE_BY_DEFAULT });
}

Test(route, a_name_is_compared_as_dns_names_are)
{
    static const struct row rows[] = {
        { .sni = { "a.example.com" } },
        { .sni = { "*.example.com" } },
        { .sni = { NULL } },
    };
    char longest[DNS_NAME_MAX + 2], too_long[DNS_NAME_MAX + 3];

    memset(longest, 'x', sizeof(longest));
    memcpy(longest + DNS_NAME_MAX - 12, ".example.com", 13);
    memset(too_long, 'x', sizeof(too_long));
    memcpy(too_long + DNS_NAME_MAX - 11, ".example.com", 13);
    EXPECT(rows,
           { "A.Example.COM", "", 0, ROUTE_BY_NAME },
           { "a.example.com.", "", 0, ROUTE_BY_NAME },
           { "B.EXAMPLE.com.", "", 1, ROUTE_BY_WILDCARD },
           { longest, "", 1, ROUTE_BY_WILDCARD },
           { too_long, "", 2, ROUTE_BY_DEFAULT },
           { "a.example.com..", "", 2, ROUTE_BY_DEFAULT },
           { ".example.com", "", 2, ROUTE_BY_DEFAULT },        /* no label is no label */
           { ".", "", 2, ROUTE_BY_DEFAULT },
           { "a.ex\xc3\x84mple.com", "", 2, ROUTE_BY_DEFAULT });
}

/* A client may write the wildcard itself, or an empty name: it gets no more by it than by a
   name under it. */
Test(route, what_a_client_writes_is_no_pattern)
{
    static const struct row rows[] = {
        { .sni = { NULL } },
        { .sni = { "*.example.com" } },
        { .sni = { "secret.example.com" } },
    };

    EXPECT(rows,
           { "*.example.com", "", 1, ROUTE_BY_NAME },
           { "*", "", 0, ROUTE_BY_DEFAULT },
           { "*.com", "", 0, ROUTE_BY_DEFAULT },
           { "*.*.com", "", 0, ROUTE_BY_DEFAULT },
           { "s*.example.com", "", 1, ROUTE_BY_WILDCARD });
}

Test(route, where_all_have_names_the_first_takes_the_rest)
{
    static const struct row rows[] = {
        { .sni = { "one" }, .alpn = { "h2" } },
        { .sni = { "two" } },
    };

    EXPECT(rows,
           { "two", "", 1, ROUTE_BY_NAME },
           { "three", "", 0, ROUTE_BY_DEFAULT },
           { NULL, "http/1.1", 0, ROUTE_BY_DEFAULT });
}

Test(route, of_one_name_the_protocol_decides)
{
    static const struct row rows[] = {
        { .sni = { "a" }, .alpn = { "grpc", "h2" } },
        { .sni = { "a" } },
        { .sni = { "a" }, .alpn = { "http/1.1" } },
        { .sni = { "b" }, .alpn = { "h2" } },
        { .sni = { "b" }, .alpn = { "http/1.1" } },
        { .sni = { NULL }, .alpn = { "stun.turn" } },
    };

    EXPECT(rows,
           { "a", "h2", 0, ROUTE_BY_NAME },
           { "a", "grpc", 0, ROUTE_BY_NAME },
           { "a", "http/1.1", 2, ROUTE_BY_NAME },
           { "a", "http/1.1 h2", 0, ROUTE_BY_NAME },   /* our order, not the client's */
           { "a", "", 1, ROUTE_BY_NAME },
           { "a", "h", 1, ROUTE_BY_NAME },             /* neither a prefix … */
           { "a", "h22", 1, ROUTE_BY_NAME },
           { "a", "H2", 1, ROUTE_BY_NAME },            /* … nor folded: these are bytes */
           { "b", "http/1.1", 4, ROUTE_BY_NAME },
           { "b", "spdy/3", 3, ROUTE_BY_NAME },        /* its TLS will refuse it */
           { "b", "stun.turn", 3, ROUTE_BY_NAME },     /* another name's is no choice */
           { "c", "h2", 5, ROUTE_BY_DEFAULT });
}

/* A protocol's name may have any byte in it, a NUL too. */
Test(route, a_nul_in_a_protocol_does_not_end_it)
{
    static const struct row rows[] = {
        { .alpn = { "h2" } },
        { .alpn = { NULL } },
    };
    static const struct {
        const char *alpn;
        size_t len, route;
    } table[] = { { "\x04h2\0x", 5, 1 }, { "\x03h2\0", 4, 1 }, { "\x02h2", 3, 0 } };
    struct made m;
    enum route_by by;

    make(&m, rows, 2);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct route_ask ask = { NULL, (const uint8_t *)table[i].alpn, table[i].len };
        cr_expect_eq(route_choose(&m.table, &ask, &by), table[i].route, "row %zu", i);
    }
    route_table_free(&m.table);
}

Test(route, ten_thousand_names)
{
    enum { N = 10000 };
    static struct conf_route routes[N], *list[N];
    static char names[N][24], *one[N];
    struct conf_listener l = { .routes = list, .nroutes = N };
    struct route_table t;
    enum route_by by;

    for (size_t i = 0; i < N; i++) {
        snprintf(names[i], sizeof(names[i]), "host-%zu.example.com", i);
        one[i] = names[i];
        routes[i].sni = (struct conf_strs){ &one[i], 1 };
        list[i] = &routes[i];
    }
    route_table_init(&t, &l);
    for (size_t i = 0; i < N; i++) {
        struct route_ask ask = { names[i], NULL, 0 };
        cr_assert_eq(route_choose(&t, &ask, &by), i);
        cr_assert_eq(by, ROUTE_BY_NAME);
    }
    cr_expect_eq(route_choose(&t, &(struct route_ask){ "host-10000.example.com", NULL, 0 }, &by),
                 0);
    cr_expect_eq(by, ROUTE_BY_DEFAULT);
    route_table_free(&t);
}
