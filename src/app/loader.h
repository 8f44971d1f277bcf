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

#include "base/diag.h"
#include "base/err.h"
#include "conf/bundle.h"
#include "conf/settings.h"
#include "net/loop.h"

/* A file that exists in memory only; the configuration names it by "memory:…". */
struct mem_file {
    const char *path;
    const void *data;
    size_t len;
};

/* Where a configuration comes from; the same for every reload of a run. */
struct load_plan {
    const char *config_path;            /* NULL: no file */
    const struct settings *overrides;   /* command line and environment; may be NULL */
    const struct mem_file *files;
    size_t nfiles;
    bool again;                         /* a reload: the process runs, as whom it was decided */
};

/* NULL when d has an error. Findings of both the reading and the proof are in d. */
struct bundle *loader_build(const struct load_plan *plan, struct diags *d);

/*
 * A password from a pipe ("fd:3") is gone once it was read, and the next load will
 * want it again: here it is as a memory file, to take the descriptor's place.
 */
#define LOADER_PIPES_MAX 8
struct loader_pipes {
    int number[LOADER_PIPES_MAX];       /* 3 */
    int copy[LOADER_PIPES_MAX];         /* the memory file's descriptor; the caller's */
    size_t n;
};
struct bundle *loader_build_again(const struct load_plan *plan, struct loader_pipes *pipes,
                                  struct diags *d);

/* --- in a process of its own --- */

struct loader_job;

/* The outcome, once: the sealed bundle (the callee's to close), or -1 and an error
   among the findings. */
typedef void loader_done_fn(void *arg, int bundle_fd, struct diags *d);

/* NULL and e when no process could be started. `plan` must outlive the job. */
struct loader_job *loader_start(struct loop *l, const struct load_plan *plan, loader_done_fn *done,
                                void *arg, struct err *e);

/* A child ended: true when it was this job's (NULL: no job). */
bool loader_reaped(struct loader_job *j, pid_t pid, int wait_status);

/* Kill it and forget it; done is not called. NULL is fine. Not needed after done. */
void loader_cancel(struct loader_job *j);

#endif
