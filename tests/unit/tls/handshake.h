/*
 * handshake: a server of ours and a client, both in memory, driven step by step.
 */
#ifndef SALLYPORT_TESTS_HANDSHAKE_H
#define SALLYPORT_TESTS_HANDSHAKE_H

#include <openssl/ssl.h>
#include <stdbool.h>

#include "certs.h"
#include "tls/ctx.h"
#include "tls/failure.h"
#include "tls/terms.h"

/* A policy with what most tests want; fields can be changed before use. */
struct tls_policy policy(void);

/* tls_ctx_new(), which must succeed without a finding. */
struct tls_ctx *server_ctx(const struct tls_policy *p, struct keypair *const *certs, size_t n);

/* A client that trusts nothing and checks nothing, for versions min to max (0: any). */
SSL_CTX *client_ctx(int min, int max);
/* Let it verify the server against this anchor, and send this certificate. */
void client_trusts(SSL_CTX *c, X509 *anchor);
void client_has(SSL_CTX *c, const struct made *cert);

struct meeting {
    SSL *server, *client;
    const struct tls_ctx *ctx;
    struct tls_terms terms;     /* the server's: any policy, and a ring that all meetings share */
    bool secured;               /* both sides finished */
    bool stop_client;           /* the client's bytes are held back */
    uint64_t bytes_in;          /* that reached the server */
    unsigned char first[FIRST_BYTES];
    size_t nfirst;
    struct tls_failure failure; /* when the server failed */
};

/* Takes nothing; both contexts stay the caller's. *m stays where it is. */
void meet(struct meeting *m, const struct tls_ctx *server, SSL_CTX *client);
/* Move bytes until both are done or nothing moves. False when the server failed. */
bool meet_run(struct meeting *m);
/* Instead of a client: these bytes, then an ending. */
void meet_bytes(struct meeting *m, const void *p, size_t n);
/* What the server makes of the end of the connection. */
void meet_end(struct meeting *m, bool eof, int sys_errno, bool timed_out);
void meet_free(struct meeting *m);

#endif
