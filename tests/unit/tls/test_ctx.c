/* tls_ctx_new: what its handshakes do. */
#include <criterion/criterion.h>
#include <openssl/err.h>
#include <stdlib.h>

#include "base/mem.h"
#include "handshake.h"

/* The pair of certificates that many tests serve. */
struct served {
    struct made ca, ec, rsa;
    struct keypair *pairs[2];   /* EC, RSA */
};

static struct served served(void)
{
    struct served s = { .ca = make_ca("ca", NULL) };

    s.ec = make_server("ec", &s.ca, "EC");
    s.rsa = make_server("rsa", &s.ca, "RSA");
    s.pairs[0] = pair_of(&s.ec, &s.ca.x, 1);
    s.pairs[1] = pair_of(&s.rsa, &s.ca.x, 1);
    return s;
}

static void served_free(struct served *s)
{
    keypair_free(s->pairs[0]);
    keypair_free(s->pairs[1]);
    made_free(&s->ca);
    made_free(&s->ec);
    made_free(&s->rsa);
}

/* Handshake with a client that is limited in these ways (NULL: not), and look. */
struct want {
    int min, max;
    const char *ciphers, *suites, *sigalgs, *groups;
};

static void meet_limited(struct meeting *m, const struct tls_ctx *ctx, const struct want *w)
{
    SSL_CTX *c = client_ctx(w->min, w->max);
    char list[128];

    if (w->ciphers != NULL)
        cr_assert(SSL_CTX_set_cipher_list(c, w->ciphers));
    if (w->suites != NULL)
        cr_assert(SSL_CTX_set_ciphersuites(c, w->suites));
    if (w->sigalgs != NULL) {
        snprintf(list, sizeof(list), "%s", w->sigalgs);
        cr_assert(SSL_CTX_set1_sigalgs_list(c, list));
    }
    if (w->groups != NULL) {
        snprintf(list, sizeof(list), "%s", w->groups);
        cr_assert(SSL_CTX_set1_groups_list(c, list));
    }
    meet(m, ctx, c);
    SSL_CTX_free(c);
    meet_run(m);
}

static bool serves(const struct tls_ctx *ctx, struct want w, const struct made *want)
{
    struct meeting m;

    meet_limited(&m, ctx, &w);
    bool ok = m.secured
           && (want == NULL || X509_cmp(SSL_get0_peer_certificate(m.client), want->x) == 0);
    meet_free(&m);
    return ok;
}

static bool suite_is(const struct tls_ctx *ctx, struct want w, const char *name)
{
    struct meeting m;

    meet_limited(&m, ctx, &w);
    bool ok = m.secured && strcmp(SSL_get_cipher_name(m.server), name) == 0;
    if (!ok)
        fprintf(stderr, "%s, not %s\n", SSL_get_cipher_name(m.server), name);
    meet_free(&m);
    return ok;
}

#define V12 .min = TLS1_2_VERSION, .max = TLS1_2_VERSION
#define V13 .min = TLS1_3_VERSION, .max = TLS1_3_VERSION

