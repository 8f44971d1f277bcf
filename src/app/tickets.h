/*
 * tickets: the secrets of session tickets, as the master keeps them for its workers.
 *
 * The newest seals tickets, it and the two before it open them; every hour there is a new
 * one. They lie in a memory file that only workers are handed: the master's own memory
 * goes to each process that it forks, the loader and the monitor too, which have no need
 * of them.
 */
#ifndef SALLYPORT_APP_TICKETS_H
#define SALLYPORT_APP_TICKETS_H

#include "app/channel.h"
#include "base/err.h"
#include "net/loop.h"
#include "proxy/worker.h"

struct tickets;

/* There are new ones. */
typedef void tickets_turned_fn(void *arg);

/* With the secrets in that file, which becomes its own; -1, or a file that has none: with a first
   one. NULL and e on failure. */
struct tickets *tickets_new(struct loop *l, int secrets, tickets_turned_fn *turned, void *arg,
                            struct err *e);
void tickets_free(struct tickets *t);       /* NULL is fine */

/* Now, not only when the hour is over. When it fails, what was stays. */
void tickets_turn(struct tickets *t);

/* The secrets, for another sallyport that takes over; the descriptor stays its own. */
int tickets_fd(const struct tickets *t);

/* To one worker. 0, or -1 when it takes nothing. */
int tickets_send(const struct tickets *t, struct channel *to);

/* The worker's end: what came is put in force. */
void tickets_take(const struct channel_msg *m, struct worker *w);

#endif
