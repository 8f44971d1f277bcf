#include "tls/failure.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/str.h"
#include "tls/certinfo.h"
#include "tls/failure_facts.h"
#include "tls/failure_map.h"
#include "tls/failure_server.h"
#include "tls/guess.h"
#include "tls/notes.h"

static const struct {
    const char *name;
    enum tls_side side;
    const char *what, *fix;
} rows[] = {
#define FAILURE(NAME, name, side, what, fix) [TLS_CAUSE_##NAME] = { name, side, what, fix },
#include "tls/failures.tbl"
#undef FAILURE
};

/* --- OpenSSL's reasons --- */

static const struct mapped reasons[] = {
    { SSL_R_HTTP_REQUEST, TLS_CAUSE_PLAIN_HTTP },
    { SSL_R_HTTPS_PROXY_REQUEST, TLS_CAUSE_HTTP_CONNECT },
    { SSL_R_UNSUPPORTED_PROTOCOL, TLS_CAUSE_VERSION },
    { SSL_R_VERSION_TOO_LOW, TLS_CAUSE_VERSION },
    { SSL_R_VERSION_TOO_HIGH, TLS_CAUSE_VERSION },
    { SSL_R_INAPPROPRIATE_FALLBACK, TLS_CAUSE_FALLBACK },
    { SSL_R_NO_SHARED_CIPHER, TLS_CAUSE_NO_SUITE },
    { SSL_R_NO_CIPHERS_SPECIFIED, TLS_CAUSE_NO_SUITE },
    { SSL_R_NO_SUITABLE_KEY_SHARE, TLS_CAUSE_NO_GROUP },
    { SSL_R_NO_SUITABLE_GROUPS, TLS_CAUSE_NO_GROUP },
    { SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, TLS_CAUSE_NO_SIGNATURE },
    { SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS, TLS_CAUSE_NO_SIGNATURE },
    { SSL_R_NO_APPLICATION_PROTOCOL, TLS_CAUSE_NO_ALPN },
    { SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, TLS_CAUSE_NO_CLIENT_CERT },
    { SSL_R_CERTIFICATE_VERIFY_FAILED, TLS_CAUSE_CLIENT_CERT_OTHER },
    { SSL_R_BAD_SIGNATURE, TLS_CAUSE_CLIENT_KEY },
    { ERR_R_MALLOC_FAILURE, TLS_CAUSE_INTERNAL },
    { ERR_R_INTERNAL_ERROR, TLS_CAUSE_INTERNAL },
};

static const struct mapped alerts[] = {
    { SSL_AD_UNKNOWN_CA, TLS_CAUSE_ALERT_UNKNOWN_CA },
    { SSL_AD_BAD_CERTIFICATE, TLS_CAUSE_ALERT_BAD_CERT },
    { SSL_AD_CERTIFICATE_UNKNOWN, TLS_CAUSE_ALERT_BAD_CERT },
    { SSL_AD_UNSUPPORTED_CERTIFICATE, TLS_CAUSE_ALERT_UNSUPPORTED_CERT },
    { SSL_AD_CERTIFICATE_REVOKED, TLS_CAUSE_ALERT_REVOKED },
    { SSL_AD_CERTIFICATE_EXPIRED, TLS_CAUSE_ALERT_EXPIRED },
    { SSL_AD_HANDSHAKE_FAILURE, TLS_CAUSE_ALERT_HANDSHAKE },
    { SSL_AD_PROTOCOL_VERSION, TLS_CAUSE_ALERT_VERSION },
    { SSL_AD_INSUFFICIENT_SECURITY, TLS_CAUSE_ALERT_SECURITY },
    { SSL_AD_USER_CANCELLED, TLS_CAUSE_ALERT_CANCELED },
};

