/* failure_of: alerts that a client sends. */
#include <criterion/criterion.h>
#include <time.h>

#include "handshake.h"

struct ours {
    struct made root, mid, leaf;
    struct keypair *pair;
    struct tls_ctx *ctx;
};

static struct ours ours(long from, long until)
{
    struct ours o = { .root = make_ca("our root", NULL) };
    struct tls_policy p = policy();

    o.mid = make_ca("our mid", &o.root);
    o.leaf = make_cert(&(struct cert_spec){ .cn = "gate", .issuer = &o.mid, .from = from,
                                            .until = until,
                                            .san = "DNS:gate.example,IP:10.0.0.1" });
    o.pair = pair_of(&o.leaf, &o.mid.x, 1);
    o.ctx = server_ctx(&p, &o.pair, 1);
    return o;
}

static void ours_free(struct ours *o)
{
    tls_ctx_unref(o->ctx);
    keypair_free(o->pair);
    made_free(&o->root);
    made_free(&o->mid);
    made_free(&o->leaf);
}

/* A real client that verifies, at this version; frees it. */
static void refused_by(const struct ours *o, SSL_CTX *c, enum tls_cause cause, enum tls_side side,
                       const char *text)
{
    struct meeting m;

    meet(&m, o->ctx, c);
    cr_assert_not(meet_run(&m));
    cr_assert_str_eq(m.failure.text, text);
    cr_assert_eq(m.failure.cause, cause, "%s", m.failure.name);
    cr_assert_eq(m.failure.side, side);
    meet_free(&m);
    SSL_CTX_free(c);
}

#define EACH_VERSION(v) for (int v = TLS1_2_VERSION; v <= TLS1_3_VERSION; v++)

Test(failure_alert, the_client_does_not_know_our_issuer)
{
    struct ours o = ours(0, 0);
    struct made other = make_ca("another", NULL);

    EACH_VERSION(v) {
        SSL_CTX *c = client_ctx(v, v);
        client_trusts(c, other.x);
        refused_by(&o, c, TLS_CAUSE_ALERT_UNKNOWN_CA, SIDE_CLIENT,
                   "the client does not trust our issuer CN=our root: it sent alert unknown_ca");
    }
    made_free(&other);
    ours_free(&o);
}

Test(failure_alert, the_client_dials_another_name)
{
    struct ours o = ours(0, 0);

    EACH_VERSION(v) {
        SSL_CTX *c = client_ctx(v, v);
        client_trusts(c, o.root.x);
        X509_VERIFY_PARAM_set1_host(SSL_CTX_get0_param(c), "elsewhere.example", 0);
        refused_by(&o, c, TLS_CAUSE_ALERT_BAD_CERT, SIDE_CLIENT,
                   "the client rejects our certificate CN=gate (names: DNS:gate.example, "
                   "IP:10.0.0.1; issuer CN=our root): it sent alert bad_certificate");
    }
    ours_free(&o);
}

Test(failure_alert, our_certificate_is_expired)
{
    struct ours o = ours(-10 * 86400, -3 * 86400 - 60);
    char text[160], date[40];
    time_t t = time(NULL) - 3 * 86400 - 60;

    strftime(date, sizeof(date), "%Y-%m-%d %H:%M UTC", gmtime(&t));
    snprintf(text, sizeof(text),
             "our certificate CN=gate expired 3 days ago (%s): the client sent alert "
             "certificate_expired", date);
    EACH_VERSION(v) {
        SSL_CTX *c = client_ctx(v, v);
        client_trusts(c, o.root.x);
        refused_by(&o, c, TLS_CAUSE_ALERT_EXPIRED, SIDE_US, text);
    }
    ours_free(&o);
}

Test(failure_alert, the_clients_clock_is_ahead)
{
    struct ours o = ours(-3600, 86400);
    char text[192], date[40];
    time_t t = time(NULL) + 86400;

    strftime(date, sizeof(date), "%Y-%m-%d %H:%M UTC", gmtime(&t));
    snprintf(text, sizeof(text),
             "the client takes our certificate CN=gate for expired; by our clock it is valid "
             "(until %s)", date);
    EACH_VERSION(v) {
        SSL_CTX *c = client_ctx(v, v);
        client_trusts(c, o.root.x);
        X509_VERIFY_PARAM_set_time(SSL_CTX_get0_param(c), time(NULL) + 5 * 86400);
        refused_by(&o, c, TLS_CAUSE_ALERT_CLOCK, SIDE_CLIENT, text);
    }
    ours_free(&o);
}

