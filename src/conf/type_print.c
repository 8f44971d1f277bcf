#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "conf/type_parts.h"

#define LINE_ROOM 120           /* of a list that is broken into several lines */

static void free_strs(struct conf_strs *s)
{
    for (size_t i = 0; i < s->n; i++)
        free(s->v[i]);
    free(s->v);
    *s = (struct conf_strs){ 0 };
}

static void free_rules(struct conf_rules *s)
{
    for (size_t i = 0; i < s->n; i++) {
        free(s->v[i].written);
        free(s->v[i].pattern);
    }
    free(s->v);
    *s = (struct conf_rules){ 0 };
}

static void free_servers(struct conf_servers *s)
{
    for (size_t i = 0; i < s->n; i++) {
        free(s->v[i].written);
        free(s->v[i].host);
    }
    free(s->v);
    *s = (struct conf_servers){ 0 };
}

static void free_text(char **text)
{
    free(*text);
    *text = NULL;
}

void type_clear(const struct key_row *row, void *field)
{
    switch (row->type) {
    case TYPE_USER:
    case TYPE_LOG:
    case TYPE_SECRET:
    case TYPE_TEXT:
    case TYPE_HOST:
    case TYPE_PRESET:
    case TYPE_COLONS: free_text(field); break;
    case TYPE_FILE:
    case TYPE_KEY:
    case TYPE_ALPN:
    case TYPE_NAMES:
    case TYPE_NETWORKS: free_strs(field); break;
    case TYPE_RULE: free_rules(field); break;
    case TYPE_ADDRESS: {
        struct conf_addrs *list = field;
        free(list->v);
        *list = (struct conf_addrs){ 0 };
        break;
    }
    case TYPE_SERVER: free_servers(field); break;
    case TYPE_CHECK: free_text(&((struct conf_check *)field)->path); break;
    case TYPE_PROTOCOLS: *(unsigned *)field = 0; break;
    default: break;             /* numbers and words are overwritten, references not ours */
    }
}

static void each_str(const struct conf_strs *s, type_line_fn *fn, void *arg)
{
    for (size_t i = 0; i < s->n; i++)
        fn(s->v[i], arg);
}

static void each_rule(const struct conf_rules *s, type_line_fn *fn, void *arg)
{
    for (size_t i = 0; i < s->n; i++)
        fn(s->v[i].written, arg);
}

/* Lines that end before a colon; a single long item stays whole. */
static void each_colons(const char *text, type_line_fn *fn, void *arg)
{
    while (text != NULL) {
        const char *end = strchr(text, ':'), *next;
        while (end != NULL && (next = strchr(end + 1, ':')) != NULL && next - text <= LINE_ROOM)
            end = next;
        if (end == NULL || strlen(text) <= LINE_ROOM) {
            fn(text, arg);
            return;
        }
        char *line = mem_strndup(text, (size_t)(end - text));
        fn(line, arg);
        free(line);
        text = end + 1;
    }
}

static void each_address(const struct conf_addrs *list, type_line_fn *fn, void *arg)
{
    char text[ADDR_TEXT_MAX];

    for (size_t i = 0; i < list->n; i++)
        fn(addr_text(&list->v[i], text), arg);
}

static void each_server(const struct conf_servers *s, type_line_fn *fn, void *arg)
{
    if (s->builtin_page)
        fn(TYPE_BUILTIN_PAGE, arg);
    if (s->original) {
        char text[32];
        snprintf(text, sizeof(text), s->original_port ? "%s:%u" : "%s", TYPE_ORIGINAL,
                 s->original_port);
        fn(text, arg);
    }
    for (size_t i = 0; i < s->n; i++)
        fn(s->v[i].written, arg);
}

static void each_protocol(unsigned set, type_line_fn *fn, void *arg)
{
    char text[64] = "";

    for (unsigned i = 0; i < TYPE_PROTOCOL_COUNT; i++) {
        size_t used = strlen(text);
        if (set & 1u << i)
            snprintf(text + used, sizeof(text) - used, "%s%s", used ? ", " : "", type_protocols[i]);
    }
    if (text[0] != '\0')
        fn(text, arg);
}

static void each_number(const struct key_row *row, uint32_t n, type_line_fn *fn, void *arg)
{
    char text[16];

    snprintf(text, sizeof(text), "%u", n);
    fn(row->type == TYPE_WORKERS && n == CONF_WORKERS_AUTO ? "auto" : text, arg);
}

static void each_duration(uint64_t ms, type_line_fn *fn, void *arg)
{
    char text[DURATION_TEXT_MAX];

    duration_text(ms, text);
    fn(text, arg);
}

static void each_check(const struct conf_check *c, type_line_fn *fn, void *arg)
{
    const char *word = type_words(TYPE_CHECK)[c->kind];
    char *text = c->path != NULL ? mem_printf("%s GET %s", word, c->path) : NULL;

    fn(text != NULL ? text : word, arg);
    free(text);
}

static void each_text(const char *text, type_line_fn *fn, void *arg)
{
    if (text != NULL)
        fn(text, arg);
}

static void each_name(const struct conf_head *head, type_line_fn *fn, void *arg)
{
    if (head != NULL)
        fn(head->name, arg);
}

const char *type_word(enum conf_key key, int value)
{
    return type_words(conf_keys[key].type)[value];
}

void type_each(const struct key_row *row, const void *field, type_line_fn *fn, void *arg)
{
    switch (row->type) {
    case TYPE_WORKERS:
    case TYPE_COUNT: each_number(row, *(const uint32_t *)field, fn, arg); break;
    case TYPE_DURATION: each_duration(*(const uint64_t *)field, fn, arg); break;
    case TYPE_USER:
    case TYPE_LOG:
    case TYPE_SECRET:
    case TYPE_HOST:
    case TYPE_PRESET:
    case TYPE_TEXT: each_text(*(char *const *)field, fn, arg); break;
    case TYPE_COLONS: each_colons(*(char *const *)field, fn, arg); break;
    case TYPE_FILE:
    case TYPE_KEY:
    case TYPE_ALPN:
    case TYPE_NAMES:
    case TYPE_NETWORKS: each_str(field, fn, arg); break;
    case TYPE_RULE: each_rule(field, fn, arg); break;
    case TYPE_ADDRESS: each_address(field, fn, arg); break;
    case TYPE_SERVER: each_server(field, fn, arg); break;
    case TYPE_CHECK: each_check(field, fn, arg); break;
    case TYPE_PROTOCOLS: each_protocol(*(const unsigned *)field, fn, arg); break;
    case TYPE_BOOL: fn(type_words(TYPE_BOOL)[*(const bool *)field], arg); break;
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
    case TYPE_TLS_VERIFY: fn(type_words(row->type)[*(const int *)field], arg); break;
    case TYPE_REF_STORE:
        if (*(struct conf_store *const *)field != NULL)
            each_name(&(*(struct conf_store *const *)field)->head, fn, arg);
        break;
    case TYPE_REF_TRUST:
        if (*(struct conf_trust *const *)field != NULL)
            each_name(&(*(struct conf_trust *const *)field)->head, fn, arg);
        break;
    case TYPE_REF_UPSTREAM:
        if (*(struct conf_upstream *const *)field != NULL)
            each_name(&(*(struct conf_upstream *const *)field)->head, fn, arg);
        break;
    }
}
