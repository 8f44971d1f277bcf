/* Where a connection comes from: the address, or what a PROXY header says; and the limits that
   hold for it. */
#include <stdlib.h>

#include "proto/proxyhdr.h"
#include "proxy/conn_log.h"
#include "proxy/conn_state.h"

void conn_source_enter(struct conn *c)
{
    struct account *a = c->env->account;

    c->awaits_header = nets_have(&c->listener->proxy_from, &c->peer);
    if (c->listener->conf->max_connections > 0) {
        uint64_t key = source_key(&a->sources, c->number, NULL);
        c->at_listener = source_begin(&a->sources, key, 0) ? key : 0;
    }
}

static void admitted(struct conn *c)
{
    c->admitted = true;
    conn_listener_count(c)->accepted++;
}

/* Counted before it is judged: who is over a limit and goes on trying stays over it. */
bool conn_source_admit(struct conn *c)
{
    const struct conf_listener *l = c->listener->conf;
    uint32_t most = l->max_connections_per_ip, rate = l->handshake_rate_per_ip;
    /* Now, when it counts: a header may have been long in coming. */
    uint32_t second = (uint32_t)(loop_now_us(c->env->loop) / 1000000);
    struct account *a = c->env->account;
    uint64_t key;

    key = most > 0 || rate > 0 ? source_key(&a->sources, c->number, &c->peer) : 0;
    if (!source_begin(&a->sources, key, second)) {
        admitted(c);
        return true;
    }
    c->at_source = key;
    if (most > 0 && account_source_open(a, key) > most)
        conn_end(c, REASON_SOURCE_FULL);
    else if (rate > 0 && account_source_began(a, key, second) > rate)
        conn_end(c, REASON_SOURCE_FAST);
    else
        admitted(c);
    return c->admitted;
}

void conn_source_leave(struct conn *c)
{
    struct sources *s = &c->env->account->sources;

    if (c->at_listener != 0)
        source_end(s, c->at_listener);
    if (c->at_source != 0)
        source_end(s, c->at_source);
    c->at_listener = c->at_source = 0;
}

/* --- the header --- */

void conn_source_fail(struct conn *c, const char *what, enum reason why)
{
    conn_log_early(c, why, TLS_CAUSE_PROXY_WRONG, what);
    conn_end(c, why);
}

static bool take_header(struct conn *c, const struct proxyhdr *h)
{
    if (h->addressed) {
        c->header = malloc(sizeof(*c->header));
        if (c->header == NULL) {
            conn_end(c, REASON_NO_MEMORY);
            return false;
        }
        *c->header = (struct conn_header){ .via = c->peer, .to = h->to };
        c->peer = h->from;
    }
    stream_skip(&c->client, h->len);
    return true;
}

bool conn_source_read(struct conn *c)
{
    struct proxyhdr h;
    size_t n;
    const uint8_t *p = stream_held(&c->client, &n);

    switch (proxyhdr_read(p, n, &h)) {
    case PROXYHDR_MORE:
        return false;
    case PROXYHDR_WHOLE:
        return take_header(c, &h);
    default:
        conn_source_fail(c, h.why, REASON_HANDSHAKE_FAILED);
        return false;
    }
}
