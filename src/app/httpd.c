#include "app/httpd.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/list.h"
#include "net/sock.h"
#include "net/stream.h"

#define ANSWER_MS 30000u        /* for the peer to take it */
#define LINGER_MS 2000u
#define ACCEPT_BATCH 32
#define ACCEPT_PAUSE_MS 100u    /* after an accept() that may fail for a while */

enum state {
    CALL_HEAD,                  /* waiting for a whole head in `in` */
    CALL_BODY,                  /* passing over `skip` bytes of the body */
    CALL_WAITING,               /* for the owner's answer */
    CALL_ANSWER,                /* sending `out` */
    CALL_LINGER,                /* reading on until the peer closes: the close is no reset then */
    CALL_OVER,
};

struct httpd_call {
    struct list link;
    struct httpd *httpd;
    struct stream s;
    struct loop_timer *deadline;
    struct loop_task end;
    enum state state;
    size_t door;
    struct http1_request request;   /* its spans lie in `in` */
    bool no_body;               /* of the answer: it was a HEAD */
    bool heard_all;             /* the peer ended its direction while it waits */
    uint64_t skip;
    char *out;
    size_t out_len, out_sent;
    size_t in_len, in_seen;
    char in[HTTPD_HEAD_MAX];
};

struct door {
    struct httpd *httpd;
    struct loop_fd *io;
    int fd;
};

struct httpd {
    struct loop *loop;
    struct httpd_events ev;
    struct door *doors;
    size_t ndoors;
    struct list calls;          /* oldest first */
    size_t ncalls;
    struct loop_timer *pause;   /* until accepting is tried again */
};

/* --- life of a call --- */

static void call_free(struct httpd_call *c)
{
    if (!list_empty(&c->link))
        c->httpd->ncalls--;
    list_remove(&c->link);
    loop_task_cancel(&c->end);
    loop_timer_free(c->deadline);
    stream_close(&c->s);
    free(c->out);
    free(c);
}

static void call_end(void *arg)
{
    call_free(arg);
}

/* Always false, for the steps below. It counts no longer; freed at the end of the turn. */
static bool call_over(struct httpd_call *c)
{
    bool awaited = c->state == CALL_WAITING;

    if (c->state == CALL_OVER)
        return false;
    c->state = CALL_OVER;
    stream_close(&c->s);
    loop_timer_clear(c->deadline);
    loop_later(c->httpd->loop, &c->end);
    if (awaited)
        c->httpd->ev.gone(c->httpd->ev.arg, c);
    return false;
}

static void call_late(void *arg)
{
    (void)call_over(arg);
}

/* --- the answer --- */

static const char *phrase_of(unsigned status)
{
    static const struct {
        unsigned status;
        const char *phrase;
    } phrases[] = {
        { 200, "OK" },
        { 400, "Bad Request" },
        { 403, "Forbidden" },
        { 404, "Not Found" },
        { 405, "Method Not Allowed" },
        { 409, "Conflict" },
        { 411, "Length Required" },
        { 413, "Content Too Large" },
        { 431, "Request Header Fields Too Large" },
        { 500, "Internal Server Error" },
        { 501, "Not Implemented" },
        { 503, "Service Unavailable" },
        { 505, "HTTP Version Not Supported" },
    };

    for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++)
        if (phrases[i].status == status)
            return phrases[i].phrase;
    return "Answer";
}

static unsigned interest(const struct httpd_call *c)
{
    if (c->state == CALL_ANSWER)
        return LOOP_WRITE;
    return c->state == CALL_WAITING && c->heard_all ? 0 : LOOP_READ;
}

static bool step_answer(struct httpd_call *c)
{
    size_t n = 0;
    enum stream_io io = stream_write(&c->s, c->out + c->out_sent, c->out_len - c->out_sent, &n);

    if (io == STREAM_AGAIN)
        return false;
    if (io != STREAM_OK)
        return call_over(c);
    c->out_sent += n;
    if (c->out_sent < c->out_len)
        return true;
    if (stream_shut(&c->s) == STREAM_ERROR)
        return call_over(c);
    c->state = CALL_LINGER;
    c->skip = HTTPD_BODY_MAX;
    loop_timer_set(c->deadline, LINGER_MS);
    return true;
}

bool httpd_is_local(const struct httpd_call *c)
{
    struct addr ours;

    return sock_local_addr(c->s.fd, &ours) == 0 && addr_is_local(&ours);
}

