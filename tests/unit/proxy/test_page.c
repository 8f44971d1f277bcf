#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/loop.h"
#include "proxy/page.h"
#include "proxy/page_text.h"

static const struct page_facts facts = {
    .connection = 0x2a00000007,
    .route = "web",
    .listener = "127.0.0.1:8443",
    .client = "127.0.0.1:50000",
    .version = "TLSv1.3",
    .suite = "TLS_AES_128_GCM_SHA256",
    .group = "x25519",
    .sni = "a<b>&\"'\\\n\xff",
    .identity = "cn:alice",
    .subject = "CN=alice",
    .not_after = 951782399,     /* the second before 29 February 2000 */
};

/* --- a client on the page's own loop --- */

struct client {
    struct loop *loop;
    struct loop_fd *io;
    struct loop_timer *timer;
    struct list pages;
    int fd;
    bool ended, reset, late;
    size_t len;
    char got[256 * 1024];
};

static void on_answer(void *arg, unsigned ready)
{
    struct client *c = arg;
    ssize_t n = read(c->fd, c->got + c->len, sizeof(c->got) - 1 - c->len);

    (void)ready;
    if (n > 0) {
        c->len += (size_t)n;
        return;
    }
    c->reset = n < 0 && errno == ECONNRESET;
    c->ended = true;
    loop_stop(c->loop);
}

static void on_late(void *arg)
{
    struct client *c = arg;

    c->late = true;
    loop_stop(c->loop);
}

static void stop(void *arg)
{
    loop_stop(arg);
}

static struct client *client_new(void)
{
    struct client *c = calloc(1, sizeof(*c));
    struct err e;

    c->loop = loop_new(&e);
    cr_assert_not_null(c->loop);
    list_init(&c->pages);
    c->fd = page_open(c->loop, &c->pages, &facts);
    cr_assert_geq(c->fd, 0);
    c->io = loop_fd_new(c->loop, c->fd, on_answer, c);
    c->timer = loop_timer_new(c->loop, on_late, c);
    loop_fd_want(c->io, LOOP_READ);
    return c;
}

static void client_send(struct client *c, const char *bytes, size_t len)
{
    cr_assert_eq(write(c->fd, bytes, len), (ssize_t)len);
}

/* Until the page closes its end. */
static char *client_rest(struct client *c)
{
    loop_timer_set(c->timer, 10000);
    while (!c->ended && !c->late)
        loop_run(c->loop);
    cr_assert(c->ended, "the page did not close; so far: %s", c->got);
    cr_expect_not(c->reset, "the page reset the connection");
    c->got[c->len] = '\0';
    return c->got;
}

/* A few turns, so that what was sent has been dealt with. */
static void client_turns(struct client *c)
{
    for (int i = 0; i < 3; i++) {
        struct loop_task task;
        loop_task_init(&task, stop, c->loop);
        loop_later(c->loop, &task);
        loop_run(c->loop);
    }
}

static void client_free(struct client *c)
{
    loop_fd_free(c->io);
    loop_timer_free(c->timer);
    close(c->fd);
    client_turns(c);
    cr_expect(list_empty(&c->pages), "the page outlives its peer");
    pages_close(&c->pages);
    loop_free(c->loop);
    free(c);
}

/* Everything that is said to one burst of bytes. */
static char *said(const char *request)
{
    struct client *c = client_new();

    client_send(c, request, strlen(request));
    char *answer = strdup(client_rest(c));
    client_free(c);
    return answer;
}

static size_t content_length(const char *answer)
{
    const char *h = strstr(answer, "\r\nContent-Length: ");

    cr_assert_not_null(h, "%s", answer);
    return strtoul(h + strlen("\r\nContent-Length: "), NULL, 10);
}

static const char *body_of(const char *answer)
{
    const char *b = strstr(answer, "\r\n\r\n");

    cr_assert_not_null(b, "%s", answer);
    return b + 4;
}

static void expect_in(const char *where, const char *what)
{
    cr_expect_not_null(strstr(where, what), "\"%s\" is not in: %s", what, where);
}

#define expect_status(answer, status) \
    cr_expect_eq(strncmp(answer, "HTTP/1.1 " status, strlen("HTTP/1.1 " status)), 0, "%s", answer)

/* --- tests --- */

