#include "tls/tls_stream.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tls/admission.h"
#include "tls/ticket.h"
#include "tls/tls_conn.h"
#include "tls/verify.h"

/* --- the BIO: OpenSSL's way to the socket --- */

static void remember(struct tls_conn *t, const char *p, size_t n)
{
    size_t room = FIRST_BYTES - t->nfirst, keep = n < room ? n : room;

    memcpy(t->first + t->nfirst, p, keep);
    t->nfirst = (uint8_t)(t->nfirst + keep);
    t->bytes_in += n;
}

static int bio_read(BIO *b, char *p, int cap)
{
    struct tls_conn *t = BIO_get_data(b);
    size_t n = 0;

    BIO_clear_retry_flags(b);
    /* A peer that sends nothing but records without data (key updates) would keep
       one SSL_read() busy for as long as it sends. The descriptor stays ready. */
    if (t->refills == 0) {
        BIO_set_retry_read(b);
        return -1;
    }
    t->refills--;
    switch (stream_recv(t->s, p, (size_t)cap, &n)) {
    case STREAM_OK:
        remember(t, p, n);
        return (int)n;
    case STREAM_AGAIN:
        BIO_set_retry_read(b);
        return -1;
    case STREAM_EOF:
        t->eof = true;
        return 0;
    default:
        return -1;
    }
}

static int bio_write(BIO *b, const char *p, int len)
{
    struct tls_conn *t = BIO_get_data(b);
    char alert[ADMISSION_ALERT_LEN];
    size_t n = 0;

    if (admission_alert(t->ssl, p, (size_t)len, alert))
        p = alert;
    BIO_clear_retry_flags(b);
    switch (stream_send(t->s, p, (size_t)len, &n)) {
    case STREAM_OK:
        return (int)n;
    case STREAM_AGAIN:
        BIO_set_retry_write(b);
        return -1;
    default:
        return -1;
    }
}

static long bio_ctrl(BIO *b, int cmd, long num, void *ptr)
{
    (void)b;
    (void)num;
    (void)ptr;
    /* BIO_CTRL_EOF is answered with "no" even at the end: else OpenSSL 3 makes a
       missing close_notify a fatal error and would not let us answer the peer. We
       know the end from tls_conn.eof. */
    return cmd == BIO_CTRL_FLUSH ? 1 : 0;
}

static BIO_METHOD *method;          /* made once, constant afterwards */
static CRYPTO_ONCE method_once = CRYPTO_ONCE_STATIC_INIT;

static void make_method(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream");

    if (m == NULL || !BIO_meth_set_read(m, bio_read) || !BIO_meth_set_write(m, bio_write)
        || !BIO_meth_set_ctrl(m, bio_ctrl)) {
        BIO_meth_free(m);
        return;
    }
    method = m;
}

static BIO *new_bio(struct tls_conn *t)
{
    BIO *b;

    if (!CRYPTO_THREAD_run_once(&method_once, make_method) || method == NULL)
        return NULL;
    b = BIO_new(method);
    if (b == NULL)
        return NULL;
    BIO_set_data(b, t);
    BIO_set_init(b, 1);
    return b;
}

/* --- the one wrapper's two halves: before a call, and after one that failed --- */

static struct tls_conn *before(struct stream *s)
{
    struct tls_conn *t = s->upper;

    ERR_clear_error();
    t->refills = REFILLS;
    return t;
}

static void record_failure(struct tls_conn *t, bool timed_out)
{
    struct tls_ending end = {
        .eof = t->eof,
        .sys_errno = t->s->sys_errno,
        .timed_out = timed_out,
        .refused = t->terms.refused,
        .asked = t->terms.asked,
        .bytes_in = t->bytes_in,
        .first = t->first,
        .nfirst = t->nfirst,
        .offer = t->offer,
    };

    if (t->failure == NULL)
        t->failure = calloc(1, sizeof(*t->failure));
    if (t->failure != NULL)
        failure_of(t->ssl, &end, t->failure);
    else
        ERR_clear_error();
}

/* OpenSSL calls only a close_notify of level "warning" one; the level means nothing in TLS 1.3
   (RFC 8446 6), and Java 21 sends another. A fatal alert would have left an error. */
