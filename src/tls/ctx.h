/*
 * ctx: the settings of a route, as an SSL_CTX that every handshake of it uses.
 *
 * Defaults are BEHAVIOUR's: TLS 1.2 and 1.3, AEAD suites with forward secrecy,
 * AES-128-GCM first (a handshake with SHA-384 costs about 10 % more), server
 * preference but ChaCha20 for clients that put it first, no renegotiation, no
 * compression, no early data, one session ticket. Key exchange groups are the
 * library's, which from OpenSSL 3.5 on begin with the hybrid X25519MLKEM768.
 */
#ifndef SALLYPORT_TLS_CTX_H
#define SALLYPORT_TLS_CTX_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/diag.h"
#include "tls/keypair.h"
#include "tls/trust.h"

enum tls_client_auth { TLS_CLIENT_NONE, TLS_CLIENT_REQUEST, TLS_CLIENT_REQUIRE };
enum tls_version { TLS_V10 = 1, TLS_V11 = 2, TLS_V12 = 4, TLS_V13 = 8 };

struct tls_policy {
    unsigned versions;          /* set of enum tls_version */
    const char *ciphers;        /* TLS 1.2 and older, OpenSSL list; NULL: ours */
    const char *ciphersuites;   /* TLS 1.3; NULL: ours */
    const char *groups;         /* NULL: the library's */
    const char *const *alpn;    /* offered, in our order; nalpn 0: no ALPN */
    size_t nalpn;
    enum tls_client_auth client_auth;
    const struct trust *trust;  /* NULL exactly when client_auth is none */
    int depth;                  /* of the client's chain */
    bool tickets;
    const char *context;        /* what a session belongs to: resumption never crosses it */
    /* where each text came from, for findings */
    struct diag_at at_versions, at_ciphers, at_ciphersuites, at_groups, at_alpn;
};

struct tls_ctx {
    SSL_CTX *ssl_ctx;
    unsigned versions;
    enum tls_client_auth client_auth;
    unsigned char *alpn;        /* wire form (RFC 7301 3.1) */
    unsigned alpn_len;
    char *offer;                /* "TLS 1.2-1.3", for failure texts */
};

/*
 * Key pairs of different key types serve one name together; `certs` are held by
 * count. NULL with findings in d (unknown suite or group, no version left, …).
 */
struct tls_ctx *tls_ctx_new(const struct tls_policy *p, struct keypair *const *certs, size_t ncerts,
                            struct diags *d);
void tls_ctx_free(struct tls_ctx *c);

#endif
