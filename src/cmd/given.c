#include "cmd/given.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define NAME "cli"

void givens_add(struct givens *g, const struct key_row *row, const char *value, const char *origin)
{
    g->v = mem_grow(g->v, g->n + 1, sizeof(g->v[0]));
    g->v[g->n++] = (struct given){ row, mem_strdup(value), origin };
}

void givens_free(struct givens *g)
{
    for (size_t i = 0; i < g->n; i++)
        free(g->v[i].value);
    free(g->v);
    *g = (struct givens){ 0 };
}

static bool has(const struct givens *g, const struct key_row *row)
{
    for (size_t i = 0; i < g->n; i++)
        if (g->v[i].row == row)
            return true;
    return false;
}

void givens_merge(struct givens *g, const struct givens *weaker)
{
    struct givens all = { 0 };

    for (size_t i = 0; i < weaker->n; i++)
        if (!has(g, weaker->v[i].row))
            givens_add(&all, weaker->v[i].row, weaker->v[i].value, weaker->v[i].origin);
    for (size_t i = 0; i < g->n; i++)
        givens_add(&all, g->v[i].row, g->v[i].value, g->v[i].origin);
    givens_free(g);
    *g = all;
}

static const struct given *first_of(const struct givens *g, bool (*belongs)(enum conf_section))
{
    const struct given *found = NULL;

    for (size_t i = 0; i < g->n; i++) {
        bool by_flag = strcmp(g->v[i].origin, ORIGIN_COMMAND_LINE) == 0;
        if (belongs(g->v[i].row->section) && (found == NULL || by_flag)) {
            found = &g->v[i];
            if (by_flag)
                break;
        }
    }
    return found;
}

static bool of_route(enum conf_section s)
{
    return s != SECTION_PROXY;
}

static bool of_trust(enum conf_section s)
{
    return s == SECTION_TRUST;
}

const struct given *givens_route(const struct givens *g)
{
    return first_of(g, of_route);
}

static void add_head(struct settings *out, enum conf_section s, const char *origin)
{
    settings_add(out, conf_sections[s], NAME, NULL, NULL, (struct origin){ origin, 0 });
}

static void add_link(struct settings *out, enum conf_key key, const char *origin)
{
    settings_add(out, conf_sections[SECTION_ROUTE], NAME, conf_keys[key].key, NAME,
                 (struct origin){ origin, 0 });
}

/* A store and an upstream are always there, so that a flag that is missing is the
   required key of a section that exists. */
static void add_sections(const struct givens *g, struct settings *out)
{
    const struct given *route = givens_route(g), *trust = first_of(g, of_trust);

    if (route == NULL)
        return;
    add_head(out, SECTION_ROUTE, route->origin);
    add_link(out, KEY_ROUTE_STORE, route->origin);
    add_link(out, KEY_ROUTE_UPSTREAM, route->origin);
    if (trust != NULL)
        add_link(out, KEY_ROUTE_TRUST, trust->origin);
    add_head(out, SECTION_STORE, route->origin);
    add_head(out, SECTION_UPSTREAM, route->origin);
    if (trust != NULL)
        add_head(out, SECTION_TRUST, trust->origin);
}

void givens_settings(const struct givens *g, struct settings *out)
{
    add_sections(g, out);
    for (size_t i = 0; i < g->n; i++) {
        const struct key_row *row = g->v[i].row;
        settings_add(out, conf_sections[row->section], schema_named(row->section) ? NAME : "",
                     row->key, g->v[i].value, (struct origin){ g->v[i].origin, 0 });
    }
}
