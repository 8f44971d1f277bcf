#include "proxy/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/sock.h"
#include "net/stream.h"
#include "proxy/conn_log.h"
#include "proxy/conn_state.h"
#include "proxy/page.h"
#include "proxy/relay.h"

#define LINGER_MS 2000u
#define LINGER_BYTES (256u * 1024)
#define DIAL_AGAIN_MS 20u

static void on_wake(void *owner);
static void on_time(void *owner);
static void on_again(void *owner);
static void enter(struct conn *c, enum conn_state state);

/* --- the end --- */

static void conn_free(struct conn *c)
{
    tls_facts_free(&c->facts);
    snapshot_unref(c->snap);
    free(c);
}

static void reap(void *arg)
{
    struct conn_env *env = arg;

    LIST_EACH (l, next, &env->ended) {
        list_remove(l);
        conn_free(LIST_OF(struct conn, link, l));
    }
}

static void set_deadline(struct conn *c, uint64_t ms)
{
    if (ms == 0) {
        loop_timer_free(c->timer);      /* most connections relay without one */
        c->timer = NULL;
        return;
    }
    if (c->timer == NULL)
        c->timer = loop_timer_new(c->env->loop, on_time, c);
    if (c->timer == NULL || loop_timer_set(c->timer, ms) != 0)
        conn_end(c, REASON_NO_MEMORY);
}

/* The side that must learn that bytes were lost gets a reset, not a clean end. */
static void close_streams(struct conn *c, enum reason why)
{
    bool both = why == REASON_DRAINED || why == REASON_NO_MEMORY;

    if (both || why == REASON_UPSTREAM_RESET || why == REASON_UPSTREAM_LOST)
        stream_abort(&c->client);
    if (both || why == REASON_CLIENT_RESET || why == REASON_CLIENT_LOST
        || why == REASON_CLIENT_PROTOCOL)
        stream_abort(&c->upstream);
    stream_close(&c->client);
    stream_close(&c->upstream);
}

void conn_end(struct conn *c, enum reason why)
{
    struct conn_env *env = c->env;
    bool lingered = c->state == CONN_LINGER;    /* then the reason is known, both sides told */

    if (c->state == CONN_ENDED)
        return;
    if (!lingered)
        c->reason = why;
    conn_log_end(c);
    c->state = CONN_ENDED;
    env->count->reason[c->reason]++;
    env->count->value[COUNTER_BYTES_IN] += c->relay.up.bytes;
    env->count->value[COUNTER_BYTES_OUT] += c->relay.down.bytes;
    env->count->value[COUNTER_OPEN]--;
    env->open--;

    relay_drop(&c->relay, &env->pool);
    close_streams(c, lingered ? REASON_DONE : why);
    loop_timer_free(c->timer);
    c->timer = NULL;
    loop_task_cancel(&c->again);
    list_remove(&c->link);
    list_append(&env->ended, &c->link);
    loop_later(env->loop, &env->reap);
    env->gone(env->arg);
}

/* End, but let the client read what was sent to it first. */
static void conn_linger(struct conn *c, enum reason why)
{
    c->reason = why;
    enter(c, CONN_LINGER);
}

/* --- HANDSHAKE --- */

static void handshake_enter(struct conn *c)
{
    set_deadline(c, c->listener->conf->handshake_timeout_ms);
    if (c->state == CONN_HANDSHAKE && stream_want(&c->client, LOOP_READ) != 0)
        conn_end(c, REASON_NO_MEMORY);
}

static void handshake_failed(struct conn *c, enum reason why)
{
    const struct tls_failure *f = tls_stream_failure(&c->client, why == REASON_HANDSHAKE_TIMEOUT);
    bool gone = f->side == SIDE_NETWORK;

    /* A port scanner or a load balancer's check: nobody wants a line for each. */
    if (tls_stream_bytes_in(&c->client) == 0 && gone && why == REASON_HANDSHAKE_FAILED) {
        conn_end(c, REASON_PROBE);
        return;
    }
    conn_log_failure(c, why, f);
    if (gone)
        conn_end(c, why);
    else
        conn_linger(c, why);            /* the alert is on its way */
}