static const struct mapped verifications[] = {
    { X509_V_ERR_CERT_HAS_EXPIRED, TLS_CAUSE_CLIENT_CERT_EXPIRED },
    { X509_V_ERR_CERT_NOT_YET_VALID, TLS_CAUSE_CLIENT_CERT_EARLY },
    { X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, TLS_CAUSE_CLIENT_CERT_ISSUER },
    { X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, TLS_CAUSE_CLIENT_CERT_ISSUER },
    { X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, TLS_CAUSE_CLIENT_CERT_ISSUER },
    { X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, TLS_CAUSE_CLIENT_CERT_ISSUER },
    { X509_V_ERR_CERT_UNTRUSTED, TLS_CAUSE_CLIENT_CERT_ISSUER },
    { X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, TLS_CAUSE_CLIENT_CERT_SELF },
    { X509_V_ERR_INVALID_PURPOSE, TLS_CAUSE_CLIENT_CERT_PURPOSE },
    { X509_V_ERR_INVALID_CA, TLS_CAUSE_CLIENT_CERT_NO_CA },
    { X509_V_ERR_KEYUSAGE_NO_CERTSIGN, TLS_CAUSE_CLIENT_CERT_NO_CA },
    { X509_V_ERR_CERT_REVOKED, TLS_CAUSE_CLIENT_CERT_REVOKED },
    { X509_V_ERR_UNABLE_TO_GET_CRL, TLS_CAUSE_CRL_MISSING },
    { X509_V_ERR_CRL_HAS_EXPIRED, TLS_CAUSE_CRL_EXPIRED },
    { X509_V_ERR_CRL_NOT_YET_VALID, TLS_CAUSE_CRL_EARLY },
    { X509_V_ERR_CRL_SIGNATURE_FAILURE, TLS_CAUSE_CRL_UNUSABLE },
    { X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER, TLS_CAUSE_CRL_UNUSABLE },
    { X509_V_ERR_KEYUSAGE_NO_CRL_SIGN, TLS_CAUSE_CRL_UNUSABLE },
    { X509_V_ERR_DIFFERENT_CRL_SCOPE, TLS_CAUSE_CRL_UNUSABLE },
    { X509_V_ERR_UNHANDLED_CRITICAL_CRL_EXTENSION, TLS_CAUSE_CRL_UNUSABLE },
    { X509_V_ERR_CERT_SIGNATURE_FAILURE, TLS_CAUSE_CLIENT_CERT_SIGNATURE },
    { X509_V_ERR_CERT_CHAIN_TOO_LONG, TLS_CAUSE_CLIENT_CERT_CHAIN },
    { X509_V_ERR_PATH_LENGTH_EXCEEDED, TLS_CAUSE_CLIENT_CERT_CHAIN },
    { X509_V_ERR_EE_KEY_TOO_SMALL, TLS_CAUSE_CLIENT_CERT_WEAK },
    { X509_V_ERR_CA_KEY_TOO_SMALL, TLS_CAUSE_CLIENT_CERT_WEAK },
    { X509_V_ERR_CA_MD_TOO_WEAK, TLS_CAUSE_CLIENT_CERT_WEAK },
};

/*
 * The queue to the scene. The oldest entry that says something specific wins: a
 * note of ours comes before the refusal that it explains, and a library deep
 * below comes before the handshake that gave up because of it.
 */
static void read_queue(struct scene *s)
{
    unsigned long code;
    const char *data;
    int flags, detail = 0;

    while ((code = ERR_get_error_all(NULL, NULL, NULL, &data, &flags)) != 0) {
        enum note note = note_kind(code, &detail);
        if (note == NOTE_NONE && !ERR_SYSTEM_ERROR(code) && ERR_GET_LIB(code) >= ERR_LIB_USER
            && s->foreign == 0)
            s->foreign = code;
        bool ssl = ERR_GET_LIB(code) == ERR_LIB_SSL
                && ERR_GET_REASON(code) != SSL_R_CALLBACK_FAILED;

        if (note != NOTE_NONE && s->note == NOTE_NONE) {
            s->note = note;
            s->detail = detail;
            snprintf(s->facts, sizeof(s->facts), "%s", flags & ERR_TXT_STRING ? data : "");
        } else if (ssl && ERR_GET_LIB(s->code) != ERR_LIB_SSL) {
            s->code = code;
        } else if (s->code == 0) {
            s->code = code;
        }
    }
    if (ERR_GET_LIB(s->code) == ERR_LIB_SSL) {
        int reason = ERR_GET_REASON(s->code);
        if (reason >= SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256)
            s->alert = reason - SSL_AD_REASON_OFFSET;
    }
}

/* --- finer distinctions --- */

#define SUITES_MAX 128

