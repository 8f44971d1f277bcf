#include "conf/wording.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf/schema.h"
#include "conf/settings.h"

/* What a text is put into. */
struct wording {
    bool env;                   /* variables, not flags */
    enum conf_section near;     /* of keys with one name, this section's is meant */
    const enum conf_key *only;  /* NULL: all */
    size_t nonly;
};

static const char *name_of(const struct wording *w, const struct key_row *row)
{
    return w->env ? row->env : row->flag;
}

static bool is_wanted(const struct wording *w, const struct key_row *row)
{
    for (size_t i = 0; i < w->nonly; i++)
        if (row->id == w->only[i])
            return true;
    return w->only == NULL;
}

static const struct key_row *row_of(const struct wording *w, struct span word)
{
    const struct key_row *found = NULL;

    for (size_t i = 0; i < KEY_COUNT; i++) {
        const struct key_row *row = &conf_keys[i];
        if (!str_eq(word, row->key) || !is_wanted(w, row))
            continue;
        if (row->section == w->near)
            return row;
        if (found == NULL)
            found = row;
    }
    return found;
}

/* --- a text --- */

static bool in_word(char c)
{
    return (c >= 'a' && c <= 'z') || c == '_';
}

/* A key that is named at p, in either form; *end is behind it. NULL: none. */
static const struct key_row *named_at(const struct wording *w, const char *p, bool *quoted,
                                      const char **end)
{
    const char *word = p + (*p == '`'), *past = word;

    while (in_word(*past))
        past++;
    *quoted = *p == '`';
    if (past == word || (*quoted ? *past != '`' : strncmp(past, " = ", 3) != 0))
        return NULL;
    *end = past + (*quoted ? 1 : 3);
    return row_of(w, (struct span){ word, (size_t)(past - word) });
}

/* The same text in other words; the caller's. */
static char *reword(const struct wording *w, const char *text)
{
    char *out = mem_strdup("");
    const char *done = text, *p = text;

    while (*p != '\0') {
        const char *end, *name;
        bool quoted;
        const struct key_row *row = named_at(w, p, &quoted, &end);
        if (row == NULL) {      /* on to where a word may begin */
            const char *next = p + 1;
            while (in_word(*p) && in_word(*next))
                next++;
            p = next;
            continue;
        }
        name = name_of(w, row);
        char *more = name == NULL
                         ? mem_printf("%s%.*s`%s` of a configuration file%s", out,
                                      (int)(p - done), done, row->key, quoted ? "" : ": ")
                         : mem_printf("%s%.*s%s%s", out, (int)(p - done), done, name,
                                      quoted ? "" : w->env ? "=" : " ");
        free(out);
        out = more;
        done = p = end;
    }
    char *all = mem_printf("%s%s", out, done);
    free(out);
    return all;
}

static void reword_finding(const struct wording *w, struct diag *g)
{
    char *message = reword(w, g->message), *hint = g->hint ? reword(w, g->hint) : NULL;

    free(g->message);
    free(g->hint);
    g->message = message;
    g->hint = hint;
}

/* --- findings --- */

/* The row of a flag or variable as it stands in a finding (conf_at()). */
static const struct key_row *row_given(const struct diag *g)
{
    for (size_t i = 0; g->key != NULL && i < KEY_COUNT; i++) {
        const struct key_row *row = &conf_keys[i];
        if ((row->flag != NULL && strcmp(row->flag, g->key) == 0)
            || (row->env != NULL && strcmp(row->env, g->key) == 0))
            return row;
    }
    return NULL;
}

/* What is neither a file's nor given: a default, of [proxy]. Others are given. */
static void name_default(struct diag *g)
{
    const char *section = g->section != NULL ? g->section : "";
    const struct key_row *row =
        g->key != NULL && strcmp(section, conf_sections[SECTION_PROXY]) == 0
            ? schema_key(SECTION_PROXY, g->key)
            : NULL;

    if (row == NULL || row->flag == NULL)
        return;
    free(g->section);
    free(g->key);
    g->section = NULL;
    g->key = mem_strdup(row->flag);
}

void wording_fit(struct diags *d, bool no_file)
{
    for (size_t i = 0; i < d->n; i++) {
        struct diag *g = &d->v[i];
        bool flag = g->file != NULL ? strcmp(g->file, ORIGIN_COMMAND_LINE) == 0 : no_file;
        bool env = g->file != NULL && strcmp(g->file, ORIGIN_ENVIRONMENT) == 0;
        if (!flag && !env)
            continue;
        if (g->file == NULL)
            name_default(g);
        const struct key_row *row = row_given(g);
        reword_finding(&(struct wording){ .env = env,
                                          .near = row != NULL ? row->section : SECTION_STORE }, g);
    }
}

void wording_flags(struct diags *d, const enum conf_key *only, size_t n)
{
    for (size_t i = 0; i < d->n; i++)
        reword_finding(&(struct wording){ .near = SECTION_STORE, .only = only, .nonly = n },
                       &d->v[i]);
}
