#include "tls/suites.h"

#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "tls/sslerr.h"

/* AES-128 before AES-256: a handshake with SHA-384 costs about 10 % more. A client
   that puts ChaCha20 first (no AES in its hardware) gets it: SSL_OP_PRIORITIZE_CHACHA. */
#define OUR_CIPHERSUITES \
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define OUR_CIPHERS \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:" \
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:" \
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
/* TLS 1.0 and 1.1 know no AEAD suite; who writes them out means these. */
#define OUR_OLD_CIPHERS \
    ":ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES256-SHA"

#define TLS_OLD (TLS_V10 | TLS_V11)

static const struct {
    enum tls_version bit;
    int number;
    uint64_t off;
    const char *name;
} versions[] = {
    { TLS_V10, TLS1_VERSION, SSL_OP_NO_TLSv1, "1.0" },
    { TLS_V11, TLS1_1_VERSION, SSL_OP_NO_TLSv1_1, "1.1" },
    { TLS_V12, TLS1_2_VERSION, SSL_OP_NO_TLSv1_2, "1.2" },
    { TLS_V13, TLS1_3_VERSION, SSL_OP_NO_TLSv1_3, "1.3" },
};
#define NVERSIONS (sizeof(versions) / sizeof(versions[0]))

char *versions_text(unsigned set, char *out, size_t cap)
{
    size_t len = 0;

    snprintf(out, cap, "no TLS");
    for (size_t i = 0; i < NVERSIONS; i++) {
        size_t last = i;
        if (!(set & versions[i].bit))
            continue;
        while (last + 1 < NVERSIONS && (set & versions[last + 1].bit))
            last++;
        int n = snprintf(out + len, cap - len, "%s%s%s%s", len > 0 ? ", " : "TLS ",
                         versions[i].name, last > i ? "-" : "",
                         last > i ? versions[last].name : "");
        if (n < 0 || (size_t)n >= cap - len)
            break;
        len += (size_t)n;
        i = last;
    }
    return out;
}

/* TLS 1.0 and 1.1 sign with SHA-1 and MD5, which security levels above 0 forbid. The
   level is also what clients' certificates are judged by, in every version; there it
   stays what it was. An operator who writes @SECLEVEL into the cipher list has
   chosen for all of it: the list is read later and sets the level anew. */
static void permit_old_signatures(SSL_CTX *ctx, const struct tls_policy *p)
{
    if (p->ciphers != NULL && strstr(p->ciphers, "@SECLEVEL=") != NULL)
        return;
    X509_VERIFY_PARAM_set_auth_level(SSL_CTX_get0_param(ctx), SSL_CTX_get_security_level(ctx));
    SSL_CTX_set_security_level(ctx, 0);
}

int suites_set_versions(SSL_CTX *ctx, const struct tls_policy *p, struct diags *d)
{
    int min = 0, max = 0;
    char text[VERSIONS_TEXT_MAX];

    for (size_t i = 0; i < NVERSIONS; i++) {
        if (!(p->versions & versions[i].bit)) {
            SSL_CTX_set_options(ctx, versions[i].off);
            continue;
        }
        SSL_CTX_clear_options(ctx, versions[i].off);    /* openssl.cnf may have set it */
        if (min == 0)
            min = versions[i].number;
        max = versions[i].number;
    }
    if (min == 0) {
        diag_add(d, DIAG_ERROR, p->at_versions, "name at least one: TLSv1.2, TLSv1.3",
                 "no protocol version is left");
        return -1;
    }
    if (!SSL_CTX_set_min_proto_version(ctx, min) || !SSL_CTX_set_max_proto_version(ctx, max)) {
        sslerr_clear();
        diag_add(d, DIAG_ERROR, p->at_versions, NULL, "this OpenSSL has no %s",
                 versions_text(p->versions, text, sizeof(text)));
        return -1;
    }
    if (p->versions & TLS_OLD)
        permit_old_signatures(ctx, p);
    return 0;
}

/* --- words of a list --- */

