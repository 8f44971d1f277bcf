#include "proxy/page.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "net/stream.h"
#include "proto/http1.h"
#include "proxy/page_text.h"

#define HEAD_MAX 16384u
#define SKIP_MAX 65536u         /* of a request body, or of what comes after our last answer */
#define DEADLINE_MS 30000u

enum state {
    PAGE_HEAD,                  /* waiting for a whole request head in `in` */
    PAGE_BODY,                  /* passing over `skip` bytes of its body */
    PAGE_ANSWER,                /* sending `out` */
    PAGE_LINGER,                /* all is said: read on until the peer closes, so that the
                                   close is no reset */
    PAGE_OVER,
};

struct page {
    struct list link;
    struct loop *loop;
    struct stream s;
    struct loop_timer *deadline;
    struct loop_task end;
    struct page_facts facts;
    char *strings;              /* what `facts` points at */
    enum state state;
    bool close;                 /* after this answer */
    uint64_t skip;
    char *out;
    size_t out_len, out_sent;
    size_t in_len, in_seen;
    char in[HEAD_MAX];
};

static void page_free(struct page *p)
{
    list_remove(&p->link);
    loop_task_cancel(&p->end);
    loop_timer_free(p->deadline);
    stream_close(&p->s);
    free(p->strings);
    free(p->out);
    free(p);
}

static void page_end(void *arg)
{
    page_free(arg);
}

static void page_enter(struct page *p, enum state state)
{
    p->state = state;
    loop_timer_set(p->deadline, DEADLINE_MS);
}

/* --- the answer --- */

struct answer {
    unsigned status;
    const char *phrase, *type, *extra;  /* extra: further header lines */
    char *body;                         /* NULL with a body length: memory was out */
    size_t body_len;
};

static struct answer plain_answer(unsigned status, const char *phrase, const char *extra,
                                  const char *text)
{
    struct answer a = { .status = status, .phrase = phrase, .extra = extra,
                        .type = "text/plain; charset=utf-8" };

    if (asprintf(&a.body, "%s\n", text) < 0)
        a.body = NULL;
    else
        a.body_len = strlen(a.body);
    return a;
}

/* A browser names HTML; who names nothing in particular is a command line. */
static struct answer facts_as_asked(const struct page *p, const struct http1_request *r)
{
    struct answer a = { .status = 200, .phrase = "OK", .extra = "Vary: Accept\r\n" };
    struct span accept = { "", 0 };

    (void)http1_field(r, "accept", &accept);
    bool by_path = str_eq(r->path, "/json"), html = http1_list_has(accept, "text/html");

    if (by_path)
        a.extra = "";
    if (by_path || (!html && http1_list_has(accept, "application/json"))) {
        a.type = "application/json";
        a.body = page_json(&p->facts, &a.body_len);
    } else if (html) {
        a.type = "text/html; charset=utf-8";
        a.body = page_html(&p->facts, &a.body_len);
    } else {
        a.type = "text/plain; charset=utf-8";
        a.body = page_plain(&p->facts, &a.body_len);
    }
    return a;
}

static struct answer answer_to(const struct page *p, const struct http1_request *r)
{
    if (!str_eq(r->method, "GET") && !str_eq(r->method, "HEAD"))
        return plain_answer(405, "Method Not Allowed", "Allow: GET, HEAD\r\n",
                            "only GET and HEAD are answered here");
    if (!str_eq(r->path, "/") && !str_eq(r->path, "/json"))
        return plain_answer(404, "Not Found", "", "there is / and /json here, and nothing else");
    return facts_as_asked(p, r);
}

/* Puts head and body in p->out; without memory the connection is over. */
static void page_answer(struct page *p, struct answer a, bool with_body)
{
    char date[HTTP1_DATE_MAX];

    http1_date(time(NULL), date);
    int n = -1;
    if (a.body != NULL)
        n = asprintf(&p->out,
                     "HTTP/1.1 %u %s\r\nDate: %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                     "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
                     "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\n"
                     "Connection: %s\r\n%s\r\n%s",
                     a.status, a.phrase, date, a.type, a.body_len,
                     p->close ? "close" : "keep-alive", a.extra, with_body ? a.body : "");
    free(a.body);
    if (n < 0) {
        p->out = NULL;
        p->state = PAGE_OVER;
        return;
    }
    p->out_len = (size_t)n;
    p->out_sent = 0;
    page_enter(p, PAGE_ANSWER);
}

/* --- the request --- */

static void page_refuse(struct page *p, unsigned status, const char *why)
{
    const char *phrase = status == 431 ? "Request Header Fields Too Large"
        : status == 501                ? "Not Implemented"
        : status == 505                ? "HTTP Version Not Supported"
                                       : "Bad Request";

    p->close = true;
    page_answer(p, plain_answer(status, phrase, "", why), true);
}

static void in_consume(struct page *p, size_t n)
{
    memmove(p->in, p->in + n, p->in_len - n);
    p->in_len -= n;
    p->in_seen = 0;
}

/* A body is passed over where its length is known and small; else the connection
   ends with the answer. */
static void page_request(struct page *p, size_t head_len)
{
    struct http1_request r;
    const char *why;
    unsigned status = http1_request((struct span){ p->in, head_len }, &r, &why);

    if (status != 0) {
        page_refuse(p, status, why);
        return;
    }
    bool skippable = r.body == HTTP1_BODY_NONE
        || (r.body == HTTP1_BODY_LENGTH && r.body_length <= SKIP_MAX && !r.expect_continue);
    p->close = !r.keep_alive || !skippable;
    p->skip = skippable ? r.body_length : 0;
    page_answer(p, answer_to(p, &r), !str_eq(r.method, "HEAD"));
    in_consume(p, head_len);
}

