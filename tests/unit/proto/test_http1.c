#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "proto/http1.h"

static struct span text(const char *s)
{
    return (struct span){ s, strlen(s) };
}

static void expect_span(struct span got, const char *want, const char *what)
{
    cr_expect(str_eq(got, want), "%s: \"%.*s\", not \"%s\"", what, (int)got.len, got.p, want);
}

static const char full[] =
    "\r\nGET /a/b?c=d HTTP/1.1\r\nHost: here\r\nAccept: text/html;q=0.9 , application/json\r\n"
    "Empty:\r\ncontent-length:\t12 \r\nConnection: x, Close\r\nExpect: 100-continue\r\n\r\n";

Test(http1, reads_a_request)
{
    struct http1_request r;
    struct span v;
    const char *why;

    cr_assert_eq(http1_request(text(full), &r, &why), 0, "%s", why);
    cr_expect_null(why);
    expect_span(r.method, "GET", "method");
    expect_span(r.target, "/a/b?c=d", "target");
    expect_span(r.path, "/a/b", "path");
    cr_expect_eq(r.minor, 1);
    cr_expect_eq(r.body, HTTP1_BODY_LENGTH);
    cr_expect_eq(r.body_length, 12);
    cr_expect_not(r.keep_alive);
    cr_expect(r.expect_continue);
    cr_assert(http1_field(&r, "ACCEPT", &v));
    cr_expect(http1_list_has(v, "text/HTML"));
    cr_expect(http1_list_has(v, "application/json"));
    cr_expect_not(http1_list_has(v, "application"));
    cr_assert(http1_field(&r, "empty", &v));
    cr_expect_eq(v.len, 0);
    cr_expect_not(http1_field(&r, "accep", &v));
}

Test(http1, walks_the_fields_in_order)
{
    static const char *const names[] = { "Host", "Accept", "Empty", "content-length", "Connection",
                                         "Expect" };
    struct http1_request r;
    struct span name, value;
    const char *why;
    size_t n = 0;

    cr_assert_eq(http1_request(text(full), &r, &why), 0);
    struct span rest = r.fields;
    while (http1_field_next(&rest, &name, &value)) {
        cr_assert_lt(n, 6u);
        expect_span(name, names[n++], "name");
    }
    cr_expect_eq(n, 6u);
    cr_expect_eq(rest.len, 0);
}

/* However a head is cut up, its end is found at the same byte, and no earlier;
   what follows it is not looked at. */
Test(http1, finds_the_end_split_at_every_byte)
{
    static const char more[] = "GET / HTTP/1.0\r\n\r\n";
    char both[sizeof(full) + sizeof(more)];
    size_t head = sizeof(full) - 1, len = head + sizeof(more) - 1;

    memcpy(both, full, head);
    memcpy(both + head, more, sizeof(more));
    for (size_t first = 0; first <= len; first++) {
        for (size_t second = first; second <= len; second++) {
            size_t seen = 0, end = http1_head_end(both, first, &seen);
            cr_assert_eq(end, first >= head ? head : 0, "first %zu", first);
            if (end == 0)
                end = http1_head_end(both, second, &seen);
            cr_assert_eq(end, second >= head ? head : 0, "first %zu second %zu", first, second);
        }
    }
    size_t seen = 0;
    for (size_t n = 0; n < head; n++)
        cr_assert_eq(http1_head_end(both, n, &seen), 0, "byte by byte, at %zu", n);
    cr_assert_eq(http1_head_end(both, head, &seen), head);
}

Test(http1, bare_line_feeds_end_a_head_and_are_refused)
{
    static const char *const heads[] = { "\n", "GET / HTTP/1.0\n\n", "GET / HTTP/1.0\r\n\n",
                                         "GET / HTTP/1.0\nA: b\r\n\r\n" };

    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        struct http1_request r;
        const char *why;
        size_t seen = 0;
        cr_expect_eq(http1_head_end(heads[i], strlen(heads[i]), &seen), strlen(heads[i]), "%zu", i);
        cr_expect_eq(http1_request(text(heads[i]), &r, &why), 400, "%zu", i);
    }
}

