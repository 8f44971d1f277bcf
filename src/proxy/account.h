/*
 * account: what happened, counted and told.
 *
 * A worker counts in its slot of a block of memory that the master mapped before
 * it forked: one writer per slot, plain integers, and whoever wants totals adds
 * the slots up. reasons.tbl and counters.tbl have a row for each thing counted;
 * a new one is a row and one call.
 *
 * Beside its totals a slot has what is counted for each route, listener and upstream, in the rows
 * that the ledger gives them. That is room for far more than there are, but only what is used is
 * memory: readers look at rows that say so (`used`), and touch no other.
 *
 * The monitor, which answers strangers, sees all of this and can change none of it:
 * accounts_only_read() leaves it a mapping that cannot be made writable again.
 */
#ifndef SALLYPORT_PROXY_ACCOUNT_H
#define SALLYPORT_PROXY_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "proxy/ledger.h"
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

/* How long things took. The limits are histogram_limit_us(); the last bucket has none. */
#define HISTOGRAM_BUCKETS 14

struct histogram {
    uint64_t bucket[HISTOGRAM_BUCKETS];         /* each for itself, not for those below it */
    uint64_t sum_us;
};

enum account_version { VERSION_TLS10, VERSION_TLS11, VERSION_TLS12, VERSION_TLS13, VERSIONS };

struct route_count {
    uint64_t open;              /* connections, now */
    uint64_t bytes_in, bytes_out;               /* from clients, to clients */
    uint64_t reason[REASON_COUNT];
    uint64_t handshakes[VERSIONS][2];           /* done; [1]: resumed */
    uint64_t failed[TLS_CAUSE_COUNT];
    /* The soonest end of a client's certificate, in seconds since 1970, among those seen in a
       span of ACCOUNT_SPAN_S, and in the one before it; 0: none was. */
    uint64_t span;
    int64_t ends[2];
};

#define ACCOUNT_SPAN_S (6 * 3600)

struct listener_count {
    uint64_t accepted, refused, failed;         /* refused: over a limit of its source */
};

struct upstream_count {
    struct histogram connects;
    uint64_t handshakes[2];                     /* done; [1]: resumed */
    uint64_t failed[TLS_CAUSE_COUNT];
};

struct account {                /* one slot */
    struct counters count;
    struct histogram handshakes;        /* with clients, from their first byte's accept */
    uint32_t slot, slots;       /* its place, and the number of all */
    struct sources sources;
    bool used[LEDGER_KINDS][LEDGER_ROWS];       /* this worker counted something there */
    struct route_count routes[LEDGER_ROWS];
    struct listener_count listeners[LEDGER_ROWS];
    struct upstream_count upstreams[LEDGER_ROWS];
};

/* All slots, and the names of their rows. */
struct accounts {
    struct ledger *ledger;
    struct account *v;
    size_t n;
    int fd;                     /* of the memory: for who may only read */
};

const char *reason_name(enum reason r);
const char *reason_text(enum reason r);
enum log_level reason_level(enum reason r);
bool reason_is_error(enum reason r);
const char *counter_name(enum counter c);

/* `n` slots, all counts zero, in memory shared with children forked afterwards; NULL with errno. */
struct accounts *accounts_new(size_t n);
void accounts_free(struct accounts *a);     /* NULL is fine */

/* In a process that shall change nothing there, from now on. 0, or -1 with errno, and the process
   must not go on. */
int accounts_only_read(struct accounts *a);

/* Where this worker counts for that row. */
struct route_count *account_route(struct account *mine, uint32_t row);
struct listener_count *account_listener(struct account *mine, uint32_t row);
struct upstream_count *account_upstream(struct account *mine, uint32_t row);

void histogram_add(struct histogram *h, uint64_t us);
void histogram_join(struct histogram *to, const struct histogram *more);
uint64_t histogram_limit_us(unsigned bucket);       /* UINT64_MAX for the last */

/* A client showed a certificate that ends then. */
void account_client_ends(struct route_count *r, int64_t not_after, uint64_t now_s);

/* Add up one row over all slots; false: nothing was ever counted there. */
bool accounts_route(const struct accounts *a, uint32_t row, uint64_t now_s,
                    struct route_count *out);
bool accounts_listener(const struct accounts *a, uint32_t row, struct listener_count *out);
bool accounts_upstream(const struct accounts *a, uint32_t row, struct upstream_count *out);

/* Gauges of a worker that died go back to zero; what it counted stays. */
void account_clear_gauges(const struct accounts *a, size_t slot);

/* Of a source over all slots, given one of them: the connections it has open, and those it
   began in that second. */
uint32_t account_source_open(const struct account *mine, uint64_t key);
uint32_t account_source_began(const struct account *mine, uint64_t key, uint32_t second);

void accounts_sum(const struct accounts *a, struct counters *out);

#endif
