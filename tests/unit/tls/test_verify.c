/* What verify_client() refuses is in test_failure_cert.c, beside the handshakes that do. */
#include <criterion/criterion.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "handshake.h"
#include "tls/verify.h"

struct gate {
    struct made ca, leaf;
    struct keypair *pair;
    struct trust *trust;
    struct tls_ctx *ctx;
};

static struct gate gate(enum tls_client_auth how, int depth)
{
    static const char *const alpn[] = { "h2", "http/1.1" };
    struct gate g = { .ca = make_ca("trusted CA", NULL), .leaf = make_server("gate", NULL, "EC") };
    struct tls_policy p = policy();

    g.pair = pair_of(&g.leaf, NULL, 0);
    g.trust = trust_of(&g.ca.x, 1);
    p.client_auth = how;
    p.trust = how != TLS_CLIENT_NONE ? g.trust : NULL;
    p.depth = depth;
    p.alpn = alpn;
    p.nalpn = 2;
    g.ctx = server_ctx(&p, &g.pair, 1);
    return g;
}

static void gate_free(struct gate *g)
{
    tls_ctx_unref(g->ctx);
    trust_unref(g->trust);
    keypair_free(g->pair);
    made_free(&g->ca);
    made_free(&g->leaf);
}

/* The verdict, which a handshake with that client has too. */
static bool takes(const struct gate *g, const struct made *cert, X509 *above)
{
    SSL_CTX *c = client_ctx(0, 0);
    STACK_OF(X509) *chain = sk_X509_new_null();
    struct tls_failure f;
    struct meeting m;
    bool met, said;

    SSL_CTX_set_alpn_protos(c, (const unsigned char *)"\x02h2", 3);
    SSL_CTX_set_mode(c, SSL_MODE_NO_AUTO_CHAIN);
    if (above != NULL)
        sk_X509_push(chain, above);
    if (cert != NULL)
        cr_assert_eq(SSL_CTX_use_cert_and_key(c, cert->x, cert->key, chain, 1), 1);
    said = verify_client(g->ctx, cert != NULL ? cert->x : NULL, chain, &f) == 0;
    cr_assert_eq(ERR_peek_error(), 0, "the queue is left empty");
    meet(&m, g->ctx, c);
    met = meet_run(&m);
    cr_assert_eq(said, met, "a handshake says otherwise: %s", met ? "" : m.failure.text);
    meet_free(&m);
    sk_X509_free(chain);
    SSL_CTX_free(c);
    return said;
}

Test(verify, what_a_handshake_takes)
{
    struct gate g = gate(TLS_CLIENT_REQUIRE, 5);
    struct made alice = make_client("alice", &g.ca), mid = make_ca("mid", &g.ca),
                bob = make_client("bob", &mid), eve = make_client("eve", NULL);
    struct made any = make_cert(&(struct cert_spec){ .cn = "no usage", .issuer = &g.ca });

    cr_expect(takes(&g, &alice, NULL));
    cr_expect(takes(&g, &any, NULL));
    cr_expect(takes(&g, &bob, mid.x));
    cr_expect_not(takes(&g, &bob, NULL), "the certificate between is missing");
    cr_expect_not(takes(&g, &eve, NULL));
    cr_expect_not(takes(&g, NULL, NULL));
    made_free(&alice);
    made_free(&mid);
    made_free(&bob);
    made_free(&eve);
    made_free(&any);
    gate_free(&g);
}

Test(verify, the_contexts_depth_counts)
{
    for (int depth = 0; depth < 4; depth++) {
        struct gate g = gate(TLS_CLIENT_REQUIRE, depth);
        struct made mid = make_ca("mid", &g.ca), bob = make_client("bob", &mid);
        cr_expect_eq(takes(&g, &bob, mid.x), depth >= 1, "depth %d", depth);
        made_free(&mid);
        made_free(&bob);
        gate_free(&g);
    }
}

