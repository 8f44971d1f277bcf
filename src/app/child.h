/*
 * child: a fork of the master that keeps nothing it should not have.
 *
 * The child's signals are as at exec, but for those a terminal or a service
 * manager sends to the whole group: they are the master's to act on, and the
 * child ignores them. The master's loop is dropped, and of the master's
 * descriptors only those in `keep` stay open: a child that held another's channel
 * would hide that other's end.
 */
#ifndef SALLYPORT_APP_CHILD_H
#define SALLYPORT_APP_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "net/loop.h"

struct child_keep {
    const int *fds;             /* beside 0, 1, 2 and the log */
    size_t n;
    /* Descriptors we were started with (a password at fd:3) stay open as well:
       they are those that are not close-on-exec, as all of ours are. */
    bool inherited;
};

/* As fork(): the child's pid, 0 in the child, or -1 and e. */
pid_t child_fork(struct loop *parent, const struct child_keep *keep, struct err *e);

/* "was killed by signal 11 (Segmentation fault)" or "ended with status 1". */
#define CHILD_TEXT_MAX 96
char *child_ending(int wait_status, char out[CHILD_TEXT_MAX]);

#endif
