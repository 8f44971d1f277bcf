#include "tls/judge.h"

#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tls/certinfo.h"
#include "tls/sslerr.h"

#define RSA_BITS_MIN 2048

static void judge_key(const struct judge_at *at, X509 *x)
{
    EVP_PKEY *key = X509_get0_pubkey(x);
    char name[CERT_TEXT_MAX];
    int type = key != NULL ? EVP_PKEY_get_base_id(key) : NID_undef;

    if (type == EVP_PKEY_DSA)
        diag_add(at->d, DIAG_WARNING, at->where, "make an EC or RSA key (keytool: -keyalg RSA)",
                 "%s: the key of %s is a DSA key, with which TLS cannot be served", at->path,
                 cert_subject(x, name));
    if ((type == EVP_PKEY_RSA || type == EVP_PKEY_RSA_PSS)
        && EVP_PKEY_get_bits(key) < RSA_BITS_MIN)
        diag_add(at->d, DIAG_WARNING, at->where, "make a new key: 2048 bits or more, or EC P-256",
                 "%s: the RSA key of %s has %d bits only", at->path, cert_subject(x, name),
                 EVP_PKEY_get_bits(key));
}

void judge_strength(const struct judge_at *at, X509 *x)
{
    char name[CERT_TEXT_MAX];
    int md = NID_undef;

    judge_key(at, x);
    if (X509_get_signature_info(x, &md, NULL, NULL, NULL) == 1
        && (md == NID_md5 || md == NID_sha1 || md == NID_md4 || md == NID_md2)
        && !cert_self_signed(x))
        diag_add(at->d, DIAG_WARNING, at->where,
                 "have it issued again with SHA-256 (openssl x509 -req -sha256)",
                 "%s: %s is signed with %s, which clients no longer accept", at->path,
                 cert_subject(x, name), md == NID_sha1 ? "SHA-1" : OBJ_nid2sn(md));
    sslerr_clear();
}

void judge_server_form(const struct judge_at *at, X509 *x)
{
    char name[CERT_TEXT_MAX], dialled[CERT_TEXT_MAX];

    cert_subject(x, name);
    if (X509_get_version(x) == X509_VERSION_1)
        diag_add(at->d, DIAG_WARNING, at->where,
                 "some clients refuse it; -extfile of openssl x509 -req makes it version 3",
                 "%s: %s is an X.509 version 1 certificate", at->path, name);
    if (strcmp(cert_dialled_names(x, dialled), "no name") == 0)
        diag_add(at->d, DIAG_WARNING, at->where,
                 "clients that check the name refuse it: add subjectAltName=DNS:NAME",
                 "%s: %s has no subject alternative name (DNS or IP)", at->path, name);
}

/* It may not sign, as X509_check_ca() has it; how so? */
static void judge_no_ca(const struct judge_at *at, X509 *x, const char *name)
{
    BASIC_CONSTRAINTS *basic = X509_get_ext_d2i(x, NID_basic_constraints, NULL, NULL);
    bool says_ca = basic != NULL && basic->ca;
    bool may_sign = (X509_get_key_usage(x) & KU_KEY_CERT_SIGN) != 0;
    bool has_usage = X509_get_key_usage(x) != UINT32_MAX;

    if (says_ca && !may_sign)
        diag_add(at->d, DIAG_WARNING, at->where,
                 "make the CA's certificate again with keyUsage = keyCertSign, cRLSign",
                 "%s: %s is a CA whose key usage lacks keyCertSign; certificates that it issued "
                 "are refused", at->path, name);
    else if (has_usage && may_sign && !says_ca)
        diag_add(at->d, DIAG_WARNING, at->where,
                 "make the CA's certificate again with basicConstraints = critical, CA:TRUE",
                 "%s: %s has the key usage of a CA and no CA:TRUE; certificates that it issued "
                 "are refused", at->path, name);
    else if (cert_self_signed(x))
        diag_add(at->d, DIAG_NOTE, at->where,
                 "if it is to issue others, make it again with basicConstraints = critical, "
                 "CA:TRUE",
                 "%s: %s is self-signed and no CA; it is trusted for itself alone", at->path, name);
    BASIC_CONSTRAINTS_free(basic);
}

