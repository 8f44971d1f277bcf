/* Good configurations: what they come to. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf/schema.h"
#include "conf/source.h"
#include "conf/types.h"
#include "support.h"

static struct conf *good(const char *ini)
{
    struct diags d = { 0 };
    struct conf *c = build_text(ini, strlen(ini), &d);

    cr_assert_not_null(c, "%s", findings(&d));
    cr_assert_eq(d.n, 0, "%s", findings(&d));
    diags_free(&d);
    return c;
}

#define SMALL                                                                             \
    "[store s]\ncert = tls.crt\n[route r]\nlisten = 0.0.0.0:9142\nstore = s\nupstream = " \
    "127.0.0.1:9042\n"

Test(good, the_smallest_file_has_the_documented_defaults)
{
    struct conf *c = good(SMALL);
    const struct conf_route *r = c->routes[0];

    cr_expect_eq(c->proxy.workers, CONF_WORKERS_AUTO);
    cr_expect_str_eq(c->proxy.user, "sallyport");
    cr_expect_str_eq(c->proxy.log, "stdout");
    cr_expect_eq(c->proxy.log_format, LOG_FORMAT_TEXT);
    cr_expect_eq(c->proxy.log_level, LOG_LEVEL_INFO);
    cr_expect(c->proxy.access_log);
    cr_expect_eq(c->proxy.sum_failures_ms, 60000);
    cr_expect_eq(c->proxy.drain_timeout_ms, 30000);
    cr_expect_eq(c->proxy.reload, RELOAD_WATCH);
    cr_expect_eq(c->proxy.sandbox, SANDBOX_AUTO);
    cr_expect_null(c->stores[0]->password_file);
    cr_expect_eq(c->stores[0]->key.n, 0);
    cr_expect_eq(c->stores[0]->expired, EXPIRED_REFUSE);
    cr_expect_eq(c->stores[0]->wait_files_ms, 0);
    cr_expect_eq(c->stores[0]->warn_before_ms, 21 * 86400000ull);
    cr_expect_eq(r->mode, MODE_TERMINATE);
    cr_expect_eq(r->alpn.n, 0);
    cr_expect_eq(r->client_auth, CLIENT_AUTH_NONE);
    cr_expect_null(r->trust);
    cr_expect_eq(r->protocols, PROTO_TLS12 | PROTO_TLS13);
    cr_expect_null(r->ciphers);
    cr_expect_null(r->ciphersuites);
    cr_expect_null(r->groups);
    cr_expect_eq(r->session_tickets, TICKETS_AUTO);
    cr_expect_eq(r->idle_timeout_ms, 0);
    cr_expect_eq(r->store, c->stores[0]);
    cr_assert_eq(c->nlisteners, 1);
    cr_expect_eq(c->listeners[0]->handshake_timeout_ms, 10000);
    cr_assert_eq(c->nupstreams, 1);
    cr_expect_eq(r->upstream, c->upstreams[0]);
    cr_expect_eq(r->upstream->connect_timeout_ms, 3000);
    cr_assert_eq(r->upstream->plaintext_to.n, 1);
    cr_expect_str_eq(r->upstream->plaintext_to.v[0], "loopback");
    cr_expect_null(c->proxy.head.set[KEY_PROXY_WORKERS].file);
    cr_expect_eq(r->head.set[KEY_ROUTE_LISTEN].line, 4);
    cr_expect_str_eq(r->head.title, "route r");
    conf_free(c);
}

static const char full[] =
    "[proxy]\n"
    "workers = 4\n"
    "user = nobody\n"
    "log = logs/out.log\n"
    "log_format = json\n"
    "log_level = debug\n"
    "access_log = off\n"
    "sum_failures = 90s\n"
    "drain_timeout = 1500ms\n"
    "resolver = 10.0.0.2:53\n"
    "ticket_keys = ticket.keys\n"
    "reload = signal\n"
    "sandbox = require\n"
    "admin = unix:/run/admin.sock\n"
    "admin = 127.0.0.1:9901\n"
    "[store node]\n"
    "cert = rsa.crt\n"
    "       /abs/ecdsa.crt\n"
    "key = rsa.key\n"
    "key = ecdsa.key\n"
    "password_file = pass\n"
    "key_password_file = env:KEY_PASS\n"
    "alias = Server 01\n"
    "expired = serve\n"
    "wait_files = 2m\n"
    "warn_before = 7d\n"
    "[trust clients]\n"
    "ca = ca.crt\n"
    "ca = memory:ca\n"
    "password_file = trust.pass\n"
    "crl = ca.crl\n"
    "depth = 2\n"
    "warn_before = 0\n"
    "[listener [::1]:9143]\n"
    "handshake_timeout = 5s\n"
    "unknown_sni = reject\n"
    "accept_proxy_from = 10.0.0.0/8, loopback\n"
    "max_connections = 1000\n"
    "max_connections_per_ip = 10\n"
    "handshake_rate_per_ip = 5\n"
    "[route cql]\n"
    "mode = terminate\n"
    "listen = 0.0.0.0:9142\n"
    "listen = [::1]:9143\n"
    "sni = A.example.com., *.b.example\n"
    "alpn = h2, http/1.1\n"
    "alpn = acme\n"
    "store = node\n"
    "client_auth = require\n"
    "trust = clients\n"
    "allow = cn:alice\n"
    "allow = URI:spiffe://Prod/*\n"
    "deny = serial:0x0a\n"
    "upstream = cassandra\n"
    "protocols = TLSv1.3\n"
    "plaintext_from = 10.1.0.0/16\n"
    "on_expiry = keep\n"
    "ciphers = A:B\n"
    "ciphersuites = TLS_AES_128_GCM_SHA256\n"
    "groups = X25519:P-256\n"
    "session_tickets = off\n"
    "idle_timeout = 1h\n"
    "transparent = off\n"
    "preset = etcd\n"
    "[store shop]\n"
    "dir = certs.d\n"
    "[route page]\n"
    "listen = unix:/run/page.sock\n"
    "store = shop\n"
    "trust = clients\n"
    "upstream = builtin:page\n"
    "[upstream cassandra]\n"
    "server = 10.0.0.7:9042\n"
    "server = unix:/run/cassandra.sock\n"
    "server = [fd00::7]:9042\n"
    "balance = least_connections\n"
    "retries = 1\n"
    "check = http GET /live\n"
    "check_interval = 1s\n"
    "check_timeout = 500ms\n"
    "rise = 1\n"
    "fall = 4\n"
    "on_down = close\n"
    "connect_timeout = 250ms\n"
    "proxy_protocol = v2\n"
    "proxy_tlvs = off\n"
    "plaintext_to = loopback, 10.0.0.0/8, fd00::/8\n"
    "[route out]\n"
    "mode = bridge\n"
    "listen = 0.0.0.0:9144\n"
    "store = node\n"
    "upstream = far\n"
    "[upstream far]\n"
    "server = 10.0.0.8:9142\n"
    "tls_trust = clients\n"
    "tls_store = shop\n"
    "tls_verify = full\n"
    "tls_name = DB.example.\n"
    "tls_sni = db.example\n"
    "tls_allow = dns:db.example\n"
    "tls_allow = cn:db\n"
    "tls_pin = sha256:AA11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11\n"
    "tls_alpn = h2, http/1.1\n"
    "tls_protocols = TLSv1.3\n";

static struct conf *build_at(const char *path, const char *ini)
{
    struct settings s = { 0 };
    struct diags d = { 0 };

    source_parse(ini, strlen(ini), path, &s, &d);
    struct conf *c = conf_build(&s, &d);
    cr_assert_not_null(c, "%s", findings(&d));
    cr_assert_eq(d.n, 0, "%s", findings(&d));
    settings_free(&s);
    diags_free(&d);
    return c;
}

static void expect_tls(const struct conf *c, const struct conf_upstream *u)
{
    cr_expect(u->tls);
    cr_expect_eq(u->tls_trust, c->trusts[0]);
    cr_expect_eq(u->tls_store, c->stores[1]);
    cr_expect_eq(u->tls_verify, VERIFY_FULL);
    cr_expect_str_eq(u->tls_name, "db.example");
    cr_expect_str_eq(u->tls_sni, "db.example");
    cr_assert_eq(u->tls_allow.n, 2);
    cr_expect_str_eq(u->tls_allow.v[1].pattern, "db");
    cr_assert_eq(u->tls_pin.n, 1);
    cr_expect_eq(strncmp(u->tls_pin.v[0].pattern, "aa11aa11", 8), 0);
    cr_expect_eq(u->tls_alpn.n, 2);
    cr_expect_eq(u->tls_protocols, PROTO_TLS13);
}

Test(good, every_key_reaches_its_field)
{
    struct conf *c = build_at("/etc/sp/t.conf", full);
    const struct conf_store *s = c->stores[0];
    const struct conf_route *r = c->routes[0];

    cr_expect_eq(c->proxy.workers, 4);
    cr_expect_str_eq(c->proxy.user, "nobody");
    cr_expect_str_eq(c->proxy.log, "/etc/sp/logs/out.log");
    cr_expect_eq(c->proxy.log_format, LOG_FORMAT_JSON);
    cr_expect_eq(c->proxy.log_level, LOG_LEVEL_DEBUG);
    cr_expect_not(c->proxy.access_log);
    cr_expect_eq(c->proxy.sum_failures_ms, 90000);
    cr_expect_eq(c->proxy.drain_timeout_ms, 1500);
    cr_expect_eq(c->proxy.reload, RELOAD_SIGNAL);
    cr_expect_eq(c->proxy.sandbox, SANDBOX_REQUIRE);
    cr_assert_eq(c->proxy.admin.n, 2);
    cr_expect_eq(addr_port(&c->proxy.admin.v[1]), 9901);
    cr_assert_eq(s->cert.n, 2);
    cr_expect_str_eq(s->cert.v[0], "/etc/sp/rsa.crt");
    cr_expect_str_eq(s->cert.v[1], "/abs/ecdsa.crt");
    cr_assert_eq(s->key.n, 2);
    cr_assert_eq(c->proxy.ticket_keys.n, 1);
    cr_expect(strstr(c->proxy.ticket_keys.v[0], "ticket.keys") != NULL);
    cr_expect_str_eq(s->password_file, "/etc/sp/pass");
    cr_expect_str_eq(s->key_password_file, "env:KEY_PASS");
    cr_expect_str_eq(s->alias, "Server 01");
    cr_expect_eq(s->expired, EXPIRED_SERVE);
    cr_expect_eq(s->wait_files_ms, 120000);
    cr_expect_eq(s->warn_before_ms, 7 * 86400000ull);
    cr_assert_eq(c->trusts[0]->ca.n, 2);
    cr_expect_str_eq(c->trusts[0]->ca.v[1], "memory:ca");
    cr_expect_eq(c->trusts[0]->depth, 2);
    cr_expect(strstr(c->trusts[0]->password_file, "trust.pass") != NULL);
    cr_expect_eq(c->trusts[0]->warn_before_ms, 0);
    cr_assert_eq(r->sni.n, 2);
    cr_expect_str_eq(r->sni.v[0], "a.example.com");
    cr_expect_str_eq(r->sni.v[1], "*.b.example");
    cr_assert_eq(r->alpn.n, 3);
    cr_expect_str_eq(r->alpn.v[1], "http/1.1");
    cr_expect_eq(r->client_auth, CLIENT_AUTH_REQUIRE);
    cr_assert_eq(r->allow.n, 2);
    cr_expect_str_eq(r->allow.v[1].pattern, "spiffe://prod/*");
    cr_expect_eq(r->allow.v[1].at.line, r->allow.v[0].at.line + 1);
    cr_expect_eq(r->deny.v[0].at.line, r->allow.v[0].at.line + 2);
    cr_assert_eq(r->deny.n, 1);
    cr_expect_str_eq(r->deny.v[0].pattern, "a");
    cr_expect_eq(r->trust, c->trusts[0]);
    cr_expect_eq(r->protocols, PROTO_TLS13);
    cr_expect_str_eq(r->ciphers, "A:B");
    cr_expect_str_eq(r->ciphersuites, "TLS_AES_128_GCM_SHA256");
    cr_expect_str_eq(r->groups, "X25519:P-256");
    cr_expect_eq(r->session_tickets, TICKETS_OFF);
    cr_expect_eq(r->idle_timeout_ms, 3600000);
    cr_expect_str_eq(r->preset, "etcd");
    cr_expect_eq(r->upstream, c->upstreams[0]);
    cr_expect_eq(r->upstream->connect_timeout_ms, 250);
    cr_assert_eq(r->upstream->servers.n, 3);
    cr_expect_str_eq(r->upstream->servers.v[1].written, "unix:/run/cassandra.sock");
    cr_expect_eq(addr_port(&r->upstream->servers.v[2].addr), 9042);
    cr_expect_null(r->upstream->servers.v[2].host);
    cr_expect_eq(r->upstream->servers.v[2].at.line, r->upstream->servers.v[0].at.line + 2);
    cr_expect_eq(r->upstream->balance, BALANCE_LEAST);
    cr_expect_eq(r->upstream->retries, 1);
    cr_expect_eq(r->upstream->check.kind, CHECK_HTTP);
    cr_expect_str_eq(r->upstream->check.path, "/live");
    cr_expect_eq(r->upstream->check_interval_ms, 1000);
    cr_expect_eq(r->upstream->check_timeout_ms, 500);
    cr_expect_eq(r->upstream->rise, 1);
    cr_expect_eq(r->upstream->fall, 4);
    cr_expect_eq(r->upstream->on_down, ON_DOWN_CLOSE);
    cr_expect_eq(c->proxy.resolver.n, 1);
    cr_expect_eq(c->routes[1]->client_auth, CLIENT_AUTH_REQUIRE);
    cr_expect(c->routes[1]->upstream->servers.builtin_page);
    cr_expect(s->for_clients && !s->for_servers && !r->upstream->tls);
    cr_expect(c->stores[1]->for_clients && c->stores[1]->for_servers);
    expect_tls(c, c->routes[2]->upstream);
    conf_free(c);
}

Test(good, listeners_stand_in_the_order_of_the_routes)
{
    struct conf *c = build_at("t.conf", full);
    const char *expected[] = { "0.0.0.0:9142", "[::1]:9143", "unix:/run/page.sock",
                               "0.0.0.0:9144" };
    uint64_t timeouts[] = { 10000, 5000, 10000, 10000 };

    cr_assert_eq(c->nlisteners, 4);
    for (size_t i = 0; i < 4; i++) {
        char text[ADDR_TEXT_MAX];
        cr_expect_str_eq(addr_text(&c->listeners[i]->addr, text), expected[i]);
        cr_expect_eq(c->listeners[i]->handshake_timeout_ms, timeouts[i]);
        cr_expect_eq(conf_listener_for(c, &c->listeners[i]->addr), c->listeners[i]);
    }
    cr_expect_str_eq(c->stores[0]->cert.v[0], "rsa.crt");   /* t.conf is in the current folder */
    conf_free(c);
}

