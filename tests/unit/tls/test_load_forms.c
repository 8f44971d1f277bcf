/* load_store: the forms in which certificates and keys come, and what is none. */
#include <criterion/criterion.h>
#include <openssl/dsa.h>
#include <openssl/pem.h>
#include <stdlib.h>

#include "base/mem.h"
#include "certs.h"
#include "tls/load.h"

static struct tls_input input_bytes(const char *path, const void *p, size_t n)
{
    return (struct tls_input){ .path = path, .data = p, .len = n,
                               .where = { .section = "store node", .key = "cert" } };
}

/* The certificate file's and the key file's bytes load, without a finding, to the pair. */
static void loads(const struct made *m, const void *cert, size_t ncert, const void *key,
                  size_t nkey, const char *password)
{
    struct tls_input c = input_bytes("c", cert, ncert), k = input_bytes("k", key, nkey);
    struct keymats out;
    struct diags d = { 0 };
    struct der want = der_key(m->key);

    int rc = load_files(&c, 1, &k, key != NULL, password, &out, &d);
    diags_print(&d, stderr);
    cr_assert_eq(rc, 0);
    cr_assert_eq(d.n, 0);
    cr_assert_eq(out.n, 1);
    cr_assert_eq(out.v[0].key.len, want.len);
    cr_assert_eq(memcmp(out.v[0].key.p, want.p, want.len), 0);
    free(want.p);
    keymats_free(&out);
    diags_free(&d);
}

static void loads_text(const struct made *m, const char *text, const char *password)
{
    loads(m, text, strlen(text), NULL, 0, password);
}

/* One error, with this text. */
static void refuses_bytes(const void *p, size_t n, const char *password, const char *text)
{
    /* Memory of exactly that size: reading beyond it is found by the sanitizer. */
    void *copy = mem_dup(p, n);
    struct tls_input c = input_bytes("/f", copy, n);
    struct keymats out;
    struct diags d = { 0 };

    cr_assert_eq(load_files(&c, 1, NULL, 0, password, &out, &d), -1);
    cr_assert(found(&d, DIAG_ERROR, text), "%s", text);
    cr_assert_eq(d.errors, 1);
    keymats_free(&out);
    diags_free(&d);
    free(copy);
}

static void refuses(const char *text, const char *password, const char *finding)
{
    refuses_bytes(text, strlen(text), password, finding);
}

static char *replaced(const char *text, const char *from, const char *to)
{
    char *out = mem_strdup("");
    const char *hit;

    for (; (hit = strstr(text, from)) != NULL; text = hit + strlen(from)) {
        char *next = mem_printf("%s%.*s%s", out, (int)(hit - text), text, to);
        free(out);
        out = next;
    }
    char *all = mem_printf("%s%s", out, text);
    free(out);
    return all;
}

Test(load_forms, every_unencrypted_key_form)
{
    static const char *const types[] = { "RSA", "EC", "ED25519" };

    for (size_t i = 0; i < 3; i++) {
        struct made m = make_server("x", NULL, types[i]);
        char *text = join(pem_cert(m.x), pem_key(m.key));
        loads_text(&m, text, NULL);
        free(text);
        if (i < 2) {
            text = join(pem_cert(m.x), pem_key_traditional(m.key, NULL));
            cr_assert_not_null(strstr(text, i == 0 ? "BEGIN RSA PRIVATE" : "BEGIN EC PRIVATE"));
            loads_text(&m, text, NULL);
            free(text);
        }
        made_free(&m);
    }
}

Test(load_forms, encrypted_keys)
{
    struct made m = make_server("x", NULL, "EC"), r = make_server("x", NULL, "RSA");
    char *texts[] = { join(pem_cert(m.x), pem_key_encrypted(m.key, "secret")),
                      join(pem_cert(m.x), pem_key_traditional(m.key, "secret")),
                      join(pem_cert(r.x), pem_key_traditional(r.key, "secret")) };

    cr_assert_not_null(strstr(texts[0], "BEGIN ENCRYPTED PRIVATE KEY"));
    cr_assert_not_null(strstr(texts[1], "DEK-Info: "));
    for (size_t i = 0; i < 3; i++) {
        loads_text(i == 2 ? &r : &m, texts[i], "secret");
        refuses(texts[i], NULL, "is encrypted, and no password is given");
        refuses(texts[i], "Secret", "the password does not open the private key in /f");
        refuses(texts[i], "", "the password does not open the private key in /f");
        free(texts[i]);
    }
    made_free(&m);
    made_free(&r);
}

