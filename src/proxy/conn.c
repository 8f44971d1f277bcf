#include "proxy/conn.h"

#include <stdlib.h>
#include <unistd.h>

#include "net/stream.h"
#include "proxy/conn_log.h"
#include "proxy/conn_state.h"
#include "proxy/page.h"
#include "proxy/relay.h"
#include "tls/sessions.h"

static void on_time(void *owner);

/* --- the end --- */

static void conn_free(struct conn *c)
{
    tls_facts_free(&c->facts);
    free(c->sni);
    free(c->header);
    free(c->refusal);
    conn_secure_free(c->secure);
    free(c->original);
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

/* The handshake is over, one way or the other. */
static void let_go_of_keys(struct conn *c)
{
    if (c->holds_keys)
        snapshot_drop_keys(c->snap);
    c->holds_keys = false;
}

/* The gauges of what older generations still carry. */
static void leave_generation(struct conn *c)
{
    struct conn_env *env = c->env;

    c->snap->conns--;
    if (c->snap == env->current)
        return;
    env->count->value[COUNTER_ON_OLDER]--;
    if (c->snap->conns == 0)
        env->count->value[COUNTER_OLDER]--;
}

void conn_env_current(struct conn_env *env, const struct snapshot *snap)
{
    if (env->current != NULL && env->current->conns > 0) {
        env->count->value[COUNTER_OLDER]++;
        env->count->value[COUNTER_ON_OLDER] += env->current->conns;
    }
    env->current = snap;
    loop_later(env->loop, &env->review);
}

void conn_deadline(struct conn *c, uint64_t ms)
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

/* All that was meant for the flow's sink is in the kernel's hands, the end included. */
static bool complete(const struct flow *f)
{
    return f->state == FLOW_SHUT && !f->lost;
}

/* The side that must learn that bytes were lost gets a reset, not a clean end. */
static void close_streams(struct conn *c, enum reason why)
{
    bool up = false, down = false;

    switch (why) {
    case REASON_DRAINED:
    case REASON_REMOVED_CUT:
    case REASON_NO_MEMORY:
    case REASON_UPSTREAM_DOWN:
    case REASON_CLIENT_EXPIRED:
    case REASON_CLIENT_REVOKED:
    case REASON_CLIENT_UNTRUSTED:
    case REASON_DENIED:
        up = down = true;
        break;
    case REASON_UPSTREAM_RESET:
    case REASON_UPSTREAM_LOST:
    case REASON_UPSTREAM_TLS_FAILED:
    case REASON_UPSTREAM_TLS_TIMEOUT:
    case REASON_UPSTREAM_TLS_CUT:
    case REASON_UPSTREAM_TLS_BROKEN:
    case REASON_PLAINTEXT_REFUSED:
    case REASON_NOT_REDIRECTED:
    case REASON_REDIRECT_LOOP:
        down = true;
        break;
    case REASON_UPSTREAM_REFUSED:
    case REASON_UPSTREAM_TIMEOUT:
    case REASON_UPSTREAM_FAILED:
    case REASON_NO_DESCRIPTOR:
        down = !conf_takes_tls(c->route->conf);     /* plaintext has no other sign */
        break;
    case REASON_CLIENT_RESET:
    case REASON_CLIENT_LOST:
    case REASON_CLIENT_PROTOCOL:
        up = true;
        break;
    case REASON_IDLE:
        up = c->relay.up.buf.len > 0;
        down = c->relay.down.buf.len > 0;
        break;
    default:
        break;
    }
    if (down && !complete(&c->relay.down))
        stream_abort(&c->client);
    if (up && !complete(&c->relay.up))
        stream_abort(&c->upstream);
    stream_close(&c->client);
    stream_close(&c->upstream);
}

/* Every library of gRPC demands that h2 be agreed on. It looks when the handshake is over, and
   leaves without a word: only here can anybody say why. */
static bool left_for_h2(const struct conn *c)
{
    return c->misses_h2 && c->relay.up.bytes == 0 && c->relay.up.buf.len == 0
        && (c->reason == REASON_DONE || c->reason == REASON_CLIENT_CUT
            || c->reason == REASON_CLIENT_RESET);
}

void conn_end(struct conn *c, enum reason why)
{
    struct conn_env *env = c->env;
    bool lingered = c->state == CONN_LINGER;    /* then the reason is known, both sides told */

    if (c->state == CONN_ENDED)
        return;
    if (!lingered)
        c->reason = why;
    if (left_for_h2(c)) {
        c->reason = REASON_CLIENT_WANTS_H2;
        c->error = 0;
    }
    conn_log_end(c);
    c->state = CONN_ENDED;
    env->count->reason[c->reason]++;
    env->count->value[COUNTER_OPEN]--;
    conn_route_count(c)->reason[c->reason]++;
    conn_route_count(c)->open--;
    if (!c->admitted)
        conn_listener_count(c)->refused++;
    env->open--;
    leave_generation(c);
    let_go_of_keys(c);
    conn_source_leave(c);
    conn_leave_servers(c);
    conn_drain_forget(c);
    conn_original_leave(c);

    close_streams(c, lingered ? REASON_DONE : why);
    relay_drop(&c->relay, &env->pool);
    loop_timer_free(c->timer);
    c->timer = NULL;
    loop_task_cancel(&c->again);
    list_remove(&c->link);
    list_append(&env->ended, &c->link);
    loop_later(env->loop, &env->reap);
    env->gone(env->arg);
}

void conn_linger(struct conn *c, struct stream *side, enum reason why)
{
    c->lingering = side;
    c->reason = why;
    conn_enter(c, CONN_LINGER);
}

/* --- the table --- */

static const struct {
    const char *name;
    void (*enter)(struct conn *);
    void (*turn)(struct conn *);        /* a stream woke */
    void (*timeout)(struct conn *);
} states[] = {
#define STATE(NAME, name) \
    [CONN_##NAME] = { #name, conn_##name##_enter, conn_##name##_turn, conn_##name##_timeout }
    STATE(OPENING, opening),
    STATE(HANDSHAKE, handshake),
    STATE(CONNECT, connect),
    STATE(SECURE, secure),
    STATE(RELAY, relay),
    STATE(LINGER, linger),
    [CONN_ENDED] = { "ended", NULL, NULL, NULL },
};

void conn_enter(struct conn *c, enum conn_state state)
{
    log_debug("conn %llx: %s -> %s", (unsigned long long)c->id, states[c->state].name,
              states[state].name);
    if (state > CONN_HANDSHAKE)
        let_go_of_keys(c);
    c->state = state;
    states[state].enter(c);
}

void conn_wake(void *owner)
{
    struct conn *c = owner;

    if (c->state != CONN_ENDED)
        states[c->state].turn(c);
}

static void on_time(void *owner)
{
    struct conn *c = owner;

    if (c->state != CONN_ENDED)
        states[c->state].timeout(c);
}

/* --- where it is counted --- */

struct route_count *conn_route_count(const struct conn *c)
{
    return account_route(c->env->account, c->route->row);
}

struct listener_count *conn_listener_count(const struct conn *c)
{
    return account_listener(c->env->account, c->listener->row);
}

struct upstream_count *conn_upstream_count(const struct conn *c)
{
    size_t i = c->route->conf->upstream->head.index;

    return account_upstream(c->env->account, c->snap->upstreams.v[i].row);
}

void conn_set_route(struct conn *c, const struct snap_route *r)
{
    if (c->route != NULL)
        conn_route_count(c)->open--;
    c->route = r;
    conn_route_count(c)->open++;
}

/* --- the worker's side --- */

void conn_env_init(struct conn_env *env, struct loop *l, struct account *account,
                   void (*gone)(void *arg), void *arg)
{
    *env = (struct conn_env){ .loop = l, .account = account, .count = &account->count,
                              .dialler = -1,
                              .gone = gone, .arg = arg };
    env->sessions = tls_sessions_new();
    list_init(&env->conns);
    list_init(&env->ended);
    list_init(&env->leaving);
    list_init(&env->pages);
    loop_task_init(&env->reap, reap, env);
    loop_task_init(&env->review, conn_review_some, env);
}

void conn_env_free(struct conn_env *env)
{
    conn_cut_all(env);
    loop_task_cancel(&env->review);
    loop_task_cancel(&env->reap);
    reap(env);
    pages_close(&env->pages);
    tls_sessions_free(env->sessions);
    bufpool_free(&env->pool);
    if (env->dialler >= 0)
        close(env->dialler);
    free(env->dialling);
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
                uint32_t number, uint16_t port, int fd, const struct peer *client)
{
    struct conn *c = calloc(1, sizeof(*c));
    enum route_by by;

    env->count->value[COUNTER_ACCEPTED]++;
    if (c == NULL || stream_open(&c->client, env->loop, fd, conn_wake, c) != 0) {
        if (c == NULL)
            close(fd);
        free(c);
        env->count->reason[REASON_NO_MEMORY]++;
        return;
    }
    c->env = env;
    c->snap = snapshot_ref(snap);
    snapshot_hold_keys(snap);
    c->holds_keys = true;
    snap->conns++;
    c->listener = listener;
    c->port = port;
    c->number = number;
    c->peer = *client;
    c->id = env->next_id++;
    c->reviewed = snap->generation;
    c->at.accepted = c->active_us = loop_now_us(env->loop);
    loop_task_init(&c->again, conn_wake, c);
    list_append(&env->conns, &c->link);
    env->open++;
    env->count->value[COUNTER_OPEN]++;
    conn_set_route(c, snapshot_route(snap, listener, &(struct route_ask){ 0 }, &by));
    conn_enter(c, CONN_OPENING);
}
