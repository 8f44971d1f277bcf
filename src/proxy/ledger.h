/*
 * ledger: the rows that routes, listeners and upstreams are counted in.
 *
 * A row belongs to a name for as long as sallyport runs: a reload that keeps a route keeps what
 * was counted for it, and one that removes it leaves its totals where a scrape still finds them.
 * The names lie in memory that all processes share. The master alone enters them, before it
 * offers the configuration that has them; workers look their rows up when they take it, and the
 * monitor reads the names out again. What is read there is believed to be no more than a text.
 *
 * There are as many rows as any configuration should need. Names that find no place share the
 * row 0, which is called "(others)".
 */
#ifndef SALLYPORT_PROXY_LEDGER_H
#define SALLYPORT_PROXY_LEDGER_H

#include <stdint.h>

enum ledger_kind { LEDGER_ROUTE, LEDGER_LISTENER, LEDGER_UPSTREAM, LEDGER_KINDS };

#define LEDGER_ROWS 16384u      /* of each kind */
#define LEDGER_NAME 128u        /* with its end; an address is the longest */

struct ledger_part {
    uint32_t n;                                 /* rows that are taken, beside the row 0 */
    uint32_t place[2 * LEDGER_ROWS];            /* open addressing: a row; 0: empty */
    char name[LEDGER_ROWS][LEDGER_NAME];
};

struct ledger {                 /* zeroed: empty */
    struct ledger_part part[LEDGER_KINDS];
};

/* Its row, which it gets if it has none; 0 when all are taken. */
uint32_t ledger_enter(struct ledger *l, enum ledger_kind kind, const char *name);

/* Its row; 0: it has none. */
uint32_t ledger_find(const struct ledger *l, enum ledger_kind kind, const char *name);

/* The rows there are: 0 to ledger_last(). And what one is called. */
uint32_t ledger_last(const struct ledger *l, enum ledger_kind kind);
const char *ledger_name(const struct ledger *l, enum ledger_kind kind, uint32_t row,
                        char out[LEDGER_NAME]);

#endif
