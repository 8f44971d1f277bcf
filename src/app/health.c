#include "app/health_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/endpoints.h"
#include "base/clock.h"
#include "base/mem.h"
#include "proxy/endpoint.h"

#define SOON_MS 200u            /* the first check of a server, or after a reload */

/* --- chance --- */

/* Less than `below`; 0 for 0. */
static uint64_t chance(struct health *h, uint64_t below)
{
    h->chance++;
    return below > 0 ? endpoint_mix(h->chance) % below : 0;
}

/* Checks shall not all come at once: a tenth more or less. */
static uint64_t about(struct health *h, uint64_t ms)
{
    return ms - ms / 10 + chance(h, ms / 5 + 1);
}

/* --- checks --- */

static void on_due(void *arg);

static void stop(struct target *t)
{
    knock_free(t->knock);
    t->knock = NULL;
    if (t->timer != NULL)
        loop_timer_clear(t->timer);
    t->waiting = false;
}

/* What there is no memory for is not checked, and counts as it did. */
static void check_in(struct target *t, uint64_t ms)
{
    if (t->timer == NULL)
        t->timer = loop_timer_new(t->server->group->health->loop, on_due, t);
    t->waiting = t->timer != NULL && loop_timer_set(t->timer, ms) == 0;
}

static void on_result(void *arg, const struct knock_result *r)
{
    struct target *t = arg;
    struct group *g = t->server->group;
    bool good = r->why == NULL, first = !t->vitals.known;

    t->knock = NULL;
    t->session = r->session;
    t->failures += t->vitals.down && !good;
    if (first)
        t->since_us = clock_wall_us();
    if (vitals_take(&t->vitals, good, g->conf->rise, g->conf->fall)) {
        if (!good) {
            t->down_us = loop_now_us(g->health->loop);
            t->failures = first ? 1 : g->conf->fall;
        }
        t->since_us = clock_wall_us();
        snprintf(t->why, sizeof(t->why), "%s", good ? "" : r->why);
        health_log_state(t, r->why);
        health_news(g->health);
    }
    check_in(t, about(g->health, g->conf->check_interval_ms));
}

/* The name to ask TLS for: what is dialled, if that is a name. */
static const char *sni_of(const struct server *s)
{
    const char *sni = s->group->conf->tls_sni;

    return sni != NULL ? sni : s->conf->host;
}

static void on_due(void *arg)
{
    struct target *t = arg;
    const struct server *s = t->server;
    const struct conf_upstream *u = s->group->conf;
    struct knock_at at = {
        .addr = &t->addr,
        .dialler = s->group->health->dialler,
        .kind = s->group->kind,
        .session = t->session,
        .host = s->written,
        .path = u->check.path,
        .tls = s->group->kind == CHECK_TCP ? NULL : s->group->tls,
        .sni = sni_of(s),
        .proxy_protocol = u->proxy_protocol,
        .timeout_ms = u->check_timeout_ms,
    };

    t->waiting = false;
    t->knock = knock_new(s->group->health->loop, &at, on_result, t);
    if (t->knock == NULL)
        check_in(t, u->check_interval_ms);
}

/* Plaintext goes nowhere, not even to ask, where connections would not go. */
bool health_may_knock(const struct server *s, const struct addr *a)
{
    return s->group->conf->tls || nets_let_plaintext(&s->group->plaintext_to, a);
}

static void arm(struct target *t)
{
    struct group *g = t->server->group;
    uint64_t soon = g->conf->check_interval_ms < SOON_MS ? g->conf->check_interval_ms : SOON_MS;

    if (g->kind != CHECK_OFF && health_may_knock(t->server, &t->addr)) {
        if (t->knock == NULL && !t->waiting)
            check_in(t, chance(g->health, soon + 1));
        return;
    }
    stop(t);
    if (t->vitals.down)
        health_news(g->health);
    t->vitals = (struct vitals){ 0 };
}

void health_arm(struct group *g)
{
    size_t n = 0;

    for (size_t i = 0; i < g->n; i++)
        n += g->servers[i]->n > 0 ? g->servers[i]->n : 1;
    g->kind = conf_check_kind(g->conf, n);
    for (size_t i = 0; i < g->n; i++)
        for (size_t k = 0; k < g->servers[i]->n; k++)
            arm(g->servers[i]->targets[k]);
}

/* --- targets --- */

static struct target *target_new(struct server *s, const struct addr *a)
{
    struct target *t = mem_zalloc(sizeof(*t));

