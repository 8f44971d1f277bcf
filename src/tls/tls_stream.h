/*
 * tls_stream: a stream that speaks TLS.
 *
 * The one place that calls SSL_*: the error queue is cleared before each call and
 * classified after it, so one peer's mistake is never charged to another. OpenSSL
 * reaches the socket through a BIO of ours over stream_recv() and stream_send():
 * it stops when the socket is known to be empty, without a call that must fail,
 * and how the connection ended is known exactly.
 */
#ifndef SALLYPORT_TLS_TLS_STREAM_H
#define SALLYPORT_TLS_TLS_STREAM_H

#include "net/stream.h"
#include "tls/certs.h"
#include "tls/ctx.h"
#include "tls/failure.h"
#include "tls/identity.h"
#include "tls/terms.h"

/*
 * Turn an open raw stream into the server side of a TLS connection. `ctx` must outlive
 * it; `certs`, which chooses among several certificates by the name that is asked for,
 * and what the terms point at, the handshake. The terms are copied. 0, or -1 when memory
 * is out; the stream is then as it was.
 */
int tls_stream_accept(struct stream *s, const struct tls_ctx *ctx, struct certs *certs,
                      const struct tls_terms *terms);

/* What a connection is remembered by once its handshake is done. */
struct tls_facts {
    const char *version;        /* "TLSv1.3"; static, like the next two */
    const char *suite;
    const char *group;          /* may be NULL (RSA key exchange) */
    bool resumed;
    char *alpn;                 /* NULL: none selected */
    struct identity *identity;  /* NULL: no certificate */
};

/* After stream_handshake() said STREAM_OK. 0, or -1 when memory is out. */
int tls_stream_facts(struct stream *s, struct tls_facts *out);
void tls_facts_free(struct tls_facts *f);

/* What the service behind may be told beside that, for as long as the handshake's objects
   live. */
struct tls_telling {
    const char *sig_alg;        /* of our certificate's signature: "RSA-SHA256"; NULL: not known */
    const char *key_alg;        /* of its key: "RSA2048", "EC256" */
    unsigned char *cert;        /* the client's certificate, DER; NULL: none */
    size_t cert_len;
    char room[24];
};

/* 0, or -1 when memory is out. */
int tls_stream_tell(struct stream *s, struct tls_telling *out);
void tls_telling_free(struct tls_telling *t);

/* Would that context let the client of this connection stay, now (verify.h)? 0, or -1 and *why. */
int tls_stream_verify(struct stream *s, const struct tls_ctx *ctx, struct tls_failure *why);

/* After stream_handshake() said anything but OK or AGAIN, or when its time ran
   out: why. Filled in by the failing call itself. */
const struct tls_failure *tls_stream_failure(struct stream *s, bool timed_out);

/* Bytes received on the wire so far; 0 for a stream that is not TLS yet. */
uint64_t tls_stream_bytes_in(const struct stream *s);

#endif