Test(failure_alert, our_certificate_is_not_for_servers)
{
    struct made ca = make_ca("ca", NULL), leaf = make_client("gate", &ca);
    struct keypair *k = pair_of(&leaf, NULL, 0);
    struct tls_policy p = policy();
    struct ours o = { .ctx = server_ctx(&p, &k, 1) };

    EACH_VERSION(v) {
        SSL_CTX *c = client_ctx(v, v);
        client_trusts(c, ca.x);
        refused_by(&o, c, TLS_CAUSE_ALERT_UNSUPPORTED_CERT, SIDE_CLIENT,
                   "the client cannot use our certificate CN=gate (EC P-256): it sent alert "
                   "unsupported_certificate");
    }
    tls_ctx_unref(o.ctx);
    keypair_free(k);
    made_free(&ca);
    made_free(&leaf);
}

/* An alert as bytes after a real ClientHello, in the clear: in TLS 1.2 the server does not
   yet expect it encrypted, in 1.3 it takes both. */
static struct tls_failure after_alert(const struct ours *o, int version, int number)
{
    SSL_CTX *c = client_ctx(version, version);
    struct meeting m;
    char buf[4096];
    unsigned char alert[] = { 0x15, 3, 3, 0, 2, 2, (unsigned char)number };

    meet(&m, o->ctx, c);
    SSL_do_handshake(m.client);
    int n = BIO_read(SSL_get_wbio(m.client), buf, sizeof(buf));
    meet_bytes(&m, buf, (size_t)n);
    m.stop_client = true;
    cr_assert(meet_run(&m));
    meet_bytes(&m, alert, sizeof(alert));
    cr_assert_not(meet_run(&m), "TLS %x, alert %d", version, number);
    meet_free(&m);
    SSL_CTX_free(c);
    return m.failure;
}

static void alert_is(int number, enum tls_cause cause, const char *text)
{
    struct ours o = ours(0, 0);

    EACH_VERSION(v) {
        /* TLS 1.3 waits for the end that follows this one (RFC 8446 6.1). */
        if (v == TLS1_3_VERSION && number == SSL_AD_USER_CANCELLED)
            continue;
        struct tls_failure f = after_alert(&o, v, number);
        cr_assert_str_eq(f.text, text);
        cr_assert_eq(f.cause, cause);
    }
    ours_free(&o);
}

Test(failure_alert, other_alerts)
{
    alert_is(40, TLS_CAUSE_ALERT_HANDSHAKE, "the client broke off with alert handshake_failure");
    alert_is(44, TLS_CAUSE_ALERT_REVOKED,
             "the client says that our certificate CN=gate is revoked");
    alert_is(46, TLS_CAUSE_ALERT_BAD_CERT,
             "the client rejects our certificate CN=gate (names: DNS:gate.example, IP:10.0.0.1; "
             "issuer CN=our root): it sent alert certificate_unknown");
    alert_is(70, TLS_CAUSE_ALERT_VERSION,
             "the client refuses TLS 1.2-1.3: it sent alert protocol_version");
    alert_is(71, TLS_CAUSE_ALERT_SECURITY,
             "what we offered is too weak for the client: it sent alert insufficient_security");
    alert_is(90, TLS_CAUSE_ALERT_CANCELED,
             "the client broke off the handshake: it sent user_canceled");
    alert_is(49, TLS_CAUSE_ALERT_OTHER, "the client broke off: it sent alert access_denied");
    alert_is(80, TLS_CAUSE_ALERT_OTHER, "the client broke off: it sent alert internal_error");
    alert_is(112, TLS_CAUSE_ALERT_OTHER, "the client broke off: it sent alert unrecognized_name");
    alert_is(120, TLS_CAUSE_ALERT_OTHER,
             "the client broke off: it sent alert no_application_protocol");
    alert_is(200, TLS_CAUSE_ALERT_OTHER, "the client broke off: it sent alert 200");
}

/* Every alert there may be is told somehow. */
Test(failure_alert, all_numbers)
{
    struct ours o = ours(0, 0);

    for (int number = 1; number < 256; number++) {
        struct tls_failure f = after_alert(&o, TLS1_2_VERSION, number);
        cr_assert(f.cause >= TLS_CAUSE_ALERT_UNKNOWN_CA && f.cause <= TLS_CAUSE_ALERT_OTHER,
                  "%d: %s", number, f.text);
    }
    ours_free(&o);
}
