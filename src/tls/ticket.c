#include "tls/ticket.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "tls/certinfo.h"
#include "tls/digest.h"
#include "tls/identity.h"
#include "tls/sessions.h"

#define NAME_LEN 16             /* RFC 5077 4, and OpenSSL's */
#define IV_LEN 16
#define SKEW_MAX 60             /* seconds that another host's clock may be ahead of ours */

struct ticket_ring {
    EVP_KDF *hkdf;              /* looked up once */
    EVP_CIPHER *cipher;
    size_t n;
    uint8_t secrets[TICKET_SECRETS_MAX][TICKET_SECRET_LEN];
};

/* Of one secret, for one policy. */
struct keys {
    uint8_t name[NAME_LEN], cipher[32], mac[32];
};

/* --- the ring --- */

struct ticket_ring *ticket_ring_new(void)
{
    struct ticket_ring *r = calloc(1, sizeof(*r));

    if (r == NULL)
        return NULL;
    r->hkdf = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_HKDF, NULL);
    r->cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
    if (r->hkdf != NULL && r->cipher != NULL)
        return r;
    ERR_clear_error();
    ticket_ring_free(r);
    return NULL;
}

void ticket_ring_set(struct ticket_ring *r, const uint8_t *secrets, size_t n)
{
    r->n = n < TICKET_SECRETS_MAX ? n : TICKET_SECRETS_MAX;
    OPENSSL_cleanse(r->secrets, sizeof(r->secrets));
    memcpy(r->secrets, secrets, r->n * TICKET_SECRET_LEN);
}

void ticket_ring_free(struct ticket_ring *r)
{
    if (r == NULL)
        return;
    EVP_KDF_free(r->hkdf);
    EVP_CIPHER_free(r->cipher);
    OPENSSL_cleanse(r->secrets, sizeof(r->secrets));
    free(r);
}

/* RFC 5869: the policy is the info. */
static bool derive(struct ticket_ring *r, size_t i, const uint8_t policy[DIGEST_LEN],
                   struct keys *out)
{
    EVP_KDF_CTX *c = EVP_KDF_CTX_new(r->hkdf);
    char digest[] = "SHA256", label[] = "sallyport ticket";
    uint8_t info[DIGEST_LEN];
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, r->secrets[i], TICKET_SECRET_LEN),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, label, sizeof(label) - 1),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, sizeof(info)),
        OSSL_PARAM_construct_end(),
    };

    memcpy(info, policy, sizeof(info));
    bool ok = c != NULL && EVP_KDF_derive(c, (unsigned char *)out, sizeof(*out), params) == 1;
    EVP_KDF_CTX_free(c);
    return ok;
}

/* --- sealing and opening, for OpenSSL --- */

static bool set_mac(EVP_MAC_CTX *mac, struct keys *k)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, k->mac, sizeof(k->mac)),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };

    return EVP_MAC_CTX_set_params(mac, params) == 1;
}

static int seal(struct ticket_ring *r, const uint8_t *policy, unsigned char *name,
                unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    struct keys k;
    int rc = -1;

    if (r->n > 0 && derive(r, 0, policy, &k) && RAND_bytes(iv, IV_LEN) == 1
        && EVP_EncryptInit_ex(cipher, r->cipher, NULL, k.cipher, iv) == 1 && set_mac(mac, &k)) {
        memcpy(name, k.name, NAME_LEN);
        rc = 1;
    }
    OPENSSL_cleanse(&k, sizeof(k));
    return rc;
}

static bool open_with(struct ticket_ring *r, struct keys *k, unsigned char *iv,
                      EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    return EVP_DecryptInit_ex(cipher, r->cipher, NULL, k->cipher, iv) == 1 && set_mac(mac, k);
}

/* 0: none does. Else which, counted from 1. */
static int open_any(struct ticket_ring *r, const uint8_t *policy, const unsigned char *name,
                    unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    struct keys k;
    int rc = 0;

    for (size_t i = 0; i < r->n && rc == 0; i++) {
        if (!derive(r, i, policy, &k))
            rc = -1;
        else if (CRYPTO_memcmp(name, k.name, NAME_LEN) == 0)
            rc = open_with(r, &k, iv, cipher, mac) ? (int)i + 1 : -1;
    }
    OPENSSL_cleanse(&k, sizeof(k));
    return rc;
}

