#include "tls/rehearsal.h"

#include <openssl/bio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "tls/sslerr.h"

#define ROUNDS 16               /* a handshake has three, a HelloRetryRequest one more */

/* Those of the context, and beside them what clients have: up to TLS 1.2 the curve of the
   certificate's key must be among them, too. */
static bool set_groups(SSL_CTX *ctx, const char *groups)
{
    static const char *const usual[] = { "X25519", "P-256", "P-384", "P-521", "X448" };
    char *list, *longer;
    bool ok;

    if (groups == NULL)
        return true;
    list = mem_strdup(groups);
    for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++) {
        longer = mem_printf("%s:%s", list, usual[i]);
        if (SSL_CTX_set1_groups_list(ctx, longer) == 1) {
            free(list);
            list = longer;
        } else {
            free(longer);       /* it is there, perhaps by another name */
        }
    }
    ok = SSL_CTX_set1_groups_list(ctx, list) == 1;
    free(list);
    return ok;
}

/* Whatever a server of ours may be told to speak. */
static SSL_CTX *client_for(const struct tls_ctx *c)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    if (ctx == NULL)
        return NULL;
    SSL_CTX_set_security_level(ctx, 0);
    if (SSL_CTX_set_min_proto_version(ctx, SSL_CTX_get_min_proto_version(c->ssl_ctx)) != 1
        || SSL_CTX_set_max_proto_version(ctx, SSL_CTX_get_max_proto_version(c->ssl_ctx)) != 1
        || SSL_CTX_set_cipher_list(ctx, "ALL") != 1
        || SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
                                         "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_CCM_SHA256:"
                                         "TLS_AES_128_CCM_8_SHA256") != 1
        || !set_groups(ctx, c->groups)) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

static bool connect_both(SSL *server, SSL *client)
{
    BIO *ours, *theirs;

    if (server == NULL || client == NULL || BIO_new_bio_pair(&ours, 0, &theirs, 0) != 1)
        return false;
    SSL_set_bio(server, ours, ours);
    SSL_set_bio(client, theirs, theirs);
    SSL_set_verify(server, SSL_VERIFY_NONE, NULL);
    SSL_set_accept_state(server);
    SSL_set_connect_state(client);
    return true;
}

/* Turn by turn; false when one of them gives up, or they do not come to an end. */
static bool shake_hands(SSL *server, SSL *client)
{
    for (int i = 0; i < ROUNDS; i++) {
        SSL *both[] = { client, server };
        for (int k = 0; k < 2; k++) {
            int rc = SSL_do_handshake(both[k]);
            int error = rc == 1 ? SSL_ERROR_NONE : SSL_get_error(both[k], rc);
            if (error != SSL_ERROR_NONE && error != SSL_ERROR_WANT_READ
                && error != SSL_ERROR_WANT_WRITE)
                return false;
        }
        if (SSL_is_init_finished(client) && SSL_is_init_finished(server))
            return true;
    }
    return false;
}

int rehearse(const struct tls_ctx *c, struct err *e)
{
    SSL_CTX *ctx = client_for(c);
    SSL *client = ctx != NULL ? SSL_new(ctx) : NULL, *server = SSL_new(c->ssl_ctx);
    char why[128];
    int rc = 0;

    sslerr_clear();
    if (!connect_both(server, client) || !shake_hands(server, client))
        rc = err_setx(e, "a handshake with ourselves fails: %s", sslerr_text(why, sizeof(why)));
    SSL_free(client);
    SSL_free(server);
    SSL_CTX_free(ctx);
    sslerr_clear();
    return rc;
}
