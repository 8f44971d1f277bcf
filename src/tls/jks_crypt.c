#include "tls/jks_crypt.h"

#include <openssl/asn1t.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pkcs12.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define SHA1_LEN 20
#define MD5_LEN  16

/* --- passwords --- */

struct utf16 {
    uint8_t *p;                 /* big endian */
    size_t len;                 /* bytes */
};

/* UTF-8 to UTF-16; what is not UTF-8 is taken for Latin-1. */
static struct utf16 utf16_of(const char *text)
{
    size_t n = strlen(text), used = 0;
    struct utf16 out = { mem_zalloc(n * 2 + 1), 0 };
    unsigned long c;

    for (size_t i = 0; i < n;) {
        int step = UTF8_getc((const unsigned char *)text + i, (int)(n - i), &c);
        if (step <= 0 || c > 0x10ffff) {
            for (used = 0, i = 0; i < n; i++, used += 2)
                out.p[used] = 0, out.p[used + 1] = (uint8_t)text[i];
            break;
        }
        i += (size_t)step;
        if (c >= 0x10000) {
            unsigned long high = 0xd800 + ((c - 0x10000) >> 10);
            out.p[used++] = (uint8_t)(high >> 8);
            out.p[used++] = (uint8_t)high;
            c = 0xdc00 + ((c - 0x10000) & 0x3ff);
        }
        out.p[used++] = (uint8_t)(c >> 8);
        out.p[used++] = (uint8_t)c;
    }
    out.len = used;
    return out;
}

static void utf16_free(struct utf16 *u)
{
    mem_wipe_free(u->p, u->len);
}

/* --- digests of two or three pieces --- */

struct piece {
    const void *p;
    size_t len;
};

static bool digest(const EVP_MD *md, const struct piece *v, size_t n, uint8_t *out)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx != NULL && EVP_DigestInit_ex(ctx, md, NULL);

    for (size_t i = 0; i < n && ok; i++)
        ok = EVP_DigestUpdate(ctx, v[i].p, v[i].len);
    ok = ok && EVP_DigestFinal_ex(ctx, out, NULL);
    EVP_MD_CTX_free(ctx);
    return ok;
}

bool jks_digest_fits(const struct jks *k, const char *password)
{
    static const char words[] = "Mighty Aphrodite";
    struct utf16 pw = utf16_of(password);
    struct jks_bytes file = jks_digested(k);
    const struct piece v[] = {
        { pw.p, pw.len }, { words, sizeof(words) - 1 }, { file.p, file.len }
    };
    uint8_t out[SHA1_LEN];
    bool ok = digest(EVP_sha1(), v, 3, out) && CRYPTO_memcmp(out, jks_digest(k), SHA1_LEN) == 0;

    utf16_free(&pw);
    return ok;
}

/* --- keys --- */

/* Plain bytes to PKCS#8; wipes and frees them. */
static PKCS8_PRIV_KEY_INFO *pkcs8_of(uint8_t *plain, size_t len)
{
    const unsigned char *p = plain;
    PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, (long)len);

    mem_wipe_free(plain, len);
    return info;
}

/*
 * JKS: salt (20), key XOR stream, check (20). The stream is SHA-1 chained over the
 * password and the digest before, beginning with the salt; the check is SHA-1 over
 * password and plain key.
 */
static enum key_opened open_jks(const uint8_t *p, size_t len, const char *password,
                                PKCS8_PRIV_KEY_INFO **out)
{
    if (len <= 2 * SHA1_LEN)
        return KEY_DAMAGED;

    size_t n = len - 2 * SHA1_LEN;
    struct utf16 pw = utf16_of(password);
    uint8_t stream[SHA1_LEN], check[SHA1_LEN], *plain = mem_dup(p + SHA1_LEN, n);
    bool ok = true;

    memcpy(stream, p, SHA1_LEN);
    for (size_t i = 0; i < n && ok; i++) {
        if (i % SHA1_LEN == 0)
            ok = digest(EVP_sha1(),
                        (struct piece[]){ { pw.p, pw.len }, { stream, SHA1_LEN } }, 2, stream);
        plain[i] ^= stream[i % SHA1_LEN];
    }
    ok = ok && digest(EVP_sha1(), (struct piece[]){ { pw.p, pw.len }, { plain, n } }, 2, check)
      && CRYPTO_memcmp(check, p + SHA1_LEN + n, SHA1_LEN) == 0;
    utf16_free(&pw);
    OPENSSL_cleanse(stream, sizeof(stream));
    if (!ok) {
        mem_wipe_free(plain, n);
        return KEY_WRONG_PASSWORD;
    }
    *out = pkcs8_of(plain, n);
    return *out != NULL ? KEY_OPEN : KEY_DAMAGED;
}

/* The half of a salt to half of the key material: MD5 chained over itself and the
   password, of which seven bits a character count. */
static bool jceks_half(const uint8_t salt[4], const struct piece *pw, int64_t rounds,
                       uint8_t out[MD5_LEN])
{
    EVP_MD *md5 = EVP_MD_fetch(NULL, "MD5", NULL);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t len = 4;
    bool ok = md5 != NULL && ctx != NULL;

    memcpy(out, salt, len);
    for (int64_t i = 0; i < rounds && ok; i++) {
        ok = EVP_DigestInit_ex(ctx, md5, NULL) && EVP_DigestUpdate(ctx, out, len)
          && EVP_DigestUpdate(ctx, pw->p, pw->len) && EVP_DigestFinal_ex(ctx, out, NULL);
        len = MD5_LEN;
    }
    EVP_MD_CTX_free(ctx);
    EVP_MD_free(md5);
    return ok;
}