Test(ctx, which_certificate_serves_which_client)
{
    struct served s = served();
    struct tls_policy p = policy();
    struct tls_ctx *both = server_ctx(&p, s.pairs, 2), *ec = server_ctx(&p, s.pairs, 1),
                   *rsa = server_ctx(&p, s.pairs + 1, 1);
    struct want rsa12 = { V12, .ciphers = "ECDHE-RSA-AES128-GCM-SHA256" },
                ec12 = { V12, .ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256" },
                rsa13 = { V13, .sigalgs = "rsa_pss_rsae_sha256" },
                ec13 = { V13, .sigalgs = "ecdsa_secp256r1_sha256" };

    cr_assert(serves(both, (struct want){ V12 }, &s.ec));
    cr_assert(serves(both, (struct want){ V13 }, &s.ec));
    cr_assert(serves(both, rsa12, &s.rsa));
    cr_assert(serves(both, rsa13, &s.rsa));
    cr_assert(serves(both, ec12, &s.ec));
    cr_assert(serves(both, ec13, &s.ec));

    cr_assert(serves(ec, (struct want){ V12 }, &s.ec));
    cr_assert(serves(ec, ec13, &s.ec));
    cr_assert_not(serves(ec, rsa12, NULL));
    cr_assert_not(serves(ec, rsa13, NULL));

    cr_assert(serves(rsa, (struct want){ V12 }, &s.rsa));
    cr_assert(serves(rsa, rsa13, &s.rsa));
    cr_assert_not(serves(rsa, ec12, NULL));
    cr_assert_not(serves(rsa, ec13, NULL));

    tls_ctx_unref(both);
    tls_ctx_unref(ec);
    tls_ctx_unref(rsa);
    served_free(&s);
}

Test(ctx, the_chain_is_sent_as_loaded_and_nothing_is_added)
{
    struct made root = make_ca("root", NULL), mid = make_ca("mid", &root);
    struct made leaf = make_server("leaf", &mid, "EC");
    struct keypair *with = pair_of(&leaf, &mid.x, 1), *without = pair_of(&leaf, NULL, 0);
    struct keypair *pairs[] = { with, without };
    X509 *anchors[] = { root.x, mid.x };
    struct trust *t = trust_of(anchors, 2);     /* holds the issuers: no source for the chain */

    for (int i = 0; i < 2; i++) {
        struct tls_policy p = policy();
        struct meeting m;
        SSL_CTX *c = client_ctx(0, 0);
        p.client_auth = TLS_CLIENT_REQUEST;
        p.trust = t;
        struct tls_ctx *ctx = server_ctx(&p, &pairs[i], 1);
        meet(&m, ctx, c);
        meet_run(&m);
        cr_assert(m.secured);
        cr_assert_eq(sk_X509_num(SSL_get_peer_cert_chain(m.client)), i == 0 ? 2 : 1);
        meet_free(&m);
        SSL_CTX_free(c);
        tls_ctx_unref(ctx);
    }
    keypair_free(with);
    keypair_free(without);
    trust_unref(t);
    made_free(&root);
    made_free(&mid);
    made_free(&leaf);
}

Test(ctx, defaults_are_forward_secret_aead_with_aes_128_first)
{
    struct served s = served();
    struct tls_policy p = policy();
    struct tls_ctx *ctx = server_ctx(&p, s.pairs, 2);
    STACK_OF(SSL_CIPHER) *all = SSL_CTX_get_ciphers(ctx->ssl_ctx);

    for (int i = 0; i < sk_SSL_CIPHER_num(all); i++) {
        const SSL_CIPHER *c = sk_SSL_CIPHER_value(all, i);
        int kx = SSL_CIPHER_get_kx_nid(c);
        cr_assert(SSL_CIPHER_is_aead(c), "%s", SSL_CIPHER_get_name(c));
        cr_assert(kx == NID_kx_ecdhe || kx == NID_kx_any, "%s", SSL_CIPHER_get_name(c));
    }
    cr_assert(suite_is(ctx, (struct want){ V13 }, "TLS_AES_128_GCM_SHA256"));
    cr_assert(suite_is(ctx, (struct want){ V12 }, "ECDHE-ECDSA-AES128-GCM-SHA256"));
    /* A client without AES in hardware says so by its order. */
    cr_assert(suite_is(ctx, (struct want){ V13, .suites = "TLS_CHACHA20_POLY1305_SHA256:"
                                                          "TLS_AES_128_GCM_SHA256" },
                       "TLS_CHACHA20_POLY1305_SHA256"));
    cr_assert(suite_is(ctx, (struct want){ V12, .ciphers = "ECDHE-RSA-CHACHA20-POLY1305:"
                                                           "ECDHE-RSA-AES128-GCM-SHA256" },
                       "ECDHE-RSA-CHACHA20-POLY1305"));
    cr_assert_not(serves(ctx, (struct want){ V12, .ciphers = "AES128-SHA" }, NULL));
    cr_assert_not(serves(ctx, (struct want){ V12, .ciphers = "ECDHE-RSA-AES128-SHA256" }, NULL));
    tls_ctx_unref(ctx);
    served_free(&s);
}

Test(ctx, options_modes_and_sizes)
{
    struct served s = served();
    struct tls_policy p = policy();
    struct tls_ctx *ctx = server_ctx(&p, s.pairs, 1);
    uint64_t o = SSL_CTX_get_options(ctx->ssl_ctx);
    long mode = SSL_CTX_get_mode(ctx->ssl_ctx);

    cr_assert(o & SSL_OP_NO_RENEGOTIATION);
    cr_assert(o & SSL_OP_NO_COMPRESSION);
    cr_assert(o & SSL_OP_CIPHER_SERVER_PREFERENCE);
    cr_assert(o & SSL_OP_PRIORITIZE_CHACHA);
    cr_assert(mode & SSL_MODE_ENABLE_PARTIAL_WRITE);
    cr_assert(mode & SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    cr_assert(mode & SSL_MODE_RELEASE_BUFFERS);
    cr_assert(mode & SSL_MODE_NO_AUTO_CHAIN);
    cr_assert_eq(SSL_CTX_get_session_cache_mode(ctx->ssl_ctx), SSL_SESS_CACHE_OFF);
    cr_assert_eq(SSL_CTX_get_max_early_data(ctx->ssl_ctx), 0);
    cr_assert_eq(SSL_CTX_get_num_tickets(ctx->ssl_ctx), 0, "ticket_attach() asks for them");
    cr_assert_str_eq(ctx->offer, "TLS 1.2-1.3");
    tls_ctx_unref(ctx);
    served_free(&s);
}

/* --- versions --- */

static bool works_at(const struct tls_ctx *ctx, int version)
{
    struct meeting m;
    SSL_CTX *c = client_ctx(version, version);

    if (version < TLS1_2_VERSION)
        SSL_CTX_set_cipher_list(c, "ALL:@SECLEVEL=0");
    meet(&m, ctx, c);
    meet_run(&m);
    bool ok = m.secured && SSL_version(m.server) == version;
    meet_free(&m);
    SSL_CTX_free(c);
    return ok;
}

Test(ctx, versions_are_exactly_those_written_holes_too)
{
    static const int numbers[] = { TLS1_VERSION, TLS1_1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION };
    struct served s = served();

    for (unsigned set = 1; set < 16; set++) {
        struct tls_policy p = policy();
        p.versions = set;
        struct tls_ctx *ctx = server_ctx(&p, s.pairs, 2);
        for (unsigned i = 0; i < 4; i++)
            cr_assert_eq(works_at(ctx, numbers[i]), (set >> i) & 1, "set %u, version %u", set, i);
        tls_ctx_unref(ctx);
    }
    served_free(&s);
}

Test(ctx, versions_in_words)
{
    static const struct { unsigned set; const char *text; } cases[] = {
        { TLS_V12 | TLS_V13, "TLS 1.2-1.3" }, { TLS_V13, "TLS 1.3" },
        { TLS_V10 | TLS_V12 | TLS_V13, "TLS 1.0, 1.2-1.3" }, { 15, "TLS 1.0-1.3" },
        { TLS_V10 | TLS_V12, "TLS 1.0, 1.2" },
    };
    struct served s = served();

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct tls_policy p = policy();
        p.versions = cases[i].set;
        struct tls_ctx *ctx = server_ctx(&p, s.pairs, 1);
        cr_assert_str_eq(ctx->offer, cases[i].text);
        tls_ctx_unref(ctx);
    }
    served_free(&s);
}

/* Old Flink has this one suite, and speaks TLS 1.2. */
Test(ctx, aes128_sha_works_when_named_in_either_way)
{
    static const char *const names[] = { "AES128-SHA", "TLS_RSA_WITH_AES_128_CBC_SHA",
                                         "ECDHE+AESGCM:AES128-SHA" };
    struct served s = served();

    for (size_t i = 0; i < 3; i++) {
        struct tls_policy p = policy();
        p.ciphers = names[i];
        struct tls_ctx *ctx = server_ctx(&p, s.pairs + 1, 1);
        cr_assert(suite_is(ctx, (struct want){ V12, .ciphers = "AES128-SHA" }, "AES128-SHA"));
        tls_ctx_unref(ctx);
    }
    served_free(&s);
}

Test(ctx, groups_as_written)
{
    struct served s = served();
    struct tls_policy p = policy();
    p.groups = "P-384, X25519";
    struct tls_ctx *ctx = server_ctx(&p, s.pairs, 1);

    cr_assert(serves(ctx, (struct want){ V13, .groups = "X25519" }, NULL));
    cr_assert(serves(ctx, (struct want){ V13, .groups = "P-256:P-384" }, NULL));
    cr_assert_not(serves(ctx, (struct want){ V13, .groups = "P-256" }, NULL));
    cr_assert_not(serves(ctx, (struct want){ V12, .groups = "P-256" }, NULL));
    tls_ctx_unref(ctx);
    served_free(&s);
}

/* --- ALPN --- */

static const char *const two[] = { "h2", "http/1.1" };

static bool alpn_is(const struct tls_ctx *ctx, const char *wire, const char *want)
{
    struct meeting m;
    SSL_CTX *c = client_ctx(0, 0);
    const unsigned char *p;
    unsigned n;

    if (wire != NULL)
        SSL_CTX_set_alpn_protos(c, (const unsigned char *)wire, (unsigned)strlen(wire));
    meet(&m, ctx, c);
    meet_run(&m);
    SSL_get0_alpn_selected(m.client, &p, &n);
    bool ok = m.secured && n == strlen(want) && (n == 0 || memcmp(p, want, n) == 0);
    meet_free(&m);
    SSL_CTX_free(c);
    return ok;
}

Test(ctx, alpn_in_our_order_and_only_if_configured)
{
    struct served s = served();
    struct tls_policy p = policy();
    struct tls_ctx *none = server_ctx(&p, s.pairs, 1);
    p.alpn = two;
    p.nalpn = 2;
    struct tls_ctx *some = server_ctx(&p, s.pairs, 1);

    cr_assert(alpn_is(some, "\x08http/1.1\x02h2", "h2"));
    cr_assert(alpn_is(some, "\x03xyz\x08http/1.1", "http/1.1"));
    cr_assert(alpn_is(some, NULL, ""), "a client without ALPN is served");
    cr_assert_not(alpn_is(some, "\x03xyz\x01h", ""), "no overlap is refused");
    cr_assert(alpn_is(none, "\x02h2", ""), "a route without ALPN answers nothing");
    tls_ctx_unref(none);
    tls_ctx_unref(some);
    served_free(&s);
}

/* --- client certificates --- */

static bool admits(const struct tls_ctx *ctx, const struct made *client, int version)
{
    struct meeting m;
    SSL_CTX *c = client_ctx(version, version);

    SSL_CTX_set_security_level(c, 0);   /* it may show what it likes: we are to judge */
    if (client != NULL)
        client_has(c, client);
    meet(&m, ctx, c);
    bool ok = meet_run(&m) && m.secured;
    if (ok && client != NULL && ctx->client_auth != TLS_CLIENT_NONE)
        cr_assert_not_null(SSL_get0_peer_certificate(m.server));
    meet_free(&m);
    SSL_CTX_free(c);
    return ok;
}

Test(ctx, client_auth_none_request_require)
{
    struct served s = served();
    struct made ca = make_ca("clients", NULL), good = make_client("good", &ca);
    struct made bad = make_client("bad", NULL), v1;
    struct trust *t = trust_of(&ca.x, 1);

    v1 = make_cert(&(struct cert_spec){ .cn = "v1", .issuer = &ca, .v1 = true });
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        for (int auth = TLS_CLIENT_NONE; auth <= TLS_CLIENT_REQUIRE; auth++) {
            struct tls_policy p = policy();
            p.client_auth = (enum tls_client_auth)auth;
            p.trust = auth == TLS_CLIENT_NONE ? NULL : t;
            struct tls_ctx *ctx = server_ctx(&p, s.pairs, 1);
            cr_assert(admits(ctx, &good, version));
            cr_assert(admits(ctx, &v1, version));
            cr_assert_eq(admits(ctx, NULL, version), auth != TLS_CLIENT_REQUIRE);
            cr_assert_eq(admits(ctx, &bad, version), auth == TLS_CLIENT_NONE);
            tls_ctx_unref(ctx);
        }
    }
    trust_unref(t);
    made_free(&ca);
    made_free(&good);
    made_free(&bad);
    made_free(&v1);
    served_free(&s);
}

