#include <criterion/criterion.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "certs.h"
#include "tls/identity.h"

static bool has(const struct identity *id, enum identity_kind kind, const char *p, size_t len)
{
    for (size_t i = 0; i < id->nnames; i++)
        if (id->names[i].kind == kind && id->names[i].text.len == len
            && memcmp(id->names[i].text.p, p, len) == 0)
            return true;
    return false;
}

#define HAS(id, kind, text) has(id, kind, text, sizeof(text) - 1)

Test(identity, everything_the_certificate_says)
{
    struct made ca = make_ca("Some CA", NULL);
    struct made m = make_cert(&(struct cert_spec){
        .cn = "alice", .issuer = &ca, .until = 7200,
        .san = "DNS:a.example,URI:spiffe://prod/a,IP:10.1.2.3,IP:fd00::1,email:a@example.com" });
    struct identity *id = identity_of(m.x);
    char text[64];

    cr_assert_not_null(id);
    cr_assert_str_eq(id->subject, "CN=alice");
    cr_assert_str_eq(id->issuer, "CN=Some CA");
    cr_assert_eq(id->nnames, 6);
    cr_assert(HAS(id, ID_CN, "alice"));
    cr_assert(HAS(id, ID_DNS, "a.example"));
    cr_assert(HAS(id, ID_URI, "spiffe://prod/a"));
    cr_assert(HAS(id, ID_IP, "10.1.2.3"));
    cr_assert(HAS(id, ID_IP, "fd00::1"));
    cr_assert(HAS(id, ID_EMAIL, "a@example.com"));
    cr_assert_eq(strlen(id->sha256), 64);
    cr_assert_eq(strspn(id->serial, "0123456789abcdef"), strlen(id->serial));
    cr_assert(llabs(id->not_after - (int64_t)time(NULL) - 7200) < 60);
    cr_assert_str_eq(identity_text(id, text, sizeof(text)), "uri:spiffe://prod/a");
    cr_assert_str_eq(identity_text(id, text, 8), "uri:spi");
    cr_assert_str_eq(identity_text(id, text, 3), "ur");
    identity_free(id);
    made_free(&m);
    made_free(&ca);
}

Test(identity, the_fingerprint_is_sha256_of_the_der)
{
    struct made m = make_client("x", NULL);
    struct identity *id = identity_of(m.x);
    struct der der = der_cert(m.x);
    unsigned char digest[32];
    char hex[3];

    EVP_Digest(der.p, der.len, digest, NULL, EVP_sha256(), NULL);
    for (int i = 0; i < 32; i++) {
        snprintf(hex, sizeof(hex), "%02x", digest[i]);
        cr_assert_eq(memcmp(id->sha256 + 2 * i, hex, 2), 0);
    }
    free(der.p);
    identity_free(id);
    made_free(&m);
}

Test(identity, organisation_and_unit_in_rfc_2253_order)
{
    struct made m = { .key = EVP_EC_gen("P-256"), .x = X509_new() };
    X509_NAME *n = X509_get_subject_name(m.x);
    const char *parts[][2] = { { "O", "Acme" }, { "OU", "ops" }, { "OU", "night" },
                               { "CN", "old" }, { "CN", "bob, \"b\"" } };
    char text[64];

    for (size_t i = 0; i < 5; i++)
        X509_NAME_add_entry_by_txt(n, parts[i][0], MBSTRING_UTF8,
                                   (const unsigned char *)parts[i][1], -1, -1, 0);
    X509_set_pubkey(m.x, m.key);
    X509_gmtime_adj(X509_getm_notAfter(m.x), 100);
    X509_gmtime_adj(X509_getm_notBefore(m.x), 0);
    X509_sign(m.x, m.key, EVP_sha256());
    struct identity *id = identity_of(m.x);
    cr_assert_str_eq(id->subject, "CN=bob\\, \\\"b\\\",CN=old,OU=night,OU=ops,O=Acme");
    cr_assert(HAS(id, ID_O, "Acme"));
    cr_assert(HAS(id, ID_OU, "ops"));
    cr_assert(HAS(id, ID_OU, "night"));
    cr_assert_str_eq(identity_text(id, text, sizeof(text)), "cn:bob, \"b\"");
    identity_free(id);
    made_free(&m);
}

