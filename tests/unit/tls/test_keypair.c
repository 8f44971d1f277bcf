#include <criterion/criterion.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "certs.h"
#include "tls/keypair.h"

#define DAY 86400

static struct diags check(const struct made *leaf, X509 *const *chain, size_t n, bool serve_expired)
{
    struct keypair *k = pair_of(leaf, chain, n);
    struct diags d = { 0 };

    keypair_check(k, &(struct keypair_rules){ .serve_expired = serve_expired, .now = time(NULL) },
                  (struct diag_at){ .section = "store node" }, "/x/tls.crt", &d);
    keypair_free(k);
    return d;
}

/* One finding, of this level, with this text; and it has a hint. */
static void only(struct diags *d, enum diag_level level, const char *text)
{
    cr_assert(found(d, level, text), "%s", text);
    cr_assert_eq(d->n, 1);
    cr_assert_not_null(d->v[0].hint);
    cr_assert_not_null(strstr(d->v[0].message, "/x/tls.crt"));
    diags_free(d);
}

Test(keypair, a_good_one_has_no_findings)
{
    struct made root = make_ca("root", NULL), mid = make_ca("mid", &root);
    struct made leaf = make_server("leaf", &mid, "EC"), rsa = make_server("rsa", &mid, "RSA");
    X509 *chain[] = { mid.x, root.x };
    struct diags d = check(&leaf, chain, 2, false), r = check(&rsa, chain, 1, false);

    cr_assert_eq(d.n, 0);
    cr_assert_eq(r.n, 0);
    made_free(&root);
    made_free(&mid);
    made_free(&leaf);
    made_free(&rsa);
}

static struct diags noted(const struct made *leaf, const char *alias, char **last)
{
    struct keypair *k = pair_of(leaf, NULL, 0);
    struct keypair_rules rules = { .now = time(NULL), .alias = alias, .noted = last };
    struct diags d = { 0 };

    keypair_check(k, &rules, (struct diag_at){ 0 }, "/x/tls.crt", &d);
    keypair_free(k);
    return d;
}

Test(keypair, one_without_its_issuer_is_noted_once_for_each_issuer)
{
    struct made root = make_ca("root", NULL), mid = make_ca("mid", &root);
    struct made a = make_server("a", &root, "EC"), b = make_server("b", &mid, "EC");
    char *last = NULL;
    struct diags first = noted(&a, NULL, &last), again = noted(&a, NULL, &last),
                 other = noted(&b, NULL, &last);

    only(&first, DIAG_NOTE,
         "the file holds no issuer of CN=a; that is right if CN=root is a root");
    cr_assert_eq(again.n, 0);
    only(&other, DIAG_NOTE, "that is right if CN=mid is a root");
    free(last);
    made_free(&root);
    made_free(&mid);
    made_free(&a);
    made_free(&b);
}

Test(keypair, of_a_keystore_the_reply_of_the_ca_may_be_missing)
{
    struct made m = make_server("node", NULL, "EC");
    char *last = NULL;
    struct diags d = noted(&m, "node 1", &last);

    cr_assert_not_null(strstr(d.v[0].hint, "keytool -importcert -keystore /x/tls.crt "
                                           "-alias \"node 1\" -file CHAIN"));
    only(&d, DIAG_NOTE, "CN=node is self-signed; clients must be given it itself");
    free(last);
    made_free(&m);
}

Test(keypair, a_self_signed_ca_certificate_serves)
{
    struct made m = make_cert(&(struct cert_spec){ .cn = "x", .basic = "critical,CA:TRUE",
                                                   .san = "DNS:x" });
    struct diags d = check(&m, NULL, 0, false);

    cr_assert_eq(d.n, 0);
    made_free(&m);
}

Test(keypair, the_key_must_match)
{
    struct made a = make_server("a", NULL, "EC"), b = make_server("b", NULL, "RSA");
    struct made mixed = { .key = b.key, .x = a.x };
    struct diags d = check(&mixed, NULL, 0, false);

    only(&d, DIAG_ERROR,
         "the private key (RSA 2048) does not belong to the certificate CN=a (EC P-256)");
    made_free(&a);
    made_free(&b);
}

Test(keypair, expired)
{
    struct made m = make_cert(&(struct cert_spec){ .cn = "old", .san = "DNS:x",
                                                   .from = -9 * DAY, .until = -3 * DAY - 60 });
    struct diags refuse = check(&m, NULL, 0, false), serve = check(&m, NULL, 0, true);

    cr_assert(found(&refuse, DIAG_ERROR, "the certificate CN=old expired 3 days ago (20"));
    only(&refuse, DIAG_ERROR, "expired = serve");
    only(&serve, DIAG_WARNING, "expired 3 days ago");
    made_free(&m);
}

Test(keypair, not_valid_yet)
{
    struct made m = make_cert(&(struct cert_spec){ .cn = "new", .san = "DNS:x",
                                                   .from = 2 * 3600 + 60, .until = 9 * DAY });
    struct diags d = check(&m, NULL, 0, true);

    only(&d, DIAG_ERROR, " UTC, in 2 hours");
    made_free(&m);
}

