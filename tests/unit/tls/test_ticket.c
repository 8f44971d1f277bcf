/* Which sessions resume, and for how long. */
#include <criterion/criterion.h>
#include <openssl/err.h>
#include <string.h>
#include <time.h>

#include "handshake.h"
#include "tls/digest.h"
#include "tls/identity.h"
#include "tls/ticket.h"

static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
#define EACH_VERSION(v) for (const int *v = versions; v < versions + 2; v++)

/* A server that asks for certificates, and a client that has one. */
static struct made ca, leaf, alice;
static struct keypair *pair;
static struct trust *trust;
static struct tls_ctx *ctx;
static SSL_SESSION *kept;       /* the client's newest */
static unsigned given;          /* tickets */

static void setup(void)
{
    struct tls_policy p = policy();

    ca = make_ca("ca", NULL);
    leaf = make_server("leaf", &ca, "EC");
    alice = make_client("alice", &ca);
    pair = pair_of(&leaf, &ca.x, 1);
    trust = trust_of(&ca.x, 1);
    p.client_auth = TLS_CLIENT_REQUEST;
    p.trust = trust;
    ctx = server_ctx(&p, &pair, 1);
}

static void teardown(void)
{
    SSL_SESSION_free(kept);
    tls_ctx_unref(ctx);
    trust_unref(trust);
    keypair_free(pair);
    made_free(&alice);
    made_free(&leaf);
    made_free(&ca);
}

TestSuite(ticket, .init = setup, .fini = teardown);

static int keep(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    SSL_SESSION_free(kept);
    kept = session;
    given++;
    return 1;
}

/* A meeting to be run; the server's terms can still be changed. */
static void begin(struct meeting *m, int version, SSL_SESSION *session)
{
    SSL_CTX *c = client_ctx(version, version);

    client_has(c, &alice);
    /* Not in the context's own cache: with that, sessions end with the context. */
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(c, keep);
    meet(m, ctx, c);
    SSL_CTX_free(c);
    if (session != NULL)
        SSL_set_session(m->client, session);
    given = 0;
}

/* True when it was a resumption. */
static bool run(struct meeting *m)
{
    cr_assert(meet_run(m), "%s", m->failure.text);
    cr_assert(m->secured, "a session that is not taken is no failure");
    SSL_shutdown(m->client);
    /* A new ticket of a session that resumed; of TLS 1.2 no callback tells. */
    if (SSL_session_reused(m->server) && SSL_version(m->server) == TLS1_2_VERSION) {
        SSL_SESSION_free(kept);
        kept = SSL_get1_session(m->client);
    }
    return SSL_session_reused(m->server) == 1;
}

static bool end(struct meeting *m)
{
    bool resumed = run(m);

    meet_free(m);
    return resumed;
}

/* `kept` is then one of a full handshake. */
static void full(int version)
{
    struct meeting m;

    begin(&m, version, NULL);
    cr_assert_not(end(&m));
    cr_assert_eq(given, 1);
}

static bool resumes(int version)
{
    struct meeting m;

    begin(&m, version, kept);
    return end(&m);
}

Test(ticket, a_session_resumes)
{
    EACH_VERSION (v) {
        full(*v);
        for (int i = 0; i < 3; i++)
            cr_assert(resumes(*v));
    }
}

/* The session id's context is the same here: the keys alone keep them apart. */
Test(ticket, of_another_policy_is_not_opened)
{
    static const uint8_t another[DIGEST_LEN] = "another";
    struct meeting m;

    EACH_VERSION (v) {
        full(*v);
        begin(&m, *v, kept);
        m.terms.policy = another;
        cr_assert_not(end(&m));
        cr_assert_eq(given, 1, "it has one that fits now");
        cr_assert_not(resumes(*v), "and that is of the other policy");
    }
}

Test(ticket, keys_do_not_open_for_another_context_either)
{
    static const unsigned char another[] = "another";
    struct meeting m;

    EACH_VERSION (v) {
        full(*v);
        begin(&m, *v, kept);
        SSL_set_session_id_context(m.server, another, sizeof(another));
        cr_assert_not(end(&m));
    }
}

Test(ticket, no_ring_or_an_empty_one_gives_none)
{
    struct ticket_ring *empty = ticket_ring_new();
    struct tls_policy p = policy();
    struct tls_ctx *with = ctx;
    struct meeting m;

    p.tickets = false;
    ctx = server_ctx(&p, &pair, 1);
    EACH_VERSION (v) {
        begin(&m, *v, NULL);
        cr_assert_not(end(&m));
        cr_assert(given == 0 || !SSL_SESSION_has_ticket(kept));
    }
    tls_ctx_unref(ctx);
    ctx = with;
    EACH_VERSION (v) {
        full(*v);
        begin(&m, *v, kept);
        SSL_set_options(m.server, SSL_OP_NO_TICKET);    /* as if it had not been attached yet */
        SSL_set_num_tickets(m.server, 0);
        m.terms.tickets = empty;
        ticket_attach(m.server);
        cr_assert_not(end(&m));
        cr_assert(given == 0 || !SSL_SESSION_has_ticket(kept));
    }
    ticket_ring_free(empty);
}