/* One wrong password in 256 gives bytes with good padding: all must be told alike. */
Test(load_forms, wrong_passwords_are_never_called_damage)
{
    struct made m = make_server("x", NULL, "EC");
    char *text = join(pem_cert(m.x), pem_key_traditional(m.key, "secret")), password[16];

    for (int i = 0; i < 1500; i++) {
        snprintf(password, sizeof(password), "wrong%d", i);
        refuses(text, password, "the password does not open");
    }
    free(text);
    made_free(&m);
}

Test(load_forms, a_password_that_is_not_needed_does_no_harm)
{
    struct made m = make_server("x", NULL, "EC");
    char *text = join(pem_cert(m.x), pem_key(m.key));

    loads_text(&m, text, "secret");
    free(text);
    made_free(&m);
}

Test(load_forms, an_encryption_of_the_past_is_named_so)
{
    static const char key[] =
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: RC5-XYZ,0011\n\n"
        "AAAA\n-----END RSA PRIVATE KEY-----\n";

    refuses(key, "secret", "has a type or an encryption that this OpenSSL does not know");
}

Test(load_forms, text_around_the_blocks)
{
    struct made m = make_server("x", NULL, "EC");
    char *cert = pem_cert(m.x), *key = pem_key(m.key), *crlf, *text;

    text = mem_printf("Bag Attributes\n    friendlyName: server01\n    localKeyID: 54 69 6D\n"
                      "subject=CN = x\n\nissuer=CN = x\n\n%s\nBag Attributes\n"
                      "Key Attributes: <No Attributes>\n%s\ntrailing words", cert, key);
    loads_text(&m, text, NULL);
    crlf = replaced(text, "\n", "\r\n");
    loads_text(&m, crlf, NULL);
    free(text);
    free(crlf);
    text = mem_printf("\xef\xbb\xbf%s%s", cert, key);
    loads_text(&m, text, NULL);
    free(text);
    text = mem_printf("# -----BEGIN a comment about -----BEGIN CERTIFICATE-----\n%s%s", cert, key);
    loads_text(&m, text, NULL);
    free(text);
    text = mem_printf("%s%s", cert, key);
    text[strlen(text) - 1] = '\0';      /* no newline at the end */
    loads_text(&m, text, NULL);
    free(text);
    free(cert);
    free(key);
    made_free(&m);
}

Test(load_forms, other_blocks_do_not_confuse)
{
    struct made m = make_server("x", NULL, "EC");
    char *cert = pem_cert(m.x), *key = pem_key_traditional(m.key, NULL), *text;

    text = mem_printf("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n"
                      "-----END EC PARAMETERS-----\n%s%s"
                      "-----BEGIN DH PARAMETERS-----\nMAYCARcCAQI=\n-----END DH PARAMETERS-----\n",
                      key, cert);
    loads_text(&m, text, NULL);
    free(text);
    free(cert);
    free(key);
    made_free(&m);
}

Test(load_forms, trusted_certificate_blocks)
{
    struct made m = make_server("x", NULL, "EC");
    BIO *b = BIO_new(BIO_s_mem());
    char *p, *text;

    X509_alias_set1(m.x, (const unsigned char *)"an alias", -1);
    PEM_write_bio_X509_AUX(b, m.x);
    PEM_write_bio_PKCS8PrivateKey(b, m.key, NULL, NULL, 0, NULL, NULL);
    long n = BIO_get_mem_data(b, &p);
    text = mem_strndup(p, (size_t)n);
    cr_assert_not_null(strstr(text, "BEGIN TRUSTED CERTIFICATE"));
    loads_text(&m, text, NULL);
    free(text);
    BIO_free(b);
    made_free(&m);
}

