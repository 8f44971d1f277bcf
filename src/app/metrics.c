#include "app/metrics.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tls/ctx.h"

#define SECOND_US 1e6

struct scrape {
    FILE *out;
    const struct status *s;
    const char *family;
};

/* --- the format --- */

static void family(struct scrape *m, const char *name, const char *type, const char *help)
{
    m->family = name;
    fprintf(m->out, "# HELP sallyport_%s %s\n# TYPE sallyport_%s %s\n", name, help, name, type);
}

static void label(struct scrape *m, char before, const char *name, const char *value)
{
    fprintf(m->out, "%c%s=\"", before, name);
    for (const char *p = value; *p != '\0'; p++) {
        if (*p == '\\' || *p == '"')
            fputc('\\', m->out);
        if (*p == '\n')
            fputs("\\n", m->out);
        else
            fputc((unsigned char)*p < 0x20 || *p == 0x7f ? '?' : *p, m->out);
    }
    fputc('"', m->out);
}

/* name, value, name, value …, NULL; then the number. */
#define LABELS(...) (const char *const[]){ __VA_ARGS__, NULL }
#define NO_LABELS (const char *const[]){ NULL }

static void series(struct scrape *m, const char *suffix, const char *const *labels)
{
    fprintf(m->out, "sallyport_%s%s", m->family, suffix);
    for (size_t i = 0; labels[i] != NULL; i += 2)
        label(m, i == 0 ? '{' : ',', labels[i], labels[i + 1]);
    if (labels[0] != NULL)
        fputc('}', m->out);
    fputc(' ', m->out);
}

static void put(struct scrape *m, const char *const *labels, uint64_t n)
{
    series(m, "", labels);
    fprintf(m->out, "%" PRIu64 "\n", n);
}

static void put_time(struct scrape *m, const char *const *labels, int64_t t)
{
    series(m, "", labels);
    fprintf(m->out, "%" PRId64 "\n", t);
}

/* With one label, or none (NULL). */
static void put_histogram(struct scrape *m, const char *name, const char *value,
                          const struct histogram *h)
{
    uint64_t below = 0;

    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        char limit[32] = "+Inf";
        if (histogram_limit_us(i) != UINT64_MAX)
            snprintf(limit, sizeof(limit), "%g", (double)histogram_limit_us(i) / SECOND_US);
        below += h->bucket[i];
        series(m, "_bucket", name != NULL ? LABELS(name, value, "le", limit)
                                          : LABELS("le", limit));
        fprintf(m->out, "%" PRIu64 "\n", below);
    }
    series(m, "_sum", name != NULL ? LABELS(name, value) : NO_LABELS);
    fprintf(m->out, "%.6f\n", (double)h->sum_us / SECOND_US);
    series(m, "_count", name != NULL ? LABELS(name, value) : NO_LABELS);
    fprintf(m->out, "%" PRIu64 "\n", below);
}

/* --- the process --- */

static void put_process(struct scrape *m)
{
    const struct report *r = m->s->report;
    uint64_t alive = 0;

    for (size_t i = 0; i < r->n; i++)
        alive += r->workers[i].started_us > 0;
    family(m, "build_info", "gauge", "Version of sallyport and of its TLS library; always 1.");
    put(m, LABELS("version", SALLYPORT_VERSION, "library", tls_library()), 1);
    family(m, "generation", "gauge", "Number of the configuration in force; each reload adds 1.");
    put(m, NO_LABELS, r->generation);
    family(m, "config_last_reload_successful", "gauge",
           "Whether what the files hold is in force: 0 after a reload that failed.");
    put(m, NO_LABELS, r->ok);
    family(m, "config_last_reload_success_timestamp_seconds", "gauge",
           "When configuration and files were last found good.");
    put(m, NO_LABELS, r->last_ok_us / 1000000u);
    family(m, "reloads_total", "counter", "Reloads, by how they ended.");
    put(m, LABELS("result", "ok"), r->done);
    put(m, LABELS("result", "failed"), r->failed);
    family(m, "workers", "gauge", "Workers that are alive.");
    put(m, NO_LABELS, alive);
    family(m, "worker_restarts_total", "counter", "Workers that died and were replaced.");
    put(m, NO_LABELS, report_restarts(r));
}

/* The worker's counters that no other family has. */
static void put_totals(struct scrape *m)
{
    static const struct {
        enum counter counter;
        const char *name, *type, *help;
    } rows[] = {
        { COUNTER_ACCEPT_PAUSES, "accept_pauses_total", "counter",
          "Times accepting paused because descriptors were out." },
        { COUNTER_LISTENER_FULL, "listener_full_total", "counter",
          "Times accepting paused because max_connections were open." },
        { COUNTER_HUNG, "workers_hung_total", "counter",
          "Workers that were ended because their loop did not turn." },
        { COUNTER_RETRIED, "upstream_retries_total", "counter",
          "Servers that failed a connection, which another server was tried for." },
        { COUNTER_OLDER, "generations_older", "gauge",
          "Configurations that are not in force any more and still have connections." },
        { COUNTER_ON_OLDER, "connections_on_older", "gauge",
          "Connections that began with one of these." },
    };
    struct counters c;

    accounts_sum(m->s->accounts, &c);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        family(m, rows[i].name, rows[i].type, rows[i].help);
        put(m, NO_LABELS, c.value[rows[i].counter]);
    }
}

