#include "certs.h"

#include <criterion/criterion.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "base/mem.h"

static EVP_PKEY *make_key(const char *type)
{
    if (type == NULL || strcmp(type, "EC") == 0)
        return EVP_EC_gen("P-256");
    if (strcmp(type, "P-384") == 0)
        return EVP_EC_gen("P-384");
    if (strcmp(type, "RSA") == 0)
        return EVP_RSA_gen(2048);
    if (strcmp(type, "RSA1024") == 0)
        return EVP_RSA_gen(1024);
    return EVP_PKEY_Q_keygen(NULL, NULL, type);
}

static void add_ext(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *ext;

    if (value == NULL)
        return;
    X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
    ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    cr_assert_not_null(ext, "%s", value);
    cr_assert_eq(X509_add_ext(x, ext, -1), 1);
    X509_EXTENSION_free(ext);
}

struct made make_cert(const struct cert_spec *spec)
{
    struct made m = { .x = X509_new() };
    X509 *issuer = spec->issuer != NULL ? spec->issuer->x : m.x;
    X509_NAME *name = X509_get_subject_name(m.x);
    long from = spec->from, until = spec->until;
    uint64_t serial;

    if (from == 0 && until == 0) {
        from = -3600;
        until = 86400;
    }
    if (spec->with_key != NULL) {
        m.key = spec->with_key;
        EVP_PKEY_up_ref(m.key);
    } else {
        m.key = make_key(spec->key);
    }
    cr_assert_not_null(m.key);
    cr_assert_eq(RAND_bytes((unsigned char *)&serial, sizeof(serial)), 1);
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(m.x), serial >> 1);
    X509_set_version(m.x, spec->v1 ? X509_VERSION_1 : X509_VERSION_3);
    if (spec->cn != NULL)
        cr_assert_eq(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                                (const unsigned char *)spec->cn, -1, -1, 0), 1);
    X509_set_issuer_name(m.x, X509_get_subject_name(issuer));
    X509_gmtime_adj(X509_getm_notBefore(m.x), from);
    X509_gmtime_adj(X509_getm_notAfter(m.x), until);
    X509_set_pubkey(m.x, m.key);
    if (!spec->v1) {
        add_ext(m.x, issuer, NID_basic_constraints, spec->basic);
        add_ext(m.x, issuer, NID_key_usage, spec->usage);
        add_ext(m.x, issuer, NID_ext_key_usage, spec->extended);
        add_ext(m.x, issuer, NID_subject_alt_name, spec->san);
        add_ext(m.x, issuer, NID_info_access, spec->aia);
        if (!spec->no_key_ids) {
            add_ext(m.x, issuer, NID_subject_key_identifier, "hash");
            add_ext(m.x, issuer, NID_authority_key_identifier, "keyid");
        }
    }
    EVP_PKEY *signer = spec->issuer != NULL ? spec->issuer->key : m.key;
    bool own_digest = EVP_PKEY_get_base_id(signer) == EVP_PKEY_ED25519;
    cr_assert_gt(X509_sign(m.x, signer, own_digest ? NULL : EVP_sha256()), 0);
    return m;
}

struct made make_ca(const char *cn, const struct made *issuer)
{
    return make_cert(&(struct cert_spec){ .cn = cn, .issuer = issuer, .basic = "critical,CA:TRUE",
                                          .usage = "critical,keyCertSign,cRLSign" });
}

struct made make_server(const char *cn, const struct made *issuer, const char *key)
{
    return make_cert(&(struct cert_spec){ .cn = cn, .issuer = issuer, .key = key,
                                          .basic = "CA:FALSE", .extended = "serverAuth",
                                          .san = "DNS:server.example,IP:127.0.0.1" });
}

struct made make_client(const char *cn, const struct made *issuer)
{
    return make_cert(&(struct cert_spec){ .cn = cn, .issuer = issuer, .basic = "CA:FALSE",
                                          .extended = "clientAuth" });
}

void made_free(struct made *m)
{
    EVP_PKEY_free(m->key);
    X509_free(m->x);
}

static char *text_of(BIO *b)
{
    char *p;
    long len = BIO_get_mem_data(b, &p);
    char *text = mem_strndup(p, (size_t)len);

    BIO_free(b);
    return text;
}