Test(page, shows_the_facts_escaped)
{
    char *a = said("GET / HTTP/1.1\r\nHost: x\r\nAccept: text/html,*/*;q=0.8\r\n"
                   "Connection: close\r\n\r\n");

    expect_status(a, "200 OK\r\n");
    expect_in(a, "\r\nContent-Type: text/html; charset=utf-8\r\n");
    expect_in(a, "\r\nConnection: close\r\n");
    expect_in(a, "<dd>TLS_AES_128_GCM_SHA256</dd>");
    expect_in(a, "<dd>a&lt;b&gt;&amp;&quot;&#39;\\x5c\\x0a\\xff</dd>");
    expect_in(a, "<dd>2000-02-28T23:59:59Z</dd>");
    expect_in(a, "<dd>none agreed</dd>");
    cr_expect_eq(content_length(a), strlen(body_of(a)));
    cr_expect_null(strstr(a, "http://"), "no external resources");
    cr_expect_null(strstr(a, "https://"), "no external resources");
    free(a);
}

Test(page, is_plain_text_for_a_command_line)
{
    char *a = said("GET / HTTP/1.1\r\nHost: x\r\nAccept: */*\r\nConnection: close\r\n\r\n");

    expect_in(a, "\r\nContent-Type: text/plain; charset=utf-8\r\n");
    expect_in(a, "\nCipher suite        TLS_AES_128_GCM_SHA256\n");
    expect_in(a, "\nServer name (SNI)   a<b>&\"'\\x5c\\x0a\\xff\n");
    cr_expect_eq(content_length(a), strlen(body_of(a)));
    free(a);
}

static const char json[] =
    "{\n"
    "  \"version\": \"TLSv1.3\",\n"
    "  \"suite\": \"TLS_AES_128_GCM_SHA256\",\n"
    "  \"group\": \"x25519\",\n"
    "  \"resumed\": false,\n"
    "  \"sni\": \"a<b>&\\\"'\\\\x5c\\\\x0a\\\\xff\",\n"
    "  \"alpn\": null,\n"
    "  \"identity\": \"cn:alice\",\n"
    "  \"subject\": \"CN=alice\",\n"
    "  \"not_after\": \"2000-02-28T23:59:59Z\",\n"
    "  \"client\": \"127.0.0.1:50000\",\n"
    "  \"listener\": \"127.0.0.1:8443\",\n"
    "  \"route\": \"web\",\n"
    "  \"connection\": \"2a00000007\"\n"
    "}\n";

Test(page, says_the_same_as_json)
{
    static const char *const requests[] = {
        "GET /json HTTP/1.0\r\n\r\n",
        "GET /json?pretty HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.0\r\nAccept: application/json\r\n\r\n",
        "GET http://any/json HTTP/1.0\r\nAccept: text/html\r\n\r\n",
    };

    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        char *a = said(requests[i]);
        expect_status(a, "200 OK\r\n");
        expect_in(a, "\r\nContent-Type: application/json\r\n");
        cr_expect_str_eq(body_of(a), json, "%s", requests[i]);
        free(a);
    }
    char *a = said("GET / HTTP/1.0\r\nAccept: text/html, application/json;q=0.9\r\n\r\n");
    expect_in(a, "<!DOCTYPE html>");
    free(a);
}

Test(page, head_has_the_length_and_no_body)
{
    char *get = said("GET / HTTP/1.0\r\n\r\n"), *head = said("HEAD / HTTP/1.0\r\n\r\n");

    cr_expect_eq(content_length(head), content_length(get));
    cr_expect_str_empty(body_of(head));
    free(get);
    free(head);
}

Test(page, what_it_does_not_serve)
{
    static const struct {
        const char *request, *status;
    } table[] = {
        { "GET /favicon.ico HTTP/1.0\r\n\r\n", "404 " },
        { "GET /jsonx HTTP/1.0\r\n\r\n", "404 " },
        { "DELETE / HTTP/1.0\r\n\r\n", "405 " },
        { "get / HTTP/1.0\r\n\r\n", "405 " },
        { "OPTIONS * HTTP/1.0\r\n\r\n", "405 " },
        { "CONNECT a:1 HTTP/1.0\r\n\r\n", "405 " },
        { "GET / HTTP/1.1\r\n\r\n", "400 " },
        { "GET / HTTP/1.0\n\n", "400 " },
        { "\x16\x03\x01\n\n", "400 " },
        { "PRI * HTTP/2.0\r\n\r\n", "505 " },
        { "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", "501 " },
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        char *a = said(table[i].request);
        cr_expect_eq(strncmp(a, "HTTP/1.1 ", 9), 0);
        cr_expect_eq(strncmp(a + 9, table[i].status, 4), 0, "%s: %s", table[i].request, a);
        expect_in(a, "\r\nConnection: close\r\n");
        cr_expect_eq(content_length(a), strlen(body_of(a)));
        free(a);
    }
    char *a = said("PUT / HTTP/1.0\r\n\r\n");
    expect_in(a, "\r\nAllow: GET, HEAD\r\n");
    free(a);
}

