#include "proxy/conn_log.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "proxy/repeats.h"

char *conn_listener_text(const struct conn *c, char out[ADDR_TEXT_MAX])
{
    struct addr a = c->listener->conf->addr;

    addr_set_port(&a, c->port);
    return addr_text(&a, out);
}

static void add_who(struct logline *l, const struct conn *c)
{
    char id[24], listener[ADDR_TEXT_MAX], client[PEER_TEXT_MAX];

    snprintf(id, sizeof(id), "%llx", (unsigned long long)c->id);
    logline_str(l, "id", id);
    logline_str(l, "route", c->route->conf->head.name);
    logline_str(l, "listener", conn_listener_text(c, listener));
    logline_str(l, "client", peer_text(&c->peer, client));
    if (c->header != NULL)
        logline_str(l, "via", peer_text(&c->header->via, client));
}

/* Is it to have a line of its own? */
static bool is_told(struct conn *c, enum reason why, const struct tls_failure *f)
{
    char listener[ADDR_TEXT_MAX];
    struct occurrence o = {
        .source = source_key(&c->env->account->sources, c->number, &c->peer),
        .client = c->peer,
        .listener = conn_listener_text(c, listener),
        .route = c->route->conf->head.name,
        .reason = reason_name(why),
        .failure = f,
    };

    return repeats_tell(c->env->repeats, &o, c->snap->conf->proxy.sum_failures_ms,
                        loop_now_us(c->env->loop));
}

void conn_log_failure(struct conn *c, enum reason why, const struct tls_failure *f)
{
    struct logline l;

    c->told = true;
    c->env->count->cause[f->cause]++;
    conn_route_count(c)->failed[f->cause]++;
    if (!is_told(c, why, f))
        return;
    logline_begin(&l, failure_level(f), "TLS handshake failed");
    /* A field, so that what a peer chose of it stands between quotes. */
    logline_str(&l, "what", f->text);
    add_who(&l, c);
    logline_str(&l, "reason", reason_name(why));
    logline_str(&l, "cause", f->name);
    logline_str(&l, "side", failure_side_text(f->side));
    logline_str(&l, "fix", f->fix);
    if (c->refusal != NULL) {
        logline_str(&l, "identity", c->refusal->identity);
        logline_str(&l, "rule", c->refusal->rule);
    }
    logline_str(&l, "sni", c->sni);
    logline_u64(&l, "bytes", tls_stream_bytes_in(&c->client));
    logline_ms(&l, "total_ms", loop_now_us(c->env->loop) - c->at.accepted);
    logline_end(&l);
}

/* A server is a source of failures as a client is; all on Unix sockets are one. */
static uint64_t server_key(const struct conn *c)
{
    uint32_t number = ~(uint32_t)c->route->conf->upstream->head.index;
    uint64_t key = 0;
    struct peer p;

    if (conn_server(c) != NULL) {
        peer_from(&conn_server(c)->u.sa, &p);
        key = source_key(&c->env->account->sources, number, &p);
    }
    return key != 0 ? key : number;
}

void conn_log_secure(struct conn *c, enum reason why, const struct tls_failure *f)
{
    char listener[ADDR_TEXT_MAX];
    struct occurrence o = {
        .source = server_key(c),
        .upstream = c->route->conf->upstream->head.name,
        .server = conn_server_written(c),
        .client = c->peer,
        .listener = conn_listener_text(c, listener),
        .route = c->route->conf->head.name,
        .reason = reason_name(why),
        .failure = f,
    };
    struct logline l;

    c->env->count->cause[f->cause]++;
    conn_upstream_count(c)->failed[f->cause]++;
    if (!repeats_tell(c->env->repeats, &o, c->snap->conf->proxy.sum_failures_ms,
                      loop_now_us(c->env->loop)))
        return;
    logline_begin(&l, failure_level(f), "TLS handshake with the upstream failed");
    logline_str(&l, "what", f->text);
    add_who(&l, c);
    logline_str(&l, "upstream", o.upstream);
    logline_str(&l, "server", o.server);
    logline_str(&l, "reason", o.reason);
    logline_str(&l, "cause", f->name);
    logline_str(&l, "side", failure_side_text(f->side));
    logline_str(&l, "fix", f->fix);
    if (c->secure != NULL && c->secure->refusal != NULL) {
        logline_str(&l, "identity", c->secure->refusal->identity);
        logline_str(&l, "rule", c->secure->refusal->rule);
    }
    logline_u64(&l, "bytes", tls_stream_bytes_in(&c->upstream));
    logline_end(&l);
}

