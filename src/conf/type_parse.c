#include "conf/types.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "conf/presets.h"
#include "conf/type_parts.h"

/* One word of several: the field is the word's place in the list. */

#define WORDS(name, ...) static const char *const name[] = { __VA_ARGS__, NULL }

WORDS(words_bool, "off", "on");
WORDS(words_log_format, "text", "json");
WORDS(words_log_level, "error", "warn", "info", "debug");
WORDS(words_reload, "watch", "signal");
WORDS(words_sandbox, "auto", "require", "off");
WORDS(words_expired, "refuse", "serve");
WORDS(words_balance, "round_robin", "least_connections", "source_hash", "first");
WORDS(words_mode, "terminate", "originate", "bridge");
WORDS(words_tls_verify, "full", "chain", "off");
WORDS(words_on_down, "keep", "close");
WORDS(words_check, "off", "auto", "tcp", "tls", "http", "cql", "grpc", "zookeeper", "dask");
WORDS(words_proxy, "off", "v1", "v2");
WORDS(words_on_expiry, "close", "keep");
WORDS(words_unknown_sni, "default", "reject");
WORDS(words_client_auth, "none", "request", "require");
WORDS(words_tickets, "auto", "on", "off");
static const char *const words_none[] = { NULL };

const char *const *type_words(enum conf_type t)
{
    switch (t) {
    case TYPE_BOOL: return words_bool;
    case TYPE_LOG_FORMAT: return words_log_format;
    case TYPE_LOG_LEVEL: return words_log_level;
    case TYPE_RELOAD: return words_reload;
    case TYPE_SANDBOX: return words_sandbox;
    case TYPE_EXPIRED: return words_expired;
    case TYPE_MODE: return words_mode;
    case TYPE_BALANCE: return words_balance;
    case TYPE_ON_DOWN: return words_on_down;
    case TYPE_CHECK: return words_check;
    case TYPE_PROXY_PROTOCOL: return words_proxy;
    case TYPE_ON_EXPIRY: return words_on_expiry;
    case TYPE_UNKNOWN_SNI: return words_unknown_sni;
    case TYPE_CLIENT_AUTH: return words_client_auth;
    case TYPE_TICKETS: return words_tickets;
    case TYPE_TLS_VERIFY: return words_tls_verify;
    default: return words_none;
    }
}

/* What people write elsewhere for on and off. */
static const char *bool_meant(struct span text)
{
    static const char *const pairs[][2] = {
        { "yes", "on" }, { "true", "on" }, { "1", "on" }, { "no", "off" }, { "false", "off" },
        { "0", "off" },
    };

    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
        if (str_eq(text, pairs[i][0]))
            return pairs[i][1];
    return NULL;
}

static int parse_word(enum conf_type t, struct span text, int *out, struct refusal *r)
{
    const char *const *words = type_words(t);
    char list[128] = "";
    size_t n = 0;

    for (; words[n] != NULL; n++) {
        if (str_eq(text, words[n])) {
            *out = (int)n;
            return 0;
        }
        size_t used = strlen(list);
        snprintf(list + used, sizeof(list) - used, "%s%s", n ? ", " : "", words[n]);
    }
    err_setx(&r->why, "%s %s", n == 1 ? "can only be" : "not one of", list);

    char *word = mem_strndup(text.p, text.len);
    const char *near = t == TYPE_BOOL ? bool_meant(text) : NULL;
    if (near == NULL)
        near = str_nearest(word, words, n);
    if (near != NULL)
        err_setx(&r->hint, "did you mean \"%s\"?", near);
    free(word);
    return -1;
}

static int parse_number(const struct key_row *row, struct span text, uint32_t *out,
                        struct refusal *r)
{
    bool automatic = row->type == TYPE_WORKERS;
    uint64_t n;

    if (automatic && str_eq(text, "auto")) {
        *out = CONF_WORKERS_AUTO;
        return 0;
    }
    if (!str_u64(text, row->max, &n) || n < row->min)
        return err_setx(&r->why, "not %sa whole number from %llu to %llu",
                        automatic ? "auto or " : "", (unsigned long long)row->min,
                        (unsigned long long)row->max);
    *out = (uint32_t)n;
    return 0;
}

static int parse_duration(const struct key_row *row, struct span text, uint64_t *out,
                          struct refusal *r)
{
    uint64_t ms, bare;

    if (!duration_parse(text, &ms)) {
        if (str_u64(text, UINT64_MAX, &bare)) {
            err_setx(&r->hint, "did you mean \"%llus\"?", (unsigned long long)bare);
            return err_setx(&r->why, "the unit is missing");
        }
        err_setx(&r->hint, "a whole number and ms, s, m, h or d, such as 250ms or 30s");
        return err_setx(&r->why, "not a duration");
    }
    if (ms < row->min || ms > row->max) {
        char min[DURATION_TEXT_MAX], max[DURATION_TEXT_MAX];
        duration_text(row->min, min);
        duration_text(row->max, max);
        return err_setx(&r->why, "out of range, which is %s to %s", min, max);
    }
    *out = ms;
    return 0;
}