/* OpenSSL has one word for it all; TLS 1.2 needs suite, key type and group to agree. */
static enum tls_cause why_no_suite(const struct scene *s)
{
    const SSL_CIPHER *theirs[SUITES_MAX];
    STACK_OF(SSL_CIPHER) *ours = SSL_get_ciphers(s->ssl);
    int n = scene_suites(s, theirs, SUITES_MAX);
    bool common = false;

    for (int i = 0; i < n && i < SUITES_MAX; i++)
        for (int k = 0; k < sk_SSL_CIPHER_num(ours) && !common; k++)
            common = theirs[i] == sk_SSL_CIPHER_value(ours, k);
    if (!common)
        return TLS_CAUSE_NO_SUITE;
    if (SSL_get1_groups(s->ssl, NULL) > 0 && SSL_get_shared_group(s->ssl, -1) == 0)
        return TLS_CAUSE_NO_GROUP;
    return TLS_CAUSE_NO_KEY_TYPE;
}

static enum tls_cause why_expired(SSL *ssl)
{
    X509 *x = SSL_get_certificate(ssl);

    if (x != NULL && time_of(X509_get0_notAfter(x)) < time(NULL))
        return TLS_CAUSE_ALERT_EXPIRED;
    return TLS_CAUSE_ALERT_CLOCK;
}

_Static_assert(SSL_MAX_CERT_LIST_DEFAULT == 100 * 1024, "a row of failures.tbl says 100 KiB");

/* OpenSSL says so of any message; only that of certificates can be made this large by mistake. */
static bool certificates_too_large(const struct scene *s)
{
    OSSL_HANDSHAKE_STATE state = SSL_get_state(s->ssl);
    bool reads_them = state == TLS_ST_SR_CERT;

#if OPENSSL_VERSION_NUMBER >= 0x30200000L
    reads_them = reads_them || state == TLS_ST_SR_COMP_CERT;    /* compressed (RFC 8879) */
#endif
    return ERR_GET_LIB(s->code) == ERR_LIB_SSL
        && ERR_GET_REASON(s->code) == SSL_R_EXCESSIVE_MESSAGE_SIZE && reads_them;
}

static bool hello_was_read(const SSL *ssl)
{
    OSSL_HANDSHAKE_STATE state = SSL_get_state(ssl);

    return state != TLS_ST_BEFORE && state != TLS_ST_SR_CLNT_HELLO;
}

/* What the first bytes say, for a handshake that did not even begin. */
static enum tls_cause from_first_bytes(const struct scene *s, const char **protocol,
                                       enum tls_cause otherwise)
{
    switch (guess_protocol(s->first, s->nfirst, protocol)) {
    case GUESS_HTTP:
        return TLS_CAUSE_PLAIN_HTTP;
    case GUESS_HTTP_CONNECT:
        return TLS_CAUSE_HTTP_CONNECT;
    case GUESS_PROXY:
        return TLS_CAUSE_PROXY_HEADER;
    case GUESS_NAMED:
        return TLS_CAUSE_PLAINTEXT;
    case GUESS_UNKNOWN:
        return TLS_CAUSE_NOT_TLS;
    default:
        return otherwise;
    }
}

static enum tls_cause from_ending(const struct scene *s)
{
    const struct tls_ending *end = s->end;
    bool read = hello_was_read(s->ssl);

    if (end->timed_out)
        return end->bytes_in == 0 ? TLS_CAUSE_SILENT
             : read               ? TLS_CAUSE_TIMEOUT
                                  : TLS_CAUSE_TIMEOUT_HELLO;
    if (end->sys_errno == ECONNRESET || end->sys_errno == EPIPE)
        return TLS_CAUSE_RESET;
    if (end->sys_errno != 0)
        return TLS_CAUSE_SYSTEM;
    if (SSL_get_shutdown(s->ssl) & SSL_RECEIVED_SHUTDOWN)
        return TLS_CAUSE_ALERT_CANCELED;
    if (end->eof)
        return end->bytes_in == 0 ? TLS_CAUSE_PROBE
             : read               ? TLS_CAUSE_CLOSED
                                  : TLS_CAUSE_CLOSED_HELLO;
    return s->code != 0 ? TLS_CAUSE_PROTOCOL : TLS_CAUSE_INTERNAL;
}

