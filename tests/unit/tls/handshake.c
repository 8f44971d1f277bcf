#include "handshake.h"

#include <criterion/criterion.h>
#include <openssl/err.h>
#include <string.h>

#include "tls/digest.h"
#include "tls/ticket.h"

struct tls_policy policy(void)
{
    return (struct tls_policy){ .versions = TLS_V12 | TLS_V13, .depth = 5, .tickets = true };
}

struct tls_ctx *server_ctx(const struct tls_policy *p, struct keypair *const *certs, size_t n)
{
    struct diags d = { 0 };
    struct tls_ctx *c = tls_ctx_new(p, certs, n, &d);

    diags_print(&d, stderr);
    cr_assert_not_null(c);
    cr_assert_eq(d.n, 0);
    diags_free(&d);
    return c;
}

SSL_CTX *client_ctx(int min, int max)
{
    SSL_CTX *c = SSL_CTX_new(TLS_client_method());

    cr_assert_not_null(c);
    if ((min != 0 && min < TLS1_2_VERSION) || (max != 0 && max < TLS1_2_VERSION))
        SSL_CTX_set_security_level(c, 0);
    cr_assert(SSL_CTX_set_min_proto_version(c, min));
    cr_assert(SSL_CTX_set_max_proto_version(c, max));
    return c;
}

void client_trusts(SSL_CTX *c, X509 *anchor)
{
    cr_assert_eq(X509_STORE_add_cert(SSL_CTX_get_cert_store(c), anchor), 1);
    SSL_CTX_set_verify(c, SSL_VERIFY_PEER, NULL);
}

void client_has(SSL_CTX *c, const struct made *cert)
{
    cr_assert_eq(SSL_CTX_use_cert_and_key(c, cert->x, cert->key, NULL, 1), 1);
}

static BIO *mem_bio(void)
{
    BIO *b = BIO_new(BIO_s_mem());

    BIO_set_mem_eof_return(b, -1);
    return b;
}

/* The first bytes are those that were read, which is not all that came. */
static long remember(BIO *b, int oper, const char *p, size_t len, int argi, long argl, int ret,
                     size_t *processed)
{
    struct meeting *m = (struct meeting *)BIO_get_callback_arg(b);
    size_t n = ret > 0 && oper == (BIO_CB_READ | BIO_CB_RETURN) ? *processed : 0;
    size_t room = sizeof(m->first) - m->nfirst, keep = n < room ? n : room;

    (void)len;
    (void)argi;
    (void)argl;
    if (keep > 0)
        memcpy(m->first + m->nfirst, p, keep);
    m->nfirst += keep;
    return ret;
}

static struct ticket_ring *shared_ring(void)
{
    static const uint8_t secret[TICKET_SECRET_LEN] = "the tests' own";
    static struct ticket_ring *ring;

    if (ring == NULL) {
        ring = ticket_ring_new();
        cr_assert_not_null(ring);
        ticket_ring_set(ring, secret, 1);
    }
    return ring;
}

static void attach(struct meeting *m)
{
    static const uint8_t policy[DIGEST_LEN] = "any";

    m->terms = (struct tls_terms){ .policy = policy, .tickets = shared_ring() };
    terms_attach(m->server, &m->terms);
    SSL_set_session_id_context(m->server, policy, sizeof(policy));
    if (m->ctx->tickets)
        ticket_attach(m->server);
}

void meet(struct meeting *m, const struct tls_ctx *server, SSL_CTX *client)
{
    BIO *in = mem_bio();

    *m = (struct meeting){ .ctx = server };
    BIO_set_callback_ex(in, remember);
    BIO_set_callback_arg(in, (char *)m);
    m->server = SSL_new(server->ssl_ctx);
    SSL_set_bio(m->server, in, mem_bio());
    SSL_set_accept_state(m->server);
    attach(m);
    if (client != NULL) {
        m->client = SSL_new(client);
        SSL_set_bio(m->client, mem_bio(), mem_bio());
        SSL_set_connect_state(m->client);
    }
}

void meet_bytes(struct meeting *m, const void *p, size_t n)
{
    m->bytes_in += n;
    BIO_write(SSL_get_rbio(m->server), p, (int)n);
}

static bool to_server(struct meeting *m)
{
    char buf[4096];
    int n;
    bool moved = false;

    if (m->client == NULL || m->stop_client)
        return false;
    while ((n = BIO_read(SSL_get_wbio(m->client), buf, sizeof(buf))) > 0) {
        meet_bytes(m, buf, (size_t)n);
        moved = true;
    }
    return moved;
}

static bool to_client(struct meeting *m)
{
    char buf[4096];
    int n;
    bool moved = false;

    while ((n = BIO_read(SSL_get_wbio(m->server), buf, sizeof(buf))) > 0) {
        if (m->client != NULL)
            BIO_write(SSL_get_rbio(m->client), buf, n);
        moved = true;
    }
    return moved;
}

static void classify(struct meeting *m, bool eof, int sys_errno, bool timed_out)
{
    struct tls_ending end = {
        .eof = eof, .sys_errno = sys_errno, .timed_out = timed_out, .bytes_in = m->bytes_in,
        .first = m->first, .nfirst = m->nfirst, .offer = m->ctx->offer,
    };

    failure_of(m->server, &end, &m->failure);
    cr_assert_eq(ERR_peek_error(), 0, "the queue is left empty");
    cr_assert_gt(strlen(m->failure.text), 0);
    cr_assert_null(strchr(m->failure.text, '\n'));
    cr_assert_null(strchr(m->failure.text, '{'));
    cr_assert_not_null(m->failure.name);
}

bool meet_run(struct meeting *m)
{
    int sdone = 0, cdone = m->client == NULL;

    for (int i = 0; i < 50; i++) {
        bool moved = false;
        if (m->client != NULL && cdone != 1)
            cdone = SSL_do_handshake(m->client);
        moved |= to_server(m);
        if (sdone != 1) {
            ERR_clear_error();
            sdone = SSL_do_handshake(m->server);
            if (sdone != 1 && SSL_get_error(m->server, sdone) != SSL_ERROR_WANT_READ) {
                classify(m, false, 0, false);
                to_client(m);
                return false;
            }
        }
        moved |= to_client(m);
        if (sdone == 1 && cdone == 1) {
            /* TLS 1.3: the ticket is on its way */
            char byte;
            if (m->client != NULL && !moved)
                SSL_read(m->client, &byte, 1);
            m->secured = m->client != NULL;
        }
        if (!moved)
            break;
    }
    ERR_clear_error();
    return true;
}

void meet_end(struct meeting *m, bool eof, int sys_errno, bool timed_out)
{
    if (eof) {
        BIO_set_mem_eof_return(SSL_get_rbio(m->server), 0);
        ERR_clear_error();
        SSL_do_handshake(m->server);
    } else {
        ERR_clear_error();
    }
    classify(m, eof, sys_errno, timed_out);
}

void meet_free(struct meeting *m)
{
    SSL_free(m->server);
    SSL_free(m->client);
    ERR_clear_error();
}
