#include "tls/certinfo.h"

#include <arpa/inet.h>
#include <openssl/ec.h>
#include <openssl/objects.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/str.h"
#include "tls/sslerr.h"

static char *escaped(char out[CERT_TEXT_MAX], const char *label, const void *p, int len)
{
    int n = snprintf(out, CERT_TEXT_MAX, "%s", label);

    str_escape(out + n, CERT_TEXT_MAX - (size_t)n,
               (struct span){ .p = p, .len = len > 0 ? (size_t)len : 0 });
    return out;
}

static char *escaped_copy(const char *label, const void *p, int len)
{
    size_t n = strlen(label), room = len > 0 ? 4 * (size_t)len + 1 : 1;
    char *out = mem_zalloc(n + room);

    memcpy(out, label, n);
    str_escape(out + n, room, (struct span){ .p = p, .len = len > 0 ? (size_t)len : 0 });
    return out;
}

char *name_full(const X509_NAME *name)
{
    BIO *b = BIO_new(BIO_s_mem());
    char *p = NULL, *out;
    long len = 0;

    if (b != NULL && name != NULL
        && X509_NAME_print_ex(b, name, 0, XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB)
               >= 0)
        len = BIO_get_mem_data(b, &p);
    out = escaped_copy("", p, (int)len);
    BIO_free(b);
    return out;
}

static char *whole_name(const X509_NAME *name, char out[CERT_TEXT_MAX])
{
    char *full = name_full(name);

    snprintf(out, CERT_TEXT_MAX, "%s", full);
    free(full);
    return out;
}

char *name_text(const X509_NAME *name, char out[CERT_TEXT_MAX])
{
    int at = -1;

    if (name == NULL || X509_NAME_entry_count(name) == 0)
        return strcpy(out, "an empty name");
    /* Of several CNs the last is the most specific. */
    for (int i; (i = X509_NAME_get_index_by_NID(name, NID_commonName, at)) >= 0;)
        at = i;
    if (at < 0)
        return whole_name(name, out);

    unsigned char *utf8 = NULL;
    int len = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
    if (len < 0)
        return whole_name(name, out);
    escaped(out, "CN=", utf8, len);
    OPENSSL_free(utf8);
    return out;
}

/* One alternative name of a kind that can stand for the whole; NULL for others. */
static char *general_name(const GENERAL_NAME *g)
{
    int type;
    const ASN1_STRING *s = GENERAL_NAME_get0_value(g, &type);
    int len = type == GEN_DNS || type == GEN_URI || type == GEN_EMAIL || type == GEN_IPADD
                  ? ASN1_STRING_length(s) : 0;
    char ip[INET6_ADDRSTRLEN];

    switch (type) {
    case GEN_DNS: return escaped_copy("DNS:", ASN1_STRING_get0_data(s), len);
    case GEN_URI: return escaped_copy("URI:", ASN1_STRING_get0_data(s), len);
    case GEN_EMAIL: return escaped_copy("email:", ASN1_STRING_get0_data(s), len);
    case GEN_IPADD:
        if ((len != 4 && len != 16)
            || !inet_ntop(len == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(s), ip, sizeof(ip)))
            return NULL;
        return mem_printf("IP:%s", ip);
    default: return NULL;
    }
}

char *cert_subject(X509 *x, char out[CERT_TEXT_MAX])
{
    const X509_NAME *name = X509_get_subject_name(x);

    name_text(name, out);
    if (name != NULL && X509_NAME_entry_count(name) > 0)
        return out;

    GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        char *one = general_name(sk_GENERAL_NAME_value(names, i));
        if (one == NULL)
            continue;
        snprintf(out, CERT_TEXT_MAX, "%s", one);
        free(one);
        break;
    }
    GENERAL_NAMES_free(names);
    return out;
}

/* A comma in a name would look like the end of it: it is written as str_escape() writes. */
static char *without_commas(char *name)
{
    size_t n = 0;

    for (const char *c = name; *c != '\0'; c++)
        n += *c == ',';
    if (n == 0)
        return name;

    char *out = mem_zalloc(strlen(name) + 3 * n + 1), *to = out;
    for (const char *c = name; *c != '\0'; c++) {
        if (*c == ',')
            to += sprintf(to, "\\x2c");
        else
            *to++ = *c;
    }
    free(name);
    return out;
}

char *cert_names(X509 *x)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    char *out = mem_strdup("");
    size_t len = 0;

    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        char *one = general_name(sk_GENERAL_NAME_value(names, i));
        if (one != NULL)
            one = without_commas(one);
        size_t n = one != NULL ? strlen(one) : 0;
        if (n > 0) {
            out = mem_grow(out, len + n + sizeof(", "), 1);
            len += (size_t)sprintf(out + len, "%s%s", len > 0 ? ", " : "", one);
        }
        free(one);
    }
    GENERAL_NAMES_free(names);
    sslerr_clear();
    return out;
}

char *cert_issuer(const X509 *x, char out[CERT_TEXT_MAX])
{
    return name_text(X509_get_issuer_name(x), out);
}

