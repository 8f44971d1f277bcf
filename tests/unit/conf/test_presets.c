/*
 * Presets: every row of the table does what it says, what was written wins, and routes that
 * share an upstream agree about it.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf/presets.h"
#include "support.h"

#define STORE    "[store s]\ncert = c.pem\n"                                     /* lines 1-2 */
#define ROUTE    "[route r]\nlisten = 127.0.0.1:1\nstore = s\nupstream = u\n"   /* 3-6 */
#define TRUST    "[trust t]\nca = ca.pem\n"
#define UPSTREAM "[upstream u]\nserver = 127.0.0.1:2\n"

/* A configuration with findings that are no errors, or none. */
static struct conf *build_ini(const char *ini, struct diags *d)
{
    *d = (struct diags){ 0 };
    struct conf *c = build_text(ini, strlen(ini), d);
    cr_assert_not_null(c, "%s\n%s", findings(d), ini);
    return c;
}

static void refuse(const char *ini, const struct expected *x)
{
    struct diags d = { 0 };
    struct conf *c = build_text(ini, strlen(ini), &d);

    cr_expect_null(c, "%s", ini);
    cr_expect_not_null(find_finding(&d, x), "%s\n%s", findings(&d), ini);
    cr_expect_eq(d.n, 1, "%s\n%s", findings(&d), ini);
    diags_free(&d);
}

static bool asks_for_certificates(const char *preset)
{
    for (const struct preset_row *row = preset_rows; row->preset != NULL; row++)
        if (strcmp(row->preset, preset) == 0 && row->key == KEY_ROUTE_CLIENT_AUTH)
            return strcmp(row->value, "require") == 0;
    return false;
}

/* The same, with TLS on both sides. */
static char *bridged(const char *preset)
{
    return mem_printf(STORE ROUTE "preset = %s\nmode = bridge\n%s" UPSTREAM "tls_trust = t\n" TRUST,
                      preset, asks_for_certificates(preset) ? "trust = t\n" : "");
}

static char *with_preset(const char *preset, const char *more)
{
    return mem_printf(STORE ROUTE "preset = %s\n%s%s" UPSTREAM, preset, more,
                      asks_for_certificates(preset) ? "trust = t\n" TRUST : "");
}

/* Some line of the text is `key = value   ; origin`; of a list it may be the first item. */
static bool tells(const char *dump, const char *key, const char *value, const char *origin)
{
    char *begin = mem_printf("\n%s = ", key), *end = mem_printf("; %s\n", origin);
    bool found = false;

    for (const char *at = dump; !found && (at = strstr(at, begin)) != NULL; at += strlen(begin)) {
        const char *text = at + strlen(begin), *eol = strchr(text, '\n'), *tail = strstr(text, end);
        const char *blanks = strstr(text, "  ");
        size_t len = blanks != NULL ? (size_t)(blanks - text) : 0;
        found = tail != NULL && tail < eol && strncmp(text, value, len) == 0;
    }
    free(begin);
    free(end);
    return found;
}

Test(presets, each_fills_its_keys_and_dump_says_so)
{
    for (const struct preset_row *row = preset_rows; row->preset != NULL; row++) {
        struct diags d;
        bool is_check = row->key == KEY_UPSTREAM_CHECK;
        char *ini = is_check ? with_preset(row->preset, "") : bridged(row->preset);
        char *origin = mem_printf("preset %s", row->preset);
        struct conf *c = build_ini(ini, &d);
        char *dump = dump_text(c);

        cr_expect(tells(dump, conf_keys[row->key].key, row->value, origin), "%s of %s in\n%s",
                  conf_keys[row->key].key, row->preset, dump);
        cr_expect_str_eq(c->routes[0]->preset, row->preset);
        free(dump);
        free(origin);
        free(ini);
        conf_free(c);
        diags_free(&d);
    }
}

Test(presets, say_nothing_of_tls_where_there_is_none)
{
    struct diags d;
    struct conf *c = build_ini(STORE ROUTE "preset = medusa\n" UPSTREAM, &d);
    cr_expect_eq(c->routes[0]->alpn.n, 1);
    cr_expect_eq(c->upstreams[0]->tls_alpn.n, 0);
    conf_free(c);
    diags_free(&d);

    c = build_ini("[route r]\nmode = originate\nlisten = 127.0.0.1:1\nupstream = u\n"
                  "preset = medusa\n" UPSTREAM "tls_trust = t\n" TRUST, &d);
    cr_expect_eq(c->routes[0]->alpn.n, 0);
    cr_expect_eq(c->upstreams[0]->tls_alpn.n, 1);
    conf_free(c);
    diags_free(&d);
}

