/*
 * Our client side of TLS, over a socket pair, against a server that is OpenSSL by itself.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "certs.h"
#include "tls/client.h"
#include "tls/policy.h"
#include "tls/sessions.h"
#include "tls/tls_stream.h"

static struct made ca, other_ca, good;

static void set_up(void)
{
    ca = make_ca("Root", NULL);
    other_ca = make_ca("Other", NULL);
    good = make_cert(&(struct cert_spec){ .cn = "db", .issuer = &ca, .extended = "serverAuth",
                                          .san = "DNS:db.example,DNS:*.pod.example,IP:10.0.0.1" });
}

static void tear_down(void)
{
    made_free(&ca);
    made_free(&other_ca);
    made_free(&good);
}

TestSuite(client, .init = set_up, .fini = tear_down);

/* --- one meeting --- */

struct rig {
    struct loop *loop;
    struct stream s;
    SSL *server;
    int fd;
    struct tls_failure failure;
};

static void ignore(void *arg)
{
    (void)arg;
}

static SSL_CTX *server_of(const struct made *cert, int version)
{
    SSL_CTX *c = SSL_CTX_new(TLS_server_method());

    cr_assert_eq(SSL_CTX_use_cert_and_key(c, cert->x, cert->key, NULL, 1), 1);
    if (version != 0) {
        SSL_CTX_set_min_proto_version(c, version);
        SSL_CTX_set_max_proto_version(c, version);
    }
    return c;
}

static void begin(struct rig *r, const struct tls_client *c, const struct tls_dial *dial,
                  SSL_CTX *server)
{
    struct err e = ERR_INIT;
    int pair[2];

    *r = (struct rig){ .loop = loop_new(&e) };
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    cr_assert_eq(stream_open(&r->s, r->loop, pair[0], ignore, r), 0);
    cr_assert_eq(tls_stream_connect(&r->s, c, dial), 0);
    r->fd = pair[1];
    if (server == NULL)
        return;
    r->server = SSL_new(server);
    SSL_set_fd(r->server, r->fd);
    SSL_set_accept_state(r->server);
}

static enum stream_io step(struct rig *r)
{
    r->s.blocked_read = r->s.blocked_write = false;
    return stream_handshake(&r->s);
}

/* True: done. Else r->failure says why. */
static bool run(struct rig *r)
{
    enum stream_io io = STREAM_AGAIN;

    for (int i = 0; i < 50 && io == STREAM_AGAIN; i++) {
        io = step(r);
        ERR_clear_error();
        if (r->server != NULL)
            (void)SSL_do_handshake(r->server);
        ERR_clear_error();
    }
    if (io == STREAM_OK)
        return true;
    r->failure = *tls_stream_failure(&r->s, io == STREAM_AGAIN);
    cr_assert_null(strchr(r->failure.text, '{'), "%s", r->failure.text);
    cr_assert_eq(ERR_peek_error(), 0);
    return false;
}

/* What the server writes now comes through: its tickets, too. */
static enum stream_io hear(struct rig *r)
{
    char byte;
    size_t n;

    ERR_clear_error();
    (void)SSL_do_handshake(r->server);
    (void)SSL_write(r->server, "x", 1);
    ERR_clear_error();
    r->s.blocked_read = r->s.blocked_write = false;
    return stream_read(&r->s, &byte, 1, &n);
}

static void end(struct rig *r)
{
    if (r->server != NULL)
        SSL_set_shutdown(r->server, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(r->server);
    stream_close(&r->s);
    close(r->fd);
    loop_free(r->loop);
    ERR_clear_error();
}

/* --- what the client is --- */

static struct trust *root_trust(void)
{
    return trust_of(&ca.x, 1);
}

static struct tls_client *client_of(const struct tls_client_policy *p, struct keypair *pair)
{
    struct diags d = { 0 };
    uint8_t pairs[DIGEST_LEN] = { 1 };
    struct tls_client *c = tls_client_new(p, pair != NULL ? &pair : NULL, pair != NULL, &d);

    diags_print(&d, stderr);
    cr_assert_not_null(c);
    tls_client_id(p, pair != NULL ? pairs : NULL, c->id);
    return c;
}

static const uint8_t any_policy[DIGEST_LEN] = "any";

static struct tls_dial dial_to(const char *name)
{
    return (struct tls_dial){ .name = name, .sni = name, .policy = any_policy, .server = "db:1" };
}

#define POLICY(trusted, how) { .versions = TLS_V12 | TLS_V13, .verify = (how), \
                               .trust = (trusted), .depth = 5 }

