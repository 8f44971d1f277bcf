#include "conf/schema.h"

#include <string.h>

#include "base/mem.h"

#define CLI(flag, env) flag, env
#define NO_CLI         NULL, NULL

const struct key_row conf_keys[KEY_COUNT] = {
#define KEY(SECTION, section, KEYNAME, key, TYPE, field, def, min, max, flags, cli, help) \
    [KEY_##SECTION##_##KEYNAME] = {                                                       \
        KEY_##SECTION##_##KEYNAME, SECTION_##SECTION, key, TYPE_##TYPE,                   \
        offsetof(struct conf_##section, field), def, min, max, flags, cli, help },
#include "conf/keys.tbl"
#undef KEY
};

const char *const conf_sections[SECTION_COUNT] = {
    [SECTION_PROXY] = "proxy",       [SECTION_STORE] = "store", [SECTION_TRUST] = "trust",
    [SECTION_LISTENER] = "listener", [SECTION_ROUTE] = "route", [SECTION_UPSTREAM] = "upstream",
};

bool schema_named(enum conf_section s)
{
    return s != SECTION_PROXY;
}

int schema_section(const char *word)
{
    for (int s = 0; s < SECTION_COUNT; s++)
        if (strcmp(conf_sections[s], word) == 0)
            return s;
    return -1;
}

const struct key_row *schema_key(enum conf_section s, const char *key)
{
    for (size_t i = 0; i < KEY_COUNT; i++)
        if (conf_keys[i].section == s && strcmp(conf_keys[i].key, key) == 0)
            return &conf_keys[i];
    return NULL;
}

char *schema_hint(const char *word, const char *const *words, size_t n)
{
    const char *near = str_nearest(word, words, n);

    return near ? mem_printf("did you mean \"%s\"?", near) : NULL;
}

char *schema_section_hint(const char *word)
{
    return schema_hint(word, conf_sections, SECTION_COUNT);
}

static bool means_secret(const char *key)
{
    return strcasestr(key, "password") != NULL || strcasestr(key, "passphrase") != NULL
        || strcasestr(key, "secret") != NULL;
}

char *schema_key_hint(enum conf_section s, const char *key)
{
    const char *words[KEY_COUNT];
    size_t n = 0;

    for (size_t i = 0; i < KEY_COUNT; i++)
        if (conf_keys[i].section == s)
            words[n++] = conf_keys[i].key;
    const char *near = str_nearest(key, words, n);
    if (near != NULL)
        return mem_printf("did you mean \"%s\"?", near);

    for (size_t i = 0; i < KEY_COUNT; i++)
        if (strcmp(conf_keys[i].key, key) == 0)
            return mem_printf("it is a key of [%s%s]", conf_sections[conf_keys[i].section],
                              schema_named(conf_keys[i].section) ? " …" : "");
    if (means_secret(key))
        return mem_strdup("a password stands in a file of its own: password_file of [store …]");
    return NULL;
}