#define WORD_MAX 128

struct words {
    const char *rest;
    const char *separators;
    char word[WORD_MAX];
};

static bool next_word(struct words *w)
{
    size_t n;

    w->rest += strspn(w->rest, w->separators);
    n = strcspn(w->rest, w->separators);
    if (n == 0)
        return false;
    snprintf(w->word, sizeof(w->word), "%.*s", (int)(n < WORD_MAX ? n : WORD_MAX - 1), w->rest);
    w->rest += n;
    return true;
}

static char *shown(const char *word, char out[WORD_MAX * 4])
{
    return str_escape(out, WORD_MAX * 4, str_span(word));
}

static bool is_tls13_suite(const char *word)
{
    SSL_CTX *scratch = SSL_CTX_new(TLS_method());
    bool found = false;

    if (scratch != NULL && SSL_CTX_set_ciphersuites(scratch, word)) {
        STACK_OF(SSL_CIPHER) *all = SSL_CTX_get_ciphers(scratch);
        for (int i = 0; i < sk_SSL_CIPHER_num(all) && !found; i++) {
            const SSL_CIPHER *c = sk_SSL_CIPHER_value(all, i);
            found = strcmp(SSL_CIPHER_get_version(c), "TLSv1.3") == 0
                 && strcmp(SSL_CIPHER_get_name(c), word) == 0;
        }
    }
    SSL_CTX_free(scratch);
    sslerr_clear();
    return found;
}

static bool selects_something(const char *word)
{
    SSL_CTX *scratch = SSL_CTX_new(TLS_method());
    bool ok = scratch != NULL && SSL_CTX_set_cipher_list(scratch, word) == 1;

    SSL_CTX_free(scratch);
    sslerr_clear();
    return ok;
}

/* --- cipher suites --- */

static int set_ciphersuites(SSL_CTX *ctx, const struct tls_policy *p, struct diags *d)
{
    const char *list = p->ciphersuites != NULL ? p->ciphersuites : OUR_CIPHERSUITES;
    struct words w = { .rest = list, .separators = ":, " };
    char *joined = mem_strdup("");
    char text[WORD_MAX * 4];
    int rc = 0;

    while (next_word(&w)) {
        if (!is_tls13_suite(w.word)) {
            diag_add(d, DIAG_ERROR, p->at_ciphersuites,
                     "the suites of TLS 1.3 are TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384, "
                     "TLS_CHACHA20_POLY1305_SHA256 (`ciphers` is for TLS 1.2 and older)",
                     "\"%s\" is no cipher suite of TLS 1.3", shown(w.word, text));
            rc = -1;
        }
        joined = mem_join(joined, ":", w.word);
    }
    if (rc == 0 && !SSL_CTX_set_ciphersuites(ctx, joined)) {
        diag_add(d, DIAG_ERROR, p->at_ciphersuites, NULL, "not a list of cipher suites");
        rc = -1;
    }
    free(joined);
    return rc;
}

/* One word of a cipher list as OpenSSL is to see it; NULL with a finding. */
static const char *cipher_word(const struct tls_policy *p, const char *word, struct diags *d)
{
    const char *name = word, *iana;
    char text[WORD_MAX * 4];

    /* What is taken away or moved need not be there, and @ begins a command. */
    if (strchr("!-+@", word[0]) != NULL)
        return word;
    if (strncmp(word, "TLS_", 4) == 0) {
        iana = OPENSSL_cipher_name(word);
        if (is_tls13_suite(word)) {
            diag_add(d, DIAG_ERROR, p->at_ciphers, "write it into `ciphersuites`",
                     "\"%s\" is a suite of TLS 1.3; `ciphers` is for TLS 1.2 and older",
                     shown(word, text));
            return NULL;
        }
        if (iana != NULL && strcmp(iana, "(NONE)") != 0)
            name = iana;
    }
    if (!selects_something(name)) {
        diag_add(d, DIAG_ERROR, p->at_ciphers, "`openssl ciphers -v` lists what there is",
                 "\"%s\" is no cipher suite that this OpenSSL has", shown(word, text));
        return NULL;
    }
    return name;
}