/* Old versions sign with SHA-1; that is no reason to believe certificates that do. */
Test(ctx, old_versions_do_not_let_weak_certificates_in)
{
    static const struct { unsigned set; const char *ciphers; bool weak_is_good; } cases[] = {
        { TLS_V13, NULL, false },
        { TLS_V10 | TLS_V13, NULL, false },
        { TLS_V10 | TLS_V13, "ALL:!aNULL", false },
        /* The operator's own word counts for all. */
        { TLS_V10 | TLS_V13, "ALL:!aNULL:@SECLEVEL=0", true },
        { TLS_V12 | TLS_V13, "ALL:!aNULL:@SECLEVEL=0", true },
    };
    struct served s = served();
    struct made ca = make_ca("clients", NULL), good = make_client("good", &ca);
    struct made sha1 = make_client("sha1", &ca);
    struct made rsa1024 = make_cert(&(struct cert_spec){ .cn = "weak", .issuer = &ca,
                                                         .key = "RSA1024" });
    struct trust *t = trust_of(&ca.x, 1);

    cr_assert_gt(X509_sign(sha1.x, ca.key, EVP_sha1()), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct tls_policy p = policy();
        p.versions = cases[i].set;
        p.ciphers = cases[i].ciphers;
        p.client_auth = TLS_CLIENT_REQUIRE;
        p.trust = t;
        struct tls_ctx *ctx = server_ctx(&p, s.pairs, 1);
        for (int version = TLS1_VERSION; version <= TLS1_3_VERSION; version++) {
            if (!(cases[i].set >> (version - TLS1_VERSION) & 1))
                continue;
            cr_expect(admits(ctx, &good, version), "case %zu, %x", i, version);
            cr_expect_eq(admits(ctx, &rsa1024, version), cases[i].weak_is_good,
                         "case %zu, %x", i, version);
            cr_expect_eq(admits(ctx, &sha1, version), cases[i].weak_is_good,
                         "case %zu, %x", i, version);
        }
        tls_ctx_unref(ctx);
    }
    trust_unref(t);
    made_free(&ca);
    made_free(&good);
    made_free(&sha1);
    made_free(&rsa1024);
    served_free(&s);
}

