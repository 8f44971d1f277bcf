/*
 * tls_conn: what a TLS stream is made of, for tls_stream.c, which carries the bytes, and
 * tls_connect.c, which is the client's part of it.
 */
#ifndef SALLYPORT_TLS_TLS_CONN_H
#define SALLYPORT_TLS_TLS_CONN_H

#include <openssl/ssl.h>

#include "net/stream.h"
#include "tls/client.h"
#include "tls/digest.h"
#include "tls/failure.h"
#include "tls/sessions.h"
#include "tls/terms.h"

#define REFILLS 2              /* of OpenSSL's 16 KiB buffer, within one call */

struct tls_conn {
    struct stream *s;
    SSL *ssl;
    const char *offer;              /* our versions in words, of the context */
    struct tls_terms terms;         /* a client's are empty when the handshake is over */
    struct tls_dialled *dialled;    /* NULL: the peer came to us */
    struct tls_failure *failure;    /* NULL until something failed */
    uint64_t bytes_in;
    unsigned char first[FIRST_BYTES];
    uint8_t nfirst;
    int sig_nid, key_type, key_bits;    /* of our certificate, which is let go */
    uint8_t refills;                /* receives left to the call that is under way */
    bool eof;                       /* the peer's FIN was read */
    bool shut;                      /* our close_notify is out */
};

/* Of a connection that we made. */
struct tls_dialled {
    const struct tls_client *ctx;
    struct tls_sessions *sessions;  /* NULL: none is kept */
    uint8_t key[DIGEST_LEN];        /* where they belong */
    int64_t until;                  /* none that comes of this connection is used later */
    bool accepted;                  /* bytes came: the server has taken us */
};

/* The parts of an SSL that both sides have, its BIO first. NULL: memory is out. */
struct tls_conn *tls_conn_new(struct stream *s, SSL_CTX *ctx, const char *offer);
void tls_conn_begin(struct tls_conn *t);    /* the stream is a TLS stream from now on */
void tls_conn_free(struct tls_conn *t);

/* Its handshake is done, as far as it is ours. False: the server is refused after all. */
bool tls_conn_settle(struct tls_conn *t);
/* And here the server's part of it is done, too (RFC 8446: it may refuse us afterwards). */
void tls_conn_accepted(struct tls_conn *t);

#endif