/* -1 ends the handshake, and only when memory is out. */
static int on_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                  EVP_MAC_CTX *mac, int sealing)
{
    const struct tls_terms *t = terms_of(ssl);

    if (t == NULL || t->tickets == NULL)
        return sealing ? -1 : 0;
    if (sealing)
        return seal(t->tickets, t->policy, name, iv, cipher, mac);

    int which = open_any(t->tickets, t->policy, name, iv, cipher, mac);
    if (which <= 0)
        return which;
    /* 2: the client is given another one. By TLS 1.3 it uses each but once (RFC 8446 C.4). */
    return which > 1 || SSL_version(ssl) >= TLS1_3_VERSION ? 2 : 1;
}

/* --- how long a session may be resumed --- */

/* What a ticket says beside the session, as it is in memory: it is sealed with the
   rest, and an other layout has other keys (the label). */
struct times {
    int64_t made;               /* the full handshake, seconds since 1970 */
    int64_t until;
};

static int64_t now(void)
{
    return (int64_t)(clock_wall_us() / 1000000u);
}

static bool read_times(SSL_SESSION *s, struct times *out)
{
    void *p;
    size_t len;

    if (SSL_SESSION_get0_ticket_appdata(s, &p, &len) != 1 || p == NULL || len != sizeof(*out))
        return false;
    memcpy(out, p, sizeof(*out));
    return true;
}

/* A ticket is about to be sealed. What is told to the client is how long it is worth
   keeping. */
static int on_give(SSL *ssl, void *arg)
{
    SSL_SESSION *s = SSL_get_session(ssl);
    struct times t;

    (void)arg;
    if (!read_times(s, &t)) {
        t.made = now();
        t.until = sessions_until(ssl, t.made, TICKET_AGE_MAX);
        if (SSL_SESSION_set1_ticket_appdata(s, &t, sizeof(t)) != 1)
            return 0;
    }
    int64_t left = t.until - now();
    (void)SSL_SESSION_set_timeout(s, left > 0 ? (long)left : 1);
    return 1;
}

static bool still_admitted(SSL *ssl, SSL_SESSION *s)
{
    const struct tls_terms *t = terms_of(ssl);
    X509 *leaf = SSL_SESSION_get0_peer(s);

    if (t->admit == NULL || leaf == NULL)
        return true;

    struct identity *who = identity_of(leaf);
    bool yes = who != NULL && t->admit(t->arg, who);
    identity_free(who);
    return yes;
}

static bool still_good(SSL *ssl, SSL_SESSION *s)
{
    X509 *leaf = SSL_SESSION_get0_peer(s);
    struct times t;

    return read_times(s, &t) && t.made <= now() + SKEW_MAX && now() < t.until
        && (leaf == NULL || now() < time_of(X509_get0_notAfter(leaf)))
        && still_admitted(ssl, s);
}

static SSL_TICKET_RETURN on_take(SSL *ssl, SSL_SESSION *s, const unsigned char *name, size_t len,
                                 SSL_TICKET_STATUS status, void *arg)
{
    (void)name;
    (void)len;
    (void)arg;
    if ((status == SSL_TICKET_SUCCESS || status == SSL_TICKET_SUCCESS_RENEW)
        && still_good(ssl, s))
        return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
    return SSL_TICKET_RETURN_IGNORE_RENEW;
}

/* --- */

int ticket_prepare(SSL_CTX *ctx)
{
    return SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_key) == 1
                && SSL_CTX_set_session_ticket_cb(ctx, on_give, on_take, NULL) == 1
            ? 0
            : -1;
}

void ticket_attach(SSL *ssl)
{
    if (terms_of(ssl)->tickets->n == 0)
        return;
    SSL_clear_options(ssl, SSL_OP_NO_TICKET);
    (void)SSL_set_num_tickets(ssl, 1);
}
