#include "tls/failure_facts.h"

#include <inttypes.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/str.h"
#include "tls/certinfo.h"
#include "tls/guess.h"
#include "tls/suites.h"

static void copy(char *out, const char *text)
{
    snprintf(out, FACT_MAX, "%s", text);
}

/* --- out of the note --- */

static void note_field(const struct scene *s, unsigned index, const char *otherwise, char *out)
{
    const char *p = s->facts;

    for (unsigned i = 0; i < index && p != NULL; i++) {
        p = strchr(p, NOTE_DIVIDER);
        if (p != NULL)
            p++;
    }
    if (p == NULL || *p == '\0' || *p == NOTE_DIVIDER) {
        copy(out, otherwise);
        return;
    }
    snprintf(out, FACT_MAX, "%.*s", (int)strcspn(p, "\x1f"), p);
}

static void fact_peer(const struct scene *s, char *out)
{
    bool server = s->ssl != NULL && !SSL_is_server(s->ssl);

    note_field(s, 0, server ? "the server's certificate" : "the client's certificate", out);
}

static void fact_issuer(const struct scene *s, char *out)
{
    note_field(s, 1, "an unknown issuer", out);
}

static void fact_when(const struct scene *s, char *out)
{
    note_field(s, 2, "at an unknown time", out);
}

/* OpenSSL's own words: of the verification, or of the error. */
static void fact_why(const struct scene *s, char *out)
{
    const char *reason = s->code != 0 ? ERR_reason_error_string(s->code) : NULL;
    long verify = s->ssl != NULL ? SSL_get_verify_result(s->ssl) : X509_V_OK;

    if (s->note == NOTE_VERIFY)
        note_field(s, 3, "no reason given", out);
    else if (verify != X509_V_OK)
        copy(out, X509_verify_cert_error_string(verify));
    else if (reason != NULL)
        copy(out, reason);
    else if (s->code != 0)
        snprintf(out, FACT_MAX, "OpenSSL error %lx", s->code);
    else
        copy(out, "OpenSSL gave no reason");
}

static void fact_token(const struct scene *s, char *out)
{
    const char *reason = ERR_reason_error_string(s->foreign);

    if (reason != NULL)
        copy(out, reason);
    else
        snprintf(out, FACT_MAX, "error %lx", s->foreign);
}

/* What the client offers where we found nothing in common: versions or ALPN. */
static void fact_offered(const struct scene *s, char *out)
{
    if (s->note != NOTE_NONE)
        note_field(s, 0, "none", out);
    else
        snprintf(out, FACT_MAX, "version %x.%x", (unsigned)SSL_client_version(s->ssl) >> 8,
                 (unsigned)SSL_client_version(s->ssl) & 0xff);
}

/* --- about us --- */

static X509 *our_leaf(const struct scene *s)
{
    return SSL_get_certificate(s->ssl);
}

static void fact_us(const struct scene *s, char *out)
{
    X509 *x = our_leaf(s);
    char name[CERT_TEXT_MAX];

    copy(out, x != NULL ? cert_subject(x, name) : "(none)");
}

static void fact_key(const struct scene *s, char *out)
{
    X509 *x = our_leaf(s);
    EVP_PKEY *key = x != NULL ? X509_get0_pubkey(x) : NULL;
    char type[KEY_TEXT_MAX];

    copy(out, key != NULL ? key_text(key, type) : "no key");
}

static void fact_names(const struct scene *s, char *out)
{
    X509 *x = our_leaf(s);
    char names[CERT_TEXT_MAX];

    copy(out, x != NULL ? cert_dialled_names(x, names) : "no name");
}