Test(load_forms, der)
{
    static const char *const types[] = { "RSA", "EC" };

    for (size_t i = 0; i < 2; i++) {
        struct made m = make_server("x", NULL, types[i]);
        struct der cert = der_cert(m.x), key = der_key(m.key);
        unsigned char *old = NULL;
        int n = i2d_PrivateKey(m.key, &old);    /* PKCS#1 or SEC1 */

        loads(&m, cert.p, cert.len, key.p, key.len, NULL);
        loads(&m, cert.p, cert.len, old, (size_t)n, NULL);

        BIO *b = BIO_new(BIO_s_mem());
        char *p;
        i2d_PKCS8PrivateKey_bio(b, m.key, EVP_aes_256_cbc(), "pw", 2, NULL, NULL);
        long len = BIO_get_mem_data(b, &p);
        loads(&m, cert.p, cert.len, p, (size_t)len, "pw");
        refuses_bytes(p, (size_t)len, "no", "the password does not open");
        BIO_free(b);
        OPENSSL_clear_free(old, (size_t)n);
        free(cert.p);
        free(key.p);
        made_free(&m);
    }
}

Test(load_forms, certificates_in_der_one_behind_the_other)
{
    struct made ca = make_ca("ca", NULL), m = make_server("x", &ca, "EC");
    struct der a = der_cert(m.x), b = der_cert(ca.x), key = der_key(m.key);
    uint8_t *both = mem_zalloc(a.len + b.len + 1);

    memcpy(both, a.p, a.len);
    memcpy(both + a.len, b.p, b.len);
    loads(&m, both, a.len + b.len, key.p, key.len, NULL);
    refuses_bytes(both, a.len + b.len + 1, NULL, "there are other bytes behind the certificate");
    refuses_bytes(both, a.len - 1, NULL, "cut short: ");
    free(both);
    free(a.p);
    free(b.p);
    free(key.p);
    made_free(&ca);
    made_free(&m);
}

Test(load_forms, a_certificate_cut_at_any_byte_is_refused)
{
    struct made m = make_server("x", NULL, "EC");
    struct der cert = der_cert(m.x);

    for (size_t n = 1; n < cert.len; n++)
        refuses_bytes(cert.p, n, NULL, "/f");
    free(cert.p);
    made_free(&m);
}

Test(load_forms, what_is_no_certificate_file)
{
    refuses_bytes("", 0, NULL, "/f is empty");
    refuses("\x7f" "ELF\x01\x02", NULL, "/f is neither PEM nor DER; it begins with \"\\x7fELF\"");
    /* A password, perhaps. */
    refuses("hello\n", NULL, "/f is neither PEM nor DER, but other text");
    refuses_bytes("\xfe\xed\xfe\xed\0\0\0\2", 8, NULL,
                  "/f is a Java keystore (JKS), but damaged: it is cut short after 8 bytes");
    refuses_bytes("\xce\xce\xce\xce\0\0\0\2", 8, NULL, "a Java keystore (JCEKS)");
    refuses_bytes("\0\0\0\2\0\0\0\x14", 8, NULL, "a BouncyCastle keystore (BKS), which is not");
    refuses_bytes("\xff\xfe-\0-\0", 6, NULL, "a text file in UTF-16");
    refuses_bytes("0", 1, NULL, "cut short");
    refuses_bytes("\x30\x80", 2, NULL, "/f looks like DER, but");
    refuses_bytes("\x30\x03\x02\x01\x07", 5, NULL, "neither a certificate nor a key");
    /* SEQUENCE { SEQUENCE { SEQUENCE { OID 1.2 }, OCTET STRING } } */
    refuses_bytes("\x30\x09\x30\x07\x30\x03\x06\x01\x2a\x04\x00", 11, NULL,
                  "a BouncyCastle keystore (BCFKS), which is not supported");
    refuses("-----BEGIN DH PARAMETERS-----\nMAYCARcCAQI=\n-----END DH PARAMETERS-----\n", NULL,
            "/f holds no certificate");
    refuses("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n", NULL,
            "/f is an OpenSSH private key, not a certificate");
}

Test(load_forms, each_kind_of_openssh_key_has_advice_that_works)
{
    /* "…ssh-ed25519" with its length in front */
    static const char *const keys[][2] = {
        { "AAAAC3NzaC1lZDI1NTE5", "(ssh-keygen cannot convert this kind; make a new key" },
        { "AAAAB3NzaC1yc2E=", "(convert a copy: cp /f /f.pem && ssh-keygen -p -m PKCS8 -f /f." },
    };

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        char *text = mem_printf("-----BEGIN OPENSSH PRIVATE KEY-----\n%s\n"
                                "-----END OPENSSH PRIVATE KEY-----\n", keys[i][0]);
        refuses(text, NULL, keys[i][1]);
        free(text);
    }
}