Test(keypair, a_client_certificate_is_not_served)
{
    struct made m = make_cert(&(struct cert_spec){ .cn = "c", .san = "DNS:x",
                                                   .extended = "clientAuth,emailProtection" });
    struct made any = make_cert(&(struct cert_spec){ .cn = "c", .san = "DNS:x",
                                                     .extended = "anyExtendedKeyUsage" });
    struct diags d = check(&m, NULL, 0, false), ok = check(&any, NULL, 0, false);

    only(&d, DIAG_ERROR, "its extended key usage is clientAuth, emailProtection only");
    cr_assert_eq(ok.n, 0);
    made_free(&m);
    made_free(&any);
}

Test(keypair, version_1_and_no_name_are_warnings)
{
    struct made ca = make_ca("ca", NULL);
    struct made m = make_cert(&(struct cert_spec){ .cn = "DASK CLUSTER", .issuer = &ca,
                                                   .v1 = true });
    struct diags d = check(&m, NULL, 0, false);

    cr_assert_eq(d.errors, 0);
    cr_assert_eq(d.n, 2);
    cr_assert(found(&d, DIAG_WARNING, "X.509 version 1"));
    cr_assert(found(&d, DIAG_WARNING, "no subject alternative name"));
    diags_free(&d);
    made_free(&ca);
    made_free(&m);
}

Test(keypair, a_short_rsa_key_is_a_warning)
{
    struct made m = make_cert(&(struct cert_spec){ .cn = "x", .san = "DNS:x", .key = "RSA1024" });
    struct diags d = check(&m, NULL, 0, false);

    only(&d, DIAG_WARNING, "has 1024 bits only");
    made_free(&m);
}

Test(keypair, gaps_and_disorder_in_the_chain)
{
    struct made root = make_ca("root", NULL), mid = make_ca("mid", &root);
    struct made leaf = make_server("leaf", &mid, "EC"), stranger = make_ca("stranger", NULL);
    X509 *wrong_order[] = { root.x, mid.x }, *gap[] = { stranger.x };
    struct diags d = check(&leaf, wrong_order, 2, false), g = check(&leaf, gap, 1, false);

    only(&d, DIAG_WARNING, "CN=root follows, where the issuer CN=mid is expected");
    only(&g, DIAG_WARNING, "CN=stranger follows");
    made_free(&root);
    made_free(&mid);
    made_free(&leaf);
    made_free(&stranger);
}

Test(keypair, an_expired_intermediate_is_a_warning)
{
    struct made root = make_ca("root", NULL);
    struct made mid = make_cert(&(struct cert_spec){ .cn = "mid", .issuer = &root,
                                                     .basic = "critical,CA:TRUE",
                                                     .from = -9 * DAY, .until = -2 * DAY - 60 });
    struct made leaf = make_server("leaf", &mid, "EC");
    struct diags d = check(&leaf, &mid.x, 1, false);

    only(&d, DIAG_WARNING, "the intermediate certificate CN=mid expired 2 days ago");
    made_free(&root);
    made_free(&mid);
    made_free(&leaf);
}

Test(keypair, a_missing_intermediate_of_a_public_ca)
{
    struct made mid = make_ca("R3", NULL);
    struct made leaf = make_cert(&(struct cert_spec){ .cn = "x", .issuer = &mid, .san = "DNS:x",
                                                      .aia = "caIssuers;URI:http://ca.test/r3" });
    struct diags without = check(&leaf, NULL, 0, false), with = check(&leaf, &mid.x, 1, false);

    only(&without, DIAG_WARNING, "the certificate of the issuer CN=R3 is missing");
    cr_assert_eq(with.n, 0);
    made_free(&mid);
    made_free(&leaf);
}

Test(keypair, damaged_parts_are_told)
{
    struct made m = make_server("x", NULL, "EC");
    struct der key = der_key(m.key), cert = der_cert(m.x), broken = der_cert(m.x);
    struct err e = ERR_INIT;

    broken.p[5] ^= 0x55;
    cr_assert_null(keypair_new(NULL, key.p, key.len, &broken, 1, &e));
    cr_assert_not_null(strstr(e.text, "certificate 1 is damaged"), "%s", e.text);
    cr_assert_null(keypair_new(NULL, key.p, key.len - 1, &cert, 1, &e));
    cr_assert_not_null(strstr(e.text, "private key is damaged"), "%s", e.text);
    cr_assert_null(keypair_new(NULL, key.p, key.len, &cert, 0, &e));
    free(key.p);
    free(cert.p);
    free(broken.p);
    made_free(&m);
}

Test(keypair, its_type_in_words)
{
    struct made m = make_server("x", NULL, "ED25519");
    struct keypair *k = pair_of(&m, NULL, 0);
    char buf[32];

    cr_assert_str_eq(keypair_type(k, buf), "ED25519");
    keypair_free(k);
    made_free(&m);
}
