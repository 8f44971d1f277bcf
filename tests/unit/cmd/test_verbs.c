/*
 * check and dump: exit codes and what is printed. The loader behind check is a
 * double here, so that what it finds is known; the real one has tests of its own.
 */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/loader.h"
#include "app/privs.h"
#include "base/mem.h"
#include "cmd/cmd.h"
#include "conf/schema.h"

static unsigned errors, warnings;       /* what the loader is to find */
static char plan_path[256];
static size_t plan_overrides;

static bool hardened;

void privs_harden(void)
{
    hardened = true;
}

struct bundle *loader_build(const struct load_plan *plan, struct diags *d)
{
    struct diag_at where = { { "x.conf", 7 }, "route r", "listen", "a\"b" };

    snprintf(plan_path, sizeof(plan_path), "%s", plan->config_path ? plan->config_path : "");
    plan_overrides = plan->overrides->n;
    for (unsigned i = 0; i < warnings; i++)
        diag_add(d, DIAG_WARNING, where, NULL, "odd");
    for (unsigned i = 0; i < errors; i++)
        diag_add(d, DIAG_ERROR, where, "mend it", "wrong");
    cr_expect(hardened, "keys are read by a process that leaves no core");
    return errors > 0 ? NULL : bundle_new();
}

static void start(void)
{
    cr_redirect_stdout();
    cr_redirect_stderr();
    for (size_t i = 0; i < KEY_COUNT; i++)
        if (conf_keys[i].env != NULL)
            unsetenv(conf_keys[i].env);
    unsetenv("SALLYPORT_CONFIG");
}

TestSuite(check, .init = start);
TestSuite(dump, .init = start);

static int run(int (*verb)(int, char **), const char *words)
{
    static char copy[1024];
    char *argv[32];
    int argc = 0;

    snprintf(copy, sizeof(copy), "%s", words);
    for (char *w = strtok(copy, " "); w != NULL; w = strtok(NULL, " "))
        argv[argc++] = w;
    return verb(argc, argv);
}

static char *printed(FILE *ours, FILE *(*get)(void))
{
    char *text = mem_zalloc(65536);

    fflush(ours);
    fclose(ours);               /* the reader waits for the end */
    text[fread(text, 1, 65535, get())] = '\0';
    return text;
}

static FILE *get_stdout(void)
{
    return cr_get_redirected_stdout();
}

static FILE *get_stderr(void)
{
    return cr_get_redirected_stderr();
}

static void has(const char *text, const char *part)
{
    cr_expect(strstr(text, part) != NULL, "no %s in\n%s", part, text);
}

static void stdout_is(const char *expected)
{
    char *text = printed(stdout, get_stdout);

    cr_expect_str_eq(text, expected, "%s", text);
    free(text);
}

Test(check, good_is_0)
{
    cr_expect_eq(run(cmd_check, "check -c x.conf --workers 1"), 0);
    cr_expect_str_eq(plan_path, "x.conf");
    cr_expect_eq(plan_overrides, 1);
    stdout_is("x.conf: good\n");
}

Test(check, warnings_are_good)
{
    warnings = 2;
    cr_expect_eq(run(cmd_check, "check -c x.conf"), 0);
    stdout_is("x.conf:7: warning: [route r] listen = \"a\"b\": odd\n"
              "x.conf:7: warning: [route r] listen = \"a\"b\": odd\n"
              "x.conf: good, 2 warnings\n");
}

Test(check, an_error_is_1)
{
    errors = warnings = 1;
    cr_expect_eq(run(cmd_check, "check --listen a"), 1);
    cr_expect_str_eq(plan_path, "");
    stdout_is("x.conf:7: warning: [route r] listen = \"a\"b\": odd\n"
              "x.conf:7: error: [route r] listen = \"a\"b\": wrong (mend it)\n"
              "command line: bad, 1 error, 1 warning\n");
}

