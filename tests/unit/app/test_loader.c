#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tls/pairs.h"
#include "app/loader.h"
#include "fixture.h"
#include "scratch.h"

/* A configuration in the making: settings, files in memory, and a folder. */
static struct settings settings;
static struct diags diags;
static char dir[SCRATCH_PATH_MAX];

static const struct mem_file files[] = {
    { "memory:cert", FIXTURE_CERT, sizeof(FIXTURE_CERT) - 1 },
    { "memory:key", FIXTURE_KEY, sizeof(FIXTURE_KEY) - 1 },
    { "memory:encrypted", FIXTURE_ENCRYPTED_KEY, sizeof(FIXTURE_ENCRYPTED_KEY) - 1 },
};

static const struct load_plan plan = {
    .overrides = &settings, .files = files, .nfiles = sizeof(files) / sizeof(files[0])
};

static void set(const char *section, const char *name, const char *key, const char *value)
{
    settings_add(&settings, section, name, key, value, (struct origin){ "test", 0 });
}

static void setup(void)
{
    scratch_make(dir);
    set("route", "r", "listen", "127.0.0.1:0");
    set("route", "r", "store", "s");
    set("route", "r", "upstream", "127.0.0.1:9");
}

static void teardown(void)
{
    settings_free(&settings);
    diags_free(&diags);
    scratch_remove(dir);
}

TestSuite(loader, .init = setup, .fini = teardown);

static void store(const char *name, const char *cert, const char *key)
{
    set("store", name, "cert", cert);
    if (key != NULL)
        set("store", name, "key", key);
}

static char *all_findings(void)
{
    static char text[4096];

    text[0] = '\0';
    for (size_t i = 0; i < diags.n; i++) {
        char *one = diag_text(&diags.v[i]);
        size_t used = strlen(text);
        snprintf(text + used, sizeof(text) - used, "%s\n", one);
        free(one);
    }
    return text;
}

static size_t count(const char *what)
{
    size_t n = 0;

    for (const char *at = all_findings(); (at = strstr(at, what)) != NULL; at++)
        n++;
    return n;
}

static void expect_bundle(struct bundle *b)
{
    cr_assert_not_null(b, "%s", all_findings());
    cr_expect_eq(diags.errors, 0);
}

static void expect_errors(struct bundle *b, size_t n)
{
    cr_expect_null(b);
    cr_expect_eq(diags.errors, n, "%zu:\n%s", diags.errors, all_findings());
    bundle_free(b);
}

/* Records of a store, each with a key and a chain of one. */
static size_t pairs_in(const struct bundle *b, const char *store)
{
    size_t len = 0, n = 0, certlen;
    const uint8_t *p = bundle_get(b, &len, "store/%s", store);
    struct unpack u = { p, len, false };
    struct pair pair;

    for (; pairs_next(&u, &pair); n++) {
        cr_expect_gt(pair.keylen, 0);
        cr_expect_not_null(unpack_blob(&pair.chain, &certlen));
        cr_expect_eq(pair.chain.left, 0);
    }
    cr_expect_not(u.bad);
    return n;
}

static bool has(const struct bundle *b, const char *name)
{
    size_t len;

    return bundle_get(b, &len, "%s", name) != NULL;
}

Test(loader, a_bundle_has_settings_keys_and_anchors)
{
    store("s", "memory:cert", "memory:key");
    set("trust", "t", "ca", "memory:cert");
    set("route", "r", "trust", "t");
    struct bundle *b = loader_build(&plan, &diags);

    expect_bundle(b);
    cr_expect(has(b, "settings"));
    cr_expect_eq(pairs_in(b, "s"), 1);
    cr_expect(has(b, "trust/t/0"));
    cr_expect_not(has(b, "trust/t/1"));
    bundle_free(b);
}

Test(loader, no_password_travels_in_the_bundle)
{
    char path[2 * SCRATCH_PATH_MAX];

    scratch_write(dir, "password", FIXTURE_PASSWORD "\n");
    snprintf(path, sizeof(path), "%s/password", dir);
    store("s", "memory:cert", "memory:encrypted");
    set("store", "s", "password_file", path);
    struct bundle *b = loader_build(&plan, &diags);
    struct err e;

    expect_bundle(b);
    int fd = bundle_seal(b, &e);
    cr_assert_geq(fd, 0);
    struct stat st;
    cr_assert_eq(fstat(fd, &st), 0);
    char *bytes = malloc((size_t)st.st_size);
    cr_assert_eq(pread(fd, bytes, (size_t)st.st_size, 0), st.st_size);
    cr_expect_null(memmem(bytes, (size_t)st.st_size, FIXTURE_PASSWORD, strlen(FIXTURE_PASSWORD)));
    free(bytes);
    close(fd);
    bundle_free(b);
}

