/*
 * The reader in front of inih: what inih would cut, merge or take for something
 * else is either read whole or refused, and every line keeps its number.
 */
#include <criterion/criterion.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf/source.h"
#include "support.h"

static struct settings parse(const char *ini, size_t len, struct diags *d)
{
    struct settings s = { 0 };

    source_parse(ini, len, "t.conf", &s, d);
    return s;
}

/* All settings as "line section/name key=value;" in the order of the file. */
static char *text_of(const struct settings *s)
{
    char *text = mem_strdup("");

    for (size_t i = 0; i < s->n; i++) {
        const struct setting *t = &s->v[i];
        char *before = text;
        text = t->key != NULL ? mem_printf("%s%u %s/%s %s=%s;", before, t->line, t->section,
                                           t->name, t->key, t->value)
                              : mem_printf("%s%u [%s/%s];", before, t->line, t->section, t->name);
        free(before);
    }
    return text;
}

static const struct {
    const char *ini, *settings;
} good[] = {
    { "", "" },
    { "\n\n", "" },
    { "; only\n# comments\n   ; here\n", "" },
    { "[proxy]\nworkers = 1\n", "1 [proxy/];2 proxy/ workers=1;" },
    { "[proxy]\nworkers=1", "1 [proxy/];2 proxy/ workers=1;" },     /* no newline at the end */
    { "[proxy]\r\nworkers = 1\r\n", "1 [proxy/];2 proxy/ workers=1;" },
    { "[proxy]\r\nworkers = 1\r", "1 [proxy/];2 proxy/ workers=1;" },
    { "\xef\xbb\xbf[proxy]\nworkers = 1\n", "1 [proxy/];2 proxy/ workers=1;" },
    { "\xef\xbb\xbf; comment\n[proxy]\n", "2 [proxy/];" },
    { "[proxy]\n", "1 [proxy/];" },                     /* an empty section counts */
    { "[ proxy ]\n", "1 [proxy/];" },
    { "  [proxy]\n", "1 [proxy/];" },
    { "[route \t a]\n", "1 [route/a];" },
    { "[listener [::]:443]\nx = 1\n", "1 [listener/[::]:443];2 listener/[::]:443 x=1;" },
    { "[listener [::1]:443] ; see [proxy]\n", "1 [listener/[::1]:443];" },
    /* comments */
    { "[proxy]\nlog = a;b\n", "1 [proxy/];2 proxy/ log=a;b;" },
    { "[proxy]\nlog = a ;b\n", "1 [proxy/];2 proxy/ log=a;" },
    { "[proxy]\nlog = a\t; b\n", "1 [proxy/];2 proxy/ log=a;" },
    { "[proxy]\nlog = a # b\n", "1 [proxy/];2 proxy/ log=a;" },
    { "[proxy]\nlog = a#b\n", "1 [proxy/];2 proxy/ log=a#b;" },
    { "[proxy]\nlog =;b\n", "1 [proxy/];2 proxy/ log=;b;" },
    { "[proxy]\nlog = ; b\n", "1 [proxy/];2 proxy/ log=;" },
    { "[proxy]\nlog = ab = c\n", "1 [proxy/];2 proxy/ log=ab = c;" },
    { "[proxy]\nlog = x:y\n", "1 [proxy/];2 proxy/ log=x:y;" },
    { "[proxy]\n  log = x\n", "1 [proxy/];2 proxy/ log=x;" },   /* nothing above to continue */
    /* lists */
    { "[route r]\nlisten = a\n  b\n\tc ; d\n\n  # e\n  f\nalpn = g\n",
      "1 [route/r];2 route/r listen=a;3 route/r listen=b;4 route/r listen=c;7 route/r listen=f;"
      "8 route/r alpn=g;" },
    { "[route r]\nlisten =\n  b\n  [::1]:4\n",
      "1 [route/r];3 route/r listen=b;4 route/r listen=[::1]:4;" },
    { "[store s]\ncert = a\n[route r]\n  listen = b\n",           /* a head ends the key above */
      "1 [store/s];2 store/s cert=a;3 [route/r];4 route/r listen=b;" },
};

Test(source, reads_what_is_right)
{
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct diags d = { 0 };
        struct settings s = parse(good[i].ini, strlen(good[i].ini), &d);
        char *text = text_of(&s);

        cr_expect_eq(d.n, 0, "case %zu: %s", i, findings(&d));
        cr_expect_str_eq(text, good[i].settings, "case %zu: %s", i, text);
        free(text);
        settings_free(&s);
        diags_free(&d);
    }
}

