#include "tls/client.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/pack.h"
#include "tls/certinfo.h"
#include "tls/identity.h"
#include "tls/notes.h"
#include "tls/policy.h"
#include "tls/sslerr.h"
#include "tls/suites.h"

/* --- judging a server --- */

static bool has_pin(const struct tls_client *c, const char *pin)
{
    for (size_t i = 0; i < c->npins; i++)
        if (strcmp(c->pins[i], pin) == 0)
            return true;
    return c->npins == 0;
}

bool tls_client_judge(const struct tls_client *c, SSL *ssl, X509 *leaf)
{
    struct tls_terms *t = terms_of(ssl);
    struct identity *who = leaf != NULL ? identity_of(leaf) : NULL;
    bool good = who != NULL;

    if (good && !has_pin(c, who->pin)) {
        notes_pin(leaf, who->pin);
        good = false;
    }
    if (good && t != NULL && t->admit != NULL && !t->admit(t->arg, who)) {
        t->refused = true;
        good = false;
    }
    identity_free(who);
    return good;
}

/* For SSL_CTX_set_cert_verify_callback(): all of what X509_verify_cert() has to say, then ours. */
static int verify_server(X509_STORE_CTX *store, void *arg)
{
    const struct tls_client *c = arg;
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());

    if (c->verify != TLS_VERIFY_OFF && X509_verify_cert(store) != 1)
        return 0;
    if (tls_client_judge(c, ssl, X509_STORE_CTX_get0_cert(store))) {
        X509_STORE_CTX_set_error(store, X509_V_OK);
        return 1;
    }
    X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
    return 0;
}

/* For SSL_CTX_set_cert_cb(): the server wants a certificate. Whether we have one is decided. */
static int note_asked(SSL *ssl, void *arg)
{
    struct tls_terms *t = terms_of(ssl);

    (void)arg;
    if (t != NULL)
        t->asked = true;
    return 1;
}

/* --- the context --- */

static int set_alpn(SSL_CTX *ctx, const struct tls_client_policy *p, struct diags *d)
{
    unsigned char *wire = NULL;
    size_t len = 0;
    int rc;

    for (size_t i = 0; i < p->nalpn; i++) {
        size_t n = strlen(p->alpn[i]);
        if (n == 0 || n > 255) {
            diag_add(d, DIAG_ERROR, p->at_alpn, NULL, "a protocol name has 1 to 255 bytes");
            free(wire);
            return -1;
        }
        wire = mem_grow(wire, len + n + 1, 1);
        wire[len] = (unsigned char)n;
        memcpy(wire + len + 1, p->alpn[i], n);
        len += n + 1;
    }
    rc = len > 0 ? SSL_CTX_set_alpn_protos(ctx, wire, (unsigned)len) : 0;
    free(wire);
    return rc == 0 ? 0 : -1;
}

static int use_pairs(SSL_CTX *ctx, const struct tls_client_policy *p, struct keypair *const *pairs,
                     size_t n, struct diags *d)
{
    char name[CERT_TEXT_MAX], type[32], why[128];
    int rc = 0;

    for (size_t i = 0; i < n; i++) {
        const struct keypair *k = pairs[i];
        if (SSL_CTX_use_cert_and_key(ctx, k->leaf, k->key, k->chain, 1) == 1)
            continue;
        sslerr_text(why, sizeof(why));
        diag_add(d, DIAG_ERROR, p->at_store, "a stronger key or signature is the remedy",
                 "OpenSSL refuses the certificate %s (%s): %s", cert_subject(k->leaf, name),
                 keypair_type(k, type), why);
        rc = -1;
    }
    return rc;
}

static void set_fixed(SSL_CTX *ctx)
{
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
                              | SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
    /* Sessions are kept where they belong (sessions.h), not in the context. */
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_set_cert_cb(ctx, note_asked, NULL);
}