static void handshake_done(struct conn *c)
{
    c->at.secured = loop_now_us(c->env->loop);
    c->env->count->value[COUNTER_HANDSHAKES]++;
    if (tls_stream_facts(&c->client, &c->facts) != 0) {
        conn_end(c, REASON_NO_MEMORY);
        return;
    }
    if (c->facts.resumed)
        c->env->count->value[COUNTER_RESUMED]++;
    enter(c, CONN_CONNECT);
}

static void handshake_turn(struct conn *c)
{
    switch (stream_handshake(&c->client)) {
    case STREAM_OK:
        handshake_done(c);
        break;
    case STREAM_AGAIN:
        if (stream_want(&c->client, c->client.blocked_write ? LOOP_READ | LOOP_WRITE : LOOP_READ) != 0)
            conn_end(c, REASON_NO_MEMORY);
        break;
    default:
        handshake_failed(c, REASON_HANDSHAKE_FAILED);
    }
}

static void handshake_timeout(struct conn *c)
{
    handshake_failed(c, REASON_HANDSHAKE_TIMEOUT);
}

/* --- CONNECT --- */

static enum reason dial_reason(int error)
{
    switch (error) {
    case ECONNREFUSED:
    case ENOENT:                        /* no such Unix socket: nobody serves it */
        return REASON_UPSTREAM_REFUSED;
    case ETIMEDOUT:
        return REASON_UPSTREAM_TIMEOUT;
    case EMFILE:
    case ENFILE:
        return REASON_NO_DESCRIPTOR;
    case ENOMEM:
    case ENOBUFS:
        return REASON_NO_MEMORY;
    default:
        return REASON_UPSTREAM_FAILED;
    }
}

static void dial_failed(struct conn *c, int error)
{
    c->error = error;
    conn_end(c, dial_reason(error));
}

static int open_page(struct conn *c)
{
    char client[PEER_TEXT_MAX], listener[ADDR_TEXT_MAX], id[IDENTITY_TEXT_MAX];
    const struct identity *who = c->facts.identity;
    struct page_facts f = {
        .connection = c->id,
        .route = c->listener->route->conf->head.name,
        .listener = conn_listener_text(c, listener),
        .client = peer_text(&c->peer, client),
        .version = c->facts.version,
        .suite = c->facts.suite,
        .group = c->facts.group,
        .sni = c->facts.sni,
        .alpn = c->facts.alpn,
        .resumed = c->facts.resumed,
    };

    if (who != NULL) {
        f.identity = identity_text(who, id, sizeof(id));
        f.subject = who->subject;
        f.not_after = who->not_after;
    }
    return page_open(c->env->loop, &c->env->pages, &f);
}

/* Milliseconds, at least 1. */
static uint64_t dial_time_left(const struct conn *c)
{
    uint64_t limit = c->listener->route->conf->upstream->connect_timeout_ms;
    uint64_t spent = (loop_now_us(c->env->loop) - c->at.secured) / 1000;

    return spent < limit ? limit - spent : 1;
}

static void dial(struct conn *c)
{
    const struct conf_upstream *up = c->listener->route->conf->upstream;
    int fd = up->builtin_page ? open_page(c) : sock_connect(&up->server);

    if (fd < 0) {
        /* A Unix socket with a full queue cannot be waited for, only tried again. */
        if (errno == EAGAIN)
            set_deadline(c, DIAL_AGAIN_MS);
        else
            dial_failed(c, errno);
        return;
    }
    set_deadline(c, dial_time_left(c));
    if (c->state != CONN_CONNECT) {
        close(fd);
        return;
    }
    if (stream_open(&c->upstream, c->env->loop, fd, on_wake, c) != 0
        || stream_want(&c->upstream, LOOP_WRITE) != 0) {
        conn_end(c, REASON_NO_MEMORY);
        return;
    }
    c->upstream.blocked_write = true;   /* until the loop says that it is connected */
}