void conn_log_early(struct conn *c, enum reason why, enum tls_cause cause, const char *what)
{
    struct tls_failure f;

    failure_early(cause, what, &f);
    conn_log_failure(c, why, &f);
}

/* From one moment to a later one, if both were reached. */
static void add_phase(struct logline *l, const char *key, uint64_t from, uint64_t to)
{
    if (from != 0 && to >= from)
        logline_ms(l, key, to - from);
}

static void add_tls(struct logline *l, const struct conn *c)
{
    const struct tls_facts *f = &c->facts;
    char identity[IDENTITY_TEXT_MAX];

    logline_str(l, "sni", c->sni);
    logline_str(l, "alpn", f->alpn);
    logline_str(l, "tls", f->version);
    logline_str(l, "suite", f->suite);
    logline_str(l, "group", f->group);
    logline_str(l, "resumed", f->resumed ? "yes" : "no");
    if (f->identity != NULL)
        logline_str(l, "identity", identity_text(f->identity, identity, sizeof(identity)));
}

/* The address that was dialled; before that, what the configuration calls it. */
static void add_upstream(struct logline *l, const struct conn *c)
{
    const struct conf_upstream *up = c->route->conf->upstream;
    const struct addr *server = conn_server(c);
    const struct tls_facts *f = c->secure != NULL ? &c->secure->facts : NULL;
    char text[ADDR_TEXT_MAX], identity[IDENTITY_TEXT_MAX];

    logline_str(l, "upstream", up->servers.builtin_page ? "builtin:page"
                               : server != NULL         ? addr_text(server, text)
                                                        : up->head.name);
    if (c->ntried > 0)
        logline_u64(l, "tries", c->ntried + (c->endpoint != NULL));
    if (f == NULL || f->version == NULL)
        return;
    logline_str(l, "upstream_tls", f->version);
    logline_str(l, "upstream_suite", f->suite);
    logline_str(l, "upstream_alpn", f->alpn);
    logline_str(l, "upstream_resumed", f->resumed ? "yes" : "no");
    if (f->identity != NULL)
        logline_str(l, "upstream_identity",
                    identity_text(f->identity, identity, sizeof(identity)));
}

void conn_log_end(struct conn *c)
{
    enum log_level level = reason_level(c->reason);
    struct logline l;

    if (c->told || c->reason == REASON_PROBE)
        return;
    if (!c->snap->conf->proxy.access_log && level > LOG_LEVEL_WARN)
        return;
    logline_begin(&l, level, "connection");
    add_who(&l, c);
    if (c->facts.version != NULL)
        add_tls(&l, c);
    else if (c->plain)
        logline_str(&l, "tls", "off");
    if (c->facts.version != NULL || c->plain) {
        add_upstream(&l, c);
        logline_u64(&l, "bytes_in", c->relay.up.bytes);
        logline_u64(&l, "bytes_out", c->relay.down.bytes);
    }
    add_phase(&l, "handshake_ms", c->at.accepted, c->at.secured);
    add_phase(&l, "connect_ms", c->at.secured, c->at.connected);
    add_phase(&l, "upstream_handshake_ms", c->at.connected, c->at.upstream_secured);
    add_phase(&l, "first_byte_ms", c->at.connected, c->at.first);
    add_phase(&l, "total_ms", c->at.accepted, loop_now_us(c->env->loop));
    logline_str(&l, "reason", reason_name(c->reason));
    if (reason_is_error(c->reason)) {
        logline_str(&l, "what", reason_text(c->reason));
        if (c->reason == REASON_CLIENT_PROTOCOL)
            logline_str(&l, "detail", tls_stream_failure(&c->client, false)->text);
        if (c->reason == REASON_UPSTREAM_TLS_BROKEN)
            logline_str(&l, "detail", tls_stream_failure(&c->upstream, false)->text);
        if (c->refusal != NULL)
            logline_str(&l, c->reason == REASON_DENIED ? "rule" : "detail", c->refusal->rule);
        if (c->error != 0)
            logline_str(&l, "error", strerror(c->error));
    }
    logline_end(&l);
}
