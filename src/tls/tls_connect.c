/* The client's part of a TLS stream: whom it dials, what it resumes by. */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509_vfy.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/addr.h"
#include "tls/certinfo.h"
#include "tls/client.h"
#include "tls/notes.h"
#include "tls/tls_conn.h"
#include "tls/tls_stream.h"

/* --- sessions --- */

/* SSL_CTX_sess_set_new_cb(): in TLS 1.3 a ticket comes whenever the server likes. */
static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls_conn *t = BIO_get_data(SSL_get_rbio(ssl));
    struct tls_dialled *d = t->dialled;

    if (d->until == 0)          /* TLS 1.2: it comes just before the end of the handshake */
        d->until = sessions_until(ssl, (int64_t)time(NULL), SESSIONS_AGE_MAX);
    if (d->sessions == NULL || t->terms.refused || SSL_SESSION_is_resumable(session) != 1)
        return 0;
    tls_sessions_put(d->sessions, d->key, session, d->until);
    return 1;
}

void tls_connect_prepare(SSL_CTX *ctx)
{
    SSL_CTX_sess_set_new_cb(ctx, keep_session);
}

/* With its length, so that no two places come to the same bytes. */
static bool add(EVP_MD_CTX *md, const void *p, size_t n)
{
    return EVP_DigestUpdate(md, &n, sizeof(n)) == 1 && EVP_DigestUpdate(md, p, n) == 1;
}

/* A NULL is not "". */
static bool add_text(EVP_MD_CTX *md, const char *text)
{
    return text == NULL ? add(md, "", 0) : add(md, text, strlen(text) + 1);
}

/* 0, or -1 when memory is out: this is no place to end the worker (digest.h). */
static int find_place(struct tls_dialled *d, const struct tls_dial *dial)
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool ok = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1
           && add(md, dial->policy, DIGEST_LEN) && add(md, d->ctx->id, DIGEST_LEN)
           && add_text(md, dial->server) && add_text(md, dial->name) && add_text(md, dial->sni)
           && EVP_DigestFinal_ex(md, d->key, NULL) == 1;

    EVP_MD_CTX_free(md);
    return ok ? 0 : -1;
}

static void offer_session(struct tls_conn *t)
{
    struct tls_dialled *d = t->dialled;
    int64_t until = 0;
    SSL_SESSION *s = tls_sessions_take(d->sessions, d->key, (int64_t)time(NULL), &until);

    if (s != NULL && SSL_set_session(t->ssl, s) == 1)
        d->until = until;
    SSL_SESSION_free(s);
}

bool tls_conn_settle(struct tls_conn *t)
{
    struct tls_dialled *d = t->dialled;
    int64_t now = (int64_t)time(NULL);
    X509 *leaf = SSL_get0_peer_certificate(t->ssl);

    if (SSL_session_reused(t->ssl) != 1) {
        d->until = sessions_until(t->ssl, now, SESSIONS_AGE_MAX);
        return true;
    }
    if (d->ctx->verify != TLS_VERIFY_OFF && leaf != NULL
        && time_of(X509_get0_notAfter(leaf)) < now) {
        notes_expired(leaf);
        return false;
    }
    return tls_client_judge(d->ctx, t->ssl, leaf);
}

void tls_conn_accepted(struct tls_conn *t)
{
    if (t->dialled->accepted)
        return;
    t->dialled->accepted = true;
    SSL_certs_clear(t->ssl);    /* a connection may outlive many certificates */
}

/* --- the connection --- */

/* Of no name, or an empty one, OpenSSL would take every certificate's; and with a dot at its
   beginning every one below it. */
static int expect_name(SSL *ssl, const char *name)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

    if (name == NULL || name[0] == '\0' || name[0] == '.')
        return 0;
    return addr_is_ip(name) ? X509_VERIFY_PARAM_set1_ip_asc(param, name)
                            : X509_VERIFY_PARAM_set1_host(param, name, 0);
}

/* SSL_set_tlsext_host_name(), but for its cast. */
static long ask_for(SSL *ssl, const char *name)
{
    return SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                    (void *)(uintptr_t)name);
}

int tls_stream_connect(struct stream *s, const struct tls_client *c, const struct tls_dial *dial)
{
    struct tls_conn *t = tls_conn_new(s, c->ssl_ctx, c->offer);

    if (t == NULL)
        return -1;
    t->dialled = calloc(1, sizeof(*t->dialled));
    if (t->dialled == NULL
        || (dial->sni != NULL && ask_for(t->ssl, dial->sni) != 1)
        || (c->verify == TLS_VERIFY_FULL && expect_name(t->ssl, dial->name) != 1)) {
        ERR_clear_error();
        tls_conn_free(t);
        return -1;
    }
    t->dialled->ctx = c;
    t->dialled->sessions = dial->sessions;
    t->terms = (struct tls_terms){ .policy = dial->policy, .admit = dial->admit, .arg = dial->arg };
    SSL_set_connect_state(t->ssl);
    if (dial->sessions != NULL && find_place(t->dialled, dial) == 0)
        offer_session(t);
    else
        t->dialled->sessions = NULL;
    tls_conn_begin(t);
    return 0;
}
