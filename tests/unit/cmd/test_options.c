/*
 * Flags and variables to settings, and what is wrong usage. Each case runs in its
 * own process, so a case may set variables.
 */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cmd/environment.h"
#include "cmd/options.h"
#include "conf/schema.h"

static const struct option_rules serve = {
    .verb = "serve", .args = "", .summary = "Serves.", .configuration = true, .json = true
};
static const struct option_rules tunnel = {
    .verb = "tunnel", .args = "[LISTEN] [UPSTREAM]", .summary = "Tunnels.", .max_args = 2
};

static void start(void)
{
    cr_redirect_stdout();
    cr_redirect_stderr();
    for (size_t i = 0; i < KEY_COUNT; i++)
        if (conf_keys[i].env != NULL)
            unsetenv(conf_keys[i].env);
}

TestSuite(options, .init = start);

/* Words separated by blanks, behind the verb. */
static int parse(const struct option_rules *rules, const char *words, struct invocation *out)
{
    static char copy[1024];
    char *argv[64] = { (char *)(uintptr_t)rules->verb };
    int argc = 1;

    snprintf(copy, sizeof(copy), "%s", words);
    for (char *w = strtok(copy, " "); w != NULL; w = strtok(NULL, " "))
        argv[argc++] = w;
    return options_parse(argc, argv, rules, out);
}

/* "section/name key=value (origin);" of each. */
static char *text_of(const struct settings *s)
{
    char *text = mem_strdup("");

    for (size_t i = 0; i < s->n; i++) {
        const struct setting *t = &s->v[i];
        char *before = text;
        text = mem_printf("%s%s/%s %s=%s%s;", before, t->section, t->name, t->key ? t->key : "",
                          t->value ? t->value : "",
                          strcmp(t->file, ORIGIN_ENVIRONMENT) == 0 ? " (env)" : "");
        free(before);
    }
    return text;
}

static void gives(const char *words, const char *config, const char *settings)
{
    struct invocation inv;

    cr_assert_eq(parse(&serve, words, &inv), -1, "%s", words);
    char *text = text_of(&inv.overrides);
    cr_expect(config == NULL ? inv.config_path == NULL
                             : inv.config_path && strcmp(inv.config_path, config) == 0,
              "%s: file %s", words, inv.config_path);
    cr_expect_str_eq(text, settings, "%s: %s", words, text);
    free(text);
    invocation_free(&inv);
}

#define DEFAULT SALLYPORT_SYSCONFDIR "/sallyport.conf"
#define HEADS   "route/cli =;route/cli store=cli;route/cli upstream=cli;store/cli =;upstream/cli =;"
#define HEADS_TRUST                                                                          \
    "route/cli =;route/cli store=cli;route/cli upstream=cli;route/cli trust=cli;store/cli =;" \
    "upstream/cli =;trust/cli =;"

Test(options, command_line_to_settings)
{
    gives("", DEFAULT, "");
    gives("-c my.conf", "my.conf", "");
    gives("-cmy.conf", "my.conf", "");
    gives("--config my.conf", "my.conf", "");
    gives("--config=my.conf", "my.conf", "");
    gives("--workers 1 --access-log=off", DEFAULT, "proxy/ workers=1;proxy/ access_log=off;");
    gives("--drain-timeout=a=b", DEFAULT, "proxy/ drain_timeout=a=b;");
    gives("-c f --workers=2", "f", "proxy/ workers=2;");
    gives("--workers -1", DEFAULT, "proxy/ workers=-1;");  /* conf says what is wrong with it */
    gives("--listen a --upstream b --cert c --key d", NULL,
          HEADS "route/cli listen=a;upstream/cli server=b;store/cli cert=c;store/cli key=d;");
    gives("--tls-cert c --tls-key d --tls-ca-file e", NULL,
          HEADS_TRUST "store/cli cert=c;store/cli key=d;trust/cli ca=e;");
    gives("--listen a --listen b --alpn h2 --alpn http/1.1 --password-file p", NULL,
          HEADS "route/cli listen=a;route/cli listen=b;route/cli alpn=h2;route/cli alpn=http/1.1;"
                "store/cli password_file=p;");
}

