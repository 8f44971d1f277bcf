/*
 * sessions: what servers gave us to resume by, each for where it belongs.
 *
 * A session stands for what its full handshake has proven, so it is kept under a digest of all
 * that was demanded there: whoever demands anything else, or of another server, has a full
 * handshake. And it is kept no longer than what was proven holds. A ticket of TLS 1.3 is used
 * once (RFC 8446 C.4). A worker has one such cache.
 */
#ifndef SALLYPORT_TLS_SESSIONS_H
#define SALLYPORT_TLS_SESSIONS_H

#include <openssl/ssl.h>
#include <stdint.h>

#include "tls/digest.h"

#define SESSIONS_MAX 256u       /* in all */
#define SESSIONS_EACH 4u        /* of one place */
#define SESSIONS_AGE_MAX 3600   /* seconds since its full handshake */

/* Until when a full handshake that was done at `made` may be relied on: `age` seconds, or the first
   end of what was believed then, of a certificate or a list. */
int64_t sessions_until(SSL *ssl, int64_t made, int64_t age);

struct tls_sessions;

struct tls_sessions *tls_sessions_new(void);    /* NULL: memory is out */
void tls_sessions_free(struct tls_sessions *s); /* NULL is fine */

/* Takes the reference. `until`: seconds since 1970. */
void tls_sessions_put(struct tls_sessions *s, const uint8_t key[DIGEST_LEN], SSL_SESSION *session,
                      int64_t until);

/* The newest that is still good `now`; the reference is the caller's. NULL: none. */
SSL_SESSION *tls_sessions_take(struct tls_sessions *s, const uint8_t key[DIGEST_LEN], int64_t now,
                               int64_t *until);

#endif