/* --- by route --- */

typedef void route_fn(struct scrape *m, const char *route, const struct route_count *c);

static void each_route(struct scrape *m, route_fn *fn)
{
    const struct accounts *a = m->s->accounts;
    uint32_t last = ledger_last(a->ledger, LEDGER_ROUTE);

    for (uint32_t row = 0; row <= last; row++) {
        char room[LEDGER_NAME];
        struct route_count c;
        bool any = accounts_route(a, row, m->s->now_us / 1000000u, &c);
        if (any || row > 0)
            fn(m, ledger_name(a->ledger, LEDGER_ROUTE, row, room), &c);
    }
}

static void put_open(struct scrape *m, const char *route, const struct route_count *c)
{
    put(m, LABELS("route", route), c->open);
}

static void put_ended(struct scrape *m, const char *route, const struct route_count *c)
{
    for (int i = 0; i < REASON_COUNT; i++)
        if (c->reason[i] > 0)
            put(m, LABELS("route", route, "reason", reason_name((enum reason)i)), c->reason[i]);
}

static void put_handshakes(struct scrape *m, const char *route, const struct route_count *c)
{
    static const char *const versions[] = { "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3" };

    for (int i = 0; i < VERSIONS; i++)
        for (int k = 0; k < 2; k++)
            if (c->handshakes[i][k] > 0)
                put(m, LABELS("route", route, "version", versions[i], "resumed",
                              k ? "true" : "false", "result", "ok"), c->handshakes[i][k]);
    for (int i = 0; i < TLS_CAUSE_COUNT; i++)
        if (c->failed[i] > 0)
            put(m, LABELS("route", route, "version", "unknown", "resumed", "false", "result",
                          failure_name((enum tls_cause)i)), c->failed[i]);
}

static void put_bytes(struct scrape *m, const char *route, const struct route_count *c)
{
    put(m, LABELS("route", route, "direction", "in"), c->bytes_in);
    put(m, LABELS("route", route, "direction", "out"), c->bytes_out);
}

static void put_client_ends(struct scrape *m, const char *route, const struct route_count *c)
{
    if (c->ends[0] != 0)
        put_time(m, LABELS("route", route), c->ends[0]);
}

static void put_routes(struct scrape *m)
{
    struct histogram all = { 0 };

    family(m, "connections_open", "gauge", "Connections that are open now.");
    each_route(m, put_open);
    family(m, "connections_total", "counter", "Connections that ended, by the reason.");
    each_route(m, put_ended);
    family(m, "handshakes_total", "counter",
           "TLS handshakes with clients; result is ok or why it failed.");
    each_route(m, put_handshakes);
    family(m, "handshake_seconds", "histogram",
           "From the accept of a connection to the end of its handshake.");
    for (size_t i = 0; i < m->s->accounts->n; i++)
        histogram_join(&all, &m->s->accounts->v[i].handshakes);
    put_histogram(m, NULL, NULL, &all);
    family(m, "bytes_total", "counter", "Bytes relayed: in from clients, out to them.");
    each_route(m, put_bytes);
    family(m, "client_certificate_not_after_seconds", "gauge",
           "The soonest end of a client certificate seen in the last 6 to 12 hours.");
    each_route(m, put_client_ends);
}

static void put_listeners(struct scrape *m)
{
    const struct accounts *a = m->s->accounts;
    uint32_t last = ledger_last(a->ledger, LEDGER_LISTENER);

    family(m, "accepts_total", "counter",
           "Connections taken from a listening socket; refused: their source was over a limit, or "
           "is not known.");
    for (uint32_t row = 1; row <= last; row++) {
        char room[LEDGER_NAME];
        const char *name = ledger_name(a->ledger, LEDGER_LISTENER, row, room);
        struct listener_count c;
        (void)accounts_listener(a, row, &c);
        put(m, LABELS("listener", name, "result", "accepted"), c.accepted);
        put(m, LABELS("listener", name, "result", "refused"), c.refused);
        put(m, LABELS("listener", name, "result", "failed"), c.failed);
    }
}

/* --- by upstream --- */

static void put_server(struct scrape *m, const char *upstream, const struct health_seen *seen)
{
    char addr[ADDR_TEXT_MAX], text[ADDR_TEXT_MAX + LEDGER_NAME + 300];

    if (seen->addr == NULL || !seen->known)
        return;
    addr_text(seen->addr, addr);
    snprintf(text, sizeof(text), "%s", seen->server);
    if (strcmp(seen->server, addr) != 0)    /* a name, which may have several */
        snprintf(text, sizeof(text), "%s (%s)", seen->server, addr);
    put(m, LABELS("upstream", upstream, "server", text), !seen->down);
}