static int parse_user(struct span text, char **out, struct refusal *r)
{
    for (size_t i = 0; i < text.len; i++)
        if (strchr(" \t:/,", text.p[i]) != NULL)
            return err_setx(&r->why, "not the name or number of a user");
    *out = mem_strndup(text.p, text.len);
    return 0;
}

char *type_resolve(struct span path, const char *file)
{
    bool memory = path.len >= 7 && memcmp(path.p, "memory:", 7) == 0;
    const char *slash = file != NULL ? strrchr(file, '/') : NULL;

    if (path.p[0] == '/' || memory || slash == NULL)
        return mem_strndup(path.p, path.len);
    return mem_printf("%.*s/%.*s", (int)(slash - file), file, (int)path.len, path.p);
}

static int parse_log(struct span text, const char *file, char **out, struct refusal *r)
{
    static const char *const words[] = { "stdout", "stderr", "syslog" };

    if (memchr(text.p, '/', text.len) != NULL) {
        *out = type_resolve(text, file);
        return 0;
    }
    for (size_t i = 0; i < 3; i++) {
        if (str_eq(text, words[i])) {
            *out = mem_strdup(words[i]);
            return 0;
        }
    }
    char *word = mem_strndup(text.p, text.len);
    const char *near = str_nearest(word, words, 3);
    if (near != NULL)
        err_setx(&r->hint, "did you mean \"%s\"?", near);
    else
        err_setx(&r->hint, "a file's path has a slash: ./%s", word);
    free(word);
    return err_setx(&r->why, "not one of stdout, stderr, syslog, nor a path");
}

static bool is_variable_name(struct span s)
{
    if (s.len == 0 || (s.p[0] >= '0' && s.p[0] <= '9'))
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')
              || c == '_'))
            return false;
    }
    return true;
}

static int parse_secret(struct span text, const char *file, char **out, struct refusal *r)
{
    uint64_t fd;

    if (text.len >= 3 && memcmp(text.p, "fd:", 3) == 0) {
        if (!str_u64((struct span){ text.p + 3, text.len - 3 }, INT32_MAX, &fd))
            return err_setx(&r->why, "fd: needs the number of an inherited descriptor (fd:3)");
    } else if (text.len >= 4 && memcmp(text.p, "env:", 4) == 0) {
        if (!is_variable_name((struct span){ text.p + 4, text.len - 4 }))
            return err_setx(&r->why, "env: needs the name of a variable (env:KEY_PASSWORD)");
    } else {
        *out = type_resolve(text, file);
        return 0;
    }
    *out = mem_strndup(text.p, text.len);
    return 0;
}

/* "tcp", or "http GET /healthz". */
static int parse_check(struct span text, struct conf_check *out, struct refusal *r)
{
    static const char http[] = "http";
    const char *space = memchr(text.p, ' ', text.len);
    struct span word = { text.p, space != NULL ? (size_t)(space - text.p) : text.len };

    if (!str_eq(word, http))
        return parse_word(TYPE_CHECK, text, &out->kind, r);

    struct span path = str_trim((struct span){ text.p + word.len, text.len - word.len });
    if (path.len > 4 && memcmp(path.p, "GET ", 4) == 0)
        path = str_trim((struct span){ path.p + 4, path.len - 4 });
    if (path.len == 0 || path.p[0] != '/') {
        err_setx(&r->hint, "such as http GET /healthz");
        return err_setx(&r->why, "a check by HTTP needs a path");
    }
    if (path.len > CHECK_PATH_MAX)
        return err_setx(&r->why, "a path has at most %u bytes", CHECK_PATH_MAX);
    for (size_t i = 0; i < path.len; i++)
        if (path.p[i] <= ' ' || path.p[i] > '~')
            return err_setx(&r->why, "a path has no spaces, and nothing outside ASCII");
    free(out->path);
    *out = (struct conf_check){ CHECK_HTTP, mem_strndup(path.p, path.len) };
    return 0;
}

static int parse_preset(struct span text, char **out, struct refusal *r)
{
    if (preset_find(text, r) < 0)
        return -1;
    *out = mem_strndup(text.p, text.len);
    return 0;
}

static int parse_text(struct span text, char **out)
{
    *out = mem_strndup(text.p, text.len);
    return 0;
}

int type_parse(const struct key_row *row, struct span text, const char *file, void *field,
               struct refusal *r)
{
    int word;

