#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/uri.h"
#include "conf/build.h"
#include "conf/presets.h"
#include "conf/types.h"

#define SAFE_LINE 190           /* what inih holds whole, with room to spare */

struct dump {
    FILE *out;
    const struct key_row *row;
    const struct conf_head *head;
    const void *field;
    unsigned lines;
    char *cwd;
};

static void print_origin(FILE *out, struct origin at)
{
    char file[PATH_MAX];

    if (at.file == NULL) {
        fputs("default", out);
        return;
    }
    fputs(str_escape(file, sizeof(file), str_span(at.file)), out);
    if (at.line > 0)
        fprintf(out, ":%u", at.line);
}

/* A value that only the command line or the environment could give. */
static bool fits_a_file(const char *key, const char *value)
{
    if (strlen(key) + strlen(value) + 3 > SAFE_LINE)
        return false;
    for (const char *p = value; *p != '\0'; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f
            || ((*p == ';' || *p == '#') && (p == value || p[-1] == ' ')))
            return false;
    return true;
}

/* The dump may be kept anywhere, so a path in it is absolute. */
static char *portable(const struct dump *d, const char *value)
{
    struct span text = { value, strlen(value) };
    bool path = d->row->type == TYPE_FILE || (d->row->type == TYPE_KEY && uri_scheme(text) == 0)
             || d->row->type == TYPE_SECRET
             || (d->row->type == TYPE_LOG && strchr(value, '/') != NULL);
    bool other = strncmp(value, "memory:", 7) == 0
              || (d->row->type == TYPE_SECRET
                  && (strncmp(value, "fd:", 3) == 0 || strncmp(value, "env:", 4) == 0));

    if (!path || other || value[0] == '/' || d->cwd == NULL)
        return mem_strdup(value);
    return mem_printf("%s/%s", d->cwd, value);
}

/* Of the line at hand: each rule knows its own place. */
static struct origin origin_of_line(const struct dump *d)
{
    if (d->row->type == TYPE_RULE)
        return ((const struct conf_rules *)d->field)->v[d->lines].at;
    return d->head->set[d->row->id];
}

static void print_line(const char *text, void *arg)
{
    struct dump *d = arg;
    char *value = portable(d, text);
    bool fits = fits_a_file(d->row->key, value);
    int width = 44 - (int)strlen(d->row->key);

    fprintf(d->out, "%s%s = %-*s  ; ", fits ? "" : "; cannot be written in a file: ", d->row->key,
            width > 0 ? width : 0, value);
    print_origin(d->out, origin_of_line(d));
    fputc('\n', d->out);
    d->lines++;
    free(value);
}

static void dump_section(FILE *out, char *cwd, enum conf_section s, struct conf_head *h)
{
    fprintf(out, "\n[%s]\n", h->title);
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (conf_keys[i].section != s)
            continue;
        struct dump d = { out, &conf_keys[i], h, type_field(&conf_keys[i], h), 0, cwd };
        if (h->set[i].file != NULL || build_applies(h, (enum conf_key)i))
            type_each(d.row, d.field, print_line, &d);
        if (d.lines == 0)
            fprintf(out, "; %s is not set\n", d.row->key);
    }
}

/* An upstream that has no section has keys all the same where a preset set them. */
static void print_filled(FILE *out, char *cwd, struct conf_head *h)
{
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (conf_keys[i].section != SECTION_UPSTREAM || preset_of(h->set[i]) == NULL)
            continue;
        struct dump d = { out, &conf_keys[i], h, type_field(&conf_keys[i], h), 0, cwd };
        fprintf(out, "\n; upstream %s has, too: ", h->name);
        type_each(d.row, d.field, print_line, &d);
    }
}

void conf_dump(const struct conf *c, FILE *out)
{
    char *cwd = getcwd(NULL, 0);
    struct conf_proxy proxy = c->proxy;     /* printing takes what can be written to */
    struct conf_head *h;

    fputs("; The configuration in force. Behind each key: where it was set.\n", out);
    dump_section(out, cwd, SECTION_PROXY, &proxy.head);
    for (int s = SECTION_PROXY + 1; s < SECTION_COUNT; s++)
        for (size_t i = 0; (h = build_nth(c, (enum conf_section)s, i)) != NULL; i++)
            if (s != SECTION_UPSTREAM || strchr(h->name, ':') == NULL)
                dump_section(out, cwd, (enum conf_section)s, h);
            else
                print_filled(out, cwd, h);
    free(cwd);
}

static void append_line(const char *text, void *arg)
{
    char **all = arg;

    *all = mem_join(*all, ", ", text);
}

static char *all_lines(const struct key_row *row, struct conf_head *h)
{
    char *text = mem_strdup("");

    type_each(row, type_field(row, h), append_line, &text);
    return text;
}

void conf_warn_restart(const struct conf *running, const struct conf *next, struct diags *d)
{
    struct conf_proxy before = running->proxy, after = next->proxy;

    for (size_t i = 0; i < KEY_COUNT; i++) {
        const struct key_row *row = &conf_keys[i];
        if (!(row->flags & ROW_RESTART) || row->section != SECTION_PROXY)
            continue;
        char *was = all_lines(row, &before.head), *is = all_lines(row, &after.head);
        if (strcmp(was, is) != 0)
            diag_add(d, DIAG_WARNING, conf_at(&next->proxy.head, row->id, is), NULL,
                     "takes effect at the next restart; until then it is \"%s\"", was);
        free(was);
        free(is);
    }
}
