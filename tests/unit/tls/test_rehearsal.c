/* rehearsal: a handshake with ourselves. */
#include <criterion/criterion.h>
#include <string.h>

#include "handshake.h"
#include "tls/rehearsal.h"

static const struct {
    const char *what, *key, *ciphers, *suites, *groups;
    unsigned versions;
} cases[] = {
    { "the default", "EC", NULL, NULL, NULL, TLS_V12 | TLS_V13 },
    { "RSA", "RSA", NULL, NULL, NULL, TLS_V12 | TLS_V13 },
    { "Ed25519", "ED25519", NULL, NULL, NULL, TLS_V12 | TLS_V13 },
    { "P-384", "P-384", NULL, NULL, NULL, TLS_V13 },
    { "TLS 1.2 alone", "EC", NULL, NULL, NULL, TLS_V12 },
    { "TLS 1.0", "RSA", NULL, NULL, NULL, TLS_V10 },
    { "an odd suite", "EC", NULL, "TLS_AES_128_CCM_SHA256", NULL, TLS_V13 },
    { "an old suite", "RSA", "AES256-SHA", NULL, NULL, TLS_V12 },
    { "an odd group", "EC", NULL, NULL, "brainpoolP384r1", TLS_V12 },
    { "a group of TLS 1.3 alone", "EC", NULL, NULL, "ffdhe3072", TLS_V13 },
};

Test(rehearsal, what_is_sound_comes_through)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct made ca = make_ca("root", NULL), leaf = make_server("leaf", &ca, cases[i].key);
        struct keypair *k = pair_of(&leaf, NULL, 0);
        struct tls_policy p = policy();
        struct err e = ERR_INIT;

        p.versions = cases[i].versions;
        p.ciphers = cases[i].ciphers;
        p.ciphersuites = cases[i].suites;
        p.groups = cases[i].groups;
        struct diags d = { 0 };
        struct tls_ctx *c = tls_ctx_new(&p, &k, 1, &d);
        cr_assert_not_null(c, "%s", cases[i].what);
        cr_expect_eq(rehearse(c, &e), 0, "%s: %s", cases[i].what, e.text);
        diags_free(&d);
        tls_ctx_unref(c);
        keypair_free(k);
        made_free(&leaf);
        made_free(&ca);
    }
}

Test(rehearsal, clients_that_must_show_a_certificate_are_left_out)
{
    struct made ca = make_ca("root", NULL), leaf = make_server("leaf", &ca, "EC");
    struct keypair *k = pair_of(&leaf, NULL, 0);
    struct trust *t = trust_of(&ca.x, 1);
    struct tls_policy p = policy();
    struct err e = ERR_INIT;

    p.client_auth = TLS_CLIENT_REQUIRE;
    p.trust = t;
    struct tls_ctx *c = server_ctx(&p, &k, 1);
    cr_expect_eq(rehearse(c, &e), 0, "%s", e.text);
    tls_ctx_unref(c);
    trust_unref(t);
    keypair_free(k);
    made_free(&leaf);
    made_free(&ca);
}

Test(rehearsal, what_does_not_work_is_found)
{
    struct made ca = make_ca("root", NULL), leaf = make_server("leaf", &ca, "EC");
    struct keypair *k = pair_of(&leaf, NULL, 0);
    struct tls_policy p = policy();
    struct err e = ERR_INIT;
    struct tls_ctx *c = server_ctx(&p, &k, 1);
    char of_another_key[] = "RSA-PSS+SHA256";

    cr_assert_eq(SSL_CTX_set1_sigalgs_list(c->ssl_ctx, of_another_key), 1);
    cr_expect_eq(rehearse(c, &e), -1);
    cr_expect(strstr(e.text, "a handshake with ourselves fails: ") != NULL);
    tls_ctx_unref(c);
    keypair_free(k);
    made_free(&leaf);
    made_free(&ca);
}