    switch (row->type) {
    case TYPE_WORKERS:
    case TYPE_COUNT: return parse_number(row, text, field, r);
    case TYPE_DURATION: return parse_duration(row, text, field, r);
    case TYPE_USER: return parse_user(text, field, r);
    case TYPE_LOG: return parse_log(text, file, field, r);
    case TYPE_SECRET: return parse_secret(text, file, field, r);
    case TYPE_TEXT: return parse_text(text, field);
    case TYPE_HOST: return type_parse_host(text, field, r);
    case TYPE_PRESET: return parse_preset(text, field, r);
    case TYPE_BOOL:
        if (parse_word(row->type, text, &word, r) < 0)
            return -1;
        *(bool *)field = word == 1;
        return 0;
    case TYPE_LOG_FORMAT:
    case TYPE_LOG_LEVEL:
    case TYPE_RELOAD:
    case TYPE_SANDBOX:
    case TYPE_EXPIRED:
    case TYPE_MODE:
    case TYPE_BALANCE:
    case TYPE_ON_DOWN:
    case TYPE_PROXY_PROTOCOL:
    case TYPE_ON_EXPIRY:
    case TYPE_UNKNOWN_SNI:
    case TYPE_CLIENT_AUTH:
    case TYPE_TICKETS:
    case TYPE_TLS_VERIFY: return parse_word(row->type, text, field, r);
    case TYPE_FILE: return type_parse_file(text, file, field);
    case TYPE_KEY: return type_parse_key(text, file, field, r);
    case TYPE_COLONS: return type_parse_colons(text, field, r);
    case TYPE_ALPN: return type_parse_alpn(text, field, r);
    case TYPE_NAMES: return type_parse_dns_name(text, field, r);
    case TYPE_RULE: return type_parse_rule(text, field, r);
    case TYPE_NETWORKS: return type_parse_network(text, field, r);
    case TYPE_PROTOCOLS: return type_parse_protocol(text, field, r);
    case TYPE_ADDRESS:
        return type_parse_address(text, row->id == KEY_PROXY_ADMIN ? "127.0.0.1" : "0.0.0.0",
                                  field, r);
    case TYPE_CHECK: return parse_check(text, field, r);
    case TYPE_SERVER: return type_parse_server(text, field, r);
    case TYPE_REF_STORE:
    case TYPE_REF_TRUST:
    case TYPE_REF_UPSTREAM: break; /* refs.c */
    }
    return 0;
}

const char *type_metavar(enum conf_type t)
{
    switch (t) {
    case TYPE_WORKERS: return "auto|NUMBER";
    case TYPE_COUNT: return "NUMBER";
    case TYPE_BOOL: return "on|off";
    case TYPE_DURATION: return "DURATION";
    case TYPE_USER: return "USER";
    case TYPE_LOG: return "stdout|stderr|syslog|PATH";
    case TYPE_SECRET: return "PATH|fd:N|env:NAME";
    case TYPE_TEXT: return "TEXT";
    case TYPE_HOST: return "NAME|IP";
    case TYPE_COLONS: return "LIST";
    case TYPE_FILE: return "PATH";
    case TYPE_KEY: return "PATH|URI";
    case TYPE_ALPN:
    case TYPE_NAMES: return "NAME,…";
    case TYPE_RULE: return "KIND:PATTERN";
    case TYPE_NETWORKS: return "loopback|anywhere|NETWORK,…";
    case TYPE_ADDRESS: return "ADDRESS";
    case TYPE_SERVER: return "ADDRESS|NAME:PORT|original|builtin:page";
    case TYPE_PROTOCOLS: return "VERSION,…";
    case TYPE_LOG_FORMAT: return "text|json";
    case TYPE_LOG_LEVEL: return "error|warn|info|debug";
    case TYPE_RELOAD: return "watch|signal";
    case TYPE_SANDBOX: return "auto|require|off";
    case TYPE_EXPIRED: return "refuse|serve";
    case TYPE_BALANCE: return "round_robin|least_connections|source_hash|first";
    case TYPE_MODE: return "terminate|originate|bridge";
    case TYPE_TLS_VERIFY: return "full|chain|off";
    case TYPE_ON_DOWN: return "keep|close";
    case TYPE_CHECK: return "off|auto|tcp|tls|http GET /PATH|cql|grpc|zookeeper|dask";
    case TYPE_PROXY_PROTOCOL: return "off|v1|v2";
    case TYPE_ON_EXPIRY: return "close|keep";
    case TYPE_UNKNOWN_SNI: return "default|reject";
    case TYPE_CLIENT_AUTH: return "none|request|require";
    case TYPE_TICKETS: return "auto|on|off";
    case TYPE_PRESET:
    case TYPE_REF_STORE:
    case TYPE_REF_TRUST: return "NAME";
    case TYPE_REF_UPSTREAM: return "NAME|ADDRESS|builtin:page";
    }
    return "";
}
