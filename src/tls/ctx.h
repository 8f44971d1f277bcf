/*
 * ctx: the settings of a route, as an SSL_CTX that every handshake of it uses.
 *
 * Defaults are BEHAVIOUR's: TLS 1.2 and 1.3, AEAD suites with forward secrecy,
 * AES-128-GCM first (a handshake with SHA-384 costs about 10 % more), server
 * preference but ChaCha20 for clients that put it first, no renegotiation, no
 * compression, no early data, one session ticket. Key exchange groups are the
 * library's, which from OpenSSL 3.5 on begin with the hybrid X25519MLKEM768.
 * TLS 1.0 and 1.1, where written out, bring their CBC suites and security level 0
 * with them: on any higher one they cannot sign. Clients' certificates are judged by
 * the library's own level all the same; @SECLEVEL in `ciphers` sets both.
 */
#ifndef SALLYPORT_TLS_CTX_H
#define SALLYPORT_TLS_CTX_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "tls/digest.h"
#include "tls/keypair.h"
#include "tls/notes.h"
#include "tls/policy.h"

/* Outlives every SSL made from it: its callbacks read `accepts`. */
struct tls_ctx {
    unsigned refs;
    uint8_t id[DIGEST_LEN];     /* of the policy and the pairs it was made from */
    SSL_CTX *ssl_ctx;
    enum tls_client_auth client_auth;
    bool tickets;               /* its connections may use them (ticket.h) */
    struct notes_offer accepts; /* what a ClientHello is compared with */
    char *offer;                /* "TLS 1.2-1.3", for failure texts */
    char *groups;               /* as written; NULL: the library's */
};

/*
 * Key pairs of different key types serve one name together; what of `certs` is needed
 * is held. One reference, the caller's; NULL with findings in d (unknown suite or group,
 * no version left, …).
 */
struct tls_ctx *tls_ctx_new(const struct tls_policy *p, struct keypair *const *certs, size_t ncerts,
                            struct diags *d);
/* Whether a pair may take the place of those on a connection; -1 with a finding in d. Of
   `bits` (keypair_bits()) so many, it may without being asked for. */
int tls_ctx_takes(struct tls_ctx *c, const struct tls_policy *p, const struct keypair *k,
                  struct diags *d);
unsigned tls_ctx_bits(const struct tls_ctx *c);

struct tls_ctx *tls_ctx_ref(struct tls_ctx *c);
void tls_ctx_unref(struct tls_ctx *c);      /* NULL is fine */

/* What it would have for an id, given that of the pairs: a context of the same id
   serves as well, and its sessions can still be resumed. */
void tls_ctx_id(const struct tls_policy *p, const uint8_t pairs[DIGEST_LEN],
                uint8_t id[DIGEST_LEN]);

/* Have the library read its configuration file, and load what is named there, now: later it
   may not be able to. */
void tls_ready(void);

/* The library in use, as it names itself: "OpenSSL 3.0.22 …"; static. */
const char *tls_library(void);

#endif
