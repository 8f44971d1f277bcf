/*
 * terms: what a handshake is held to beside its context, which routes share: for the
 * callbacks that OpenSSL calls with nothing but an SSL.
 */
#ifndef SALLYPORT_TLS_TERMS_H
#define SALLYPORT_TLS_TERMS_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

struct identity;
struct ticket_ring;

/* Will this client do, or this server, whose certificate was verified? */
typedef bool tls_admit_fn(void *arg, const struct identity *who);

struct tls_terms {
    const uint8_t *policy;          /* DIGEST_LEN bytes: sessions of another are not resumed */
    struct ticket_ring *tickets;    /* NULL: none are given, and none are taken */
    tls_admit_fn *admit;            /* NULL: every client that was verified */
    void *arg;
    bool refused;                   /* admit() said no, and the peer is being told */
    bool asked;                     /* the server has asked for our certificate */
};

/* They outlive the SSL. */
static inline void terms_attach(SSL *ssl, struct tls_terms *t)
{
    SSL_set_app_data(ssl, (char *)t);
}

/* NULL: it was made without. A verify callback has its SSL from
   X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()). */
static inline struct tls_terms *terms_of(const SSL *ssl)
{
    return SSL_get_app_data(ssl);
}

#endif