static void connect_enter(struct conn *c)
{
    /* The client's bytes wait in the kernel meanwhile. */
    if (stream_want(&c->client, 0) != 0)
        conn_end(c, REASON_NO_MEMORY);
    else
        dial(c);
}

static void connect_turn(struct conn *c)
{
    int error;

    if (!stream_is_open(&c->upstream) || c->upstream.blocked_write)
        return;
    error = stream_connect_result(&c->upstream);
    if (error != 0) {
        dial_failed(c, error);
        return;
    }
    c->at.connected = loop_now_us(c->env->loop);
    enter(c, CONN_RELAY);
}

static void connect_timeout(struct conn *c)
{
    if (!stream_is_open(&c->upstream) && dial_time_left(c) > 1)
        dial(c);
    else
        dial_failed(c, ETIMEDOUT);
}

/* --- RELAY --- */

static void relay_enter(struct conn *c)
{
    relay_init(&c->relay, &c->client, &c->upstream);
    set_deadline(c, c->listener->route->conf->idle_timeout_ms);
    if (c->state == CONN_RELAY)
        loop_later(c->env->loop, &c->again);    /* bytes may wait inside TLS */
}

static enum reason lost_reason(const struct conn *c, const struct stream *s)
{
    bool client = s == &c->client;

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
        conn_linger(c, REASON_UPSTREAM_RESET);  /* it answered, then would not read on */
    else if (c->relay.down.lost)
        conn_end(c, REASON_CLIENT_RESET);
    else
        conn_end(c, c->relay.up.cut ? REASON_CLIENT_CUT : REASON_DONE);
}

