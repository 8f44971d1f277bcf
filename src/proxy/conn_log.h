/*
 * conn_log: the lines a connection leaves in the log (CONFIG.md 6): one when it
 * ends, or, when its handshake failed, one that says why in words.
 */
#ifndef SALLYPORT_PROXY_CONN_LOG_H
#define SALLYPORT_PROXY_CONN_LOG_H

#include "proxy/conn_state.h"
#include "tls/failure.h"

void conn_log_failure(struct conn *c, enum reason why, const struct tls_failure *f);
/* Of one that failed before TLS began: `what` as for failure_early(). */
void conn_log_early(struct conn *c, enum reason why, enum tls_cause cause, const char *what);
/* Of the handshake with the upstream: that server's, and not the end. */
void conn_log_secure(struct conn *c, enum reason why, const struct tls_failure *f);
void conn_log_end(struct conn *c);

/* Where it was accepted, with the port it really was. */
char *conn_listener_text(const struct conn *c, char out[ADDR_TEXT_MAX]);

#endif
