/*
 * loader: the only way to a new bundle.
 *
 * Reads the configuration and every file it names, once; opens keys with their
 * passwords; proves the result by building a snapshot from it. This happens in a
 * process that lives no longer than that: a parser's crash, a read that hangs and
 * the passwords it saw end with it, and the master only ever holds the sealed
 * result. `check` calls loader_build() directly.
 */
#ifndef SALLYPORT_APP_LOADER_H
#define SALLYPORT_APP_LOADER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "app/plan.h"
#include "base/diag.h"
#include "base/err.h"
#include "conf/bundle.h"
#include "net/loop.h"

/* NULL when d has an error. Findings of both the reading and the proof are in d. */
struct bundle *loader_build(const struct load_plan *plan, struct diags *d);

/* The same with what the next load and the watch want to know (may be NULL). */
struct bundle *loader_build_again(const struct load_plan *plan, struct load_report *report,
                                  struct diags *d);

/* --- in a process of its own --- */

struct loader_job;

/* The outcome, once: the sealed bundle (the callee's to close), or -1 and an error
   among the findings. What is taken from the findings and the report is zeroed. */
typedef void loader_done_fn(void *arg, int bundle_fd, struct diags *d, struct load_report *report);

/* NULL and e when no process could be started. `plan` must outlive the job. */
struct loader_job *loader_start(struct loop *l, const struct load_plan *plan, loader_done_fn *done,
                                void *arg, struct err *e);

/* A child ended: true when it was this job's (NULL: no job). */
bool loader_reaped(struct loader_job *j, pid_t pid, int wait_status);

/* Kill it and forget it; done is not called. NULL is fine. Not needed after done. */
void loader_cancel(struct loader_job *j);

#endif
