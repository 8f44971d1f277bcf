/* Redirected connections: `server = original` and `transparent = on`, each only with the other. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

#define TRUST "[trust t]\nca = ca.pem\n"                                    /* lines 1-2 */
#define ROUTE "[route r]\nmode = originate\nlisten = 127.0.0.1:1\nupstream = u\n"   /* 3-6 */
#define UPSTREAM(server) "[upstream u]\ntls_trust = t\nserver = " server "\n"

static void check(const char *ini, bool original, uint16_t port)
{
    struct diags d = { 0 };
    struct conf *c = build_text(ini, strlen(ini), &d);

    cr_assert(c != NULL && d.n == 0, "%s", findings(&d));
    cr_expect_eq(c->upstreams[0]->servers.original, original);
    cr_expect_eq(c->upstreams[0]->servers.original_port, port);
    cr_expect_eq(c->upstreams[0]->servers.n, original ? 0 : 1);
    char *dump = dump_text(c);
    struct conf *again = build_text(dump, strlen(dump), &d);
    cr_assert_not_null(again, "%s\n%s", findings(&d), dump);
    cr_expect_eq(again->upstreams[0]->servers.original, original);
    cr_expect_eq(again->upstreams[0]->servers.original_port, port);
    cr_expect_eq(again->routes[0]->transparent, original);
    free(dump);
    conf_free(c);
    conf_free(again);
    diags_free(&d);
}

Test(transparent, goes_to_the_original_destination)
{
    check(TRUST ROUTE "transparent = on\n" UPSTREAM("original"), true, 0);
    check(TRUST ROUTE "transparent = on\n" UPSTREAM("original:9142"), true, 9142);
    check(TRUST ROUTE UPSTREAM("127.0.0.1:9142"), false, 0);
}

static const struct {
    const char *ini;
    struct expected x;
} wrong[] = {
    { TRUST ROUTE "transparent = on\n" UPSTREAM("127.0.0.1:2"),
      { DIAG_ERROR, 7, "transparent", "to where they were meant for", "server = original" } },
    { TRUST ROUTE UPSTREAM("original"),
      { DIAG_ERROR, 6, "upstream", "only a redirected connection has", "transparent = on" } },
    { "[store s]\ncert = c.pem\n[route r]\nlisten = 127.0.0.1:1\nstore = s\nupstream = u\n"
      "transparent = on\n[upstream u]\nserver = original\n",
      { DIAG_ERROR, 7, "transparent", "only plaintext that becomes TLS", "mode = originate" } },
    { TRUST "[route r]\nmode = originate\nlisten = unix:/run/s\nupstream = u\ntransparent = on\n"
      UPSTREAM("original"),
      { DIAG_ERROR, 5, "listen", "cannot be redirected", "127.0.0.1:15001" } },
    { TRUST ROUTE "transparent = on\n" UPSTREAM("original\n  127.0.0.1:2"),
      { DIAG_ERROR, 11, "server", "original is alone", "" } },
    { TRUST ROUTE "transparent = on\n" UPSTREAM("127.0.0.1:2\n  original"),
      { DIAG_ERROR, 11, "server", "original is alone", "" } },
    { TRUST ROUTE "transparent = on\n" UPSTREAM("original\n  builtin:page"),
      { DIAG_ERROR, 11, "server", "original is alone", "" } },
    { TRUST ROUTE "transparent = on\n" UPSTREAM("original:0"),
      { DIAG_ERROR, 10, "server", "port 0", "" } },
    { TRUST ROUTE "transparent = on\n" UPSTREAM("original") "check = tcp\n",
      { DIAG_ERROR, 11, "check", "not known before", "leave it out" } },
    { TRUST ROUTE "transparent = on\n" UPSTREAM("original:x"),
      { DIAG_ERROR, 10, "server", "a port is a number", "" } },
};

Test(transparent, needs_all_that_belongs_to_it)
{
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct diags d = { 0 };
        struct conf *c = build_text(wrong[i].ini, strlen(wrong[i].ini), &d);
        cr_expect_null(c, "%s", wrong[i].ini);
        cr_expect_not_null(find_finding(&d, &wrong[i].x), "%s\n%s", findings(&d), wrong[i].ini);
        cr_expect_eq(d.n, 1, "%s\n%s", findings(&d), wrong[i].ini);
        diags_free(&d);
    }
}
