#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/sandbox.h"
#include "conf/settings.h"

static struct diags diags;
static struct sandbox made[2];

static void teardown(void)
{
    diags_free(&diags);
    sandbox_free(&made[0]);
    sandbox_free(&made[1]);
}

TestSuite(sandbox, .fini = teardown);

static const struct origin at = { "test", 0 };

static struct conf *conf_with(const char *section, const char *key, const char *value,
                              const char *server)
{
    struct settings s = { 0 };

    settings_add(&s, "store", "s", "cert", "memory:cert", at);
    settings_add(&s, "route", "r", "store", "s", at);
    settings_add(&s, "route", "r", "listen", "127.0.0.1:0", at);
    settings_add(&s, "route", "r", "upstream", "u", at);
    settings_add(&s, "upstream", "u", "server", "127.0.0.1:900", at);
    settings_add(&s, "upstream", "u", "server", server, at);
    if (section != NULL)
        settings_add(&s, section, *section == 'p' ? "" : "s", key, value, at);
    struct conf *c = conf_build(&s, &diags);
    cr_assert_not_null(c);
    settings_free(&s);
    return c;
}

static struct sandbox planned(const char *section, const char *key, const char *value,
                              const char *server)
{
    struct conf *c = conf_with(section, key, value, server);
    struct sandbox s = sandbox_plan(c);

    conf_free(c);
    return s;
}

static void expect_ports(const struct sandbox *s, const uint16_t *ports, size_t n)
{
    cr_expect_not(s->any_port);
    cr_assert_eq(s->nports, n);
    for (size_t i = 0; i < n; i++)
        cr_expect_eq(s->ports[i], ports[i], "%u", s->ports[i]);
}

Test(sandbox, has_the_ports_of_servers_and_name_servers)
{
    made[0] = planned("proxy", "resolver", "10.0.0.2:5353", "127.0.0.2:900");
    expect_ports(&made[0], (const uint16_t[]){ 53, 900, 5353 }, 3);
    cr_expect_not(made[0].tokens);
    cr_expect_eq(made[0].mode, SANDBOX_AUTO);

    made[1] = planned("proxy", "sandbox", "require", "unix:/run/a.sock");
    expect_ports(&made[1], (const uint16_t[]){ 53, 900 }, 2);
    cr_expect_eq(made[1].mode, SANDBOX_REQUIRE);
}

Test(sandbox, knows_keys_in_tokens)
{
    made[0] = planned("store", "key", "pkcs11:token=t;object=o", "127.0.0.1:901");
    made[1] = planned("store", "key", "file:///etc/key.pem", "127.0.0.1:901");
    cr_expect(made[0].tokens);
    cr_expect_not(made[1].tokens);
}

Test(sandbox, is_wider_or_narrower)
{
    made[0] = planned(NULL, NULL, NULL, "127.0.0.1:901");
    made[1] = planned(NULL, NULL, NULL, "127.0.0.1:902");
    cr_expect(sandbox_covers(&made[0], &made[0]));
    cr_expect_not(sandbox_covers(&made[0], &made[1]));

    sandbox_widen(&made[0], &made[1]);
    expect_ports(&made[0], (const uint16_t[]){ 53, 900, 901, 902 }, 4);
    cr_expect(sandbox_covers(&made[0], &made[1]));
    cr_expect_not(sandbox_covers(&made[1], &made[0]));

    sandbox_narrow(&made[0], &made[1]);
    expect_ports(&made[0], (const uint16_t[]){ 53, 900, 902 }, 3);
}

Test(sandbox, of_all_ports_is_the_widest)
{
    struct sandbox all = { .any_port = true };

    made[0] = planned(NULL, NULL, NULL, "127.0.0.1:901");
    cr_expect(sandbox_covers(&all, &made[0]));
    cr_expect(sandbox_covers(&all, &all));
    cr_expect_not(sandbox_covers(&made[0], &all));
    sandbox_narrow(&made[0], &all);
    expect_ports(&made[0], (const uint16_t[]){ 53, 900, 901 }, 3);
    sandbox_narrow(&all, &made[0]);
    expect_ports(&all, (const uint16_t[]){ 53, 900, 901 }, 3);
    sandbox_widen(&all, &(struct sandbox){ .any_port = true });
    cr_expect(all.any_port);
    sandbox_free(&all);
}

/* In a child, for it cannot be undone: what is left of the variable. */
static int left_of(const struct sandbox *s, enum sandbox_role role)
{
    struct err e = ERR_INIT;
    int status;
    pid_t pid = fork();

    if (pid == 0)
        _exit(sandbox_enter(s, role, &e) != 0 ? 99 : (int)strlen(getenv("UNIT_PASSWORD")));
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

Test(sandbox, leaves_passwords_to_the_loader)
{
    setenv("UNIT_PASSWORD", "sesame", 1);
    made[0] = planned("store", "password_file", "env:UNIT_PASSWORD", "127.0.0.1:901");
    made[0].mode = SANDBOX_OFF;
    cr_expect_eq(left_of(&made[0], SANDBOX_WORKER), 0);
    cr_expect_eq(left_of(&made[0], SANDBOX_MONITOR), 0);
    cr_expect_eq(left_of(&made[0], SANDBOX_DIALLER), 0);
    cr_expect_eq(left_of(&made[0], SANDBOX_LOADER), 6);
}

static size_t judged(const char *workers, const char *mode)
{
    struct conf *c = conf_with("proxy", "sandbox", mode, "127.0.0.1:901");

    c->proxy.workers = (uint32_t)strtoul(workers, NULL, 10);
    sandbox_judge(&c->proxy, &diags);
    conf_free(c);
    return diags.errors;
}

Test(sandbox, cannot_be_required_of_one_process)
{
    cr_expect_eq(judged("0", "auto"), 0);
    cr_expect_eq(judged("0", "off"), 0);
    cr_expect_eq(judged("0", "require"), 1);
    cr_expect_str_eq(diags.v[0].key, "sandbox");
    cr_expect_not_null(diags.v[0].hint);
}
