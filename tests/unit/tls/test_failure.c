/* failure_of: what is no TLS, no common ground, and connections that end. */
#include <criterion/criterion.h>
#include <errno.h>

#include "handshake.h"

struct scene_base {
    struct made ca, leaf;
    struct keypair *pair;
    struct tls_policy policy;
};

static struct scene_base base(const char *key)
{
    struct scene_base b = { .ca = make_ca("our CA", NULL), .policy = policy() };

    b.leaf = make_server("our server", &b.ca, key);
    b.pair = pair_of(&b.leaf, NULL, 0);
    return b;
}

static void base_free(struct scene_base *b)
{
    keypair_free(b->pair);
    made_free(&b->ca);
    made_free(&b->leaf);
}

static void is(const struct meeting *m, enum tls_cause cause, enum tls_side side, const char *text)
{
    cr_assert_str_eq(m->failure.text, text);
    cr_assert_eq(m->failure.cause, cause, "%s", m->failure.name);
    cr_assert_eq(m->failure.side, side);
}

/* --- what is no TLS --- */

/* Whether OpenSSL has read five bytes or all that came, as it does without and with
   reading ahead (and 3.2 and later do without, always), the words are the same. */
static void speaks(const void *p, size_t n, enum tls_cause cause, const char *text)
{
    struct scene_base b = base("EC");
    struct tls_ctx *ctx = server_ctx(&b.policy, &b.pair, 1);

    for (int ahead = 0; ahead <= 1; ahead++) {
        struct meeting m;
        meet(&m, ctx, NULL);
        SSL_set_read_ahead(m.server, ahead);
        meet_bytes(&m, p, n);
        if (meet_run(&m))       /* too few bytes to be judged: the end comes first */
            meet_end(&m, true, 0, false);
        is(&m, cause, SIDE_CLIENT, text);
        meet_free(&m);
    }
    tls_ctx_unref(ctx);
    base_free(&b);
}

#define SPEAKS(bytes, cause, text) speaks(bytes, sizeof(bytes) - 1, TLS_CAUSE_##cause, text)

Test(failure, plain_http)
{
    SPEAKS("GET / HTTP/1.1\r\nHost: x\r\n\r\n", PLAIN_HTTP,
           "plain HTTP on a TLS port: \"GET / HTTP/1.1\\x0d\\x0a\"");
    SPEAKS("DELETE /x HTTP/1.1\r\n\r\n", PLAIN_HTTP,
           "plain HTTP on a TLS port: \"DELETE /x HTTP/1\"");
    SPEAKS("OPTIONS * HTTP/1.1\r\n\r\n", PLAIN_HTTP,
           "plain HTTP on a TLS port: \"OPTIONS * HTTP/1\"");
    SPEAKS("GET /", PLAIN_HTTP, "plain HTTP on a TLS port: \"GET /\"");
    SPEAKS("CONNECT a:443 HTTP/1.1\r\n\r\n", HTTP_CONNECT,
           "a request to an HTTP proxy on a TLS port: \"CONNECT a:443 HT\"");
}

Test(failure, other_plaintext)
{
    SPEAKS("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", PLAINTEXT,
           "plaintext on a TLS port: HTTP/2 without TLS (h2c, plaintext gRPC)");
    SPEAKS("\x04\0\0\0\x05\0\0\0\0", PLAINTEXT, "plaintext on a TLS port: CQL (Cassandra)");
    SPEAKS("SSH-2.0-OpenSSH_9.2\r\n", PLAINTEXT, "plaintext on a TLS port: SSH");
    SPEAKS("\0\0\0\x08\x04\xd2\x16\x2f", PLAINTEXT,
           "plaintext on a TLS port: PostgreSQL (an SSLRequest)");
    SPEAKS("\0\0\0\x54\0\x03\0\0user\0me", PLAINTEXT, "plaintext on a TLS port: PostgreSQL");
    SPEAKS("\x9c\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0", PLAINTEXT, "plaintext on a TLS port: Dask");
    SPEAKS("\xff\xff\xff\x81\0\0\0\x10zzzz", PLAINTEXT,
           "plaintext on a TLS port: Pravega's segment store protocol");
    SPEAKS("PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n", PROXY_HEADER,
           "a PROXY protocol header (version 1) where TLS is expected");
    SPEAKS("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c............", PROXY_HEADER,
           "a PROXY protocol header (version 2) where TLS is expected");
    SPEAKS("\x1b[31mhi\n\n\n\n\n", NOT_TLS,
           "what the client sent is not TLS; it begins with "
           "\"\\x1b[31mhi\\x0a\\x0a\\x0a\\x0a\\x0a\"");
    SPEAKS("OPTIO", NOT_TLS, "what the client sent is not TLS; it begins with \"OPTIO\"");
    SPEAKS("hi", NOT_TLS, "what the client sent is not TLS; it begins with \"hi\"");
}

