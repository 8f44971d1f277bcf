/*
 * Connections that shall end: all of them, because the process does, or those that a reload
 * leaves behind, whose route or server the configuration does not have any more.
 *
 * Each gets its turn, one after the other with a pause between, so that a thousand clients
 * do not come back in one moment. When its turn has come, a connection that is quiet ends in
 * order; one that carries bytes goes on until it is quiet, or over, or the time is up.
 */
#include <strings.h>

#include "net/sock.h"
#include "proxy/conn_state.h"

#define TICK_MS 20u             /* between two turns, where the time suffices for that */
#define QUIET_US 1000000u       /* no byte for so long: nothing is under way */

static bool is_quiet(const struct conn *c, uint64_t now_us)
{
    return c->state == CONN_RELAY && c->relay.up.buf.len == 0 && c->relay.down.buf.len == 0
        && now_us - c->active_us >= QUIET_US;
}

/* A slow reader has what was sent to it in the kernel's hands still: it shall take it first. */
static bool all_arrived(const struct conn *c)
{
    return sock_unacked(c->client.fd) == 0 && sock_unacked(c->upstream.fd) == 0;
}

/* The last third of the time is for those that had their turn and were busy. */
static uint64_t pause_us(const struct conn_env *env, uint64_t timeout_ms)
{
    uint64_t share = timeout_ms * 1000u * 2 / 3 / (env->open > 0 ? env->open : 1);

    return share < TICK_MS * 1000u ? share : TICK_MS * 1000u;
}

void conn_drain_forget(struct conn *c)
{
    if (c->leave_by == 0)
        return;
    c->leave_by = 0;
    c->env->leaving--;
}

/* It shall end, for that reason, by the end of the time. */
static void give_turn(struct conn *c, enum reason why, uint64_t timeout_ms)
{
    struct conn_env *env = c->env;
    uint64_t now = loop_now_us(env->loop), by = now + timeout_ms * 1000u;

    if (c->leave_by == 0)
        env->leaving++;
    else if (c->leave_by < by)
        by = c->leave_by;
    if (env->next_turn < now)
        env->next_turn = now;
    c->leave_at = env->next_turn < by ? env->next_turn : by;
    c->leave_by = by;
    c->leave_why = why;
    env->next_turn += pause_us(env, timeout_ms);
    if (env->leaving == 1)
        (void)loop_timer_set(env->turns, TICK_MS);
}

void conn_drain_all(struct conn_env *env, uint64_t timeout_ms)
{
    uint64_t now = loop_now_us(env->loop);

    /* Those that are quiet have the first turns. */
    env->next_turn = now;
    for (int quiet = 1; quiet >= 0; quiet--)
        LIST_EACH (l, next, &env->conns) {
            struct conn *c = LIST_OF(struct conn, link, l);
            if (is_quiet(c, now) == (quiet == 1))
                give_turn(c, REASON_LEFT, timeout_ms);
        }
}

static void end_in_order(struct conn *c)
{
    (void)stream_shut(&c->client);
    conn_end(c, c->leave_why);
}

void conn_drain_turns(void *arg)
{
    struct conn_env *env = arg;
    uint64_t now = loop_now_us(env->loop);

    LIST_EACH (l, next, &env->conns) {
        struct conn *c = LIST_OF(struct conn, link, l);
        if (c->leave_by == 0 || now < c->leave_at)
            continue;
        if (is_quiet(c, now) && all_arrived(c))
            end_in_order(c);
        else if (now >= c->leave_by && c->leave_why != REASON_LEFT)
            conn_end(c, REASON_REMOVED_CUT);    /* the others are cut by who drains */
    }
    if (env->leaving > 0)
        (void)loop_timer_set(env->turns, TICK_MS);
}

/* --- what a reload leaves behind --- */

static bool has_server(const struct conf_upstream *u, const char *written)
{
    for (size_t i = 0; i < u->servers.n; i++)
        if (strcasecmp(u->servers.v[i].written, written) == 0)
            return true;
    return false;
}

void conn_drain_one(struct conn *c)
{
    const struct snapshot *current = c->env->current;
    const struct snap_route *r = snapshot_named(current, c->route->conf->head.name);
    uint64_t timeout_ms = current->conf->proxy.drain_timeout_ms;

    if (c->leave_by != 0 && c->leave_why == REASON_LEFT)
        return;
    if (r == NULL)
        give_turn(c, REASON_ROUTE_REMOVED, timeout_ms);
    else if (c->endpoint != NULL && !has_server(r->conf->upstream, c->endpoint->server))
        give_turn(c, REASON_SERVER_REMOVED, timeout_ms);
    else
        conn_drain_forget(c);           /* it was put back */
}
