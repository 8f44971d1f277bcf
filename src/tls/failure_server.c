#include "tls/failure_server.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include "tls/failure_map.h"
#include "tls/guess.h"

static const struct mapped reasons[] = {
    { SSL_R_UNSUPPORTED_PROTOCOL, TLS_CAUSE_SERVER_VERSION },
    { SSL_R_WRONG_SSL_VERSION, TLS_CAUSE_SERVER_VERSION },
    { SSL_R_VERSION_TOO_LOW, TLS_CAUSE_SERVER_VERSION },
    { SSL_R_VERSION_TOO_HIGH, TLS_CAUSE_SERVER_VERSION },
    { SSL_R_CERTIFICATE_VERIFY_FAILED, TLS_CAUSE_SERVER_CERT_OTHER },
    { SSL_R_BAD_SIGNATURE, TLS_CAUSE_SERVER_KEY },
    { SSL_R_EE_KEY_TOO_SMALL, TLS_CAUSE_SERVER_CERT_WEAK },
    { ERR_R_MALLOC_FAILURE, TLS_CAUSE_INTERNAL },
    { ERR_R_INTERNAL_ERROR, TLS_CAUSE_INTERNAL },
};

static const struct mapped alerts[] = {
    { SSL_AD_PROTOCOL_VERSION, TLS_CAUSE_SERVER_VERSION },
    { SSL_AD_HANDSHAKE_FAILURE, TLS_CAUSE_SERVER_HANDSHAKE },
    { SSL_AD_INSUFFICIENT_SECURITY, TLS_CAUSE_SERVER_HANDSHAKE },
    { SSL_AD_NO_APPLICATION_PROTOCOL, TLS_CAUSE_SERVER_ALPN },
    { SSL_AD_UNRECOGNIZED_NAME, TLS_CAUSE_SERVER_NAME },
    { TLS13_AD_CERTIFICATE_REQUIRED, TLS_CAUSE_SERVER_WANTS_CERT },
    { SSL_AD_UNKNOWN_CA, TLS_CAUSE_SERVER_UNKNOWN_CA },
    { SSL_AD_BAD_CERTIFICATE, TLS_CAUSE_SERVER_REJECTS },
    { SSL_AD_CERTIFICATE_UNKNOWN, TLS_CAUSE_SERVER_REJECTS },
    { SSL_AD_UNSUPPORTED_CERTIFICATE, TLS_CAUSE_SERVER_REJECTS },
    { SSL_AD_CERTIFICATE_REVOKED, TLS_CAUSE_SERVER_REJECTS },
    { SSL_AD_CERTIFICATE_EXPIRED, TLS_CAUSE_SERVER_REJECTS },
    { SSL_AD_ACCESS_DENIED, TLS_CAUSE_SERVER_DENIES },
};

static const struct mapped verifications[] = {
    { X509_V_ERR_CERT_HAS_EXPIRED, TLS_CAUSE_SERVER_CERT_EXPIRED },
    { X509_V_ERR_CERT_NOT_YET_VALID, TLS_CAUSE_SERVER_CERT_EARLY },
    { X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, TLS_CAUSE_SERVER_CERT_ISSUER },
    { X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, TLS_CAUSE_SERVER_CERT_ISSUER },
    { X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, TLS_CAUSE_SERVER_CERT_ISSUER },
    { X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, TLS_CAUSE_SERVER_CERT_ISSUER },
    { X509_V_ERR_CERT_UNTRUSTED, TLS_CAUSE_SERVER_CERT_ISSUER },
    { X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, TLS_CAUSE_SERVER_CERT_SELF },
    { X509_V_ERR_HOSTNAME_MISMATCH, TLS_CAUSE_SERVER_CERT_NAME },
    { X509_V_ERR_IP_ADDRESS_MISMATCH, TLS_CAUSE_SERVER_CERT_NAME },
    { X509_V_ERR_INVALID_PURPOSE, TLS_CAUSE_SERVER_CERT_PURPOSE },
    { X509_V_ERR_INVALID_CA, TLS_CAUSE_SERVER_CERT_NO_CA },
    { X509_V_ERR_KEYUSAGE_NO_CERTSIGN, TLS_CAUSE_SERVER_CERT_NO_CA },
    { X509_V_ERR_CERT_REVOKED, TLS_CAUSE_SERVER_CERT_REVOKED },
    { X509_V_ERR_UNABLE_TO_GET_CRL, TLS_CAUSE_CRL_MISSING },
    { X509_V_ERR_CRL_HAS_EXPIRED, TLS_CAUSE_CRL_EXPIRED },
    { X509_V_ERR_CRL_NOT_YET_VALID, TLS_CAUSE_CRL_EARLY },
    { X509_V_ERR_CRL_SIGNATURE_FAILURE, TLS_CAUSE_CRL_UNUSABLE },
    { X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER, TLS_CAUSE_CRL_UNUSABLE },
    { X509_V_ERR_KEYUSAGE_NO_CRL_SIGN, TLS_CAUSE_CRL_UNUSABLE },
    { X509_V_ERR_DIFFERENT_CRL_SCOPE, TLS_CAUSE_CRL_UNUSABLE },
    { X509_V_ERR_UNHANDLED_CRITICAL_CRL_EXTENSION, TLS_CAUSE_CRL_UNUSABLE },
    { X509_V_ERR_CERT_SIGNATURE_FAILURE, TLS_CAUSE_SERVER_CERT_SIGNATURE },
    { X509_V_ERR_CERT_CHAIN_TOO_LONG, TLS_CAUSE_SERVER_CERT_CHAIN },
    { X509_V_ERR_PATH_LENGTH_EXCEEDED, TLS_CAUSE_SERVER_CERT_CHAIN },
    { X509_V_ERR_EE_KEY_TOO_SMALL, TLS_CAUSE_SERVER_CERT_WEAK },
    { X509_V_ERR_CA_KEY_TOO_SMALL, TLS_CAUSE_SERVER_CERT_WEAK },
    { X509_V_ERR_CA_MD_TOO_WEAK, TLS_CAUSE_SERVER_CERT_WEAK },
};

