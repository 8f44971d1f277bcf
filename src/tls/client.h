/*
 * client: the settings of an upstream, as an SSL_CTX that every handshake with it uses.
 *
 * Here we are the client. The server's certificate is checked against a trust (chain), and for
 * the name that was dialled (full); its key may be pinned beside that, or instead of it (off).
 * Names are those of the subject alternative name alone, wildcards are one whole label. Who
 * passes all that may still be refused by rules on its identity (terms.h).
 */
#ifndef SALLYPORT_TLS_CLIENT_H
#define SALLYPORT_TLS_CLIENT_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "net/stream.h"
#include "tls/digest.h"
#include "tls/keypair.h"
#include "tls/terms.h"
#include "tls/trust.h"

enum tls_verify { TLS_VERIFY_FULL, TLS_VERIFY_CHAIN, TLS_VERIFY_OFF };

struct tls_client_policy {
    unsigned versions;          /* set of enum tls_version */
    const char *const *alpn;    /* offered, in our order; nalpn 0: no ALPN */
    size_t nalpn;
    enum tls_verify verify;
    const struct trust *trust;  /* NULL exactly when verify is off */
    int depth;                  /* of the server's chain */
    const char *const *pins;    /* SHA-256 of the keys that will do, hex; npins 0: any */
    size_t npins;
    struct diag_at at_versions, at_alpn, at_store;
};

/* Outlives every SSL made from it. */
struct tls_client {
    unsigned refs;
    uint8_t id[DIGEST_LEN];     /* of the policy and the pairs it was made from */
    SSL_CTX *ssl_ctx;
    enum tls_verify verify;
    char **pins;
    size_t npins;
    char *offer;                /* "TLS 1.2-1.3", for failure texts */
};

/* The pairs (none: we have no certificate to show) are held. One reference, the caller's; NULL
   with findings in d. */
struct tls_client *tls_client_new(const struct tls_client_policy *p, struct keypair *const *pairs,
                                  size_t npairs, struct diags *d);
struct tls_client *tls_client_ref(struct tls_client *c);
void tls_client_unref(struct tls_client *c);        /* NULL is fine */

/* What it would have for an id; `pairs` NULL: without any. One of the same id serves as well. */
void tls_client_id(const struct tls_client_policy *p, const uint8_t *pairs,
                   uint8_t id[DIGEST_LEN]);

/* Do its key and its identity do? (The chain was verified, or is not to be.) False: with a note
   for the failure, or the terms say `refused`. */
bool tls_client_judge(const struct tls_client *c, SSL *ssl, X509 *leaf);

/* Part of tls_client_new(). */
void tls_connect_prepare(SSL_CTX *ctx);

struct tls_sessions;

/* One connection's part. The texts are copied. */
struct tls_dial {
    const char *name;               /* that the certificate must have with TLS_VERIFY_FULL: a host
                                       name or an address */
    const char *sni;                /* NULL: none is sent */
    struct tls_sessions *sessions;  /* outlives the stream; NULL: nothing is resumed */
    const uint8_t *policy;          /* DIGEST_LEN bytes: all that the server is held to. A session
                                       belongs to it, to `server` and to the names */
    const char *server;
    tls_admit_fn *admit;            /* NULL: every server that was verified */
    void *arg;
};

/*
 * Turn an open raw stream, on which nothing was sent or received yet, into the client side of a
 * TLS connection. `c` must outlive it. 0, or -1 when memory is out; the stream is then as it was.
 */
int tls_stream_connect(struct stream *s, const struct tls_client *c, const struct tls_dial *dial);

#endif
