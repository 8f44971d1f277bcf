#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/health_parts.h"
#include "base/log.h"

#define LIST_TEXT_MAX 512u      /* of addresses; what does not fit is counted */

static uint64_t seconds_since(const struct server *s, uint64_t us)
{
    return (loop_now_us(s->group->health->loop) - us + 500000u) / 1000000u;
}

static void begin(struct logline *l, enum log_level level, const char *message,
                  const struct server *s)
{
    logline_begin(l, level, message);
    logline_str(l, "upstream", s->group->name);
}

void health_log_state(const struct target *t, const char *why)
{
    const struct server *s = t->server;
    char text[ADDR_TEXT_MAX];
    struct logline l;

    begin(&l, why != NULL ? LOG_LEVEL_WARN : LOG_LEVEL_INFO,
          why != NULL ? "a server is down" : "a server is up", s);
    logline_str(&l, "server", addr_text(&t->addr, text));
    if (s->conf->host != NULL)
        logline_str(&l, "name", s->written);
    logline_str(&l, "error", why);
    if (why == NULL) {
        logline_u64(&l, "failures", t->failures);
        if (t->down_us > 0)
            logline_u64(&l, "seconds", seconds_since(s, t->down_us));
    }
    logline_end(&l);
}

static char *list_text(const struct addr *v, size_t n, char out[LIST_TEXT_MAX])
{
    size_t len = 0;

    out[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        char text[ADDR_TEXT_MAX];
        addr_text(&v[i], text);
        if (len + strlen(text) + 32 > LIST_TEXT_MAX) {
            snprintf(out + len, LIST_TEXT_MAX - len, ", and %zu more", n - i);
            break;
        }
        len += (size_t)snprintf(out + len, LIST_TEXT_MAX - len, "%s%s", i > 0 ? ", " : "", text);
    }
    return out;
}

static void put_addresses(struct logline *l, const struct server *s)
{
    struct addr v[RESOLVE_MAX];
    char text[LIST_TEXT_MAX];
    size_t n = s->n < RESOLVE_MAX ? s->n : RESOLVE_MAX;

    for (size_t i = 0; i < n; i++)
        v[i] = s->targets[i]->addr;
    if (n > 0)
        logline_str(l, "addresses", list_text(v, n, text));
}

void health_log_addresses(const struct server *s, const char *message, const struct addr *before,
                          size_t nbefore)
{
    char text[LIST_TEXT_MAX];
    struct logline l;

    begin(&l, LOG_LEVEL_INFO, message, s);
    logline_str(&l, "name", s->written);
    put_addresses(&l, s);
    if (nbefore > 0)
        logline_str(&l, "before", list_text(before, nbefore, text));
    logline_end(&l);
}

void health_log_unresolved(const struct server *s, const char *why)
{
    struct logline l;

    begin(&l, LOG_LEVEL_WARN, s->n > 0 ? "a name does not resolve any more: its addresses stay"
                                       : "a name does not resolve",
          s);
    logline_str(&l, "name", s->written);
    logline_str(&l, "error", why);
    put_addresses(&l, s);
    logline_end(&l);
}

void health_log_resolved(const struct server *s, unsigned failures)
{
    struct logline l;

    begin(&l, LOG_LEVEL_INFO, "a name resolves again", s);
    logline_str(&l, "name", s->written);
    logline_u64(&l, "failures", failures);
    logline_u64(&l, "seconds", seconds_since(s, s->failing_us));
    logline_end(&l);
}

void health_log_forbidden(const struct server *s)
{
    struct addr v[RESOLVE_MAX];
    char text[LIST_TEXT_MAX];
    struct logline l;
    size_t n = 0;

    for (size_t i = 0; i < s->n && n < RESOLVE_MAX; i++)
        if (!health_may_knock(s, &s->targets[i]->addr))
            v[n++] = s->targets[i]->addr;
    if (n == 0)
        return;
    begin(&l, LOG_LEVEL_WARN, "a name has addresses that plaintext_to does not allow", s);
    logline_str(&l, "name", s->written);
    logline_str(&l, "addresses", list_text(v, n, text));
    logline_end(&l);
}
