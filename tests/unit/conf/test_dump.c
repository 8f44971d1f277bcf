/* What dump prints parses back to the same configuration. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "conf/schema.h"
#include "conf/types.h"
#include "support.h"

/* The dump without its comments, which tell of the file it came from. */
static char *bare(const char *dump)
{
    char *text = mem_strdup(dump), *out = text;

    for (const char *p = dump; *p != '\0';) {
        const char *end = strchr(p, '\n');
        const char *comment = strstr(p, "; ");
        size_t len = (size_t)((comment && comment < end ? comment : end) - p);
        while (len > 0 && p[len - 1] == ' ')
            len--;
        memcpy(out, p, len);
        out += len;
        *out++ = '\n';
        p = end + 1;
    }
    *out = '\0';
    return text;
}

static void round_trip(const char *ini)
{
    struct diags d = { 0 };
    struct conf *c = build_text(ini, strlen(ini), &d);
    cr_assert_not_null(c, "%s", findings(&d));
    char *first = dump_text(c);
    struct conf *again = build_text(first, strlen(first), &d);
    cr_assert_not_null(again, "%s\n%s", findings(&d), first);
    cr_assert_eq(d.n, 0, "%s\n%s", findings(&d), first);
    char *second = dump_text(again);
    char *a = bare(first), *b = bare(second);

    cr_expect_str_eq(a, b, "first\n%s\nsecond\n%s", a, b);
    free(a);
    free(b);
    free(first);
    free(second);
    conf_free(c);
    conf_free(again);
    diags_free(&d);
}

Test(dump, parses_back_to_the_same)
{
    round_trip("[store s]\ncert = tls.crt\n[route r]\nlisten = 0.0.0.0:9142\nstore = s\n"
               "upstream = 127.0.0.1:9042\n");
    round_trip("[proxy]\nworkers = 0\nlog = ./x.log\nlog_level = error\naccess_log = off\n"
               "sum_failures = 0\n"
               "[store s]\ncert = a\ncert = /b\nkey = memory:c\npassword_file = fd:3\n"
               "key_password_file = k\nalias = Node 1\nexpired = serve\n[trust t]\nca = ca\n"
               "password_file = env:P\ndepth = 0\n"
               "[listener [::]:1]\nhandshake_timeout = 1500ms\n"
               "[route r]\nlisten = [::]:1\nlisten = unix:/run/x\nalpn = h2,http/1.1\nstore = s\n"
               "client_auth = request\ntrust = t\nupstream = u\n"
               "protocols = TLSv1, TLSv1.1, TLSv1.2, TLSv1.3\nciphers = A:B\ngroups = C\n"
               "session_tickets = off\nidle_timeout = 90s\n"
               "[upstream u]\nserver = 192.0.2.1:5\nserver = unix:/run/y\nbalance = first\n"
               "plaintext_to = loopback, 192.0.2.0/24\n"
               "[route page]\nlisten = 127.0.0.1:7\nstore = s\ntrust = t\n"
               "allow = cn:O'Brien, Pat\nallow = URI:spiffe://P/**\nallow = ip: 10.0.0.0/8\n"
               "deny = serial:0x0A:bc\n"
               "deny = sha256://qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqo=\n"
               "upstream = builtin:page\n");
    round_trip("[trust t]\nca = ca\n[route o]\nmode = originate\nlisten = 127.0.0.1:1\n"
               "plaintext_from = loopback\nupstream = u\n[upstream u]\nserver = 192.0.2.1:5\n"
               "tls_trust = t\ntls_name = db.example\ntls_allow = dns:*.example\n"
               "tls_alpn = h2\ntls_protocols = TLSv1.3\n");
}

Test(dump, breaks_a_long_list_into_lines_that_fit)
{
    char *list = mem_strdup("");
    for (int i = 0; i < 60; i++) {
        char *before = list;
        list = mem_printf("%s%sECDHE-ECDSA-AES%03d-GCM-SHA256", before, i ? "\n :" : "", i);
        free(before);
    }
    char *ini = mem_printf("[store s]\ncert = c\n[route r]\nlisten = 127.0.0.1:1\nstore = s\n"
                           "upstream = 127.0.0.1:2\nciphers = %s\n", list);
    round_trip(ini);
    free(list);
    free(ini);
}

