#include "proxy/upstream.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/names.h"

struct server {
    char *written;
    struct addr addr;           /* empty: it is a name, */
    uint16_t port;              /* with this port */
    struct endpoint **v;        /* each held; a name has none before it is resolved */
    size_t n;
    bool told;                  /* of it, in the telling that is under way */
};

struct group {
    char *name;
    struct nets plaintext_to;
    struct server *servers;
    size_t nservers;
    struct names by_written;    /* places in servers */
    struct endpoint **gone;     /* not its any more, but connections are with them: they may */
    size_t ngone;               /* come back, as addresses of a name do */
    size_t turn;                /* of the endpoint behind the one that was picked last */
};

struct upstreams {
    struct group **groups;
    size_t n;
    struct names by_name;       /* places in groups */
    struct endpoint **scratch;  /* for a pick: room for as many as any group has */
    size_t room;
};

struct upstreams *upstreams_new(void)
{
    return calloc(1, sizeof(struct upstreams));
}

/* --- the endpoints of a server --- */

static void server_drop(struct group *g, struct server *s)
{
    for (size_t i = 0; i < s->n; i++) {
        if (s->v[i] == NULL)
            continue;
        g->gone = mem_append(g->gone, g->ngone, sizeof(g->gone[0]));
        g->gone[g->ngone++] = s->v[i];
    }
    free(s->v);
    free(s->written);
    *s = (struct server){ 0 };
}

/* Of those that are gone, the ones that no connection holds; or all of them. */
static void forget_gone(struct group *g, bool all)
{
    size_t n = 0;

    for (size_t i = 0; i < g->ngone; i++) {
        if (all || g->gone[i]->refs == 1)
            endpoint_unref(g->gone[i]);
        else
            g->gone[n++] = g->gone[i];
    }
    g->ngone = n;
}

/* The endpoint that a server has, or had, for an address; who had it loses it. NULL: none. */
static struct endpoint *take(struct group *g, struct server *s, const struct addr *a)
{
    struct endpoint *e;

    for (size_t i = 0; i < s->n; i++)
        if ((e = s->v[i]) != NULL && addr_equal(&e->addr, a)) {
            s->v[i] = NULL;
            return e;
        }
    for (size_t i = 0; i < g->ngone; i++) {
        e = g->gone[i];
        if (addr_equal(&e->addr, a) && strcasecmp(e->server, s->written) == 0) {
            g->gone[i] = g->gone[--g->ngone];
            return e;
        }
    }
    return NULL;
}

/* Whoever tells: a server stays where the configuration has it, and a name at its port. */
static bool may_have(const struct server *s, const struct addr *a)
{
    if (s->addr.len > 0)
        return addr_equal(&s->addr, a);
    return a->u.sa.sa_family != AF_UNIX && addr_port(a) == s->port;
}

static bool is_repeated(const struct upstream_addr *v, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (addr_equal(&v[k].addr, &v[i].addr))
            return true;
    return false;
}

/* True: they are the addresses that it has, and nothing is left to do. */
static bool server_keep(struct server *s, const struct upstream_addr *v, size_t n)
{
    if (n != s->n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!addr_equal(&s->v[i]->addr, &v[i].addr))
            return false;
    for (size_t i = 0; i < n; i++)
        s->v[i]->up = v[i].up;
    return true;
}

/* These are its addresses now. What is known of one that it had already stays. */
static void server_set(struct group *g, struct server *s, const struct upstream_addr *v, size_t n)
{
    struct server next = *s;

    next.n = 0;
    next.v = mem_zalloc((n + 1) * sizeof(next.v[0]));
    for (size_t i = 0; i < n; i++) {
        if (is_repeated(v, i) || !may_have(s, &v[i].addr))
            continue;
        struct endpoint *e = take(g, s, &v[i].addr);
        if (e == NULL)
            e = endpoint_new(&v[i].addr, g->name, s->written);
        e->up = v[i].up;
        e->plain = nets_let_plaintext(&g->plaintext_to, &e->addr);
        next.v[next.n++] = e;
    }
    if (next.n == 0) {          /* the last good ones stay */
        free(next.v);
        return;
    }
    s->written = NULL;
    server_drop(g, s);
    *s = next;
}

/* --- groups --- */

static void servers_drop(struct group *g, struct server *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        server_drop(g, &v[i]);
    free(v);
}

static void group_free(struct group *g)
{
    servers_drop(g, g->servers, g->nservers);
    forget_gone(g, true);
    names_free(&g->by_written);
    free(g->gone);
    nets_free(&g->plaintext_to);
    free(g->name);
    free(g);
}

/* A path's case counts, a name's does not. */
static bool is_written(const struct server *s, const char *written)
{
    if (s->written == NULL)
        return false;
    return (s->addr.len > 0 ? strcmp : strcasecmp)(s->written, written) == 0;
}

static struct server *find_server(struct server *v, size_t n, const char *written)
{
    for (size_t i = 0; i < n; i++)
        if (is_written(&v[i], written))
            return &v[i];
    return NULL;
}