/* One handshake with a server that has this certificate; the cause of its failure, or -1. */
static int cause_with(const struct tls_client_policy *p, const char *name, const struct made *cert,
                      struct rig *r)
{
    struct tls_client *c = client_of(p, NULL);
    struct tls_dial dial = dial_to(name);
    SSL_CTX *server = server_of(cert, 0);
    int cause = -1;

    begin(r, c, &dial, server);
    if (!run(r))
        cause = (int)r->failure.cause;
    end(r);
    SSL_CTX_free(server);
    tls_client_unref(c);
    return cause;
}

static int full(const char *name, const struct made *cert, struct rig *r)
{
    struct trust *t = root_trust();
    struct tls_client_policy p = POLICY(t, TLS_VERIFY_FULL);
    int cause = cause_with(&p, name, cert, r);

    trust_unref(t);
    return cause;
}

/* --- the certificate --- */

Test(client, takes_names_and_addresses_that_the_certificate_has)
{
    struct rig r;

    cr_expect_eq(full("db.example", &good, &r), -1);
    cr_expect_eq(full("DB.example", &good, &r), -1);
    cr_expect_eq(full("a.pod.example", &good, &r), -1);
    cr_expect_eq(full("10.0.0.1", &good, &r), -1);
}

Test(client, says_which_names_there_are_and_which_was_expected)
{
    struct rig r;

    cr_expect_eq(full("a.b.pod.example", &good, &r), TLS_CAUSE_SERVER_CERT_NAME);
    cr_expect_eq(full("10.0.0.2", &good, &r), TLS_CAUSE_SERVER_CERT_NAME);
    cr_expect_not_null(strstr(r.failure.text, "10.0.0.2 was expected"), "%s", r.failure.text);
    cr_expect_eq(full("db", &good, &r), TLS_CAUSE_SERVER_CERT_NAME, "a CN is no name");
    cr_expect_not_null(strstr(r.failure.text, "db.example"), "%s", r.failure.text);
    cr_expect_eq(r.failure.side, SIDE_SERVER);
}

/* OpenSSL would verify none of them, or any host of a domain. */
Test(client, that_verifies_names_begins_with_no_name_that_is_none)
{
    static const char *const names[] = { NULL, "", ".example" };
    struct trust *t = root_trust();
    struct tls_client_policy p = POLICY(t, TLS_VERIFY_FULL);
    struct tls_client *c = client_of(&p, NULL);
    struct err e = ERR_INIT;
    struct loop *l = loop_new(&e);
    struct stream s;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct tls_dial dial = { .name = names[i], .policy = any_policy, .server = "db:1" };
        int pair[2];
        cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
        cr_assert_eq(stream_open(&s, l, pair[0], ignore, NULL), 0);
        cr_expect_eq(tls_stream_connect(&s, c, &dial), -1, "%zu", i);
        stream_close(&s);
        close(pair[1]);
    }
    loop_free(l);
    tls_client_unref(c);
    trust_unref(t);
}

Test(client, refuses_what_is_late_early_or_of_another_issuer)
{
    struct made late = make_cert(&(struct cert_spec){ .cn = "late", .issuer = &ca,
                                                      .san = "DNS:db.example", .from = -7200,
                                                      .until = -3600 });
    struct made early = make_cert(&(struct cert_spec){ .cn = "early", .issuer = &ca,
                                                       .san = "DNS:db.example", .from = 3600,
                                                       .until = 7200 });
    struct made other = make_server("db.example", &other_ca, NULL);
    struct made self = make_cert(&(struct cert_spec){ .cn = "s", .san = "DNS:db.example" });
    struct made client = make_client("c", &ca);
    struct rig r;

    cr_expect_eq(full("db.example", &late, &r), TLS_CAUSE_SERVER_CERT_EXPIRED);
    cr_expect_eq(full("db.example", &early, &r), TLS_CAUSE_SERVER_CERT_EARLY);
    cr_expect_eq(full("db.example", &self, &r), TLS_CAUSE_SERVER_CERT_SELF);
    cr_expect_eq(full("db.example", &client, &r), TLS_CAUSE_SERVER_CERT_PURPOSE);
    cr_expect_eq(full("db.example", &other, &r), TLS_CAUSE_SERVER_CERT_ISSUER);
    cr_expect_not_null(strstr(r.failure.text, "server certificate"), "%s", r.failure.text);
    cr_expect_not_null(strstr(r.failure.text, "CN=Other"), "%s", r.failure.text);
    made_free(&late);
    made_free(&early);
    made_free(&other);
    made_free(&self);
    made_free(&client);
}

