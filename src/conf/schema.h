/*
 * schema: the key table (keys.tbl) as data, and questions about it.
 *
 * Sections and keys are found by their words here; what a value means is the
 * business of types.h.
 */
#ifndef SALLYPORT_CONF_SCHEMA_H
#define SALLYPORT_CONF_SCHEMA_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "conf/conf.h"

enum conf_section {
    SECTION_PROXY,
    SECTION_STORE,
    SECTION_TRUST,
    SECTION_LISTENER,
    SECTION_ROUTE,
    SECTION_UPSTREAM,
    SECTION_COUNT
};

enum conf_type {                /* the field of struct conf_… that a row points at */
    TYPE_WORKERS,               /* uint32_t */
    TYPE_COUNT,                 /* uint32_t */
    TYPE_BOOL,                  /* bool */
    TYPE_DURATION,              /* uint64_t, ms */
    TYPE_USER,                  /* char * */
    TYPE_LOG,                   /* char * */
    TYPE_SECRET,                /* char * */
    TYPE_TEXT,                  /* char *, as it stands */
    TYPE_HOST,                  /* char *: a name, folded, or an address */
    TYPE_COLONS,                /* char *; several values are joined with colons */
    TYPE_FILE,                  /* struct conf_strs */
    TYPE_KEY,                   /* struct conf_strs: files, and URIs (uri_scheme()) */
    TYPE_ALPN,                  /* struct conf_strs */
    TYPE_NAMES,                 /* struct conf_strs */
    TYPE_RULE,                  /* struct conf_rules */
    TYPE_NETWORKS,              /* struct conf_strs */
    TYPE_ADDRESS,               /* struct conf_addrs */
    TYPE_SERVER,                /* struct conf_servers */
    TYPE_CHECK,                 /* struct conf_check */
    TYPE_PROTOCOLS,             /* unsigned */
    TYPE_LOG_FORMAT,            /* int, as are the others that are one word of several */
    TYPE_LOG_LEVEL,
    TYPE_RELOAD,
    TYPE_SANDBOX,
    TYPE_EXPIRED,
    TYPE_MODE,
    TYPE_BALANCE,
    TYPE_ON_DOWN,
    TYPE_ON_EXPIRY,
    TYPE_UNKNOWN_SNI,
    TYPE_PROXY_PROTOCOL,
    TYPE_CLIENT_AUTH,
    TYPE_TICKETS,
    TYPE_TLS_VERIFY,
    TYPE_PRESET,                /* char * (conf/presets.h) */
    TYPE_REF_STORE,             /* a pointer, set by refs.c, as the next two */
    TYPE_REF_TRUST,
    TYPE_REF_UPSTREAM
};

#define ROW_LIST     1u
#define ROW_COMMA    2u
#define ROW_REQUIRED 4u
#define ROW_RESTART  8u

struct key_row {
    enum conf_key id;
    enum conf_section section;
    const char *key;
    enum conf_type type;
    size_t offset;              /* of the field */
    const char *def;            /* NULL: not set */
    uint64_t min, max;
    unsigned flags;             /* ROW_… */
    const char *flag, *env;     /* "--workers", "SALLYPORT_WORKERS"; NULL: none */
    const char *help;
};

extern const struct key_row conf_keys[KEY_COUNT];
extern const char *const conf_sections[SECTION_COUNT];     /* "proxy" … */

#define NAME_MAX_LEN 40         /* of a section's name; log lines and metrics carry it */

/* False for a section that takes no name, [proxy]. */
bool schema_named(enum conf_section s);

/* The section of that name, or -1. */
int schema_section(const char *word);
/* The row, or NULL. */
const struct key_row *schema_key(enum conf_section s, const char *key);

/* 'did you mean "…"?' for a misspelt word, or NULL; the text is the caller's (free()). */
char *schema_hint(const char *word, const char *const *words, size_t n);
char *schema_section_hint(const char *word);
/* A key that stands in another section is said to do so. */
char *schema_key_hint(enum conf_section s, const char *key);

#endif
