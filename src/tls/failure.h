/*
 * failure: why a handshake failed, in words.
 *
 * A row of failures.tbl is a cause: short name (a log field and, later, a metric
 * label), the side at fault, what happened, the likely fix. failure_of() finds the
 * row from what OpenSSL queued, the alert that came or went, the verification
 * result and how the connection ended.
 */
#ifndef SALLYPORT_TLS_FAILURE_H
#define SALLYPORT_TLS_FAILURE_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"

enum tls_cause {
#define FAILURE(NAME, name, side, what, fix) TLS_CAUSE_##NAME,
#include "tls/failures.tbl"
#undef FAILURE
    TLS_CAUSE_COUNT
};

enum tls_side { SIDE_CLIENT, SIDE_US, SIDE_NETWORK, SIDE_SERVER };

struct tls_failure {
    enum tls_cause cause;
    const char *name;           /* "client-untrusted-issuer" */
    enum tls_side side;
    char text[384];             /* cause with its facts: names, dates, versions; escaped */
    const char *fix;            /* may be NULL */
};

#define FIRST_BYTES 16

/* How the failing call ended, beside what OpenSSL says. */
struct tls_ending {
    bool eof;                   /* the peer sent FIN during the handshake */
    int sys_errno;              /* a system error (ECONNRESET …), or 0 */
    bool timed_out;
    bool refused, asked;        /* terms.h */
    uint64_t bytes_in;          /* received before the end */
    const unsigned char *first; /* the first bytes received (up to FIRST_BYTES), to guess by */
    size_t nfirst;
    const char *offer;          /* our versions in words (tls_ctx.offer) */
};

/*
 * Classify, and empty OpenSSL's error queue. To be called right after the failing
 * call, before any other use of the library. Facts that OpenSSL does not keep (the
 * refused certificate, what the client offered) are in the queue too, put there by
 * the callbacks of a context of tls_ctx_new() (notes.h); the SSL is one of those.
 * Of plaintext, more first bytes may be read from the SSL's BIO.
 */
void failure_of(SSL *ssl, const struct tls_ending *end, struct tls_failure *out);

/* What ends a connection before there is an SSL; `what` is the row's {name}. */
void failure_early(enum tls_cause cause, const char *what, struct tls_failure *out);

const char *failure_side_text(enum tls_side side);     /* "client", "us", "network", "server" */
const char *failure_name(enum tls_cause cause);        /* "plain-http" */
/* What somebody should look at is a warning; a connection that just ended is none. */
enum log_level failure_level(const struct tls_failure *f);

#endif