/* --- secrets --- */

Test(ticket, an_older_secret_opens_and_the_newest_seals)
{
    static const uint8_t secrets[][TICKET_SECRET_LEN] = { "third", "second", "first", "other" };
    struct ticket_ring *r = ticket_ring_new();
    struct meeting m;

    EACH_VERSION (v) {
        ticket_ring_set(r, secrets[2], 1);
        begin(&m, *v, NULL);
        m.terms.tickets = r;
        cr_assert_not(end(&m));

        ticket_ring_set(r, secrets[0], 3);
        begin(&m, *v, kept);
        m.terms.tickets = r;
        cr_assert(end(&m));

        ticket_ring_set(r, secrets[0], 1);
        begin(&m, *v, kept);
        m.terms.tickets = r;
        cr_assert(end(&m), "what an older secret had sealed was given again");

        ticket_ring_set(r, secrets[3], 1);
        begin(&m, *v, kept);
        m.terms.tickets = r;
        cr_assert_not(end(&m));
    }
    ticket_ring_free(r);
}

/* --- how long --- */

struct times {                  /* as a ticket has them */
    int64_t made, until;
};

static struct times forged;

/* What a session has already is what its tickets say. */
static int forge(SSL *ssl, void *arg)
{
    (void)arg;
    return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), &forged, sizeof(forged));
}

static void full_of(int version, int64_t made, int64_t until)
{
    struct meeting m;

    forged = (struct times){ time(NULL) + made, time(NULL) + until };
    begin(&m, version, NULL);
    SSL_set_cert_cb(m.server, forge, NULL);
    cr_assert_not(end(&m));
    cr_assert_eq(given, 1);
}

static struct times times_of(const SSL *server)
{
    struct times t = { 0, 0 };
    void *p;
    size_t len;

    cr_assert_eq(SSL_SESSION_get0_ticket_appdata(SSL_get_session(server), &p, &len), 1);
    cr_assert_eq(len, sizeof(t));
    memcpy(&t, p, len);
    return t;
}

Test(ticket, a_session_has_its_time)
{
    EACH_VERSION (v) {
        full_of(*v, -3500, 100);
        cr_assert(resumes(*v));
        full_of(*v, -3700, -100);
        cr_assert_not(resumes(*v), "too old");
        cr_assert(resumes(*v), "but it was a full handshake, with a new time");
        full_of(*v, 30, 100);
        cr_assert(resumes(*v), "another host's clock");
        full_of(*v, 600, 4000);
        cr_assert_not(resumes(*v), "from the future");
    }
}

Test(ticket, chained_tickets_keep_the_time_of_the_full_handshake)
{
    struct meeting m;

    EACH_VERSION (v) {
        full_of(*v, -3500, 100);
        for (int i = 0; i < 3; i++) {
            begin(&m, *v, kept);
            cr_assert(run(&m));
            struct times t = times_of(m.server);
            cr_assert_eq(t.made, forged.made);
            cr_assert_eq(t.until, forged.until);
            meet_free(&m);
        }
    }
}

static void expect_until(int version, int64_t from_now)
{
    int64_t now = time(NULL);
    struct meeting m;

    begin(&m, version, NULL);
    cr_assert_not(run(&m));
    struct times t = times_of(m.server);
    cr_assert(t.made >= now && t.made <= now + 5);
    cr_assert(t.until - now >= from_now - 5 && t.until - now <= from_now + 5, "%lld",
              (long long)(t.until - now));
    meet_free(&m);
    cr_assert_leq(SSL_SESSION_get_ticket_lifetime_hint(kept), (unsigned long)from_now + 5);
}

Test(ticket, the_first_end_of_the_clients_chain_counts)
{
    made_free(&alice);
    alice = make_cert(&(struct cert_spec){ .cn = "brief", .issuer = &ca, .from = -60, .until = 600,
                                           .extended = "clientAuth" });
    EACH_VERSION (v)
        expect_until(*v, 600);
}

Test(ticket, an_hour_at_most)
{
    EACH_VERSION (v)
        expect_until(*v, TICKET_AGE_MAX);
}

/* --- who --- */

struct judge {
    bool answer;
    unsigned asked;
};

static bool judged(void *arg, const struct identity *who)
{
    struct judge *j = arg;

    j->asked++;
    cr_expect_str_eq(who->subject, "CN=alice");
    return j->answer;
}

Test(ticket, the_owner_is_asked_again)
{
    struct judge j = { 0 };
    struct meeting m;

    EACH_VERSION (v) {
        full(*v);
        j = (struct judge){ .answer = true };
        begin(&m, *v, kept);
        m.terms.admit = judged;
        m.terms.arg = &j;
        cr_assert(end(&m));
        cr_assert_eq(j.asked, 1);

        /* No by its session is a full handshake, in which it is told. */
        j = (struct judge){ .answer = false };
        begin(&m, *v, kept);
        m.terms.admit = judged;
        m.terms.arg = &j;
        cr_assert_not(meet_run(&m));
        cr_assert_eq(j.asked, 2);
        meet_free(&m);
    }
}