static bool was_closed(const struct tls_conn *t)
{
    return SSL_is_init_finished(t->ssl) && ERR_peek_error() == 0
        && (SSL_get_shutdown(t->ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
}

static enum stream_io after(struct tls_conn *t, int rc)
{
    int error = SSL_get_error(t->ssl, rc);

    t->s->read_needs_room = error == SSL_ERROR_WANT_WRITE;
    switch (error) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return STREAM_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return STREAM_EOF;
    case SSL_ERROR_SYSCALL:
        if (was_closed(t))
            return STREAM_EOF;
        if (t->eof) {
            ERR_clear_error();
            return STREAM_CUT;
        }
        record_failure(t, false);
        return STREAM_ERROR;
    default:
        record_failure(t, false);
        return STREAM_ERROR;
    }
}

/* --- stream_ops --- */

static void keep_our_types(struct tls_conn *t)
{
    const X509 *ours = SSL_get_certificate(t->ssl);
    EVP_PKEY *key = ours != NULL ? X509_get0_pubkey(ours) : NULL;

    if (key == NULL)
        return;
    t->sig_nid = X509_get_signature_nid(ours);
    t->key_type = EVP_PKEY_get_base_id(key);
    t->key_bits = EVP_PKEY_get_bits(key);
}

static enum stream_io tls_handshake(struct stream *s)
{
    struct tls_conn *t = before(s);
    int rc = SSL_do_handshake(t->ssl);
    enum stream_io io;

    if (rc == 1 && t->terms.refused) {     /* it got no alert; it gets no further */
        record_failure(t, false);
        return STREAM_ERROR;
    }
    if (rc == 1 && t->dialled != NULL) {
        if (tls_conn_settle(t))
            return STREAM_OK;
        record_failure(t, false);
        return STREAM_ERROR;
    }
    if (rc == 1) {
        keep_our_types(t);
        SSL_certs_clear(t->ssl);        /* a connection may outlive many certificates */
        t->terms = (struct tls_terms){ 0 };
        return STREAM_OK;
    }
    io = after(t, rc);
    if (io == STREAM_CUT)
        record_failure(t, false);
    return io;
}

static enum stream_io tls_read(struct stream *s, void *p, size_t cap, size_t *n)
{
    struct tls_conn *t = before(s);
    int rc = SSL_read_ex(t->ssl, p, cap, n);

    if (rc == 1 && t->dialled != NULL)
        tls_conn_accepted(t);
    return rc == 1 ? STREAM_OK : after(t, rc);
}

static enum stream_io tls_write(struct stream *s, const void *p, size_t len, size_t *n)
{
    struct tls_conn *t = before(s);
    int rc = SSL_write_ex(t->ssl, p, len, n);

    if (rc == 1)
        return STREAM_OK;
    enum stream_io io = after(t, rc);
    /* A write has no clean end: the peer cannot take our bytes any more. */
    return io == STREAM_AGAIN ? io : STREAM_ERROR;
}

static enum stream_io tls_shut(struct stream *s)
{
    struct tls_conn *t = before(s);

    if (t->shut)
        return STREAM_OK;
    if (SSL_in_init(t->ssl)) {
        t->shut = true;         /* no handshake, so nothing to close */
        return STREAM_OK;
    }
    int rc = SSL_shutdown(t->ssl);
    if (rc >= 0) {
        t->shut = true;
        return STREAM_OK;
    }
    enum stream_io io = after(t, rc);
    return io == STREAM_AGAIN ? io : STREAM_ERROR;
}

void tls_conn_free(struct tls_conn *t)
{
    /* OpenSSL takes the session of a connection without a close_notify for a bad one, and marks
       it. That was for TLS 1.0 (RFC 5246 7.2.1); one that failed is bad still. */
    if (t->dialled != NULL && t->failure == NULL)
        SSL_set_shutdown(t->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(t->ssl);
    free(t->dialled);
    free(t->failure);
    free(t);
}

static void tls_free(struct stream *s)
{
    tls_conn_free(s->upper);
    s->upper = NULL;
}

static const struct stream_ops tls_ops = {
    .handshake = tls_handshake,
    .read = tls_read,
    .write = tls_write,
    .shut = tls_shut,
    .free = tls_free,
};

struct tls_conn *tls_conn_new(struct stream *s, SSL_CTX *ctx, const char *offer)
{
    struct tls_conn *t = calloc(1, sizeof(*t));
    BIO *bio = NULL;

    if (t == NULL)
        return NULL;
    t->s = s;
    t->offer = offer;
    ERR_clear_error();
    t->ssl = SSL_new(ctx);
    bio = t->ssl ? new_bio(t) : NULL;
    if (bio == NULL) {
        ERR_clear_error();
        tls_conn_free(t);
        return NULL;
    }
    SSL_set_bio(t->ssl, bio, bio);
    SSL_set_read_ahead(t->ssl, 1);
    terms_attach(t->ssl, &t->terms);
    return t;
}

void tls_conn_begin(struct tls_conn *t)
{
    t->s->upper = t;
    t->s->ops = &tls_ops;
}

int tls_stream_accept(struct stream *s, const struct tls_ctx *ctx, struct certs *certs,
                      const struct tls_terms *terms)
{
    struct tls_conn *t = tls_conn_new(s, ctx->ssl_ctx, ctx->offer);

    if (t == NULL)
        return -1;
    t->terms = *terms;
    if (SSL_set_session_id_context(t->ssl, terms->policy, DIGEST_LEN) != 1) {
        ERR_clear_error();
        tls_conn_free(t);
        return -1;
    }
    SSL_set_accept_state(t->ssl);
    if (ctx->tickets && terms->tickets != NULL)
        ticket_attach(t->ssl);
    if (certs_count(certs) > 1)
        SSL_set_cert_cb(t->ssl, certs_choose, certs);
    tls_conn_begin(t);
    return 0;
}

/* --- what the rest of the program may know --- */

static char *dup_bytes(const void *p, size_t n)
{
    char *copy = malloc(n + 1);

    if (copy != NULL) {
        memcpy(copy, p, n);
        copy[n] = '\0';
    }
    return copy;
}

static const char *group_name(SSL *ssl)
{
    int id = (int)SSL_get_negotiated_group(ssl);

    return id > 0 ? SSL_group_to_name(ssl, id) : NULL;
}

int tls_stream_facts(struct stream *s, struct tls_facts *out)
{
    struct tls_conn *t = before(s);
    const unsigned char *alpn;
    unsigned alpn_len;
    X509 *leaf = SSL_get0_peer_certificate(t->ssl);

    *out = (struct tls_facts){
        .version = SSL_get_version(t->ssl),
        .suite = SSL_get_cipher_name(t->ssl),
        .group = group_name(t->ssl),
        .resumed = SSL_session_reused(t->ssl) == 1,
    };
    SSL_get0_alpn_selected(t->ssl, &alpn, &alpn_len);
    if (alpn_len > 0 && (out->alpn = dup_bytes(alpn, alpn_len)) == NULL)
        goto fail;
    if (leaf != NULL && (out->identity = identity_of(leaf)) == NULL)
        goto fail;
    ERR_clear_error();
    return 0;
fail:
    tls_facts_free(out);
    return -1;
}

int tls_stream_tell(struct stream *s, struct tls_telling *out)
{
    struct tls_conn *t = before(s);
    X509 *leaf = SSL_get0_peer_certificate(t->ssl);
    const char *kind = t->key_type == EVP_PKEY_RSA || t->key_type == EVP_PKEY_RSA_PSS ? "RSA"
                     : t->key_type == EVP_PKEY_EC                                     ? "EC"
                     : t->key_type != 0 ? OBJ_nid2sn(t->key_type) : NULL;
    int len;

    *out = (struct tls_telling){ 0 };
    if (t->sig_nid != 0)
        out->sig_alg = OBJ_nid2sn(t->sig_nid);
    if (kind != NULL) {
        snprintf(out->room, sizeof(out->room), "%s%d", kind, t->key_bits);
        out->key_alg = out->room;
    }
    len = leaf != NULL ? i2d_X509(leaf, &out->cert) : 0;
    out->cert_len = len > 0 ? (size_t)len : 0;
    ERR_clear_error();
    return len < 0 ? -1 : 0;
}

int tls_stream_verify(struct stream *s, const struct tls_ctx *ctx, struct tls_failure *why)
{
    struct tls_conn *t = before(s);

    return verify_client_again(ctx, SSL_get0_peer_certificate(t->ssl),
                               SSL_get_peer_cert_chain(t->ssl), why);
}

void tls_telling_free(struct tls_telling *t)
{
    OPENSSL_free(t->cert);
    t->cert = NULL;
}

void tls_facts_free(struct tls_facts *f)
{
    free(f->alpn);
    identity_free(f->identity);
    *f = (struct tls_facts){ 0 };
}

const struct tls_failure *tls_stream_failure(struct stream *s, bool timed_out)
{
    static const struct tls_failure no_memory = {
        .cause = TLS_CAUSE_INTERNAL, .name = "internal", .side = SIDE_US, .text = "memory is out",
    };
    struct tls_conn *t = s->upper;

    if (t->failure == NULL) {
        ERR_clear_error();
        record_failure(t, timed_out);
    }
    return t->failure ? t->failure : &no_memory;
}

uint64_t tls_stream_bytes_in(const struct stream *s)
{
    const struct tls_conn *t = s->upper;

    return t != NULL ? t->bytes_in : 0;
}
