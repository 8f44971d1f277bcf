#include "tls/verify.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include "tls/notes.h"
#include "tls/parts.h"
#include "tls/sslerr.h"

/* What is in the queue, as the end of a handshake. */
static int refuse(const struct tls_ctx *c, struct tls_failure *why)
{
    struct tls_ending end = { .offer = c->offer };
    SSL *ssl = SSL_new(c->ssl_ctx);

    if (ssl != NULL) {
        SSL_set_accept_state(ssl);
        failure_of(ssl, &end, why);
    } else {
        failure_early(TLS_CAUSE_INTERNAL, NULL, why);
    }
    SSL_free(ssl);
    sslerr_clear();
    return -1;
}

/* SSL_verify_cb. Who is revoked stays so when nobody renewed the list in time. */
static int past_expired_crls(int ok, X509_STORE_CTX *store)
{
    if (ok || X509_STORE_CTX_get_error(store) != X509_V_ERR_CRL_HAS_EXPIRED)
        return notes_verify(ok, store);
    X509_STORE_CTX_set_error(store, X509_V_OK);
    return 1;
}

/* As ssl_verify_cert_chain() of OpenSSL has it, which cannot be called without a handshake. */
static int verify_chain(const struct tls_ctx *c, X509 *leaf, STACK_OF(X509) *sent,
                        SSL_verify_cb callback)
{
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    X509_STORE *store = NULL;
    int rc = -1;

    if (ctx != NULL && SSL_CTX_get0_verify_cert_store(c->ssl_ctx, &store) == 1
        && X509_STORE_CTX_init(ctx, store, leaf, sent) == 1) {
        X509_VERIFY_PARAM *p = X509_STORE_CTX_get0_param(ctx);
        X509_VERIFY_PARAM_set_auth_level(p, SSL_CTX_get_security_level(c->ssl_ctx));
        if (X509_STORE_CTX_set_default(ctx, "ssl_client") == 1
            && X509_VERIFY_PARAM_set1(p, SSL_CTX_get0_param(c->ssl_ctx)) == 1) {
            X509_STORE_CTX_set_verify_cb(ctx, callback);
            rc = X509_verify_cert(ctx) == 1 ? 0 : -1;
        }
    }
    X509_STORE_CTX_free(ctx);
    return rc;
}

/* As its Certificate message in TLS 1.3: that of TLS 1.2 has a few bytes less beside them. */
static size_t message_size(X509 *leaf, const STACK_OF(X509) *sent)
{
    size_t size = 4 + 5 + (size_t)i2d_X509(leaf, NULL);

    for (int i = 0; i < sk_X509_num(sent); i++)
        if (sk_X509_value(sent, i) != leaf)
            size += 5 + (size_t)i2d_X509(sk_X509_value(sent, i), NULL);
    return size;
}

static int verify(const struct tls_ctx *c, X509 *leaf, STACK_OF(X509) *sent,
                  SSL_verify_cb callback, struct tls_failure *why)
{
    if (c->client_auth == TLS_CLIENT_NONE
        || (leaf == NULL && c->client_auth == TLS_CLIENT_REQUEST))
        return 0;
    sslerr_clear();
    if (leaf != NULL && message_size(leaf, sent) > (size_t)SSL_CTX_get_max_cert_list(c->ssl_ctx)) {
        failure_early(TLS_CAUSE_CLIENT_CERT_SIZE, NULL, why);
        return -1;
    }
    if (leaf == NULL)
        ERR_raise(ERR_LIB_SSL, SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE);
    else if (verify_chain(c, leaf, sent, callback) == 0)
        return 0;
    return refuse(c, why);
}

int verify_client(const struct tls_ctx *c, X509 *leaf, STACK_OF(X509) *sent,
                  struct tls_failure *why)
{
    return verify(c, leaf, sent, notes_verify, why);
}

int verify_client_again(const struct tls_ctx *c, X509 *leaf, STACK_OF(X509) *sent,
                        struct tls_failure *why)
{
    return verify(c, leaf, sent, past_expired_crls, why);
}

int verify_alpn(const struct tls_ctx *c, const uint8_t *offered, size_t len, struct span *chosen,
                struct tls_failure *why)
{
    const unsigned char *p = NULL;
    unsigned char n = 0;

    *chosen = (struct span){ NULL, 0 };
    if (c->accepts.alpn_len == 0 || len == 0)
        return 0;
    sslerr_clear();
    if (notes_select_alpn(NULL, &p, &n, offered, (unsigned)len,
                          (void *)(uintptr_t)&c->accepts) != SSL_TLSEXT_ERR_OK)
        return refuse(c, why);
    *chosen = (struct span){ (const char *)p, n };
    return 0;
}

/* --- a client's file --- */

static X509 *leaf_of(const struct parts *p)
{
    for (size_t i = 0; i < p->ncerts; i++)
        if (p->certs[i].place == ENTRY_LEAF)
            return p->certs[i].x;
    return p->ncerts > 0 ? p->certs[0].x : NULL;
}

static bool take(const struct parts *p, struct peer_file *out)
{
    X509 *leaf = leaf_of(p);

    out->sent = sk_X509_new_null();
    if (leaf == NULL || out->sent == NULL)
        return false;
    for (size_t i = 0; i < p->ncerts; i++) {
        if (!sk_X509_push(out->sent, p->certs[i].x))
            return false;
        X509_up_ref(p->certs[i].x);
    }
    X509_up_ref(leaf);
    out->leaf = leaf;
    out->identity = identity_of(leaf);
    return out->identity != NULL;
}

int peer_file_read(const struct tls_input *in, const char *password, struct peer_file *out,
                   struct diags *d)
{
    struct passwords pw = { .store = password };
    struct parts p;
    int rc;

    *out = (struct peer_file){ 0 };
    rc = parts_read(in, PARTS_SHOW, &pw, &p, d);
    if (rc == 0 && p.ncerts == 0) {
        diag_add(d, DIAG_ERROR, in->where, NULL, "no certificate is in it");
        rc = -1;
    } else if (rc == 0 && !take(&p, out)) {
        diag_add(d, DIAG_ERROR, in->where, NULL, "its certificate cannot be read");
        rc = -1;
    }
    parts_free(&p);
    return rc;
}

void peer_file_free(struct peer_file *p)
{
    X509_free(p->leaf);
    sk_X509_pop_free(p->sent, X509_free);
    identity_free(p->identity);
    *p = (struct peer_file){ 0 };
}