Test(client, chain_looks_at_no_name_and_off_at_nothing)
{
    struct made other = make_server("db.example", &other_ca, NULL);
    struct trust *t = root_trust();
    struct tls_client_policy chain = POLICY(t, TLS_VERIFY_CHAIN);
    struct tls_client_policy off = POLICY(NULL, TLS_VERIFY_OFF);
    struct rig r;

    cr_expect_eq(cause_with(&chain, "elsewhere", &good, &r), -1);
    cr_expect_eq(cause_with(&chain, "elsewhere", &other, &r), TLS_CAUSE_SERVER_CERT_ISSUER);
    cr_expect_eq(cause_with(&off, "elsewhere", &other, &r), -1);
    trust_unref(t);
    made_free(&other);
}

Test(client, pins_hold_with_and_without_a_chain)
{
    struct trust *t = root_trust();
    struct identity *id = identity_of(good.x);
    const char *right[] = { "00", id->pin }, *wrong[] = { "00" };
    struct tls_client_policy p = POLICY(t, TLS_VERIFY_FULL), off = POLICY(NULL, TLS_VERIFY_OFF);
    struct rig r;

    p.pins = off.pins = right;
    p.npins = off.npins = 2;
    cr_expect_eq(cause_with(&p, "db.example", &good, &r), -1);
    cr_expect_eq(cause_with(&off, "db.example", &good, &r), -1);
    p.pins = off.pins = wrong;
    p.npins = off.npins = 1;
    cr_expect_eq(cause_with(&off, "db.example", &good, &r), TLS_CAUSE_SERVER_CERT_PIN);
    cr_expect_eq(cause_with(&p, "db.example", &good, &r), TLS_CAUSE_SERVER_CERT_PIN);
    cr_expect_not_null(strstr(r.failure.text, id->pin), "%s", r.failure.text);
    identity_free(id);
    trust_unref(t);
}

static bool nobody(void *arg, const struct identity *who)
{
    cr_expect_str_eq(who->subject, "CN=db");
    ++*(int *)arg;
    return false;
}

Test(client, rules_may_refuse_what_is_verified)
{
    struct trust *t = root_trust();
    struct tls_client_policy p = POLICY(t, TLS_VERIFY_FULL);
    struct tls_client *c = client_of(&p, NULL);
    struct tls_dial dial = dial_to("db.example");
    SSL_CTX *server = server_of(&good, 0);
    struct rig r;
    int asked = 0;

    dial.admit = nobody;
    dial.arg = &asked;
    begin(&r, c, &dial, server);
    cr_expect(!run(&r));
    cr_expect_eq(r.failure.cause, TLS_CAUSE_SERVER_DENIED);
    cr_expect_eq(asked, 1);
    end(&r);
    SSL_CTX_free(server);
    tls_client_unref(c);
    trust_unref(t);
}

/* --- what the server says of us --- */

static int meet_demanding(int version, struct keypair *pair, struct rig *r)
{
    struct trust *t = root_trust();
    struct tls_client_policy p = POLICY(t, TLS_VERIFY_FULL);
    struct tls_client *c = client_of(&p, pair);
    struct tls_dial dial = dial_to("db.example");
    SSL_CTX *server = server_of(&good, version);
    int cause = -1;

    SSL_CTX_set_verify(server, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(server), ca.x);
    begin(r, c, &dial, server);
    if (!run(r)) {
        cause = (int)r->failure.cause;
    } else if (hear(r) != STREAM_OK) {      /* TLS 1.3: the client is done before it is judged */
        r->failure = *tls_stream_failure(&r->s, false);
        cause = (int)r->failure.cause;
    }
    end(r);
    SSL_CTX_free(server);
    tls_client_unref(c);
    trust_unref(t);
    return cause;
}

Test(client, tells_of_a_certificate_that_the_server_misses_or_does_not_trust)
{
    struct made mine = make_client("me", &ca), foreign = make_client("me", &other_ca);
    struct keypair *ours = pair_of(&mine, NULL, 0), *theirs = pair_of(&foreign, NULL, 0);
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
    struct rig r;

    for (int i = 0; i < 2; i++) {
        cr_expect_eq(meet_demanding(versions[i], ours, &r), -1);
        cr_expect_eq(meet_demanding(versions[i], NULL, &r), TLS_CAUSE_SERVER_WANTS_CERT, "%d: %s",
                     i, r.failure.text);
        cr_expect_eq(r.failure.side, SIDE_US);
        cr_expect_eq(meet_demanding(versions[i], theirs, &r), TLS_CAUSE_SERVER_UNKNOWN_CA);
        cr_expect_not_null(strstr(r.failure.text, "CN=Other"), "%s", r.failure.text);
    }
    keypair_free(ours);
    keypair_free(theirs);
    made_free(&mine);
    made_free(&foreign);
}

