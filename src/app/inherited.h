/*
 * inherited: listening sockets that were open before we were, each under a key.
 *
 * systemd's (socket activation, sd_listen_fds(3)) have the key "systemd:NAME", are kept for
 * as long as we run, whether the configuration in force uses them or not, and what is taken
 * is a copy. Those of the sallyport whose place we take (takeover.h) have the address as the
 * configuration writes it, one for each of its workers, and each can be taken once.
 *
 * What a process was started with is one thing per process, as its environment is.
 */
#ifndef SALLYPORT_APP_INHERITED_H
#define SALLYPORT_APP_INHERITED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/err.h"

#define INHERITED_SYSTEMD "systemd:"

/* Learn what systemd handed over, and take the variables out of the environment. */
void inherited_from_systemd(void);

/* One more under that key; it becomes ours. */
void inherited_add(const char *key, int fd);

size_t inherited_count(const char *key);

/* The first of that key: the caller's. -1: there is none (any more). */
int inherited_take(const char *key);

/* That of systemd's which this address names, made as ours are: a copy, or -1 and e; then
   inherited_hint(), the caller's to free(), says what to do. */
int inherited_from_name(const struct addr *a, struct err *e);
char *inherited_hint(const struct addr *a);

/* Close what nobody took, but for systemd's, and remove the files of Unix sockets among it. */
void inherited_close_rest(void);

/*
 * Whether the files of Unix sockets are to stay where they are, also those that we would remove
 * with their socket: they are another process's, which serves the same sockets.
 */
void inherited_leave_files(bool leave);
bool inherited_files_stay(void);

/* Those of systemd, for whoever takes our place: the i-th key and descriptor; NULL behind the
   last. */
const char *inherited_systemd(size_t i, int *fd);

#endif
