/*
 * account: what happened, counted and told.
 *
 * A worker counts in its slot of a block of memory that the master mapped before
 * it forked: one writer per slot, plain integers, and whoever wants totals adds
 * the slots up. reasons.tbl and counters.tbl have a row for each thing counted;
 * a new one is a row and one call.
 */
#ifndef SALLYPORT_PROXY_ACCOUNT_H
#define SALLYPORT_PROXY_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "proxy/sources.h"
#include "tls/failure.h"

enum reason {
#define REASON(NAME, name, severity, error, text) REASON_##NAME,
#include "proxy/reasons.tbl"
#undef REASON
    REASON_COUNT
};

enum counter {
#define COUNTER(NAME, name, type, text) COUNTER_##NAME,
#include "proxy/counters.tbl"
#undef COUNTER
    COUNTER_COUNT
};

struct counters {
    uint64_t value[COUNTER_COUNT];
    uint64_t reason[REASON_COUNT];
    uint64_t cause[TLS_CAUSE_COUNT];    /* why handshakes failed */
};

struct account {                /* one slot */
    struct counters count;
    uint32_t slot, slots;       /* its place, and the number of all */
    struct sources sources;
};

const char *reason_name(enum reason r);
const char *reason_text(enum reason r);
enum log_level reason_level(enum reason r);
bool reason_is_error(enum reason r);
const char *counter_name(enum counter c);

/* `n` slots, all counts zero, in memory shared with children forked afterwards; NULL with errno. */
struct account *accounts_map(size_t n);
void accounts_unmap(struct account *a, size_t n);

/* Gauges of a worker that died go back to zero; what it counted stays. */
void account_clear_gauges(struct account *slot);

/* Of a source over all slots, given one of them: the connections it has open, and those it
   began in that second. */
uint32_t account_source_open(const struct account *mine, uint64_t key);
uint32_t account_source_began(const struct account *mine, uint64_t key, uint32_t second);

void accounts_sum(const struct account *slots, size_t n, struct counters *out);

#endif