static const struct {
    const char *ini;
    struct expected x;
} bad[] = {
    { "workers = 1\n", { DIAG_ERROR, 1, "workers", "before the first [section]", "" } },
    { "[proxy\nworkers = 1\n",
      { DIAG_ERROR, 1, "", "the ] of the section's head is missing", "" } },
    { "[proxy ; x]\n", { DIAG_ERROR, 1, "", "the ] of the section's head is missing", "" } },
    { "[proxy] workers = 1\n", { DIAG_ERROR, 1, "", "text after the ]", "begins with ;" } },
    { "[proxy]\nworkers\n", { DIAG_ERROR, 2, "", "not of the form key = value", NULL } },
    { "[proxy]\nworkers 1\n",
      { DIAG_ERROR, 2, "", "not of the form key = value", "\"workers = 1\"" } },
    { "[proxy]\nworkers: 1\n",
      { DIAG_ERROR, 2, "", "not of the form key = value", "\"workers = 1\"" } },
    { "[proxy]\nworkers : a = 1\n",
      { DIAG_ERROR, 2, "", "not of the form key = value", "\"workers = a = 1\"" } },
    { "[upstream u]\nserver 127.0.0.1:9042\n",
      { DIAG_ERROR, 2, "", "not of the form key = value", "\"server = 127.0.0.1:9042\"" } },
    { "[proxy]\nanything at all\n",
      { DIAG_ERROR, 2, "", "not of the form key = value: \"anything\" …", "" } },
    { "[proxy]\nMIIEvQIBADANBgkqhkiG9w0BAQEF\n",
      { DIAG_ERROR, 2, "", "not of the form key = value: \"MIIEvQIBADANBgkqhkiG9w0B\" …", "" } },
    { "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADAN\n-----END PRIVATE KEY-----\n",
      { DIAG_ERROR, 1, "", "this is a PEM file, not a configuration", NULL } },
    { "[proxy]\nkeep = x\n\n  -----BEGIN CERTIFICATE-----\r\nMIIEvQIBADAN\n",
      { DIAG_ERROR, 4, "", "this is a PEM file, not a configuration", NULL } },
    { "\x30\x82\x05\x10\x02\x01\x03\n\x01\x02=\x03\n\x04\x05\x06\n",
      { DIAG_ERROR, 0, "", "this is binary data, not a configuration", "sallyport show" } },
    { "\xff\xfe[\x01p\x01",
      { DIAG_ERROR, 0, "", "this is text in UTF-16, not a configuration", "UTF-8" } },
    { "[proxy]\n= 1\n", { DIAG_ERROR, 2, "", "not of the form key = value", "" } },
    { "[proxy]\n\x01workers = 1\n", { DIAG_ERROR, 2, "", "a control character", "" } },
    { "[proxy]\nworkers = 1\rlog = a\n", { DIAG_ERROR, 2, "", "a control character", "" } },
    { "[proxy]\nlog = \x1b[31m\n", { DIAG_ERROR, 2, "", "a control character", "" } },
    { "[proxy]\nlog = a\v; b\n", { DIAG_ERROR, 2, "", "a control character", "" } },
    { "[proxy]\nuser = a\n  b\n",
      { DIAG_ERROR, 3, "user", "takes one value", "remove the blanks" } },
    { "[proxy]\n  user = a\n  workers = 1\n",
      { DIAG_ERROR, 3, "user", "an indented line continues", "before \"workers\"" } },
    { "[route r]\nlisten = a\n  store = s\n",
      { DIAG_ERROR, 3, "listen", "an indented line continues", "before \"store\"" } },
    { "[route r]\nlisten = a\n  [store s]\n",
      { DIAG_ERROR, 3, "listen", "an indented line continues", "before the [" } },
};

Test(source, refuses_each_slip_once)
{
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct diags d = { 0 };
        struct settings s = parse(bad[i].ini, strlen(bad[i].ini), &d);

        cr_expect(find_finding(&d, &bad[i].x) != NULL, "case %zu:\n%s\nsaid\n%s", i, bad[i].ini,
                  findings(&d));
        cr_expect_eq(d.n, 1, "case %zu:\n%s\nsaid\n%s", i, bad[i].ini, findings(&d));
        settings_free(&s);
        diags_free(&d);
    }
}

