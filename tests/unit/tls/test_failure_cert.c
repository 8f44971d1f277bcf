/* failure_of: client certificates that are refused. */
#include <criterion/criterion.h>
#include <time.h>

#include "handshake.h"
#include "tls/verify.h"

struct gate {
    struct made ca, leaf;
    struct keypair *pair;
    struct trust *trust;
    struct tls_ctx *ctx;
};

static struct gate gate_depth(int depth)
{
    struct gate g = { .ca = make_ca("trusted CA", NULL), .leaf = make_server("gate", NULL, "EC") };
    struct tls_policy p = policy();

    g.pair = pair_of(&g.leaf, NULL, 0);
    g.trust = trust_of(&g.ca.x, 1);
    p.client_auth = TLS_CLIENT_REQUIRE;
    p.trust = g.trust;
    p.depth = depth;
    g.ctx = server_ctx(&p, &g.pair, 1);
    return g;
}

static struct gate gate(void)
{
    return gate_depth(5);
}

static void gate_free(struct gate *g)
{
    tls_ctx_unref(g->ctx);
    trust_unref(g->trust);
    keypair_free(g->pair);
    made_free(&g->ca);
    made_free(&g->leaf);
}

#define EACH_VERSION(v) for (int v = TLS1_2_VERSION; v <= TLS1_3_VERSION; v++)

/* Who asks without a handshake is told the same. */
static void would_refuse(const struct gate *g, const struct made *cert, STACK_OF(X509) *chain,
                         const struct tls_failure *expected)
{
    struct tls_failure f;

    cr_assert_eq(verify_client(g->ctx, cert != NULL ? cert->x : NULL, chain, &f), -1);
    cr_assert_str_eq(f.text, expected->text);
    cr_assert_eq(f.cause, expected->cause, "%s", f.name);
    cr_assert_str_eq(f.fix, expected->fix);
}

/* A client with this certificate (NULL: none) and chain is refused so. */
static void refuses(const struct gate *g, const struct made *cert, X509 *above,
                    enum tls_cause cause, const char *text)
{
    EACH_VERSION(v) {
        SSL_CTX *c = client_ctx(v, v);
        STACK_OF(X509) *chain = sk_X509_new_null();
        struct meeting m;

        SSL_CTX_set_security_level(c, 0);
        SSL_CTX_set_mode(c, SSL_MODE_NO_AUTO_CHAIN);
        if (above != NULL)
            sk_X509_push(chain, above);
        if (cert != NULL)
            cr_assert_eq(SSL_CTX_use_cert_and_key(c, cert->x, cert->key, chain, 1), 1);
        meet(&m, g->ctx, c);
        cr_assert_not(meet_run(&m));
        cr_assert_str_eq(m.failure.text, text);
        cr_assert_eq(m.failure.cause, cause, "%s", m.failure.name);
        cr_assert_eq(m.failure.side, SIDE_CLIENT);
        cr_assert_not_null(m.failure.fix);
        would_refuse(g, cert, chain, &m.failure);
        meet_free(&m);
        sk_X509_free(chain);
        SSL_CTX_free(c);
    }
}

static char *date_of(long seconds, char out[40])
{
    time_t t = time(NULL) + seconds;

    strftime(out, 40, "%Y-%m-%d %H:%M UTC", gmtime(&t));
    return out;
}

Test(failure_cert, none_sent)
{
    struct gate g = gate();

    refuses(&g, NULL, NULL, TLS_CAUSE_NO_CLIENT_CERT,
            "the client sent no certificate, and one issued by CN=trusted CA is required");
    gate_free(&g);
}

/* "DNS:n0000.example.com,DNS:n0001..." */
static char *many_names(unsigned n)
{
    static const char form[] = "DNS:n%04u.example.com,";
    size_t each = strlen("DNS:n0000.example.com,");
    char *text = malloc(n * each + 1);

    cr_assert_not_null(text);
    for (unsigned i = 0; i < n; i++)
        snprintf(text + i * each, each + 1, form, i);
    text[n * each - 1] = '\0';
    return text;
}

Test(failure_cert, too_large)
{
    struct gate g = gate();
    char *names = many_names(6000);
    struct made large = make_cert(&(struct cert_spec){ .cn = "large", .issuer = &g.ca,
                                                       .san = names });

    refuses(&g, &large, NULL, TLS_CAUSE_CLIENT_CERT_SIZE,
            "the client's certificate and those sent with it are larger than 100 KiB");
    free(names);
    made_free(&large);
    gate_free(&g);
}

