#include "app/hops.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

/* One line of the log, and what tells it from others. */
struct hop {
    const char *message;
    const char *kind, *name;    /* "route" or "upstream", and which */
    const char *at_key, *at;    /* our address, or the server's */
    const char *with_key;
    const struct conf_strs *with;       /* networks */
};

struct telling {
    const struct hops *before;  /* NULL: nothing is logged */
    struct hops now;
};

/* "10.0.0.0/8, fd00::/8". The caller's. */
static char *joined(const struct conf_strs *s)
{
    char *all = mem_strdup("");

    for (size_t i = 0; i < s->n; i++)
        all = mem_join(all, ", ", s->v[i]);
    return all;
}

static void log_hop(const struct hop *h, const char *nets)
{
    struct logline l;

    logline_begin(&l, LOG_LEVEL_INFO, h->message);
    logline_str(&l, h->kind, h->name);
    logline_str(&l, h->at_key, h->at);
    logline_str(&l, h->with_key, *nets != '\0' ? nets : NULL);
    logline_end(&l);
}

static void tell(struct telling *t, const struct hop *h)
{
    char *nets = joined(h->with);
    char *text = mem_printf("%s: %s %s, %s %s%s%s%s%s", h->message, h->kind, h->name, h->at_key,
                            h->at, *nets != '\0' ? ", " : "", *nets != '\0' ? h->with_key : "",
                            *nets != '\0' ? " " : "", nets);

    if (t->before != NULL && names_find(&t->before->by_text, str_span(text)) == NULL)
        log_hop(h, nets);
    free(nets);
    t->now.v = mem_append(t->now.v, t->now.n, sizeof(*t->now.v));
    t->now.v[t->now.n] = text;
    names_add(&t->now.by_text, str_span(text), (uint32_t)t->now.n++);
}

/* Whether one of the networks is more than this host's loopback, the default. */
static bool reach_out(const struct conf_strs *written)
{
    struct nets list = conf_nets(written);
    bool out = false;

    for (size_t i = 0; i < list.n && !out; i++) {
        const struct cidr *net = &list.v[i];
        struct peer p = { .family = net->family };
        memcpy(p.ip, net->ip, sizeof(p.ip));
        out = !peer_is_loopback(&p) || net->bits < (net->family == AF_INET ? 8 : 128);
    }
    nets_free(&list);
    return out;
}

static void tell_upstream(struct telling *t, const struct conf_upstream *u)
{
    struct hop h = {
        .message = "clear text may leave this host", .kind = "upstream", .name = u->head.name,
        .at_key = "server", .with_key = "plaintext_to", .with = &u->plaintext_to
    };

    if (u->tls)
        return;
    bool far = reach_out(&u->plaintext_to);
    if (u->servers.original && far) {
        h.at = "original";
        tell(t, &h);
    }
    for (size_t i = 0; i < u->servers.n; i++) {
        const struct conf_server *s = &u->servers.v[i];
        h.at = s->written;
        if (s->host != NULL ? far : !addr_is_local(&s->addr))
            tell(t, &h);
    }
}

/* On a route that originates, whoever may come speaks plaintext; elsewhere those of the
   networks may, beside those who speak TLS. */
static void tell_route(struct telling *t, const struct conf_route *r)
{
    struct hop h = {
        .message = "clear text is taken from other hosts", .kind = "route", .name = r->head.name,
        .at_key = "listener", .with_key = "plaintext_from", .with = &r->plaintext_from
    };

    if (!reach_out(&r->plaintext_from))
        return;
    for (size_t i = 0; i < r->listen.n; i++) {
        char text[ADDR_TEXT_MAX];
        h.at = addr_text(&r->listen.v[i], text);
        if (!addr_is_local(&r->listen.v[i]))
            tell(t, &h);
    }
}

static void tell_all(struct telling *t, const struct conf *c)
{
    for (size_t i = 0; i < c->nupstreams; i++)
        tell_upstream(t, c->upstreams[i]);
    for (size_t i = 0; i < c->nroutes; i++)
        tell_route(t, c->routes[i]);
}

void hops_log(struct hops *told, const struct conf *c)
{
    struct telling t = { .before = told };

    tell_all(&t, c);
    hops_free(told);
    *told = t.now;
}

void hops_find(struct hops *out, const struct conf *c)
{
    struct telling t = { 0 };

    tell_all(&t, c);
    *out = t.now;
}

void hops_free(struct hops *h)
{
    for (size_t i = 0; i < h->n; i++)
        free(h->v[i]);
    free(h->v);
    names_free(&h->by_text);
    *h = (struct hops){ 0 };
}