static void server_begin(struct group *g, struct server *s, const struct conf_server *conf)
{
    s->written = mem_strdup(conf->written);
    s->addr = conf->addr;
    s->port = conf->port;
    if (conf->host == NULL)
        server_set(g, s, &(struct upstream_addr){ conf->addr, true }, 1);
}

static void group_set(struct group *g, const struct conf_upstream *conf)
{
    struct server *old = g->servers;
    size_t nold = g->nservers;

    nets_free(&g->plaintext_to);
    g->plaintext_to = conf_nets(&conf->plaintext_to);
    g->nservers = conf->servers.n;
    g->servers = mem_zalloc((g->nservers + 1) * sizeof(g->servers[0]));
    for (size_t i = 0; i < g->nservers; i++) {
        struct server *s = &g->servers[i];
        struct server *before = find_server(old, nold, conf->servers.v[i].written);
        if (before == NULL) {
            server_begin(g, s, &conf->servers.v[i]);
            continue;
        }
        *s = *before;
        *before = (struct server){ 0 };
        free(s->written);
        s->written = mem_strdup(conf->servers.v[i].written);
        for (size_t k = 0; k < s->n; k++)
            s->v[k]->plain = nets_let_plaintext(&g->plaintext_to, &s->v[k]->addr);
    }
    servers_drop(g, old, nold);
    forget_gone(g, false);
    names_free(&g->by_written);
    for (size_t i = 0; i < g->nservers; i++)
        names_add(&g->by_written, str_span(g->servers[i].written), (uint32_t)i);
}

/* Its place in the list; NULL: it has none. */
static struct group **place_of(const struct upstreams *u, const char *name)
{
    const struct names_item *i = names_find(&u->by_name, str_span(name));

    return i != NULL ? &u->groups[i->value] : NULL;
}

static struct group *find(const struct upstreams *u, const char *name)
{
    struct group **at = place_of(u, name);

    return at != NULL ? *at : NULL;
}

static void make_room(struct upstreams *u, const struct group *g)
{
    size_t n = 0;

    for (size_t i = 0; i < g->nservers; i++)
        n += g->servers[i].n;
    if (n <= u->room)
        return;
    u->scratch = mem_grow(u->scratch, n, sizeof(u->scratch[0]));
    u->room = n;
}

static struct group *add(struct upstreams *u, struct group *g)
{
    make_room(u, g);
    u->groups = mem_append(u->groups, u->n, sizeof(u->groups[0]));
    u->groups[u->n] = g;
    names_add(&u->by_name, str_span(g->name), (uint32_t)u->n);
    u->n++;
    return g;
}

static struct group *group_new(const char *name)
{
    struct group *g = mem_zalloc(sizeof(*g));

    g->name = mem_strdup(name);
    /* Workers shall not all begin with the first one. */
    g->turn = (size_t)endpoint_mix(names_hash(str_span(name)) ^ (uint64_t)getpid() << 32);
    return g;
}

static void drop_all(struct upstreams *u)
{
    for (size_t i = 0; i < u->n; i++)
        if (u->groups[i] != NULL)
            group_free(u->groups[i]);
    free(u->groups);
    names_free(&u->by_name);
    free(u->scratch);
}

/* The names in the table are the groups' own, and go with them. */
void upstreams_apply(struct upstreams *u, const struct conf *conf)
{
    struct upstreams next = { 0 };

    for (size_t i = 0; i < conf->nupstreams; i++) {
        const struct conf_upstream *c = conf->upstreams[i];
        struct group **old = place_of(u, c->head.name);
        struct group *g = old != NULL ? *old : group_new(c->head.name);
        if (old != NULL)
            *old = NULL;
        group_set(g, c);
        add(&next, g);
    }
    drop_all(u);
    *u = next;
}

void upstreams_learn_begin(struct upstreams *u)
{
    for (size_t i = 0; i < u->n; i++)
        for (size_t k = 0; k < u->groups[i]->nservers; k++)
            u->groups[i]->servers[k].told = false;
}

void upstreams_learn(struct upstreams *u, const struct upstream_news *news)
{
    struct group *g = find(u, news->upstream);
    const struct names_item *i =
        g != NULL ? names_find(&g->by_written, str_span(news->server)) : NULL;
    struct server *s = i != NULL ? &g->servers[i->value] : NULL;

    if (s == NULL || s->told)
        return;
    s->told = true;
    if (server_keep(s, news->v, news->n))
        return;
    server_set(g, s, news->v, news->n);
    forget_gone(g, false);
    make_room(u, g);
}

bool upstreams_learn_end(struct upstreams *u)
{
    bool all_up = true;

    for (size_t i = 0; i < u->n; i++)
        for (size_t k = 0; k < u->groups[i]->nservers; k++) {
            struct server *s = &u->groups[i]->servers[k];
            for (size_t e = 0; e < s->n; e++) {
                s->v[e]->up = s->v[e]->up || !s->told;
                all_up = all_up && s->v[e]->up;
            }
        }
    return all_up;
}

