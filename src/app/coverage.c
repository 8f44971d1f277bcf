#include "app/coverage.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/names.h"
#include "tls/pairs.h"

#define SHOWN 6                 /* names in a finding */

/* What the certificates of a store are for. */
struct known {
    bool made;
    struct names names;         /* in the bundle */
    struct names above;         /* the part behind the first label, of each */
};

static struct span behind_first(struct span name)
{
    const char *dot = memchr(name.p, '.', name.len);

    return dot != NULL ? (struct span){ dot, (size_t)(name.p + name.len - dot) }
                       : (struct span){ name.p, 0 };
}

static void make(struct known *k, const struct snapshot *s, const struct conf_store *store)
{
    struct unpack u = { 0 };
    struct pair p;

    k->made = true;
    u.p = bundle_get(s->bundle, &u.left, "store/%s", store->head.name);
    while (u.p != NULL && pairs_next(&u, &p)) {
        while (p.names.left > 0 && !p.names.bad) {
            struct span name = unpack_span(&p.names);
            if (name.p == NULL || names_find(&k->names, name) != NULL)
                continue;
            names_add(&k->names, name, 0);
            if (names_find(&k->above, behind_first(name)) == NULL)
                names_add(&k->above, behind_first(name), 0);
        }
    }
}

/* A wildcard may lead to many certificates with a name each. */
static bool has_under(const struct known *k, const char *sni)
{
    return strncmp(sni, "*.", 2) == 0
        && names_find(&k->above, (struct span){ sni + 1, strlen(sni) - 1 }) != NULL;
}

static char *names_text(const struct known *k)
{
    char *text = mem_strdup(k->names.n == 0 ? "no name at all" : "");

    for (size_t i = 0; i < k->names.n && i < SHOWN; i++) {
        struct span name = k->names.items[i].text;
        char *more = mem_printf("%s%s%.*s", text, i > 0 ? ", " : "", (int)name.len, name.p);
        free(text);
        text = more;
    }
    if (k->names.n > SHOWN) {
        char *more = mem_printf("%s and %zu more", text, k->names.n - SHOWN);
        free(text);
        text = more;
    }
    return text;
}

static void check_name(const struct snapshot *s, const struct snap_route *r, const char *sni,
                       struct known *k, struct diags *d)
{
    const struct conf_store *store = r->conf->store;

    if (certs_cover(r->certs, sni))
        return;
    if (!k->made)
        make(k, s, store);
    if (has_under(k, sni))
        return;
    char *names = names_text(k);
    diag_add(d, DIAG_WARNING, conf_at(&r->conf->head, KEY_ROUTE_SNI, sni),
             "add a certificate for it, or clients that check the name will go away",
             "no certificate of [%s] is for this name; they are for %s", store->head.title,
             names);
    free(names);
}

void coverage_check(const struct snapshot *s, struct diags *d)
{
    struct known *known = mem_zalloc(s->conf->nstores * sizeof(known[0]));

    for (size_t i = 0; i < s->nroutes; i++) {
        const struct conf_route *r = s->routes[i].conf;
        for (size_t k = 0; k < r->sni.n; k++)
            check_name(s, &s->routes[i], r->sni.v[k], &known[r->store->head.index], d);
    }
    for (size_t i = 0; i < s->conf->nstores; i++) {
        names_free(&known[i].names);
        names_free(&known[i].above);
    }
    free(known);
}