void httpd_answer(struct httpd_call *c, const struct httpd_answer *a)
{
    char date[HTTP1_DATE_MAX];

    http1_date(time(NULL), date);
    c->state = CALL_ANSWER;
    int n = asprintf(&c->out,
                     "HTTP/1.1 %u %s\r\nDate: %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                     "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
                     "Connection: close\r\n%s\r\n%.*s",
                     a->status, phrase_of(a->status), date, a->type, a->len,
                     a->extra ? a->extra : "", c->no_body ? 0 : (int)a->len, a->body);
    if (n < 0) {
        c->out = NULL;
        (void)call_over(c);
        return;
    }
    c->out_len = (size_t)n;
    loop_timer_set(c->deadline, ANSWER_MS);
    /* At once, for whoever answers may be about to end. */
    while (c->state == CALL_ANSWER && step_answer(c))
        ;
    if (c->state != CALL_OVER && stream_want(&c->s, interest(c)) != 0)
        (void)call_over(c);
}

void httpd_say(struct httpd_call *c, unsigned status, const char *text)
{
    char line[512];
    int n = snprintf(line, sizeof(line), "%s\n", text);
    struct httpd_answer a = {
        .status = status,
        .type = "text/plain; charset=utf-8",
        .body = line,
        .len = n < (int)sizeof(line) ? (size_t)n : sizeof(line) - 1,
    };

    httpd_answer(c, &a);
}

/* --- one step each; true: go on, false: wait for the socket --- */

static bool receive(struct httpd_call *c, char *to, size_t cap, size_t *n)
{
    switch (stream_read(&c->s, to, cap, n)) {
    case STREAM_OK:
        return true;
    case STREAM_AGAIN:
        return false;
    default:
        return call_over(c);
    }
}

static bool refuse(struct httpd_call *c, unsigned status, const char *why)
{
    httpd_say(c, status, why);
    return true;
}

static bool take_request(struct httpd_call *c, size_t head_len)
{
    struct http1_request *r = &c->request;
    const char *why;
    unsigned status = http1_request((struct span){ c->in, head_len }, r, &why);

    if (status != 0)
        return refuse(c, status, why);
    if (r->body == HTTP1_BODY_CHUNKED)
        return refuse(c, 411, "a body needs a Content-Length");
    if (r->body_length > HTTPD_BODY_MAX)
        return refuse(c, 413, "the body is longer than 64 KiB");
    size_t came = c->in_len - head_len;
    c->skip = r->body_length > came ? r->body_length - came : 0;
    c->no_body = str_eq(r->method, "HEAD");
    c->state = CALL_BODY;
    return true;
}

static bool step_head(struct httpd_call *c)
{
    size_t n = 0, head_len = http1_head_end(c->in, c->in_len, &c->in_seen);

    if (head_len > 0)
        return take_request(c, head_len);
    if (c->in_len == sizeof(c->in))
        return refuse(c, 431, "the request head is longer than 16 KiB");
    if (!receive(c, c->in + c->in_len, sizeof(c->in) - c->in_len, &n))
        return false;
    c->in_len += n;
    return true;
}

/* Read and forget, at most `skip` bytes. */
static bool pass_over(struct httpd_call *c)
{
    char waste[4096];
    size_t n = 0, most = c->skip < sizeof(waste) ? (size_t)c->skip : sizeof(waste);

    if (!receive(c, waste, most, &n))
        return false;
    c->skip -= n;
    return true;
}

static bool step_body(struct httpd_call *c)
{
    if (c->skip > 0)
        return pass_over(c);
    loop_timer_clear(c->deadline);
    c->state = CALL_WAITING;
    c->skip = HTTPD_BODY_MAX;   /* of whatever it may say while it waits */
    c->httpd->ev.request(c->httpd->ev.arg, c, &c->request, c->door);
    return true;
}

/* Both directions are closed. A peer that closed one may still wait. */
static bool has_hung_up(const struct httpd_call *c)
{
    struct pollfd p = { .fd = c->s.fd };

    return poll(&p, 1, 0) == 1 && (p.revents & (POLLERR | POLLHUP));
}

static bool step_waiting(struct httpd_call *c)
{
    char waste[256];
    size_t n = 0;

    switch (stream_read(&c->s, waste, sizeof(waste), &n)) {
    case STREAM_OK:
        c->skip -= n < c->skip ? n : (size_t)c->skip;
        return c->skip > 0 ? true : call_over(c);
    case STREAM_AGAIN:
        return false;
    case STREAM_EOF:
        if (has_hung_up(c))
            return call_over(c);
        c->heard_all = true;
        return false;
    default:
        return call_over(c);
    }
}

