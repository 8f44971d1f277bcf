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
};

const char *reason_name(enum reason r);
const char *reason_text(enum reason r);
enum log_level reason_level(enum reason r);
bool reason_is_error(enum reason r);
const char *counter_name(enum counter c);

/* `n` slots, zeroed, in memory shared with children forked afterwards; NULL with errno. */
struct counters *counters_map(size_t n);
void counters_unmap(struct counters *c, size_t n);

/* Gauges of a worker that died go back to zero; what it counted stays. */
void counters_clear_gauges(struct counters *slot);

void counters_sum(const struct counters *slots, size_t n, struct counters *out);

#endif