char *cert_dialled_names(X509 *x, char out[CERT_TEXT_MAX])
{
    GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    size_t len = 0;

    strcpy(out, "no name");
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);
        char *one = g->type == GEN_DNS || g->type == GEN_IPADD ? general_name(g) : NULL;
        if (one == NULL)
            continue;
        bool fits = len + strlen(one) + sizeof(", ...") <= CERT_TEXT_MAX / 2;
        len += (size_t)snprintf(out + len, CERT_TEXT_MAX - len, "%s%s", len > 0 ? ", " : "",
                                fits ? one : "...");
        free(one);
        if (!fits)
            break;
    }
    GENERAL_NAMES_free(names);
    return out;
}

/* Letters, digits, '-', '_', '.', and '*', as a name on the wire has (RFC 6066 3). */
static char *server_name(const ASN1_STRING *s)
{
    const unsigned char *p = ASN1_STRING_get0_data(s);
    int len = ASN1_STRING_length(s);
    char *out;

    if (len < 1 || len > 253)
        return NULL;
    out = mem_strndup((const char *)p, (size_t)len);
    for (int i = 0; i < len; i++) {
        char c = out[i];
        if (c >= 'A' && c <= 'Z') {
            out[i] = (char)(c - 'A' + 'a');
        } else if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '_'
                   && c != '.' && c != '*') {
            free(out);
            return NULL;
        }
    }
    return out;
}

static void add_server_name(char ***list, size_t *n, char *name)
{
    if (name == NULL)
        return;
    *list = mem_grow(*list, *n + 1, sizeof(**list));
    (*list)[(*n)++] = name;
}

char **cert_server_names(X509 *x, size_t *n)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    const X509_NAME *subject = X509_get_subject_name(x);
    char **list = NULL;
    int at = -1;

    *n = 0;
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);
        if (g->type == GEN_DNS)
            add_server_name(&list, n, server_name(g->d.dNSName));
    }
    GENERAL_NAMES_free(names);
    sslerr_clear();
    if (*n > 0)
        return list;
    for (int i; (i = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0;)
        at = i;
    if (at >= 0)
        add_server_name(&list, n,
                        server_name(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at))));
    return list;
}

bool cert_self_signed(X509 *x)
{
    bool yes = X509_self_signed(x, 1) == 1;

    sslerr_clear();
    return yes;
}

bool cert_is_ca(X509 *x)
{
    return X509_check_ca(x) > 0;
}

bool cert_same(const X509 *a, const X509 *b)
{
    return X509_cmp(a, b) == 0;
}

bool cert_signed_by(X509 *x, X509 *issuer)
{
    EVP_PKEY *key = X509_get0_pubkey(issuer);
    bool yes = key != NULL && X509_check_issued(issuer, x) == X509_V_OK && X509_verify(x, key) == 1;

    sslerr_clear();
    return yes;
}

static const char *curve_text(const char *group)
{
    const char *nist = EC_curve_nid2nist(OBJ_sn2nid(group));

    return nist != NULL ? nist : group;
}

char *key_text(const EVP_PKEY *key, char out[KEY_TEXT_MAX])
{
    char group[24];
    size_t len;

    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
        snprintf(out, KEY_TEXT_MAX, "RSA %d", EVP_PKEY_get_bits(key));
        break;
    case EVP_PKEY_RSA_PSS:
        snprintf(out, KEY_TEXT_MAX, "RSA-PSS %d", EVP_PKEY_get_bits(key));
        break;
    case EVP_PKEY_EC:
        if (EVP_PKEY_get_group_name(key, group, sizeof(group), &len) == 1)
            snprintf(out, KEY_TEXT_MAX, "EC %s", curve_text(group));
        else
            snprintf(out, KEY_TEXT_MAX, "EC %d bits", EVP_PKEY_get_bits(key));
        break;
    default: {
        const char *name = EVP_PKEY_get0_type_name(key);
        snprintf(out, KEY_TEXT_MAX, "%.24s", name != NULL ? name : "unknown");
        break;
    }
    }
    sslerr_clear();
    return out;
}

int64_t time_of(const ASN1_TIME *t)
{
    struct tm tm;

    if (t == NULL || ASN1_TIME_to_tm(t, &tm) != 1) {
        sslerr_clear();
        return INT64_MIN;
    }
    return timegm(&tm);
}

char *date_text(int64_t t, char out[DATE_TEXT_MAX])
{
    time_t sec = (time_t)t;
    struct tm tm;

    if (t == INT64_MIN || gmtime_r(&sec, &tm) == NULL
        || strftime(out, DATE_TEXT_MAX, "%Y-%m-%d %H:%M UTC", &tm) == 0)
        strcpy(out, "an unreadable date");
    return out;
}

char *distance_text(int64_t t, int64_t now, char out[DATE_TEXT_MAX])
{
    bool past = t < now;
    uint64_t s = past ? (uint64_t)now - (uint64_t)t : (uint64_t)t - (uint64_t)now;
    uint64_t n;
    const char *unit;

    if (s == 0)
        return strcpy(out, "now");
    if (s >= 2 * 86400) {
        n = s / 86400;
        unit = "day";
    } else if (s >= 3600) {
        n = s / 3600;
        unit = "hour";
    } else if (s >= 60) {
        n = s / 60;
        unit = "minute";
    } else {
        n = s;
        unit = "second";
    }
    snprintf(out, DATE_TEXT_MAX, "%s%llu %s%s%s", past ? "" : "in ", (unsigned long long)n, unit,
             n == 1 ? "" : "s", past ? " ago" : "");
    return out;
}
