/*
 * dialler: dials what workers and the monitor may not, since a reload brought it.
 *
 * They are in a sandbox that knows the ports of the edition with which they began (sandbox.h),
 * and live on. A reload whose servers have a port that is not among those starts this process,
 * whose sandbox is that of the new edition, and hands them an end to it (net/dial.h). It is
 * replaced by the next such reload, and ends when nobody is left who could ask. Without such a
 * reload there is none.
 */
#ifndef SALLYPORT_APP_DIALLER_H
#define SALLYPORT_APP_DIALLER_H

#include <stdbool.h>
#include <sys/types.h>

#include "app/sandbox.h"
#include "conf/conf.h"
#include "net/loop.h"

struct dialler;

/* dialler_fd() is another: it was replaced. Not for dialler_prepare(), which says so itself. */
typedef void dialler_fn(void *arg);

/* Of a run that begins with c; its process becomes whom the workers become. NULL: memory is out. */
struct dialler *dialler_new(struct loop *l, const struct conf *c, dialler_fn *changed, void *arg);
void dialler_free(struct dialler *d);       /* NULL is fine */

/* A process begins with this sandbox, and may not do by itself what this one may not. */
void dialler_began(struct dialler *d, const struct sandbox *s);

/*
 * c is about to be handed out, `running` (may be NULL) being in force until it is. True when
 * dialler_fd() is another now: whoever lives has to be told.
 */
bool dialler_prepare(struct dialler *d, const struct conf *c, const struct conf *running);

/* The end to ask at, ours; -1: there is no need. */
int dialler_fd(const struct dialler *d);

/* A child ended: true when it was this one, which is replaced. NULL is fine. */
bool dialler_reaped(struct dialler *d, pid_t pid, int wait_status);

#endif
