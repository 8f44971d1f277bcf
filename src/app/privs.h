/*
 * privs: giving up what a process does not need.
 *
 * The master keeps its user: it binds ports and reads keys again at a reload.
 * Workers speak with strangers; started by root they become `user`, for good.
 */
#ifndef SALLYPORT_APP_PRIVS_H
#define SALLYPORT_APP_PRIVS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/diag.h"
#include "base/err.h"
#include "conf/conf.h"

/* Whom a worker becomes; looked up by the master, before it forks. */
struct privs {
    bool change;                /* false: it stays who it is */
    uid_t uid;
    gid_t gid;
    gid_t *groups;
    int ngroups;
};

/*
 * What `user` means here. An unknown user is an error if it was written out; if
 * the default is unknown, `nobody` is used, with a warning. Not root: nothing
 * changes, which is worth a warning only if another user was asked for. With
 * workers = 0 the one process is the master as well and changes only if `user` was
 * written out; as root it warns otherwise.
 */
struct privs privs_plan(const struct conf_proxy *p, struct diags *d);
/* The same for a process that is not a worker: where the one of workers = 0 stays root, this one
   does not. */
struct privs privs_plan_apart(const struct conf_proxy *p, struct diags *d);
void privs_free(struct privs *p);

/* Become that user, and prove that there is no way back. 0, or -1 and e. */
int privs_drop(const struct privs *p, struct err *e);

/*
 * For every process: no core file, not to be traced or looked into by others of its
 * user, no set-user-id program can raise it again. A debugger, or a test that counts
 * descriptors in /proc, needs the second: this variable, set to anything, leaves it out.
 */
#define PRIVS_ENV_DUMPABLE "SALLYPORT_DUMPABLE"
void privs_harden(void);

/* As many descriptors as the hard limit allows. */
void privs_raise_nofile(void);

#endif