Test(options, environment_to_settings)
{
    setenv("SALLYPORT_WORKERS", "3", 1);
    setenv("SALLYPORT_DRAIN_TIMEOUT", "", 1);               /* as good as not set */
    gives("", DEFAULT, "proxy/ workers=3 (env);");
    gives("--user me", DEFAULT, "proxy/ workers=3 (env);proxy/ user=me;");
    gives("--workers 4", DEFAULT, "proxy/ workers=4;");     /* the command line wins */
    unsetenv("SALLYPORT_WORKERS");

    setenv("SALLYPORT_CONFIG", "env.conf", 1);
    gives("", "env.conf", "");
    gives("-c cli.conf", "cli.conf", "");
    unsetenv("SALLYPORT_CONFIG");

    setenv("SALLYPORT_LISTEN", "a, b", 1);
    gives("", NULL,
          "route/cli = (env);route/cli store=cli (env);route/cli upstream=cli (env);"
          "store/cli = (env);upstream/cli = (env);"
          "route/cli listen=a (env);route/cli listen=b (env);");
    gives("--listen c", NULL, HEADS "route/cli listen=c;"); /* in the place of the list */
    setenv("SALLYPORT_ALPN", "h2,http/1.1", 1);
    gives("--listen c", NULL, HEADS "route/cli alpn=h2,http/1.1 (env);route/cli listen=c;");
    unsetenv("SALLYPORT_LISTEN");
    unsetenv("SALLYPORT_ALPN");
    setenv("SALLYPORT_TLS_CERT", "c", 1);
    gives("--listen l", NULL, HEADS "store/cli cert=c (env);route/cli listen=l;");
}

Test(options, every_key_of_the_process_is_a_flag_and_a_variable)
{
    for (size_t i = 0; i < KEY_COUNT; i++) {
        const struct key_row *row = &conf_keys[i];
        if (row->section == SECTION_PROXY)
            cr_assert(row->flag != NULL && row->env != NULL, "%s", row->key);
        if (row->flag == NULL)
            continue;
        /* SALLYPORT_LOG_LEVEL is --log-level */
        char name[64];
        snprintf(name, sizeof(name), "SALLYPORT_%s", row->flag + 2);
        for (char *p = name; *p != '\0'; p++)
            *p = (char)(*p == '-' ? '_' : *p >= 'a' && *p <= 'z' ? *p - 32 : *p);
        cr_expect_str_eq(row->env, name);

        struct invocation inv;
        char *words = mem_printf("%s value", row->flag);
        cr_assert_eq(parse(&serve, words, &inv), -1, "%s", words);
        const struct setting *last = &inv.overrides.v[inv.overrides.n - 1];
        cr_expect_str_eq(last->key, row->key);
        cr_expect_str_eq(last->section, conf_sections[row->section]);
        cr_expect_str_eq(last->value, "value");
        free(words);
        invocation_free(&inv);
    }
}

static const struct {
    const char *words, *says;
} wrong[] = {
    { "--lsiten a", "command line: error: --lsiten: unknown flag (did you mean \"--listen\"?)\n"
                    "try: " },
    { "--wrokers=1", "error: --wrokers: unknown flag (did you mean \"--workers\"?)\n" },
    { "--jsn", "(did you mean \"--json\"?)" },
    { "--tls-crt x", "(did you mean \"--tls-cert\"?)" },
    { "--path x", "--path: unknown flag" },
    { "--accept-proxy-from loopback", "--accept-proxy-from: unknown flag (a key of [listener …], "
                                      "for which there is no flag: write a file)\n" },
    { "--sni a.example", "--sni: unknown flag (a key of [route …]" },
    { "--quux a", "--quux: unknown flag\n" },
    { "-x", "-x: unknown flag" },
    { "-w 1", "-w: unknown flag" },
    { "--cert", "--cert: needs a value" },
    { "--cert --key k", "--cert: needs a value" },
    { "--config", "--config: needs a value" },
    { "--config=", "--config: needs a value" },
    { "-c a -c b", "--config: given twice" },
    { "--json=yes", "--json: takes no value" },
    { "a.conf", "a.conf: not expected here (a configuration is named by -c a.conf)" },
    { "-- --listen", "--listen: not expected here" },
    { "-c f --listen a", "command line: error: --listen = \"a\": cannot be given together with the "
                         "file f (--config)" },
    { "--ca a -cf", "--ca = \"a\": cannot be given together with the file f (--config)" },
};

