/*
 * policy: what a route wants of TLS, before it becomes a context.
 */
#ifndef SALLYPORT_TLS_POLICY_H
#define SALLYPORT_TLS_POLICY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/diag.h"
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
    /* where each text came from, for findings */
    struct diag_at at_versions, at_ciphers, at_ciphersuites, at_groups, at_alpn;
};

#endif