Test(failure_cert, none_sent_and_many_would_do)
{
    struct gate g = gate();
    struct made cas[12];
    X509 *anchors[12];
    struct tls_policy p = policy();
    char cn[40];

    for (int i = 0; i < 12; i++) {
        snprintf(cn, sizeof(cn), "certification authority %d", i);
        cas[i] = make_ca(cn, NULL);
        anchors[i] = cas[i].x;
    }
    struct trust *t = trust_of(anchors, 12);
    p.client_auth = TLS_CLIENT_REQUIRE;
    p.trust = t;
    struct gate many = { .ctx = server_ctx(&p, &g.pair, 1) };
    refuses(&many, NULL, NULL, TLS_CAUSE_NO_CLIENT_CERT,
            "the client sent no certificate, and one issued by CN=certification authority 0 or "
            "CN=certification authority 1 or CN=certification authority 2 or CN=certification "
            "authority 3 or CN=certification authority 4 or CN=certification authority 5 or 6 "
            "others is required");
    tls_ctx_unref(many.ctx);
    trust_unref(t);
    for (int i = 0; i < 12; i++)
        made_free(&cas[i]);
    gate_free(&g);
}

Test(failure_cert, expired)
{
    struct gate g = gate();
    struct made c = make_cert(&(struct cert_spec){ .cn = "alice", .issuer = &g.ca,
                                                   .from = -9 * 86400, .until = -3 * 86400 - 60 });
    char text[160], date[40];

    snprintf(text, sizeof(text), "client certificate CN=alice expired 3 days ago (%s)",
             date_of(-3 * 86400 - 60, date));
    refuses(&g, &c, NULL, TLS_CAUSE_CLIENT_CERT_EXPIRED, text);
    made_free(&c);
    gate_free(&g);
}

Test(failure_cert, not_yet_valid)
{
    struct gate g = gate();
    struct made c = make_cert(&(struct cert_spec){ .cn = "alice", .issuer = &g.ca,
                                                   .from = 7200 + 60, .until = 86400 });
    char text[160], date[40];

    snprintf(text, sizeof(text), "client certificate CN=alice is valid from %s, in 2 hours",
             date_of(7260, date));
    refuses(&g, &c, NULL, TLS_CAUSE_CLIENT_CERT_EARLY, text);
    made_free(&c);
    gate_free(&g);
}

Test(failure_cert, an_expired_certificate_above_the_clients)
{
    struct gate g = gate();
    struct made mid = make_cert(&(struct cert_spec){ .cn = "mid", .issuer = &g.ca,
                                                     .basic = "critical,CA:TRUE",
                                                     .from = -9 * 86400, .until = -3600 - 30 });
    struct made c = make_client("alice", &mid);
    char text[160], date[40];

    snprintf(text, sizeof(text),
             "CA certificate CN=mid above client certificate CN=alice expired 1 hour ago (%s)",
             date_of(-3630, date));
    refuses(&g, &c, mid.x, TLS_CAUSE_CLIENT_CERT_EXPIRED, text);
    made_free(&mid);
    made_free(&c);
    gate_free(&g);
}

Test(failure_cert, unknown_issuer)
{
    struct gate g = gate();
    struct made other = make_ca("other CA", NULL), mid = make_ca("other mid", &other);
    struct made c = make_client("bob", &other), d = make_client("carol", &mid);

    refuses(&g, &c, NULL, TLS_CAUSE_CLIENT_CERT_ISSUER,
            "client certificate CN=bob was issued by CN=other CA, which is not in our trust");
    refuses(&g, &c, other.x, TLS_CAUSE_CLIENT_CERT_ISSUER,
            "CA certificate CN=other CA above client certificate CN=bob was issued by CN=other CA, "
            "which is not in our trust");
    refuses(&g, &d, mid.x, TLS_CAUSE_CLIENT_CERT_ISSUER,
            "CA certificate CN=other mid above client certificate CN=carol was issued by CN=other "
            "CA, which is not in our trust");
    made_free(&other);
    made_free(&mid);
    made_free(&c);
    made_free(&d);
    gate_free(&g);
}

Test(failure_cert, self_signed)
{
    struct gate g = gate();
    struct made c = make_cert(&(struct cert_spec){ .cn = "mallory\n\x1f" });

    refuses(&g, &c, NULL, TLS_CAUSE_CLIENT_CERT_SELF,
            "client certificate CN=mallory\\x0a\\x1f is self-signed and not in our trust");
    made_free(&c);
    gate_free(&g);
}

Test(failure_cert, wrong_purpose)
{
    struct gate g = gate();
    struct made c = make_server("web", &g.ca, "EC");

    refuses(&g, &c, NULL, TLS_CAUSE_CLIENT_CERT_PURPOSE,
            "client certificate CN=web is not for clients: its key usage does not allow it");
    made_free(&c);
    gate_free(&g);
}

Test(failure_cert, issued_by_what_is_no_ca)
{
    struct gate g = gate();
    struct made leaf = make_client("leaf", &g.ca), c = make_client("alice", &leaf);

    refuses(&g, &c, leaf.x, TLS_CAUSE_CLIENT_CERT_NO_CA,
            "CA certificate CN=leaf above client certificate CN=alice may not issue certificates");
    made_free(&leaf);
    made_free(&c);
    gate_free(&g);
}