Test(client, tells_of_versions_that_do_not_meet)
{
    struct trust *t = root_trust();
    struct tls_client_policy p = POLICY(t, TLS_VERIFY_FULL);
    struct tls_client *c;
    struct tls_dial dial = dial_to("db.example");
    SSL_CTX *server = server_of(&good, TLS1_2_VERSION);
    struct rig r;

    p.versions = TLS_V13;
    c = client_of(&p, NULL);
    begin(&r, c, &dial, server);
    cr_expect(!run(&r));
    cr_expect_eq(r.failure.cause, TLS_CAUSE_SERVER_VERSION);
    cr_expect_not_null(strstr(r.failure.text, "TLS 1.3"), "%s", r.failure.text);
    end(&r);
    SSL_CTX_free(server);
    tls_client_unref(c);
    trust_unref(t);
}

/* --- what is no TLS --- */

static int cause_of_answer(const char *bytes, size_t n, bool close_then, struct rig *r)
{
    struct tls_client_policy p = POLICY(NULL, TLS_VERIFY_OFF);
    struct tls_client *c = client_of(&p, NULL);
    struct tls_dial dial = dial_to("db.example");

    begin(r, c, &dial, NULL);
    cr_assert_eq(step(r), STREAM_AGAIN);
    if (n > 0)
        cr_assert_eq(write(r->fd, bytes, n), (ssize_t)n);
    if (close_then)
        shutdown(r->fd, SHUT_WR);
    cr_expect(!run(r));
    end(r);
    tls_client_unref(c);
    return (int)r->failure.cause;
}

#define ANSWER(text, close_then) cause_of_answer(text, sizeof(text) - 1, close_then, &r)

Test(client, tells_of_a_server_that_speaks_something_else)
{
    struct rig r;

    cr_expect_eq(ANSWER("HTTP/1.1 400 Bad Request\r\n\r\n", false), TLS_CAUSE_SERVER_PLAINTEXT);
    cr_expect_not_null(strstr(r.failure.text, "HTTP"), "%s", r.failure.text);
    cr_expect_eq(ANSWER("SSH-2.0-x\r\n", true), TLS_CAUSE_SERVER_PLAINTEXT);
    cr_expect_eq(ANSWER("what is it\r\n", true), TLS_CAUSE_SERVER_NOT_TLS, "%s", r.failure.text);
    cr_expect_eq(ANSWER("", true), TLS_CAUSE_SERVER_CLOSED);
    cr_expect_eq(ANSWER("", false), TLS_CAUSE_SERVER_SILENT);
    cr_expect_eq(ANSWER("\x16\x03", true), TLS_CAUSE_SERVER_CLOSED);
}

/* --- sessions --- */

struct server_ctx {
    SSL_CTX *ctx;
    struct tls_sessions *cache;
};

static bool resumes(const struct server_ctx *s, const struct tls_client *c, struct tls_dial dial)
{
    struct rig r;
    struct tls_facts f;
    bool resumed;

    dial.sessions = s->cache;
    begin(&r, c, &dial, s->ctx);
    cr_assert(run(&r), "%s", r.failure.text);
    cr_assert_eq(hear(&r), STREAM_OK);
    cr_assert_eq(tls_stream_facts(&r.s, &f), 0);
    cr_assert_not_null(f.identity, "also when it is resumed");
    resumed = f.resumed;
    cr_assert_eq(resumed, SSL_session_reused(r.server) == 1);
    tls_facts_free(&f);
    end(&r);
    return resumed;
}

