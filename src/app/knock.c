#include "app/knock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "net/dial.h"
#include "net/stream.h"
#include "proto/probe.h"
#include "tls/tls_stream.h"

#define HOST_MAX 256u

enum step { CONNECTING, SHAKING, ASKING, DONE };

struct knock {
    struct loop *loop;
    struct knock_at at;         /* its pointers are to what follows, but for tls */
    struct addr addr;
    char host[HOST_MAX], path[CHECK_PATH_MAX + 1], sni[HOST_MAX];
    knock_fn *fn;
    void *arg;

    enum step step;
    struct stream stream;
    struct loop_timer *timer;
    struct loop_task report;
    struct err why;             /* empty: it is up */
    bool session;

    enum probe_kind probe;
    uint8_t out[PROBE_ASK_MAX + 32];    /* a PROXY header goes before the question */
    size_t nout, sent;
    uint8_t in[PROBE_ANSWER_MAX];
    size_t nin;
};

static void go_on(void *arg);

/* --- its end --- */

static void report(void *arg)
{
    struct knock *k = arg;
    struct err why = k->why;
    struct knock_result r = {
        .why = why.text[0] != '\0' ? why.text : NULL, .session = k->session
    };
    knock_fn *fn = k->fn;
    void *fn_arg = k->arg;

    knock_free(k);
    fn(fn_arg, &r);
}

/* With why in k->why, or up. */
static void finish(struct knock *k)
{
    k->step = DONE;
    loop_timer_clear(k->timer);
    stream_close(&k->stream);
    loop_later(k->loop, &k->report);
}

static const char *connect_words(int code)
{
    switch (code) {
    case ECONNREFUSED: return "refused the connection";
    case ENOENT: return "there is no such socket";
    case EAGAIN: return "its queue of connections is full";
    case EHOSTUNREACH:
    case ENETUNREACH: return "there is no way to it";
    case ECONNRESET: return "reset the connection";
    case ETIMEDOUT: return "the connection timed out";
    default: return NULL;
    }
}

static void lost(struct knock *k, int code)
{
    const char *words = connect_words(code);

    if (words != NULL)
        err_setx(&k->why, "%s", words);
    else
        err_setx(&k->why, "the connection failed: %s", code != 0 ? strerror(code) : "it broke");
    finish(k);
}

static void on_timer(void *arg)
{
    struct knock *k = arg;
    char text[DURATION_TEXT_MAX];

    duration_text(k->at.timeout_ms, text);
    switch (k->step) {
    case CONNECTING: err_setx(&k->why, "no connection within %s", text); break;
    case SHAKING: err_setx(&k->why, "no TLS handshake within %s", text); break;
    default:
        err_setx(&k->why, "timed out: %s did not come within %s", probe_awaited(k->probe), text);
        break;
    }
    finish(k);
}

/* --- connect --- */

static void dial(struct knock *k)
{
    int fd = dial_connect(k->at.dialler, &k->addr);

    k->step = CONNECTING;
    if (fd < 0)
        lost(k, errno);
    else if (stream_open(&k->stream, k->loop, fd, go_on, k) != 0
             || stream_want(&k->stream, LOOP_WRITE) != 0)
        lost(k, ENOMEM);
}

/* A header that names nobody: who connects is the proxy itself. */
static void put_proxy_header(struct knock *k)
{
    static const char v1[] = "PROXY UNKNOWN\r\n";
    static const uint8_t v2[16] = { '\r', '\n', '\r', '\n', 0, '\r', '\n', 'Q',
                                    'U', 'I', 'T', '\n', 0x20, 0, 0, 0 };   /* LOCAL */

    if (k->at.proxy_protocol == PROXY_V1)
        memcpy(k->out, v1, k->nout = sizeof(v1) - 1);
    else if (k->at.proxy_protocol == PROXY_V2)
        memcpy(k->out, v2, k->nout = sizeof(v2));
}

static bool has_question(const struct knock *k)
{
    return k->at.kind != CHECK_TCP && k->at.kind != CHECK_TLS;
}

/* What goes out first: in plaintext even where TLS follows. */
static void prepare(struct knock *k)
{
    k->nout = k->sent = k->nin = 0;
    if (k->at.kind != CHECK_TCP)
        put_proxy_header(k);
}

/* Behind it, inside of TLS where that is spoken. */
static void prepare_question(struct knock *k)
{
    struct probe_to to = { .host = k->host, .path = k->path, .tls = k->at.tls != NULL };

    if (has_question(k))
        k->nout += probe_ask(k->probe, &to, k->out + k->nout);
}

/* --- one step after the other --- */

/* STREAM_OK: all of it is sent. */
static enum stream_io send_out(struct knock *k)
{
    while (k->sent < k->nout) {
        size_t n = 0;
        enum stream_io io = stream_write(&k->stream, k->out + k->sent, k->nout - k->sent, &n);
        if (io != STREAM_OK)
            return io;
        k->sent += n;
    }
    return STREAM_OK;
}