/* The one upstream is dialled by both. */
Test(presets, routes_that_share_an_upstream_may_agree)
{
    struct diags d;
    struct conf *c = build_ini(
        "[route a]\nmode = originate\nlisten = 127.0.0.1:1\nupstream = u\npreset = medusa\n"
        "[route b]\nmode = originate\nlisten = 127.0.0.1:3\nupstream = u\npreset = etcd\n"
        UPSTREAM "tls_trust = t\n" TRUST, &d);
    char *dump = dump_text(c);

    cr_expect_eq(d.n, 0, "%s", findings(&d));
    cr_expect(tells(dump, "tls_alpn", "h2", "preset medusa"), "%s", dump);
    free(dump);
    conf_free(c);
    diags_free(&d);
}

Test(presets, routes_that_share_an_upstream_may_not_disagree)
{
    static const char both[] =
        STORE ROUTE "preset = cassandra-cql\n"
        "[route b]\nlisten = 127.0.0.1:3\nstore = s\nupstream = u\npreset = zookeeper\n" UPSTREAM;
    struct diags d;

    refuse(both,
           &(struct expected){ DIAG_ERROR, 12, "preset",
                               "check of [upstream u] would be \"zookeeper\", and \"cql\" by "
                               "preset cassandra-cql of [route r]",
                               "write check in [upstream u], or make an [upstream] for each" });
    char *settled = mem_printf("%scheck = tcp\n", both);
    struct conf *c = build_ini(settled, &d);
    cr_expect_eq(c->upstreams[0]->check.kind, CHECK_TCP);
    cr_expect_eq(d.n, 0, "%s", findings(&d));
    free(settled);
    conf_free(c);
    diags_free(&d);
}

/* Who speaks TLS may ask for a certificate, which checks do not show. */
Test(presets, leave_checks_of_tls_alone)
{
    struct diags d;
    struct conf *c = build_ini("[route r]\nmode = originate\nlisten = 127.0.0.1:1\nupstream = u\n"
                               "preset = etcd\n" UPSTREAM "tls_trust = t\n" TRUST, &d);

    cr_expect_eq(c->upstreams[0]->check.kind, CHECK_AUTO);
    conf_free(c);
    diags_free(&d);
}

/* What it has stands in no section, and dump tells it all the same. */
Test(presets, dump_tells_of_an_upstream_without_a_section)
{
    struct diags d;
    struct conf *c = build_ini(STORE "[route r]\nlisten = 127.0.0.1:1\nstore = s\n"
                               "upstream = 127.0.0.1:2\npreset = cassandra-cql\n", &d);
    char *dump = dump_text(c);

    cr_expect_not_null(strstr(dump, "\n; upstream 127.0.0.1:2 has, too: check = cql "), "%s", dump);
    conf_free(c);
    c = build_ini(dump, &d);
    cr_expect_eq(c->upstreams[0]->check.kind, CHECK_CQL);
    free(dump);
    conf_free(c);
    diags_free(&d);
}

Test(presets, have_rows_of_their_own_that_say_why)
{
    for (const struct preset_row *row = preset_rows; row->preset != NULL; row++) {
        struct refusal r = { ERR_INIT, ERR_INIT, false };
        struct span name = { row->preset, strlen(row->preset) };
        cr_expect_eq(preset_find(name, &r), 0, "%s", row->preset);
        cr_expect_gt(strlen(row->why), 20, "%s", row->preset);
        for (const struct preset_row *other = preset_rows; other != row; other++)
            cr_expect(other->key != row->key || strcmp(other->preset, row->preset) != 0, "%s",
                      row->preset);
    }
    for (const struct preset *p = presets; p->name != NULL; p++)
        cr_expect_gt(strlen(p->use), 5, "%s", p->name);
}

