#include "tls/admission.h"

#include <openssl/x509_vfy.h>
#include <string.h>

#include "tls/identity.h"
#include "tls/terms.h"

/* In the range for private use of RFC 8447; it never gets onto the wire. */
#define EXTENSION 0xff5a

static int fail_ticket(SSL *ssl, unsigned type, unsigned context, const unsigned char **out,
                       size_t *len, X509 *x, size_t index, int *alert, void *arg)
{
    const struct tls_terms *t = terms_of(ssl);

    (void)type;
    (void)context;
    (void)out;
    (void)len;
    (void)x;
    (void)index;
    (void)arg;
    if (t == NULL || !t->refused)
        return 0;
    *alert = SSL_AD_ACCESS_DENIED;
    return -1;
}

int admission_prepare(SSL_CTX *ctx)
{
    return SSL_CTX_add_custom_ext(ctx, EXTENSION, SSL_EXT_TLS1_3_NEW_SESSION_TICKET, fail_ticket,
                                  NULL, NULL, NULL, NULL) == 1 ? 0 : -1;
}

static bool admits(const struct tls_terms *t, X509 *leaf)
{
    struct identity *who = identity_of(leaf);
    bool yes = who != NULL && t->admit(t->arg, who);

    identity_free(who);
    return yes;
}

int admission_judge(X509_STORE_CTX *store)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls_terms *t = ssl != NULL ? terms_of(ssl) : NULL;

    if (t == NULL || t->admit == NULL || admits(t, X509_STORE_CTX_get0_cert(store)))
        return 1;
    t->refused = true;
    if (SSL_version(ssl) >= TLS1_3_VERSION && SSL_set_num_tickets(ssl, 1) == 1)
        return 1;
    X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
    return 0;
}

bool admission_alert(const SSL *ssl, const char *p, size_t len, char out[ADMISSION_ALERT_LEN])
{
    static const char head[] = { 21, 3 };
    const struct tls_terms *t = terms_of(ssl);

    if (t == NULL || !t->refused || len != ADMISSION_ALERT_LEN || SSL_version(ssl) >= TLS1_3_VERSION
        || memcmp(p, head, sizeof(head)) != 0 || p[6] != SSL_AD_HANDSHAKE_FAILURE)
        return false;
    memcpy(out, p, ADMISSION_ALERT_LEN);
    out[6] = SSL_AD_ACCESS_DENIED;
    return true;
}