void judge_anchor(const struct judge_at *at, X509 *x)
{
    char name[CERT_TEXT_MAX];

    cert_subject(x, name);
    if (!cert_is_ca(x))
        judge_no_ca(at, x, name);
    else if (X509_get_version(x) == X509_VERSION_1)
        diag_add(at->d, DIAG_WARNING, at->where,
                 "make the CA's certificate again as version 3, with basicConstraints = critical, "
                 "CA:TRUE",
                 "%s: the CA %s is an X.509 version 1 certificate, which cannot say that it is a "
                 "CA; other programs refuse what it issued", at->path, name);
    sslerr_clear();
}

static bool allows(X509 *x, int wanted)
{
    EXTENDED_KEY_USAGE *usages = X509_get_ext_d2i(x, NID_ext_key_usage, NULL, NULL);
    bool yes = usages == NULL;

    for (int i = 0; i < sk_ASN1_OBJECT_num(usages) && !yes; i++) {
        int nid = OBJ_obj2nid(sk_ASN1_OBJECT_value(usages, i));
        yes = nid == wanted || nid == NID_anyExtendedKeyUsage;
    }
    sk_ASN1_OBJECT_pop_free(usages, ASN1_OBJECT_free);
    sslerr_clear();
    return yes;
}

bool judge_is_for_servers(X509 *x)
{
    return allows(x, NID_server_auth);
}

bool judge_is_for_clients(X509 *x)
{
    return allows(x, NID_client_auth);
}

static bool names_issuer_url(X509 *x)
{
    AUTHORITY_INFO_ACCESS *access = X509_get_ext_d2i(x, NID_info_access, NULL, NULL);
    bool found = false;

    for (int i = 0; i < sk_ACCESS_DESCRIPTION_num(access) && !found; i++)
        found = OBJ_obj2nid(sk_ACCESS_DESCRIPTION_value(access, i)->method) == NID_ad_ca_issuers;
    AUTHORITY_INFO_ACCESS_free(access);
    sslerr_clear();
    return found;
}

/* How certificates get below a key; the caller's. */
static char *import_hint(const struct judge_at *at, const char *alias, const char *what)
{
    return mem_printf("%s: keytool -importcert -keystore %s -alias \"%s\" -file CHAIN, where CHAIN "
                      "is the certificate, its issuer, the issuer's issuer", what, at->path, alias);
}

bool judge_issuer_missing(const struct judge_at *at, X509 *leaf, const char *alias)
{
    char name[CERT_TEXT_MAX], issuer[CERT_TEXT_MAX], *hint;

    if (cert_self_signed(leaf) || !names_issuer_url(leaf))
        return false;
    hint = alias != NULL ? import_hint(at, alias, "import the CA's whole reply")
                         : mem_strdup("append the CA's intermediate certificate to the file");
    diag_add(at->d, DIAG_WARNING, at->where, hint,
             "%s: the certificate of the issuer %s is missing; clients that know only the root "
             "refuse %s", at->path, cert_issuer(leaf, issuer), cert_subject(leaf, name));
    free(hint);
    return true;
}

void judge_note_alone(const struct judge_at *at, X509 *leaf, const char *alias)
{
    char name[CERT_TEXT_MAX], issuer[CERT_TEXT_MAX], *hint;

    if (cert_self_signed(leaf)) {
        hint = alias != NULL ? import_hint(at, alias, "if a CA has signed it, import its reply")
                             : NULL;
        diag_add(at->d, DIAG_NOTE, at->where, hint,
                 "%s: %s is self-signed; clients must be given it itself", at->path,
                 cert_subject(leaf, name));
    } else {
        hint = alias != NULL ? import_hint(at, alias, "otherwise import the chain")
                             : mem_strdup("otherwise append the issuer's certificate to the file");
        diag_add(at->d, DIAG_NOTE, at->where, hint,
                 "%s: the file holds no issuer of %s; that is right if %s is a root that the "
                 "clients trust", at->path, cert_subject(leaf, name),
                 cert_issuer(leaf, issuer));
    }
    free(hint);
}