Test(good, every_row_of_the_table_is_in_this_test)
{
    struct conf *c = build_at("/etc/sp/t.conf", full);

    for (size_t i = 0; i < KEY_COUNT; i++) {
        bool set = c->proxy.head.set[i].file || c->stores[0]->head.set[i].file
                || c->stores[1]->head.set[i].file
                || c->trusts[0]->head.set[i].file || c->listeners[1]->head.set[i].file
                || c->routes[0]->head.set[i].file || c->upstreams[0]->head.set[i].file
                || c->routes[2]->upstream->head.set[i].file;
        cr_expect(set, "%s of [%s] is not in it", conf_keys[i].key,
                  conf_sections[conf_keys[i].section]);
    }
    conf_free(c);
}

Test(good, routes_share_an_upstream_by_its_address)
{
    struct conf *c = good(SMALL "[route q]\nlisten = 0.0.0.0:1\nstore = s\nupstream = "
                                "127.0.0.1:9042\n");

    cr_expect_eq(c->nupstreams, 1);
    cr_expect_eq(c->routes[0]->upstream, c->routes[1]->upstream);
    conf_free(c);
}

Test(good, sessions_resume_where_it_is_written)
{
    struct conf *c = good("[store s]\ncert = c\n[trust t]\nca = c\n"
                          "[route r]\nlisten = 0.0.0.0:1\nstore = s\n"
                          "upstream = 127.0.0.1:2\nsession_tickets = on\ntrust = t\n"
                          "[proxy]\nticket_keys = keys\n");

    cr_expect_eq(c->routes[0]->session_tickets, TICKETS_ON);
    cr_expect_eq(c->proxy.ticket_keys.n, 1);
    conf_free(c);
}

