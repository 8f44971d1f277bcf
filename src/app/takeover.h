/*
 * takeover: to take the place of a sallyport that runs (USR2), as the new one sees it.
 *
 *   the old one                                     the new one
 *   handover_begin(): fork, exec  --- descriptors -->  takeover_receive()
 *                                                   loads, binds, starts its workers
 *   done, or failed               <- ready, failed -   takeover_ready(), takeover_fail()
 *   drains                        ---    go     -->    `go` is called: now all is ours
 *
 * Both serve from the moment in which the new one's workers do until the old one has closed
 * its sockets; they are the same sockets, so nobody who knocks is refused or forgotten. What
 * the old one's death before the end means is `go`, too.
 *
 * The two may be of different versions. So there is no struct between them: descriptors are
 * inherited, and one of them, whose number is in the environment, is a sealed file in memory
 * with a line for each of the others:
 *
 *   sallyport-takeover 1
 *   talk FD                    a SOCK_SEQPACKET for "ready", "failed WHY" and "go"
 *   socket FD KEY              inherited.h; a line for each socket
 *   tickets FD                 the secrets of session tickets, newest first (tickets.h)
 *   endpoints FD               what is known of servers, in form 1 (endpoints.h)
 *
 * What a line says that is not known is closed. Whoever changes what a line means gives it
 * another name, or the first line another number; then the old one goes on.
 */
#ifndef SALLYPORT_APP_TAKEOVER_H
#define SALLYPORT_APP_TAKEOVER_H

#include "base/err.h"
#include "net/loop.h"

#define TAKEOVER_ENV "SALLYPORT_TAKEOVER"
#define TAKEOVER_HEAD "sallyport-takeover 1\n"
#define TAKEOVER_READY "ready"
#define TAKEOVER_FAILED "failed "
#define TAKEOVER_GO "go"
#define TAKEOVER_MAX (1u << 20)

struct takeover;

/*
 * Before anything else is opened: what was handed over, and the variable out of the environment.
 * *out is NULL where there is nothing to take over. 0, or -1 and e.
 */
int takeover_receive(struct takeover **out, struct err *e);
void takeover_free(struct takeover *t);     /* NULL is fine, here and below */

/* Descriptors, the caller's from then on; -1: there is none. */
int takeover_tickets(struct takeover *t);
int takeover_endpoints(struct takeover *t);

/* It serves; `go` is called once, from the loop. 0, or -1 when memory is out. */
int takeover_ready(struct takeover *t, struct loop *l, void (*go)(void *arg), void *arg);

/* It will not come to serve. */
void takeover_fail(struct takeover *t, const char *why);

#endif
