#include "proxy/account.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

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

/* --- the memory --- */

/* Where the first slot is, behind the ledger: at the beginning of a cache line. */
#define SLOTS_AT ((sizeof(struct ledger) + 63) & ~(size_t)63)

static size_t size_of(size_t n)
{
    return SLOTS_AT + n * sizeof(struct account);
}

static int map(struct accounts *a, int protection)
{
    char *p = mmap(NULL, size_of(a->n), protection, MAP_SHARED, a->fd, 0);

    if (p == MAP_FAILED)
        return -1;
    a->ledger = (struct ledger *)p;
    a->v = (struct account *)(p + SLOTS_AT);
    return 0;
}

static int set_up(struct accounts *a)
{
    uint64_t secret[2];

    a->fd = memfd_create("accounts", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (a->fd < 0 || ftruncate(a->fd, (off_t)size_of(a->n)) != 0
        || map(a, PROT_READ | PROT_WRITE) != 0)
        return -1;
    /* Who has it mapped goes on writing; nobody else begins. */
    if (fcntl(a->fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
        || getrandom(secret, sizeof(secret), 0) != (ssize_t)sizeof(secret))
        return -1;
    for (size_t i = 0; i < a->n; i++) {
        a->v[i].slot = (uint32_t)i;
        a->v[i].slots = (uint32_t)a->n;
        memcpy(a->v[i].sources.secret, secret, sizeof(secret));
    }
    return 0;
}

struct accounts *accounts_new(size_t n)
{
    struct accounts *a = calloc(1, sizeof(*a));

    if (a == NULL)
        return NULL;
    a->n = n;
    a->fd = -1;
    if (set_up(a) == 0)
        return a;
    int error = errno;
    accounts_free(a);
    errno = error;
    return NULL;
}

void accounts_free(struct accounts *a)
{
    if (a == NULL)
        return;
    if (a->ledger != NULL)
        munmap(a->ledger, size_of(a->n));
    if (a->fd >= 0)
        close(a->fd);
    free(a);
}

int accounts_only_read(struct accounts *a)
{
    if (munmap(a->ledger, size_of(a->n)) != 0)
        return -1;
    a->ledger = NULL;

    int rc = map(a, PROT_READ);
    close(a->fd);
    a->fd = -1;
    return rc;
}

void account_clear_gauges(const struct accounts *a, size_t slot)
{
    struct account *s = &a->v[slot];

    for (int i = 0; i < COUNTER_COUNT; i++)
        if (counters[i].type == TYPE_GAUGE)
            s->count.value[i] = 0;
    for (uint32_t row = 0; row <= ledger_last(a->ledger, LEDGER_ROUTE); row++)
        if (s->used[LEDGER_ROUTE][row])
            s->routes[row].open = 0;
    sources_clear(&s->sources);
}

/* --- counting --- */

struct route_count *account_route(struct account *mine, uint32_t row)
{
    mine->used[LEDGER_ROUTE][row] = true;
    return &mine->routes[row];
}

struct listener_count *account_listener(struct account *mine, uint32_t row)
{
    mine->used[LEDGER_LISTENER][row] = true;
    return &mine->listeners[row];
}

struct upstream_count *account_upstream(struct account *mine, uint32_t row)
{
    mine->used[LEDGER_UPSTREAM][row] = true;
    return &mine->upstreams[row];
}

static const uint64_t limits_us[HISTOGRAM_BUCKETS] = {
    500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 10000000,
    UINT64_MAX
};

uint64_t histogram_limit_us(unsigned bucket)
{
    return limits_us[bucket];
}

void histogram_add(struct histogram *h, uint64_t us)
{
    unsigned i = 0;

    while (us > limits_us[i])
        i++;
    h->bucket[i]++;
    h->sum_us += us;
}

void histogram_join(struct histogram *to, const struct histogram *more)
{
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++)
        to->bucket[i] += more->bucket[i];
    to->sum_us += more->sum_us;
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

void account_client_ends(struct route_count *r, int64_t not_after, uint64_t now_s)
{
    uint64_t span = now_s / ACCOUNT_SPAN_S;

    if (r->span != span) {
        r->ends[1] = r->span + 1 == span ? r->ends[0] : 0;
        r->ends[0] = 0;
        r->span = span;
    }
    r->ends[0] = sooner(r->ends[0], not_after);
}

/* --- adding up --- */

static void join_route(struct route_count *to, const struct route_count *r, uint64_t span)
{
    to->open += r->open;
    to->bytes_in += r->bytes_in;
    to->bytes_out += r->bytes_out;
    for (int i = 0; i < REASON_COUNT; i++)
        to->reason[i] += r->reason[i];
    for (int i = 0; i < VERSIONS; i++)
        for (int k = 0; k < 2; k++)
            to->handshakes[i][k] += r->handshakes[i][k];
    for (int i = 0; i < TLS_CAUSE_COUNT; i++)
        to->failed[i] += r->failed[i];
    if (r->span == span)
        to->ends[0] = sooner(sooner(to->ends[0], r->ends[0]), r->ends[1]);
    else if (r->span + 1 == span)
        to->ends[0] = sooner(to->ends[0], r->ends[0]);
}

bool accounts_route(const struct accounts *a, uint32_t row, uint64_t now_s,
                    struct route_count *out)
{
    bool any = false;

    *out = (struct route_count){ 0 };
    for (size_t i = 0; i < a->n; i++) {
        if (!a->v[i].used[LEDGER_ROUTE][row])
            continue;
        join_route(out, &a->v[i].routes[row], now_s / ACCOUNT_SPAN_S);
        any = true;
    }
    return any;
}

bool accounts_listener(const struct accounts *a, uint32_t row, struct listener_count *out)
{
    bool any = false;

    *out = (struct listener_count){ 0 };
    for (size_t i = 0; i < a->n; i++) {
        const struct listener_count *l = &a->v[i].listeners[row];
        if (!a->v[i].used[LEDGER_LISTENER][row])
            continue;
        out->accepted += l->accepted;
        out->refused += l->refused;
        out->failed += l->failed;
        any = true;
    }
    return any;
}

bool accounts_upstream(const struct accounts *a, uint32_t row, struct upstream_count *out)
{
    bool any = false;

    *out = (struct upstream_count){ 0 };
    for (size_t i = 0; i < a->n; i++) {
        const struct upstream_count *u = &a->v[i].upstreams[row];
        if (!a->v[i].used[LEDGER_UPSTREAM][row])
            continue;
        histogram_join(&out->connects, &u->connects);
        for (int k = 0; k < 2; k++)
            out->handshakes[k] += u->handshakes[k];
        for (int k = 0; k < TLS_CAUSE_COUNT; k++)
            out->failed[k] += u->failed[k];
        any = true;
    }
    return any;
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

void accounts_sum(const struct accounts *a, struct counters *out)
{
    *out = (struct counters){ 0 };
    for (size_t s = 0; s < a->n; s++) {
        const struct counters *c = &a->v[s].count;
        for (int i = 0; i < COUNTER_COUNT; i++)
            out->value[i] += c->value[i];
        for (int i = 0; i < REASON_COUNT; i++)
            out->reason[i] += c->reason[i];
        for (int i = 0; i < TLS_CAUSE_COUNT; i++)
            out->cause[i] += c->cause[i];
    }
}
