/*
 * watch: "something changed among these paths".
 *
 * inotify on directories, never on files: a file that is renamed over, swapped behind
 * a symbolic link (kubelet's `..data`), deleted and put back, or that is not there yet
 * is noticed by the directory that holds its name. So each path is walked as the kernel
 * walks it, and every directory on the way is watched for the one name that matters in
 * it; a directory that is missing is waited for in the one that would hold it.
 *
 * Events say when; what a path's file looked like (a mark) says whether anything was
 * missed: between a load's reading and the watch's beginning, in an overflowing queue,
 * by a writer that never closes. Marks are compared after events and every minute.
 * Where inotify cannot be had (limits, permissions) or the file system may change
 * without telling this kernel (NFS, FUSE), they are compared every other second instead.
 */
#ifndef SALLYPORT_NET_WATCH_H
#define SALLYPORT_NET_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "net/loop.h"

struct watch;

/* A file, or a directory: then anything in it and in the directories directly in it. */
struct watch_path {
    char *path;
    uint64_t mark;              /* watch_mark() from before it was read */
};

/* Instead of a mark: it was not looked at, so it may have changed. */
#define WATCH_UNKNOWN UINT64_MAX

/* What is known of changes. */
struct watch_changes {
    char **v;                   /* files in directories that are watched as a whole, by the
                                   directory's real path; those that came and went too */
    size_t n;
    bool unsure;                /* anything else may have changed */
};

/* What the file behind a path looks like: its place, size and times. 0: it is not there. */
uint64_t watch_mark(const char *path);

/* Called once for many changes as for one, and now and then for none that matters. Not
   from within watch_set(). */
typedef void watch_fn(void *arg);

struct watch *watch_new(struct loop *l, watch_fn *fn, void *arg, struct err *e);
void watch_free(struct watch *w);           /* NULL is fine */

/* Add what was heard of since the last call to *to; free with watch_changes_free(). */
void watch_take_changes(struct watch *w, struct watch_changes *to);
void watch_changes_free(struct watch_changes *c);

/* Watch these from now on, and no others; n = 0: nothing. The list is copied. What does
   not look like its mark (any more) counts as a change; but the list being what it was,
   nothing can have been missed, and nothing is looked at. */
void watch_set(struct watch *w, const struct watch_path *paths, size_t n);

/* Whether it has to look every other second, and why; NULL: inotify tells. */
const char *watch_polls(const struct watch *w);

#endif
