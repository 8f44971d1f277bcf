/* status_json(): /status.json. doc/status.md says what stands in it. */
#include <stdlib.h>

#include "app/hops.h"
#include "app/status.h"
#include "conf/types.h"
#include "tls/ctx.h"

struct writing {
    struct json j;
    const struct status *s;
};

static void put_u64(struct json *j, const char *name, uint64_t n)
{
    json_number(j, name, n <= INT64_MAX ? (int64_t)n : INT64_MAX);
}

/* To the second. 0: null. */
static void put_time_us(struct json *j, const char *name, uint64_t us)
{
    json_time(j, name, us > 0 ? (int64_t)(us / 1000000u) : INT64_MIN);
}

static void put_list(struct json *j, const char *name, char *const *v, size_t n)
{
    json_array(j, name, JSON_LINE);
    for (size_t i = 0; i < n; i++)
        json_text(j, NULL, v[i]);
    json_end(j);
}

/* --- the process --- */

static void put_reloads(struct writing *w)
{
    const struct report *r = w->s->report;
    struct json *j = &w->j;

    json_object(j, "reloads", JSON_LINE);
    put_u64(j, "ok", r->done);
    put_u64(j, "failed", r->failed);
    json_end(j);
    if (r->last_us == 0) {
        json_text(j, "last_reload", NULL);
        return;
    }
    json_object(j, "last_reload", JSON_LINES);
    json_bool(j, "ok", r->ok);
    json_bool(j, "mended", r->mended);
    put_time_us(j, "time", r->last_us);
    json_text(j, "cause", r->cause);
    json_text(j, "files", r->files);
    put_u64(j, "generation", r->generation);
    diags_put_json(&r->findings, j, "findings");
    diags_put_json(&r->changes, j, "changes");
    json_end(j);
}

static void put_workers(struct writing *w)
{
    const struct report *r = w->s->report;
    struct json *j = &w->j;

    json_array(j, "workers", JSON_LINES);
    for (size_t i = 0; i < r->n && i < w->s->accounts->n; i++) {
        const struct report_worker *v = &r->workers[i];
        json_object(j, NULL, JSON_LINE);
        put_u64(j, "worker", i);
        if (v->pid > 0)
            put_u64(j, "pid", v->pid);
        else
            json_text(j, "pid", NULL);
        put_time_us(j, "started", v->started_us);
        put_u64(j, "restarts", v->restarts);
        put_u64(j, "connections_open", w->s->accounts->v[i].count.value[COUNTER_OPEN]);
        json_end(j);
    }
    json_end(j);
    put_u64(j, "worker_restarts", report_restarts(r));
}

static void put_totals(struct writing *w, const struct counters *c)
{
    struct json *j = &w->j;

    json_object(j, "totals", JSON_LINES);
    for (int i = 0; i < COUNTER_COUNT; i++)
        put_u64(j, counter_name((enum counter)i), c->value[i]);
    json_end(j);
}

static void put_process(struct writing *w)
{
    const struct report *r = w->s->report;
    struct json *j = &w->j;
    struct conf_strs why;
    struct counters c;

    json_text(j, "version", SALLYPORT_VERSION);
    json_text(j, "library", tls_library());
    put_u64(j, "pid", r->pid);
    json_text(j, "state", r->draining ? "draining" : "running");
    json_bool(j, "ready", status_ready(w->s, &why));
    put_list(j, "not_ready", why.v, why.n);
    status_why_free(&why);
    put_time_us(j, "now", w->s->now_us);
    put_time_us(j, "started", r->started_us);
    put_u64(j, "generation", r->generation);
    put_time_us(j, "generation_since", r->since_us);
    accounts_sum(w->s->accounts, &c);
    put_u64(j, "generations_older", c.value[COUNTER_OLDER]);
    put_u64(j, "connections_on_older", c.value[COUNTER_ON_OLDER]);
    put_reloads(w);
    put_workers(w);
    put_totals(w, &c);
}

/* --- routes and listeners --- */

