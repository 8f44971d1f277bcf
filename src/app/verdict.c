#include "app/verdict.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

/* The errors, a line each; the caller's. */
static char *errors_text(const struct diags *d)
{
    char *all = mem_strdup("");

    for (size_t i = 0; i < d->n; i++) {
        if (d->v[i].level != DIAG_ERROR)
            continue;
        char *one = diag_text(&d->v[i]);
        char *both = mem_printf("%s%s%s", all, all[0] != '\0' ? "\n" : "", one);
        free(all);
        free(one);
        all = both;
    }
    return all;
}

static void set_told(struct verdict *v, char *text)
{
    free(v->told);
    v->told = text;
    v->status.ok = text == NULL;
    v->status.why = text;
}

void verdict_good(struct verdict *v, struct diags *d, bool first)
{
    set_told(v, NULL);
    diags_free(&v->said);
    v->said = *d;
    *d = (struct diags){ 0 };
    if (first)
        return;
    v->status.done++;
    v->status.at_us = clock_wall_us();
}

void verdict_bad(struct verdict *v, const struct diags *d)
{
    set_told(v, errors_text(d));
    v->status.failed++;
    v->status.at_us = clock_wall_us();
}

bool verdict_mended(struct verdict *v)
{
    bool was = v->told != NULL;

    set_told(v, NULL);
    return was;
}

bool verdict_is_told(const struct verdict *v, const struct diags *d)
{
    char *text = errors_text(d);
    bool same = v->told != NULL && strcmp(v->told, text) == 0;

    free(text);
    return same;
}

void verdict_unsaid(const struct verdict *v, const struct diags *d, struct diags *out)
{
    for (size_t i = 0; i < d->n; i++) {
        const struct diag *g = &d->v[i];
        struct diag_at where = { { g->file, g->line }, g->section, g->key, g->value };
        if (g->level != DIAG_WARNING || !diags_have(&v->said, g))
            diag_add(out, g->level, where, g->hint, "%s", g->message);
    }
}

void verdict_free(struct verdict *v)
{
    diags_free(&v->said);
    free(v->told);
    *v = (struct verdict){ 0 };
}
