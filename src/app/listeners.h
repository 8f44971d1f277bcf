/*
 * listeners: the sockets the world knocks at. They belong to the master.
 *
 * For each address every worker has a socket of its own (SO_REUSEPORT): the kernel
 * spreads new connections, and a worker that dies leaves its queue behind for the
 * one that replaces it. A Unix socket is one, shared by all. A set belongs to one
 * configuration and is not changed; the next configuration's set shares the
 * sockets of the addresses both have, so these never close in between.
 */
#ifndef SALLYPORT_APP_LISTENERS_H
#define SALLYPORT_APP_LISTENERS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/diag.h"
#include "conf/conf.h"

struct listen_set;

/*
 * The sockets for conf->listeners and `nworkers` workers: those of `running` (may
 * be NULL) where the address is in it, new ones otherwise. Port 0: the kernel
 * chooses once, for all workers. NULL with a finding for each address that cannot
 * be had; nothing has changed then.
 */
struct listen_set *listen_set_open(const struct listen_set *running, const struct conf *c,
                                   size_t nworkers, struct diags *d);

/* Let go: sockets that no other set shares are closed, Unix sockets unlinked. NULL is fine. */
void listen_set_free(struct listen_set *s);

/* The sockets of one worker, in the order of conf->listeners; listen_set_count() of them. */
const int *listen_set_fds(const struct listen_set *s, size_t worker);
size_t listen_set_count(const struct listen_set *s);

/* The address the i-th listener really has (port 0 filled in). */
const struct addr *listen_set_addr(const struct listen_set *s, size_t i);

/* All of them, but systemd's: each worker's, with the address as the configuration has it. */
void listen_set_each(const struct listen_set *s,
                     void (*fn)(void *arg, const char *key, int fd), void *arg);

/* The i-th listener's sockets were opened for this set, not taken over. */
bool listen_set_is_new(const struct listen_set *s, size_t i);

#endif