static void put_counts(struct json *j, const struct route_count *c)
{
    uint64_t done = 0, resumed = 0;

    for (int i = 0; i < VERSIONS; i++) {
        done += c->handshakes[i][0] + c->handshakes[i][1];
        resumed += c->handshakes[i][1];
    }
    put_u64(j, "connections_open", c->open);
    put_u64(j, "connections", status_connections(c));
    put_u64(j, "refused", status_refused(c));
    put_u64(j, "bytes_from_clients", c->bytes_in);
    put_u64(j, "bytes_to_clients", c->bytes_out);
    put_u64(j, "handshakes", done);
    put_u64(j, "handshakes_resumed", resumed);
    json_object(j, "handshakes_failed", JSON_LINE);
    for (int i = 0; i < TLS_CAUSE_COUNT; i++)
        if (c->failed[i] > 0)
            put_u64(j, failure_name((enum tls_cause)i), c->failed[i]);
    json_end(j);
    json_object(j, "ended", JSON_LINE);
    for (int i = 0; i < REASON_COUNT; i++)
        if (c->reason[i] > 0)
            put_u64(j, reason_name((enum reason)i), c->reason[i]);
    json_end(j);
    json_time(j, "client_certificate_not_after", c->ends[0] != 0 ? c->ends[0] : INT64_MIN);
}

static void put_route(struct writing *w, const struct conf_route *r)
{
    struct json *j = &w->j;
    struct route_count c = status_route(w->s, r->head.name);

    json_object(j, NULL, JSON_LINES);
    json_text(j, "route", r->head.name);
    json_text(j, "mode", type_word(KEY_ROUTE_MODE, r->mode));
    json_array(j, "listen", JSON_LINE);
    for (size_t i = 0; i < r->listen.n; i++) {
        char text[ADDR_TEXT_MAX];
        json_text(j, NULL, addr_text(&r->listen.v[i], text));
    }
    json_end(j);
    put_list(j, "sni", r->sni.v, r->sni.n);
    put_list(j, "alpn", r->alpn.v, r->alpn.n);
    json_text(j, "store", r->store != NULL ? r->store->head.name : NULL);
    json_text(j, "client_auth", type_word(KEY_ROUTE_CLIENT_AUTH, r->client_auth));
    json_text(j, "trust", r->trust != NULL ? r->trust->head.name : NULL);
    json_text(j, "upstream", r->upstream->head.name);
    put_counts(j, &c);
    json_end(j);
}

static void put_routes(struct writing *w)
{
    const struct conf *c = w->s->conf;
    struct json *j = &w->j;

    json_array(j, "routes", JSON_LINES);
    for (size_t i = 0; i < c->nroutes; i++)
        put_route(w, c->routes[i]);
    json_end(j);
    json_array(j, "listeners", JSON_LINES);
    for (size_t i = 0; i < c->nlisteners; i++) {
        const struct accounts *a = w->s->accounts;
        const char *name = c->listeners[i]->head.name;
        struct listener_count n;
        (void)accounts_listener(a, ledger_find(a->ledger, LEDGER_LISTENER, name), &n);
        json_object(j, NULL, JSON_LINE);
        json_text(j, "listener", name);
        put_u64(j, "accepted", n.accepted);
        put_u64(j, "refused", n.refused);
        put_u64(j, "failed", n.failed);
        json_end(j);
    }
    json_end(j);
}

/* --- certificates --- */

static void put_term(struct writing *w, const struct fact *f, uint64_t warn_before_ms)
{
    struct json *j = &w->j;

    if (f->not_after != INT64_MIN && f->not_after != INT64_MAX)
        json_number(j, "days_left", status_days(w->s, f->not_after));
    else
        json_text(j, "days_left", NULL);
    json_text(j, "state", status_expiry_word(status_expiry(w->s, f, warn_before_ms)));
}

static void put_certificate(struct writing *w, const struct fact *f, uint64_t warn_before_ms)
{
    static const char *const kinds[] = { "leaf", "chain", "anchor", "crl" };
    struct json *j = &w->j;

    json_object(j, NULL, JSON_LINE);
    json_text(j, "kind", kinds[f->kind]);
    json_escaped(j, "name", f->name);
    json_escaped(j, "subject", f->subject);
    json_escaped(j, "issuer", f->issuer);
    json_text(j, "serial", f->serial);
    json_escaped(j, "names", f->names);
    json_text(j, "key", f->key);
    json_text(j, "sha256", f->sha256);
    json_text(j, "file", f->path);
    json_escaped(j, "alias", f->alias);
    json_time(j, "not_before", f->not_before);
    json_time(j, "not_after", f->not_after);
    put_term(w, f, warn_before_ms);
    json_end(j);
}

