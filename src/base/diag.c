#include "base/diag.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/pack.h"

static const char *const level_words[] = {
    [DIAG_ERROR] = "error", [DIAG_WARNING] = "warning", [DIAG_NOTE] = "note"
};
static const enum log_level log_levels[] = {
    [DIAG_ERROR] = LOG_LEVEL_ERROR, [DIAG_WARNING] = LOG_LEVEL_WARN, [DIAG_NOTE] = LOG_LEVEL_INFO
};

static char *dup_or_null(const char *s)
{
    return s ? mem_strdup(s) : NULL;
}

static struct diag *append(struct diags *d, enum diag_level level)
{
    d->v = mem_append(d->v, d->n, sizeof(d->v[0]));
    struct diag *g = &d->v[d->n++];
    *g = (struct diag){ .level = level };
    if (level == DIAG_ERROR)
        d->errors++;
    return g;
}

void diag_add(struct diags *d, enum diag_level level, struct diag_at where, const char *hint,
              const char *fmt, ...)
{
    va_list ap, again;

    va_start(ap, fmt);
    va_copy(again, ap);
    int len = vsnprintf(NULL, 0, fmt, ap);
    size_t room = len > 0 ? (size_t)len + 1 : 1;
    char *message = mem_zalloc(room);
    vsnprintf(message, room, fmt, again);
    va_end(again);
    va_end(ap);

    struct diag *g = append(d, level);
    g->file = dup_or_null(where.at.file);
    g->line = where.at.line;
    g->section = dup_or_null(where.section);
    g->key = dup_or_null(where.key);
    g->value = dup_or_null(where.value);
    g->message = message;
    g->hint = dup_or_null(hint);
}

#define SHOWN_VALUE 300 /* of a value; the line number says where the rest is */

static bool ends_word(char c)
{
    return c == '\0' || strchr(" ,:;)", c) != NULL;
}

/* The message for a line that shows the value already: a path is not said twice. The
   caller's. */
static char *message_beside_value(const struct diag *g)
{
    const char *path = g->value, *hit;
    size_t n = path != NULL ? strlen(path) : 0;

    if (n == 0 || n > SHOWN_VALUE)
        return mem_strdup(g->message);
    if (strncmp(g->message, path, n) == 0 && strncmp(g->message + n, ": ", 2) == 0)
        return mem_strdup(g->message + n + 2);
    hit = strchr(path, '/') != NULL ? strstr(g->message, path) : NULL;
    if (hit == NULL || !ends_word(hit[n]) || (hit > g->message && hit[-1] != ' '))
        return mem_strdup(g->message);
    return mem_printf("%.*sit%s", (int)(hit - g->message), g->message, hit + n);
}

/* `level` is "error: " or "", where the line says it already. */
static char *line_of(const struct diag *g, const char *level)
{
    char place[32] = "", value[SHOWN_VALUE * 4 + 1] = "", *message = message_beside_value(g), *line;
    bool cut = g->value != NULL && strlen(g->value) > SHOWN_VALUE;

    if (g->line > 0)
        snprintf(place, sizeof(place), ":%u", g->line);
    if (g->value != NULL)
        str_escape(value, sizeof(value),
                   (struct span){ g->value, cut ? SHOWN_VALUE : strlen(g->value) });
    line = mem_printf("%s%s%s%s%s%s%s%s%s%s%s%s%s%s%s%s%s", g->file ? g->file : "", place,
                      g->file ? ": " : "", level, g->section ? "[" : "",
                      g->section ? g->section : "", g->section ? "] " : "", g->key ? g->key : "",
                      g->value ? " = \"" : "", value, cut ? "..." : "", g->value ? "\"" : "",
                      g->key || g->value ? ": " : "", message, g->hint ? " (" : "",
                      g->hint ? g->hint : "", g->hint ? ")" : "");
    free(message);
    return line;
}

char *diag_text(const struct diag *g)
{
    char level[16];

    snprintf(level, sizeof(level), "%s: ", level_words[g->level]);
    return line_of(g, level);
}

void diags_print(const struct diags *d, FILE *out)
{
    for (size_t i = 0; i < d->n; i++) {
        char *text = diag_text(&d->v[i]);
        fprintf(out, "%s\n", text);
        free(text);
    }
}