Test(good, plaintext_may_go_where_it_is_allowed)
{
    const char *upstreams[] = {
        "server = 127.9.9.9:1\n",
        "server = [::1]:1\n",
        "server = localhost:1\n",
        "server = unix:/run/app.sock\n",
        "server = unix:/run/app.sock\nserver = unix:/run/App.sock\n",     /* case counts there */
        "server = builtin:page\n",
        "server = 192.0.2.1:1\nplaintext_to = anywhere\n",
        "server = 192.0.2.1:1\nplaintext_to = 192.0.2.1\n",
        "server = 192.0.2.1:1\nplaintext_to = 10.0.0.0/8, 192.0.2.0/24\n",
        "server = [2001:db8::7]:1\nplaintext_to = 10.0.0.0/8\nplaintext_to = 2001:db8::/32\n",
    };

    for (size_t i = 0; i < sizeof(upstreams) / sizeof(upstreams[0]); i++) {
        char *ini = mem_printf("[store s]\ncert = c\n[route r]\nlisten = 0.0.0.0:1\nstore = s\n"
                               "upstream = u\n[upstream u]\n%s", upstreams[i]);
        conf_free(good(ini));
        free(ini);
    }
}

static struct settings overrides(const char *key, const char *value, const char *origin)
{
    struct settings s = { 0 };

