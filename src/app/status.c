#include "app/status.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define DAY_S 86400

/* --- certificates --- */

static int64_t now_s(const struct status *s)
{
    return (int64_t)(s->now_us / 1000000u);
}

enum expiry_state status_expiry(const struct status *s, const struct fact *f,
                                uint64_t warn_before_ms)
{
    return expiry_state(f, (int64_t)(warn_before_ms / 1000), now_s(s));
}

const char *status_expiry_word(enum expiry_state e)
{
    static const char *const words[] = {
        [EXPIRY_FINE] = "fine", [EXPIRY_STALE] = "stale", [EXPIRY_DUE] = "due",
        [EXPIRY_PAST] = "expired"
    };

    return words[e];
}

int64_t status_days(const struct status *s, int64_t until)
{
    int64_t left = until - now_s(s);

    return left >= 0 ? left / DAY_S : -((-left + DAY_S - 1) / DAY_S);
}

const struct inventory_item *status_facts(const struct status *s, const struct conf_head *h,
                                          size_t *n)
{
    return catalog_of(s->catalog, h->title, n);
}

/* --- counts --- */

struct route_count status_route(const struct status *s, const char *name)
{
    struct route_count r;
    uint32_t row = ledger_find(s->accounts->ledger, LEDGER_ROUTE, name);

    (void)accounts_route(s->accounts, row, s->now_us / 1000000u, &r);
    return r;
}

uint64_t status_connections(const struct route_count *r)
{
    uint64_t n = 0;

    for (int i = 0; i < REASON_COUNT; i++)
        n += r->reason[i];
    return n;
}

uint64_t status_refused(const struct route_count *r)
{
    uint64_t n = 0;

    for (int i = 0; i < REASON_COUNT; i++)
        n += reason_is_error((enum reason)i) ? r->reason[i] : 0;
    return n;
}

/* --- servers --- */

enum status_server status_server_state(const struct health_seen *seen)
{
    if (seen->addr == NULL)
        return SERVER_UNRESOLVED;
    return !seen->known ? SERVER_UNCHECKED : seen->down ? SERVER_DOWN : SERVER_UP;
}

const char *status_server_word(enum status_server state)
{
    static const char *const words[] = {
        [SERVER_UNCHECKED] = "unchecked", [SERVER_UNRESOLVED] = "unresolved", [SERVER_UP] = "up",
        [SERVER_DOWN] = "down"
    };

    return words[state];
}

void status_servers(const struct status *s, const struct conf_upstream *u, health_seen_fn *fn,
                    void *arg)
{
    static const struct addr none;

    if (u->servers.builtin_page || u->servers.original) {
        const char *word = u->servers.original ? "original" : "builtin:page";
        fn(arg, &(struct health_seen){ .server = word, .addr = &none, .why = "" });
    } else if (conf_is_watched(u)) {
        health_each(s->health, u->head.name, fn, arg);
    } else {
        for (size_t i = 0; i < u->servers.n; i++)
            fn(arg, &(struct health_seen){ .server = u->servers.v[i].written,
                                           .addr = &u->servers.v[i].addr, .why = "" });
    }
}

/* --- ready --- */

static void add_why(struct conf_strs *why, char *text)
{
    why->v = mem_append(why->v, why->n, sizeof(why->v[0]));
    why->v[why->n++] = text;
}

void status_why_free(struct conf_strs *why)
{
    for (size_t i = 0; i < why->n; i++)
        free(why->v[i]);
    free(why->v);
    *why = (struct conf_strs){ 0 };
}

static bool has_valid(const struct status *s, const struct conf_store *st)
{
    const int64_t now = now_s(s);
    size_t n;
    const struct inventory_item *v = status_facts(s, &st->head, &n);

    for (size_t i = 0; i < n; i++)
        if (v[i].fact.kind == FACT_LEAF && v[i].fact.not_before <= now
            && v[i].fact.not_after >= now)
            return true;
    return false;
}

bool status_ready(const struct status *s, struct conf_strs *why)
{
    *why = (struct conf_strs){ 0 };
    if (s->report->draining)
        add_why(why, mem_strdup("it is draining"));
    for (size_t i = 0; i < s->conf->nroutes; i++) {
        const struct conf_route *r = s->conf->routes[i];
        if (r->store != NULL && !has_valid(s, r->store))
            add_why(why, mem_printf("%s: no certificate of %s is valid", r->head.title,
                                    r->store->head.title));
    }
    return why->n == 0;
}