static void relay_step(struct conn *c)
{
    uint64_t before = c->relay.up.bytes + c->relay.down.bytes;
    struct stream *failed = NULL;
    enum relay_status status = relay_turn(&c->relay, &c->env->pool, &failed);

    if (c->relay.up.bytes + c->relay.down.bytes != before) {
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

static void relay_idle(struct conn *c)
{
    uint64_t limit = c->listener->route->conf->idle_timeout_ms;
    uint64_t idle = (loop_now_us(c->env->loop) - c->active_us) / 1000;

    /* Bytes do not touch the timer; it looks at the time of the last ones instead. */
    if (idle < limit) {
        set_deadline(c, limit - idle);
        return;
    }
    (void)stream_shut(&c->client);      /* nothing is under way: an end in order */
    conn_end(c, REASON_IDLE);
}

/* --- LINGER --- */

static void linger_enter(struct conn *c)
{
    stream_close(&c->upstream);
    relay_drop(&c->relay, &c->env->pool);
    loop_task_cancel(&c->again);
    (void)shutdown(c->client.fd, SHUT_WR);
    c->client.blocked_read = false;
    set_deadline(c, LINGER_MS);
    if (c->state == CONN_LINGER && stream_want(&c->client, LOOP_READ) != 0)
        conn_end(c, c->reason);
}

static void linger_turn(struct conn *c)
{
    char waste[4096];
    size_t n = 0;

    for (;;) {
        switch (stream_recv(&c->client, waste, sizeof(waste), &n)) {
        case STREAM_OK:
            c->lingered += (uint32_t)n;
            if (c->lingered > LINGER_BYTES) {
                conn_end(c, c->reason);
                return;
            }
            break;
        case STREAM_AGAIN:
            return;
        default:
            conn_end(c, c->reason);
            return;
        }
    }
}

static void linger_timeout(struct conn *c)
{
    conn_end(c, c->reason);
}

/* --- the table --- */

static const struct {
    const char *name;
    void (*enter)(struct conn *);
    void (*turn)(struct conn *);        /* a stream woke */
    void (*timeout)(struct conn *);
} states[] = {
    [CONN_HANDSHAKE] = { "handshake", handshake_enter, handshake_turn, handshake_timeout },
    [CONN_CONNECT] = { "connect", connect_enter, connect_turn, connect_timeout },
    [CONN_RELAY] = { "relay", relay_enter, relay_step, relay_idle },
    [CONN_LINGER] = { "linger", linger_enter, linger_turn, linger_timeout },
    [CONN_ENDED] = { "ended", NULL, NULL, NULL },
};

static void enter(struct conn *c, enum conn_state state)
{
    log_debug("conn %llx: %s -> %s", (unsigned long long)c->id, states[c->state].name,
              states[state].name);
    c->state = state;
    states[state].enter(c);
}

static void on_wake(void *owner)
{
    struct conn *c = owner;

    if (c->state != CONN_ENDED)
        states[c->state].turn(c);
}

static void on_again(void *owner)
{
    on_wake(owner);
}

static void on_time(void *owner)
{
    struct conn *c = owner;

    if (c->state != CONN_ENDED)
        states[c->state].timeout(c);
}

/* --- the worker's side --- */

void conn_env_init(struct conn_env *env, struct loop *l, struct counters *count,
                   void (*gone)(void *arg), void *arg)
{
    *env = (struct conn_env){ .loop = l, .count = count, .gone = gone, .arg = arg };
    list_init(&env->conns);
    list_init(&env->ended);
    list_init(&env->pages);
    loop_task_init(&env->reap, reap, env);
}

void conn_env_free(struct conn_env *env)
{
    conn_cut_all(env);
    loop_task_cancel(&env->reap);
    reap(env);
    pages_close(&env->pages);
    bufpool_free(&env->pool);
}

unsigned conn_cut_all(struct conn_env *env)
{
    unsigned n = 0;

    while (!list_empty(&env->conns)) {
        conn_end(LIST_OF(struct conn, link, env->conns.next), REASON_DRAINED);
        n++;
    }
    return n;
}

void conn_begin(struct conn_env *env, struct snapshot *snap, const struct snap_listener *listener,
                uint16_t port, int fd, const struct peer *client)
{
    struct conn *c = calloc(1, sizeof(*c));

    env->count->value[COUNTER_ACCEPTED]++;
    if (c == NULL || stream_open(&c->client, env->loop, fd, on_wake, c) != 0) {
        if (c == NULL)
            close(fd);
        free(c);
        env->count->reason[REASON_NO_MEMORY]++;
        return;
    }
    c->env = env;
    c->snap = snapshot_ref(snap);
    c->listener = listener;
    c->port = port;
    c->peer = *client;
    c->id = env->next_id++;
    c->at.accepted = c->active_us = loop_now_us(env->loop);
    loop_task_init(&c->again, on_again, c);
    list_append(&env->conns, &c->link);
    env->open++;
    env->count->value[COUNTER_OPEN]++;
    if (tls_stream_accept(&c->client, listener->route->tls) != 0)
        conn_end(c, REASON_NO_MEMORY);
    else
        enter(c, CONN_HANDSHAKE);
}

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

void conn_sweep(struct conn_env *env)
{
    LIST_EACH (l, next, &env->conns) {
        struct conn *c = LIST_OF(struct conn, link, l);
        bool client, upstream;

        if (!needs_sweep(c))
            continue;
        if (sock_is_dead(c->client.fd)) {
            conn_end(c, REASON_CLIENT_RESET);
            continue;
        }
        if (sock_is_dead(c->upstream.fd)) {
            conn_end(c, REASON_UPSTREAM_RESET);
            continue;
        }
        client = sweep_stream(&c->client, &c->client_lifted);
        upstream = sweep_stream(&c->upstream, &c->upstream_lifted);
        c->watched = client || upstream;
    }
}
