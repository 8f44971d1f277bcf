#include "proxy/endpoint.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/names.h"

#define PAUSE_FIRST_MS 100u
#define PAUSE_MOST_MS 10000u

/* The finalizer of splitmix64. */
uint64_t endpoint_mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

struct endpoint *endpoint_new(const struct addr *a, const char *group, const char *server)
{
    struct endpoint *e = mem_zalloc(sizeof(*e));
    char text[ADDR_TEXT_MAX];

    addr_text(a, text);
    *e = (struct endpoint){
        .addr = *a,
        .group = mem_strdup(group),
        .server = mem_strdup(server),
        .refs = 1,
        .key = endpoint_mix(names_hash(str_span(text))),
        .up = true,
        .plain = true,
    };
    return e;
}

void endpoint_unref(struct endpoint *e)
{
    if (--e->refs > 0)
        return;
    free(e->group);
    free(e->server);
    free(e);
}

enum endpoint_state endpoint_state(const struct endpoint *e, uint64_t now_us)
{
    bool paused = e->step > 0 && now_us < e->retry_us;

    if (e->up)
        return paused ? ENDPOINT_PAUSED : ENDPOINT_FIT;
    return paused ? ENDPOINT_DOWN_PAUSED : ENDPOINT_DOWN;
}

uint64_t endpoint_pause_ms(unsigned step)
{
    uint64_t pause = PAUSE_FIRST_MS;

    for (unsigned i = 1; i < step && pause < PAUSE_MOST_MS; i++)
        pause *= 2;
    return pause < PAUSE_MOST_MS ? pause : PAUSE_MOST_MS;
}

/* Workers, and the connections of one, shall not all come back at once. */
static void leave_alone(struct endpoint *e, uint64_t now_us)
{
    uint64_t pause = endpoint_pause_ms(e->step) * 1000u;

    e->retry_us = now_us + pause + endpoint_mix(now_us ^ e->key) % (pause / 4);
}

void endpoint_join(struct endpoint *e, uint64_t now_us)
{
    e->refs++;
    e->in_flight++;
    if (e->step > 0)
        leave_alone(e, now_us);     /* for the others, until this one knows */
}

void endpoint_part(struct endpoint *e)
{
    e->in_flight--;
}

void endpoint_leave(struct endpoint *e)
{
    if (e == NULL)
        return;
    endpoint_part(e);
    endpoint_unref(e);
}

static void tell(const struct endpoint *e, enum log_level level, const char *message,
                 const char *why, uint64_t now_us)
{
    char text[ADDR_TEXT_MAX];
    struct logline l;

    logline_begin(&l, level, message);
    logline_str(&l, "upstream", e->group);
    logline_str(&l, "server", addr_text(&e->addr, text));
    logline_str(&l, "error", why);
    if (why == NULL) {
        logline_u64(&l, "failures", e->failures);
        logline_u64(&l, "seconds", (now_us - e->failing_us + 500000u) / 1000000u);
    }
    logline_end(&l);
}

void endpoint_reached(struct endpoint *e, uint64_t now_us)
{
    e->reached_us = now_us;
    if (e->failures == 0)
        return;
    tell(e, LOG_LEVEL_INFO, "a server is reached again", NULL, now_us);
    e->failures = 0;
    e->step = 0;
}

void endpoint_failed(struct endpoint *e, uint64_t began_us, uint64_t now_us, const char *why)
{
    if (began_us < e->reached_us)
        return;
    if (e->failures == 0) {
        e->failing_us = now_us;
        tell(e, LOG_LEVEL_WARN, "a server fails", why, now_us);
    }
    if (e->failures < UINT32_MAX)
        e->failures++;
    /* Who was on the way already when it failed before tells of the same failure. */
    if (e->step > 0 && began_us < e->failed_us)
        return;
    if (e->step < UINT32_MAX)
        e->step++;
    e->failed_us = now_us;
    leave_alone(e, now_us);
}