static int set_ciphers(SSL_CTX *ctx, const struct tls_policy *p, struct diags *d)
{
    const char *ours = p->versions & TLS_OLD ? OUR_CIPHERS OUR_OLD_CIPHERS : OUR_CIPHERS;
    struct words w = { .rest = p->ciphers != NULL ? p->ciphers : ours, .separators = ":,; " };
    char *joined = mem_strdup(""), why[128];
    int rc = 0;

    while (next_word(&w)) {
        const char *word = cipher_word(p, w.word, d);
        if (word == NULL) {
            rc = -1;
            continue;
        }
        joined = mem_join(joined, ":", word);
    }
    sslerr_clear();
    if (rc == 0 && !SSL_CTX_set_cipher_list(ctx, joined)) {
        diag_add(d, DIAG_ERROR, p->at_ciphers, NULL, "not a usable cipher list: %s",
                 sslerr_text(why, sizeof(why)));
        rc = -1;
    }
    free(joined);
    return rc;
}

/* What gives away the bytes or the name. Only lists of the operator can have brought
   it; and only what could be negotiated counts: lists such as HIGH name anonymous
   suites, which every security level but 0 leaves out again. */
static int refuse_hollow(SSL_CTX *ctx, const struct tls_policy *p, struct diags *d)
{
    SSL *probe = SSL_new(ctx);
    STACK_OF(SSL_CIPHER) *all = probe != NULL ? SSL_get1_supported_ciphers(probe) : NULL;
    bool open = false, anonymous = false;

    for (int i = 0; i < sk_SSL_CIPHER_num(all); i++) {
        const SSL_CIPHER *c = sk_SSL_CIPHER_value(all, i);
        const bool tls13 = strcmp(SSL_CIPHER_get_version(c), "TLSv1.3") == 0;
        const struct diag_at at = tls13 ? p->at_ciphersuites : p->at_ciphers;
        if (!open && SSL_CIPHER_get_bits(c, NULL) == 0) {
            diag_add(d, DIAG_ERROR, at, tls13 ? "leave it out" : "add !eNULL, or leave it out",
                     "%s has no encryption", SSL_CIPHER_get_name(c));
            open = true;
        } else if (!anonymous && SSL_CIPHER_get_auth_nid(c) == NID_auth_null) {
            diag_add(d, DIAG_ERROR, at, "add !aNULL, or leave it out",
                     "%s has no authentication", SSL_CIPHER_get_name(c));
            anonymous = true;
        }
    }
    sk_SSL_CIPHER_free(all);
    SSL_free(probe);
    return open || anonymous ? -1 : 0;
}

int suites_set_ciphers(SSL_CTX *ctx, const struct tls_policy *p, struct diags *d)
{
    int rc13 = set_ciphersuites(ctx, p, d);
    int rc12 = set_ciphers(ctx, p, d);

    return rc13 == 0 && rc12 == 0 ? refuse_hollow(ctx, p, d) : -1;
}

/* --- groups --- */

static bool is_group(char *word)   /* OpenSSL's macro wants no const */
{
    SSL_CTX *scratch;
    bool ok;

    /* OpenSSL 3.5 has marks before a name (?, *, -) that mean nothing alone. */
    if (strchr("?*-", word[0]) != NULL)
        return true;
    scratch = SSL_CTX_new(TLS_method());
    ok = scratch != NULL && SSL_CTX_set1_groups_list(scratch, word) == 1;

    SSL_CTX_free(scratch);
    sslerr_clear();
    return ok;
}

/* Blanks and commas between names become one colon; slashes (OpenSSL 3.5) stay. */
static char *with_colons(const char *list)
{
    char *out = mem_strdup(list), *to = out;

    for (const char *c = list; *c != '\0'; c++) {
        bool divides = strchr(":, ", *c) != NULL;
        if (divides && (to == out || to[-1] == ':'))
            continue;
        *to++ = divides ? ':' : *c;
    }
    while (to > out && to[-1] == ':')
        to--;
    *to = '\0';
    return out;
}

