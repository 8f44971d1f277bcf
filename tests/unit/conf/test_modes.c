/* What mode = originate and bridge want, and what makes no sense with them. */
#include <criterion/criterion.h>
#include <string.h>

#include "support.h"

/* Lines 1-4, then the route from line 5 on. */
#define SECTIONS "[store s]\ncert = c\n[trust t]\nca = c\n"
#define ORIGINATE SECTIONS "[route r]\nmode = originate\nlisten = 127.0.0.1:1\nupstream = u\n"
#define BRIDGE \
    SECTIONS "[route r]\nmode = bridge\nlisten = 0.0.0.0:1\nstore = s\nupstream = u\n"
#define FAR "[upstream u]\nserver = 192.0.2.1:5\n"
#define PIN "sha256:aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11"

static const struct {
    const char *ini;
    struct expected x;
    bool others;                /* other findings come with it */
} cases[] = {
    /* the route */
    { SECTIONS "[route r]\nmode = bridge\nlisten = 0.0.0.0:1\nupstream = u\n" FAR
               "tls_trust = t\ntls_store = s\n",
      { DIAG_ERROR, 5, "store", "required, and not set", "[store]" }, false },
    { ORIGINATE "store = s\n" FAR "tls_trust = t\n",
      { DIAG_ERROR, 9, "store", "of no sense with mode = originate", "tls_store" }, false },
    { ORIGINATE "trust = t\n" FAR "tls_trust = t\n",
      { DIAG_ERROR, 9, "trust", "of no sense", "tls_trust" }, true },
    { ORIGINATE "client_auth = require\n" FAR "tls_trust = t\n",
      { DIAG_ERROR, 9, "client_auth", "of no sense", "plaintext_from" }, true },
    { ORIGINATE "alpn = h2\n" FAR "tls_trust = t\n",
      { DIAG_ERROR, 9, "alpn", "of no sense", "tls_alpn" }, true },
    { ORIGINATE "sni = a.example\n" FAR "tls_trust = t\n",
      { DIAG_ERROR, 9, "sni", "of no sense", "tls_sni" }, true },
    { ORIGINATE "protocols = TLSv1.3\n" FAR "tls_trust = t\n",
      { DIAG_ERROR, 9, "protocols", "of no sense", "tls_protocols" }, true },
    { ORIGINATE "on_expiry = keep\n" FAR "tls_trust = t\n",
      { DIAG_ERROR, 9, "on_expiry", "of no sense", "leave it out" }, true },

    /* who may send plaintext */
    { SECTIONS "[route r]\nmode = originate\nlisten = 0.0.0.0:1\nupstream = u\n" FAR
               "tls_trust = t\n",
      { DIAG_ERROR, 7, "listen", "whoever reaches this address", "plaintext_from" }, true },
    { ORIGINATE "listen = 192.0.2.9:1\n" FAR "tls_trust = t\n",
      { DIAG_ERROR, 7, "listen", "whoever reaches this address", "plaintext_from" }, true },
    { ORIGINATE FAR "tls_trust = t\n[route q]\nlisten = 127.0.0.1:1\nstore = s\n"
                    "sni = a.example\nupstream = 127.0.0.1:9\n",
      { DIAG_ERROR, 7, "listen", "nothing by which to choose", "an address of its own" }, false },

    /* the upstream */
    { ORIGINATE FAR,
      { DIAG_ERROR, 9, "tls_trust", "cannot be checked without", "tls_verify = off" }, true },
    { SECTIONS "[route r]\nmode = originate\nlisten = 127.0.0.1:1\nupstream = 192.0.2.1:5\n",
      { DIAG_ERROR, 8, "upstream", "cannot be checked without", "[upstream] section" }, true },
    { ORIGINATE FAR "tls_pin = " PIN "\n",
      { DIAG_ERROR, 9, "tls_trust", "cannot be checked without", "tls_verify = off" }, true },
    { ORIGINATE FAR "tls_verify = off\n",
      { DIAG_WARNING, 11, "tls_verify", "whoever answers", "tls_pin" }, true },
    { ORIGINATE FAR "tls_verify = off\ntls_trust = t\n",
      { DIAG_ERROR, 11, "tls_verify", "no certificate would be looked at", NULL }, true },
    { ORIGINATE FAR "tls_verify = off\ntls_allow = cn:a\n",
      { DIAG_ERROR, 12, "tls_allow", "not verified", "tls_pin" }, true },
    { ORIGINATE FAR "tls_trust = t\ntls_verify = ful\n",
      { DIAG_ERROR, 12, "tls_verify", "not one of full, chain, off", "\"full\"" }, true },
    { ORIGINATE FAR "tls_trust = t\ntls_verify = chain\ntls_name = a\n",
      { DIAG_ERROR, 13, "tls_name", "no name is checked with tls_verify = chain", "tls_sni" },
      true },
    { ORIGINATE FAR "tls_trust = t\ntls_name = *.a\n",
      { DIAG_ERROR, 12, "tls_name", "without a wildcard", NULL }, true },
    { ORIGINATE FAR "tls_trust = t\ntls_name = a:1\n",
      { DIAG_ERROR, 12, "tls_name", "no port", NULL }, true },
    { ORIGINATE FAR "tls_trust = t\ntls_sni = 192.0.2.1\n",
      { DIAG_ERROR, 12, "tls_sni", "names only", NULL }, true },
    { ORIGINATE FAR "tls_trust = t\ntls_pin = cn:a\n",
      { DIAG_ERROR, 12, "tls_pin", "a pin is sha256:", "tls_allow" }, true },
    { ORIGINATE FAR "tls_trust = t\ntls_pin = sha256:aa\n",
      { DIAG_ERROR, 12, "tls_pin", "64 hex digits", "openssl" }, true },
    { ORIGINATE FAR "tls_trust = t\ntls_protocols = TLSv1.1, TLSv1.3\n",
      { DIAG_ERROR, 12, "tls_protocols", "cannot skip a version", NULL }, true },
    { ORIGINATE FAR "tls_trust = x\n",
      { DIAG_ERROR, 11, "tls_trust", "there is no [trust x]", NULL }, true },
    { ORIGINATE "[upstream u]\nserver = unix:/run/x\ntls_trust = t\n",
      { DIAG_ERROR, 9, "tls_name", "a Unix socket has no name", "tls_verify = chain" }, true },
    { ORIGINATE "[upstream u]\nserver = builtin:page\ntls_trust = t\n",
      { DIAG_ERROR, 10, "server", "speaks no TLS", "terminate" }, true },
    { ORIGINATE FAR "tls_trust = t\nplaintext_to = anywhere\n",
      { DIAG_WARNING, 12, "plaintext_to", "of no effect", NULL }, true },
    { SECTIONS "[route r]\nlisten = 0.0.0.0:1\nstore = s\nupstream = u\n[upstream u]\n"
               "server = 127.0.0.1:2\ntls_trust = t\n",
      { DIAG_ERROR, 11, "tls_trust", "plaintext goes to this upstream", "mode = bridge" }, true },
    { BRIDGE FAR "tls_trust = t\n[route q]\nlisten = 0.0.0.0:2\nstore = s\nupstream = u\n",
      { DIAG_ERROR, 10, "", "[route r] would speak TLS to it, and [route q] plaintext", NULL },
      true },
};