/* It has asked for a certificate, and we sent an empty list. */
static bool sent_none(const struct scene *s)
{
    return s->end->asked && SSL_get_certificate(s->ssl) == NULL;
}

/* Servers have many words for a certificate that they miss: only TLS 1.3 has one for it. */
static enum tls_cause from_alert(const struct scene *s)
{
    switch (s->alert) {
    case SSL_AD_HANDSHAKE_FAILURE:
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_ACCESS_DENIED:
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_DECODE_ERROR:       /* GnuTLS, of an empty list */
        if (sent_none(s))
            return TLS_CAUSE_SERVER_WANTS_CERT;
        break;
    default:
        break;
    }
    return LOOK_UP(alerts, s->alert, TLS_CAUSE_SERVER_ALERT);
}

static bool hello_was_answered(const SSL *ssl)
{
    OSSL_HANDSHAKE_STATE state = SSL_get_state(ssl);

    return state != TLS_ST_BEFORE && state != TLS_ST_CW_CLNT_HELLO;
}

static enum tls_cause from_first_bytes(struct scene *s)
{
    scene_first_bytes(s);
    switch (guess_protocol(s->first, s->nfirst, &s->protocol)) {
    case GUESS_NAMED:
        return TLS_CAUSE_SERVER_PLAINTEXT;
    case GUESS_NOTHING:
    case GUESS_TLS:
        return TLS_CAUSE_COUNT;
    default:
        return TLS_CAUSE_SERVER_NOT_TLS;
    }
}

static enum tls_cause from_ending(const struct scene *s)
{
    const struct tls_ending *end = s->end;

    if (end->timed_out)
        return end->bytes_in == 0 ? TLS_CAUSE_SERVER_SILENT : TLS_CAUSE_SERVER_TIMEOUT;
    if ((end->eof || end->sys_errno == ECONNRESET || end->sys_errno == EPIPE) && sent_none(s))
        return TLS_CAUSE_SERVER_WANTS_CERT;
    if (end->sys_errno == ECONNRESET || end->sys_errno == EPIPE)
        return TLS_CAUSE_SERVER_RESET;
    if (end->sys_errno != 0)
        return TLS_CAUSE_SERVER_SYSTEM;
    if (end->eof || (SSL_get_shutdown(s->ssl) & SSL_RECEIVED_SHUTDOWN) != 0)
        return TLS_CAUSE_SERVER_CLOSED;
    return s->code != 0 ? TLS_CAUSE_SERVER_PROTOCOL : TLS_CAUSE_INTERNAL;
}

enum tls_cause failure_server_cause(struct scene *s)
{
    enum tls_cause cause = TLS_CAUSE_COUNT;

    if (s->end->refused)
        return TLS_CAUSE_SERVER_DENIED;
    if (s->note == NOTE_PIN)
        return TLS_CAUSE_SERVER_CERT_PIN;
    if (s->note == NOTE_VERIFY)
        return LOOK_UP(verifications, s->detail & ~NOTE_ABOVE_LEAF, TLS_CAUSE_SERVER_CERT_OTHER);
    if (s->alert >= 0)
        return from_alert(s);
    if (s->foreign != 0)
        return TLS_CAUSE_TOKEN;
    if (!hello_was_answered(s->ssl))
        cause = from_first_bytes(s);
    if (cause == TLS_CAUSE_COUNT
        && (ERR_GET_LIB(s->code) == ERR_LIB_SSL
            || ERR_GET_REASON(s->code) == ERR_R_MALLOC_FAILURE))
        cause = LOOK_UP(reasons, ERR_GET_REASON(s->code), TLS_CAUSE_COUNT);
    return cause != TLS_CAUSE_COUNT ? cause : from_ending(s);
}