Test(load_forms, a_request_and_a_public_key_are_named)
{
    struct made m = make_server("x", NULL, "EC");
    X509_REQ *req = X509_to_X509_REQ(m.x, m.key, EVP_sha256());
    BIO *b = BIO_new(BIO_s_mem());
    unsigned char *der = NULL;
    char *p, *text;

    PEM_write_bio_X509_REQ(b, req);
    long n = BIO_get_mem_data(b, &p);
    text = mem_strndup(p, (size_t)n);
    refuses(text, NULL, "/f is a certificate signing request, not a certificate (a CA signs it");
    free(text);
    n = i2d_X509_REQ(req, &der);
    refuses_bytes(der, (size_t)n, NULL, "/f is a certificate signing request");
    OPENSSL_free(der);
    BIO_reset(b);
    PEM_write_bio_PUBKEY(b, m.key);
    n = BIO_get_mem_data(b, &p);
    text = mem_strndup(p, (size_t)n);
    refuses(text, NULL, "/f is a public key, not a certificate");
    free(text);
    BIO_free(b);
    X509_REQ_free(req);
    made_free(&m);
}

Test(load_forms, damaged_pem_is_told_by_its_line)
{
    struct made m = make_server("x", NULL, "EC");
    char *cert = pem_cert(m.x), *key = pem_key(m.key), *text, *bad;

    text = mem_printf("a comment\n%s%s", cert, key);
    bad = mem_strdup(text);
    memset(strstr(bad, "-----END CERT") - 8, '!', 3);
    refuses(bad, NULL, "/f: the block at line 2 is damaged");
    free(bad);

    bad = replaced(text, "-----END CERTIFICATE-----\n", "-----END CERTIFICATE-----");
    refuses(bad, NULL, "is damaged: it begins in the middle of a line");
    free(bad);

    bad = replaced(text, "-----BEGIN CERTIFICATE-----", "-----BEGIN CERTIFICATE----");
    refuses(bad, NULL, "the block at line 2 is damaged: its BEGIN line is not as it should be");
    free(bad);

    bad = replaced(text, "-----BEGIN", "  -----BEGIN");
    refuses(bad, NULL, "does not start at the beginning of a line");
    free(bad);

    bad = mem_printf("%.*s", 120, text);
    refuses(bad, NULL, "/f: the block at line 2 is damaged");
    free(bad);

    bad = replaced(text, "-----BEGIN CERTIFICATE-----\nMI", "-----BEGIN CERTIFICATE-----\nNI");
    refuses(bad, NULL, "/f: the certificate at line 2 is damaged");
    free(bad);

    bad = replaced(text, "-----BEGIN PRIVATE KEY-----\nMI", "-----BEGIN PRIVATE KEY-----\nNI");
    refuses(bad, NULL, "is damaged");
    free(bad);
    free(text);
    free(cert);
    free(key);
    made_free(&m);
}

Test(load_forms, a_dsa_key_cannot_serve)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_DSA, NULL);
    EVP_PKEY *params = NULL, *key = NULL;

    EVP_PKEY_paramgen_init(ctx);
    EVP_PKEY_CTX_set_dsa_paramgen_bits(ctx, 1024);
    cr_assert_eq(EVP_PKEY_paramgen(ctx, &params), 1);
    EVP_PKEY_CTX_free(ctx);
    ctx = EVP_PKEY_CTX_new(params, NULL);
    EVP_PKEY_keygen_init(ctx);
    cr_assert_eq(EVP_PKEY_keygen(ctx, &key), 1);
    EVP_PKEY_CTX_free(ctx);
    char *forms[] = { pem_key(key), pem_key_traditional(key, NULL) };
    for (int i = 0; i < 2; i++) {
        refuses(forms[i], NULL, "the private key in /f is a DSA key");
        free(forms[i]);
    }
    unsigned char *der = NULL;
    int n = i2d_PrivateKey(key, &der);
    refuses_bytes(der, (size_t)n, NULL, "the private key in /f is a DSA key");
    OPENSSL_free(der);
    EVP_PKEY_free(params);
    EVP_PKEY_free(key);
}