Test(modes, each_broken_once)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct diags d = { 0 };
        struct conf *c = build_text(cases[i].ini, strlen(cases[i].ini), &d);

        cr_expect(find_finding(&d, &cases[i].x) != NULL, "case %zu\n%s\nsaid\n%s", i,
                  cases[i].ini, findings(&d));
        cr_expect(cases[i].others || d.n == 1, "case %zu: %zu findings\n%s", i, d.n,
                  findings(&d));
        cr_expect_eq(c == NULL, d.errors > 0);
        conf_free(c);
        diags_free(&d);
    }
}

static void is_good(const char *ini)
{
    struct diags d = { 0 };
    struct conf *c = build_text(ini, strlen(ini), &d);

    cr_expect_not_null(c, "%s\nsaid\n%s", ini, findings(&d));
    cr_expect_eq(d.errors, 0, "%s", findings(&d));
    if (c != NULL)
        cr_expect(c->upstreams[0]->tls);
    conf_free(c);
    diags_free(&d);
}

Test(modes, what_is_whole)
{
    is_good(ORIGINATE FAR "tls_trust = t\ntls_store = s\n");
    is_good(ORIGINATE "listen = 0.0.0.0:2\nplaintext_from = 10.0.0.0/8\n" FAR "tls_trust = t\n");
    is_good(ORIGINATE FAR "tls_verify = off\ntls_pin = " PIN "\n");
    is_good(ORIGINATE "[upstream u]\nserver = unix:/run/x\ntls_trust = t\ntls_verify = chain\n");
    is_good(BRIDGE FAR "tls_trust = t\nproxy_protocol = v2\n");
    is_good(BRIDGE "plaintext_from = 10.0.0.0/8\n" FAR "tls_trust = t\n");
}

Test(modes, an_upstream_with_pins_alone_is_not_warned_of)
{
    const char *ini = "[route r]\nmode = originate\nlisten = unix:/run/in\nupstream = u\n" FAR
                      "tls_verify = off\ntls_pin = " PIN "\n";
    struct diags d = { 0 };
    struct conf *c = build_text(ini, strlen(ini), &d);

    cr_expect_not_null(c, "%s", findings(&d));
    cr_expect_eq(d.n, 0, "%s", findings(&d));
    conf_free(c);
    diags_free(&d);
}