Test(source, nothing_that_may_be_a_secret_is_shown)
{
    static const char *const slips[] = {
        "[store s]\ncert = c.pem\npassword = geheim\n",
        "[store s]\ncert = c.pem\nkeep = geheim\n",
        "[proxy]\nkey_secret = geheim\n",
        "[proxy]\n= geheim\n",
        "[proxy]\n=geheim\n",
        "[proxy]\nmy password geheim\n",
        "[proxy]\npass wort: geheim\n",
        "[proxy] password = geheim\n",
        "-----BEGIN PRIVATE KEY-----\ngeheim\n-----END PRIVATE KEY-----\n",
    };

    for (size_t i = 0; i < sizeof(slips) / sizeof(slips[0]); i++) {
        struct diags d = { 0 };

        conf_free(build_text(slips[i], strlen(slips[i]), &d));
        cr_expect(d.errors > 0 && strstr(findings(&d), "geheim") == NULL, "case %zu:\n%s", i,
                  findings(&d));
        diags_free(&d);
    }
}

/* "[store s]", "cert = x…x" with a line of exactly n bytes, and one line more. */
static char *long_line(size_t n, const char *prefix, const char *after)
{
    char *x = mem_zalloc(n + 1);
    memset(x, 'x', n - strlen(prefix));
    char *ini = mem_printf("[store s]\n%s%s\n%s", prefix, x, after);
    free(x);
    return ini;
}

/* The buffer that inih reads into, less a newline and a NUL. */
static size_t room;
static char *measure(char *buf, int size, void *arg)
{
    (void)buf;
    (void)arg;
    room = (size_t)size - 2;
    return NULL;
}

static int ignore(void *arg, const char *section, const char *key, const char *value)
{
    (void)arg, (void)section, (void)key, (void)value;
    return 1;
}

TestSuite(limits);

Test(limits, a_line_is_whole_or_refused)
{
    ini_parse_stream(measure, NULL, ignore, NULL);
    cr_assert_geq(room, 190);
    for (size_t n = room - 3; n <= room + 3; n++) {
        struct diags d = { 0 };
        char *ini = long_line(n, "cert = ", "key = k\n");
        struct settings s = parse(ini, strlen(ini), &d);

        if (n <= room) {
            cr_expect_eq(d.n, 0, "%zu bytes: %s", n, findings(&d));
            cr_expect_eq(s.n, 3);
            cr_expect_eq(strlen(s.v[1].value), n - strlen("cert = "));
        } else {
            struct expected x = { DIAG_ERROR, 2, "cert", "are possible", "a link to it" };
            cr_expect(find_finding(&d, &x) != NULL && d.n == 1, "%zu bytes: %s", n, findings(&d));
            cr_expect_eq(s.n, 2, "%zu bytes: the rest of the line became a setting", n);
        }
        cr_expect_str_eq(s.v[s.n - 1].key, "key");
        cr_expect_eq(s.v[s.n - 1].line, 3);
        free(ini);
        settings_free(&s);
        diags_free(&d);
    }
}

Test(limits, a_continuation_is_whole_or_refused)
{
    ini_parse_stream(measure, NULL, ignore, NULL);
    for (size_t n = room - 3; n <= room + 3; n++) {
        struct diags d = { 0 };
        char *ini = long_line(n, " ", "key = k\n");
        char *with_key = mem_printf("[store s]\ncert = a\n%s", ini + strlen("[store s]\n"));
        struct settings s = parse(with_key, strlen(with_key), &d);

        cr_expect_eq(s.n, n <= room ? 4 : 3, "%zu bytes: %s", n, findings(&d));
        cr_expect_eq(d.n, n <= room ? 0 : 1, "%zu bytes: %s", n, findings(&d));
        if (n <= room)
            cr_expect_eq(strlen(s.v[2].value), n - 1);
        cr_expect_eq(s.v[s.n - 1].line, 4);
        free(ini);
        free(with_key);
        settings_free(&s);
        diags_free(&d);
    }
}

Test(limits, what_continues_a_refused_key_goes_with_it)
{
    struct diags d = { 0 };
    char *ini = long_line(400, "key = ", "  more\n  and more\n");
    char *all = mem_printf("[store s]\ncert = a\n%s", ini + strlen("[store s]\n"));
    struct settings s = parse(all, strlen(all), &d);
    char *text = text_of(&s);

    cr_expect_str_eq(text, "1 [store/s];2 store/s cert=a;", "%s", text);
    cr_expect_eq(d.n, 1, "%s", findings(&d));
    free(text);
    free(ini);
    free(all);
    settings_free(&s);
    diags_free(&d);
}

