/* The second load of a run: what it keeps of the first, and what each tells the watch. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/inventory.h"
#include "app/loader.h"
#include "fixture.h"
#include "scratch.h"

static char dir[SCRATCH_PATH_MAX];
static char config[SCRATCH_PATH_MAX + 16];
static struct load_plan plan;
static struct load_report report;
static struct diags diags;

#define STORE "[store s]\ncert = tls.crt\nkey = tls.key\n"
#define ROUTE "[route r]\nlisten = 127.0.0.1:0\nstore = s\nupstream = 127.0.0.1:9\n"

static void setup(void)
{
    scratch_make(dir);
    snprintf(config, sizeof(config), "%s/gate.conf", dir);
    scratch_write(dir, "gate.conf", STORE ROUTE);
    scratch_write(dir, "tls.crt", FIXTURE_CERT);
    scratch_write(dir, "tls.key", FIXTURE_KEY);
    plan = (struct load_plan){ .config_path = config };
}

static void teardown(void)
{
    if (plan.again)
        close(plan.running);
    load_report_free(&report);
    diags_free(&diags);
    scratch_remove(dir);
}

TestSuite(loader_again, .init = setup, .fini = teardown);

static const char *first_finding(void)
{
    return diags.n > 0 ? diags.v[0].message : "none";
}

static struct bundle *load(void)
{
    load_report_free(&report);
    report = (struct load_report){ 0 };
    diags_free(&diags);
    return loader_build_again(&plan, &report, &diags);
}

static int load_sealed(void)
{
    struct err e = ERR_INIT;
    struct bundle *b = load();

    cr_assert_not_null(b, "%s", first_finding());
    int fd = bundle_seal(b, &e);
    cr_assert_geq(fd, 0);
    bundle_free(b);
    return fd;
}

static void load_first(void)
{
    plan.running = load_sealed();
    plan.again = true;
}

static bool was_read(const char *name)
{
    for (size_t i = 0; i < report.nread; i++) {
        const char *slash = strrchr(report.read[i].path, '/');
        if (strcmp(slash + 1, name) == 0)
            return report.read[i].mark == watch_mark(report.read[i].path);
    }
    return false;
}

static bool same(int fd)
{
    bool yes = bundle_same(fd, plan.running);

    close(fd);
    return yes;
}

Test(loader_again, it_tells_what_it_read)
{
    scratch_write(dir, "ca.crt", FIXTURE_CERT);
    scratch_write(dir, "password", FIXTURE_PASSWORD "\n");
    scratch_write(dir, "gate.conf", STORE "password_file = password\n"
                  "[trust t]\nca = ca.crt\n" ROUTE "trust = t\n");
    close(load_sealed());
    cr_expect_eq(report.nread, 4u, "%zu", report.nread);
    cr_expect(was_read("tls.crt"));
    cr_expect(was_read("tls.key"));
    cr_expect(was_read("password"));
    cr_expect(was_read("ca.crt"));
    cr_expect_not(was_read("gate.conf"), "it is read when it is asked for");
}

Test(loader_again, what_is_missing_is_told_too)
{
    scratch_write(dir, "gate.conf", "[store s]\ncert = tls.crt\nkey = nowhere/tls.key\n" ROUTE);
    cr_expect_null(load());
    cr_expect(was_read("tls.crt"));
    cr_expect(was_read("tls.key"));
}

Test(loader_again, what_memory_and_the_environment_hold_is_no_path)
{
    setenv("SALLYPORT_TEST_PASSWORD", FIXTURE_PASSWORD, 1);
    scratch_write(dir, "gate.conf", STORE "password_file = env:SALLYPORT_TEST_PASSWORD\n" ROUTE);
    close(load_sealed());
    cr_expect_eq(report.nread, 2u);
}

Test(loader_again, the_same_files_make_the_same_bundle)
{
    load_first();
    struct timespec times[2] = { { .tv_nsec = UTIME_NOW }, { .tv_sec = 1700000000 } };
    char path[SCRATCH_PATH_MAX + 16];

    snprintf(path, sizeof(path), "%s/tls.crt", dir);
    cr_assert_eq(utimensat(AT_FDCWD, path, times, 0), 0);
    cr_expect(same(load_sealed()), "a file that is only touched has not been renewed");
    scratch_write(dir, "gate.conf", STORE ROUTE "idle_timeout = 1m\n");
    cr_expect_not(same(load_sealed()));
}

Test(loader_again, a_material_load_keeps_the_settings)
{
    load_first();
    plan.material = true;
    scratch_write(dir, "gate.conf", "half an edit");
    cr_expect(same(load_sealed()));
    unlink(config);
    cr_expect(same(load_sealed()));
    scratch_write(dir, "tls.key", FIXTURE_ENCRYPTED_KEY);
    cr_expect_null(load());
    cr_expect_eq(diags.errors, 1u, "%s", first_finding());
    cr_expect(was_read("tls.key"));

    plan.material = false;
    scratch_write(dir, "gate.conf", "half an edit");
    cr_expect_null(load());
    cr_expect_eq(report.nread, 0u, "it did not get that far");
}

static const struct {
    const char *what, *text;
    const char *missing;        /* a file that is removed */
    uint64_t wait_ms;
} waits[] = {
    { "nothing is wrong", STORE "wait_files = 5s\n" ROUTE, NULL, 0 },
    { "a file", STORE "wait_files = 5s\n" ROUTE, "tls.crt", 5000 },
    { "nobody waits", STORE ROUTE, "tls.crt", 0 },
    { "the least patient that lacks something",
      STORE "wait_files = 5s\n[store t]\ncert = tls.crt\nkey = tls.key\nwait_files = 3s\n" ROUTE,
      "tls.crt", 3000 },
    { "one that lacks nothing has no say",
      STORE "wait_files = 5s\n[store t]\ncert = other.crt\nkey = tls.key\n" ROUTE,
      "tls.crt", 5000 },
    { "a CA, as long as any store would",
      STORE "wait_files = 5s\n[trust t]\nca = ca.crt\n" ROUTE "trust = t\n", "ca.crt", 5000 },
    { "something else is wrong",
      STORE "wait_files = 5s\n" ROUTE "[proxy]\nlog = /nonexistent/log\n", "tls.crt", 0 },
    { "what only the proof finds", STORE "wait_files = 5s\n" ROUTE "ciphers = none-such\n", NULL,
      0 },
};

Test(loader_again, how_long_the_start_may_wait)
{
    for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
        char path[SCRATCH_PATH_MAX + 16];

        scratch_write(dir, "gate.conf", waits[i].text);
        scratch_write(dir, "tls.crt", FIXTURE_CERT);
        scratch_write(dir, "other.crt", FIXTURE_CERT);
        snprintf(path, sizeof(path), "%s/%s", dir, waits[i].missing ? waits[i].missing : "");
        if (waits[i].missing != NULL)
            unlink(path);
        bundle_free(load());
        cr_expect_eq(report.wait_ms, waits[i].wait_ms, "%s: %llu (%s)", waits[i].what,
                     (unsigned long long)report.wait_ms, first_finding());
    }
}