static void fact_until(const struct scene *s, char *out)
{
    X509 *x = our_leaf(s);
    int64_t t = x != NULL ? time_of(X509_get0_notAfter(x)) : INT64_MIN, now = time(NULL);
    char date[DATE_TEXT_MAX], distance[DATE_TEXT_MAX];

    if (t == INT64_MIN)
        copy(out, "at an unknown time");
    else if (t < now)
        snprintf(out, FACT_MAX, "%s (%s)", distance_text(t, now, distance), date_text(t, date));
    else
        snprintf(out, FACT_MAX, "until %s", date_text(t, date));
}

/* The issuer of the last certificate we send: what the client has to have. */
static void fact_root(const struct scene *s, char *out)
{
    STACK_OF(X509) *chain = NULL;
    X509 *last = our_leaf(s);
    char name[CERT_TEXT_MAX];

    SSL_get0_chain_certs(s->ssl, &chain);
    if (sk_X509_num(chain) > 0)
        last = sk_X509_value(chain, sk_X509_num(chain) - 1);
    copy(out, last != NULL ? cert_issuer(last, name) : "(none)");
}

static void fact_ours(const struct scene *s, char *out)
{
    copy(out, s->end->offer != NULL ? s->end->offer : "other versions");
}

/* Issuers of client certificates that we asked for. */
static void fact_wanted(const struct scene *s, char *out)
{
    const STACK_OF(X509_NAME) *names = SSL_get_client_CA_list(s->ssl);
    int n = sk_X509_NAME_num(names);
    size_t len = 0;
    char name[CERT_TEXT_MAX];

    copy(out, "a CA that we trust");
    for (int i = 0; i < n; i++) {
        name_text(sk_X509_NAME_value(names, i), name);
        if (i > 0 && len + strlen(name) + 24 > FACT_MAX) {
            snprintf(out + len, FACT_MAX - len, " or %d others", n - i);
            break;
        }
        len += (size_t)snprintf(out + len, FACT_MAX - len, "%s%s", i > 0 ? " or " : "", name);
    }
}

/* --- about the client --- */

static void fact_alert(const struct scene *s, char *out)
{
    /* OpenSSL's names have blanks where the standard has underlines. */
    copy(out, s->alert >= 0 ? SSL_alert_desc_string_long(s->alert) : "close notify");
    for (char *c = out; *c != '\0'; c++)
        if (*c == ' ')
            *c = '_';
    if (s->alert >= 0 && strcmp(out, "unknown") == 0)
        snprintf(out, FACT_MAX, "%d", s->alert);
}

/* "A, B, C and 5 more" */
static size_t append_name(char *out, size_t len, const char *name, int i, int n)
{
    if (i > 4)
        return len;
    if (i == 4)
        return len + (size_t)snprintf(out + len, FACT_MAX - len, " and %d more", n - i);
    return len + (size_t)snprintf(out + len, FACT_MAX - len, "%s%.40s", i > 0 ? ", " : "", name);
}

/* From the bytes of the ClientHello: SSL_get_client_ciphers() is empty where TLS 1.3
   gives up. What it does not know is GREASE, signalling, or too old or too new. */
int scene_suites(const struct scene *s, const SSL_CIPHER **out, int max)
{
    const unsigned char *raw = NULL;
    long len = SSL_get0_raw_cipherlist(s->ssl, &raw);
    int n = 0;

    for (long i = 0; raw != NULL && i + 1 < len; i += 2) {
        const SSL_CIPHER *c = SSL_CIPHER_find(s->ssl, raw + i);
        if (c == NULL || SSL_CIPHER_get_id(c) == SSL3_CK_SCSV
            || SSL_CIPHER_get_id(c) == SSL3_CK_FALLBACK_SCSV)
            continue;
        if (n < max)
            out[n] = c;
        n++;
    }
    return n;
}

static void fact_suites(const struct scene *s, char *out)
{
    const SSL_CIPHER *some[5];
    int n = scene_suites(s, some, 5);
    size_t len = 0;

    copy(out, "none that we know");
    for (int i = 0; i < n && i < 5; i++)
        len = append_name(out, len, SSL_CIPHER_get_name(some[i]), i, n);
}

