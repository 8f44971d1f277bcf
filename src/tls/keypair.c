#include "tls/keypair.h"

#include <limits.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tls/certinfo.h"
#include "tls/judge.h"
#include "tls/key_decoder.h"
#include "tls/key_uri.h"
#include "tls/sslerr.h"

static X509 *parse_cert(const struct der *der)
{
    const unsigned char *p = der->p;
    X509 *x = der->len <= INT_MAX ? d2i_X509(NULL, &p, (long)der->len) : NULL;

    if (x != NULL && p != der->p + der->len) {
        X509_free(x);
        x = NULL;
    }
    return x;
}

static EVP_PKEY *open_key(struct key_decoder *decoder, const uint8_t *p, size_t len, struct err *e)
{
    char why[128];
    EVP_PKEY *key;

    if (key_uri_is_record(p, len))
        return key_uri_open_record(p, len, e);
    key = key_decode(decoder, KEY_SYNTAX_PKCS8, p, len);
    if (key == NULL)
        err_setx(e, "the private key is damaged: %s", sslerr_text(why, sizeof(why)));
    return key;
}

struct keypair *keypair_new(struct key_decoder *decoder, const uint8_t *key, size_t keylen,
                            const struct der *chain, size_t n, struct err *e)
{
    struct keypair *k = calloc(1, sizeof(*k));
    char why[128];

    if (k == NULL) {
        err_setx(e, "memory is out");
        return NULL;
    }
    sslerr_clear();
    k->key = open_key(decoder, key, keylen, e);
    if (k->key == NULL)
        goto fail;
    k->chain = sk_X509_new_null();
    if (n == 0 || k->chain == NULL) {
        err_setx(e, "no certificate");
        goto fail;
    }
    for (size_t i = 0; i < n; i++) {
        X509 *x = parse_cert(&chain[i]);
        if (x == NULL) {
            err_setx(e, "certificate %zu is damaged: %s", i + 1, sslerr_text(why, sizeof(why)));
            goto fail;
        }
        if (i == 0) {
            k->leaf = x;
        } else if (!sk_X509_push(k->chain, x)) {
            X509_free(x);
            err_setx(e, "out of memory");
            goto fail;
        }
    }
    return k;
fail:
    keypair_free(k);
    return NULL;
}

struct keypair *keypair_of(EVP_PKEY *key, X509 *leaf, STACK_OF(X509) *chain)
{
    struct keypair *k = calloc(1, sizeof(*k));

    if (k == NULL)
        return NULL;
    k->chain = chain != NULL ? X509_chain_up_ref(chain) : sk_X509_new_null();
    if (k->chain == NULL) {
        free(k);
        return NULL;
    }
    EVP_PKEY_up_ref(key);
    X509_up_ref(leaf);
    k->key = key;
    k->leaf = leaf;
    return k;
}

void keypair_free(struct keypair *k)
{
    if (k == NULL)
        return;
    EVP_PKEY_free(k->key);
    X509_free(k->leaf);
    sk_X509_pop_free(k->chain, X509_free);
    free(k);
}

/* A signature by itself proves nothing, and is not looked at. */
static int bits_of(X509 *x)
{
    EVP_PKEY *key = X509_get0_pubkey(x);
    int bits = key != NULL ? EVP_PKEY_get_security_bits(key) : -1, of_signature = -1;

    if (X509_get_extension_flags(x) & EXFLAG_SS)
        return bits;
    if (X509_get_signature_info(x, NULL, NULL, &of_signature, NULL) != 1)
        return -1;
    return of_signature < bits ? of_signature : bits;
}

unsigned keypair_bits(const struct keypair *k)
{
    int least = bits_of(k->leaf);

    for (int i = 0; i < sk_X509_num(k->chain); i++) {
        int bits = bits_of(sk_X509_value(k->chain, i));
        if (bits < least)
            least = bits;
    }
    sslerr_clear();
    return least > 0 ? (unsigned)least : 0;
}

const char *keypair_type(const struct keypair *k, char buf[32])
{
    return key_text(k->key, buf);
}

/* --- judging --- */

struct judge {
    const struct keypair *k;
    const struct keypair_rules *rules;
    struct diag_at where;
    const char *path;
    struct diags *d;
    char name[CERT_TEXT_MAX];   /* of the leaf */
};

static void check_match(const struct judge *j)
{
    char has[KEY_TEXT_MAX], needs[KEY_TEXT_MAX];
    EVP_PKEY *pub = X509_get0_pubkey(j->k->leaf);

    if (pub == NULL)
        diag_add(j->d, DIAG_ERROR, j->where, "ask for a certificate with an RSA or EC key",
                 "%s: the public key of %s is of a kind that OpenSSL does not know", j->path,
                 j->name);
    else if (!j->k->proven && EVP_PKEY_eq(pub, j->k->key) != 1)
        diag_add(j->d, DIAG_ERROR, j->where, "name the key that the certificate was made for",
                 "%s: the private key (%s) does not belong to the certificate %s (%s)", j->path,
                 key_text(j->k->key, has), j->name, key_text(pub, needs));
    sslerr_clear();
}