/* The reason is in OpenSSL's words, which differ from release to release. */
static void breaks(const void *p, size_t n)
{
    struct scene_base b = base("EC");
    struct tls_ctx *ctx = server_ctx(&b.policy, &b.pair, 1);
    struct meeting m;

    meet(&m, ctx, NULL);
    meet_bytes(&m, p, n);
    cr_assert_not(meet_run(&m));
    cr_assert_eq(m.failure.cause, TLS_CAUSE_PROTOCOL, "%s", m.failure.text);
    cr_assert_eq(strncmp(m.failure.text, "the client broke the protocol: ", 31), 0);
    cr_assert_gt(strlen(m.failure.text), 35);
    meet_free(&m);
    tls_ctx_unref(ctx);
    base_free(&b);
}

Test(failure, tls_that_is_none)
{
    static const char short_hello[] = "\x16\x03\x01\x00\x06\x01\x00\x00\x02\x03\x03";
    static const char long_record[] = "\x16\x03\x01\xff\xff\x01\x00\x00\x02\x03\x03";

    breaks(short_hello, sizeof(short_hello) - 1);
    breaks(long_record, sizeof(long_record) - 1);
}

/* --- no common ground --- */

struct limits {
    int min, max;
    const char *ciphers, *suites, *sigalgs, *groups, *alpn;
};

static void fails(struct scene_base *b, struct limits l, enum tls_cause cause, const char *text)
{
    struct tls_ctx *ctx = server_ctx(&b->policy, &b->pair, 1);
    SSL_CTX *c = client_ctx(l.min, l.max);
    struct meeting m;
    char list[128];

    if (l.ciphers != NULL)
        cr_assert(SSL_CTX_set_cipher_list(c, l.ciphers));
    if (l.suites != NULL)
        cr_assert(SSL_CTX_set_ciphersuites(c, l.suites));
    snprintf(list, sizeof(list), "%s", l.sigalgs ? l.sigalgs : "");
    cr_assert(l.sigalgs == NULL || SSL_CTX_set1_sigalgs_list(c, list));
    snprintf(list, sizeof(list), "%s", l.groups ? l.groups : "");
    cr_assert(l.groups == NULL || SSL_CTX_set1_groups_list(c, list));
    if (l.alpn != NULL)
        SSL_CTX_set_alpn_protos(c, (const unsigned char *)l.alpn, (unsigned)strlen(l.alpn));
    meet(&m, ctx, c);
    cr_assert_not(meet_run(&m));
    is(&m, cause, SIDE_CLIENT, text);
    cr_assert_not_null(m.failure.fix);
    meet_free(&m);
    SSL_CTX_free(c);
    tls_ctx_unref(ctx);
    base_free(b);
}

#define OLD "ALL:@SECLEVEL=0"

Test(failure, versions_of_a_client_that_is_too_old)
{
    struct scene_base b = base("EC");
    fails(&b, (struct limits){ .max = TLS1_1_VERSION, .ciphers = OLD }, TLS_CAUSE_VERSION,
          "the client offers at most TLS 1.1, we accept TLS 1.2-1.3");
    b = base("EC");
    fails(&b, (struct limits){ .max = TLS1_VERSION, .ciphers = OLD }, TLS_CAUSE_VERSION,
          "the client offers TLS 1.0, we accept TLS 1.2-1.3");
    b = base("EC");
    b.policy.versions = TLS_V13;
    fails(&b, (struct limits){ .max = TLS1_2_VERSION }, TLS_CAUSE_VERSION,
          "the client offers at most TLS 1.2, we accept TLS 1.3");
}