/* A connection that began before a reload may look for one that is gone with it. */
static struct group *group_for(struct upstreams *u, const struct conf_upstream *conf)
{
    struct group *g = find(u, conf->head.name);

    if (g != NULL)
        return g;
    g = group_new(conf->head.name);
    group_set(g, conf);
    return add(u, g);
}

void upstreams_free(struct upstreams *u)
{
    if (u == NULL)
        return;
    drop_all(u);
    free(u);
}

/* --- picking --- */

static bool was_tried(const struct upstream_ask *ask, const struct endpoint *e)
{
    for (size_t i = 0; i < ask->ntried; i++)
        if (ask->tried[i] == e)
            return true;
    return false;
}

/* Those it may go to that stand best. */
struct choice {
    struct endpoint **v;        /* in their order */
    size_t n;
    enum endpoint_state state;  /* how all of them stand */
    enum upstream_pick why;     /* there is none */
};

/* PICK_OK: it may go there. What a configuration demands is right for its own servers; an older one
   may know none that is without a name. */
static enum upstream_pick judge(const struct conf_upstream *conf, const struct endpoint *e)
{
    if (!conf->tls)
        return e->plain ? PICK_OK : PICK_FORBIDDEN;
    if (conf->tls_verify == VERIFY_FULL && conf->tls_name == NULL
        && e->addr.u.sa.sa_family == AF_UNIX)
        return PICK_NAMELESS;
    return PICK_OK;
}

static void consider(struct choice *c, struct endpoint *e, const struct conf_upstream *conf,
                     const struct upstream_ask *ask)
{
    enum endpoint_state state = endpoint_state(e, ask->now_us);
    enum upstream_pick may = judge(conf, e);

    if (may != PICK_OK) {
        if (c->why == PICK_NO_ADDRESS)
            c->why = may;
        return;
    }
    c->why = PICK_NONE_LEFT;
    if (was_tried(ask, e) || (c->n > 0 && state > c->state))
        return;
    if (state < c->state)
        c->n = 0;
    c->state = state;
    c->v[c->n++] = e;
}

/* What it sends, and what it demands of a server, is for the connection's own configuration to say,
   which may be an older one than the group's; where plaintext may go, for the newest. */
static struct choice choose(const struct group *g, const struct conf_upstream *conf,
                            const struct upstream_ask *ask, struct endpoint **scratch)
{
    struct choice c = { .v = scratch, .why = PICK_NO_ADDRESS };

    for (size_t i = 0; i < g->nservers; i++)
        for (size_t k = 0; k < g->servers[i].n; k++)
            consider(&c, g->servers[i].v[k], conf, ask);
    return c;
}

static uint64_t client_key(const struct peer *client)
{
    return endpoint_mix(names_hash((struct span){ (const char *)client->ip, sizeof(client->ip) })
                        ^ (uint64_t)client->family << 32);
}

static struct endpoint *by_source(struct endpoint *const *v, size_t n, const struct peer *client)
{
    uint64_t key = client_key(client), most = 0;
    struct endpoint *best = v[0];

    /* The highest of hashes of both: who loses its server leaves all others where they are. */
    for (size_t i = 0; i < n; i++) {
        uint64_t score = endpoint_mix(key ^ v[i]->key);
        if (score > most) {
            most = score;
            best = v[i];
        }
    }
    return best;
}

static struct endpoint *by_turn(struct group *g, struct endpoint *const *v, size_t n)
{
    return v[g->turn++ % n];
}

static struct endpoint *by_load(struct group *g, struct endpoint *const *v, size_t n)
{
    size_t first = g->turn++ % n, best = first;

    for (size_t i = 1; i < n; i++) {
        size_t k = (first + i) % n;
        if (v[k]->in_flight < v[best]->in_flight)
            best = k;
    }
    return v[best];
}

/* Of those that are left alone: the one whose pause is over first. */
static struct endpoint *last_resort(struct endpoint *const *v, size_t n)
{
    struct endpoint *best = v[0];

    for (size_t i = 1; i < n; i++)
        if (v[i]->retry_us < best->retry_us)
            best = v[i];
    return best;
}

enum upstream_pick upstreams_pick(struct upstreams *u, const struct conf_upstream *conf,
                                  const struct upstream_ask *ask, struct endpoint **out)
{
    struct group *g = group_for(u, conf);
    struct choice c = choose(g, conf, ask, u->scratch);

    if (c.n == 0)
        return c.why;
    if (c.state == ENDPOINT_PAUSED || c.state == ENDPOINT_DOWN_PAUSED) {
        *out = last_resort(c.v, c.n);
    } else {
        switch (conf->balance) {
        case BALANCE_SOURCE: *out = by_source(c.v, c.n, ask->client); break;
        case BALANCE_LEAST: *out = by_load(g, c.v, c.n); break;
        case BALANCE_FIRST: *out = c.v[0]; break;
        default: *out = by_turn(g, c.v, c.n); break;
        }
    }
    endpoint_join(*out, ask->now_us);
    return PICK_OK;
}
