#include "tls/key_decoder.h"

#include <limits.h>
#include <openssl/asn1.h>
#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509.h>
#include <stdlib.h>

enum kind { KIND_RSA, KIND_RSA_PSS, KIND_EC, KIND_ED25519, KIND_ED448, KINDS };

static const struct {
    int nid;
    const char *name;
} kinds[KINDS] = {
    [KIND_RSA] = { NID_rsaEncryption, "RSA" },
    [KIND_RSA_PSS] = { NID_rsassaPss, "RSA-PSS" },
    [KIND_EC] = { NID_X9_62_id_ecPublicKey, "EC" },
    [KIND_ED25519] = { NID_ED25519, "ED25519" },
    [KIND_ED448] = { NID_ED448, "ED448" },
};

struct key_decoder {
    EVP_PKEY *key;              /* where decoders put what they make */
    OSSL_DECODER_CTX *pkcs8[KINDS];
    OSSL_DECODER_CTX *rsa, *ec; /* in their own syntax */
};

struct key_decoder *key_decoder_new(void)
{
    return calloc(1, sizeof(struct key_decoder));
}

void key_decoder_free(struct key_decoder *k)
{
    if (k == NULL)
        return;
    for (size_t i = 0; i < KINDS; i++)
        OSSL_DECODER_CTX_free(k->pkcs8[i]);
    OSSL_DECODER_CTX_free(k->rsa);
    OSSL_DECODER_CTX_free(k->ec);
    free(k);
}

/* --- the general way --- */

static EVP_PKEY *decode_slowly(enum key_syntax syntax, const uint8_t *der, size_t len)
{
    static const int types[] = {
        [KEY_SYNTAX_RSA] = EVP_PKEY_RSA, [KEY_SYNTAX_EC] = EVP_PKEY_EC,
        [KEY_SYNTAX_DSA] = EVP_PKEY_DSA,
    };
    const uint8_t *p = der;
    PKCS8_PRIV_KEY_INFO *info;
    EVP_PKEY *key;

    if (syntax != KEY_SYNTAX_PKCS8)
        return d2i_PrivateKey(types[syntax], NULL, &p, (long)len);
    info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, (long)len);
    key = info != NULL ? EVP_PKCS82PKEY(info) : NULL;
    PKCS8_PRIV_KEY_INFO_free(info);
    return key;
}

/* --- the quick way --- */

/* PrivateKeyInfo begins: SEQUENCE, INTEGER version, AlgorithmIdentifier. */
static int algorithm_of(const uint8_t *der, size_t len)
{
    const uint8_t *p = der, *end = der + len;
    long n;
    int tag, class, nid = NID_undef;
    ASN1_OBJECT *o;

    for (int skip = 0; skip < 2; skip++) {      /* into the sequence, over the version */
        int form = ASN1_get_object(&p, &n, &tag, &class, end - p);
        if ((form & 0x80) || tag != (skip == 0 ? V_ASN1_SEQUENCE : V_ASN1_INTEGER))
            return NID_undef;
        if (skip == 1)
            p += n;
    }
    if ((ASN1_get_object(&p, &n, &tag, &class, end - p) & 0x80) || tag != V_ASN1_SEQUENCE)
        return NID_undef;
    o = d2i_ASN1_OBJECT(NULL, &p, end - p);
    if (o != NULL)
        nid = OBJ_obj2nid(o);
    ASN1_OBJECT_free(o);
    return nid;
}

static OSSL_DECODER_CTX *keep(struct key_decoder *k, OSSL_DECODER_CTX **slot, const char *syntax,
                              const char *name)
{
    if (*slot == NULL)
        *slot = OSSL_DECODER_CTX_new_for_pkey(&k->key, "DER", syntax, name, EVP_PKEY_KEYPAIR,
                                              NULL, NULL);
    return *slot;
}

static OSSL_DECODER_CTX *decoder_for(struct key_decoder *k, enum key_syntax syntax,
                                     const uint8_t *der, size_t len)
{
    int nid;

    switch (syntax) {
    case KEY_SYNTAX_RSA:
        return keep(k, &k->rsa, "type-specific", "RSA");
    case KEY_SYNTAX_EC:
        return keep(k, &k->ec, "type-specific", "EC");
    case KEY_SYNTAX_PKCS8:
        nid = algorithm_of(der, len);
        for (size_t i = 0; i < KINDS; i++)
            if (kinds[i].nid == nid)
                return keep(k, &k->pkcs8[i], "PrivateKeyInfo", kinds[i].name);
        return NULL;
    default:
        return NULL;
    }
}

static EVP_PKEY *decode_quickly(struct key_decoder *k, enum key_syntax syntax, const uint8_t *der,
                                size_t len)
{
    OSSL_DECODER_CTX *decoder = decoder_for(k, syntax, der, len);
    const uint8_t *p = der;
    size_t left = len;
    EVP_PKEY *key;

    k->key = NULL;
    if (decoder == NULL || OSSL_DECODER_from_data(decoder, &p, &left) != 1 || left != 0) {
        EVP_PKEY_free(k->key);
        k->key = NULL;
        return NULL;
    }
    key = k->key;
    k->key = NULL;
    return key;
}

EVP_PKEY *key_decode(struct key_decoder *k, enum key_syntax syntax, const uint8_t *der, size_t len)
{
    EVP_PKEY *key;

    if (len > INT_MAX)
        return NULL;
    key = k != NULL ? decode_quickly(k, syntax, der, len) : NULL;
    if (key != NULL)
        return key;
    ERR_clear_error();          /* only the general way's reasons are worth telling */
    return decode_slowly(syntax, der, len);
}