Test(failure, versions_of_a_client_that_is_too_new)
{
    struct scene_base b = base("EC");
    b.policy.versions = TLS_V12;
    fails(&b, (struct limits){ .min = TLS1_3_VERSION }, TLS_CAUSE_VERSION,
          "the client offers TLS 1.3, we accept TLS 1.2");
    b = base("EC");
    b.policy.versions = TLS_V10;
    fails(&b, (struct limits){ .min = TLS1_2_VERSION }, TLS_CAUSE_VERSION,
          "the client offers TLS 1.2-1.3, we accept TLS 1.0");
}

Test(failure, no_shared_suite)
{
    struct scene_base b = base("RSA");
    fails(&b, (struct limits){ .max = TLS1_2_VERSION, .ciphers = "AES128-SHA:AES256-SHA" },
          TLS_CAUSE_NO_SUITE,
          "no cipher suite in common: the client offers AES128-SHA, AES256-SHA");
    b = base("EC");
    b.policy.ciphersuites = "TLS_AES_128_GCM_SHA256";
    fails(&b, (struct limits){ .min = TLS1_3_VERSION, .suites = "TLS_AES_256_GCM_SHA384" },
          TLS_CAUSE_NO_SUITE,
          "no cipher suite in common: the client offers TLS_AES_256_GCM_SHA384");
    b = base("RSA");
    fails(&b, (struct limits){ .max = TLS1_2_VERSION,
                               .ciphers = "AES128-SHA:AES256-SHA:AES128-SHA256:AES256-SHA256:"
                                          "AES128-GCM-SHA256:AES256-GCM-SHA384" },
          TLS_CAUSE_NO_SUITE,
          "no cipher suite in common: the client offers AES128-SHA, AES256-SHA, AES128-SHA256, "
          "AES256-SHA256 and 2 more");
}

Test(failure, a_suite_in_common_but_no_key_for_it)
{
    struct scene_base b = base("EC");
    fails(&b, (struct limits){ .max = TLS1_2_VERSION, .ciphers = "ECDHE-RSA-AES128-GCM-SHA256" },
          TLS_CAUSE_NO_KEY_TYPE,
          "the client's cipher suites do not fit the key of our certificate CN=our server (EC "
          "P-256): it offers ECDHE-RSA-AES128-GCM-SHA256");
    b = base("EC");
    fails(&b, (struct limits){ .min = TLS1_3_VERSION, .sigalgs = "rsa_pss_rsae_sha256" },
          TLS_CAUSE_NO_SIGNATURE,
          "the client knows no signature that our certificate CN=our server (EC P-256) can make");
}

Test(failure, no_shared_group)
{
    struct scene_base b = base("RSA");
    b.policy.groups = "P-384";
    fails(&b, (struct limits){ .min = TLS1_3_VERSION, .groups = "P-256:X25519" },
          TLS_CAUSE_NO_GROUP,
          "no key exchange group in common: the client offers secp256r1, x25519");
    b = base("RSA");
    b.policy.groups = "P-384";
    fails(&b, (struct limits){ .max = TLS1_2_VERSION, .groups = "P-256" }, TLS_CAUSE_NO_GROUP,
          "no key exchange group in common: the client offers secp256r1");
}

Test(failure, no_shared_alpn)
{
    static const char *const h2[] = { "h2" };

    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        struct scene_base b = base("EC");
        b.policy.alpn = h2;
        b.policy.nalpn = 1;
        fails(&b, (struct limits){ .min = version, .max = version,
                                   .alpn = "\x08http/1.1\x02\x01\xff" },
              TLS_CAUSE_NO_ALPN,
              "no application protocol in common: the client offers http/1.1, \\x01\\xff");
    }
}

/* --- endings --- */

