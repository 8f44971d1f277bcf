/*
 * SECURE: TLS with the upstream, of which we are the client. It has connect_timeout for itself,
 * counted from when the server had taken the connection. The client's bytes wait in the kernel.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "net/stream.h"
#include "proxy/conn_log.h"
#include "proxy/conn_state.h"

static const struct snap_upstream *upstream_of(const struct conn *c)
{
    return &c->snap->upstreams.v[c->route->conf->upstream->head.index];
}

void conn_secure_free(struct conn_secure *s)
{
    if (s == NULL)
        return;
    tls_facts_free(&s->facts);
    free(s->refusal);
    free(s);
}

/* tls_admit_fn. Memory being out costs the words, never the verdict. */
static bool admit(void *arg, const struct identity *who)
{
    struct conn *c = arg;
    const struct conf_upstream *up = c->route->conf->upstream;
    struct verdict v = policy_judge_server(up, who);
    char rule[VERDICT_TEXT_MAX];

    if (verdict_admits(&v))
        return true;
    free(c->secure->refusal);
    c->secure->refusal = conn_refusal_of(who, verdict_text_server(&v, up, rule));
    return false;
}

/* 0 or -1 when memory is out. */
static int begin(struct conn *c)
{
    const struct snap_upstream *u = upstream_of(c);
    const char *server = conn_server_written(c);
    char room[DIAL_NAME_MAX];
    const char *host = snap_upstream_host(server, room);
    struct tls_dial dial = {
        .name = snap_upstream_name(u->conf, host),
        .sni = snap_upstream_sni(u->conf, host),
        .sessions = c->env->sessions,
        .policy = u->policy,
        .server = server,
        .admit = admit,
        .arg = c,
    };

    conn_secure_free(c->secure);
    c->secure = calloc(1, sizeof(*c->secure));
    return c->secure != NULL ? tls_stream_connect(&c->upstream, u->tls, &dial) : -1;
}

void conn_secure_enter(struct conn *c)
{
    if (begin(c) != 0) {
        conn_end(c, REASON_NO_MEMORY);
        return;
    }
    conn_deadline(c, c->route->conf->upstream->connect_timeout_ms);
    if (c->state == CONN_SECURE)
        conn_secure_turn(c);
}

static void failed(struct conn *c, enum reason why)
{
    const struct tls_failure *f = tls_stream_failure(&c->upstream,
                                                     why == REASON_UPSTREAM_TLS_TIMEOUT);
    char words[sizeof(f->text)];

    conn_log_secure(c, why, f);
    snprintf(words, sizeof(words), "%s", f->text);      /* it goes with the stream */
    conn_dial_failed(c, why, 0, words);
}

static void done(struct conn *c)
{
    c->at.upstream_secured = loop_now_us(c->env->loop);
    c->env->count->value[COUNTER_UP_HANDSHAKES]++;
    if (tls_stream_facts(&c->upstream, &c->secure->facts) != 0) {
        conn_end(c, REASON_NO_MEMORY);
        return;
    }
    if (c->endpoint != NULL)
        endpoint_reached(c->endpoint, c->at.upstream_secured);
    conn_upstream_count(c)->handshakes[c->secure->facts.resumed]++;
    if (c->secure->facts.resumed)
        c->env->count->value[COUNTER_UP_RESUMED]++;
    conn_enter(c, CONN_RELAY);
}

void conn_secure_turn(struct conn *c)
{
    switch (stream_handshake(&c->upstream)) {
    case STREAM_OK:
        done(c);
        break;
    case STREAM_AGAIN:
        if (stream_want(&c->upstream, stream_read_interest(&c->upstream)) != 0)
            conn_end(c, REASON_NO_MEMORY);
        break;
    default:
        failed(c, REASON_UPSTREAM_TLS_FAILED);
    }
}

void conn_secure_timeout(struct conn *c)
{
    failed(c, REASON_UPSTREAM_TLS_TIMEOUT);
}

/* --- later --- */

/* A write has failed. What the server said before it closed may still be there. */
static void hear_last_words(struct stream *s)
{
    int error = s->sys_errno;
    char byte;
    size_t n;

    s->sys_errno = 0;
    s->blocked_read = false;
    if (stream_read(s, &byte, 1, &n) != STREAM_ERROR || s->sys_errno != 0)
        s->sys_errno = error;
}

enum reason conn_secure_lost(struct conn *c)
{
    struct stream *s = &c->upstream;
    const struct tls_failure *f;
    bool silent = c->relay.down.bytes == 0 && c->relay.down.buf.len == 0;
    bool cut = c->relay.down.cut;

    if (silent && s->sys_errno != 0)
        hear_last_words(s);
    c->error = cut ? 0 : s->sys_errno;
    if (c->error != 0)
        return c->error == ECONNRESET || c->error == EPIPE ? REASON_UPSTREAM_RESET
                                                           : REASON_UPSTREAM_LOST;
    f = tls_stream_failure(s, false);
    if (silent && (!cut || f->cause == TLS_CAUSE_SERVER_WANTS_CERT)) {
        conn_log_secure(c, REASON_UPSTREAM_TLS_FAILED, f);
        return REASON_UPSTREAM_TLS_FAILED;
    }
    return cut ? REASON_UPSTREAM_TLS_CUT : REASON_UPSTREAM_TLS_BROKEN;
}