    settings_add(&s, "proxy", "", key, value, (struct origin){ origin, 0 });
    return s;
}

Test(good, the_command_line_wins_over_environment_and_file)
{
    struct settings all = { 0 }, env = overrides("workers", "2", ORIGIN_ENVIRONMENT),
                    cli = overrides("workers", "3", ORIGIN_COMMAND_LINE),
                    user = overrides("user", "me", ORIGIN_ENVIRONMENT);
    const char *ini = "[proxy]\nworkers = 1\nuser = you\nlog = stderr\n" SMALL;
    struct diags d = { 0 };

    source_parse(ini, strlen(ini), "t.conf", &all, &d);
    settings_append(&all, &env);
    settings_append(&all, &user);
    settings_append(&all, &cli);
    struct conf *c = conf_build(&all, &d);
    cr_assert_not_null(c, "%s", findings(&d));
    cr_expect_eq(c->proxy.workers, 3);
    cr_expect_str_eq(c->proxy.user, "me");
    cr_expect_str_eq(c->proxy.log, "stderr");
    cr_expect_str_eq(conf_at(&c->proxy.head, KEY_PROXY_WORKERS, NULL).key, "--workers");
    cr_expect_str_eq(conf_at(&c->proxy.head, KEY_PROXY_USER, NULL).key, "SALLYPORT_USER");
    cr_expect_str_eq(conf_at(&c->proxy.head, KEY_PROXY_LOG, NULL).key, "log");
    cr_expect_str_eq(conf_at(&c->proxy.head, KEY_PROXY_LOG, NULL).section, "proxy");
    conf_free(c);
    settings_free(&all);
    settings_free(&env);
    settings_free(&user);
    settings_free(&cli);
    diags_free(&d);
}