Test(page, pipelined_requests_are_answered_in_order)
{
    char *a = said("\r\nGET /json HTTP/1.1\r\nHost: x\r\n\r\n"
                   "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nGET /"
                   "GET /no HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
                   "HEAD /json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
                   "GET /never HTTP/1.0\r\n\r\n");
    const char *one = strstr(a, "HTTP/1.1 200"), *two = strstr(a, "HTTP/1.1 405");
    const char *three = strstr(a, "HTTP/1.1 404");
    const char *four = one ? strstr(one + 1, "HTTP/1.1 200") : NULL;

    cr_assert(one && two && three && four, "%s", a);
    cr_expect(one == a && one < two && two < three && three < four, "%s", a);
    cr_expect_eq(body_of(four)[0], '\0', "after Connection: close came %s", body_of(four));
    free(a);
}

/* The end of an answer never overtakes what the client still has to say: closing
   with unread bytes would be a reset. */
Test(page, a_body_it_cannot_skip_ends_the_connection_in_order)
{
    static const char *const requests[] = {
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 65537\r\n\r\nhello",
        "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello",
    };

    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        char *a = said(requests[i]);
        expect_in(a, "\r\nConnection: close\r\n");
        cr_expect_eq(content_length(a), strlen(body_of(a)), "one answer and no more");
        free(a);
    }
}

Test(page, a_head_has_16_kib)
{
    char *request = malloc(20000);
    static const char line[] = "GET /json HTTP/1.0\r\nA: ";

    for (size_t len = 16383; len <= 16385; len++) {
        memset(request, 'a', len);
        memcpy(request, line, sizeof(line) - 1);
        memcpy(request + len - 4, "\r\n\r\n", 5);
        char *a = said(request);
        if (len <= 16384)
            expect_status(a, "200 ");
        else
            expect_status(a, "431 ");
        free(a);
    }
    free(request);
}

Test(page, requests_split_at_every_byte)
{
    static const char request[] = "GET /json HTTP/1.1\r\nHost: x\r\n\r\n"
                                  "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
                                  "GET /json HTTP/1.0\r\n\r\n";
    size_t whole = 0;

    for (size_t cut = 0; cut < sizeof(request); cut++) {
        struct client *c = client_new();
        client_send(c, request, cut);
        client_turns(c);
        if (cut < sizeof(request) - 1)
            client_send(c, request + cut, sizeof(request) - 1 - cut);
        const char *a = client_rest(c);
        whole = whole != 0 ? whole : c->len;
        cr_assert_eq(c->len, whole, "cut at %zu: %s", cut, a);
        cr_assert_str_eq(a + c->len - strlen(json), json);
        client_free(c);
    }
}

Test(page, peers_that_leave_leave_nothing_behind)
{
    static const char *const beginnings[] = {
        "", "GET", "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\na",
    };

    for (size_t i = 0; i < 2 * sizeof(beginnings) / sizeof(beginnings[0]); i++) {
        struct client *c = client_new();
        client_send(c, beginnings[i / 2], strlen(beginnings[i / 2]));
        if (i % 2)
            client_turns(c);
        client_free(c);
    }
}

Test(page, closes_on_its_owners_word)
{
    struct client *c = client_new();
    int other = page_open(c->loop, &c->pages, &facts);

    client_send(c, "GET", 3);
    client_turns(c);
    pages_close(&c->pages);
    cr_expect(list_empty(&c->pages));
    char byte;
    cr_expect_eq(read(other, &byte, 1), 0);
    close(other);
    client_free(c);
}

Test(page, says_nothing_it_does_not_know)
{
    static const struct page_facts none = { 0 };
    size_t len;
    char *text = page_json(&none, &len);

    cr_assert_not_null(text);
    cr_expect_eq(strlen(text), len);
    expect_in(text, "\"identity\": null,");
    expect_in(text, "\"not_after\": null,");
    free(text);
    text = page_html(&none, &len);
    cr_assert_not_null(text);
    cr_expect_eq(strlen(text), len);
    expect_in(text, "<dd>no client certificate</dd>");
    free(text);
}
