/*
 * settings: what was set, where, before anybody knows what it means.
 *
 * The ini file, the command line and the environment all become the same list of
 * (section, name, key, value, origin). The list travels in the bundle, so a
 * worker builds its configuration from exactly what the loader proved.
 */
#ifndef SALLYPORT_CONF_SETTINGS_H
#define SALLYPORT_CONF_SETTINGS_H

#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"

/* What stands for the file where there is none. */
#define ORIGIN_COMMAND_LINE "command line"
#define ORIGIN_ENVIRONMENT  "environment"

struct setting {
    char *section;              /* "route" */
    char *name;                 /* "cql"; "" where the section takes none */
    char *key;                  /* NULL: the section's head itself */
    char *value;
    char *file;                 /* path, "command line" or "environment" */
    unsigned line;
};

struct settings {
    struct setting *v;
    size_t n;
};

/* All strings are copied. */
void settings_add(struct settings *s, const char *section, const char *name, const char *key,
                  const char *value, struct origin at);
void settings_append(struct settings *s, const struct settings *more);
void settings_free(struct settings *s);

/* As bytes for the bundle; the caller frees *bytes. unpack: 0, or -1 when damaged. */
void settings_pack(const struct settings *s, uint8_t **bytes, size_t *len);
int settings_unpack(const uint8_t *bytes, size_t len, struct settings *out);

#endif