Test(check, json_has_every_part_and_nothing_else)
{
    errors = 1;
    cr_expect_eq(run(cmd_check, "check --json"), 1);
    stdout_is("[\n  {\"level\": \"error\", \"file\": \"x.conf\", \"line\": 7, "
              "\"section\": \"route r\", \"key\": \"listen\", \"value\": \"a\\\"b\", "
              "\"message\": \"wrong\", \"hint\": \"mend it\"}\n]\n");
}

Test(check, wrong_usage_is_2)
{
    cr_expect_eq(run(cmd_check, "check --jsom"), 2);
    cr_expect_eq(run(cmd_check, "check x.conf"), 2);
}

Test(dump, prints_what_flags_and_variables_come_to)
{
    setenv("SALLYPORT_USER", "me", 1);
    setenv("SALLYPORT_CA", "/ca.crt", 1);
    cr_assert_eq(run(cmd_dump, "dump --listen 127.0.0.1:1 --upstream localhost:2 --cert /c "
                               "--workers 2 --alpn h2,http/1.1"), 0);
    char *text = printed(stdout, get_stdout);
    static const char *const lines[] = {
        "\nworkers = 2  ; command line\n",
        "\nuser = me  ; environment\n",
        "\nlog = stdout  ; default\n",
        "\n[store cli]\ncert = /c  ; command line\n",
        "\n[trust cli]\nca = /ca.crt  ; environment\n",
        "\n[route cli]\n",
        "\nalpn = h2  ; command line\nalpn = http/1.1  ; command line\n",
        "\nclient_auth = require  ; default\n",
        "\nupstream = cli  ; command line\n",
        "\n[upstream cli]\nserver = localhost:2  ; command line\n",
    };
    /* the comments stand in a column; here one form is enough */
    char *out = text;
    for (const char *p = text; *p != '\0'; p++)
        if (!(p[0] == ' ' && p[1] == ' ' && p[2] == ' '))
            *out++ = *p;
    *out = '\0';
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        has(text, lines[i]);
    free(text);
}

/* What is missing goes by the name that its user knows. */
Test(dump, a_missing_flag_is_called_by_its_name)
{
    cr_assert_eq(run(cmd_dump, "dump --listen 127.0.0.1:1"), 1);
    char *text = printed(stderr, get_stderr);
    has(text, "command line: error: --cert: required, and not set (");
    has(text, "command line: error: --upstream: required, and not set (");
    cr_expect(strstr(text, "[") == NULL, "a section was shown: %s", text);
    free(text);
}

Test(dump, findings_name_flags_and_variables)
{
    setenv("SALLYPORT_UPSTREAM", "10.0.0.9:1", 1);
    cr_assert_eq(run(cmd_dump, "dump --listen nowhere --cert c --client-auth require "
                               "--workers x"), 1);
    char *text = printed(stderr, get_stderr);
    static const char *const lines[] = {
        "command line: error: --listen = \"nowhere\": a host name;",
        "command line: error: --workers = \"x\": not auto or a whole number",
        "command line: error: --client-auth = \"require\": clients' certificates cannot be checked",
        "without trust (name a file with the issuers to believe: --ca FILE)\n",
        "environment: error: SALLYPORT_UPSTREAM = \"10.0.0.9:1\": plaintext would leave this host",
        "add --plaintext-to 10.0.0.9/32)\n",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        has(text, lines[i]);
    free(text);
}

Test(dump, trust_without_asking_names_the_flags)
{
    cr_assert_eq(run(cmd_dump, "dump --listen 127.0.0.1:1 --cert c --upstream builtin:page --ca x "
                               "--client-auth none --log-level debug --log-level info"), 1);
    char *text = printed(stderr, get_stderr);
    has(text, "command line: error: --client-auth = \"none\": --ca says whom to believe");
    has(text, "command line: error: --log-level = \"info\": given twice\n");
    free(text);
}

Test(dump, a_file_that_is_not_there_is_one_error)
{
    cr_assert_eq(run(cmd_dump, "dump -c /nonexistent/x.conf"), 1);
    char *text = printed(stderr, get_stderr);
    cr_expect_str_eq(text, "/nonexistent/x.conf: error: no such file "
                           "(there is no folder /nonexistent)\n", "%s", text);
    free(text);
}
