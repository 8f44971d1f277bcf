/*
 * ticket: sessions that clients keep for us, sealed, and show when they come again.
 *
 * Tickets only: a cache of sessions by id would cost a kilobyte for each client that may
 * never return, and be of one worker, while the next connection meets another.
 *
 * A ring holds secrets, newest first: the first seals, all of them open. What seals a
 * ticket is derived from a secret and the connection's policy (HKDF): contexts are
 * shared by routes, and a ticket of another route, or of this one before its demands
 * changed, has a name that is not known here. Such a client is not refused; it makes a
 * full handshake, and gets a ticket that fits.
 *
 * Deriving takes 3 us, a hundredth of what a handshake does at most: nothing is kept of it.
 *
 * A session that resumes is judged again. It says when its full handshake was, and
 * until when that can be relied on: for an hour, or until the first certificate of the
 * client's chain expires or the revocation list that clears one, whichever is sooner. A
 * ticket that is given to a client that has resumed keeps both times, so that a chain of
 * tickets ends as well. Which CAs and revocation lists are believed is part of the
 * policy; by whom else a client may be sent away the owner is asked (terms.h).
 */
#ifndef SALLYPORT_TLS_TICKET_H
#define SALLYPORT_TLS_TICKET_H

#include <openssl/ssl.h>
#include <stddef.h>
#include <stdint.h>

#include "tls/terms.h"

#define TICKET_SECRET_LEN 32
#define TICKET_SECRETS_MAX 8
#define TICKET_AGE_MAX 3600     /* seconds from the full handshake */

/* Of one process, and not to be shared; empty at first. NULL when memory is out. */
struct ticket_ring;
struct ticket_ring *ticket_ring_new(void);
void ticket_ring_free(struct ticket_ring *r);       /* wipes; NULL is fine */

/* `n` secrets of TICKET_SECRET_LEN bytes, which are copied, in place of those it had,
   which are wiped. */
void ticket_ring_set(struct ticket_ring *r, const uint8_t *secrets, size_t n);

/* The context's connections will be able to use tickets; none do without
   ticket_attach(). 0 or -1. */
int ticket_prepare(SSL_CTX *ctx);

/* This one does. Its terms are attached, and have a ring, which outlives its handshake;
   if that is empty, it does without. */
void ticket_attach(SSL *ssl);

#endif