/* With a client's first `flights` of messages delivered, how the connection ends. */
static void ends(int version, bool hello, bool eof, int sys_errno, bool timed_out,
                 enum tls_cause cause, enum tls_side side, const char *text)
{
    struct scene_base b = base("EC");
    struct tls_ctx *ctx = server_ctx(&b.policy, &b.pair, 1);
    SSL_CTX *c = client_ctx(version, version);
    struct meeting m;
    char want[384];

    meet(&m, ctx, hello ? c : NULL);
    if (hello) {
        SSL_do_handshake(m.client);
        char buf[4096];
        int n = BIO_read(SSL_get_wbio(m.client), buf, sizeof(buf));
        meet_bytes(&m, buf, (size_t)n);
        m.stop_client = true;
        cr_assert(meet_run(&m));
    }
    meet_end(&m, eof, sys_errno, timed_out);
    snprintf(want, sizeof(want), "%s", text);
    char *x = strstr(want, "N bytes");
    if (x != NULL) {
        char tail[384];
        snprintf(tail, sizeof(tail), "%s", x + 1);
        snprintf(x, sizeof(want) - (size_t)(x - want), "%llu%s", (unsigned long long)m.bytes_in,
                 tail);
    }
    is(&m, cause, side, want);
    meet_free(&m);
    SSL_CTX_free(c);
    tls_ctx_unref(ctx);
    base_free(&b);
}

Test(failure, connect_and_close_is_a_probe)
{
    ends(0, false, true, 0, false, TLS_CAUSE_PROBE, SIDE_NETWORK,
         "the client connected and closed without sending a byte");
}

Test(failure, silence)
{
    ends(0, false, false, 0, true, TLS_CAUSE_SILENT, SIDE_NETWORK,
         "the client sent nothing in the time for the handshake");
}

Test(failure, an_end_in_the_middle)
{
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        ends(version, true, true, 0, false, TLS_CAUSE_CLOSED, SIDE_NETWORK,
             "the client closed after N bytes, once it had our certificate CN=our server");
        ends(version, true, false, ECONNRESET, false, TLS_CAUSE_RESET, SIDE_NETWORK,
             "the connection was reset after N bytes");
        ends(version, true, false, ETIMEDOUT, false, TLS_CAUSE_SYSTEM, SIDE_NETWORK,
             "the connection failed after N bytes: Connection timed out");
        ends(version, true, false, 0, true, TLS_CAUSE_TIMEOUT, SIDE_NETWORK,
             "the handshake took too long: after N bytes the client did not go on");
    }
}

Test(failure, an_end_within_the_first_message)
{
    static const char part[] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03";

    for (size_t n = 1; n < sizeof(part); n++) {
        struct scene_base b = base("EC");
        struct tls_ctx *ctx = server_ctx(&b.policy, &b.pair, 1);
        struct meeting m, t;
        char text[96];

        meet(&m, ctx, NULL);
        meet(&t, ctx, NULL);
        meet_bytes(&m, part, n);
        meet_bytes(&t, part, n);
        cr_assert(meet_run(&m) && meet_run(&t));
        meet_end(&m, true, 0, false);
        snprintf(text, sizeof(text), "the client closed after %zu byte%s, within its first message",
                 n, n == 1 ? "" : "s");
        is(&m, TLS_CAUSE_CLOSED_HELLO, SIDE_NETWORK, text);
        meet_end(&t, false, 0, true);
        snprintf(text, sizeof(text),
                 "the handshake took too long: %zu byte%s came, not a whole first message", n,
                 n == 1 ? "" : "s");
        is(&t, TLS_CAUSE_TIMEOUT_HELLO, SIDE_NETWORK, text);
        meet_free(&m);
        meet_free(&t);
        tls_ctx_unref(ctx);
        base_free(&b);
    }
}

Test(failure, sides_in_words)
{
    cr_assert_str_eq(failure_side_text(SIDE_CLIENT), "client");
    cr_assert_str_eq(failure_side_text(SIDE_US), "us");
    cr_assert_str_eq(failure_side_text(SIDE_NETWORK), "network");
}