void diags_put_json(const struct diags *d, struct json *j, const char *name)
{
    json_array(j, name, JSON_LINES);
    for (size_t i = 0; i < d->n; i++) {
        const struct diag *g = &d->v[i];
        json_object(j, NULL, JSON_LINE);
        json_text(j, "level", level_words[g->level]);
        json_text(j, "file", g->file);
        json_number(j, "line", g->line);
        json_text(j, "section", g->section);
        json_text(j, "key", g->key);
        json_text(j, "value", g->value);
        json_text(j, "message", g->message);
        json_text(j, "hint", g->hint);
        json_end(j);
    }
    json_end(j);
}

void diags_print_json(const struct diags *d, FILE *out)
{
    diags_put_json(d, &(struct json){ .out = out }, NULL);
}

void diags_log_only(const struct diags *d, bool notes)
{
    for (size_t i = 0; i < d->n; i++) {
        if ((d->v[i].level == DIAG_NOTE) != notes)
            continue;
        char *text = line_of(&d->v[i], "");
        log_line(log_levels[d->v[i].level], "%s", text);
        free(text);
    }
}

void diags_log(const struct diags *d)
{
    diags_log_only(d, false);
    diags_log_only(d, true);
}

static int compare_text(const char *a, const char *b)
{
    if (a == NULL || b == NULL)
        return (a != NULL) - (b != NULL);
    return strcmp(a, b);
}

/* What differs soonest comes first. */
static int compare(const struct diag *a, const struct diag *b)
{
    int c = compare_text(a->message, b->message);

    c = c ? c : compare_text(a->value, b->value);
    c = c ? c : compare_text(a->key, b->key);
    c = c ? c : compare_text(a->section, b->section);
    c = c ? c : compare_text(a->file, b->file);
    c = c ? c : (a->line > b->line) - (a->line < b->line);
    return c ? c : (a->level > b->level) - (a->level < b->level);
}

void diags_put(struct diags *d, const struct diag *g)
{
    struct diag_at where = { { g->file, g->line }, g->section, g->key, g->value };

    diag_add(d, g->level, where, g->hint, "%s", g->message);
}

void diags_join(struct diags *d, const struct diags *more)
{
    for (size_t i = 0; i < more->n; i++)
        diags_put(d, &more->v[i]);
}

static int compare_places(const void *a, const void *b)
{
    return compare(*(const struct diag *const *)a, *(const struct diag *const *)b);
}

struct diags_index diags_index(const struct diags *d)
{
    struct diags_index x = { mem_zalloc((d->n + 1) * sizeof(*x.v)), d->n };

    for (size_t i = 0; i < d->n; i++)
        x.v[i] = &d->v[i];
    if (x.n > 0)
        qsort(x.v, x.n, sizeof(*x.v), compare_places);
    return x;
}

bool diags_index_has(const struct diags_index *x, const struct diag *g)
{
    return x->n > 0 && bsearch(&g, x->v, x->n, sizeof(*x->v), compare_places) != NULL;
}

void diags_index_free(struct diags_index *x)
{
    free(x->v);
    *x = (struct diags_index){ 0 };
}

/* Packed: per finding the level, the line, and six strings. */
#define STRINGS 6

static void strings_of(struct diag *g, char **s[STRINGS])
{
    char **all[STRINGS] = { &g->file, &g->section, &g->key, &g->value, &g->message, &g->hint };

    memcpy(s, all, sizeof(all));
}

void diags_pack(const struct diags *d, char **bytes, size_t *len)
{
    struct pack k = { 0 };

    for (size_t i = 0; i < d->n; i++) {
        struct diag g = d->v[i];
        char **s[STRINGS];

        pack_u32(&k, (uint32_t)g.level);
        pack_u32(&k, g.line);
        strings_of(&g, s);
        for (int t = 0; t < STRINGS; t++)
            pack_str(&k, *s[t]);
    }
    *bytes = (char *)k.p;
    *len = k.len;
}

bool diags_unpack(const char *bytes, size_t len, struct diags *out)
{
    struct unpack u = { (const uint8_t *)bytes, len, false };

    while (u.left > 0) {
        uint32_t level = unpack_u32(&u), line = unpack_u32(&u);
        char **s[STRINGS];

        if (u.bad || level > DIAG_NOTE)
            return false;
        struct diag *g = append(out, (enum diag_level)level);
        g->line = line;
        strings_of(g, s);
        for (int t = 0; t < STRINGS; t++)
            *s[t] = unpack_str(&u);
        if (u.bad || g->message == NULL)
            return false;
    }
    return true;
}

void diags_free(struct diags *d)
{
    for (size_t i = 0; i < d->n; i++) {
        char **s[STRINGS];
        strings_of(&d->v[i], s);
        for (int k = 0; k < STRINGS; k++)
            free(*s[k]);
    }
    free(d->v);
    *d = (struct diags){ 0 };
}