    t->server = s;
    t->addr = *a;
    return t;
}

static void target_free(struct target *t)
{
    if (t == NULL)
        return;
    knock_free(t->knock);
    loop_timer_free(t->timer);
    free(t);
}

/* The target of that address, which s loses; NULL: it has none. */
static struct target *take(struct server *s, const struct addr *a)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->targets[i] != NULL && addr_equal(&s->targets[i]->addr, a)) {
            struct target *t = s->targets[i];
            s->targets[i] = NULL;
            return t;
        }
    return NULL;
}

void health_set_targets(struct server *s, const struct addr *v, size_t n)
{
    struct target **targets = mem_zalloc((n + 1) * sizeof(targets[0]));

    for (size_t i = 0; i < n; i++) {
        targets[i] = take(s, &v[i]);
        if (targets[i] == NULL)
            targets[i] = target_new(s, &v[i]);
    }
    for (size_t i = 0; i < s->n; i++)
        target_free(s->targets[i]);
    free(s->targets);
    s->targets = targets;
    s->n = n;
}

/* --- groups --- */

static void server_free(struct server *s)
{
    if (s == NULL)
        return;
    resolve_name_free(s->name);
    for (size_t i = 0; i < s->n; i++)
        target_free(s->targets[i]);
    free(s->targets);
    free(s->written);
    free(s);
}

static void group_free(struct group *g)
{
    for (size_t i = 0; i < g->n; i++)
        server_free(g->servers[i]);
    tls_client_unref(g->tls);
    nets_free(&g->plaintext_to);
    free(g->servers);
    free(g->name);
    free(g);
}

static struct group *find_group(struct group **v, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(v[i]->name, name) == 0)
            return v[i];
    return NULL;
}

static struct server **find_server(struct group *g, const char *written)
{
    for (size_t i = 0; g != NULL && i < g->n; i++)
        if (g->servers[i] != NULL && strcmp(g->servers[i]->written, written) == 0)
            return &g->servers[i];
    return NULL;
}

/* As it was in the group of that name before, or a new one. */
static struct server *server_for(struct group *g, struct group *before,
                                 const struct conf_server *conf)
{
    struct server **old = find_server(before, conf->written);
    struct server *s = old != NULL ? *old : mem_zalloc(sizeof(*s));

    if (old != NULL)
        *old = NULL;
    else
        s->written = mem_strdup(conf->written);
    s->group = g;
    s->conf = conf;
    if (old == NULL && conf->host == NULL)
        health_set_targets(s, &conf->addr, 1);
    for (size_t i = 0; i < s->n; i++)
        stop(s->targets[i]);    /* it may be checked in another way now */
    return s;
}

static bool speaks_tls(const struct conf_upstream *u)
{
    return u->tls || u->check.kind == CHECK_TLS;
}

/* Who answers is not verified: a check asks whether somebody does. */
static struct tls_client *client_for(const struct conf_upstream *u)
{
    static const char *const h2[] = { "h2" };
    struct tls_client_policy p = {
        .versions = u->tls ? u->tls_protocols : PROTO_TLS12 | PROTO_TLS13,
        .alpn = h2,
        .nalpn = u->check.kind == CHECK_GRPC,
        .verify = TLS_VERIFY_OFF,
    };
    struct diags d = { 0 };
    struct tls_client *c = speaks_tls(u) ? tls_client_new(&p, NULL, 0, &d) : NULL;

    diags_free(&d);
    return c;
}

static struct group *group_new(struct health *h, const struct conf_upstream *conf,
                               struct group *before)
{
    struct group *g = mem_zalloc(sizeof(*g));

    *g = (struct group){ .health = h, .name = mem_strdup(conf->head.name), .conf = conf,
                         .n = conf->servers.n, .tls = client_for(conf),
                         .plaintext_to = conf_nets(&conf->plaintext_to) };
    g->servers = mem_zalloc((g->n + 1) * sizeof(g->servers[0]));
    for (size_t i = 0; i < g->n; i++)
        g->servers[i] = server_for(g, before, &conf->servers.v[i]);
    return g;
}

