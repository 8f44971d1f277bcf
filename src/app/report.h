/*
 * report: how sallyport is, as the master knows it, for the monitor to show.
 *
 * The master sends it whenever something of it has changed, and knows nothing of who looks.
 * Times are microseconds since 1970.
 */
#ifndef SALLYPORT_APP_REPORT_H
#define SALLYPORT_APP_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"

struct report_worker {
    uint64_t pid;               /* 0: it is being replaced, or is no process of its own */
    uint64_t started_us;
    uint64_t restarts;
};

struct report {
    uint64_t pid, started_us;
    bool draining;
    uint64_t generation, since_us;      /* in force */
    uint64_t done, failed;      /* reloads */
    bool ok;                    /* what the files hold is in force, as far as is known */
    bool mended;                /* the last reload failed, and it is so without another one */
    uint64_t last_us, last_ok_us;       /* when; 0: there was none. The start is a good one for
                                           last_ok_us alone */
    char *cause, *files;        /* of the last one; NULL: there was none, or not known */
    struct diags findings;      /* of the last one that failed; else about what is in force */
    struct diags changes;       /* what the last one brought, if it did not fail */
    struct report_worker *workers;
    size_t n;
};

/* As a memory file, -1 when there is none to be had; and back, false when damaged (there is
   nothing to free then). */
int report_write(const struct report *r);
bool report_read(int fd, struct report *out);
void report_free(struct report *r);

/* Of all workers. */
uint64_t report_restarts(const struct report *r);

#endif