static int decrypt_3des(const uint8_t material[2 * MD5_LEN], const uint8_t *p, size_t len,
                        uint8_t *plain)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n = 0, last = 0;
    bool ok = ctx != NULL
           && EVP_DecryptInit_ex(ctx, EVP_des_ede3_cbc(), NULL, material, material + 24)
           && EVP_DecryptUpdate(ctx, plain, &n, p, (int)len)
           && EVP_DecryptFinal_ex(ctx, plain + n, &last);

    EVP_CIPHER_CTX_free(ctx);
    return ok ? n + last : -1;
}

/* With a salt as it is to be used; PKCS#8, or NULL. */
static PKCS8_PRIV_KEY_INFO *try_jceks(const uint8_t salt[8], const struct piece *pw,
                                      int64_t rounds, const uint8_t *p, size_t len)
{
    uint8_t material[2 * MD5_LEN], *plain = mem_zalloc(len + EVP_MAX_BLOCK_LENGTH);
    PKCS8_PRIV_KEY_INFO *info = NULL;
    int n = -1;

    if (jceks_half(salt, pw, rounds, material)
        && jceks_half(salt + 4, pw, rounds, material + MD5_LEN))
        n = decrypt_3des(material, p, len, plain);
    OPENSSL_cleanse(material, sizeof(material));
    if (n > 0) {
        const unsigned char *q = plain;
        info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &q, n);
    }
    mem_wipe_free(plain, len + EVP_MAX_BLOCK_LENGTH);
    return info;
}

/* Equal halves would make equal halves of a key, so the first is turned round before
   use. Old versions did that with a slip, [3 - 1] for [3 - i]. Nothing in the file says
   which version it was: both are tried. */
static size_t salts_of(const uint8_t salt[8], uint8_t out[2][8])
{
    memcpy(out[0], salt, 8);
    if (memcmp(salt, salt + 4, 4) != 0)
        return 1;
    memcpy(out[1], salt, 8);
    for (size_t i = 0; i < 4; i++)
        out[0][i] = salt[3 - i];
    for (size_t i = 0; i < 2; i++) {
        uint8_t tmp = out[1][i];
        out[1][i] = out[1][3 - i];
        out[1][3 - 1] = tmp;
    }
    return 2;
}

static enum key_opened open_jceks(const X509_ALGOR *how, const uint8_t *p, size_t len,
                                  const char *password, int64_t *rounds,
                                  PKCS8_PRIV_KEY_INFO **out)
{
    PBEPARAM *param = how->parameter != NULL && how->parameter->type == V_ASN1_SEQUENCE
                          ? ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBEPARAM), how->parameter)
                          : NULL;
    enum key_opened result = KEY_DAMAGED;
    int64_t n = 0;

    if (param != NULL && param->iter != NULL && ASN1_STRING_length(param->salt) == 8
        && len <= INT32_MAX)
        result = pbe_judge_rounds(param->iter, rounds);
    if (result == KEY_OPEN) {
        uint8_t salts[2][8];
        size_t nsalts = salts_of(ASN1_STRING_get0_data(param->salt), salts);
        struct utf16 wide = utf16_of(password);
        struct piece pw = { wide.p, wide.len / 2 };

        for (size_t i = 0; i < pw.len; i++)
            wide.p[i] = wide.p[2 * i + 1] & 0x7f;
        ASN1_INTEGER_get_int64(&n, param->iter);
        for (size_t i = 0; i < nsalts && *out == NULL; i++)
            *out = try_jceks(salts[i], &pw, n, p, len);
        utf16_free(&wide);
        result = *out != NULL ? KEY_OPEN : KEY_WRONG_PASSWORD;
    }
    PBEPARAM_free(param);
    return result;
}

enum key_opened jks_open_key(struct jks_bytes sealed, const char *password, int64_t *rounds,
                             PKCS8_PRIV_KEY_INFO **out, char how[80])
{
    const unsigned char *p = sealed.p;
    X509_SIG *sig = d2i_X509_SIG(NULL, &p, (long)sealed.len);
    enum key_opened result = KEY_UNSUPPORTED;
    const ASN1_OCTET_STRING *body;
    const X509_ALGOR *algorithm;

    *out = NULL;
    if (sig == NULL || p != sealed.p + sealed.len) {
        X509_SIG_free(sig);
        return KEY_DAMAGED;
    }
    X509_SIG_get0(sig, &algorithm, &body);
    OBJ_obj2txt(how, 80, algorithm->algorithm, 1);

    const uint8_t *data = ASN1_STRING_get0_data(body);
    size_t len = (size_t)ASN1_STRING_length(body);
    if (strcmp(how, "1.3.6.1.4.1.42.2.17.1.1") == 0)
        result = open_jks(data, len, password, out);
    else if (strcmp(how, "1.3.6.1.4.1.42.2.19.1") == 0)
        result = open_jceks(algorithm, data, len, password, rounds, out);
    X509_SIG_free(sig);
    return result;
}