Test(loader, everything_wrong_is_found_at_once)
{
    store("s", "/nonexistent/cert.pem", "memory:nothing");
    store("t", "memory:cert", "memory:encrypted");
    set("trust", "u", "ca", "/nonexistent/ca.pem");
    expect_errors(loader_build(&plan, &diags), 4);
    cr_expect_eq(count("/nonexistent/cert.pem"), 1);
    cr_expect_eq(count("memory:nothing"), 1);
    cr_expect_eq(count("/nonexistent/ca.pem"), 1);
}

Test(loader, a_missing_file_is_named_once)
{
    store("s", "/nonexistent/a.pem", NULL);
    store("t", "/nonexistent/a.pem", NULL);
    expect_errors(loader_build(&plan, &diags), 1);
}

Test(loader, a_file_is_read_once_however_often_it_is_named)
{
    char path[2 * SCRATCH_PATH_MAX];

    snprintf(path, sizeof(path), "%s/fifo", dir);
    cr_assert_eq(mkfifo(path, 0600), 0);
    pid_t writer = fork();
    if (writer == 0) { /* a second reader would find no writer, and wait for ever */
        int fd = open(path, O_WRONLY);
        static const char text[] = FIXTURE_CERT FIXTURE_KEY;
        _exit(fd < 0 || write(fd, text, sizeof(text) - 1) < 0);
    }
    store("s", path, NULL);
    store("t", path, NULL);
    set("trust", "u", "ca", path);
    struct bundle *b = loader_build(&plan, &diags);

    expect_bundle(b);
    cr_expect_eq(pairs_in(b, "s"), 1);
    cr_expect_eq(pairs_in(b, "t"), 1);
    cr_expect(has(b, "trust/u/0"));
    bundle_free(b);
    waitpid(writer, NULL, 0);
}

Test(loader, the_proof_repeats_no_finding)
{
    store("s", "memory:cert", "memory:key");
    store("unused", "memory:cert", "memory:key");
    struct bundle *b = loader_build(&plan, &diags);

    expect_bundle(b);
    cr_expect_eq(count("no route uses it"), 1, "%s", all_findings());
    bundle_free(b);
}

Test(loader, the_proof_finds_what_only_tls_can_judge)
{
    store("s", "memory:cert", "memory:key");
    set("route", "r", "ciphersuites", "TLS_NO_SUCH_SUITE");
    cr_expect_null(loader_build(&plan, &diags));
    cr_expect_geq(diags.errors, 1);
    cr_expect_geq(count("TLS_NO_SUCH_SUITE"), 1, "%s", all_findings());
}

Test(loader, a_file_that_is_not_there_is_the_only_finding)
{
    struct load_plan none = { .config_path = "/nonexistent/sallyport.conf" };

    expect_errors(loader_build(&none, &diags), 1);
}

static int pipe_with(const char *text)
{
    int ends[2];

    cr_assert_eq(pipe(ends), 0);
    cr_assert_eq(write(ends[1], text, strlen(text)), (ssize_t)strlen(text));
    close(ends[1]);
    return ends[0];
}

static void encrypted_store(int password_fd)
{
    char spec[32];

    snprintf(spec, sizeof(spec), "fd:%d", password_fd);
    store("s", "memory:cert", "memory:encrypted");
    set("store", "s", "password_file", spec);
    store("t", "memory:cert", "memory:encrypted");
    set("store", "t", "key_password_file", spec);
}

Test(loader, a_password_from_a_pipe_can_be_used_again)
{
    struct load_report report = { 0 };
    const struct loader_pipes *pipes = &report.pipes;
    int fd = pipe_with(FIXTURE_PASSWORD "\n");

    encrypted_store(fd);
    struct bundle *b = loader_build_again(&plan, &report, &diags);
    expect_bundle(b);
    bundle_free(b);
    cr_assert_eq(pipes->n, 1, "two stores, one pipe");
    cr_expect_eq(pipes->number[0], fd);
    cr_assert_eq(dup2(pipes->copy[0], fd), fd);
    close(pipes->copy[0]);

    report.pipes.n = 0;
    b = loader_build_again(&plan, &report, &diags);
    expect_bundle(b);
    bundle_free(b);
    cr_expect_eq(pipes->n, 0, "a memory file needs no copy");
    load_report_free(&report);
    close(fd);
}

/* --- as a process --- */

struct outcome {
    struct loop *loop;
    struct loader_job *job;
    int fd, calls;
    char text[1024];
    size_t errors;
};

static void on_done(void *arg, int bundle_fd, struct diags *d, struct load_report *report)
{
    (void)report;
    struct outcome *o = arg;

    o->job = NULL;
    o->fd = bundle_fd;
    o->calls++;
    o->errors = d->errors;
    if (d->n > 0)
        snprintf(o->text, sizeof(o->text), "%s", d->v[0].message);
    loop_stop(o->loop);
}

static void on_child(void *arg, int signo)
{
    struct outcome *o = arg;
    int status;
    pid_t pid;

    (void)signo;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        (void)loader_reaped(o->job, pid, status);
}