Test(dump, says_where_each_key_was_set)
{
    const char *ini = "[store s]\ncert = c\n[route r]\nlisten = 127.0.0.1:1\nstore = s\n"
                      "upstream = 127.0.0.1:2\n";
    struct diags d = { 0 };
    struct conf *c = build_text(ini, strlen(ini), &d);
    char *text = dump_text(c), *cwd = getcwd(NULL, 0);
    char *cert = mem_printf("\ncert = %s/c", cwd);

    cr_expect(strstr(text, "workers = auto") && strstr(text, "; default\n"), "%s", text);
    cr_expect(strstr(text, cert) != NULL, "%s", text);      /* the dump may be kept elsewhere */
    cr_expect(strstr(text, "; t.conf:4\n") != NULL, "%s", text);
    cr_expect(strstr(text, "; ciphers is not set\n") != NULL, "%s", text);
    cr_expect(strstr(text, "[upstream") == NULL, "an address in a route is no section\n%s", text);
    for (size_t i = 0; i < KEY_COUNT; i++)
        cr_expect(conf_keys[i].section == SECTION_TRUST || conf_keys[i].section == SECTION_UPSTREAM
                      || strstr(text, conf_keys[i].key) != NULL, "%s", conf_keys[i].key);
    free(cwd);
    free(cert);
    free(text);
    conf_free(c);
    diags_free(&d);
}

Test(dump, says_where_each_rule_stands)
{
    const char *ini = "[store s]\ncert = c\n[trust t]\nca = c\n[route r]\nlisten = 127.0.0.1:1\n"
                      "store = s\nupstream = 127.0.0.1:2\ntrust = t\nallow = cn:a\ndeny = cn:b\n"
                      "allow = cn:c\n";
    struct diags d = { 0 };
    struct conf *c = build_text(ini, strlen(ini), &d);
    char *text = dump_text(c);
    const char *first = strstr(text, "allow = cn:a"), *second = strstr(text, "allow = cn:c");

    cr_assert(first != NULL && second != NULL, "%s", text);
    cr_expect_eq(strncmp(strchr(first, ';'), "; t.conf:10\n", 12), 0, "%s", text);
    cr_expect_eq(strncmp(strchr(second, ';'), "; t.conf:12\n", 12), 0, "%s", text);
    free(text);
    conf_free(c);
    diags_free(&d);
}

Test(dump, marks_what_no_file_can_say)
{
    const char *ini = "[store s]\ncert = c\n[route r]\nlisten = 127.0.0.1:1\nstore = s\n"
                      "upstream = 127.0.0.1:2\n";
    struct settings s = { 0 };
    struct diags d = { 0 };
    struct conf *c = build_text(ini, strlen(ini), &d);
    /* as --cert "/my ;certs/tls.crt" would set it */
    free(c->stores[0]->cert.v[0]);
    c->stores[0]->cert.v[0] = mem_strdup("/my ;certs/tls.crt");
    char *text = dump_text(c);

    cr_expect(strstr(text, "\n; cannot be written in a file: cert = /my ;certs/tls.crt"), "%s",
              text);
    free(text);
    settings_free(&s);
    conf_free(c);
    diags_free(&d);
}

struct collected {
    char text[256];
};

static void collect(const char *line, void *arg)
{
    struct collected *c = arg;
    size_t used = strlen(c->text);

    snprintf(c->text + used, sizeof(c->text) - used, "%s|", line);
}

Test(dump, each_default_prints_as_it_stands_in_the_table)
{
    const char *ini = "[store s]\ncert = c\n[trust t]\nca = c\n[route r]\nlisten = 127.0.0.1:1\n"
                      "store = s\ntrust = t\nupstream = u\n[upstream u]\nserver = 127.0.0.1:1\n";
    struct diags d = { 0 };
    struct conf *c = build_text(ini, strlen(ini), &d);
    struct conf_head *heads[SECTION_COUNT] = {
        &c->proxy.head,        &c->stores[0]->head, &c->trusts[0]->head,
        &c->listeners[0]->head, &c->routes[0]->head, &c->upstreams[0]->head,
    };

    for (size_t i = 0; i < KEY_COUNT; i++) {
        const struct key_row *row = &conf_keys[i];
        struct collected got = { "" };
        if (row->def == NULL)
            continue;
        type_each(row, type_field(row, heads[row->section]), collect, &got);
        got.text[strcspn(got.text, "|")] = '\0';
        cr_expect_str_eq(got.text, row->def, "%s: %s", row->key, got.text);
    }
    conf_free(c);
    diags_free(&d);
}
