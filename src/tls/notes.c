#include "tls/notes.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/str.h"
#include "tls/admission.h"
#include "tls/certinfo.h"
#include "tls/policy.h"
#include "tls/revocation.h"
#include "tls/suites.h"

/* Reasons of ours in ERR_LIB_USER: the kind from here up, the detail below. */
#define KIND(k) ((k) << 12)

enum note note_kind(unsigned long code, int *detail)
{
    int reason = ERR_GET_REASON(code);

    if (code == 0 || ERR_GET_LIB(code) != ERR_LIB_USER || (reason >> 12) > NOTE_PIN)
        return NOTE_NONE;
    *detail = reason & 0xfff;
    return (enum note)(reason >> 12);
}

static void leave(enum note kind, int detail, const char *text)
{
    ERR_raise_data(ERR_LIB_USER, KIND((int)kind) | detail, "%s", text);
}

/* --- the peer's certificate --- */

static void dates_text(const X509 *x, int error, char *out, size_t cap)
{
    bool future = error == X509_V_ERR_CERT_NOT_YET_VALID;
    int64_t t = time_of(future ? X509_get0_notBefore(x) : X509_get0_notAfter(x));
    char date[DATE_TEXT_MAX], distance[DATE_TEXT_MAX];

    distance_text(t, time(NULL), distance);
    date_text(t, date);
    if (future)
        snprintf(out, cap, "from %s, %s", date, distance);
    else
        snprintf(out, cap, "%s (%s)", distance, date);
}

/* OpenSSL finds no issuer for a certificate whose extensions it cannot read, and says just that. */
static int error_of(X509_STORE_CTX *store, X509 *x)
{
    if (X509_STORE_CTX_get_error(store) == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY
        && (X509_get_extension_flags(x) & EXFLAG_INVALID) != 0)
        X509_STORE_CTX_set_error(store, X509_V_ERR_INVALID_EXTENSION);
    return X509_STORE_CTX_get_error(store);
}

/* Without a connection it is a client that is asked about (verify.h). */
static bool is_server(const X509_STORE_CTX *store)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());

    return ssl != NULL && !SSL_is_server(ssl);
}

static void note_verify(X509 *x, int error, const char *who, const char *dates)
{
    char issuer[CERT_TEXT_MAX], names[CERT_TEXT_MAX], text[4 * CERT_TEXT_MAX + 256];

    snprintf(text, sizeof(text), "%s%c%s%c%s%c%s%c%s", who, NOTE_DIVIDER, cert_issuer(x, issuer),
             NOTE_DIVIDER, dates, NOTE_DIVIDER, X509_verify_cert_error_string(error & 0x3ff),
             NOTE_DIVIDER, cert_dialled_names(x, names));
    leave(NOTE_VERIFY, error, text);
}

int notes_verify(int ok, X509_STORE_CTX *store)
{
    X509 *x = X509_STORE_CTX_get_current_cert(store), *leaf = X509_STORE_CTX_get0_cert(store);
    int error = X509_STORE_CTX_get_error(store), depth = X509_STORE_CTX_get_error_depth(store);
    bool server = is_server(store);
    const char *kind = server ? "server" : "client";
    char name[CERT_TEXT_MAX], below[CERT_TEXT_MAX], dates[96] = "", who[2 * CERT_TEXT_MAX + 64];

    if (ok || revocation_spares(store))
        return !server && depth == 0 && error == X509_V_OK ? admission_judge(store) : 1;
    if (x == NULL)
        x = leaf;
    if (x == NULL)
        return ok;
    error = error_of(store, x);
    cert_subject(x, name);
    if (!revocation_when(store, x, dates, sizeof(dates)))
        dates_text(x, error, dates, sizeof(dates));
    if (depth > 0 && leaf != NULL)
        snprintf(who, sizeof(who), "CA certificate %s above %s certificate %s", name, kind,
                 cert_subject(leaf, below));
    else
        snprintf(who, sizeof(who), "%s certificate %s", kind, name);
    note_verify(x, (error & 0x3ff) | (depth > 0 ? NOTE_ABOVE_LEAF : 0), who, dates);
    return ok;
}

