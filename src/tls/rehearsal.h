/*
 * rehearsal: a handshake with ourselves, in memory, before a context is put in force.
 *
 * Checks look at parts; this shows that they work together: that a client which takes
 * whatever this OpenSSL knows comes through, with the newest version that the context
 * has. Clients' certificates are left out, for we have none to show.
 */
#ifndef SALLYPORT_TLS_REHEARSAL_H
#define SALLYPORT_TLS_REHEARSAL_H

#include "base/err.h"
#include "tls/ctx.h"

/* 0; or -1 and e with the reason in OpenSSL's words. */
int rehearse(const struct tls_ctx *c, struct err *e);

#endif