static void connected(struct knock *k)
{
    int code = stream_take_error(&k->stream);

    if (code != 0) {
        lost(k, code);
        return;
    }
    prepare(k);
    k->step = k->at.tls != NULL ? SHAKING : ASKING;
    if (k->step == ASKING)
        prepare_question(k);
    else if (send_out(k) != STREAM_OK)
        lost(k, k->stream.sys_errno);   /* a few bytes always have room in a new socket */
    else {
        struct tls_dial d = { .name = k->host, .sni = k->sni[0] ? k->sni : NULL,
                              .server = k->host };
        if (tls_stream_connect(&k->stream, k->at.tls, &d) != 0)
            lost(k, ENOMEM);
    }
}

static void shake(struct knock *k)
{
    switch (stream_handshake(&k->stream)) {
    case STREAM_OK:
        k->step = ASKING;
        k->nout = k->sent = 0;
        prepare_question(k);
        break;
    case STREAM_AGAIN:
        if (stream_want(&k->stream, stream_read_interest(&k->stream)) != 0)
            lost(k, ENOMEM);
        break;
    default: {
        const struct tls_failure *f = tls_stream_failure(&k->stream, false);
        /* It answers TLS, to those that it knows. */
        if (f->cause != TLS_CAUSE_SERVER_WANTS_CERT || k->at.kind != CHECK_TLS)
            err_setx(&k->why, "TLS: %s", f->text);
        finish(k);
        break;
    }
    }
}

/* It is up, and is told so where that is polite. */
static void up(struct knock *k)
{
    k->sent = 0;
    k->nout = has_question(k) ? probe_goodbye(k->probe, k->out) : 0;
    if (send_out(k) == STREAM_OK && k->at.tls != NULL)
        (void)stream_shut(&k->stream);
    k->why.text[0] = '\0';
    finish(k);
}

/* Its answer was that it must be asked in another way, within the same time. */
static void ask_otherwise(struct knock *k)
{
    k->session = true;
    k->probe = PROBE_ZOOKEEPER_SESSION;
    stream_close(&k->stream);
    dial(k);
}

/* False: nothing more for now, or it is over. */
static bool judged(struct knock *k)
{
    switch (probe_judge(k->probe, k->in, k->nin, &k->why)) {
    case PROBE_UP: up(k); return true;
    case PROBE_DOWN: finish(k); return true;
    case PROBE_OTHERWISE: ask_otherwise(k); return true;
    case PROBE_MORE: break;
    }
    return false;
}

static void receive(struct knock *k)
{
    for (;;) {
        size_t n = 0;
        enum stream_io io =
            stream_read(&k->stream, k->in + k->nin, sizeof(k->in) - k->nin, &n);
        if (io == STREAM_OK) {
            k->nin += n;
            if (judged(k))
                return;
        } else if (io == STREAM_AGAIN) {
            if (stream_want(&k->stream, stream_read_interest(&k->stream)) != 0)
                lost(k, ENOMEM);
            return;
        } else if (io == STREAM_ERROR && k->stream.sys_errno != 0) {
            lost(k, k->stream.sys_errno);
            return;
        } else {
            err_setx(&k->why, "closed without %s", probe_awaited(k->probe));
            finish(k);
            return;
        }
    }
}

static void ask(struct knock *k)
{
    switch (send_out(k)) {
    case STREAM_OK:
        if (has_question(k))
            receive(k);
        else
            up(k);
        break;
    case STREAM_AGAIN:
        if (stream_want(&k->stream, LOOP_WRITE) != 0)
            lost(k, ENOMEM);
        break;
    default: lost(k, k->stream.sys_errno); break;
    }
}

static void go_on(void *arg)
{
    struct knock *k = arg;

    if (k->step == CONNECTING)
        connected(k);
    if (k->step == SHAKING)
        shake(k);
    if (k->step == ASKING)
        ask(k);
}

/* --- life --- */

static enum probe_kind probe_of(const struct knock_at *at)
{
    switch (at->kind) {
    case CHECK_CQL: return PROBE_CQL;
    case CHECK_GRPC: return PROBE_GRPC;
    case CHECK_DASK: return PROBE_DASK;
    case CHECK_ZOOKEEPER: return at->session ? PROBE_ZOOKEEPER_SESSION : PROBE_ZOOKEEPER;
    default: return PROBE_HTTP;
    }
}

struct knock *knock_new(struct loop *l, const struct knock_at *at, knock_fn *fn, void *arg)
{
    struct knock *k = calloc(1, sizeof(*k));

    if (k == NULL)
        return NULL;
    k->loop = l;
    k->at = *at;
    k->addr = *at->addr;
    snprintf(k->host, sizeof(k->host), "%s", at->host);
    snprintf(k->path, sizeof(k->path), "%s", at->path != NULL ? at->path : "/");
    snprintf(k->sni, sizeof(k->sni), "%s", at->sni != NULL ? at->sni : "");
    k->fn = fn;
    k->arg = arg;
    k->probe = probe_of(at);
    k->session = at->session;
    k->stream.fd = -1;
    loop_task_init(&k->report, report, k);
    k->timer = loop_timer_new(l, on_timer, k);
    if (k->timer == NULL || loop_timer_set(k->timer, at->timeout_ms) != 0) {
        knock_free(k);
        return NULL;
    }
    dial(k);
    return k;
}

void knock_free(struct knock *k)
{
    if (k == NULL)
        return;
    loop_task_cancel(&k->report);
    loop_timer_free(k->timer);
    stream_close(&k->stream);
    free(k);
}
