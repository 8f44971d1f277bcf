/*
 * dial: connecting, where this process may; else through one that may.
 *
 * A process in a sandbox dials the ports that were configured when it began. For others it asks
 * a helper, by a socket pair of which it has one end: the helper makes the socket, begins to
 * connect it, and hands it over. That is a round trip of some ten microseconds, without a wait for
 * the network. Who asks what the helper may not dial either is told so.
 */
#ifndef SALLYPORT_NET_DIAL_H
#define SALLYPORT_NET_DIAL_H

#include "base/addr.h"
#include "base/err.h"

/* As sock_connect(). `helper`: our end; -1: nobody can be asked. */
int dial_connect(int helper, const struct addr *a);

/* The two ends: [0] for those who ask, who may share it, [1] for the helper. Close-on-exec. */
int dial_pair(int ends[2], struct err *e);

/* The helper: serves until nobody is left who could ask. */
void dial_serve(int end);

#endif