Test(limits, a_long_list_is_told_to_take_several_lines)
{
    struct diags d = { 0 };
    char *ini = long_line(400, "alpn = ", "");
    char *route = mem_printf("[route r]\n%s", ini + strlen("[store s]\n"));
    struct settings s = parse(route, strlen(route), &d);
    struct expected x = { DIAG_ERROR, 2, "alpn", "are possible", "several lines" };

    cr_expect(find_finding(&d, &x) != NULL && d.n == 1, "%s", findings(&d));
    free(ini);
    free(route);
    settings_free(&s);
    diags_free(&d);
}

Test(limits, long_comments_do_no_harm)
{
    char x[1000];
    memset(x, 'x', sizeof(x) - 1);
    x[sizeof(x) - 1] = '\0';
    /* in inih alone, the rest of each comment would be a line of its own */
    char *ini = mem_printf("; %s = 1\n[store s] ; %s\ncert = a ; %s = 2\n  b ; %s\n  ; %s = 3\n",
                           x, x, x, x, x);
    struct diags d = { 0 };
    struct settings s = parse(ini, strlen(ini), &d);
    char *text = text_of(&s);

    cr_expect_str_eq(text, "2 [store/s];3 store/s cert=a;4 store/s cert=b;", "%s", text);
    cr_expect_eq(d.n, 0, "%s", findings(&d));
    free(text);
    free(ini);
    settings_free(&s);
    diags_free(&d);
}

Test(limits, a_section_name_is_never_cut)
{
    /* 49 bytes is what inih keeps of a head; a Unix socket's path may be longer */
    const char *head = "listener unix:/run/a/rather/long/way/to/the/socket/of/a/service.sock";
    char *ini = mem_printf("[%s]\nhandshake_timeout = 5s\n", head);
    struct diags d = { 0 };
    struct settings s = parse(ini, strlen(ini), &d);

    cr_assert_gt(strlen(head), 50);
    cr_expect_eq(d.n, 0, "%s", findings(&d));
    cr_expect_str_eq(s.v[1].name, head + strlen("listener "));
    free(ini);
    settings_free(&s);
    diags_free(&d);

    for (size_t n = 39; n <= 60; n++) {
        char name[64] = "";
        memset(name, 'a', n);
        ini = mem_printf("[store %s]\ncert = c\n[route r]\nlisten = 127.0.0.1:1\n"
                         "upstream = 127.0.0.1:2\nstore = %s\n", name, name);
        struct conf *c = build_text(ini, strlen(ini), &d);
        cr_expect_eq(c != NULL, n <= 40, "%zu bytes: %s", n, findings(&d));
        if (c != NULL)
            cr_expect_str_eq(c->stores[0]->head.name, name);
        conf_free(c);
        free(ini);
        diags_free(&d);
        d = (struct diags){ 0 };
    }
}

Test(limits, a_nul_byte_is_refused_wherever_it_is)
{
    const char *inis[] = { "[proxy]\nlog = a\0b\n", "[pro\0y]\n   \n       ",
                           "; \0 comment\n       ", "[proxy]\nlog = a ;\0\n" };

    for (size_t i = 0; i < sizeof(inis) / sizeof(inis[0]); i++) {
        struct diags d = { 0 };
        struct settings s = parse(inis[i], 18, &d);
        unsigned line = i == 0 || i == 3 ? 2 : 1;
        struct expected x = { DIAG_ERROR, line, "", "a NUL byte", "" };

        cr_expect(find_finding(&d, &x) != NULL, "case %zu: %s", i, findings(&d));
        settings_free(&s);
        diags_free(&d);
    }
}

Test(limits, a_whole_cipher_list_fits_on_several_lines)
{
    const char *ini = "[store s]\ncert = c\n[route r]\nlisten = 127.0.0.1:1\nstore = s\n"
                      "upstream = 127.0.0.1:2\n"
                      "ciphers = ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:\n"
                      "          ECDHE-ECDSA-AES256-GCM-SHA384\n"
                      "          :AES128-SHA\n";
    struct diags d = { 0 };
    struct conf *c = build_text(ini, strlen(ini), &d);

    cr_assert_not_null(c, "%s", findings(&d));
    cr_expect_str_eq(c->routes[0]->ciphers,
                     "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
                     "ECDHE-ECDSA-AES256-GCM-SHA384:AES128-SHA");
    conf_free(c);
    diags_free(&d);
}

Test(source, a_file_that_is_not_there_is_a_finding)
{
    struct settings s = { 0 };
    struct diags d = { 0 };

    source_read("/nonexistent/sallyport.conf", &s, &d);
    cr_expect_str_eq(findings(&d), "/nonexistent/sallyport.conf: error: no such file "
                                   "(there is no folder /nonexistent)\n");
    cr_expect_eq(s.n, 0);
    diags_free(&d);
}