/* --- one step each; true: go on, false: wait for the socket --- */

static bool page_over(struct page *p)
{
    p->state = PAGE_OVER;
    return false;
}

/* Read behind what is in `in`. */
static bool page_receive(struct page *p)
{
    size_t n = 0;
    enum stream_io io = stream_read(&p->s, p->in + p->in_len, HEAD_MAX - p->in_len, &n);

    if (io == STREAM_AGAIN)
        return false;
    if (io != STREAM_OK)
        return page_over(p);
    p->in_len += n;
    return true;
}

static bool step_head(struct page *p)
{
    size_t head_len = http1_head_end(p->in, p->in_len, &p->in_seen);

    if (head_len > 0)
        page_request(p, head_len);
    else if (p->in_len == HEAD_MAX)
        page_refuse(p, 431, "the request head is longer than 16 KiB");
    else
        return page_receive(p);
    return true;
}

static bool step_answer(struct page *p)
{
    size_t n = 0;
    enum stream_io io = stream_write(&p->s, p->out + p->out_sent, p->out_len - p->out_sent, &n);

    if (io == STREAM_AGAIN)
        return false;
    if (io != STREAM_OK)
        return page_over(p);
    p->out_sent += n;
    if (p->out_sent < p->out_len)
        return true;
    free(p->out);
    p->out = NULL;
    if (!p->close) {
        page_enter(p, p->skip > 0 ? PAGE_BODY : PAGE_HEAD);
        return true;
    }
    if (stream_shut(&p->s) == STREAM_ERROR)
        return page_over(p);
    p->skip = SKIP_MAX;
    page_enter(p, PAGE_LINGER);
    return true;
}

/* Pass over bytes; true when `skip` of them are gone. */
static bool pass_over(struct page *p)
{
    size_t n = p->in_len < p->skip ? p->in_len : (size_t)p->skip;

    in_consume(p, n);
    p->skip -= n;
    return p->skip == 0;
}

static bool step_body(struct page *p)
{
    if (!pass_over(p))
        return page_receive(p);
    page_enter(p, PAGE_HEAD);
    return true;
}

static bool step_linger(struct page *p)
{
    return pass_over(p) ? page_over(p) : page_receive(p);
}

static void page_turn(void *owner)
{
    static bool (*const steps[])(struct page *) = {
        [PAGE_HEAD] = step_head,
        [PAGE_BODY] = step_body,
        [PAGE_ANSWER] = step_answer,
        [PAGE_LINGER] = step_linger,
    };
    struct page *p = owner;

    while (p->state != PAGE_OVER && steps[p->state](p))
        ;
    if (p->state != PAGE_OVER
        && stream_want(&p->s, p->state == PAGE_ANSWER ? LOOP_WRITE : LOOP_READ) == 0)
        return;
    p->state = PAGE_OVER;
    loop_later(p->loop, &p->end);
}

static void page_late(void *arg)
{
    struct page *p = arg;

    p->state = PAGE_OVER;
    loop_later(p->loop, &p->end);
}

/* --- opening --- */

static char *copy_string(const char **s, char *to)
{
    if (*s == NULL)
        return to;
    size_t n = strlen(*s) + 1;
    memcpy(to, *s, n);
    *s = to;
    return to + n;
}

/* One block holds all the strings. */
static int copy_facts(struct page *p, const struct page_facts *facts)
{
    struct page_facts *f = &p->facts;
    const char **strings[] = { &f->route, &f->listener, &f->client, &f->version, &f->suite,
                               &f->group, &f->sni, &f->alpn, &f->identity, &f->subject };
    const size_t count = sizeof(strings) / sizeof(strings[0]);
    size_t size = 1;

    *f = *facts;
    for (size_t i = 0; i < count; i++)
        size += *strings[i] != NULL ? strlen(*strings[i]) + 1 : 0;
    p->strings = malloc(size);
    if (p->strings == NULL)
        return -1;
    char *to = p->strings;
    for (size_t i = 0; i < count; i++)
        to = copy_string(strings[i], to);
    return 0;
}

/* Takes fd, even when it fails. */
static struct page *page_new(struct loop *l, int fd, const struct page_facts *facts)
{
    struct page *p = calloc(1, sizeof(*p));

    if (p == NULL) {
        close(fd);
        return NULL;
    }
    list_init(&p->link);
    loop_task_init(&p->end, page_end, p);
    p->loop = l;
    p->deadline = loop_timer_new(l, page_late, p);
    if (stream_open(&p->s, l, fd, page_turn, p) != 0 || p->deadline == NULL
        || copy_facts(p, facts) != 0 || loop_timer_set(p->deadline, DEADLINE_MS) != 0
        || stream_want(&p->s, LOOP_READ) != 0) {
        page_free(p);
        return NULL;
    }
    return p;
}

int page_open(struct loop *l, struct list *pages, const struct page_facts *facts)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0)
        return -1;
    struct page *p = page_new(l, pair[1], facts);
    if (p == NULL) {
        close(pair[0]);
        errno = ENOMEM;
        return -1;
    }
    list_append(pages, &p->link);
    return pair[0];
}

void pages_close(struct list *pages)
{
    LIST_EACH (pos, next, pages)
        page_free(LIST_OF(struct page, link, pos));
}