static enum tls_cause from_note(const struct scene *s)
{
    switch (s->note) {
    case NOTE_VERIFY:
        return LOOK_UP(verifications, s->detail & ~NOTE_ABOVE_LEAF, TLS_CAUSE_CLIENT_CERT_OTHER);
    case NOTE_VERSION:
        return TLS_CAUSE_VERSION;
    default:
        return TLS_CAUSE_NO_ALPN;
    }
}

static enum tls_cause from_alert(const struct scene *s)
{
    enum tls_cause cause = LOOK_UP(alerts, s->alert, TLS_CAUSE_ALERT_OTHER);

    return cause == TLS_CAUSE_ALERT_EXPIRED ? why_expired(s->ssl) : cause;
}

static enum tls_cause find_cause(struct scene *s)
{
    enum tls_cause cause = TLS_CAUSE_COUNT;
    int reason = ERR_GET_REASON(s->code);

    if (s->ssl != NULL && !SSL_is_server(s->ssl))
        return failure_server_cause(s);
    if (s->end->refused)
        return TLS_CAUSE_DENIED;
    if (s->note != NOTE_NONE)
        return from_note(s);
    if (s->alert >= 0)
        return from_alert(s);
    /* Engines and providers are there for keys in tokens alone. */
    if (s->foreign != 0)
        return TLS_CAUSE_TOKEN;
    if (!hello_was_read(s->ssl)) {
        scene_first_bytes(s);
        cause = from_first_bytes(s, &s->protocol, TLS_CAUSE_COUNT);
    }
    if (cause != TLS_CAUSE_COUNT)
        return cause;
    if (ERR_GET_LIB(s->code) == ERR_LIB_SSL || ERR_GET_REASON(s->code) == ERR_R_MALLOC_FAILURE)
        cause = LOOK_UP(reasons, reason, TLS_CAUSE_COUNT);
    if (cause == TLS_CAUSE_NO_SUITE)
        return why_no_suite(s);
    if (certificates_too_large(s))
        return TLS_CAUSE_CLIENT_CERT_SIZE;
    if (cause != TLS_CAUSE_COUNT)
        return cause;
    return from_ending(s);
}

/* --- text --- */

/* Put the row's words and its facts together; what does not fit is cut. */
static void fill(const struct scene *s, const char *what, char *out, size_t cap)
{
    size_t len = 0;
    char fact[FACT_MAX];

    while (*what != '\0' && len + 1 < cap) {
        const char *end = *what == '{' ? strchr(what, '}') : NULL;
        if (end == NULL) {
            out[len++] = *what++;
            continue;
        }
        scene_fact(s, what + 1, (size_t)(end - what) - 1, fact);
        int n = snprintf(out + len, cap - len, "%s", fact);
        len = n < 0 || (size_t)n >= cap - len ? cap - 1 : len + (size_t)n;
        what = end + 1;
    }
    out[len] = '\0';
}

static void take_row(enum tls_cause cause, struct tls_failure *out)
{
    out->cause = cause;
    out->name = rows[cause].name;
    out->side = rows[cause].side;
    out->fix = rows[cause].fix;
}

void failure_early(enum tls_cause cause, const char *what, struct tls_failure *out)
{
    const struct scene s = { .asked = what };

    take_row(cause, out);
    fill(&s, rows[out->cause].what, out->text, sizeof(out->text));
}

void failure_of(SSL *ssl, const struct tls_ending *end, struct tls_failure *out)
{
    struct scene s = { .ssl = ssl, .end = end, .alert = -1 };

    s.nfirst = end->nfirst < sizeof(s.first) ? end->nfirst : sizeof(s.first);
    if (s.nfirst > 0)
        memcpy(s.first, end->first, s.nfirst);
    read_queue(&s);
    take_row(find_cause(&s), out);
    fill(&s, rows[out->cause].what, out->text, sizeof(out->text));
    ERR_clear_error();
}

const char *failure_side_text(enum tls_side side)
{
    static const char *const names[] = {
        [SIDE_CLIENT] = "client", [SIDE_US] = "us", [SIDE_NETWORK] = "network",
        [SIDE_SERVER] = "server",
    };

    return names[side];
}

const char *failure_name(enum tls_cause cause)
{
    return rows[cause].name;
}

enum log_level failure_level(const struct tls_failure *f)
{
    return f->side == SIDE_NETWORK ? LOG_LEVEL_INFO : LOG_LEVEL_WARN;
}
