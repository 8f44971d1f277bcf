/*
 * reload: from "read it again" to a new edition in force, or to nothing changed.
 *
 *   asked -> loading (the loader's process) -> offered to the workers -> outcome
 *
 * The first load of a run goes the same way. Asking again while one is under way,
 * however often, makes one more after it; a burst counts as one asking that ends
 * when the burst does.
 */
#ifndef SALLYPORT_APP_RELOAD_H
#define SALLYPORT_APP_RELOAD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "app/edition.h"
#include "app/loader.h"
#include "app/pool.h"
#include "base/diag.h"
#include "base/err.h"
#include "net/loop.h"

struct reload;

struct reload_events {
    /* The first configuration is loaded: make the pool for it. NULL with findings. */
    struct pool *(*first)(void *arg, const struct conf *c, struct diags *d);
    /* ok: reload_current() is new. Otherwise everything is as it was. */
    void (*outcome)(void *arg, bool ok, const struct diags *d);
    void *arg;
};

struct reload *reload_new(struct loop *l, const struct load_plan *plan,
                          const struct reload_events *ev, struct err *e);
void reload_free(struct reload *r);         /* NULL is fine */

void reload_ask(struct reload *r);

/*
 * The same, and hear of it: `done` is called once, with the outcome of the first load
 * that begins after the asking (the generation is the one in force then). When the run
 * ends before that, it is told so: not ok, and the reason among the findings.
 */
typedef void reload_asked_fn(void *arg, bool ok, uint64_t generation, const struct diags *d);
void reload_ask_then(struct reload *r, reload_asked_fn *done, void *arg);

/* The pool has settled our offer (pool_events.settled). */
void reload_settled(struct reload *r, const char *why);

/* A child ended: true when it was the loader. */
bool reload_reaped(struct reload *r, pid_t pid, int wait_status);

/* No more reloads, and none goes on; the edition in force stays. For the end of a
   run: the pool must not be offered anything after it. */
void reload_stop(struct reload *r);

/* In force; NULL before the first outcome. */
struct edition *reload_current(const struct reload *r);

#endif