void notes_expired(X509 *x)
{
    char name[CERT_TEXT_MAX], dates[96], who[CERT_TEXT_MAX + 32];

    dates_text(x, X509_V_ERR_CERT_HAS_EXPIRED, dates, sizeof(dates));
    snprintf(who, sizeof(who), "server certificate %s", cert_subject(x, name));
    note_verify(x, X509_V_ERR_CERT_HAS_EXPIRED, who, dates);
}

void notes_pin(X509 *x, const char *pin)
{
    char name[CERT_TEXT_MAX], text[CERT_TEXT_MAX + 128];

    snprintf(text, sizeof(text), "server certificate %s%c%s", cert_subject(x, name), NOTE_DIVIDER,
             pin);
    leave(NOTE_PIN, 0, text);
}

/* --- versions --- */

static unsigned version_bit(unsigned number)
{
    switch (number) {
    case TLS1_VERSION:
        return TLS_V10;
    case TLS1_1_VERSION:
        return TLS_V11;
    case TLS1_2_VERSION:
        return TLS_V12;
    case TLS1_3_VERSION:
        return TLS_V13;
    default:
        return 0;               /* SSL 3.0, drafts, and GREASE (RFC 8701) */
    }
}

/* RFC 8446 4.2.1: with the extension its list is the whole truth, without it the
   old field is the greatest of a range that has no lower end. */
static unsigned offered(SSL *ssl, bool *listed)
{
    const unsigned char *p;
    size_t len;
    unsigned set = 0, legacy;

    *listed = SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_supported_versions, &p, &len) == 1;
    if (*listed) {
        for (size_t i = 1; i + 1 < len; i += 2)
            set |= version_bit((unsigned)p[i] << 8 | p[i + 1]);
        return set;
    }
    legacy = SSL_client_hello_get0_legacy_version(ssl);
    for (unsigned v = TLS1_VERSION; v <= TLS1_2_VERSION && v <= legacy; v++)
        set |= version_bit(v);
    return set;
}

int notes_client_hello(SSL *ssl, int *alert, void *arg)
{
    const struct notes_offer *ours = arg;
    bool listed;
    unsigned set = offered(ssl, &listed), top = 0;
    char text[VERSIONS_TEXT_MAX + 16];

    if (set & ours->versions)
        return SSL_CLIENT_HELLO_SUCCESS;
    for (unsigned bit = TLS_V10; bit <= TLS_V13; bit <<= 1)
        if (set & bit)
            top = bit;
    if (set == 0)
        snprintf(text, sizeof(text), listed ? "no known version" : "at most SSL 3.0");
    else if (listed || set == TLS_V10)
        versions_text(set, text, sizeof(text));
    else
        versions_text(top, text + snprintf(text, sizeof(text), "at most "),
                      sizeof(text) - sizeof("at most "));
    leave(NOTE_VERSION, 0, text);
    *alert = SSL_AD_PROTOCOL_VERSION;
    return SSL_CLIENT_HELLO_ERROR;
}

/* --- ALPN --- */

static void note_alpn(const unsigned char *in, unsigned inlen)
{
    char text[128] = "";
    size_t len = 0;

    for (unsigned i = 0; i < inlen && len + 8 < sizeof(text); i += 1u + in[i]) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s", i > 0 ? ", " : "");
        str_escape(text + len, sizeof(text) - len,
                   (struct span){ (const char *)in + i + 1, in[i] });
        len += strlen(text + len);
    }
    leave(NOTE_ALPN, 0, text);
}

int notes_select_alpn(SSL *ssl, const unsigned char **out, unsigned char *outlen,
                      const unsigned char *in, unsigned inlen, void *arg)
{
    const struct notes_offer *ours = arg;

    (void)ssl;
    for (unsigned i = 0; i < ours->alpn_len; i += 1u + ours->alpn[i]) {
        for (unsigned k = 0; k < inlen; k += 1u + in[k]) {
            if (in[k] == ours->alpn[i] && memcmp(in + k + 1, ours->alpn + i + 1, in[k]) == 0) {
                *out = ours->alpn + i + 1;
                *outlen = ours->alpn[i];
                return SSL_TLSEXT_ERR_OK;
            }
        }
    }
    note_alpn(in, inlen);
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}