static void check_resumption(int version)
{
    struct trust *t = root_trust();
    struct tls_client_policy p = POLICY(t, TLS_VERIFY_FULL);
    struct tls_client *c = client_of(&p, NULL), *other;
    struct server_ctx s = { server_of(&good, version), tls_sessions_new() };
    struct tls_dial dial = dial_to("db.example"), named = dial_to("a.pod.example");
    uint8_t policy[DIGEST_LEN] = "another";

    cr_expect(!resumes(&s, c, dial));
    cr_expect(resumes(&s, c, dial));
    cr_expect(resumes(&s, c, dial));
    cr_expect(!resumes(&s, c, named), "another name");
    dial.policy = policy;
    cr_expect(!resumes(&s, c, dial), "other rules");
    dial.policy = any_policy;
    dial.server = "db:2";
    cr_expect(!resumes(&s, c, dial), "another server");
    dial.server = "db:1";
    p.verify = TLS_VERIFY_CHAIN;
    other = client_of(&p, NULL);
    cr_expect(!resumes(&s, other, dial), "other demands");
    cr_expect(resumes(&s, c, dial), "and what was is still there");
    tls_sessions_free(s.cache);
    SSL_CTX_free(s.ctx);
    tls_client_unref(other);
    tls_client_unref(c);
    trust_unref(t);
}

Test(client, resumes_where_the_demands_are_the_same_alone_in_tls12)
{
    check_resumption(TLS1_2_VERSION);
}

Test(client, resumes_where_the_demands_are_the_same_alone_in_tls13)
{
    check_resumption(TLS1_3_VERSION);
}

Test(client, a_resumed_server_is_judged_again)
{
    struct tls_client_policy p = POLICY(NULL, TLS_VERIFY_OFF);
    struct tls_client *c = client_of(&p, NULL);
    struct server_ctx s = { server_of(&good, 0), tls_sessions_new() };
    struct tls_dial dial = dial_to("db.example");
    struct rig r;
    int asked = 0;

    cr_expect(!resumes(&s, c, dial));
    dial.sessions = s.cache;
    dial.admit = nobody;
    dial.arg = &asked;
    begin(&r, c, &dial, s.ctx);
    cr_expect(!run(&r));
    cr_expect_eq(asked, 1);
    cr_expect_eq(r.failure.cause, TLS_CAUSE_SERVER_DENIED);
    end(&r);
    tls_sessions_free(s.cache);
    SSL_CTX_free(s.ctx);
    tls_client_unref(c);
}

static SSL_SESSION *session_of(int version)
{
    SSL_SESSION *s = SSL_SESSION_new();

    SSL_SESSION_set_protocol_version(s, version);
    SSL_SESSION_set1_id(s, (const unsigned char *)"id", 2);
    return s;
}

Test(client, sessions_end_with_what_they_rest_on_and_tickets_are_used_once)
{
    struct tls_sessions *s = tls_sessions_new();
    const uint8_t a[DIGEST_LEN] = "a", b[DIGEST_LEN] = "b";
    SSL_SESSION *got;
    int64_t until = 0;

    for (int i = 0; i < 2; i++) {
        SSL_SESSION *one = session_of(i == 0 ? TLS1_2_VERSION : TLS1_3_VERSION);
        tls_sessions_put(s, i == 0 ? a : b, one, 100 + i);
    }
    cr_expect_null(tls_sessions_take(s, (const uint8_t[DIGEST_LEN]){ "c" }, 50, &until));
    for (int i = 0; i < 2; i++) {
        got = tls_sessions_take(s, a, 50, &until);
        cr_expect_not_null(got, "TLS 1.2 may use it again");
        cr_expect_eq(until, 100);
        SSL_SESSION_free(got);
    }
    got = tls_sessions_take(s, b, 50, &until);
    cr_expect_not_null(got);
    SSL_SESSION_free(got);
    cr_expect_null(tls_sessions_take(s, b, 50, &until), "a ticket is used once");
    cr_expect_null(tls_sessions_take(s, a, 100, &until), "its time is over");
    tls_sessions_free(s);
}

Test(client, many_sessions_leave_others_their_place)
{
    struct tls_sessions *s = tls_sessions_new();
    const uint8_t a[DIGEST_LEN] = "a", b[DIGEST_LEN] = "b";
    SSL_SESSION *got;
    int64_t until;
    int n = 0;

    for (unsigned i = 0; i < 2 * SESSIONS_MAX; i++)
        tls_sessions_put(s, i == 0 ? a : b, session_of(TLS1_3_VERSION), 100);
    got = tls_sessions_take(s, a, 50, &until);
    cr_expect_not_null(got);
    SSL_SESSION_free(got);
    while ((got = tls_sessions_take(s, b, 50, &until)) != NULL) {
        SSL_SESSION_free(got);
        n++;
    }
    cr_expect_eq(n, (int)SESSIONS_EACH);
    tls_sessions_free(s);
}