static pid_t only_child(void)
{
    char path[64];
    int pid = 0;

    snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
    FILE *f = fopen(path, "r");
    cr_assert_not_null(f);
    cr_assert_eq(fscanf(f, "%d", &pid), 1);
    fclose(f);
    return pid;
}

static struct outcome run_job(const struct load_plan *p, int kill_with)
{
    struct err e = ERR_INIT;
    struct outcome o = { .loop = loop_new(&e), .fd = -1 };
    struct loop_signal *chld = loop_signal_new(o.loop, SIGCHLD, on_child, &o);

    o.job = loader_start(o.loop, p, on_done, &o, &e);
    cr_assert_not_null(o.job, "%s", e.text);
    if (kill_with != 0)
        kill(only_child(), kill_with);
    loop_run(o.loop);
    cr_expect_eq(o.calls, 1);
    loop_signal_free(chld);
    loop_free(o.loop);
    return o;
}

Test(loader, the_process_sends_a_sealed_bundle)
{
    struct err e = ERR_INIT;

    store("s", "memory:cert", "memory:key");
    struct outcome o = run_job(&plan, 0);
    cr_assert_geq(o.fd, 0, "%s", o.text);
    struct bundle *b = bundle_map(o.fd, &e);
    cr_assert_not_null(b, "%s", e.text);
    cr_expect_eq(pairs_in(b, "s"), 1);
    bundle_free(b);
    close(o.fd);
    cr_expect_eq(waitpid(-1, NULL, WNOHANG), -1, "a child is left");
}

Test(loader, the_process_sends_its_findings)
{
    store("s", "/nonexistent/cert.pem", NULL);
    struct outcome o = run_job(&plan, 0);

    cr_expect_eq(o.fd, -1);
    cr_expect_eq(o.errors, 1);
}

Test(loader, the_process_that_dies_is_a_finding)
{
    char path[2 * SCRATCH_PATH_MAX];

    snprintf(path, sizeof(path), "%s/fifo", dir);
    cr_assert_eq(mkfifo(path, 0600), 0);
    store("s", path, NULL); /* it hangs there */
    struct outcome o = run_job(&plan, SIGKILL);

    cr_expect_eq(o.fd, -1);
    cr_expect_eq(o.errors, 1);
    cr_expect_not_null(strstr(o.text, "killed by signal 9"), "%s", o.text);
}

Test(loader, a_process_that_hangs_is_ended)
{
    char path[2 * SCRATCH_PATH_MAX];
    struct load_plan p = plan;

    p.patience_ms = 200;
    snprintf(path, sizeof(path), "%s/fifo", dir);
    cr_assert_eq(mkfifo(path, 0600), 0);
    store("s", path, NULL);
    struct outcome o = run_job(&p, 0);

    cr_expect_eq(o.fd, -1);
    cr_expect_eq(o.errors, 1);
    cr_expect_not_null(strstr(o.text, "did nothing"), "%s", o.text);
}

/* Keys under passwords, each of which takes its time: far longer than the patience. */
Test(loader, a_process_that_works_is_not_taken_for_one_that_hangs)
{
    struct load_plan p = plan;
    int fd = pipe_with(FIXTURE_PASSWORD "\n");

    p.patience_ms = 30;
    encrypted_store(fd);
    for (int i = 0; i < 300; i++) {
        char name[16], spec[16];
        snprintf(name, sizeof(name), "more%d", i);
        snprintf(spec, sizeof(spec), "fd:%d", fd);
        set("store", name, "cert", "memory:cert");
        set("store", name, "key", "memory:encrypted");
        set("store", name, "password_file", spec);
    }
    struct outcome o = run_job(&p, 0);

    cr_expect_null(strstr(o.text, "did nothing"), "%s", o.text);
    close(o.fd);
    close(fd);
}

Test(loader, the_process_keeps_a_pipe_s_password_for_the_next)
{
    int fd = pipe_with(FIXTURE_PASSWORD "\n");

    encrypted_store(fd);
    for (int i = 0; i < 2; i++) {
        struct outcome o = run_job(&plan, 0);
        cr_assert_geq(o.fd, 0, "load %d: %s", i + 1, o.text);
        close(o.fd);
    }
    close(fd);
}

Test(loader, a_cancelled_process_is_gone)
{
    struct err e = ERR_INIT;
    char path[2 * SCRATCH_PATH_MAX];
    struct outcome o = { .loop = loop_new(&e) };

    snprintf(path, sizeof(path), "%s/fifo", dir);
    cr_assert_eq(mkfifo(path, 0600), 0);
    store("s", path, NULL);
    struct loader_job *j = loader_start(o.loop, &plan, on_done, &o, &e);
    cr_assert_not_null(j, "%s", e.text);
    loader_cancel(j);
    cr_expect_eq(waitpid(-1, NULL, WNOHANG), -1);
    cr_expect_eq(o.calls, 0);
    loop_free(o.loop);
}
