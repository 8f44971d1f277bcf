/*
 * sock: making sockets the way this product wants them.
 *
 * Every descriptor is non-blocking and close-on-exec. TCP sockets have no delay
 * and find dead peers: keepalive after 20 s of silence, 3 probes 10 s apart, and
 * TCP_USER_TIMEOUT for unacknowledged data, so that a peer that vanished is known
 * within 60 s. Linux applies that timeout to a shut window as well, where the peer
 * is alive and merely slow: sock_peer_stalled() and sock_user_timeout() let the
 * relay lift it then.
 */
#ifndef SALLYPORT_NET_SOCK_H
#define SALLYPORT_NET_SOCK_H

#include <stdbool.h>

#include "base/addr.h"
#include "base/err.h"

#define SOCK_USER_TIMEOUT_MS 50000u

/*
 * A listening socket with SO_REUSEADDR and SO_REUSEPORT (TCP), IPV6_V6ONLY for
 * IPv6. A Unix socket whose path exists but that nobody serves is replaced.
 * The descriptor, or -1 and e.
 */
int sock_listen(const struct addr *a, int backlog, struct err *e);

/*
 * A socket that somebody else has opened, made as ours are. 0, or -1 and e where it is none that
 * connections could be accepted from.
 */
int sock_adopt(int fd, struct err *e);

/*
 * From now on the kernel hands the socket connections to any address that a TPROXY rule
 * of nftables sends there. False with errno: EPERM without CAP_NET_ADMIN.
 */
bool sock_be_transparent(int listen_fd);

/* Accept one. The descriptor and *from, or -1 and errno. */
int sock_accept(int listen_fd, struct peer *from);

/* Begin to connect. The descriptor (connected or EINPROGRESS), or -1 and errno. */
int sock_connect(const struct addr *a);

/* The address a listening socket really has (port 0 filled in). */
int sock_local_addr(int fd, struct addr *out);

/*
 * Where the client wanted to go, of a connection that was redirected to a socket which
 * listens on `listening` (with its port): to another destination by NAT (nftables
 * REDIRECT), or to this socket as it was (TPROXY). False: the client came to us.
 */
bool sock_original_dst(int fd, const struct addr *listening, struct addr *out);

/* Whether it is an address of this host: not of loopback alone. */
bool sock_is_this_host(const struct peer *p);

/* The peer's window is shut and it answers our probes: it is slow, not dead. */
bool sock_peer_stalled(int fd);

/* Bytes sent that the peer has not acknowledged yet (0 when unknown). */
unsigned sock_unacked(int fd);

void sock_user_timeout(int fd, unsigned ms);   /* 0: none. Not a TCP socket: no effect */

/* Whether the connection is gone without our having read it (a reset while paused). */
bool sock_is_dead(int fd);

#endif
