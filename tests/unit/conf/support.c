#include "support.h"

#include <stdlib.h>
#include <string.h>

#include "conf/source.h"

struct conf *build_text(const char *ini, size_t len, struct diags *d)
{
    struct settings s = { 0 };

    source_parse(ini, len, "t.conf", &s, d);
    struct conf *c = conf_build(&s, d);
    settings_free(&s);
    return c;
}

const char *findings(const struct diags *d)
{
    static char text[8192];
    FILE *out = fmemopen(text, sizeof(text), "w");

    diags_print(d, out);
    fclose(out);
    text[sizeof(text) - 1] = '\0';
    return d->n > 0 ? text : "(nothing)";
}

static bool says(const char *text, const char *part)
{
    if (part == NULL)
        return true;
    if (part[0] == '\0')
        return text == NULL;
    return text != NULL && strstr(text, part) != NULL;
}

const struct diag *find_finding(const struct diags *d, const struct expected *x)
{
    for (size_t i = 0; i < d->n; i++) {
        const struct diag *g = &d->v[i];
        bool key = x->key == NULL || (x->key[0] == '\0' ? g->key == NULL
                                                        : g->key && strcmp(g->key, x->key) == 0);
        if (g->level == x->level && g->line == x->line && key && says(g->message, x->message)
            && says(g->hint, x->hint))
            return g;
    }
    return NULL;
}

char *dump_text(const struct conf *c)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    conf_dump(c, out);
    fclose(out);
    return text;
}