Test(ctx, depth_counts_the_intermediates)
{
    struct served s = served();
    struct made root = make_ca("root", NULL), mid = make_ca("mid", &root);
    struct made client = make_client("c", &mid);
    struct trust *t = trust_of(&root.x, 1);

    for (int depth = 0; depth < 2; depth++) {
        struct tls_policy p = policy();
        struct meeting m;
        SSL_CTX *c = client_ctx(0, 0);
        STACK_OF(X509) *chain = sk_X509_new_null();
        sk_X509_push(chain, mid.x);
        SSL_CTX_use_cert_and_key(c, client.x, client.key, chain, 1);
        p.client_auth = TLS_CLIENT_REQUIRE;
        p.trust = t;
        p.depth = depth;
        struct tls_ctx *ctx = server_ctx(&p, s.pairs, 1);
        meet(&m, ctx, c);
        cr_assert_eq(meet_run(&m), depth == 1);
        meet_free(&m);
        sk_X509_free(chain);
        SSL_CTX_free(c);
        tls_ctx_unref(ctx);
    }
    trust_unref(t);
    made_free(&root);
    made_free(&mid);
    made_free(&client);
    served_free(&s);
}

Test(ctx, the_client_is_told_which_issuers_are_taken)
{
    struct served s = served();
    struct made ca = make_ca("clients", NULL);
    struct trust *t = trust_of(&ca.x, 1);
    struct tls_policy p = policy();
    struct meeting m;
    SSL_CTX *c = client_ctx(0, 0);

    p.client_auth = TLS_CLIENT_REQUEST;
    p.trust = t;
    struct tls_ctx *ctx = server_ctx(&p, s.pairs, 1);
    trust_unref(t);              /* the context holds what it needs */
    meet(&m, ctx, c);
    meet_run(&m);
    const STACK_OF(X509_NAME) *names = SSL_get0_peer_CA_list(m.client);
    cr_assert_eq(sk_X509_NAME_num(names), 1);
    cr_assert_eq(X509_NAME_cmp(sk_X509_NAME_value(names, 0), X509_get_subject_name(ca.x)), 0);
    meet_free(&m);
    SSL_CTX_free(c);
    tls_ctx_unref(ctx);
    made_free(&ca);
    served_free(&s);
}

