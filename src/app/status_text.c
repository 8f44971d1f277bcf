/* status_text(): what `sallyport status` prints. What needs somebody comes first. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/hops.h"
#include "app/status.h"
#include "base/mem.h"

#define RATES_LEAST_US 500000u  /* between two looks that make a rate, and at most: */
#define RATES_MOST_US 120000000u
#define CERTS_MAX 20            /* the soonest; the rest is a number */
#define CELL_MAX 64

/* --- words --- */

static const char *time_text(uint64_t us, char out[CELL_MAX])
{
    time_t t = (time_t)(us / 1000000u);
    struct tm tm;

    if (gmtime_r(&t, &tm) == NULL || strftime(out, CELL_MAX, "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
        snprintf(out, CELL_MAX, "?");
    return out;
}

/* "3d 4h", "5m 10s": the two largest units. */
static const char *span_text(uint64_t s, char out[CELL_MAX])
{
    static const struct { uint64_t s; char unit; } units[] = {
        { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' }
    };
    size_t i = 0;

    while (i < 3 && s < units[i].s)
        i++;
    int len = snprintf(out, CELL_MAX, "%" PRIu64 "%c", s / units[i].s, units[i].unit);
    if (i < 3 && s % units[i].s >= units[i + 1].s)
        snprintf(out + len, CELL_MAX - (size_t)len, " %" PRIu64 "%c",
                 s % units[i].s / units[i + 1].s, units[i + 1].unit);
    return out;
}

/* "812", "1.2M": powers of 1,000. */
static const char *amount_text(uint64_t n, const char *after, char out[CELL_MAX])
{
    static const char letters[] = "kMGTPE";
    double v = (double)n;
    int i = -1;

    while (v >= 999.5 && i < 5) {
        v /= 1000;
        i++;
    }
    if (i < 0)
        snprintf(out, CELL_MAX, "%" PRIu64 "%s", n, after);
    else
        snprintf(out, CELL_MAX, v < 9.95 ? "%.1f%c%s" : "%.0f%c%s", v, letters[i], after);
    return out;
}

/* --- tables: columns as wide as what is in them --- */

struct table {
    char **cells;
    size_t n, columns;
    uint32_t right;             /* bit per column: numbers */
};

static void cell(struct table *t, const char *text)
{
    t->cells = mem_append(t->cells, t->n, sizeof(t->cells[0]));
    t->cells[t->n++] = mem_strdup(text);
}

static void print_cell(const struct table *t, size_t i, const int *width, FILE *out)
{
    size_t column = i % t->columns;
    bool last = column + 1 == t->columns;

    if (t->right & 1u << column)
        fprintf(out, "%*s", width[column], t->cells[i]);
    else
        fprintf(out, "%-*s", last ? 0 : width[column], t->cells[i]);
    fputs(last ? "\n" : "  ", out);
}

static void print_table(struct table *t, FILE *out)
{
    int *width = mem_zalloc(t->columns * sizeof(int));

    for (size_t i = 0; i < t->n; i++)
        if ((int)strlen(t->cells[i]) > width[i % t->columns])
            width[i % t->columns] = (int)strlen(t->cells[i]);
    if (t->n > t->columns)      /* more than its head */
        fputc('\n', out);
    for (size_t i = 0; t->n > t->columns && i < t->n; i++)
        print_cell(t, i, width, out);
    for (size_t i = 0; i < t->n; i++)
        free(t->cells[i]);
    free(t->cells);
    free(width);
}

static void head(struct table *t, size_t columns, uint32_t right, const char *const *names)
{
    *t = (struct table){ .columns = columns, .right = right };
    for (size_t i = 0; i < columns; i++)
        cell(t, names[i]);
}

/* --- the process --- */

static void put_reload(const struct status *s, FILE *out)
{
    const struct report *r = s->report;
    const char *how = r->mended ? "failed, and is mended" : r->ok ? "was good" : "FAILED";
    char when[CELL_MAX];

    if (r->last_us == 0) {
        fputs("reloads      none yet\n", out);
    } else {
        fprintf(out, "reloads      %" PRIu64 " good, %" PRIu64 " failed; the last one %s (%s%s%s), "
                     "at %s\n",
                r->done, r->failed, how, r->cause != NULL ? r->cause : "?",
                r->files != NULL ? ": " : "", r->files != NULL ? r->files : "",
                time_text(r->last_us, when));
    }
    if (r->changes.n > 0) {
        fputs("\nThe last reload changed:\n", out);
        diags_print(&r->changes, out);
    }
    if (r->findings.n > 0) {
        fprintf(out, "\n%s\n", r->ok ? "What is in force has warnings:"
                                     : "What the files hold is not in force:");
        diags_print(&r->findings, out);
    }
}

static void put_process(const struct status *s, FILE *out)
{
    const struct report *r = s->report;
    char since[CELL_MAX], span[CELL_MAX];
    struct conf_strs why;
    struct counters c;
    size_t alive = 0;

    bool ready = status_ready(s, &why);
    fprintf(out, "sallyport " SALLYPORT_VERSION "  %s, process %" PRIu64 ", up %s\n",
            ready ? "ready" : "NOT READY", r->pid,
            span_text((s->now_us - r->started_us) / 1000000u, span));
    for (size_t i = 0; i < why.n; i++)
        fprintf(out, "             %s\n", why.v[i]);
    status_why_free(&why);
    accounts_sum(s->accounts, &c);
    fprintf(out, "in force     generation %" PRIu64 ", since %s\n", r->generation,
            time_text(r->since_us, since));
    if (c.value[COUNTER_ON_OLDER] > 0)
        fprintf(out, "             %" PRIu64 " connections began with %" PRIu64 " older ones\n",
                c.value[COUNTER_ON_OLDER], c.value[COUNTER_OLDER]);
    for (size_t i = 0; i < r->n; i++)
        alive += r->workers[i].started_us > 0;
    fprintf(out, "workers      %zu of %zu, %" PRIu64 " restarts\n", alive, r->n,
            report_restarts(r));
    fprintf(out, "connections  %" PRIu64 " open, %" PRIu64 " accepted\n", c.value[COUNTER_OPEN],
            c.value[COUNTER_ACCEPTED]);
    put_reload(s, out);
}

/* --- routes --- */

/* Microseconds since that look; 0: there is no rate to tell. */
static uint64_t rates_age(const struct status *s, const struct status_rates *r)
{
    uint64_t age = r->at_us != 0 && s->now_us > r->at_us ? s->now_us - r->at_us : 0;

    return age >= RATES_LEAST_US && age <= RATES_MOST_US ? age : 0;
}

void status_rates_free(struct status_rates *r)
{
    free(r->bytes);
    free(r->conns);
    *r = (struct status_rates){ 0 };
}

static void keep_rates(const struct status *s, struct status_rates *r)
{
    uint32_t last = ledger_last(s->accounts->ledger, LEDGER_ROUTE);

    if (r->at_us != 0 && s->now_us > r->at_us && s->now_us - r->at_us < RATES_LEAST_US)
        return;
    status_rates_free(r);
    *r = (struct status_rates){ s->now_us, mem_zalloc((last + 1) * sizeof(uint64_t)),
                                mem_zalloc((last + 1) * sizeof(uint64_t)), last + 1 };
    for (uint32_t row = 0; row <= last; row++) {
        struct route_count c;
        (void)accounts_route(s->accounts, row, s->now_us / 1000000u, &c);
        r->bytes[row] = c.bytes_in + c.bytes_out;
        r->conns[row] = status_connections(&c) + c.open;
    }
}

static void rate_cell(struct table *t, uint64_t now, uint64_t before, uint64_t age,
                      const char *unit)
{
    char text[CELL_MAX];

    cell(t, age == 0 || now < before
         ? "-" : amount_text((now - before) * 1000000u / age, unit, text));
}

static void put_routes(const struct status *s, const struct status_rates *rates, FILE *out)
{
    static const char *const names[] = { "ROUTE", "OPEN", "ENDED", "REFUSED", "CONN/S", "FROM",
                                         "TO", "RATE", "UPSTREAM" };
    uint64_t age = rates_age(s, rates);
    struct table t;

    head(&t, 9, 0xfe, names);
    for (size_t i = 0; i < s->conf->nroutes; i++) {
        const struct conf_route *r = s->conf->routes[i];
        uint32_t row = ledger_find(s->accounts->ledger, LEDGER_ROUTE, r->head.name);
        struct route_count c = status_route(s, r->head.name);
        bool known = row < rates->n;
        char text[CELL_MAX];
        cell(&t, r->head.name);
        cell(&t, amount_text(c.open, "", text));
        cell(&t, amount_text(status_connections(&c), "", text));
        cell(&t, amount_text(status_refused(&c), "", text));
        rate_cell(&t, status_connections(&c) + c.open, known ? rates->conns[row] : 0,
                  known ? age : 0, "");
        cell(&t, amount_text(c.bytes_in, "B", text));
        cell(&t, amount_text(c.bytes_out, "B", text));
        rate_cell(&t, c.bytes_in + c.bytes_out, known ? rates->bytes[row] : 0, known ? age : 0,
                  "B/s");
        cell(&t, r->upstream->head.name);
    }
    print_table(&t, out);
}

static void put_refusals(const struct status *s, FILE *out)
{
    static const char *const names[] = { "REFUSED", "ROUTE", "WHY" };
    struct table t;
    char text[CELL_MAX];

    head(&t, 3, 1, names);
    for (size_t i = 0; i < s->conf->nroutes; i++) {
        struct route_count c = status_route(s, s->conf->routes[i]->head.name);
        for (int k = 0; k < REASON_COUNT; k++) {
            if (c.reason[k] == 0 || !reason_is_error((enum reason)k))
                continue;
            cell(&t, amount_text(c.reason[k], "", text));
            cell(&t, s->conf->routes[i]->head.name);
            char *why = mem_printf("%s: %s", reason_name((enum reason)k),
                                   reason_text((enum reason)k));
            cell(&t, why);
            free(why);
        }
        for (int k = 0; k < TLS_CAUSE_COUNT; k++) {
            if (c.failed[k] == 0)
                continue;
            cell(&t, amount_text(c.failed[k], "", text));
            cell(&t, s->conf->routes[i]->head.name);
            char *why = mem_printf("  TLS: %s", failure_name((enum tls_cause)k));
            cell(&t, why);
            free(why);
        }
    }
    print_table(&t, out);
}

/* --- certificates --- */

struct held {
    const struct conf_head *head;
    const struct fact *fact;
    uint64_t warn_before_ms;
};

static int sooner(const void *a, const void *b)
{
    const struct fact *x = ((const struct held *)a)->fact, *y = ((const struct held *)b)->fact;

    return (x->not_after > y->not_after) - (x->not_after < y->not_after);
}

static size_t gather(const struct status *s, const struct conf_head *h, uint64_t warn_before_ms,
                     struct held *into, size_t n)
{
    size_t count;
    const struct inventory_item *v = status_facts(s, h, &count);

    for (size_t i = 0; i < count; i++)
        into[n++] = (struct held){ h, &v[i].fact, warn_before_ms };
    return n;
}

static void put_certificates(const struct status *s, FILE *out)
{
    static const char *const names[] = { "DAYS", "STATE", "IN", "CERTIFICATE", "FILE" };
    struct held *v = mem_zalloc((s->catalog->n + 1) * sizeof(*v));
    struct table t;
    char text[CELL_MAX];
    size_t n = 0;

    for (size_t i = 0; i < s->conf->nstores; i++)
        n = gather(s, &s->conf->stores[i]->head, s->conf->stores[i]->warn_before_ms, v, n);
    for (size_t i = 0; i < s->conf->ntrusts; i++)
        n = gather(s, &s->conf->trusts[i]->head, s->conf->trusts[i]->warn_before_ms, v, n);
    if (n > 0)
        qsort(v, n, sizeof(v[0]), sooner);
    head(&t, 5, 1, names);
    for (size_t i = 0; i < n && i < CERTS_MAX; i++) {
        const struct fact *f = v[i].fact;
        bool ends = f->not_after != INT64_MIN && f->not_after != INT64_MAX;
        snprintf(text, sizeof(text), "%" PRId64, ends ? status_days(s, f->not_after) : 0);
        cell(&t, ends ? text : "-");
        cell(&t, status_expiry_word(status_expiry(s, f, v[i].warn_before_ms)));
        cell(&t, v[i].head->title);
        cell(&t, f->name != NULL ? f->name : "?");
        cell(&t, f->path != NULL ? f->path : "");
    }
    print_table(&t, out);
    if (n > CERTS_MAX)
        fprintf(out, "… and %zu more, which end later\n", n - CERTS_MAX);
    free(v);
}

/* --- servers --- */

struct serving {
    struct table *t;
    const char *upstream;
};

static void on_server(void *arg, const struct health_seen *seen)
{
    struct serving *v = arg;
    char text[ADDR_TEXT_MAX] = "";

    if (seen->addr != NULL && seen->addr->len > 0)
        addr_text(seen->addr, text);
    cell(v->t, v->upstream);
    cell(v->t, seen->server);
    cell(v->t, strcmp(text, seen->server) == 0 ? "" : text);
    cell(v->t, status_server_word(status_server_state(seen)));
    cell(v->t, seen->why);
}

static void put_servers(const struct status *s, FILE *out)
{
    static const char *const names[] = { "UPSTREAM", "SERVER", "ADDRESS", "STATE", "WHY" };
    struct table t;

    head(&t, 5, 0, names);
    for (size_t i = 0; i < s->conf->nupstreams; i++) {
        struct serving v = { &t, s->conf->upstreams[i]->head.name };
        status_servers(s, s->conf->upstreams[i], on_server, &v);
    }
    print_table(&t, out);
}

void status_text(const struct status *s, struct status_rates *rates, FILE *out)
{
    struct hops hops;

    put_process(s, out);
    put_routes(s, rates, out);
    put_refusals(s, out);
    put_servers(s, out);
    put_certificates(s, out);
    hops_find(&hops, s->conf);
    for (size_t i = 0; i < hops.n; i++)
        fprintf(out, "%s%s\n", i == 0 ? "\n" : "", hops.v[i]);
    hops_free(&hops);
    keep_rates(s, rates);
}
