#include "proxy/account.h"

#include <sys/mman.h>

static const struct {
    const char *name, *text;
    enum log_level level;
    bool error;
} reasons[REASON_COUNT] = {
#define REASON(NAME, name, severity, error, text) \
    [REASON_##NAME] = { #name, text, LOG_LEVEL_##severity, error },
#include "proxy/reasons.tbl"
#undef REASON
};

enum counter_type { TYPE_COUNTER, TYPE_GAUGE };

static const struct {
    const char *name;
    enum counter_type type;
} counters[COUNTER_COUNT] = {
#define COUNTER(NAME, name, type, text) [COUNTER_##NAME] = { #name, TYPE_##type },
#include "proxy/counters.tbl"
#undef COUNTER
};

const char *reason_name(enum reason r)
{
    return reasons[r].name;
}

const char *reason_text(enum reason r)
{
    return reasons[r].text;
}

enum log_level reason_level(enum reason r)
{
    return reasons[r].level;
}

bool reason_is_error(enum reason r)
{
    return reasons[r].error;
}

const char *counter_name(enum counter c)
{
    return counters[c].name;
}

struct counters *counters_map(size_t n)
{
    void *p = mmap(NULL, n * sizeof(struct counters), PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

void counters_unmap(struct counters *c, size_t n)
{
    if (c != NULL)
        munmap(c, n * sizeof(*c));
}

void counters_clear_gauges(struct counters *slot)
{
    for (int i = 0; i < COUNTER_COUNT; i++)
        if (counters[i].type == TYPE_GAUGE)
            slot->value[i] = 0;
}

void counters_sum(const struct counters *slots, size_t n, struct counters *out)
{
    *out = (struct counters){ 0 };
    for (size_t s = 0; s < n; s++) {
        for (int i = 0; i < COUNTER_COUNT; i++)
            out->value[i] += slots[s].value[i];
        for (int i = 0; i < REASON_COUNT; i++)
            out->reason[i] += slots[s].reason[i];
    }
}