/* --- early data --- */

static SSL_SESSION *kept;

static int keep(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    SSL_SESSION_free(kept);
    kept = session;
    return 1;
}

/* A ticket that promises early data, from a server that is not us. */
static SSL_SESSION *promise_of(const struct tls_ctx *other, SSL_CTX *c)
{
    static const uint8_t not_ours[DIGEST_LEN] = "not ours";
    struct meeting m;

    SSL_CTX_set_max_early_data(other->ssl_ctx, 16384);
    SSL_CTX_set_options(other->ssl_ctx, SSL_OP_NO_ANTI_REPLAY);     /* no cache needed */
    kept = NULL;
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_CLIENT);
    SSL_CTX_sess_set_new_cb(c, keep);
    meet(&m, other, c);
    m.terms.policy = not_ours;
    meet_run(&m);
    cr_assert(m.secured);
    SSL_shutdown(m.client);
    meet_free(&m);
    SSL_CTX_sess_set_new_cb(c, NULL);
    cr_assert_not_null(kept);
    cr_assert_eq(SSL_SESSION_get_max_early_data(kept), 16384);
    return kept;
}

static void pass(SSL *from, SSL *to)
{
    char buf[8192];
    int n;

    while ((n = BIO_read(SSL_get_wbio(from), buf, sizeof(buf))) > 0)
        BIO_write(SSL_get_rbio(to), buf, n);
}

