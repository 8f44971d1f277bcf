#include "conf/presets.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf/build.h"

const struct preset presets[] = {
#define PRESET(name, use) { name, use },
#define FILLS(...)
#define WEAKENS(...)
#include "conf/presets.tbl"
#undef PRESET
#undef FILLS
#undef WEAKENS
    { NULL, NULL },
};

const struct preset_row preset_rows[] = {
#define PRESET(...)
#define FILLS(name, section, key, value, why) { name, KEY_##section##_##key, value, why, false },
#define WEAKENS(name, section, key, value, why) { name, KEY_##section##_##key, value, why, true },
#include "conf/presets.tbl"
#undef PRESET
#undef FILLS
#undef WEAKENS
    { NULL, KEY_COUNT, NULL, NULL, false },
};

#define NPRESETS (sizeof(presets) / sizeof(presets[0]) - 1)

static int refuse(struct span name, struct refusal *r)
{
    const char *words[NPRESETS];
    char *list = mem_strdup(""), *word = mem_strndup(name.p, name.len);

    for (size_t i = 0; i < NPRESETS; i++) {
        words[i] = presets[i].name;
        list = mem_join(list, ", ", words[i]);
    }
    const char *near = str_nearest(word, words, NPRESETS);
    if (near != NULL)
        err_setx(&r->hint, "did you mean \"%s\"? there are %s", near, list);
    else
        err_setx(&r->hint, "there are %s", list);
    free(list);
    free(word);
    return err_setx(&r->why, "no preset of this name");
}

int preset_find(struct span name, struct refusal *r)
{
    for (const struct preset *p = presets; p->name != NULL; p++)
        if (str_eq(name, p->name))
            return 0;
    return refuse(name, r);
}

const char *preset_of(struct origin at)
{
    size_t n = sizeof(PRESET_ORIGIN) - 1;

    /* What a file sets has a line; of a flag and of a variable the origin is another word. */
    return at.file != NULL && at.line == 0 && strncmp(at.file, PRESET_ORIGIN, n) == 0
               ? at.file + n : NULL;
}

/* --- filling --- */

/* The row that filled this key; NULL: it was written, or has its default. */
static const struct preset_row *filled_by(const struct conf_head *h, enum conf_key key)
{
    const char *preset = preset_of(h->set[key]);

    for (const struct preset_row *row = preset_rows; preset && row->preset != NULL; row++)
        if (row->key == key && strcmp(row->preset, preset) == 0)
            return row;
    return NULL;
}

/* The title of the route whose preset did. */
static const char *filler(const struct builder *b, const struct conf_head *upstream,
                          const struct preset_row *row)
{
    const char *title = "";

    for (size_t i = 0; i < b->c->nroutes && title[0] == '\0'; i++) {
        const struct conf_route *r = b->c->routes[i];
        if (r->upstream != NULL && &r->upstream->head == upstream && r->preset != NULL
            && strcmp(r->preset, row->preset) == 0)
            title = r->head.title;
    }
    return title;
}

/* Another route's preset was here before. */
static void agree(struct builder *b, const struct conf_head *upstream,
                  const struct preset_row *first, const struct preset_row *row,
                  const struct conf_route *r)
{
    const char *key = conf_keys[row->key].key;

    if (strcmp(first->value, row->value) == 0)
        return;
    char *hint = mem_printf("write %s in [%s], or make an [upstream] for each", key,
                            upstream->title);
    build_error(b, conf_at(&r->head, KEY_ROUTE_PRESET, row->preset), hint,
                "%s of [%s] would be \"%s\", and \"%s\" by preset %s of [%s]", key,
                upstream->title, row->value, first->value, first->preset,
                filler(b, upstream, first));
    free(hint);
}

static void warn_weaker(struct builder *b, const struct preset_row *row,
                        const struct conf_route *r)
{
    const char *key = conf_keys[row->key].key;
    char *hint = mem_printf("if none of them comes here, write %s = … beside it", key);

    build_warn(b, conf_at(&r->head, KEY_ROUTE_PRESET, row->preset), hint, "%s is weakened: %s",
               key, row->why);
    free(hint);
}

static void fill(struct builder *b, struct conf_head *h, const struct preset_row *row,
                 const struct conf_route *r)
{
    const struct preset_row *first = filled_by(h, row->key);

    if (first != NULL)
        agree(b, h, first, row, r);
    if (h->set[row->key].file != NULL)
        return;
    build_value(&conf_keys[row->key], h, row->value);
    char *origin = mem_printf(PRESET_ORIGIN "%s", row->preset);
    h->set[row->key] = build_origin(b, origin, 0);
    free(origin);
    if (row->weakens)
        warn_weaker(b, row, r);
}

/* Whose key it is; NULL: nobody's, for there is no TLS on that side. What a preset says of a
   route is about its clients' TLS, always; and checks, which show no certificate, are no matter
   for a server that may ask for one. */
static struct conf_head *whose(struct conf_route *r, enum conf_key key)
{
    bool tls_key = key >= KEY_UPSTREAM_TLS_TRUST && key <= KEY_UPSTREAM_TLS_PROTOCOLS;

    if (conf_keys[key].section == SECTION_ROUTE)
        return conf_takes_tls(r) ? &r->head : NULL;
    if (r->upstream == NULL || (tls_key && !conf_dials_tls(r))
        || (key == KEY_UPSTREAM_CHECK && (conf_dials_tls(r) || r->upstream->servers.builtin_page)))
        return NULL;
    return &r->upstream->head;
}

void build_presets(struct builder *b)
{
    struct conf_head *h;

    for (size_t i = 0; i < b->c->nroutes; i++) {
        struct conf_route *r = b->c->routes[i];
        for (const struct preset_row *row = preset_rows; r->preset && row->preset; row++)
            if (strcmp(row->preset, r->preset) == 0 && (h = whose(r, row->key)) != NULL)
                fill(b, h, row, r);
    }
}