char *pem_cert(X509 *x)
{
    BIO *b = BIO_new(BIO_s_mem());

    cr_assert(PEM_write_bio_X509(b, x));
    return text_of(b);
}

char *pem_key(EVP_PKEY *key)
{
    return pem_key_encrypted(key, NULL);
}

char *pem_key_encrypted(EVP_PKEY *key, const char *password)
{
    BIO *b = BIO_new(BIO_s_mem());

    cr_assert(PEM_write_bio_PKCS8PrivateKey(b, key, password ? EVP_aes_256_cbc() : NULL, password,
                                            password ? (int)strlen(password) : 0, NULL, NULL));
    return text_of(b);
}

char *pem_key_traditional(EVP_PKEY *key, const char *password)
{
    BIO *b = BIO_new(BIO_s_mem());

    cr_assert(PEM_write_bio_PrivateKey_traditional(
        b, key, password ? EVP_aes_128_cbc() : NULL, (const unsigned char *)password,
        password ? (int)strlen(password) : 0, NULL, NULL));
    return text_of(b);
}

char *join(const char *a, const char *b)
{
    char *c = mem_printf("%s%s", a, b), *x;

    memcpy(&x, &a, sizeof(x));
    free(x);
    memcpy(&x, &b, sizeof(x));
    free(x);
    return c;
}

struct der der_cert(const X509 *x)
{
    unsigned char *p = NULL;
    int len = i2d_X509(x, &p);
    struct der d = { mem_dup(p, (size_t)len), (size_t)len };

    OPENSSL_free(p);
    return d;
}

struct der der_key(EVP_PKEY *key)
{
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
    unsigned char *p = NULL;
    int len = i2d_PKCS8_PRIV_KEY_INFO(info, &p);
    struct der d = { mem_dup(p, (size_t)len), (size_t)len };

    OPENSSL_free(p);
    PKCS8_PRIV_KEY_INFO_free(info);
    return d;
}

struct tls_input input_text(const char *path, const char *text)
{
    return (struct tls_input){
        .path = path,
        .data = (const uint8_t *)text,
        .len = strlen(text),
        .where = { .section = "store node", .key = "cert", .value = path },
    };
}

struct keypair *pair_of(const struct made *leaf, X509 *const *chain, size_t nchain)
{
    struct der key = der_key(leaf->key), *certs = mem_zalloc(sizeof(*certs) * (nchain + 1));
    struct err e = ERR_INIT;
    struct keypair *k;

    certs[0] = der_cert(leaf->x);
    for (size_t i = 0; i < nchain; i++)
        certs[i + 1] = der_cert(chain[i]);
    k = keypair_new(NULL, key.p, key.len, certs, nchain + 1, &e);
    cr_assert_not_null(k, "%s", e.text);
    for (size_t i = 0; i <= nchain; i++)
        free(certs[i].p);
    free(certs);
    free(key.p);
    return k;
}

struct trust *trust_of(X509 *const *anchors, size_t n)
{
    struct der *ders = mem_zalloc(sizeof(*ders) * n);
    struct err e = ERR_INIT;
    struct trust *t;

    for (size_t i = 0; i < n; i++)
        ders[i] = der_cert(anchors[i]);
    t = trust_new(ders, n, &e);
    cr_assert_not_null(t, "%s", e.text);
    for (size_t i = 0; i < n; i++)
        free(ders[i].p);
    free(ders);
    return t;
}

bool found(const struct diags *d, enum diag_level level, const char *text)
{
    bool yes = false;

    for (size_t i = 0; i < d->n && !yes; i++) {
        char *line = diag_text(&d->v[i]);
        yes = d->v[i].level == level && strstr(line, text) != NULL;
        free(line);
    }
    if (!yes)
        diags_print(d, stderr);
    return yes;
}

int load_files(const struct tls_input *certs, size_t ncerts, const struct tls_input *keys,
               size_t nkeys, const char *password, struct keymats *out, struct diags *d)
{
    struct store_input in = {
        .certs = certs, .keys = keys, .ncerts = ncerts, .nkeys = nkeys, .pw.store = password
    };

    return load_store(&in, out, d);
}
