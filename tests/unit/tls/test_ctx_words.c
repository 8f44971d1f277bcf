/* tls_ctx_new: what an operator may write wrongly. */
#include <criterion/criterion.h>

#include "handshake.h"

static struct diag_at at(const char *key)
{
    return (struct diag_at){ .at = { "x.conf", 7 }, .section = "route r", .key = key };
}

/* One error at this key, with this text. */
static void refuses(struct tls_policy p, const char *key_type, const char *key, const char *text)
{
    struct made m = make_server("x", NULL, key_type);
    struct keypair *k = pair_of(&m, NULL, 0);
    struct diags d = { 0 };

    p.at_versions = at("protocols");
    p.at_ciphers = at("ciphers");
    p.at_ciphersuites = at("ciphersuites");
    p.at_groups = at("groups");
    p.at_alpn = at("alpn");
    cr_assert_null(tls_ctx_new(&p, &k, 1, &d));
    cr_assert(found(&d, DIAG_ERROR, text), "%s", text);
    cr_assert_eq(d.errors, 1);
    cr_assert_str_eq(d.v[0].key, key);
    cr_assert_eq(d.v[0].line, 7);
    diags_free(&d);
    keypair_free(k);
    made_free(&m);
}

#define REFUSES(key_type, field, value, key, text) \
    do { \
        struct tls_policy p_ = policy(); \
        p_.field = value; \
        refuses(p_, key_type, key, text); \
    } while (0)

Test(ctx_words, the_word_at_fault_is_named)
{
    REFUSES("EC", ciphers, "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA265", "ciphers",
            "\"ECDHE-ECDSA-AES128-GCM-SHA265\" is no cipher suite that this OpenSSL has");
    REFUSES("EC", ciphers, "ECDHE-ECDSA-AES128-GCM-SHA256 nonsense", "ciphers", "\"nonsense\"");
    REFUSES("EC", ciphers, "TLS_AES_128_GCM_SHA256", "ciphers",
            "is a suite of TLS 1.3; `ciphers` is for TLS 1.2 and older (write it into "
            "`ciphersuites`)");
    REFUSES("EC", ciphersuites, "TLS_AES_128_GCM_SHA256:TLS_AES_128_GCM_SHA265", "ciphersuites",
            "\"TLS_AES_128_GCM_SHA265\" is no cipher suite of TLS 1.3");
    REFUSES("EC", ciphersuites, "ECDHE-RSA-AES128-GCM-SHA256", "ciphersuites",
            "is no cipher suite of TLS 1.3");
    REFUSES("EC", groups, "X25519:X25591", "groups", "\"X25591\" is no key exchange group");
    REFUSES("EC", ciphers, "caf\xc3\xa9\n", "ciphers", "\"caf\\xc3\\xa9\\x0a\"");
}

Test(ctx_words, all_wrong_words_at_once)
{
    struct made m = make_server("x", NULL, "EC");
    struct keypair *k = pair_of(&m, NULL, 0);
    struct tls_policy p = policy();
    struct diags d = { 0 };

    p.ciphers = "one:two";
    p.ciphersuites = "three";
    p.groups = "four:X25519";
    cr_assert_null(tls_ctx_new(&p, &k, 1, &d));
    cr_assert_eq(d.errors, 4);
    cr_assert(found(&d, DIAG_ERROR, "\"one\"") && found(&d, DIAG_ERROR, "\"two\"")
              && found(&d, DIAG_ERROR, "\"three\"") && found(&d, DIAG_ERROR, "\"four\""));
    diags_free(&d);
    keypair_free(k);
    made_free(&m);
}

Test(ctx_words, what_operators_copy_from_elsewhere_is_taken)
{
    static const char *const lists[] = {
        "HIGH", "HIGH:!aNULL:!MD5:!RC4:!3DES", "ECDHE+AESGCM:ECDHE+CHACHA20:!kRSA:@STRENGTH",
        "ECDHE-ECDSA-AES128-GCM-SHA256, ECDHE-RSA-AES128-GCM-SHA256", "DEFAULT@SECLEVEL=1",
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    };
    struct made m = make_server("x", NULL, "EC");
    struct keypair *k = pair_of(&m, NULL, 0);

    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        struct tls_policy p = policy();
        p.ciphers = lists[i];
        tls_ctx_unref(server_ctx(&p, &k, 1));
    }
    keypair_free(k);
    made_free(&m);
}

Test(ctx_words, a_version_without_a_suite)
{
    struct tls_policy p = policy();

    REFUSES("EC", versions, 0u, "protocols", "no protocol version is left");
    p.versions = TLS_V10 | TLS_V12;
    p.ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256";
    refuses(p, "EC", "ciphers", "no suite is left for TLS 1.0");
    REFUSES("EC", ciphersuites, "", "ciphersuites", "no suite is left for TLS 1.3");
    REFUSES("EC", ciphers, "ECDHE-RSA-AES128-GCM-SHA256", "ciphers",
            "no suite for TLS 1.2 works with the key of the certificate (EC P-256)");
    REFUSES("RSA", ciphers, "ECDHE-ECDSA-AES128-GCM-SHA256", "ciphers",
            "no suite for TLS 1.2 works with the key of the certificate (RSA 2048)");
}

Test(ctx_words, suites_that_hide_nothing_or_prove_nothing)
{
    REFUSES("RSA", ciphers, "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-NULL-SHA:@SECLEVEL=0",
            "ciphers", "ECDHE-RSA-NULL-SHA has no encryption (add !eNULL, or leave it out)");
    REFUSES("RSA", ciphers, "NULL:@SECLEVEL=0:!aNULL", "ciphers", "has no encryption");
    REFUSES("RSA", ciphers, "ECDHE-RSA-AES128-GCM-SHA256:ADH-AES128-GCM-SHA256:@SECLEVEL=0",
            "ciphers", "ADH-AES128-GCM-SHA256 has no authentication (add !aNULL, or leave it out)");
    REFUSES("RSA", ciphers, "HIGH:@SECLEVEL=0", "ciphers", "has no authentication");
}

Test(ctx_words, a_key_that_openssl_finds_too_short)
{
    REFUSES("RSA1024", depth, 5, "store",
            "OpenSSL refuses the certificate CN=x (RSA 1024): ee key too small");
}

Test(ctx_words, and_how_to_serve_it_all_the_same)
{
    struct made m = make_server("x", NULL, "RSA1024");
    struct keypair *k = pair_of(&m, NULL, 0);
    struct tls_policy p = policy();

    p.ciphers = "ECDHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0";
    tls_ctx_unref(server_ctx(&p, &k, 1));
    keypair_free(k);
    made_free(&m);
}

Test(ctx_words, alpn_names_have_a_length)
{
    static const char *const empty[] = { "h2", "" };
    struct tls_policy p = policy();

    p.alpn = empty;
    p.nalpn = 2;
    refuses(p, "EC", "alpn", "a protocol name has 1 to 255 bytes");
}