int suites_set_groups(SSL_CTX *ctx, const struct tls_policy *p, struct diags *d)
{
    struct words w = { .rest = p->groups, .separators = ":/, " };
    char *joined, text[WORD_MAX * 4];
    int rc = 0;

    if (p->groups == NULL)
        return 0;
    while (next_word(&w)) {
        if (is_group(w.word))
            continue;
        diag_add(d, DIAG_ERROR, p->at_groups, "X25519, P-256 and P-384 are what clients have",
                 "\"%s\" is no key exchange group that this OpenSSL has", shown(w.word, text));
        rc = -1;
    }
    if (rc != 0)
        return rc;
    joined = with_colons(p->groups);
    if (!SSL_CTX_set1_groups_list(ctx, joined)) {
        diag_add(d, DIAG_ERROR, p->at_groups, "separate them by colons", "not a list of groups");
        rc = -1;
    }
    free(joined);
    sslerr_clear();
    return rc;
}

/* --- is there a way in for every version? --- */

/* Which kind of key signs with this suite; NID_auth_any for TLS 1.3. */
static bool key_serves(const EVP_PKEY *key, const SSL_CIPHER *c)
{
    int type = EVP_PKEY_get_base_id(key);

    switch (SSL_CIPHER_get_auth_nid(c)) {
    case NID_auth_any:
        return true;
    case NID_auth_rsa:
        return type == EVP_PKEY_RSA
            || (type == EVP_PKEY_RSA_PSS && SSL_CIPHER_get_kx_nid(c) != NID_kx_rsa);
    case NID_auth_ecdsa:
        return type == EVP_PKEY_EC || type == EVP_PKEY_ED25519 || type == EVP_PKEY_ED448;
    default:
        return false;
    }
}

static bool version_has(const SSL_CIPHER *c, enum tls_version v)
{
    const char *since = SSL_CIPHER_get_version(c);

    if (strcmp(since, "TLSv1.3") == 0)
        return v == TLS_V13;
    if (strcmp(since, "TLSv1.2") == 0)
        return v == TLS_V12;
    return v != TLS_V13;
}

static bool has_way(STACK_OF(SSL_CIPHER) *all, enum tls_version v, struct keypair *const *certs,
                    size_t ncerts, bool *any)
{
    bool way = false;

    *any = false;
    for (int i = 0; i < sk_SSL_CIPHER_num(all); i++) {
        const SSL_CIPHER *c = sk_SSL_CIPHER_value(all, i);
        if (!version_has(c, v))
            continue;
        *any = true;
        for (size_t k = 0; k < ncerts; k++)
            way = way || key_serves(certs[k]->key, c);
    }
    return way;
}

int suites_check(SSL_CTX *ctx, const struct tls_policy *p, struct keypair *const *certs,
                 size_t ncerts, struct diags *d)
{
    STACK_OF(SSL_CIPHER) *all = SSL_CTX_get_ciphers(ctx);
    int rc = 0;
    bool any;
    char type[32];

    for (size_t i = 0; i < NVERSIONS; i++) {
        enum tls_version v = versions[i].bit;
        struct diag_at at = v == TLS_V13 ? p->at_ciphersuites : p->at_ciphers;
        if (!(p->versions & v) || has_way(all, v, certs, ncerts, &any))
            continue;
        rc = -1;
        if (!any)
            diag_add(d, DIAG_ERROR, at, "name one, or leave the version out of `protocols`",
                     "no suite is left for TLS %s", versions[i].name);
        else
            diag_add(d, DIAG_ERROR, at,
                     "name one that does (ECDHE-RSA-... for an RSA key, ECDHE-ECDSA-... for EC)",
                     "no suite for TLS %s works with the key of the certificate (%s)",
                     versions[i].name, ncerts > 0 ? keypair_type(certs[0], type) : "none");
    }
    return rc;
}