Test(good, a_reference_of_a_later_origin_wins)
{
    const char *ini = "[store s]\ncert = a\n[store t]\ncert = b\n[route r]\nlisten = 0.0.0.0:1\n"
                      "store = missing\nupstream = 127.0.0.1:2\n";
    struct settings all = { 0 };
    struct diags d = { 0 };

    source_parse(ini, strlen(ini), "t.conf", &all, &d);
    settings_add(&all, "route", "r", "store", "s", (struct origin){ ORIGIN_ENVIRONMENT, 0 });
    settings_add(&all, "route", "r", "store", "t", (struct origin){ ORIGIN_COMMAND_LINE, 0 });
    struct conf *c = conf_build(&all, &d);
    cr_assert_not_null(c, "%s", findings(&d));
    cr_expect_str_eq(c->routes[0]->store->head.name, "t");
    cr_expect_eq(d.n, 1, "s alone is not used: %s", findings(&d));
    conf_free(c);
    settings_free(&all);
    diags_free(&d);
}

/* Ten thousand of each take as long as they are long: with a walk over all for each of them
   this would be minutes under the sanitizers. */
Test(good, ten_thousand_sections_of_each_kind, .timeout = 60)
{
    enum { N = 10000 };
    char *ini = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&ini, &len);

    for (int i = 0; i < N; i++)
        fprintf(f, "[store s%d]\ncert = c\n[listener 127.0.%d.%d:1]\nhandshake_timeout = 1s\n"
                   "[upstream u%d]\nserver = 127.0.0.1:2\n[route r%d]\nlisten = 127.0.%d.%d:1\n"
                   "store = s%d\nupstream = u%d\n",
                i, i / 200, i % 200, i, i, i / 200, i % 200, i, i);
    fclose(f);
    struct conf *c = good(ini);
    cr_assert_eq(c->nroutes, N);
    cr_assert_eq(c->nlisteners, N);
    for (size_t i = 0; i < N; i++) {
        cr_assert_eq(c->routes[i]->store, c->stores[i]);
        cr_assert_eq(c->routes[i]->upstream, c->upstreams[i]);
        cr_assert_eq(c->listeners[i]->routes[0], c->routes[i]);
        cr_assert_eq(c->listeners[i]->handshake_timeout_ms, 1000);
    }
    conf_free(c);
    free(ini);
}