Test(options, wrong_usage_is_exit_2)
{
    char all[16384] = "";

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct invocation inv;
        cr_expect_eq(parse(&serve, wrong[i].words, &inv), 2, "%s", wrong[i].words);
        cr_expect_eq(inv.overrides.n, 0);
    }
    fflush(stderr);
    fclose(stderr);             /* the reader below waits for the end */
    FILE *err = cr_get_redirected_stderr();
    all[fread(all, 1, sizeof(all) - 1, err)] = '\0';
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        cr_expect(strstr(all, wrong[i].says) != NULL, "%s: expected %s in\n%s", wrong[i].words,
                  wrong[i].says, all);
    cr_expect(strstr(all, "try: sallyport serve --help\n") != NULL);
}

/* What options_parse() says on stderr for one call. */
static void says(const char *words, int rc, const char *expected)
{
    char text[4096] = "";
    struct invocation inv;

    cr_expect_eq(parse(&serve, words, &inv), rc, "%s", words);
    if (rc < 0)
        invocation_free(&inv);
    fflush(stderr);
    fclose(stderr);             /* the reader below waits for the end */
    FILE *err = cr_get_redirected_stderr();
    text[fread(text, 1, sizeof(text) - 1, err)] = '\0';
    cr_expect_str_eq(text, expected, "%s: said %s", words, text);
}

Test(options, a_file_in_the_environment_and_a_route_exclude_each_other)
{
    setenv("SALLYPORT_CONFIG", "env.conf", 1);
    says("--listen a", 2,
         "command line: error: --listen = \"a\": cannot be given together with the file env.conf "
         "(SALLYPORT_CONFIG) (write it into the file, or leave the file out)\n"
         "try: sallyport serve --help\n");
}

Test(options, a_route_in_the_environment_and_a_file_exclude_each_other)
{
    setenv("SALLYPORT_CERT", "c", 1);
    says("-c f", 2,
         "environment: error: SALLYPORT_CERT = \"c\": cannot be given together with the file f "
         "(--config) (write it into the file, or leave the file out)\n"
         "try: sallyport serve --help\n");
}

Test(options, an_unknown_variable_is_warned_of)
{
    setenv("SALLYPORT_LISEN", "a", 1);
    setenv("SALLYPORT_SERVICE_HOST", "10.0.0.1", 1);
    setenv("SALLYPORT_PORT_443_TCP_ADDR", "10.0.0.1", 1);
    says("", -1, "environment: warning: SALLYPORT_LISEN: no such setting; ignored (did you mean "
                 "\"SALLYPORT_LISTEN\"?)\n");
}