int health_apply(struct health *h, struct conf *conf, struct err *e)
{
    struct group **old = h->groups;
    struct conf *was = h->conf;
    size_t nold = h->n;

    h->conf = conf;
    h->groups = NULL;
    h->n = 0;
    for (size_t i = 0; i < conf->nupstreams; i++) {
        const struct conf_upstream *u = conf->upstreams[i];
        if (!conf_is_watched(u))
            continue;
        h->groups = mem_append(h->groups, h->n, sizeof(h->groups[0]));
        h->groups[h->n++] = group_new(h, u, find_group(old, nold, u->head.name));
    }
    for (size_t i = 0; i < nold; i++)
        group_free(old[i]);
    free(old);

    int rc = health_resolver(h, was, e);
    for (size_t i = 0; i < h->n; i++) {
        for (size_t k = 0; k < h->groups[i]->n; k++)
            health_ask(h->groups[i]->servers[k]);
        health_arm(h->groups[i]);
    }
    conf_free(was);
    health_news(h);
    return rc;
}

/* --- what is known, out and in --- */

static void tell(void *arg)
{
    struct health *h = arg;

    h->changed(h->arg);
}

void health_news(struct health *h)
{
    loop_later(h->loop, &h->tell);
}

const struct conf *health_conf(const struct health *h)
{
    return h->conf;
}

void health_each(const struct health *h, const char *upstream, health_seen_fn *fn, void *arg)
{
    const struct group *g = find_group(h->groups, h->n, upstream);

    for (size_t i = 0; g != NULL && i < g->n; i++) {
        const struct server *s = g->servers[i];
        for (size_t k = 0; k < s->n; k++) {
            const struct target *t = s->targets[k];
            fn(arg, &(struct health_seen){ s->written, &t->addr, t->vitals.known, t->vitals.down,
                                           t->since_us, t->vitals.down ? t->why : "" });
        }
        if (s->n == 0)
            fn(arg, &(struct health_seen){ .server = s->written, .why = "" });
    }
}

static bool is_worth_telling(const struct server *s)
{
    if (s->conf->host != NULL)
        return s->n > 0;
    return s->n > 0 && s->targets[0]->vitals.down;
}

void health_pack(const struct health *h, struct pack *out)
{
    struct upstream_addr v[RESOLVE_MAX];

    for (size_t i = 0; i < h->n; i++)
        for (size_t k = 0; k < h->groups[i]->n; k++) {
            const struct server *s = h->groups[i]->servers[k];
            struct upstream_news news = {
                .upstream = h->groups[i]->name, .server = s->written, .n = s->n, .v = v
            };
            if (!is_worth_telling(s))
                continue;
            for (size_t t = 0; t < s->n; t++)
                v[t] = (struct upstream_addr){ s->targets[t]->addr, !s->targets[t]->vitals.down };
            endpoints_put(out, &news);
        }
}

static void recall(void *arg, const struct upstream_news *news)
{
    struct health *h = arg;
    struct server **at = find_server(find_group(h->groups, h->n, news->upstream), news->server);
    struct server *s = at != NULL ? *at : NULL;
    struct addr v[RESOLVE_MAX];
    size_t n = news->n < RESOLVE_MAX ? news->n : RESOLVE_MAX;

    if (s == NULL)
        return;
    if (s->conf->host != NULL && s->n == 0) {
        for (size_t i = 0; i < n; i++)
            v[i] = news->v[i].addr;
        health_set_targets(s, v, n);
    }
    for (size_t i = 0; i < s->n; i++)
        for (size_t k = 0; k < n; k++)
            if (!news->v[k].up && !s->targets[i]->vitals.known
                && addr_equal(&s->targets[i]->addr, &news->v[k].addr))
                s->targets[i]->vitals = (struct vitals){ .known = true, .down = true };
    health_arm(s->group);
}

void health_recall(struct health *h, const void *p, size_t len)
{
    (void)endpoints_each(p, len, recall, h);
}

/* --- life --- */

struct health *health_new(struct loop *l, health_fn *changed, void *arg)
{
    struct health *h = mem_zalloc(sizeof(*h));

    *h = (struct health){ .loop = l, .changed = changed, .arg = arg, .dialler = -1 };
    h->chance = clock_mono_us();
    loop_task_init(&h->tell, tell, h);
    return h;
}

void health_dialler(struct health *h, int fd)
{
    if (h->dialler >= 0)
        close(h->dialler);
    h->dialler = fd;
}

void health_free(struct health *h)
{
    if (h == NULL)
        return;
    loop_task_cancel(&h->tell);
    for (size_t i = 0; i < h->n; i++)
        group_free(h->groups[i]);
    free(h->groups);
    resolver_free(h->resolver);
    conf_free(h->conf);
    if (h->dialler >= 0)
        close(h->dialler);
    free(h);
}