static int set_verification(struct tls_client *c, const struct tls_client_policy *p)
{
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(c->ssl_ctx);

    SSL_CTX_set_verify(c->ssl_ctx, SSL_VERIFY_PEER, notes_verify);
    SSL_CTX_set_cert_verify_callback(c->ssl_ctx, verify_server, c);
    /* A subject's CN is no name of a host (RFC 6125 6.4.4 leaves it to old clients). */
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS
                                               | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    if (p->trust == NULL)
        return 0;
    SSL_CTX_set_verify_depth(c->ssl_ctx, p->depth);
    return SSL_CTX_set1_verify_cert_store(c->ssl_ctx, p->trust->store) == 1 ? 0 : -1;
}

static int set_written(struct tls_client *c, const struct tls_client_policy *p,
                       struct keypair *const *pairs, size_t npairs, struct diags *d)
{
    struct tls_policy own = { .versions = p->versions, .at_versions = p->at_versions,
                              .at_ciphers = p->at_versions, .at_ciphersuites = p->at_versions };
    int rc = suites_set_versions(c->ssl_ctx, &own, d);

    if (suites_set_ciphers(c->ssl_ctx, &own, d) != 0)
        rc = -1;
    if (set_alpn(c->ssl_ctx, p, d) != 0)
        rc = -1;
    if (use_pairs(c->ssl_ctx, p, pairs, npairs, d) != 0)
        rc = -1;
    return rc;
}

static void keep_pins(struct tls_client *c, const struct tls_client_policy *p)
{
    c->pins = mem_zalloc(p->npins * sizeof(c->pins[0]));
    for (; c->npins < p->npins; c->npins++)
        c->pins[c->npins] = mem_strdup(p->pins[c->npins]);
}

struct tls_client *tls_client_new(const struct tls_client_policy *p, struct keypair *const *pairs,
                                  size_t npairs, struct diags *d)
{
    struct tls_client *c = mem_zalloc(sizeof(*c));
    char why[128];

    sslerr_clear();
    c->refs = 1;
    c->verify = p->verify;
    keep_pins(c, p);
    c->offer = mem_zalloc(VERSIONS_TEXT_MAX);
    versions_text(p->versions, c->offer, VERSIONS_TEXT_MAX);
    c->ssl_ctx = SSL_CTX_new(TLS_client_method());
    if (c->ssl_ctx == NULL)
        goto internal;
    set_fixed(c->ssl_ctx);
    if (set_written(c, p, pairs, npairs, d) != 0)
        goto fail;
    if (set_verification(c, p) != 0)
        goto internal;
    tls_connect_prepare(c->ssl_ctx);
    sslerr_clear();
    return c;
internal:
    diag_add(d, DIAG_ERROR, p->at_versions, NULL, "cannot make a TLS context: %s",
             sslerr_text(why, sizeof(why)));
fail:
    sslerr_clear();
    tls_client_unref(c);
    return NULL;
}

struct tls_client *tls_client_ref(struct tls_client *c)
{
    c->refs++;
    return c;
}

void tls_client_unref(struct tls_client *c)
{
    if (c == NULL || --c->refs > 0)
        return;
    SSL_CTX_free(c->ssl_ctx);
    for (size_t i = 0; i < c->npins; i++)
        free(c->pins[i]);
    free(c->pins);
    free(c->offer);
    free(c);
}

void tls_client_id(const struct tls_client_policy *p, const uint8_t *pairs,
                   uint8_t id[DIGEST_LEN])
{
    struct pack k = { 0 };

    pack_bytes(&k, pairs, pairs != NULL ? DIGEST_LEN : 0);
    pack_u32(&k, pairs != NULL);
    pack_u32(&k, p->versions);
    pack_u32(&k, (uint32_t)p->nalpn);
    for (size_t i = 0; i < p->nalpn; i++)
        pack_str(&k, p->alpn[i]);
    pack_u32(&k, (uint32_t)p->verify);
    pack_u32(&k, p->trust != NULL);
    if (p->trust != NULL)
        pack_bytes(&k, p->trust->id, DIGEST_LEN);
    pack_u32(&k, (uint32_t)p->depth);
    pack_u32(&k, (uint32_t)p->npins);
    for (size_t i = 0; i < p->npins; i++)
        pack_str(&k, p->pins[i]);
    digest_ders(&(struct der){ k.p, k.len }, 1, id);
    pack_free(&k);
}