Test(options, kubernetes_variables_are_known)
{
    static const struct {
        const char *name, *value;
        bool service;
    } cases[] = {
        { "SALLYPORT_SERVICE_HOST", "10.0.0.1", true },
        { "SALLYPORT_SERVICE_PORT", "443", true },
        { "SALLYPORT_SERVICE_PORT_HTTPS", "443", true },
        { "SALLYPORT_PORT", "tcp://10.0.0.1:443", true },
        { "SALLYPORT_PORT", "443", false },             /* a person wrote this */
        { "SALLYPORT_PORT_443_TCP", "tcp://10.0.0.1:443", true },
        { "SALLYPORT_PORT_443_TCP_PROTO", "tcp", true },
        { "SALLYPORT_PORT_53_UDP_PORT", "53", true },
        { "SALLYPORT_PORT_36412_SCTP_ADDR", "10.0.0.1", true },
        { "SALLYPORT_CQL_SERVICE_HOST", "10.0.0.1", true },   /* a Service sallyport-cql */
        { "SALLYPORT_CQL_PORT_9042_TCP", "tcp://10.0.0.1:9042", true },
        { "SALLYPORT_PORT_443", "x", false },
        { "SALLYPORT_PORT_443_TCPX", "x", false },
        { "SALLYPORT_PORT__TCP", "x", false },
        { "SALLYPORT_LISTEN", "x", false },
        { "OTHER_SERVICE_HOST", "x", false },
        { "S", "x", false },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        cr_expect_eq(environment_is_service(cases[i].name, cases[i].value), cases[i].service, "%s",
                     cases[i].name);
    for (size_t i = 0; i < KEY_COUNT; i++)
        if (conf_keys[i].env != NULL)
            cr_expect_not(environment_is_service(conf_keys[i].env, "tcp://10.0.0.1:443"),
                          "Kubernetes could set %s by accident", conf_keys[i].env);
}

Test(options, tunnel_takes_arguments_and_keys_of_the_process)
{
    struct invocation inv;

    setenv("SALLYPORT_LISTEN", "ignored", 1);
    cr_assert_eq(parse(&tunnel, "127.0.0.1:1 --workers 0 127.0.0.1:2", &inv), -1);
    cr_expect_null(inv.config_path);
    cr_assert_eq(inv.nargs, 2);
    cr_expect_str_eq(inv.args[1], "127.0.0.1:2");
    char *text = text_of(&inv.overrides);
    cr_expect_str_eq(text, "proxy/ workers=0;");
    free(text);
    invocation_free(&inv);
    cr_expect_eq(parse(&tunnel, "a b c", &inv), 2);
    cr_expect_eq(parse(&tunnel, "--cert c", &inv), 2);
    cr_expect_eq(parse(&tunnel, "-c f", &inv), 2);
    cr_expect_eq(parse(&tunnel, "--json", &inv), 2);
}

Test(options, help_names_every_flag)
{
    char text[16384];
    struct invocation inv;

    cr_assert_eq(parse(&serve, "--help --bad", &inv), 0);
    fflush(stdout);
    fclose(stdout);
    FILE *out = cr_get_redirected_stdout();
    text[fread(text, 1, sizeof(text) - 1, out)] = '\0';
    for (size_t i = 0; i < KEY_COUNT; i++)
        if (conf_keys[i].flag != NULL) {
            char *line = mem_printf("\n  %s ", conf_keys[i].flag);
            cr_expect(strstr(text, line) && strstr(text, conf_keys[i].help), "%s",
                      conf_keys[i].key);
            free(line);
        }
    cr_expect(strstr(text, "usage: sallyport serve [-c FILE | flags of a route] [flags]\n") == text,
              "%s", text);
    cr_expect(strstr(text, "(default 30s)") && strstr(text, "--json")
              && strstr(text, "-c, --config"));
}

/* --- flags of one verb alone --- */

static const struct option_own own[] = {
    { "--sni", "NAME", "a name" },
    { "--cert", "FILE", "a file" },
};
static const struct option_rules explain = {
    .verb = "explain", .args = "", .summary = "Explains.", .configuration = true, .json = true,
    .own = own, .nown = 2,
};

Test(options, a_verbs_own_flags_take_the_place_of_the_keys)
{
    struct invocation inv;

    setenv("SALLYPORT_DRAIN_TIMEOUT", "7s", 1);
    cr_assert_eq(parse(&explain, "-c x.conf --cert=a.pem --sni b --json", &inv), -1);
    cr_expect_str_eq(inv.own[0], "b");
    cr_expect_str_eq(inv.own[1], "a.pem");
    cr_expect_str_eq(inv.config_path, "x.conf");
    cr_expect(inv.json);
    char *text = text_of(&inv.overrides);
    cr_expect_str_eq(text, "proxy/ drain_timeout=7s (env);");
    free(text);
    invocation_free(&inv);
    cr_assert_eq(parse(&explain, "-c x.conf", &inv), -1);
    cr_expect_null(inv.own[0]);
    cr_expect_null(inv.own[1]);
    invocation_free(&inv);
}

Test(options, what_is_wrong_with_a_verbs_own_flags)
{
    static const struct {
        const char *words, *says;
    } table[] = {
        { "--sni a --sni b", "--sni: given twice" },
        { "--sni", "--sni: needs a value" },
        { "--snj a", "--snj: unknown flag (did you mean \"--sni\"?)" },
        { "--workers 1", "--workers: unknown flag" },
    };
    char text[1024] = "";
    struct invocation inv;

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        cr_expect_eq(parse(&explain, table[i].words, &inv), 2, "%s", table[i].words);
    fflush(stderr);
    FILE *f = cr_get_redirected_stderr();
    size_t n = fread(text, 1, sizeof(text) - 1, f);
    text[n] = '\0';
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        cr_expect_not_null(strstr(text, table[i].says), "%s is not in %s", table[i].says, text);
}
