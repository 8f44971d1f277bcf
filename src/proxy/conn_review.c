/*
 * Live connections are judged again: when time passes the end of a client's certificate,
 * and when a reload has changed what was demanded of it. The same functions decide as in a
 * handshake: the rules by the identity that the connection keeps, the rest by the certificate
 * that OpenSSL keeps with the session anyway.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proxy/conn_log.h"
#include "proxy/conn_state.h"

/* Of connections judged in one turn of the loop: a signature takes 0.1 ms to check. */
#define SHARE 8

struct conn_refusal *conn_refusal_of(const struct identity *who, const char *rule)
{
    struct conn_refusal *r = malloc(sizeof(*r));

    if (r == NULL)
        return NULL;
    identity_text(who, r->identity, sizeof(r->identity));
    snprintf(r->rule, sizeof(r->rule), "%s", rule);
    return r;
}

void conn_refused(struct conn *c, const struct identity *who, const char *rule)
{
    free(c->refusal);
    c->refusal = conn_refusal_of(who, rule);
}

/* It is known from the end of the handshake on. */
static bool has_client(const struct conn *c)
{
    return c->state != CONN_LINGER && c->facts.identity != NULL;
}

/* What its route demands now; NULL: nothing, or the route is gone. */
static const struct snap_route *demanding(const struct conn *c)
{
    const struct snap_route *r = snapshot_named(c->env->current, c->route->conf->head.name);

    return r != NULL && r->conf->on_expiry == ON_EXPIRY_CLOSE
                && r->conf->client_auth != CLIENT_AUTH_NONE ? r : NULL;
}

/* False: it has ended. What is our own fault refuses new connections, and ends none. */
static bool verify_again(struct conn *c, const struct snap_route *r)
{
    struct tls_failure f;

    if (tls_stream_verify(&c->client, r->tls, &f) == 0 || f.side == SIDE_US)
        return true;
    conn_refused(c, c->facts.identity, f.text);
    conn_end(c, f.cause == TLS_CAUSE_CLIENT_CERT_REVOKED   ? REASON_CLIENT_REVOKED
                : f.cause == TLS_CAUSE_CLIENT_CERT_EXPIRED ? REASON_CLIENT_EXPIRED
                                                           : REASON_CLIENT_UNTRUSTED);
    return false;
}

static void judge_again(struct conn *c, const struct snap_route *r)
{
    struct verdict v = policy_judge(r->conf, c->facts.identity);
    char rule[VERDICT_TEXT_MAX];

    if (!verdict_admits(&v)) {
        conn_refused(c, c->facts.identity, verdict_text(&v, r->conf, rule));
        conn_end(c, REASON_DENIED);
    }
}

void conn_review_one(struct conn *c)
{
    const struct snap_route *r = has_client(c) ? demanding(c) : NULL;
    uint64_t demands;

    if (r == NULL)
        return;
    memcpy(&demands, r->policy, sizeof(demands));
    if (demands != c->demands && !verify_again(c, r))
        return;
    c->demands = demands;
    if (r->conf->allow.n + r->conf->deny.n > 0)
        judge_again(c, r);
}

/* Who was judged goes to the tail, where those that begin now are, too. */
void conn_review_some(void *arg)
{
    struct conn_env *env = arg;

    for (int n = 0; n < SHARE; n++) {
        struct conn *c = LIST_OF(struct conn, link, env->conns.next);
        if (list_empty(&env->conns) || c->reviewed == env->current->generation)
            return;
        c->reviewed = env->current->generation;
        list_remove(&c->link);
        list_append(&env->conns, &c->link);
        conn_drain_one(c);
        conn_review_one(c);
    }
    loop_later(env->loop, &env->review);
}

void conn_review(struct conn_env *env)
{
    int64_t now = (int64_t)time(NULL);

    LIST_EACH (l, next, &env->conns) {
        struct conn *c = LIST_OF(struct conn, link, l);
        if (has_client(c) && c->facts.identity->not_after < now && demanding(c) != NULL)
            conn_end(c, REASON_CLIENT_EXPIRED);
    }
}

static bool is_to_leave(const struct conn *c)
{
    return c->state == CONN_RELAY && c->endpoint != NULL && !c->endpoint->up
        && c->route->conf->upstream->on_down == ON_DOWN_CLOSE;
}

void conn_leave_down(struct conn_env *env)
{
    LIST_EACH (l, next, &env->conns) {
        struct conn *c = LIST_OF(struct conn, link, l);
        if (is_to_leave(c))
            conn_end(c, REASON_UPSTREAM_DOWN);
    }
}
