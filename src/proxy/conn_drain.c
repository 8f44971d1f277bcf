/*
 * Connections that shall end: all of them, because the process does, or those that a reload
 * leaves behind, whose route or server the configuration does not have any more.
 *
 * Each gets its turn, one after the other with a pause between, so that a thousand clients
 * do not come back in one moment. When its turn has come, a connection that is quiet ends in
 * order; one that carries bytes goes on until it is quiet, or over, or the time is up. One that
 * may await an answer counts as quiet when half of what it had left at its turn has passed:
 * long enough for an answer that takes its time, and in order still if none ever comes.
 */
#include <strings.h>

#include "net/sock.h"
#include "proxy/conn_state.h"

#define TICK_MS 20u             /* between two turns, where the time suffices for that */
#define QUIET_US 1000000u       /* no byte for so long: nothing is under way */
#define LOOKS 64u               /* at connections, in a tick; more where a round took over 1 s */

/* It has come, and said nothing at all: some clients connect before they need to. */
static bool never_began(const struct conn *c)
{
    size_t n = 0;

    if (c->state == CONN_OPENING)
        (void)stream_held(&c->client, &n);
    return c->state == CONN_OPENING && n == 0;
}

static bool is_quiet(const struct conn *c, uint64_t now_us)
{
    bool holds_nothing = c->state == CONN_RELAY
        ? c->relay.up.buf.len == 0 && c->relay.down.buf.len == 0 : never_began(c);

    return holds_nothing && now_us - c->active_us >= QUIET_US;
}

/* The client spoke last, or has said all: bytes of the upstream's may be still to come. */
static bool may_await_answer(const struct conn *c)
{
    return c->state == CONN_RELAY
        && (c->asked || c->relay.up.state != FLOW_OPEN) && c->relay.down.state == FLOW_OPEN;
}

/* A slow reader has what was sent to it in the kernel's hands still: it shall take it first. */
static bool all_arrived(const struct conn *c)
{
    return c->state != CONN_RELAY
        || (sock_unacked(c->client.fd) == 0 && sock_unacked(c->upstream.fd) == 0);
}

static bool may_end(const struct conn *c, uint64_t now_us)
{
    if (!is_quiet(c, now_us) || !all_arrived(c))
        return false;
    return !may_await_answer(c) || now_us >= c->leave_at + (c->leave_by - c->leave_at) / 2;
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
    list_remove(&c->leaving);
    c->env->nleaving--;
}

/* It shall end, for that reason, by the end of the time. */
static void give_turn(struct conn *c, enum reason why, uint64_t timeout_ms)
{
    struct conn_env *env = c->env;
    uint64_t now = loop_now_us(env->loop), by = now + timeout_ms * 1000u;

    if (c->leave_by == 0) {
        list_append(&env->leaving, &c->leaving);
        if (env->nleaving++ == 0)
            (void)loop_timer_set(env->turns, TICK_MS);
    } else if (c->leave_by < by) {
        by = c->leave_by;
    }
    if (env->next_turn < now)
        env->next_turn = now;
    c->leave_at = env->next_turn < by ? env->next_turn : by;
    c->leave_by = by;
    c->leave_why = why;
    env->next_turn += pause_us(env, timeout_ms);
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

static void look_at(struct conn *c, uint64_t now)
{
    if (now < c->leave_at)
        return;
    if (may_end(c, now)) {
        if (c->state == CONN_RELAY)
            (void)stream_shut(&c->client);
        conn_end(c, c->leave_why);
    } else if (now >= c->leave_by && c->leave_why != REASON_LEFT) {
        conn_end(c, REASON_REMOVED_CUT);    /* the others are cut by who drains */
    }
}

/* A few in each tick, and all within a second: of a hundred thousand that carry bytes, none
   else shall wait for that. */
void conn_drain_turns(void *arg)
{
    struct conn_env *env = arg;
    uint64_t now = loop_now_us(env->loop);
    unsigned looks = env->nleaving / (1000u / TICK_MS) + 1;

    looks = looks > LOOKS ? looks : LOOKS;
    for (looks = looks < env->nleaving ? looks : env->nleaving; looks > 0; looks--) {
        struct conn *c = LIST_OF(struct conn, leaving, env->leaving.next);
        list_remove(&c->leaving);
        list_append(&env->leaving, &c->leaving);
        look_at(c, now);
    }
    if (env->nleaving > 0)
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

/* REASON_COUNT: it may stay. */
static enum reason why_leave(const struct conn *c)
{
    const struct snap_route *r = snapshot_named(c->env->current, c->route->conf->head.name);

    if (r == NULL)
        return REASON_ROUTE_REMOVED;
    if (c->endpoint != NULL && !has_server(r->conf->upstream, c->endpoint->server))
        return REASON_SERVER_REMOVED;
    return REASON_COUNT;
}

void conn_drain_one(struct conn *c)
{
    enum reason why = why_leave(c);

    if (c->leave_by != 0 && c->leave_why == REASON_LEFT)
        return;
    if (why == REASON_COUNT)
        conn_drain_forget(c);           /* it was put back */
    else if (c->leave_by == 0)
        give_turn(c, why, c->env->current->conf->proxy.drain_timeout_ms);
    else
        c->leave_why = why;             /* another reload does not put off its turn */
}