#define GROUPS_MAX 64

static void fact_groups(const struct scene *s, char *out)
{
    int groups[GROUPS_MAX], n = (int)SSL_get1_groups(s->ssl, NULL), known = 0;
    size_t len = 0;

    copy(out, "none that we know");
    if (n <= 0 || n > GROUPS_MAX)
        return;
    SSL_get1_groups(s->ssl, groups);
    for (int i = 0; i < n; i++) {
        const char *name = SSL_group_to_name(s->ssl, groups[i]);
        if (name != NULL)
            len = append_name(out, len, name, known++, n);
    }
}

void scene_first_bytes(struct scene *s)
{
    size_t room = sizeof(s->first) - s->nfirst;
    const char *protocol;
    enum guess guess = guess_protocol(s->first, s->nfirst, &protocol);
    int n = 0;

    if (room > 0 && guess != GUESS_NOTHING && guess != GUESS_TLS)
        n = BIO_read(SSL_get_rbio(s->ssl), s->first + s->nfirst, (int)room);
    if (n > 0)
        s->nfirst += (size_t)n;
}

static void fact_first(const struct scene *s, char *out)
{
    str_escape(out, FACT_MAX, (struct span){ (const char *)s->first, s->nfirst });
}

static void fact_protocol(const struct scene *s, char *out)
{
    copy(out, s->protocol != NULL ? s->protocol : "an unknown protocol");
}

static void fact_bytes(const struct scene *s, char *out)
{
    snprintf(out, FACT_MAX, "%" PRIu64 " byte%s", s->end->bytes_in,
             s->end->bytes_in == 1 ? "" : "s");
}

static void fact_system(const struct scene *s, char *out)
{
    copy(out, strerror(s->end->sys_errno));
}

static void fact_name(const struct scene *s, char *out)
{
    str_escape(out, FACT_MAX, str_span(s->asked));
}

/* --- about the server --- */

static void fact_pin(const struct scene *s, char *out)
{
    note_field(s, 1, "?", out);
}

static void fact_has(const struct scene *s, char *out)
{
    note_field(s, 4, "no name", out);
}

static void fact_expected(const struct scene *s, char *out)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(s->ssl);
    const char *host = X509_VERIFY_PARAM_get0_host(param, 0);
    char *ip = host == NULL ? X509_VERIFY_PARAM_get1_ip_asc(param) : NULL;

    copy(out, host != NULL ? host : ip != NULL ? ip : "no name");
    OPENSSL_free(ip);
}

static void fact_sni(const struct scene *s, char *out)
{
    const char *name = SSL_get_servername(s->ssl, TLSEXT_NAMETYPE_host_name);

    copy(out, name != NULL ? name : "(none)");
}

static const struct {
    const char *name;
    void (*get)(const struct scene *s, char *out);
} facts[] = {
    { "peer", fact_peer },       { "issuer", fact_issuer },     { "when", fact_when },
    { "why", fact_why },         { "offered", fact_offered },   { "us", fact_us },
    { "key", fact_key },         { "names", fact_names },       { "until", fact_until },
    { "root", fact_root },       { "ours", fact_ours },         { "wanted", fact_wanted },
    { "alert", fact_alert },     { "suites", fact_suites },     { "groups", fact_groups },
    { "first", fact_first },     { "protocol", fact_protocol }, { "bytes", fact_bytes },
    { "system", fact_system },   { "token", fact_token },       { "name", fact_name },
    { "pin", fact_pin },         { "has", fact_has },           { "expected", fact_expected },
    { "servername", fact_sni },
};

char *scene_fact(const struct scene *s, const char *name, size_t len, char out[FACT_MAX])
{
    snprintf(out, FACT_MAX, "?");
    for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++)
        if (str_eq((struct span){ name, len }, facts[i].name))
            facts[i].get(s, out);
    return out;
}
