#include "conf/settings.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/pack.h"

void settings_add(struct settings *s, const char *section, const char *name, const char *key,
                  const char *value, struct origin at)
{
    s->v = mem_append(s->v, s->n, sizeof(s->v[0]));
    s->v[s->n++] = (struct setting){
        .section = mem_strdup(section),
        .name = mem_strdup(name),
        .key = key ? mem_strdup(key) : NULL,
        .value = value ? mem_strdup(value) : NULL,
        .file = at.file ? mem_strdup(at.file) : NULL,
        .line = at.line,
    };
}

void settings_append(struct settings *s, const struct settings *more)
{
    for (size_t i = 0; i < more->n; i++) {
        const struct setting *t = &more->v[i];
        settings_add(s, t->section, t->name, t->key, t->value, (struct origin){ t->file, t->line });
    }
}

static void setting_free(struct setting *t)
{
    free(t->section);
    free(t->name);
    free(t->key);
    free(t->value);
    free(t->file);
}

void settings_free(struct settings *s)
{
    for (size_t i = 0; i < s->n; i++)
        setting_free(&s->v[i]);
    free(s->v);
    *s = (struct settings){ 0 };
}

/* Packed: the number of settings, then for each its line and five strings. */
#define STRINGS 5

static void strings_of(struct setting *t, char **out[STRINGS])
{
    char **all[STRINGS] = { &t->section, &t->name, &t->key, &t->value, &t->file };

    memcpy(out, all, sizeof(all));
}

void settings_pack(const struct settings *s, uint8_t **bytes, size_t *len)
{
    struct pack k = { 0 };

    pack_u32(&k, (uint32_t)s->n);
    for (size_t i = 0; i < s->n; i++) {
        char **text[STRINGS];
        strings_of(&s->v[i], text);
        pack_u32(&k, s->v[i].line);
        for (size_t t = 0; t < STRINGS; t++)
            pack_str(&k, *text[t]);
    }
    *bytes = k.p;
    *len = k.len;
}

static int take_setting(struct unpack *u, struct setting *t)
{
    char **text[STRINGS];

    strings_of(t, text);
    t->line = unpack_u32(u);
    for (size_t k = 0; k < STRINGS; k++)
        *text[k] = unpack_str(u);
    return !u->bad && t->section != NULL && t->name != NULL ? 0 : -1;
}

int settings_unpack(const uint8_t *bytes, size_t len, struct settings *out)
{
    struct unpack u = { bytes, len, false };
    uint32_t n = unpack_u32(&u);

    *out = (struct settings){ 0 };
    for (uint32_t i = 0; i < n && !u.bad; i++) {
        struct setting t = { 0 };
        if (take_setting(&u, &t) < 0) {
            setting_free(&t);
            settings_free(out);
            return -1;
        }
        out->v = mem_append(out->v, out->n, sizeof(out->v[0]));
        out->v[out->n++] = t;
    }
    if (!u.bad && u.left == 0)
        return 0;
    settings_free(out);
    return -1;
}
