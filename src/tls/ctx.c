#include "tls/ctx.h"

#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/pack.h"
#include "tls/admission.h"
#include "tls/certinfo.h"
#include "tls/notes.h"
#include "tls/sslerr.h"
#include "tls/suites.h"
#include "tls/ticket.h"

static void set_fixed(SSL_CTX *ctx)
{
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION
                                 | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
                              | SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_timeout(ctx, TICKET_AGE_MAX);
    /* None is offered. What a client sends all the same, by the ticket of another
       server, is skipped (RFC 8446 4.2.10) as far as the library's limit goes. */
    SSL_CTX_set_max_early_data(ctx, 0);
    SSL_CTX_set_dh_auto(ctx, 1);        /* for DHE suites, should someone name them */
}

/* A connection resumes nothing until it is told where its sessions belong (ticket.h). */
static int set_sessions(SSL_CTX *ctx, const struct tls_policy *p)
{
    static const unsigned char nowhere[] = "nowhere";

    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
    return SSL_CTX_set_num_tickets(ctx, 0) == 1
                && SSL_CTX_set_session_id_context(ctx, nowhere, sizeof(nowhere)) == 1
                && (!p->tickets || ticket_prepare(ctx) == 0)
            ? 0
            : -1;
}

static int set_alpn(struct tls_ctx *c, const struct tls_policy *p, struct diags *d)
{
    size_t len = 0;

    for (size_t i = 0; i < p->nalpn; i++) {
        size_t n = strlen(p->alpn[i]);
        if (n == 0 || n > 255) {
            diag_add(d, DIAG_ERROR, p->at_alpn, NULL, "a protocol name has 1 to 255 bytes");
            return -1;
        }
        c->accepts.alpn = mem_grow(c->accepts.alpn, len + n + 1, 1);
        c->accepts.alpn[len] = (unsigned char)n;
        memcpy(c->accepts.alpn + len + 1, p->alpn[i], n);
        len += n + 1;
    }
    c->accepts.alpn_len = (unsigned)len;
    if (p->nalpn > 0)
        SSL_CTX_set_alpn_select_cb(c->ssl_ctx, notes_select_alpn, &c->accepts);
    return 0;
}

static int set_verification(SSL_CTX *ctx, const struct tls_policy *p)
{
    int mode = SSL_VERIFY_PEER;

    if (p->client_auth == TLS_CLIENT_NONE)
        return 0;
    if (p->client_auth == TLS_CLIENT_REQUIRE)
        mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_CTX_set_verify(ctx, mode, notes_verify);
    SSL_CTX_set_verify_depth(ctx, p->depth);
    if (!SSL_CTX_set1_verify_cert_store(ctx, p->trust->store))
        return -1;
    if (p->trust->names != NULL) {
        STACK_OF(X509_NAME) *copy = SSL_dup_CA_list(p->trust->names);
        if (copy == NULL)
            return -1;
        SSL_CTX_set_client_CA_list(ctx, copy);
    }
    return 0;
}

static struct diag_at store_of(const struct tls_policy *p)
{
    return (struct diag_at){ .at = p->at_versions.at, .section = p->at_versions.section,
                             .key = "store" };
}

static int refuse_cert(const struct tls_policy *p, const struct keypair *k, struct diags *d)
{
    char name[CERT_TEXT_MAX], type[32], why[128];

    sslerr_text(why, sizeof(why));
    diag_add(d, DIAG_ERROR, store_of(p),
             "a stronger key or signature is the remedy; @SECLEVEL=0 in `ciphers` lets it pass",
             "OpenSSL refuses the certificate %s (%s): %s", cert_subject(k->leaf, name),
             keypair_type(k, type), why);
    return -1;
}

static int use_certs(SSL_CTX *ctx, const struct tls_policy *p, struct keypair *const *certs,
                     size_t ncerts, struct diags *d)
{
    int rc = 0;

    if (ncerts == 0) {
        diag_add(d, DIAG_ERROR, store_of(p), NULL, "no certificate");
        return -1;
    }
    for (size_t i = 0; i < ncerts; i++) {
        const struct keypair *k = certs[i];
        if (SSL_CTX_use_cert_and_key(ctx, k->leaf, k->key, k->chain, 1) != 1)
            rc = refuse_cert(p, k, d);
    }
    return rc;
}

