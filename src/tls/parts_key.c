/* Private keys: every form that OpenSSL, Java and their users write. */
#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tls/key_decoder.h"
#include "tls/own_passwords.h"
#include "tls/parts.h"
#include "tls/sslerr.h"

static EVP_PKEY *decode(const struct parts *p, enum key_form form, const uint8_t *der, size_t len)
{
    static const enum key_syntax syntax[] = {
        [KEY_PKCS8] = KEY_SYNTAX_PKCS8, [KEY_RSA] = KEY_SYNTAX_RSA, [KEY_EC] = KEY_SYNTAX_EC,
        [KEY_DSA] = KEY_SYNTAX_DSA,
    };

    return key_decode(p->decoder, syntax[form], der, len);
}

static enum key_opened open_plain(const struct parts *p, enum key_form form, const uint8_t *der,
                                  size_t len, EVP_PKEY **out)
{
    *out = decode(p, form, der, len);
    if (*out != NULL)
        return KEY_OPEN;
    return sslerr_take_unsupported() && form == KEY_PKCS8 ? KEY_UNSUPPORTED : KEY_DAMAGED;
}

static enum key_opened open_pkcs8(const uint8_t *der, size_t len, const char *password,
                                  EVP_PKEY **out)
{
    const uint8_t *p = der;
    X509_SIG *sig = d2i_X509_SIG(NULL, &p, (long)len);
    PKCS8_PRIV_KEY_INFO *info = NULL;
    const X509_ALGOR *how;
    int64_t rounds = PBE_ROUNDS_MAX;
    enum key_opened result;

    if (sig == NULL)
        return KEY_DAMAGED;
    X509_SIG_get0(sig, &how, NULL);
    result = password == NULL ? KEY_NO_PASSWORD : pbe_judge(how, &rounds);
    /* What the judge does not know (scrypt) OpenSSL may. */
    if (result != KEY_OPEN && result != KEY_UNSUPPORTED) {
        X509_SIG_free(sig);
        return result;
    }
    result = KEY_OPEN;
    info = PKCS8_decrypt(sig, password, (int)strlen(password));
    if (info == NULL)
        result = sslerr_take_unsupported() ? KEY_UNSUPPORTED : KEY_WRONG_PASSWORD;
    else if ((*out = EVP_PKCS82PKEY(info)) == NULL)
        result = KEY_UNSUPPORTED;
    PKCS8_PRIV_KEY_INFO_free(info);
    X509_SIG_free(sig);
    return result;
}

/* OpenSSL asks for the password here; nobody is ever prompted. */
static int give_password(char *buf, int size, int writing, void *password)
{
    size_t len = strlen(password);

    (void)writing;
    if (size < 0 || len > (size_t)size)
        return -1;
    memcpy(buf, password, len);
    return (int)len;
}

/* RFC 1421's encryption around PKCS#1, SEC1 and DSA keys. Decrypts in place. */
static enum key_opened open_dek(const struct parts *p, enum key_form form, char *dek, uint8_t *der,
                                size_t len, const char *password, EVP_PKEY **out)
{
    EVP_CIPHER_INFO cipher;
    long n = (long)len;
    char copy[PEM_BUFSIZE];

    if (!PEM_get_EVP_CIPHER_INFO(dek, &cipher))
        return sslerr_last_is(ERR_LIB_PEM, PEM_R_UNSUPPORTED_ENCRYPTION) ? KEY_UNSUPPORTED
                                                                         : KEY_DAMAGED;
    if (cipher.cipher == NULL)
        return open_plain(p, form, der, len, out);
    if (password == NULL)
        return KEY_NO_PASSWORD;
    if (strlen(password) >= sizeof(copy))
        return KEY_WRONG_PASSWORD;
    strcpy(copy, password);
    int ok = PEM_do_header(&cipher, der, &n, give_password, copy);
    OPENSSL_cleanse(copy, sizeof(copy));
    if (!ok)
        return sslerr_take_unsupported() ? KEY_UNSUPPORTED : KEY_WRONG_PASSWORD;
    /* One wrong password in 256 decrypts to well-padded rubbish. */
    *out = decode(p, form, der, (size_t)n);
    return *out != NULL ? KEY_OPEN : KEY_WRONG_PASSWORD;
}

static int report(const struct parts *p, enum key_opened why, size_t line, const char *password,
                  struct diags *d)
{
    const char *path = p->in->path;
    char place[48] = "", *hint = NULL;

