/* RELAY: bytes pass (relay.h); what came of it decides how the connection ends. */
#include <errno.h>

#include "net/sock.h"
#include "net/stream.h"
#include "proxy/conn_state.h"
#include "proxy/relay.h"

void conn_relay_enter(struct conn *c)
{
    relay_init(&c->relay, &c->client, &c->upstream);
    c->active_us = loop_now_us(c->env->loop);
    /* The review after a reload met it before its route and server were known. */
    if (c->snap != c->env->current)
        conn_drain_one(c);
    c->relay.down.whole = c->secure != NULL;
    if (c->route->conf->upstream->proxy_protocol != PROXY_OFF && conn_announce(c) != 0) {
        conn_end(c, REASON_NO_MEMORY);
        return;
    }
    conn_deadline(c, c->route->conf->idle_timeout_ms);
    if (c->state == CONN_RELAY)
        loop_later(c->env->loop, &c->again);    /* bytes may wait inside TLS */
}

static enum reason lost_reason(struct conn *c, const struct stream *s)
{
    bool client = s == &c->client;

    if (!client && c->secure != NULL)
        return conn_secure_lost(c);

    switch (s->sys_errno) {
    case 0:
        return REASON_CLIENT_PROTOCOL;  /* only TLS fails without a system error */
    case ECONNRESET:
    case EPIPE:
        return client ? REASON_CLIENT_RESET : REASON_UPSTREAM_RESET;
    default:                            /* ETIMEDOUT, EHOSTUNREACH … */
        return client ? REASON_CLIENT_LOST : REASON_UPSTREAM_LOST;
    }
}

static void relay_over(struct conn *c)
{
    if (c->relay.up.lost)
        conn_linger(c, &c->client, REASON_UPSTREAM_RESET);  /* it answered, and read no more */
    else if (c->relay.down.lost)
        conn_linger(c, &c->upstream, REASON_CLIENT_RESET);
    else
        conn_end(c, c->relay.up.cut ? REASON_CLIENT_CUT : REASON_DONE);
}

static void count_bytes(struct conn *c, uint64_t up, uint64_t down)
{
    struct route_count *r = conn_route_count(c);

    r->bytes_in += up;
    r->bytes_out += down;
    c->env->count->value[COUNTER_BYTES_IN] += up;
    c->env->count->value[COUNTER_BYTES_OUT] += down;
}

void conn_relay_turn(struct conn *c)
{
    uint64_t up = c->relay.up.bytes, down = c->relay.down.bytes;
    struct stream *failed = NULL;
    enum relay_status status = relay_turn(&c->relay, &c->env->pool, &failed);

    if (c->relay.up.bytes != up || c->relay.down.bytes != down) {
        count_bytes(c, c->relay.up.bytes - up, c->relay.down.bytes - down);
        c->asked = c->relay.down.bytes == down;     /* it moves after the other one */
        c->active_us = loop_now_us(c->env->loop);
        c->watched = true;
        if (c->at.first == 0 && c->relay.down.bytes > 0)
            c->at.first = c->active_us;
    }
    switch (status) {
    case RELAY_WAIT:
        break;
    case RELAY_MORE:
        loop_later(c->env->loop, &c->again);
        break;
    case RELAY_DONE:
        relay_over(c);
        break;
    case RELAY_FAILED:
        c->error = failed->sys_errno;
        conn_end(c, lost_reason(c, failed));
        break;
    case RELAY_NO_MEMORY:
        conn_end(c, REASON_NO_MEMORY);
        break;
    }
}

void conn_relay_timeout(struct conn *c)
{
    uint64_t limit = c->route->conf->idle_timeout_ms;
    uint64_t idle = (loop_now_us(c->env->loop) - c->active_us) / 1000;

    /* Bytes do not touch the timer; it looks at the time of the last ones instead. */
    if (idle < limit) {
        conn_deadline(c, limit - idle);
        return;
    }
    if (c->relay.up.buf.len == 0 && c->relay.down.buf.len == 0)
        (void)stream_shut(&c->client);  /* nothing is under way: an end in order */
    conn_end(c, REASON_IDLE);
}

/* --- the sweep --- */

/* False when readiness tells of everything: both sides are being read, nothing is held
   and nothing unacknowledged. */
static bool needs_sweep(const struct conn *c)
{
    const struct flow *up = &c->relay.up, *down = &c->relay.down;

    return c->state == CONN_RELAY
        && (c->watched || up->state != FLOW_OPEN || down->state != FLOW_OPEN);
}

/* Lift or restore one socket's timeout. True while it is worth looking again. */
static bool sweep_stream(const struct stream *s, bool *lifted)
{
    bool stalled = sock_peer_stalled(s->fd);

    if (stalled != *lifted) {
        sock_user_timeout(s->fd, stalled ? 0 : SOCK_USER_TIMEOUT_MS);
        *lifted = stalled;
    }
    return stalled || sock_unacked(s->fd) > 0;
}

/*
 * A peer whose socket has an error that readiness did not tell of. When it had ended
 * its direction in order (its end was read, or EPIPE says that it is in the queue),
 * what it sent still goes to the other side. False: the connection is over.
 */
static bool still_there(struct conn *c, struct stream *s, const struct flow *from)
{
    int error = sock_is_dead(s->fd) ? stream_take_error(s) : 0;

    if (error == 0)
        return true;
    s->sys_errno = error;
    if (error != EPIPE && from->state == FLOW_OPEN) {
        c->error = error;
        conn_end(c, lost_reason(c, s));
        return false;
    }
    relay_give_up(&c->relay, s, &c->env->pool);
    s->blocked_read = false;
    loop_later(c->env->loop, &c->again);
    return true;
}

void conn_sweep(struct conn_env *env)
{
    LIST_EACH (l, next, &env->conns) {
        struct conn *c = LIST_OF(struct conn, link, l);
        bool client, upstream;

        if (!needs_sweep(c) || !still_there(c, &c->client, &c->relay.up)
            || !still_there(c, &c->upstream, &c->relay.down))
            continue;
        client = sweep_stream(&c->client, &c->client_lifted);
        upstream = sweep_stream(&c->upstream, &c->upstream_lifted);
        c->watched = client || upstream;
    }
}