/* The CA was made anew under its old name, and the client has a certificate of the old. */
Test(failure_cert, bad_signature)
{
    struct gate g = gate();
    struct made namesake = make_cert(&(struct cert_spec){ .cn = "trusted CA", .basic = "CA:TRUE" });
    struct made c = make_cert(&(struct cert_spec){ .cn = "alice", .issuer = &namesake,
                                                   .no_key_ids = true });

    refuses(&g, &c, NULL, TLS_CAUSE_CLIENT_CERT_SIGNATURE,
            "the signature of client certificate CN=alice is not by the CN=trusted CA that we "
            "trust");
    made_free(&namesake);
    made_free(&c);
    gate_free(&g);
}

Test(failure_cert, chain_too_long)
{
    struct gate g = gate_depth(0);
    struct made mid = make_ca("mid", &g.ca), c = make_client("alice", &mid);

    EACH_VERSION(v) {
        SSL_CTX *ctx = client_ctx(v, v);
        STACK_OF(X509) *chain = sk_X509_new_null();
        struct meeting m;
        sk_X509_push(chain, mid.x);
        SSL_CTX_use_cert_and_key(ctx, c.x, c.key, chain, 1);
        meet(&m, g.ctx, ctx);
        cr_assert_not(meet_run(&m));
        cr_assert_eq(m.failure.cause, TLS_CAUSE_CLIENT_CERT_CHAIN, "%s", m.failure.text);
        cr_assert_not_null(strstr(m.failure.text, "alice"), "%s", m.failure.text);
        would_refuse(&g, &c, chain, &m.failure);
        meet_free(&m);
        sk_X509_free(chain);
        SSL_CTX_free(ctx);
    }
    made_free(&mid);
    made_free(&c);
    gate_free(&g);
}

Test(failure_cert, a_weak_key)
{
    struct gate g = gate();
    struct made c = make_cert(&(struct cert_spec){ .cn = "alice", .issuer = &g.ca,
                                                   .key = "RSA1024" });

    refuses(&g, &c, NULL, TLS_CAUSE_CLIENT_CERT_WEAK,
            "client certificate CN=alice has a key or a signature that is too weak: EE certificate "
            "key too weak");
    made_free(&c);
    gate_free(&g);
}

Test(failure_cert, anything_else_in_the_words_of_openssl)
{
    struct gate g = gate();
    struct made ca = make_cert(&(struct cert_spec){ .cn = "narrow", .issuer = &g.ca,
                                                    .basic = "critical,CA:TRUE" });
    struct made c;
    X509_EXTENSION *e;
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    ASN1_OBJECT *oid = OBJ_txt2obj("1.2.3.4.5", 1);

    /* a critical extension that nobody knows */
    c = make_client("alice", &g.ca);
    ASN1_OCTET_STRING_set(value, (const unsigned char *)"\x05\0", 2);
    e = X509_EXTENSION_create_by_OBJ(NULL, oid, 1, value);
    X509_add_ext(c.x, e, -1);
    X509_sign(c.x, g.ca.key, EVP_sha256());
    refuses(&g, &c, NULL, TLS_CAUSE_CLIENT_CERT_OTHER,
            "client certificate CN=alice was refused: unhandled critical extension");
    X509_EXTENSION_free(e);
    ASN1_OBJECT_free(oid);
    ASN1_OCTET_STRING_free(value);
    made_free(&ca);
    made_free(&c);
    gate_free(&g);
}

Test(failure_cert, an_extension_that_cannot_be_read)
{
    struct gate g = gate();
    struct made c = make_client("alice", &g.ca);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    X509_EXTENSION *e;

    ASN1_OCTET_STRING_set(value, (const unsigned char *)"\x30\x05\x82\x7f" "abc", 7);
    e = X509_EXTENSION_create_by_NID(NULL, NID_subject_alt_name, 0, value);
    X509_add_ext(c.x, e, -1);
    X509_sign(c.x, g.ca.key, EVP_sha256());
    refuses(&g, &c, NULL, TLS_CAUSE_CLIENT_CERT_OTHER,
            "client certificate CN=alice was refused: invalid or inconsistent certificate "
            "extension");
    X509_EXTENSION_free(e);
    ASN1_OCTET_STRING_free(value);
    made_free(&c);
    gate_free(&g);
}

/* request: without a certificate all is well, a bad one is refused with the same words. */
Test(failure_cert, a_certificate_that_is_only_requested)
{
    struct gate g = gate();
    struct tls_policy p = policy();
    struct made c = make_client("bob", NULL);

    p.client_auth = TLS_CLIENT_REQUEST;
    p.trust = g.trust;
    struct gate r = { .ctx = server_ctx(&p, &g.pair, 1) };
    refuses(&r, &c, NULL, TLS_CAUSE_CLIENT_CERT_SELF,
            "client certificate CN=bob is self-signed and not in our trust");
    tls_ctx_unref(r.ctx);
    made_free(&c);
    gate_free(&g);
}
