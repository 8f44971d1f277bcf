/*
 * role: the worker's end of the channel.
 *
 * Turns messages into calls of proxy/worker.h: a bundle into a snapshot in force,
 * DRAIN into a drain, and answers. The end of the master is a drain too: what is
 * open is served to its end, and then the process goes. The same object runs in a
 * worker process and, with `workers = 0`, on the master's own loop.
 */
#ifndef SALLYPORT_APP_ROLE_H
#define SALLYPORT_APP_ROLE_H

#include "base/err.h"
#include "net/loop.h"
#include "proxy/account.h"

struct role;

/* It has drained and said so; free it. Called from the loop, once. */
typedef void role_done_fn(void *arg);

/* Owns `fd`, the worker's end of the channel. NULL and e on failure. */
struct role *role_new(struct loop *l, int fd, const struct accounts *all, size_t slot,
                      role_done_fn *done, void *arg, struct err *e);
void role_free(struct role *r);             /* NULL is fine */

#endif