Test(verify, who_is_not_asked_is_not_judged)
{
    struct gate none = gate(TLS_CLIENT_NONE, 5), request = gate(TLS_CLIENT_REQUEST, 5);
    struct made eve = make_client("eve", NULL);

    cr_expect(takes(&none, NULL, NULL));
    cr_expect(takes(&none, &eve, NULL));
    cr_expect(takes(&request, NULL, NULL));
    cr_expect_not(takes(&request, &eve, NULL));
    made_free(&eve);
    gate_free(&none);
    gate_free(&request);
}

Test(verify, protocols)
{
    static const struct {
        const char *offered, *chosen;   /* chosen NULL: refused; "": none */
    } table[] = {
        { "\x02h2", "h2" },
        { "\x08http/1.1\x02h2", "h2" },
        { "\x08http/1.1\x06spdy/3", "http/1.1" },
        { "", "" },
        { "\x06spdy/3", NULL },
        { "\x01h", NULL },
    };
    struct gate g = gate(TLS_CLIENT_NONE, 5);
    struct tls_failure f;
    struct span chosen;

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        int rc = verify_alpn(g.ctx, (const uint8_t *)table[i].offered, strlen(table[i].offered),
                             &chosen, &f);
        cr_expect_eq(rc, table[i].chosen != NULL ? 0 : -1, "row %zu", i);
        if (rc == 0)
            cr_expect(str_eq(chosen, table[i].chosen) || chosen.len == 0, "row %zu", i);
        cr_expect_eq(rc == 0 && chosen.len == 0, table[i].chosen != NULL && !table[i].chosen[0]);
    }
    cr_expect_eq(f.cause, TLS_CAUSE_NO_ALPN);
    cr_expect_str_eq(f.text, "no application protocol in common: the client offers h");
    gate_free(&g);
}

/* --- files --- */

static int read_text(const char *text, struct peer_file *out, struct diags *d)
{
    struct tls_input in = input_text("client.pem", text);

    return peer_file_read(&in, NULL, out, d);
}

Test(verify, a_clients_file_begins_with_its_certificate)
{
    struct made ca = make_ca("ca", NULL), mid = make_ca("mid", &ca),
                alice = make_client("alice", &mid);
    struct diags d = { 0 };
    struct peer_file p;
    char *text = join(pem_key_encrypted(alice.key, "secret"),
                      join(pem_cert(alice.x), pem_cert(mid.x)));

    cr_assert_eq(read_text(text, &p, &d), 0, "the key stays closed");
    cr_expect_eq(X509_cmp(p.leaf, alice.x), 0);
    cr_expect_eq(sk_X509_num(p.sent), 2);
    cr_expect_str_eq(p.identity->subject, "CN=alice");
    peer_file_free(&p);
    free(text);

    text = pem_key(alice.key);
    cr_expect_eq(read_text(text, &p, &d), -1);
    cr_expect(found(&d, DIAG_ERROR, "no certificate is in it"));
    peer_file_free(&p);
    free(text);
    cr_expect_eq(read_text("hello\n", &p, &d), -1);
    peer_file_free(&p);
    cr_expect_geq(d.errors, 2);
    diags_free(&d);
    made_free(&ca);
    made_free(&mid);
    made_free(&alice);
}

Test(verify, of_a_keystore_the_certificate_with_the_key)
{
    char path[] = TOP_SRCDIR "/tests/unit/tls/data/one.jks";
    static uint8_t bytes[65536];
    FILE *f = fopen(path, "rb");
    size_t n;
    struct diags d = { 0 };
    struct peer_file p;

    cr_assert_not_null(f);
    n = fread(bytes, 1, sizeof(bytes), f);
    fclose(f);
    struct tls_input in = { .path = path, .data = bytes, .len = n };
    cr_assert_eq(peer_file_read(&in, "changeit", &p, &d), 0);
    cr_expect_eq(d.errors, 0);
    cr_expect_eq(X509_check_ca(p.leaf), 0, "the leaf, not an issuer");
    cr_expect_gt(sk_X509_num(p.sent), 0);
    peer_file_free(&p);
    diags_free(&d);
}