Test(presets, are_silent_where_they_weaken_nothing)
{
    for (const struct preset *p = presets; p->name != NULL; p++) {
        struct diags d;
        size_t weaker = 0;
        for (const struct preset_row *row = preset_rows; row->preset != NULL; row++)
            weaker += row->weakens && strcmp(row->preset, p->name) == 0;

        char *ini = with_preset(p->name, "");
        struct conf *c = build_ini(ini, &d);
        cr_expect_eq(d.n, weaker, "%s", findings(&d));
        conf_free(c);
        diags_free(&d);
        free(ini);
    }
}

Test(presets, warn_of_what_is_weaker_until_it_is_written)
{
    static const struct expected warning = { DIAG_WARNING, 7, "preset", "ciphers is weakened",
                                             "write ciphers" };
    struct diags d;
    char *ini = with_preset("flink-rest", ""),
         *written = with_preset("flink-rest", "ciphers = ECDHE-RSA-AES128-GCM-SHA256\n");

    struct conf *c = build_ini(ini, &d);
    cr_expect_not_null(find_finding(&d, &warning), "%s", findings(&d));
    cr_expect_not_null(strstr(c->routes[0]->ciphers, ":AES128-SHA"));
    conf_free(c);
    diags_free(&d);

    c = build_ini(written, &d);
    cr_expect_eq(d.n, 0, "%s", findings(&d));
    cr_expect_str_eq(c->routes[0]->ciphers, "ECDHE-RSA-AES128-GCM-SHA256");
    conf_free(c);
    diags_free(&d);
    free(ini);
    free(written);
}

Test(presets, what_is_written_wins_and_has_its_own_origin)
{
    struct diags d;
    struct conf *c = build_ini(STORE ROUTE "preset = etcd\nalpn = http/1.1\n" UPSTREAM, &d);
    char *dump = dump_text(c);

    cr_expect_eq(c->routes[0]->alpn.n, 1);
    cr_expect_str_eq(c->routes[0]->alpn.v[0], "http/1.1");
    cr_expect(tells(dump, "alpn", "http/1.1", "t.conf:8"), "%s", dump);
    free(dump);
    conf_free(c);
    diags_free(&d);

    /* Dask without certificates: it is said, so it is done. */
    c = build_ini(STORE ROUTE "client_auth = none\npreset = dask-scheduler\n" UPSTREAM, &d);
    cr_expect_eq(c->routes[0]->client_auth, CLIENT_AUTH_NONE);
    conf_free(c);
    diags_free(&d);
}

Test(presets, dump_parses_back_to_the_same)
{
    for (const struct preset *p = presets; p->name != NULL; p++) {
        struct diags d;
        char *ini = with_preset(p->name, "");
        struct conf *c = build_ini(ini, &d);
        char *first = dump_text(c);
        diags_free(&d);
        struct conf *again = build_ini(first, &d);

        /* What the preset weakened is written out now. */
        cr_expect_eq(d.n, 0, "%s", findings(&d));
        cr_expect_eq(again->routes[0]->alpn.n, c->routes[0]->alpn.n);
        cr_expect_eq(again->routes[0]->client_auth, c->routes[0]->client_auth);
        free(first);
        free(ini);
        conf_free(c);
        conf_free(again);
        diags_free(&d);
    }
}

Test(presets, a_wrong_name_is_told_the_nearest_and_all)
{
    refuse(STORE ROUTE "preset = flink-rset\n" UPSTREAM,
           &(struct expected){ DIAG_ERROR, 7, "preset", "no preset of this name",
                               "did you mean \"flink-rest\"? there are pravega-controller, " });
    refuse(STORE ROUTE "preset = postgresql\n" UPSTREAM,
           &(struct expected){ DIAG_ERROR, 7, "preset", "no preset of this name",
                               "dask-worker, dask-dashboard" });
}

Test(presets, what_they_ask_for_is_explained_at_their_line)
{
    refuse(STORE ROUTE "preset = jmx\n" UPSTREAM,
           &(struct expected){ DIAG_ERROR, 7, "client_auth", "cannot be checked without trust",
                               "preset jmx asks for them: write trust = NAME" });
    refuse(STORE ROUTE "trust = t\npreset = pravega-segmentstore\n" UPSTREAM TRUST,
           &(struct expected){ DIAG_ERROR, 8, "client_auth", "no client would be asked",
                               "clients of this preset have none" });
}
