#include "proxy/upstream.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/names.h"

struct server {
    char *written;
    struct endpoint **v;        /* each held; a name has none before it is resolved */
    size_t n;
};

struct group {
    char *name;
    bool tls;                   /* what goes there is no plaintext */
    struct nets plaintext_to;
    struct server *servers;
    size_t nservers;
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

static void server_drop(struct server *s)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->v[i] != NULL)
            endpoint_unref(s->v[i]);
    free(s->v);
    free(s->written);
    *s = (struct server){ 0 };
}

static bool may_go_to(const struct group *g, const struct addr *a)
{
    struct peer p;

    if (g->tls || addr_is_local(a))
        return true;
    peer_from(&a->u.sa, &p);
    return nets_have(&g->plaintext_to, &p);
}

/* The endpoint of that address out of a list, which loses it; NULL: it has none. */
static struct endpoint *take(struct endpoint **v, size_t n, const struct addr *a)
{
    for (size_t i = 0; i < n; i++)
        if (v[i] != NULL && addr_equal(&v[i]->addr, a)) {
            struct endpoint *e = v[i];
            v[i] = NULL;
            return e;
        }
    return NULL;
}

static bool is_repeated(const struct upstream_addr *v, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (addr_equal(&v[k].addr, &v[i].addr))
            return true;
    return false;
}

/* These are its addresses now. What is known of one that it had already stays. */
static void server_set(const struct group *g, struct server *s, const struct upstream_addr *v,
                       size_t n)
{
    struct server next = { .written = s->written, .v = mem_zalloc((n + 1) * sizeof(next.v[0])) };

    for (size_t i = 0; i < n; i++) {
        if (is_repeated(v, i))
            continue;
        struct endpoint *e = take(s->v, s->n, &v[i].addr);
        if (e == NULL)
            e = endpoint_new(&v[i].addr, g->name, s->written);
        e->up = v[i].up;
        e->allowed = may_go_to(g, &e->addr);
        next.v[next.n++] = e;
    }
    s->written = NULL;
    server_drop(s);
    *s = next;
}

/* --- groups --- */

static void group_clear(struct group *g)
{
    for (size_t i = 0; i < g->nservers; i++)
        server_drop(&g->servers[i]);
    free(g->servers);
    nets_free(&g->plaintext_to);
}

static void group_free(struct group *g)
{
    group_clear(g);
    free(g->name);
    free(g);
}

static struct server *group_server(const struct group *g, const char *written)
{
    for (size_t i = 0; i < g->nservers; i++)
        if (g->servers[i].written != NULL && strcasecmp(g->servers[i].written, written) == 0)
            return &g->servers[i];
    return NULL;
}

static void group_set(struct group *g, const struct conf_upstream *conf)
{
    struct group old = *g;

    g->tls = conf->tls;
    g->plaintext_to = conf_nets(&conf->plaintext_to);
    g->nservers = conf->servers.n;
    g->servers = mem_zalloc((g->nservers + 1) * sizeof(g->servers[0]));
    for (size_t i = 0; i < g->nservers; i++) {
        const struct conf_server *c = &conf->servers.v[i];
        struct server *s = &g->servers[i], *before = group_server(&old, c->written);
        if (before != NULL) {
            *s = *before;
            *before = (struct server){ 0 };
            for (size_t k = 0; k < s->n; k++)
                s->v[k]->allowed = may_go_to(g, &s->v[k]->addr);
            continue;
        }
        s->written = mem_strdup(c->written);
        if (c->host == NULL)
            server_set(g, s, &(struct upstream_addr){ c->addr, true }, 1);
    }
    group_clear(&old);
}

static struct group *find(const struct upstreams *u, const char *name)
{
    const struct names_item *i = names_find(&u->by_name, (struct span){ name, strlen(name) });

    return i != NULL ? u->groups[i->value] : NULL;
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
    names_add(&u->by_name, (struct span){ g->name, strlen(g->name) }, (uint32_t)u->n);
    u->n++;
    return g;
}

static struct group *group_new(const char *name)
{
    struct group *g = mem_zalloc(sizeof(*g));

    g->name = mem_strdup(name);
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
        struct group *g = find(u, c->head.name);
        if (g == NULL)
            g = group_new(c->head.name);
        else
            u->groups[names_find(&u->by_name, (struct span){ g->name, strlen(g->name) })->value] =
                NULL;
        group_set(g, c);
        add(&next, g);
    }
    drop_all(u);
    *u = next;
}

void upstreams_forget_checks(struct upstreams *u)
{
    for (size_t i = 0; i < u->n; i++)
        for (size_t k = 0; k < u->groups[i]->nservers; k++)
            for (size_t e = 0; e < u->groups[i]->servers[k].n; e++)
                u->groups[i]->servers[k].v[e]->up = true;
}

void upstreams_learn(struct upstreams *u, const struct upstream_news *news)
{
    struct group *g = find(u, news->upstream);
    struct server *s = g != NULL ? group_server(g, news->server) : NULL;

    if (s == NULL || news->n == 0)
        return;
    server_set(g, s, news->v, news->n);
    make_room(u, g);
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

/* Those that are fit, or those that are not, in their order, into v. How many; 0: *why. */
static size_t collect(const struct group *g, const struct upstream_ask *ask, bool fit,
                      struct endpoint **v, enum upstream_pick *why)
{
    size_t n = 0;

    *why = PICK_NO_ADDRESS;
    for (size_t i = 0; i < g->nservers; i++)
        for (size_t k = 0; k < g->servers[i].n; k++) {
            struct endpoint *e = g->servers[i].v[k];
            if (e->allowed)
                *why = PICK_NONE_LEFT;
            else if (*why == PICK_NO_ADDRESS)
                *why = PICK_FORBIDDEN;
            if (e->allowed && endpoint_is_fit(e, ask->now_us) == fit && !was_tried(ask, e))
                v[n++] = e;
        }
    return n;
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

/* Of those that failed or are down: the one whose pause is over first. */
static struct endpoint *last_resort(struct endpoint *const *v, size_t n)
{
    struct endpoint *best = v[0];

    for (size_t i = 1; i < n; i++) {
        const struct endpoint *e = v[i];
        if (e->up != best->up ? e->up : e->retry_us < best->retry_us)
            best = v[i];
    }
    return best;
}

enum upstream_pick upstreams_pick(struct upstreams *u, const struct conf_upstream *conf,
                                  const struct upstream_ask *ask, struct endpoint **out)
{
    struct group *g = group_for(u, conf);
    struct endpoint **v = u->scratch;
    enum upstream_pick why;
    size_t n = collect(g, ask, true, v, &why);

    if (n == 0) {
        if ((n = collect(g, ask, false, v, &why)) == 0)
            return why;
        *out = last_resort(v, n);
    } else {
        switch (conf->balance) {
        case BALANCE_SOURCE: *out = by_source(v, n, ask->client); break;
        case BALANCE_LEAST: *out = by_load(g, v, n); break;
        case BALANCE_FIRST: *out = v[0]; break;
        default: *out = by_turn(g, v, n); break;
        }
    }
    endpoint_join(*out, ask->now_us);
    return PICK_OK;
}