/* One pin for as many certificates as one key is given. */
Test(identity, the_pin_is_of_the_key)
{
    struct made a = make_client("a", NULL);
    struct made b = make_cert(&(struct cert_spec){ .cn = "b", .with_key = a.key });
    struct identity *one = identity_of(a.x), *two = identity_of(b.x);
    unsigned char *der = NULL, digest[32];
    char hex[65];

    int len = i2d_PUBKEY(a.key, &der);
    EVP_Digest(der, (size_t)len, digest, NULL, EVP_sha256(), NULL);
    for (size_t i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    cr_expect_str_eq(one->pin, hex);
    cr_expect_str_eq(two->pin, hex);
    cr_expect_str_neq(one->sha256, two->sha256);
    OPENSSL_free(der);
    identity_free(one);
    identity_free(two);
    made_free(&b);
    made_free(&a);
}

static struct made with_names(const char *cn, size_t n)
{
    struct made m = make_client(cn, NULL);
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    char text[32];

    for (size_t i = 0; i < n; i++) {
        GENERAL_NAME *g = GENERAL_NAME_new();
        ASN1_STRING *s = ASN1_IA5STRING_new();
        int len = snprintf(text, sizeof(text), "n%05zu.example.com", i);
        ASN1_STRING_set(s, text, len);
        GENERAL_NAME_set0_value(g, GEN_DNS, s);
        sk_GENERAL_NAME_push(names, g);
    }
    X509_add1_ext_i2d(m.x, NID_subject_alt_name, names, 0, 0);
    GENERAL_NAMES_free(names);
    return m;
}

/* Connections keep their identity as long as they live. */
Test(identity, of_ten_thousand_names_the_first_are_kept)
{
    struct made m = with_names("alice", 300);
    struct identity *id = identity_of(m.x);
    char text[64];

    cr_expect_eq(id->nnames, 301);
    cr_expect_not(id->incomplete);
    identity_free(id);
    made_free(&m);

    m = with_names("alice", 10000);
    id = identity_of(m.x);
    cr_expect(id->incomplete);
    cr_expect(id->nnames > 300 && id->nnames < 400, "%zu", id->nnames);
    cr_expect(HAS(id, ID_CN, "alice"));
    cr_expect(HAS(id, ID_DNS, "n00000.example.com"));
    cr_expect_not(HAS(id, ID_DNS, "n09999.example.com"));
    cr_expect_str_eq(identity_text(id, text, sizeof(text)), "cn:alice");
    identity_free(id);
    made_free(&m);
}

Test(identity, a_subject_beyond_all_measure_is_cut)
{
    struct made m = make_client("alice", NULL);
    X509_NAME *n = X509_get_subject_name(m.x);
    static const char umlauts[] = "\xc3\xb6\xc3\xb6\xc3\xb6\xc3\xb6\xc3\xb6\xc3\xb6\xc3\xb6";

    for (size_t i = 0; i < 2000; i++)
        X509_NAME_add_entry_by_NID(n, NID_organizationalUnitName, V_ASN1_UTF8STRING,
                                   (const unsigned char *)umlauts, 2 * (int)(1 + i % 7), -1, 0);
    struct identity *id = identity_of(m.x);
    size_t len = strlen(id->subject);
    cr_expect(len > IDENTITY_SUBJECT_MAX - 8 && len <= IDENTITY_SUBJECT_MAX, "%zu", len);
    cr_expect_str_eq(id->subject + len - 3, "...");
    cr_expect_neq((unsigned char)id->subject[len - 4], 0xc3, "half a character");
    cr_expect(id->incomplete);
    cr_expect(HAS(id, ID_CN, "alice"));
    identity_free(id);
    made_free(&m);
}

Test(identity, names_that_cannot_be_read_are_known_to_be_missing)
{
    struct made m = make_client("alice", NULL);
    ASN1_OCTET_STRING *junk = ASN1_OCTET_STRING_new();

    ASN1_OCTET_STRING_set(junk, (const unsigned char *)"\x30\x7f\x01", 3);
    X509_EXTENSION *e =
        X509_EXTENSION_create_by_NID(NULL, NID_subject_alt_name, 0, junk);
    X509_add_ext(m.x, e, -1);
    struct identity *id = identity_of(m.x);
    cr_expect_eq(id->nnames, 1);
    cr_expect(id->incomplete);
    identity_free(id);
    X509_EXTENSION_free(e);
    ASN1_OCTET_STRING_free(junk);
    made_free(&m);
}

Test(identity, an_address_of_no_family_is_known_to_be_missing)
{
    static const unsigned char sizes[] = { 0, 3, 4, 8, 16, 32 }, bytes[32] = { 10, 1, 2, 3 };

    for (size_t i = 0; i < sizeof(sizes); i++) {
        struct made m = make_client("alice", NULL);
        GENERAL_NAMES *names = GENERAL_NAMES_new();
        GENERAL_NAME *g = GENERAL_NAME_new();
        ASN1_STRING *s = ASN1_OCTET_STRING_new();
        ASN1_STRING_set(s, bytes, sizes[i]);
        GENERAL_NAME_set0_value(g, GEN_IPADD, s);
        sk_GENERAL_NAME_push(names, g);
        X509_add1_ext_i2d(m.x, NID_subject_alt_name, names, 0, 0);
        GENERAL_NAMES_free(names);

        struct identity *id = identity_of(m.x);
        bool known = sizes[i] == 4 || sizes[i] == 16;
        cr_expect_eq(id->incomplete, !known, "%d bytes", sizes[i]);
        cr_expect_eq(id->nnames, known ? 2 : 1, "%d bytes", sizes[i]);
        identity_free(id);
        made_free(&m);
    }
}

/* CVE-2009-2408 and its kind: a name that ends early for who reads C strings. */
Test(identity, a_nul_in_a_name_is_kept)
{
    static const char evil[] = "good.example\0.evil.example";
    struct made m = make_client("x", NULL);
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    GENERAL_NAME *g = GENERAL_NAME_new();
    ASN1_STRING *s = ASN1_IA5STRING_new();

    ASN1_STRING_set(s, evil, sizeof(evil) - 1);
    GENERAL_NAME_set0_value(g, GEN_DNS, s);
    sk_GENERAL_NAME_push(names, g);
    X509_add1_ext_i2d(m.x, NID_subject_alt_name, names, 0, 0);
    GENERAL_NAMES_free(names);

    struct identity *id = identity_of(m.x);
    cr_assert(HAS(id, ID_DNS, "good.example\0.evil.example"));
    cr_assert_not(HAS(id, ID_DNS, "good.example"));
    identity_free(id);
    made_free(&m);
}

static struct identity *with_cn(const void *cn, int len)
{
    struct made m = { .key = EVP_EC_gen("P-256"), .x = X509_new() };
    X509_NAME *n = X509_get_subject_name(m.x);

    cr_assert_eq(X509_NAME_add_entry_by_NID(n, NID_commonName, V_ASN1_UTF8STRING, cn, len, -1, 0),
                 1);
    X509_set_pubkey(m.x, m.key);
    X509_sign(m.x, m.key, EVP_sha256());
    struct identity *id = identity_of(m.x);
    cr_assert_not_null(id);
    made_free(&m);
    return id;
}

Test(identity, a_nul_in_a_name_is_shown)
{
    static const char evil[] = "admin\0.evil";
    struct identity *id = with_cn(evil, sizeof(evil) - 1);
    char text[64];

    cr_expect_str_eq(identity_text(id, text, sizeof(text)), "cn:admin\\x00.evil");
    cr_expect_str_eq(id->subject, "CN=admin\\00.evil");
    /* An escape is not cut in two. */
    cr_expect_str_eq(identity_text(id, text, sizeof("cn:admin\\x00")), "cn:admin\\x00");
    cr_expect_str_eq(identity_text(id, text, sizeof("cn:admin\\x0")), "cn:admin");
    cr_expect_str_eq(identity_text(id, text, 4), "cn:");
    cr_expect_str_eq(identity_text(id, text, 1), "");
    identity_free(id);
}

Test(identity, what_is_no_control_character_is_shown_as_it_is)
{
    static const char umlaut[] = "J\xc3\xb6rg \"x\"", literal[] = "admin\\x00.evil\n\x7f";
    struct identity *id = with_cn(umlaut, sizeof(umlaut) - 1);
    char text[64];

    cr_expect_str_eq(identity_text(id, text, sizeof(text)), "cn:J\xc3\xb6rg \"x\"");
    identity_free(id);
    /* but for the backslash: else this could not be told from a NUL */
    id = with_cn(literal, sizeof(literal) - 1);
    cr_expect_str_eq(identity_text(id, text, sizeof(text)), "cn:admin\\x5cx00.evil\\x0a\\x7f");
    identity_free(id);
}

/* OpenSSL's parser of today lets no such name in. */
Test(identity, a_name_that_cannot_be_printed_is_no_lack_of_memory)
{
    struct made ca = make_ca("Some CA", NULL), m = make_client("x", &ca);
    struct der der = der_cert(m.x);
    const unsigned char *p = der.p;
    X509 *x = d2i_X509(NULL, &p, (long)der.len);
    X509_NAME_ENTRY *entry = X509_NAME_get_entry(X509_get_subject_name(x), 0);

    /* UTF-16 of an odd length, put behind the parser's back */
    cr_assert_eq(X509_NAME_ENTRY_set_data(entry, V_ASN1_BMPSTRING, (const unsigned char *)"abc", 3),
                 1);
    struct identity *id = identity_of(x);
    cr_assert_not_null(id);
    cr_expect_str_eq(id->subject, "?");
    cr_expect_str_eq(id->issuer, "CN=Some CA");
    identity_free(id);
    free(der.p);
    X509_free(x);
    made_free(&m);
    made_free(&ca);
}

Test(identity, without_any_name_the_serial_stands_in)
{
    struct made m = make_cert(&(struct cert_spec){ .cn = NULL });
    struct identity *id = identity_of(m.x);
    char text[64];

    cr_assert_null(id->best);
    cr_assert_eq(id->nnames, 0);
    cr_assert_str_eq(id->subject, "");
    identity_text(id, text, sizeof(text));
    cr_assert_eq(strncmp(text, "serial:", 7), 0);
    cr_assert_str_eq(text + 7, id->serial);
    identity_free(id);
    made_free(&m);
}