/* RFC 8446 4.2.10: what a server does not take, it skips. */
Test(ctx, early_data_is_skipped_and_the_handshake_is_a_full_one)
{
    struct served s = served();
    struct tls_policy p = policy();
    struct tls_ctx *other = server_ctx(&p, s.pairs, 1), *ctx = server_ctx(&p, s.pairs, 1);
    SSL_CTX *c = client_ctx(TLS1_3_VERSION, TLS1_3_VERSION);
    SSL_SESSION *session = promise_of(other, c);
    char early[4000] = "early", buf[8192];
    struct meeting m;
    size_t n;

    meet(&m, ctx, c);
    cr_assert_eq(SSL_set_session(m.client, session), 1);
    cr_assert_eq(SSL_write_early_data(m.client, early, sizeof(early), &n), 1);
    cr_assert_eq(n, sizeof(early));
    cr_assert(meet_run(&m), "%s", m.failure.text);
    cr_assert(m.secured);
    cr_assert_eq(SSL_session_reused(m.server), 0);
    cr_assert_eq(SSL_get_early_data_status(m.client), SSL_EARLY_DATA_REJECTED);

    cr_assert_eq(SSL_write(m.client, "late", 4), 4);
    pass(m.client, m.server);
    cr_assert_eq(SSL_read(m.server, buf, sizeof(buf)), 4);
    cr_assert_eq(memcmp(buf, "late", 4), 0);
    cr_assert_eq(SSL_read(m.server, buf, sizeof(buf)), -1);
    meet_free(&m);
    SSL_SESSION_free(session);
    SSL_CTX_free(c);
    tls_ctx_unref(other);
    tls_ctx_unref(ctx);
    served_free(&s);
}

Test(ctx, renegotiation_is_refused)
{
    struct served s = served();
    struct tls_policy p = policy();
    struct tls_ctx *ctx = server_ctx(&p, s.pairs, 1);
    SSL_CTX *c = client_ctx(TLS1_2_VERSION, TLS1_2_VERSION);
    struct meeting m;
    char buf[8192];
    int n;

    meet(&m, ctx, c);
    meet_run(&m);
    cr_assert(m.secured);
    cr_assert_eq(SSL_renegotiate(m.client), 1);
    SSL_do_handshake(m.client);
    while ((n = BIO_read(SSL_get_wbio(m.client), buf, sizeof(buf))) > 0)
        BIO_write(SSL_get_rbio(m.server), buf, n);
    SSL_read(m.server, buf, 1);
    while ((n = BIO_read(SSL_get_wbio(m.server), buf, sizeof(buf))) > 0)
        BIO_write(SSL_get_rbio(m.client), buf, n);
    ERR_clear_error();
    cr_assert_eq(SSL_do_handshake(m.client), -1);
    cr_assert_eq(ERR_GET_REASON(ERR_peek_error()), SSL_R_NO_RENEGOTIATION);
    meet_free(&m);
    SSL_CTX_free(c);
    tls_ctx_unref(ctx);
    served_free(&s);
}
