#include "app/verdict.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* The errors, a line each; the caller's. A folder may have thousands. */
static char *errors_text(const struct diags *d)
{
    char *all = NULL;
    size_t len;
    FILE *out = open_memstream(&all, &len);

    if (out == NULL)
        abort();                /* as base/mem.h does when memory is out */
    for (size_t i = 0; i < d->n; i++) {
        if (d->v[i].level != DIAG_ERROR)
            continue;
        char *one = diag_text(&d->v[i]);
        fprintf(out, "%s%s", ftell(out) > 0 ? "\n" : "", one);
        free(one);
    }
    fclose(out);
    return all;
}

static void set_told(struct verdict *v, char *text)
{
    diags_free(&v->failing);
    free(v->told);
    v->told = text;
    v->status.ok = text == NULL;
    v->status.why = text;
}

void verdict_stays(struct verdict *v, struct diags *d)
{
    diags_free(&v->said);
    v->said = *d;
    *d = (struct diags){ 0 };
}

void verdict_good(struct verdict *v, struct diags *d, bool first)
{
    set_told(v, NULL);
    verdict_stays(v, d);
    if (first)
        return;
    v->status.done++;
    v->status.at_us = clock_wall_us();
}

void verdict_bad(struct verdict *v, const struct diags *d)
{
    set_told(v, errors_text(d));
    diags_join(&v->failing, d);
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

void verdict_unsaid(const struct verdict *v, const struct diags *d, bool asked,
                    struct diags *out)
{
    struct diags_index said = diags_index(&v->said);

    for (size_t i = 0; i < d->n; i++) {
        const struct diag *g = &d->v[i];
        bool news = g->level == DIAG_ERROR || (asked && g->level == DIAG_WARNING);
        if (news || !diags_index_has(&said, g))
            diags_put(out, g);
    }
    diags_index_free(&said);
}

void verdict_free(struct verdict *v)
{
    diags_free(&v->said);
    diags_free(&v->failing);
    free(v->told);
    *v = (struct verdict){ 0 };
}