static bool step_linger(struct httpd_call *c)
{
    return c->skip > 0 ? pass_over(c) : call_over(c);
}

static void call_turn(void *owner)
{
    static bool (*const steps[])(struct httpd_call *) = {
        [CALL_HEAD] = step_head,
        [CALL_BODY] = step_body,
        [CALL_WAITING] = step_waiting,
        [CALL_ANSWER] = step_answer,
        [CALL_LINGER] = step_linger,
    };
    struct httpd_call *c = owner;

    while (c->state != CALL_OVER && steps[c->state](c))
        ;
    if (c->state != CALL_OVER && stream_want(&c->s, interest(c)) != 0)
        (void)call_over(c);
}

/* --- accepting --- */

/* Who has not even finished asking makes room for who comes now. */
static bool make_room(struct httpd *h)
{
    if (h->ncalls < HTTPD_CONNS_MAX)
        return true;
    LIST_EACH(pos, tmp, &h->calls) {
        struct httpd_call *c = LIST_OF(struct httpd_call, link, pos);
        if (c->state != CALL_WAITING && c->state != CALL_ANSWER) {
            call_free(c);
            return true;
        }
    }
    return false;
}

static void call_begin(struct door *d, int fd)
{
    struct httpd *h = d->httpd;
    struct httpd_call *c = make_room(h) ? calloc(1, sizeof(*c)) : NULL;

    if (c == NULL) {
        close(fd);
        return;
    }
    c->httpd = h;
    c->door = (size_t)(d - h->doors);
    list_init(&c->link);
    loop_task_init(&c->end, call_end, c);
    c->deadline = loop_timer_new(h->loop, call_late, c);
    if (stream_open(&c->s, h->loop, fd, call_turn, c) != 0 || c->deadline == NULL
        || loop_timer_set(c->deadline, HTTPD_REQUEST_MS) != 0
        || stream_want(&c->s, LOOP_READ) != 0) {
        call_free(c);
        return;
    }
    list_append(&h->calls, &c->link);
    h->ncalls++;
}

static void watch_doors(struct httpd *h, unsigned want)
{
    for (size_t i = 0; i < h->ndoors; i++)
        (void)loop_fd_want(h->doors[i].io, want);
}

static void on_pause_over(void *arg)
{
    watch_doors(arg, LOOP_READ);
}

static void on_knock(void *arg, unsigned ready)
{
    struct door *d = arg;
    struct peer from;

    (void)ready;
    for (int i = 0; i < ACCEPT_BATCH; i++) {
        int fd = sock_accept(d->fd, &from);
        if (fd >= 0) {
            call_begin(d, fd);
        } else if (errno != ECONNABORTED) {
            if (errno != EAGAIN) {
                watch_doors(d->httpd, 0);
                loop_timer_set(d->httpd->pause, ACCEPT_PAUSE_MS);
            }
            return;
        }
    }
}

/* --- life --- */

struct httpd *httpd_new(struct loop *l, const int *fds, size_t n, const struct httpd_events *ev,
                        struct err *e)
{
    struct httpd *h = calloc(1, sizeof(*h));
    struct door *doors = calloc(n ? n : 1, sizeof(*doors));

    if (h == NULL || doors == NULL) {
        for (size_t i = 0; i < n; i++)
            close(fds[i]);
        free(doors);
        free(h);
        err_setx(e, "memory is out");
        return NULL;
    }
    *h = (struct httpd){ .loop = l, .ev = *ev, .doors = doors, .ndoors = n };
    list_init(&h->calls);
    h->pause = loop_timer_new(l, on_pause_over, h);
    bool ok = h->pause != NULL;
    for (size_t i = 0; i < n; i++) {
        doors[i] = (struct door){ .httpd = h, .fd = fds[i] };
        doors[i].io = loop_fd_new(l, fds[i], on_knock, &doors[i]);
        ok = ok && doors[i].io != NULL && loop_fd_want(doors[i].io, LOOP_READ) == 0;
    }
    if (ok)
        return h;
    err_setx(e, "memory is out");
    httpd_free(h);
    return NULL;
}

void httpd_free(struct httpd *h)
{
    if (h == NULL)
        return;
    LIST_EACH(pos, tmp, &h->calls)
        call_free(LIST_OF(struct httpd_call, link, pos));
    for (size_t i = 0; i < h->ndoors; i++) {
        loop_fd_free(h->doors[i].io);
        close(h->doors[i].fd);
    }
    loop_timer_free(h->pause);
    free(h->doors);
    free(h);
}
