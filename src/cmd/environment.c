#include "cmd/environment.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/privs.h"
#include "app/takeover.h"
#include "base/mem.h"

#define PREFIX "SALLYPORT_"

/* The same other names that the flags have. */
static const struct {
    const char *name;
    enum conf_key key;
} aliases[] = {
    { "SALLYPORT_TLS_CERT", KEY_STORE_CERT },
    { "SALLYPORT_TLS_KEY", KEY_STORE_KEY },
    { "SALLYPORT_TLS_CA_FILE", KEY_TRUST_CA },
};

#define NALIASES (sizeof(aliases) / sizeof(aliases[0]))

static bool ends_with(const char *s, const char *end)
{
    size_t ls = strlen(s), le = strlen(end);

    return ls >= le && strcmp(s + ls - le, end) == 0;
}

/* "_PORT_443_TCP", "_PORT_443_TCP_ADDR" … */
static bool is_port_of_protocol(const char *s)
{
    static const char *const protocols[] = { "_TCP", "_UDP", "_SCTP" };
    const char *at = strstr(s, "_PORT_");

    if (at == NULL)
        return false;
    at += strlen("_PORT_");
    size_t digits = strspn(at, "0123456789");
    for (size_t i = 0; digits > 0 && i < 3; i++) {
        size_t len = strlen(protocols[i]);
        if (strncmp(at + digits, protocols[i], len) == 0) {
            const char *rest = at + digits + len;
            return rest[0] == '\0' || rest[0] == '_';
        }
    }
    return false;
}

bool environment_is_service(const char *name, const char *value)
{
    if (strncmp(name, PREFIX, strlen(PREFIX)) != 0)
        return false;
    const char *rest = name + strlen(PREFIX) - 1;   /* "_…": the Service may be sallyport-… */
    if (ends_with(rest, "_SERVICE_HOST") || ends_with(rest, "_SERVICE_PORT")
        || strstr(rest, "_SERVICE_PORT_") != NULL)
        return true;
    if (ends_with(rest, "_PORT") && strstr(value, "://") != NULL)
        return true;            /* tcp://10.0.0.1:443 */
    return is_port_of_protocol(rest);
}

static const struct key_row *row_of(const char *name)
{
    for (size_t i = 0; i < NALIASES; i++)
        if (strcmp(aliases[i].name, name) == 0)
            return &conf_keys[aliases[i].key];
    for (size_t i = 0; i < KEY_COUNT; i++)
        if (conf_keys[i].env != NULL && strcmp(conf_keys[i].env, name) == 0)
            return &conf_keys[i];
    return NULL;
}

static void warn_unknown(const char *name, struct diags *d)
{
    const char *words[KEY_COUNT + NALIASES + 1];
    size_t n = 0;

    words[n++] = ENVIRONMENT_CONFIG;
    for (size_t i = 0; i < NALIASES; i++)
        words[n++] = aliases[i].name;
    for (size_t i = 0; i < KEY_COUNT; i++)
        if (conf_keys[i].env != NULL)
            words[n++] = conf_keys[i].env;
    char *hint = schema_hint(name, words, n);
    diag_add(d, DIAG_WARNING, (struct diag_at){ { ORIGIN_ENVIRONMENT, 0 }, NULL, name, NULL }, hint,
             "no such setting; ignored");
    free(hint);
}

/* One variable holds all values of a list. (A list that takes commas in a file is
   split there.) */
static void add_values(struct givens *out, const struct key_row *row, const char *value)
{
    struct span rest = { value, strlen(value) }, item;

    if (!(row->flags & ROW_LIST) || row->flags & ROW_COMMA) {
        givens_add(out, row, value, ORIGIN_ENVIRONMENT);
        return;
    }
    while (str_next(&rest, ',', &item)) {
        char *one = mem_strndup(item.p, item.len);
        givens_add(out, row, one, ORIGIN_ENVIRONMENT);
        free(one);
    }
}

const char *environment_read(bool configuration, struct givens *out, struct diags *d)
{
    for (char **e = environ; *e != NULL; e++) {
        const char *sign = strchr(*e, '=');
        if (strncmp(*e, PREFIX, strlen(PREFIX)) != 0 || sign == NULL || sign[1] == '\0')
            continue;
        char *name = mem_strndup(*e, (size_t)(sign - *e));
        const struct key_row *row = row_of(name);
        if (row != NULL && (configuration || row->section == SECTION_PROXY))
            add_values(out, row, sign + 1);
        else if (row == NULL && strcmp(name, ENVIRONMENT_CONFIG) != 0
                 && strcmp(name, PRIVS_ENV_DUMPABLE) != 0 && strcmp(name, TAKEOVER_ENV) != 0
                 && !environment_is_service(name, sign + 1))
            warn_unknown(name, d);
        free(name);
    }
    const char *config = getenv(ENVIRONMENT_CONFIG);
    return config != NULL && config[0] != '\0' ? config : NULL;
}
