#include "proxy/account.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

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

struct account *accounts_map(size_t n)
{
    struct account *all = mmap(NULL, n * sizeof(*all), PROT_READ | PROT_WRITE,
                               MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    uint64_t secret[2];

    if (all == MAP_FAILED)
        return NULL;
    if (getrandom(secret, sizeof(secret), 0) != (ssize_t)sizeof(secret)) {
        munmap(all, n * sizeof(*all));
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        all[i].slot = (uint32_t)i;
        all[i].slots = (uint32_t)n;
        memcpy(all[i].sources.secret, secret, sizeof(secret));
    }
    return all;
}

void accounts_unmap(struct account *a, size_t n)
{
    if (a != NULL)
        munmap(a, n * sizeof(*a));
}

void account_clear_gauges(struct account *slot)
{
    for (int i = 0; i < COUNTER_COUNT; i++)
        if (counters[i].type == TYPE_GAUGE)
            slot->count.value[i] = 0;
    sources_clear(&slot->sources);
}

uint32_t account_source_open(const struct account *mine, uint64_t key)
{
    const struct account *all = mine - mine->slot;
    uint32_t n = 0;

    for (uint32_t i = 0; i < mine->slots; i++)
        n += source_open(&all[i].sources, key);
    return n;
}

uint32_t account_source_began(const struct account *mine, uint64_t key, uint32_t second)
{
    const struct account *all = mine - mine->slot;
    uint32_t n = 0;

    for (uint32_t i = 0; i < mine->slots; i++)
        n += source_began(&all[i].sources, key, second);
    return n;
}

void accounts_sum(const struct account *slots, size_t n, struct counters *out)
{
    *out = (struct counters){ 0 };
    for (size_t s = 0; s < n; s++) {
        for (int i = 0; i < COUNTER_COUNT; i++)
            out->value[i] += slots[s].count.value[i];
        for (int i = 0; i < REASON_COUNT; i++)
            out->reason[i] += slots[s].count.reason[i];
        for (int i = 0; i < TLS_CAUSE_COUNT; i++)
            out->cause[i] += slots[s].count.cause[i];
    }
}
