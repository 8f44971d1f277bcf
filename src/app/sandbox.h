/*
 * sandbox: what each process is left able to do, were it not ours any more.
 *
 * Two bolts, each where the kernel has it: Landlock for files and for the ports that may be
 * dialled (sandbox_landlock.c), seccomp for system calls (sandbox_calls.c). The first is about
 * what a process may reach, the second about what of the kernel it may touch.
 *
 *             files                   dials                        system calls
 *   worker    none                    the ports of the upstreams   a list of those it needs
 *   monitor   reads the resolver's    those, and name servers      the same, and opening files
 *   dialler   none                    the ports of the upstreams   a list of those it needs
 *   loader    reads all, writes none  nothing                      all but a list of dangers
 *
 * Neither can be loosened again, and a worker outlives reloads: what an edition has its workers
 * dial that they may not dial themselves, the dialler does for them (dialler.h). With keys in
 * tokens, workers and loader run what vendors wrote: libraries are opened, files written, daemons
 * and machines dialled. They are left the loader's list of calls then, and no more.
 *
 * The master has neither: it starts what a binary swap puts in its place, and would hand on both,
 * one more layer each time, until there are too many. It has few capabilities (caps.h).
 */
#ifndef SALLYPORT_APP_SANDBOX_H
#define SALLYPORT_APP_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/err.h"
#include "conf/conf.h"

enum sandbox_role { SANDBOX_WORKER, SANDBOX_MONITOR, SANDBOX_DIALLER, SANDBOX_LOADER };

/* What a configuration needs. */
struct sandbox {
    int mode;                   /* enum conf_sandbox */
    bool tokens;                /* a key stays in a token */
    bool any_port;              /* a transparent route dials what its clients did */
    uint16_t *ports;            /* of servers and name servers, in order, each once */
    size_t nports;
    char **variables;           /* of the environment, that hold passwords */
    size_t nvariables;
};

/* sandbox_free() it. */
struct sandbox sandbox_plan(const struct conf *c);
void sandbox_free(struct sandbox *s);       /* zeroed is fine */

/* *s with what the other needs dialled as well; without what the other does not. */
void sandbox_widen(struct sandbox *s, const struct sandbox *other);
void sandbox_narrow(struct sandbox *s, const struct sandbox *other);

/* Whoever was shut in with the first can do all that the second needs dialled. */
bool sandbox_covers(const struct sandbox *s, const struct sandbox *next);

/*
 * Shut this process in, for good. Whatever is to be read later must be open, and whatever a
 * library wants to look up once, looked up. 0; or -1 and e when not all of it can be had and all
 * is required. When it is not, a part that should have held and did not is logged.
 *
 * Passwords in the environment, which the loader alone reads, are wiped from this process's copy
 * of it, with a sandbox or without.
 */
int sandbox_enter(const struct sandbox *s, enum sandbox_role role, struct err *e);

/* What cannot be had here, as findings where all is required. */
void sandbox_judge(const struct conf_proxy *p, struct diags *d);

/* The one line of the start: what holds. */
void sandbox_log(const struct conf *c);

#endif
