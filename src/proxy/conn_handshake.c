/* HANDSHAKE: TLS with the client, under the deadline that OPENING has set. */
#include <string.h>

#include "base/clock.h"
#include "net/stream.h"
#include "proxy/conn_log.h"
#include "proxy/conn_state.h"

void conn_handshake_enter(struct conn *c)
{
    conn_handshake_turn(c);     /* its first bytes are here already */
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
    if (f->cause == TLS_CAUSE_DENIED)
        why = REASON_DENIED;
    conn_log_failure(c, why, f);
    if (gone)
        conn_end(c, why);
    else
        conn_linger(c, &c->client, why);            /* the alert is on its way */
}

static enum account_version version_of(const struct tls_facts *f)
{
    static const char *const names[] = { "TLSv1", "TLSv1.1", "TLSv1.2" };

    for (int i = 0; i < VERSIONS - 1; i++)
        if (strcmp(f->version, names[i]) == 0)
            return (enum account_version)i;
    return VERSION_TLS13;
}

static void count_done(struct conn *c)
{
    struct route_count *r = conn_route_count(c);

    r->handshakes[version_of(&c->facts)][c->facts.resumed]++;
    histogram_add(&c->env->account->handshakes, c->at.secured - c->at.accepted);
    if (c->facts.resumed)
        c->env->count->value[COUNTER_RESUMED]++;
    if (c->facts.identity != NULL)
        account_client_ends(r, c->facts.identity->not_after, clock_wall_us() / 1000000u);
}

static void handshake_done(struct conn *c)
{
    c->at.secured = loop_now_us(c->env->loop);
    c->env->count->value[COUNTER_HANDSHAKES]++;
    if (tls_stream_facts(&c->client, &c->facts) != 0) {
        conn_end(c, REASON_NO_MEMORY);
        return;
    }
    memcpy(&c->demands, c->route->policy, sizeof(c->demands));
    count_done(c);
    /* A reload since it began was not meant to let it in by what held before. The review that
       followed it passed over this connection, which had shown nothing yet. */
    if (c->snap != c->env->current)
        conn_review_one(c);
    if (c->state == CONN_HANDSHAKE)
        conn_enter(c, CONN_CONNECT);
}

void conn_handshake_turn(struct conn *c)
{
    switch (stream_handshake(&c->client)) {
    case STREAM_OK:
        handshake_done(c);
        break;
    case STREAM_AGAIN:
        if (stream_want(&c->client, stream_read_interest(&c->client)) != 0)
            conn_end(c, REASON_NO_MEMORY);
        break;
    default:
        handshake_failed(c, REASON_HANDSHAKE_FAILED);
    }
}

void conn_handshake_timeout(struct conn *c)
{
    handshake_failed(c, REASON_HANDSHAKE_TIMEOUT);
}
