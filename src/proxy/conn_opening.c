/*
 * OPENING: what the client's first bytes say decides by which route it goes on. They are
 * only looked at: TLS reads them again, from the first.
 *
 * Until then a connection is a socket and, once something came, a kilobyte. Who sends
 * nothing, or no ClientHello, is handed to the default route, whose TLS knows the words
 * for it. Where a route takes plaintext alone there is nothing to look at.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "net/sock.h"
#include "proto/hello.h"
#include "proxy/conn_log.h"
#include "proxy/conn_state.h"

/* A service may be one that speaks first; then who speaks plaintext waits for it. */
#define SILENT_MS 3000u

/* A Unix socket that a header tells of is on the balancer's host: not loopback here. */
static bool may_speak_plaintext(const struct conn *c)
{
    return !(c->header != NULL && c->peer.family == AF_UNIX)
        && nets_have(&c->route->plaintext_from, &c->peer);
}

/* Milliseconds of handshake_timeout that are left; 0: none. */
static uint64_t time_left(const struct conn *c)
{
    uint64_t spent = (loop_now_us(c->env->loop) - c->at.accepted) / 1000;
    uint64_t limit = c->listener->conf->handshake_timeout_ms;

    return spent < limit ? limit - spent : 0;
}

/* It comes, also when that time has passed already. */
static void set_deadline(struct conn *c, uint64_t ms)
{
    conn_deadline(c, ms > 0 ? ms : 1);
}

static void begin_plaintext(struct conn *c)
{

    c->plain = true;
    c->at.secured = loop_now_us(c->env->loop);
    c->env->count->value[COUNTER_PLAIN]++;
    conn_enter(c, CONN_CONNECT);
}

/* A program of this host. What it dials elsewhere is redirected with the address that it has
   towards there. */
static bool is_from_here(const struct conn *c)
{
    return c->peer.family == AF_UNIX || peer_is_loopback(&c->peer)
        || (c->route->conf->transparent && sock_is_this_host(&c->peer));
}

/* Where plaintext alone comes in: by default, programs of this host. */
static void begin_originating(struct conn *c)
{
    const struct nets *from = &c->route->plaintext_from;
    bool told_unix = c->header != NULL && c->peer.family == AF_UNIX;

    if (told_unix || (from->n > 0 ? !nets_have(from, &c->peer) : !is_from_here(c)))
        conn_end(c, REASON_PLAINTEXT_REFUSED);
    else
        begin_plaintext(c);
}

/* The client's address is known now. */
static void source_is_known(struct conn *c)
{
    uint64_t limit = time_left(c);

    c->awaits_header = false;
    if (!conn_source_admit(c))
        return;
    if (!conf_takes_tls(c->route->conf)) {
        begin_originating(c);
        return;
    }
    if (may_speak_plaintext(c) && SILENT_MS < limit)
        limit = SILENT_MS;
    set_deadline(c, limit);
}

void conn_opening_enter(struct conn *c)
{
    conn_source_enter(c);
    if (c->awaits_header)
        conn_deadline(c, c->listener->conf->handshake_timeout_ms);
    else
        source_is_known(c);
    if (c->state == CONN_OPENING && stream_want(&c->client, LOOP_READ) != 0)
        conn_end(c, REASON_NO_MEMORY);
}

/* --- which route --- */

/* tls_admit_fn. Memory being out costs the words, never the verdict. */
static bool admit(void *arg, const struct identity *who)
{
    struct conn *c = arg;
    struct verdict v = policy_judge(c->route->conf, who);
    char rule[VERDICT_TEXT_MAX];

    free(c->refusal);
    c->refusal = NULL;
    if (!verdict_admits(&v))
        conn_refused(c, who, verdict_text(&v, c->route->conf, rule));
    return verdict_admits(&v);
}

static void begin_tls(struct conn *c)
{
    struct tls_terms terms = {
        .policy = c->route->policy,
        .admit = admit,
        .arg = c,
        .tickets = c->snap->tickets != NULL ? c->snap->tickets : c->env->tickets,
    };

    if (tls_stream_accept(&c->client, c->route->tls, c->route->certs, &terms) != 0) {
        conn_end(c, REASON_NO_MEMORY);
        return;
    }
    set_deadline(c, time_left(c));      /* what was set may have been for silence */
    if (c->state == CONN_OPENING)
        conn_enter(c, CONN_HANDSHAKE);
}