/* The parts that can be wrong by the operator's hand: all are tried, to find all. */
static int set_written(struct tls_ctx *c, const struct tls_policy *p, struct keypair *const *certs,
                       size_t ncerts, struct diags *d)
{
    int rc = suites_set_versions(c->ssl_ctx, p, d);

    if (suites_set_ciphers(c->ssl_ctx, p, d) != 0)
        rc = -1;
    if (suites_set_groups(c->ssl_ctx, p, d) != 0)
        rc = -1;
    if (set_alpn(c, p, d) != 0)
        rc = -1;
    if (use_certs(c->ssl_ctx, p, certs, ncerts, d) != 0)
        rc = -1;
    if (rc == 0)
        rc = suites_check(c->ssl_ctx, p, certs, ncerts, d);
    return rc;
}

struct tls_ctx *tls_ctx_new(const struct tls_policy *p, struct keypair *const *certs, size_t ncerts,
                            struct diags *d)
{
    struct tls_ctx *c = mem_zalloc(sizeof(*c));
    char why[128];

    sslerr_clear();
    c->refs = 1;
    c->accepts.versions = p->versions;
    c->client_auth = p->client_auth;
    c->tickets = p->tickets;
    c->groups = p->groups != NULL ? mem_strdup(p->groups) : NULL;
    c->offer = mem_zalloc(VERSIONS_TEXT_MAX);
    versions_text(p->versions, c->offer, VERSIONS_TEXT_MAX);
    c->ssl_ctx = SSL_CTX_new(TLS_server_method());
    if (c->ssl_ctx == NULL)
        goto internal;
    if (admission_prepare(c->ssl_ctx) != 0)
        goto internal;
    SSL_CTX_set_client_hello_cb(c->ssl_ctx, notes_client_hello, &c->accepts);
    set_fixed(c->ssl_ctx);
    if (set_written(c, p, certs, ncerts, d) != 0)
        goto fail;
    if (set_sessions(c->ssl_ctx, p) != 0 || set_verification(c->ssl_ctx, p) != 0)
        goto internal;
    sslerr_clear();
    return c;
internal:
    diag_add(d, DIAG_ERROR, p->at_versions, NULL, "cannot make a TLS context: %s",
             sslerr_text(why, sizeof(why)));
fail:
    sslerr_clear();
    tls_ctx_unref(c);
    return NULL;
}

int tls_ctx_takes(struct tls_ctx *c, const struct tls_policy *p, const struct keypair *k,
                  struct diags *d)
{
    SSL *ssl = SSL_new(c->ssl_ctx);
    int rc = 0;

    sslerr_clear();
    if (ssl == NULL || SSL_use_cert_and_key(ssl, k->leaf, k->key, k->chain, 1) != 1)
        rc = refuse_cert(p, k, d);
    SSL_free(ssl);
    return rc;
}

unsigned tls_ctx_bits(const struct tls_ctx *c)
{
    static const unsigned of_level[] = { 0, 80, 112, 128, 192, 256 };
    int level = SSL_CTX_get_security_level(c->ssl_ctx);

    return of_level[level < 0 ? 0 : level > 5 ? 5 : level];
}

struct tls_ctx *tls_ctx_ref(struct tls_ctx *c)
{
    c->refs++;
    return c;
}

void tls_ctx_id(const struct tls_policy *p, const uint8_t pairs[DIGEST_LEN],
                uint8_t id[DIGEST_LEN])
{
    struct pack k = { 0 };

    pack_bytes(&k, pairs, DIGEST_LEN);
    pack_u32(&k, p->versions);
    pack_str(&k, p->ciphers);
    pack_str(&k, p->ciphersuites);
    pack_str(&k, p->groups);
    pack_u32(&k, (uint32_t)p->nalpn);
    for (size_t i = 0; i < p->nalpn; i++)
        pack_str(&k, p->alpn[i]);
    pack_u32(&k, (uint32_t)p->client_auth);
    if (p->trust != NULL)
        pack_bytes(&k, p->trust->id, DIGEST_LEN);
    pack_u32(&k, (uint32_t)p->depth);
    pack_u32(&k, p->tickets);
    digest_ders(&(struct der){ k.p, k.len }, 1, id);
    pack_free(&k);
}

void tls_ctx_unref(struct tls_ctx *c)
{
    if (c == NULL || --c->refs > 0)
        return;
    SSL_CTX_free(c->ssl_ctx);
    free(c->accepts.alpn);
    free(c->offer);
    free(c->groups);
    free(c);
}

void tls_ready(void)
{
    uint8_t chance;

    OPENSSL_init_ssl(OPENSSL_INIT_LOAD_CONFIG, NULL);
    (void)RAND_bytes(&chance, sizeof(chance));
}

const char *tls_library(void)
{
    return OpenSSL_version(OPENSSL_VERSION);
}
