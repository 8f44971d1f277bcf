#include <criterion/criterion.h>
#include <openssl/pem.h>
#include <stdlib.h>

#include "base/mem.h"
#include "certs.h"
#include "tls/load.h"

#define DAY 86400

/* Frees the text. */
static int load(char *text, struct ders *out, struct diags *d)
{
    struct tls_input in = input_text("/t/ca.crt", text);

    in.where = (struct diag_at){ .section = "trust clients", .key = "ca" };
    int rc = load_trust(&in, &(struct passwords){ 0 }, out, d);
    free(text);
    return rc;
}

static void takes_with(char *text, size_t n, enum diag_level level, const char *finding)
{
    struct ders out;
    struct diags d = { 0 };

    int rc = load(text, &out, &d);
    diags_print(&d, stderr);
    cr_assert_eq(rc, 0);
    cr_assert_eq(out.n, n);
    cr_assert_eq(d.n, finding != NULL ? 1 : 0);
    if (finding != NULL)
        cr_assert(found(&d, level, finding), "%s", finding);
    ders_free(&out);
    diags_free(&d);
}

static void takes(char *text, size_t n, const char *warning)
{
    takes_with(text, n, DIAG_WARNING, warning);
}

static void refuses(char *text, const char *error)
{
    struct ders out;
    struct diags d = { 0 };

    cr_assert_eq(load(text, &out, &d), -1);
    cr_assert_eq(out.n, 0);
    cr_assert_eq(d.errors, 1);
    cr_assert(found(&d, DIAG_ERROR, error), "%s", error);
    ders_free(&out);
    diags_free(&d);
}

Test(load_trust, bundles_of_roots_and_intermediates)
{
    struct made root = make_ca("root", NULL), mid = make_ca("mid", &root);

    takes(join(pem_cert(root.x), pem_cert(mid.x)), 2, NULL);
    takes(pem_cert(mid.x), 1, NULL);
    made_free(&root);
    made_free(&mid);
}

/* What others would not take for a CA, and what OpenSSL would not. */
Test(load_trust, cas_that_are_not_made_well)
{
    struct made v1 = make_cert(&(struct cert_spec){ .cn = "old root", .v1 = true });
    struct made mute = make_cert(&(struct cert_spec){ .cn = "mute", .basic = "CA:TRUE",
                                                      .usage = "cRLSign" });
    struct made odd = make_cert(&(struct cert_spec){ .cn = "odd", .usage = "keyCertSign",
                                                     .basic = "CA:FALSE" });

    takes(pem_cert(v1.x), 1, "the CA CN=old root is an X.509 version 1 certificate");
    takes(pem_cert(mute.x), 1, "CN=mute is a CA whose key usage lacks keyCertSign");
    takes(pem_cert(odd.x), 1, "CN=odd has the key usage of a CA and no CA:TRUE");
    made_free(&v1);
    made_free(&mute);
    made_free(&odd);
}

/* As in a Java truststore: keytool -genkeypair makes such a certificate. */
Test(load_trust, a_self_signed_leaf_is_an_anchor)
{
    struct made a = make_cert(&(struct cert_spec){ .cn = "localhost" });
    struct made b = make_cert(&(struct cert_spec){ .cn = "localhost", .basic = "CA:FALSE" });

    takes_with(pem_cert(a.x), 1, DIAG_NOTE, "is self-signed and no CA; it is trusted for itself");
    takes_with(pem_cert(b.x), 1, DIAG_NOTE, "if it is to issue others, make it again with");
    made_free(&a);
    made_free(&b);
}

Test(load_trust, a_ca_that_is_no_ca)
{
    struct made ca = make_ca("the CA", NULL), leaf = make_server("server", &ca, "EC");

    refuses(pem_cert(leaf.x),
            "/t/ca.crt is not a CA: CN=server is a certificate that CN=the CA issued (name the "
            "certificate of CN=the CA");
    takes(join(pem_cert(ca.x), pem_cert(leaf.x)), 2,
          "CN=server is not a CA (CN=the CA issued it); it is trusted for itself alone");
    made_free(&ca);
    made_free(&leaf);
}

Test(load_trust, who_means_to_trust_a_leaf_marks_it)
{
    struct made ca = make_ca("the CA", NULL), leaf = make_server("server", &ca, "EC");
    BIO *b = BIO_new(BIO_s_mem());
    char *p;

    PEM_write_bio_X509_AUX(b, leaf.x);
    long n = BIO_get_mem_data(b, &p);
    takes(mem_strndup(p, (size_t)n), 1, NULL);
    BIO_free(b);
    made_free(&ca);
    made_free(&leaf);
}

Test(load_trust, keys_are_not_opened_and_not_needed)
{
    struct made ca = make_ca("ca", NULL);

    takes(join(pem_cert(ca.x), pem_key_encrypted(ca.key, "secret")), 1, "holds a private key");
    refuses(pem_key(ca.key), "/t/ca.crt holds a private key and no certificate");
    refuses(pem_key_encrypted(ca.key, "secret"), "holds a private key and no certificate");
    made_free(&ca);
}

Test(load_trust, other_files_are_named)
{
    refuses(mem_strdup("nonsense"), "neither PEM nor DER");
    refuses(mem_strdup(""), "/t/ca.crt is empty");
    refuses(mem_strdup("\xfe\xed\xfe\xed"), "/t/ca.crt is a Java keystore (JKS), but damaged");
}

Test(load_trust, expiry_is_a_warning)
{
    struct made old = make_cert(&(struct cert_spec){ .cn = "old", .basic = "CA:TRUE",
                                                     .from = -9 * DAY, .until = -4 * DAY - 60 });
    struct made new = make_cert(&(struct cert_spec){ .cn = "new", .basic = "CA:TRUE",
                                                     .from = 3 * DAY + 60, .until = 9 * DAY });

    takes(pem_cert(old.x), 1, "CN=old expired 4 days ago");
    takes(pem_cert(new.x), 1, "UTC, in 3 days");
    made_free(&old);
    made_free(&new);
}

Test(load_trust, one_damaged_certificate_spoils_the_bundle)
{
    struct made ca = make_ca("ca", NULL);
    char *text = join(pem_cert(ca.x), pem_cert(ca.x));

    strstr(text, "-----BEGIN CERTIFICATE-----\nM")[28] = 'Z';
    refuses(text, "the certificate at line 1 is damaged");
    made_free(&ca);
}

Test(load_trust, der)
{
    struct made ca = make_ca("ca", NULL);
    struct der der = der_cert(ca.x);
    struct tls_input in = { .path = "/t/ca.der", .data = der.p, .len = der.len };
    struct ders out;
    struct diags d = { 0 };

    cr_assert_eq(load_trust(&in, &(struct passwords){ 0 }, &out, &d), 0);
    cr_assert_eq(out.n, 1);
    cr_assert_eq(out.v[0].len, der.len);
    cr_assert_eq(memcmp(out.v[0].p, der.p, der.len), 0);
    ders_free(&out);
    free(der.p);
    made_free(&ca);
}
