/* Names: who is asked, and what becomes of an answer. */
#include <stdlib.h>
#include <string.h>

#include "app/health_parts.h"

/* --- who is asked --- */

static bool same_servers(const struct conf_addrs *a, const struct conf_addrs *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (!addr_equal(&a->v[i], &b->v[i]))
            return false;
    return true;
}

static bool has_name(const struct health *h)
{
    for (size_t i = 0; i < h->n; i++)
        for (size_t k = 0; k < h->groups[i]->n; k++)
            if (h->groups[i]->servers[k]->conf->host != NULL)
                return true;
    return false;
}

static void forget_resolver(struct health *h)
{
    for (size_t i = 0; i < h->n; i++)
        for (size_t k = 0; k < h->groups[i]->n; k++) {
            struct server *s = h->groups[i]->servers[k];
            resolve_name_free(s->name);
            s->name = NULL;
        }
    resolver_free(h->resolver);
    h->resolver = NULL;
}

int health_resolver(struct health *h, const struct conf *before, struct err *e)
{
    const struct conf_addrs *servers = &h->conf->proxy.resolver;
    bool needed = has_name(h);

    if (h->resolver != NULL && needed && same_servers(servers, &before->proxy.resolver))
        return 0;
    forget_resolver(h);
    if (!needed)
        return 0;
    h->resolver = resolver_new(h->loop, servers->v, servers->n, e);
    return h->resolver != NULL ? 0 : -1;
}

/* --- what is answered --- */

static bool same_addresses(const struct server *s, const struct addr *v, size_t n)
{
    if (s->n != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!addr_equal(&s->targets[i]->addr, &v[i]))
            return false;
    return true;
}

static void take_addresses(struct server *s, const struct addr *v, size_t n)
{
    struct addr before[RESOLVE_MAX];
    size_t nbefore = s->n < RESOLVE_MAX ? s->n : RESOLVE_MAX;

    for (size_t i = 0; i < nbefore; i++)
        before[i] = s->targets[i]->addr;
    health_set_targets(s, v, n);
    health_log_addresses(s, nbefore > 0 ? "a name has other addresses" : "a name resolves",
                         before, nbefore);
    health_log_forbidden(s);
    health_arm(s->group);
    health_news(s->group->health);
}

static void on_answer(void *arg, const struct addr *v, size_t n, const char *why)
{
    struct server *s = arg;
    unsigned failures = s->failures;

    if (n == 0) {
        if (failures == 0) {
            s->failing_us = loop_now_us(s->group->health->loop);
            health_log_unresolved(s, why);
        }
        s->failures++;
        return;
    }
    if (failures > 0)
        health_log_resolved(s, failures);
    s->failures = 0;
    if (!same_addresses(s, v, n))
        take_addresses(s, v, n);
}

void health_ask(struct server *s)
{
    if (s->conf->host == NULL || s->name != NULL || s->group->health->resolver == NULL)
        return;
    s->name = resolve_name_new(s->group->health->resolver, s->conf->host, s->conf->port, on_answer,
                               s);
}