static void put_crl(struct writing *w, const struct fact *f, uint64_t warn_before_ms)
{
    struct json *j = &w->j;

    json_object(j, NULL, JSON_LINE);
    json_escaped(j, "name", f->name);
    json_text(j, "number", f->serial);
    json_text(j, "file", f->path);
    json_time(j, "this_update", f->not_before);
    json_time(j, "next_update", f->not_after);
    put_term(w, f, warn_before_ms);
    json_end(j);
}

static void put_facts(struct writing *w, const struct conf_head *h, uint64_t warn_before_ms,
                      const char *name, bool crls)
{
    size_t n;
    const struct inventory_item *v = status_facts(w->s, h, &n);

    json_array(&w->j, name, JSON_LINES);
    for (size_t i = 0; i < n; i++)
        if ((v[i].fact.kind == FACT_CRL) == crls)
            (crls ? put_crl : put_certificate)(w, &v[i].fact, warn_before_ms);
    json_end(&w->j);
}

static void put_stores(struct writing *w)
{
    const struct conf *c = w->s->conf;
    struct json *j = &w->j;

    json_array(j, "stores", JSON_LINES);
    for (size_t i = 0; i < c->nstores; i++) {
        json_object(j, NULL, JSON_LINES);
        json_text(j, "store", c->stores[i]->head.name);
        put_facts(w, &c->stores[i]->head, c->stores[i]->warn_before_ms, "certificates", false);
        json_end(j);
    }
    json_end(j);
    json_array(j, "trusts", JSON_LINES);
    for (size_t i = 0; i < c->ntrusts; i++) {
        json_object(j, NULL, JSON_LINES);
        json_text(j, "trust", c->trusts[i]->head.name);
        put_facts(w, &c->trusts[i]->head, c->trusts[i]->warn_before_ms, "certificates", false);
        put_facts(w, &c->trusts[i]->head, c->trusts[i]->warn_before_ms, "crls", true);
        json_end(j);
    }
    json_end(j);
}

/* --- upstreams --- */

struct serving {
    struct writing *w;
    const char *server;         /* whose addresses are being written */
};

static void end_server(struct serving *v)
{
    if (v->server == NULL)
        return;
    json_end(&v->w->j);
    json_end(&v->w->j);
}

/* The addresses of a server come one after the other. */
static void put_server(void *arg, const struct health_seen *seen)
{
    struct serving *v = arg;
    struct json *j = &v->w->j;
    char text[ADDR_TEXT_MAX];

    if (v->server != seen->server) {
        end_server(v);
        json_object(j, NULL, JSON_LINE);
        json_text(j, "server", seen->server);
        json_array(j, "addresses", JSON_LINE);
        v->server = seen->server;
    }
    if (seen->addr == NULL)
        return;
    json_object(j, NULL, JSON_LINE);
    json_text(j, "address", seen->addr->len > 0 ? addr_text(seen->addr, text) : NULL);
    json_text(j, "state", status_server_word(status_server_state(seen)));
    put_time_us(j, "since", seen->since_us);
    json_text(j, "why", seen->why);
    json_end(j);
}

static void put_upstreams(struct writing *w)
{
    const struct conf *c = w->s->conf;
    struct json *j = &w->j;

    json_array(j, "upstreams", JSON_LINES);
    for (size_t i = 0; i < c->nupstreams; i++) {
        const struct conf_upstream *u = c->upstreams[i];
        struct serving v = { .w = w };
        json_object(j, NULL, JSON_LINES);
        json_text(j, "upstream", u->head.name);
        json_text(j, "check", type_word(KEY_UPSTREAM_CHECK, u->check.kind));
        json_text(j, "balance", type_word(KEY_UPSTREAM_BALANCE, u->balance));
        json_bool(j, "tls", u->tls);
        json_array(j, "servers", JSON_LINES);
        status_servers(w->s, u, put_server, &v);
        end_server(&v);
        json_end(j);
        json_end(j);
    }
    json_end(j);
}

void status_json(const struct status *s, FILE *out)
{
    struct writing w = { .j = { .out = out }, .s = s };
    struct hops hops;

    json_object(&w.j, NULL, JSON_LINES);
    put_process(&w);
    put_routes(&w);
    put_stores(&w);
    put_upstreams(&w);
    hops_find(&hops, s->conf);
    put_list(&w.j, "hops", hops.v, hops.n);
    hops_free(&hops);
    json_end(&w.j);
}
