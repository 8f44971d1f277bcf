/*
 * plan: what a load begins with; the same for every load of a run.
 */
#ifndef SALLYPORT_APP_PLAN_H
#define SALLYPORT_APP_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/settings.h"

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
    int running;                        /* then: the sealed bundle that is in force */
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

#endif
