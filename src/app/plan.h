/*
 * plan: what a load begins with, and what it tells beside its result.
 */
#ifndef SALLYPORT_APP_PLAN_H
#define SALLYPORT_APP_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/settings.h"
#include "net/watch.h"

/* A file that exists in memory only; the configuration names it by "memory:…". */
struct mem_file {
    const char *path;
    const void *data;
    size_t len;
};

/* Where a configuration comes from; the same for every load of a run but for
   what stands last. */
struct load_plan {
    const char *config_path;            /* NULL: no file */
    const struct settings *overrides;   /* command line and environment; may be NULL */
    const struct mem_file *files;
    size_t nfiles;
    bool check;                         /* it is only to be judged: warn of what expires soon, which
                                           a running process does by itself, and note what would
                                           be noise at each start */
    bool confine;                       /* this process does nothing else: it is shut in */
    unsigned patience_ms;               /* with a load that does nothing; 0: 60 s */
    bool again;                         /* a reload: the process runs, as whom it was decided */
    int running;                        /* then: the sealed bundle that is in force */
    bool material;                      /* a reload that keeps the settings of that one */
    const struct watch_changes *changes;        /* what changed since it was loaded; NULL, or
                                           unsure: anything may have */
};

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

/* What a load tells beside the bundle, good or bad. */
struct load_report {
    struct loader_pipes pipes;
    struct watch_path *read;            /* what it looked at, as it was just before */
    size_t nread;
    bool doubtful;                      /* it may have read half of a file: a chain has fewer
                                           certificates than the one in force from there, or a
                                           file that was just written holds nothing of use */
    uint64_t wait_ms;                   /* all that is wrong are files, and the start may wait
                                           for them so long after its beginning */
};

void load_report_free(struct load_report *r);   /* without the pipes */

#endif