    if (line > 0)
        snprintf(place, sizeof(place), " at line %zu", line);
    switch (why) {
    case KEY_NO_PASSWORD:
        diag_add(d, DIAG_ERROR, p->in->where,
                 "name a file that holds the password: password_file = FILE",
                 "the private key in %s%s is encrypted, and no password is given", path, place);
        break;
    case KEY_WRONG_PASSWORD:
        hint = password_hint(password, NULL);
        if (hint == NULL)
            hint = mem_printf("try it by hand: openssl pkey -in %s -noout", path);
        diag_add(d, DIAG_ERROR, p->in->where, hint,
                 "the password does not open the private key in %s%s", path, place);
        break;
    case KEY_UNSUPPORTED:
        hint = mem_printf("encrypt it anew: openssl pkcs8 -provider legacy -provider default "
                          "-topk8 -v2 aes-256-cbc -in %s -out NEW", path);
        diag_add(d, DIAG_ERROR, p->in->where, hint,
                 "the private key in %s%s has a type or an encryption that this OpenSSL does not "
                 "know", path, place);
        break;
    case KEY_TOO_SLOW:
        diag_add(d, DIAG_ERROR, p->in->where, "make a new copy of it from where it was made",
                 "the private key in %s%s is encrypted with more than %d rounds, or damaged", path,
                 place, PBE_ROUNDS_MAX);
        break;
    default:
        diag_add(d, DIAG_ERROR, p->in->where, "make a new copy of it from where it was made",
                 "the private key in %s%s is damaged", path, place);
        break;
    }
    free(hint);
    return -1;
}

/* Keys that decode but cannot sign a handshake. */
static bool signs_tls(const EVP_PKEY *key)
{
    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
    case EVP_PKEY_RSA_PSS:
    case EVP_PKEY_EC:
    case EVP_PKEY_ED25519:
    case EVP_PKEY_ED448:
        return true;
    default:
        return false;
    }
}

int parts_usable_key(const struct parts *p, const EVP_PKEY *key, struct diags *d)
{
    if (signs_tls(key) || p->use == PARTS_SHOW)
        return 0;
    diag_add(d, DIAG_ERROR, p->in->where,
             "make an EC or RSA key (older keytool versions make DSA ones: -keyalg RSA)",
             "the private key in %s is a %s key, with which TLS cannot be served", p->in->path,
             EVP_PKEY_get0_type_name(key));
    return -1;
}

static void keep_key(struct parts *p, EVP_PKEY *key, bool encrypted)
{
    p->keys = mem_grow(p->keys, p->nkeys + 1, sizeof(p->keys[0]));
    p->keys[p->nkeys++] = (struct part_key){ .key = key, .encrypted = encrypted };
}

void parts_add_token_key(struct parts *p, EVP_PKEY *key)
{
    keep_key(p, key, false);
}

int parts_add_key(struct parts *p, enum key_form form, char *dek, uint8_t *der, size_t len,
                  size_t line, const char *password, struct diags *d)
{
    EVP_PKEY *key = NULL;
    bool encrypted = form == KEY_PKCS8_ENCRYPTED || strstr(dek, "DEK-Info:") != NULL;
    enum key_opened why;

    p->nclosed++;
    if (p->use == PARTS_TRUST_FILE || p->use == PARTS_CRL_FILE)
        return 0;
    sslerr_clear();
    if (len > INT_MAX)
        why = KEY_DAMAGED;
    else if (form == KEY_PKCS8_ENCRYPTED)
        why = open_pkcs8(der, len, password, &key);
    else if (dek[0] != '\0')
        why = open_dek(p, form, dek, der, len, password, &key);
    else
        why = open_plain(p, form, der, len, &key);
    sslerr_clear();
    if (why != KEY_OPEN && p->use == PARTS_SHOW && why != KEY_DAMAGED) {
        keep_key(p, NULL, encrypted);
        if (why != KEY_NO_PASSWORD)
            report(p, why, line, password, d);
        return 0;
    }
    if (why != KEY_OPEN)
        return report(p, why, line, password, d);

    if (parts_usable_key(p, key, d) != 0) {
        EVP_PKEY_free(key);
        return -1;
    }
    p->nclosed--;
    keep_key(p, key, encrypted);
    return 0;
}
