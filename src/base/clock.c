#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static uint64_t now_us(clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts);
    return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

uint64_t clock_mono_us(void)
{
    return now_us(CLOCK_MONOTONIC);
}

uint64_t clock_wall_us(void)
{
    return now_us(CLOCK_REALTIME);
}

void clock_text(uint64_t wall_us, char out[CLOCK_TEXT_MAX])
{
    time_t sec = (time_t)(wall_us / 1000000u);
    struct tm tm;
    char date[24];

    gmtime_r(&sec, &tm);
    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out, CLOCK_TEXT_MAX, "%s.%06uZ", date, (unsigned)(wall_us % 1000000u));
}

static const struct {
    const char *name;
    uint64_t ms;
} units[] = {
    { "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 },
};

bool duration_parse(struct span s, uint64_t *out_ms)
{
    size_t digits = 0;
    uint64_t n;

    while (digits < s.len && s.p[digits] >= '0' && s.p[digits] <= '9')
        digits++;
    if (!str_u64((struct span){ s.p, digits }, UINT64_MAX, &n))
        return false;

    struct span unit = { s.p + digits, s.len - digits };
    if (unit.len == 0) {
        *out_ms = 0;
        return n == 0;
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (str_eq(unit, units[i].name)) {
            if (n > UINT64_MAX / units[i].ms)
                return false;
            *out_ms = n * units[i].ms;
            return true;
        }
    }
    return false;
}

void duration_text(uint64_t ms, char out[DURATION_TEXT_MAX])
{
    if (ms == 0) {
        snprintf(out, DURATION_TEXT_MAX, "0");
        return;
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (ms % units[i].ms == 0) {
            snprintf(out, DURATION_TEXT_MAX, "%llu%s", (unsigned long long)(ms / units[i].ms),
                     units[i].name);
            return;
        }
    }
}