struct of_upstream {
    struct scrape *m;
    const char *name;
};

static void on_server(void *arg, const struct health_seen *seen)
{
    const struct of_upstream *u = arg;

    put_server(u->m, u->name, seen);
}

static void put_dials(struct scrape *m, bool handshakes)
{
    const struct accounts *a = m->s->accounts;
    uint32_t last = ledger_last(a->ledger, LEDGER_UPSTREAM);

    for (uint32_t row = 0; row <= last; row++) {
        char room[LEDGER_NAME];
        const char *name = ledger_name(a->ledger, LEDGER_UPSTREAM, row, room);
        struct upstream_count c;
        if (!accounts_upstream(a, row, &c))
            continue;
        if (!handshakes)
            put_histogram(m, "upstream", name, &c.connects);
        for (int k = 0; handshakes && k < 2; k++)
            if (c.handshakes[k] > 0)
                put(m, LABELS("upstream", name, "resumed", k ? "true" : "false", "result", "ok"),
                    c.handshakes[k]);
        for (int k = 0; handshakes && k < TLS_CAUSE_COUNT; k++)
            if (c.failed[k] > 0)
                put(m, LABELS("upstream", name, "resumed", "false", "result",
                              failure_name((enum tls_cause)k)), c.failed[k]);
    }
}

static void put_upstreams(struct scrape *m)
{
    const struct conf *c = m->s->conf;

    family(m, "upstream_up", "gauge", "Whether checks find a server up; of servers with checks.");
    for (size_t i = 0; i < c->nupstreams; i++) {
        struct of_upstream u = { m, c->upstreams[i]->head.name };
        status_servers(m->s, c->upstreams[i], on_server, &u);
    }
    family(m, "upstream_connect_seconds", "histogram",
           "How long servers took to accept a connection.");
    put_dials(m, false);
    family(m, "upstream_handshakes_total", "counter",
           "TLS handshakes with servers; result is ok or why it failed.");
    put_dials(m, true);
}

/* --- certificates --- */

/* By the labels; the soonest first among those with the same. */
static int by_labels(const void *a, const void *b)
{
    const struct fact *x = *(const struct fact *const *)a, *y = *(const struct fact *const *)b;
    int c = strcmp(x->subject, y->subject);

    if (c == 0)
        c = strcmp(x->serial, y->serial);
    return c != 0 ? c : (x->not_after > y->not_after) - (x->not_after < y->not_after);
}

/* Two files may have the same certificate, and two issuers the same serial number: one series. */
static void put_store(struct scrape *m, const struct conf_store *st)
{
    size_t n, kept = 0;
    const struct inventory_item *v = status_facts(m->s, &st->head, &n);
    const struct fact **leaves = calloc(n + 1, sizeof(leaves[0]));

    for (size_t i = 0; leaves != NULL && i < n; i++) {
        const struct fact *f = &v[i].fact;
        if (f->kind == FACT_LEAF && f->subject != NULL && f->serial != NULL
            && f->not_after != INT64_MIN)
            leaves[kept++] = f;
    }
    if (kept > 0)
        qsort(leaves, kept, sizeof(leaves[0]), by_labels);
    for (size_t i = 0; i < kept; i++)
        if (i == 0 || strcmp(leaves[i]->subject, leaves[i - 1]->subject) != 0
            || strcmp(leaves[i]->serial, leaves[i - 1]->serial) != 0)
            put_time(m, LABELS("store", st->head.name, "subject", leaves[i]->subject, "serial",
                               leaves[i]->serial), leaves[i]->not_after);
    free(leaves);
}

static void put_crls(struct scrape *m, const struct conf_trust *t)
{
    int64_t soonest = INT64_MAX;
    size_t n;
    const struct inventory_item *v = status_facts(m->s, &t->head, &n);

    for (size_t i = 0; i < n; i++)
        if (v[i].fact.kind == FACT_CRL && v[i].fact.not_after != INT64_MIN
            && v[i].fact.not_after < soonest)
            soonest = v[i].fact.not_after;
    if (soonest != INT64_MAX)
        put_time(m, LABELS("trust", t->head.name), soonest);
}

static void put_certificates(struct scrape *m)
{
    const struct conf *c = m->s->conf;

    family(m, "certificate_not_after_seconds", "gauge", "When a certificate of a store ends.");
    for (size_t i = 0; i < c->nstores; i++)
        put_store(m, c->stores[i]);
    family(m, "crl_next_update_seconds", "gauge",
           "When the first of the revocation lists of a trust should have been renewed.");
    for (size_t i = 0; i < c->ntrusts; i++)
        put_crls(m, c->trusts[i]);
}

void metrics_write(const struct status *s, FILE *out)
{
    struct scrape m = { .out = out, .s = s };

    put_process(&m);
    put_routes(&m);
    put_listeners(&m);
    put_upstreams(&m);
    put_totals(&m);
    put_certificates(&m);
}
