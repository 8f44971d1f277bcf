/*
 * admin_sockets: the listening sockets of [proxy] admin, made by the master while it
 * may.
 *
 * A Unix socket has mode 0600 and belongs to the user the workers run as; so root and
 * that user can connect. One that a dead instance left behind is replaced.
 */
#ifndef SALLYPORT_APP_ADMIN_SOCKETS_H
#define SALLYPORT_APP_ADMIN_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>

#include "app/privs.h"
#include "base/diag.h"
#include "conf/conf.h"

struct admin_sockets;

/* One for each address of p->admin, for a process that becomes `who`. NULL with
   findings; nothing is left behind then. */
struct admin_sockets *admin_sockets_open(const struct conf_proxy *p, const struct privs *who,
                                         struct diags *d);
/* Close them, and remove the files that are still ours. NULL is fine. */
void admin_sockets_free(struct admin_sockets *s);

size_t admin_sockets_count(const struct admin_sockets *s);
const int *admin_sockets_fds(const struct admin_sockets *s);

/* All of them, but systemd's: "admin unix:/run/sallyport/admin.sock". */
void admin_sockets_each(const struct admin_sockets *s,
                        void (*fn)(void *arg, const char *key, int fd), void *arg);

/* "admin on unix:/run/sallyport/admin.sock", a line each. */
void admin_sockets_log(const struct admin_sockets *s);

#endif
