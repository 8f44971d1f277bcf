#include "conf/settings.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void settings_add(struct settings *s, const char *section, const char *name, const char *key,
                  const char *value, struct origin at)
{
    s->v = mem_grow(s->v, s->n + 1, sizeof(s->v[0]));
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

/*
 * Packed: the number of settings, then for each its line and five strings. Numbers
 * are 4 bytes in the order of this machine (the bytes never leave it); a string is
 * its length and its bytes, with NONE for a NULL.
 */
#define STRINGS 5
#define NONE    UINT32_MAX

static void strings_of(struct setting *t, char **out[STRINGS])
{
    char **all[STRINGS] = { &t->section, &t->name, &t->key, &t->value, &t->file };

    memcpy(out, all, sizeof(all));
}

struct writer {
    uint8_t *p;
    size_t len;
};

static void put(struct writer *w, const void *p, size_t n)
{
    w->p = mem_grow(w->p, w->len + n, 1);
    if (n > 0)
        memcpy(w->p + w->len, p, n);
    w->len += n;
}

static void put_u32(struct writer *w, uint32_t v)
{
    put(w, &v, sizeof(v));
}

void settings_pack(const struct settings *s, uint8_t **bytes, size_t *len)
{
    struct writer w = { NULL, 0 };

    put_u32(&w, (uint32_t)s->n);
    for (size_t i = 0; i < s->n; i++) {
        char **text[STRINGS];
        strings_of(&s->v[i], text);
        put_u32(&w, s->v[i].line);
        for (size_t k = 0; k < STRINGS; k++) {
            uint32_t n = *text[k] ? (uint32_t)strlen(*text[k]) : NONE;
            put_u32(&w, n);
            if (n != NONE)
                put(&w, *text[k], n);
        }
    }
    *bytes = w.p;
    *len = w.len;
}

struct unpacker {
    const uint8_t *p;
    size_t left;
};

static int take(struct unpacker *u, void *out, size_t n)
{
    if (u->left < n)
        return -1;
    if (n > 0)
        memcpy(out, u->p, n);
    u->p += n;
    u->left -= n;
    return 0;
}

static int take_string(struct unpacker *u, char **out)
{
    uint32_t n;

    if (take(u, &n, sizeof(n)) < 0)
        return -1;
    if (n == NONE)
        return 0;
    if (u->left < n || memchr(u->p, '\0', n) != NULL)
        return -1;
    *out = mem_strndup((const char *)u->p, n);
    return take(u, *out, n);
}

static int take_setting(struct unpacker *u, struct setting *t)
{
    char **text[STRINGS];
    uint32_t line;

    strings_of(t, text);
    if (take(u, &line, sizeof(line)) < 0)
        return -1;
    t->line = line;
    for (size_t k = 0; k < STRINGS; k++)
        if (take_string(u, text[k]) < 0)
            return -1;
    return t->section != NULL && t->name != NULL ? 0 : -1;
}

int settings_unpack(const uint8_t *bytes, size_t len, struct settings *out)
{
    struct unpacker u = { bytes, len };
    uint32_t n;

    *out = (struct settings){ 0 };
    if (take(&u, &n, sizeof(n)) < 0)
        return -1;
    for (uint32_t i = 0; i < n; i++) {
        struct setting t = { 0 };
        if (take_setting(&u, &t) < 0) {
            setting_free(&t);
            settings_free(out);
            return -1;
        }
        out->v = mem_grow(out->v, out->n + 1, sizeof(out->v[0]));
        out->v[out->n++] = t;
    }
    if (u.left == 0)
        return 0;
    settings_free(out);
    return -1;
}