/* RFC 8446 6.2, before any key: in a record of its own, as it stands on the wire. */
static void send_alert(struct stream *s, uint8_t description)
{
    const uint8_t record[] = { 21, 3, 3, 0, 2, 2, description };
    size_t n;

    (void)stream_send(s, record, sizeof(record), &n);   /* into an empty socket, or lost */
}

#define UNRECOGNIZED_NAME 112

static void choose_route(struct conn *c, const struct hello *h)
{
    struct route_ask ask = { h->named ? h->name : NULL, h->alpn, h->alpn_len };
    enum route_by by;

    if (h->named && (c->sni = strdup(h->name)) == NULL) {
        conn_end(c, REASON_NO_MEMORY);
        return;
    }
    conn_set_route(c, snapshot_route(c->snap, c->listener, &ask, &by));
    if (!snapshot_serves_name(c->listener, c->route, ask.name, by)) {
        conn_log_early(c, REASON_HANDSHAKE_FAILED, TLS_CAUSE_UNKNOWN_NAME, h->name);
        send_alert(&c->client, UNRECOGNIZED_NAME);
        conn_linger(c, &c->client, REASON_HANDSHAKE_FAILED);
        return;
    }
    c->misses_h2 = c->route->conf->alpn.n == 0 && alpn_has(h->alpn, h->alpn_len, "h2")
        && !alpn_has(h->alpn, h->alpn_len, "http/1.1");
    begin_tls(c);
}

/* No ClientHello. One that only is too long begins like one, and is TLS all the same. */
static void begin_other(struct conn *c, const uint8_t *p, size_t n)
{
    bool tls = n >= 3 && p[0] == 22 && p[1] == 3 && p[2] <= 4 && (n < 6 || p[5] == 1);

    if (!tls && may_speak_plaintext(c))
        begin_plaintext(c);
    else
        begin_tls(c);
}

/* True when it goes on as something else, or has ended. */
static bool look(struct conn *c)
{
    struct hello h;
    size_t n;
    const uint8_t *p;

    if (c->awaits_header) {
        if (!conn_source_read(c))
            return c->state != CONN_OPENING;
        source_is_known(c);
        if (c->state != CONN_OPENING)
            return true;
    }
    p = stream_held(&c->client, &n);
    if (n == 0)
        return false;
    switch (hello_read(p, n, &h)) {
    case HELLO_MORE:
        return false;
    case HELLO_WHOLE:
        choose_route(c, &h);
        return true;
    default:
        begin_other(c, p, n);
        return true;
    }
}

static void ended_early(struct conn *c)
{
    size_t n;

    (void)stream_held(&c->client, &n);
    if (c->client.sys_errno == ENOMEM)
        conn_end(c, REASON_NO_MEMORY);
    else if (n == 0)            /* a port scanner, or a load balancer's check */
        conn_end(c, REASON_PROBE);
    else if (c->awaits_header)
        conn_source_fail(c, "the connection ended within it", REASON_HANDSHAKE_FAILED);
    else
        begin_tls(c);
}

void conn_opening_turn(struct conn *c)
{
    for (;;) {
        switch (stream_hold(&c->client, HELLO_MAX)) {
        case STREAM_OK:
            if (look(c))
                return;
            break;
        case STREAM_AGAIN:
            return;
        default:
            ended_early(c);
            return;
        }
    }
}

void conn_opening_timeout(struct conn *c)
{
    size_t n;

    (void)stream_held(&c->client, &n);
    if (c->awaits_header) {
        conn_source_fail(c, "it did not come in the time for the handshake",
                         REASON_HANDSHAKE_TIMEOUT);
        return;
    }
    if (n == 0 && may_speak_plaintext(c)) {
        begin_plaintext(c);
        return;
    }
    if (n > 0 && time_left(c) > 0) {
        conn_deadline(c, time_left(c));
        return;
    }
    begin_tls(c);
    if (c->state == CONN_HANDSHAKE)
        conn_handshake_timeout(c);
}