static void check_dates(const struct judge *j, X509 *x, bool leaf)
{
    int64_t from = time_of(X509_get0_notBefore(x)), until = time_of(X509_get0_notAfter(x));
    int64_t now = j->rules->now;
    bool served = !leaf || j->rules->serve_expired;
    char name[CERT_TEXT_MAX], date[DATE_TEXT_MAX], when[DATE_TEXT_MAX];
    const char *what = leaf ? "certificate" : "intermediate certificate";

    cert_subject(x, name);
    if (until < now)
        diag_add(j->d, served ? DIAG_WARNING : DIAG_ERROR, j->where,
                 leaf && !served ? "renew it; expired = serve uses it all the same"
                                 : "renew it",
                 "%s: the %s %s expired %s (%s)", j->path, what, name,
                 distance_text(until, now, when), date_text(until, date));
    else if (from > now)
        diag_add(j->d, leaf ? DIAG_ERROR : DIAG_WARNING, j->where,
                 "wait, or look at the clock of this machine",
                 "%s: the %s %s is valid from %s, %s", j->path, what, name, date_text(from, date),
                 distance_text(from, now, when));
}

/* The extended key usages as one line. */
static void usages_text(const EXTENDED_KEY_USAGE *usages, char *out, size_t cap)
{
    size_t len = 0;
    char one[64];

    out[0] = '\0';
    for (int i = 0; i < sk_ASN1_OBJECT_num(usages) && len < cap; i++) {
        const ASN1_OBJECT *o = sk_ASN1_OBJECT_value(usages, i);
        int nid = OBJ_obj2nid(o);
        if (nid != NID_undef)
            snprintf(one, sizeof(one), "%s", OBJ_nid2sn(nid));
        else
            OBJ_obj2txt(one, sizeof(one), o, 1);
        len += (size_t)snprintf(out + len, cap - len, "%s%s", i > 0 ? ", " : "", one);
    }
}

static void refuse_usage(const struct judge *j, const char *hint, const char *whom)
{
    EXTENDED_KEY_USAGE *usages = X509_get_ext_d2i(j->k->leaf, NID_ext_key_usage, NULL, NULL);
    char text[160];

    usages_text(usages, text, sizeof(text));
    diag_add(j->d, DIAG_ERROR, j->where, hint,
             "%s: %s is not for %s: its extended key usage is %s only", j->path, j->name, whom,
             text);
    sk_ASN1_OBJECT_pop_free(usages, ASN1_OBJECT_free);
    sslerr_clear();
}

static void check_usage(const struct judge *j)
{
    if (!j->rules->not_to_clients && !judge_is_for_servers(j->k->leaf))
        refuse_usage(j, "ask for a certificate with the extended key usage serverAuth", "servers");
    if (j->rules->to_servers && !judge_is_for_clients(j->k->leaf))
        refuse_usage(j, "tls_store shows it to a server: ask for one with the extended key usage "
                        "clientAuth, too", "clients");
}

/* A folder of ten thousand certificates of one CA is worth one note. */
static bool was_noted(const struct judge *j)
{
    char issuer[CERT_TEXT_MAX];
    char **last = j->rules->noted;

    if (last == NULL)
        return true;            /* nobody wants notes */
    cert_issuer(j->k->leaf, issuer);
    if (cert_self_signed(j->k->leaf))
        issuer[0] = '\0';
    if (*last != NULL && strcmp(*last, issuer) == 0)
        return true;
    free(*last);
    *last = mem_strdup(issuer);
    return false;
}

/* It is sent alone. */
static void check_alone(const struct judge *j)
{
    struct judge_at at = { j->path, j->where, j->d };

    if (!judge_issuer_missing(&at, j->k->leaf, j->rules->alias) && !was_noted(j))
        judge_note_alone(&at, j->k->leaf, j->rules->alias);
}

static void check_chain(const struct judge *j)
{
    STACK_OF(X509) *chain = j->k->chain;
    X509 *below = j->k->leaf;
    char name[CERT_TEXT_MAX], wanted[CERT_TEXT_MAX];

    for (int i = 0; i < sk_X509_num(chain); i++) {
        X509 *x = sk_X509_value(chain, i);
        if (!cert_signed_by(below, x)) {
            diag_add(j->d, DIAG_WARNING, j->where,
                     "the file is to hold the certificate, its issuer, the issuer's issuer, in "
                     "that order",
                     "%s: the chain has a gap or is out of order: %s follows, where the issuer %s "
                     "is expected", j->path, cert_subject(x, name), cert_issuer(below, wanted));
            break;
        }
        below = x;
    }
    for (int i = 0; i < sk_X509_num(chain); i++)
        check_dates(j, sk_X509_value(chain, i), false);
    if (sk_X509_num(chain) == 0)
        check_alone(j);
    sslerr_clear();
}

void keypair_check(const struct keypair *k, const struct keypair_rules *rules,
                   struct diag_at where, const char *path, struct diags *d)
{
    struct judge_at at = { path, where, d };
    struct judge j = { .k = k, .rules = rules, .where = where, .path = path, .d = d };

    sslerr_clear();
    cert_subject(k->leaf, j.name);
    check_match(&j);
    check_dates(&j, k->leaf, true);
    check_usage(&j);
    if (!rules->not_to_clients)
        judge_server_form(&at, k->leaf);
    judge_strength(&at, k->leaf);
    for (int i = 0; i < sk_X509_num(k->chain); i++)
        judge_strength(&at, sk_X509_value(k->chain, i));
    check_chain(&j);
}