Test(http1, refuses_bad_heads)
{
    static const struct {
        const char *head;
        unsigned status;
    } bad[] = {
        { "", 400 },
        { "\r\n", 400 },
        { "\r\n\r\n", 400 },
        { "GET\r\n\r\n", 400 },
        { "GET /\r\n\r\n", 400 },                                   /* HTTP/0.9 */
        { "GET / \r\n\r\n", 400 },
        { " GET / HTTP/1.0\r\n\r\n", 400 },
        { "G(T / HTTP/1.0\r\n\r\n", 400 },
        { "GET  / HTTP/1.0\r\n\r\n", 400 },
        { "GET\t/ HTTP/1.0\r\n\r\n", 400 },
        { "GET / HTTP/1.0 \r\n\r\n", 400 },
        { "GET / x HTTP/1.0\r\n\r\n", 400 },
        { "GET / http/1.0\r\n\r\n", 400 },
        { "GET / HTTP/1\r\n\r\n", 400 },
        { "GET / HTTP/11\r\n\r\n", 400 },
        { "GET / HTTP/1.x\r\n\r\n", 400 },
        { "GET / HTTP/1.10\r\n\r\n", 400 },
        { "GET / HTTP/2.0\r\n\r\n", 505 },
        { "PRI * HTTP/2.0\r\n\r\n", 505 },
        { "GET index HTTP/1.0\r\n\r\n", 400 },
        { "GET * HTTP/1.0\r\n\r\n", 400 },
        { "GET /# HTTP/1.0\r\n\r\n", 400 },
        { "GET /\x01 HTTP/1.0\r\n\r\n", 400 },
        { "GET /\xc3\xa4 HTTP/1.0\r\n\r\n", 400 },
        { "GET ftp://h/ HTTP/1.0\r\n\r\n", 400 },
        { "GET http:///x HTTP/1.0\r\n\r\n", 400 },
        { "GET http:/x HTTP/1.0\r\n\r\n", 400 },
        { "CONNECT / HTTP/1.0\r\n\r\n", 400 },
        { "GET / HTTP/1.0\r\nA\r\n\r\n", 400 },
        { "GET / HTTP/1.0\r\n: b\r\n\r\n", 400 },
        { "GET / HTTP/1.0\r\nA : b\r\n\r\n", 400 },
        { "GET / HTTP/1.0\r\n A: b\r\n\r\n", 400 },                  /* folded */
        { "GET / HTTP/1.0\r\nA: b\r\n c\r\n\r\n", 400 },
        { "GET / HTTP/1.0\r\nA: b\rc\r\n\r\n", 400 },
        { "GET / HTTP/1.0\r\nA: b\x7f\r\n\r\n", 400 },
        { "GET / HTTP/1.0\r\nA\xe9: b\r\n\r\n", 400 },
        { "GET / HTTP/1.0\r\nA: b\r\n", 400 },                       /* no end */
        { "GET / HTTP/1.1\r\n\r\n", 400 },                           /* no Host */
        { "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400 },
        { "GET / HTTP/1.0\r\nContent-Length: \r\n\r\n", 400 },
        { "GET / HTTP/1.0\r\nContent-Length: -1\r\n\r\n", 400 },
        { "GET / HTTP/1.0\r\nContent-Length: +1\r\n\r\n", 400 },
        { "GET / HTTP/1.0\r\nContent-Length: 0x1\r\n\r\n", 400 },
        { "GET / HTTP/1.0\r\nContent-Length: 1 1\r\n\r\n", 400 },
        { "GET / HTTP/1.0\r\nContent-Length: 1, 1\r\n\r\n", 400 },
        { "GET / HTTP/1.0\r\nContent-Length: 9223372036854775808\r\n\r\n", 400 },
        { "GET / HTTP/1.0\r\nContent-Length: 18446744073709551617\r\n\r\n", 400 },
        { "GET / HTTP/1.0\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", 400 },
        { "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400 },
        { "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
          "Content-Length: 1\r\n\r\n", 400 },
        { "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
          "Transfer-Encoding: chunked\r\n\r\n",
          400 },
        { "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501 },
        { "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \r\n\r\n", 501 },
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct http1_request r;
        const char *why = NULL;
        unsigned got = http1_request(text(bad[i].head), &r, &why);
        cr_expect_eq(got, bad[i].status, "%zu: %u for \"%s\"", i, got, bad[i].head);
        cr_expect_not_null(why, "%zu: a refusal without a reason", i);
    }
}

Test(http1, a_nul_is_no_text)
{
    static const char in_value[] = "GET / HTTP/1.0\r\nA: b\0c\r\n\r\n";
    static const char in_name[] = "GET / HTTP/1.0\r\nA\0: b\r\n\r\n";
    static const char in_target[] = "GET /\0 HTTP/1.0\r\n\r\n";
    static const char in_method[] = "GET\0 / HTTP/1.0\r\n\r\n";
    const struct span heads[] = { { in_value, sizeof(in_value) - 1 },
                                  { in_name, sizeof(in_name) - 1 },
                                  { in_target, sizeof(in_target) - 1 },
                                  { in_method, sizeof(in_method) - 1 } };

    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        struct http1_request r;
        const char *why;
        cr_expect_eq(http1_request(heads[i], &r, &why), 400, "%zu", i);
    }
}

Test(http1, targets_in_every_form)
{
    static const struct {
        const char *method, *target, *path;
    } good[] = {
        { "GET", "/", "/" },
        { "GET", "/?", "/" },
        { "GET", "//x", "//x" },
        { "GET", "/a%20b;c?d?e", "/a%20b;c" },
        { "GET", "http://h", "/" },
        { "GET", "HTTPS://h:1/x?y", "/x" },
        { "GET", "http://h?y", "/" },
        { "OPTIONS", "*", "*" },
        { "CONNECT", "h:443", "" },
    };

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct http1_request r;
        const char *why;
        char head[128];
        snprintf(head, sizeof(head), "%s %s HTTP/1.0\r\n\r\n", good[i].method, good[i].target);
        cr_assert_eq(http1_request(text(head), &r, &why), 0, "%s: %s", good[i].target, why);
        expect_span(r.path, good[i].path, good[i].target);
    }
}

Test(http1, keep_alive_follows_version_and_connection)
{
    static const struct {
        const char *head;
        bool keep;
    } table[] = {
        { "GET / HTTP/1.1\r\nHost: a\r\n\r\n", true },
        { "GET / HTTP/1.2\r\nHost: a\r\n\r\n", true },
        { "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", false },
        { "GET / HTTP/1.1\r\nHost: a\r\nConnection: CLOSE\r\n"
          "Connection: keep-alive\r\n\r\n", false },
        { "GET / HTTP/1.1\r\nHost: a\r\nConnection: closed\r\n\r\n", true },
        { "GET / HTTP/1.0\r\n\r\n", false },
        { "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true },
        { "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false },
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct http1_request r;
        const char *why;
        cr_assert_eq(http1_request(text(table[i].head), &r, &why), 0);
        cr_expect_eq(r.keep_alive, table[i].keep, "%s", table[i].head);
        cr_expect_eq(r.body, HTTP1_BODY_NONE);
    }
}

Test(http1, a_chunked_body_is_seen)
{
    struct http1_request r;
    const char *why;

    cr_assert_eq(http1_request(text("PUT / HTTP/1.1\r\nHost: a\r\n"
                                    "Transfer-Encoding: Chunked\r\n\r\n"),
                               &r, &why), 0);
    cr_expect_eq(r.body, HTTP1_BODY_CHUNKED);
    cr_expect(r.keep_alive);
}