Test(good, a_restart_key_that_changes_is_warned_of)
{
    struct conf *a = good("[proxy]\nworkers = 1\ndrain_timeout = 1s\n" SMALL);
    struct conf *b = good("[proxy]\nworkers = 2\ndrain_timeout = 2s\nuser = x\n" SMALL);
    struct diags d = { 0 };

    conf_warn_restart(a, b, &d);
    struct expected workers = { DIAG_WARNING, 2, "workers", "until then it is \"1\"", "" };
    struct expected user = { DIAG_WARNING, 4, "user", "until then it is \"sallyport\"", "" };
    cr_expect(find_finding(&d, &workers) && find_finding(&d, &user) && d.n == 2, "%s",
              findings(&d));
    diags_free(&d);
    d = (struct diags){ 0 };
    conf_warn_restart(a, a, &d);
    cr_expect_eq(d.n, 0);
    conf_free(a);
    conf_free(b);
}

Test(good, keys_are_files_or_uris)
{
    static const struct {
        const char *written, *means;
    } cases[] = {
        { "tls.key", "/etc/x/tls.key" },
        { "/tls.key", "/tls.key" },
        { "./a:b.key", "/etc/x/./a:b.key" },
        { "memory:key", "memory:key" },
        { "file:tls.key", "/etc/x/./tls.key" },
        { "file:///k/a%20b.key", "/k/a b.key" },
        { "pkcs11:token=a;object=b", "pkcs11:token=a;object=b" },
        { "PKCS11:id=%01?pin-source=file:/p", "PKCS11:id=%01?pin-source=file:/p" },
    };
    const struct key_row *row = &conf_keys[KEY_STORE_KEY];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct span text = { cases[i].written, strlen(cases[i].written) };
        struct conf_strs got = { 0 };
        struct refusal r = { ERR_INIT, ERR_INIT, false };
        cr_assert_eq(type_parse(row, text, "/etc/x/gate.conf", &got, &r), 0, "%s", r.why.text);
        cr_expect_str_eq(got.v[0], cases[i].means);
        type_clear(row, &got);
    }
}

Test(good, a_name_is_a_server_and_is_kept_for_who_resolves_it)
{
    struct conf *c = good("[store s]\ncert = c\n[route r]\nlisten = 0.0.0.0:1\nstore = s\n"
                          "upstream = db.example:5432\n");
    const struct conf_upstream *u = c->routes[0]->upstream;

    cr_assert_eq(u->servers.n, 1);
    cr_expect_str_eq(u->servers.v[0].host, "db.example");
    cr_expect_eq(u->servers.v[0].port, 5432);
    cr_expect(conf_is_watched(u));
    conf_free(c);
}

Test(good, checks_are_for_those_that_have_a_choice)
{
    struct conf *c = good(SMALL);
    struct conf_upstream *u = c->upstreams[0];

    cr_expect_eq(u->check.kind, CHECK_AUTO);
    cr_expect_eq(u->on_down, ON_DOWN_KEEP);
    cr_expect_not(conf_is_watched(u));
    cr_expect_eq(conf_check_kind(u, 1), CHECK_OFF);
    cr_expect_eq(conf_check_kind(u, 2), CHECK_TCP);
    u->check.kind = CHECK_CQL;
    cr_expect(conf_is_watched(u));
    cr_expect_eq(conf_check_kind(u, 1), CHECK_CQL);
    conf_free(c);
}
