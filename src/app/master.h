/*
 * master: the process the user started. It binds, loads, supervises, and takes
 * the signals; it serves nobody and holds no key.
 *
 *   HUP         reload              USR1   reopen the log
 *   TERM        drain, then end     INT, QUIT, a second TERM   end at once
 *   USR2        another one takes over (handover.h)
 */
#ifndef SALLYPORT_APP_MASTER_H
#define SALLYPORT_APP_MASTER_H

#include <stdbool.h>
#include <stddef.h>

#include "app/listeners.h"
#include "app/loader.h"

struct master_hooks {
    /* Once, when all workers serve: where it listens (ports that were 0 are filled in).
       False: end at once, with exit code 1. */
    bool (*started)(void *arg, const struct listen_set *where);
    void *arg;
    bool hangup_ends;           /* HUP ends it, as INT does: a terminal was closed */
};

/*
 * Run until told to end. Errors at the start are shown on stderr, a finding a
 * line. Returns the exit code: 0 when it ended with no connection cut, 1 when it
 * did not start or had to cut some. hooks may be NULL.
 */
int master_run(const struct load_plan *plan, const struct master_hooks *hooks);

#endif
