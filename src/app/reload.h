/*
 * reload: from "read it again" to a new edition in force, or to nothing changed.
 *
 *   asked -> loading (the loader's process) -> offered to the workers -> outcome
 *
 * The first load of a run goes the same way. There are two kinds after it. A full one is
 * asked for (HUP, the admin socket): the configuration is read again and every file.
 * Asking again while one is under way, however often, makes one more after it; a burst
 * counts as one asking that ends when the burst does. A material one follows from a file
 * that changed: the settings in force are kept and the files read again, so that an ini
 * in the middle of an edit does not stop a rotation.
 *
 * Files are seldom replaced all at once. What is read between a certificate and its key
 * makes no sense, so a material load that fails is held back until nothing has changed
 * for a second, and then tried once more before it is called a failure. So is one that
 * finds less of a chain than there was: a file that is written line by line makes sense
 * before it is whole. One failure is told once, until what is wrong changes. A material load
 * that finds what is in force changes nothing, and says no more than what it is warned of.
 */
#ifndef SALLYPORT_APP_RELOAD_H
#define SALLYPORT_APP_RELOAD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "app/askers.h"
#include "app/edition.h"
#include "app/loader.h"
#include "app/pool.h"
#include "app/verdict.h"
#include "base/diag.h"
#include "base/err.h"
#include "net/loop.h"

struct reload;

/* What made a load begin, as a set; none: it is the start. */
enum reload_cause {
    RELOAD_HUP = 1,
    RELOAD_ADMIN = 2,
    RELOAD_FILES = 4,           /* some changed */
    RELOAD_RETRY = 8            /* none did, but the last load failed */
};

struct reload_outcome {
    bool ok;                    /* reload_current() is new. Otherwise everything is as it was */
    unsigned causes;
    const char *files;          /* that changed, as far as they are known; NULL: none is */
    uint64_t waited_ms;         /* at the start, for files; 0: not at all */
    const struct diags *d;
    const struct inventory *news;       /* all that is new; NULL: anything may be */
};

struct reload_events {
    /* The first configuration is loaded: make the pool for it. NULL with findings. */
    struct pool *(*first)(void *arg, const struct conf *c, struct diags *d);
    /* Before the first outcome, once: its files are waited for, so long at most. */
    void (*waiting)(void *arg, uint64_t ms, const struct diags *d);
    void (*outcome)(void *arg, const struct reload_outcome *o);
    /* What was wrong with the last one is wrong no more, and what is in force stays. */
    void (*mended)(void *arg);
    void *arg;
};

struct reload *reload_new(struct loop *l, const struct load_plan *plan,
                          const struct reload_events *ev, struct err *e);
void reload_free(struct reload *r);         /* NULL is fine */

/* A full one; `cause` is 0 for the first of a run. */
void reload_ask(struct reload *r, unsigned cause);

/* "hup", "files", "hup+admin" … */
#define RELOAD_CAUSES_MAX 32
const char *reload_causes_text(unsigned causes, char out[RELOAD_CAUSES_MAX]);

/*
 * The same by the admin socket, and hear of it: `done` is called once, with the outcome of
 * the first full load that begins after the asking. When the run ends before that, it is
 * told so: not ok, and the reason among the findings.
 */
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

/* For those who show it; good until the next outcome. */
struct reload_status reload_status(const struct reload *r);

#endif
