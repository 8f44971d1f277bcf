/* Files that keys name: read whole, or refused in words. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "conf/file.h"
#include "support.h"

static char folder[] = "/tmp/sallyport-unit-XXXXXX";

static void make_folder(void)
{
    cr_assert_not_null(mkdtemp(folder));
    chmod(folder, 0755);
}

static void remove_folder(void)
{
    char *command = mem_printf("chmod -R u+rwx %s; rm -rf %s", folder, folder);

    cr_expect_eq(system(command), 0);
    free(command);
}

TestSuite(file, .init = make_folder, .fini = remove_folder);

static char *path_to(const char *name)
{
    return mem_printf("%s/%s", folder, name);
}

static char *write_file(const char *name, const void *bytes, size_t len)
{
    char *path = path_to(name);
    FILE *f = fopen(path, "wb");

    cr_assert_not_null(f);
    cr_assert_eq(fwrite(bytes, 1, len, f), len);
    fclose(f);
    return path;
}

static const struct diag_at where = { { "t.conf", 5 }, "store s", "cert", NULL };

/* Reading fails with exactly this finding, and nothing is left to free. */
static void refused(const char *path, const char *message, const char *hint)
{
    struct expected x = { DIAG_ERROR, 5, "cert", message, hint };
    struct diags d = { 0 };
    struct file f;

    cr_expect_lt(file_read(path, where, &f, &d), 0, "%s was read", path);
    cr_expect(find_finding(&d, &x) != NULL && d.n == 1, "expected %s, got %s", message,
              findings(&d));
    cr_expect_null(f.data);
    diags_free(&d);
}

Test(file, is_read_whole)
{
    size_t len = 100000;
    char *bytes = malloc(len);
    struct diags d = { 0 };
    struct file f;

    for (size_t i = 0; i < len; i++)
        bytes[i] = (char)(i * 31);
    char *path = write_file("big", bytes, len);
    cr_assert_eq(file_read(path, where, &f, &d), 0, "%s", findings(&d));
    cr_assert_eq(f.len, len);
    cr_expect_arr_eq(f.data, bytes, len);
    cr_expect_eq(f.data[len], 0);
    cr_expect_str_eq(f.path, path);
    cr_expect_str_eq(f.where.section, "store s");
    file_free(&f);
    free(bytes);
    free(path);
}

Test(file, of_the_greatest_size_is_read_and_a_larger_one_refused)
{
    char *path = write_file("huge", "", 0);
    struct diags d = { 0 };
    struct file f;

    cr_assert_eq(truncate(path, FILE_BYTES_MAX), 0);
    cr_expect_eq(file_read(path, where, &f, &d), 0, "%s", findings(&d));
    cr_expect_eq(f.len, FILE_BYTES_MAX);
    file_free(&f);
    cr_assert_eq(truncate(path, FILE_BYTES_MAX + 1), 0);
    refused(path, "larger than 10 MiB", "");
    refused("/dev/zero", "neither a regular file nor a pipe", "");
    free(path);
}

Test(file, missing_empty_or_no_file)
{
    char *missing = path_to("missing"), *nowhere = path_to("no/such/place");
    char *gap = mem_printf("there is no folder %s/no", folder);
    char *empty = write_file("empty", "", 0), *inside = path_to("empty/inside");
    char *named = mem_printf("%s: no such file", missing);

    refused(missing, named, "");
    refused(nowhere, "no such file", gap);
    refused(empty, "the file is empty", "");
    refused(folder, "a directory, not a file", "");
    refused(inside, "Not a directory", "");
    free(missing);
    free(nowhere);
    free(gap);
    free(empty);
    free(inside);
    free(named);
}

Test(file, a_link_to_nothing)
{
    char *link = path_to("link");

    cr_assert_eq(symlink("gone.pem", link), 0);
    refused(link, "a link to gone.pem, which does not exist", "");
    free(link);
}

Test(file, whose_path_is_the_value_is_not_named_twice)
{
    struct diag_at at = where;
    struct diags d = { 0 };
    struct file f;

    at.value = "/nonexistent";
    cr_expect_lt(file_read("/nonexistent", at, &f, &d), 0);
    cr_expect_str_eq(d.v[0].message, "no such file");
    diags_free(&d);
}

/* Permission checks do not bind root, so another user looks. */
static void as_nobody(void (*look)(const char *), const char *path)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        if (geteuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0))
            _exit(77);
        look(path);
        _exit(1);
    }
    waitpid(pid, &status, 0);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the other user saw %#x",
              (unsigned)status);
}

/* _exit(0) when the finding is right; its text goes to stderr otherwise. */
static void look_for(const char *path, const char *message, const char *hint)
{
    struct diags d = { 0 };
    struct file f;

    bool refusal = file_read(path, where, &f, &d) < 0 && d.n == 1;
    bool right = refusal && strstr(d.v[0].message, message) && d.v[0].hint
              && strstr(d.v[0].hint, hint);
    if (!right)
        diags_print(&d, stderr);
    diags_free(&d);
    if (right)
        _exit(0);
}

static void look_at_file(const char *path)
{
    look_for(path, "with mode 0000; this runs as ", "has to be allowed to read it: chown, or");
}

static void look_behind_folder(const char *path)
{
    look_for(path, "locked belongs to ", "has to be allowed to enter it: chown, or");
}

Test(file, that_may_not_be_read_says_whose_it_is)
{
    char *path = write_file("secret", "x", 1), *locked = path_to("locked");
    char *behind = path_to("locked/inner/file");

    chmod(path, 0);
    as_nobody(look_at_file, path);
    mkdir(locked, 0700);
    char *inner = path_to("locked/inner");
    mkdir(inner, 0755);
    free(write_file("locked/inner/file", "x", 1));
    chmod(locked, 0);
    as_nobody(look_behind_folder, behind);
    free(path);
    free(locked);
    free(inner);
    free(behind);
}

Test(file, may_be_a_pipe)
{
    struct diags d = { 0 };
    struct file f;
    int fds[2];

    cr_assert_eq(pipe(fds), 0);
    cr_assert_eq(write(fds[1], "piped", 5), 5);
    close(fds[1]);
    char *path = mem_printf("/dev/fd/%d", fds[0]);
    cr_assert_eq(file_read(path, where, &f, &d), 0, "%s", findings(&d));
    cr_expect_str_eq((char *)f.data, "piped");
    file_free(&f);
    free(path);
}

static void password_is(const char *spec, const char *expected)
{
    struct diags d = { 0 };
    struct file f;

    cr_assert_eq(file_password(spec, where, &f, &d), 0, "%s", findings(&d));
    cr_expect_str_eq((char *)f.data, expected);
    cr_expect_eq(f.len, strlen(expected));
    file_free(&f);
}

Test(file, password_loses_one_newline)
{
    static const struct {
        const char *bytes, *password;
    } cases[] = {
        { "pass", "pass" },     { "pass\n", "pass" },       { "pass\r\n", "pass" },
        { "pass\r", "pass\r" }, { "pass\n\n", "pass\n" }, { " pa ss ", " pa ss " },
        { "\n", "" },           { "\r\n", "" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *path = write_file("password", cases[i].bytes, strlen(cases[i].bytes));
        password_is(path, cases[i].password);
        free(path);
    }
}

Test(file, password_from_a_descriptor_is_there_at_every_reload)
{
    char *path = write_file("password", "hush\n", 5);
    int fd = open(path, O_RDONLY);
    char *spec = mem_printf("fd:%d", fd);

    password_is(spec, "hush");
    password_is(spec, "hush");
    free(spec);
    free(path);
}

static void password_refused(const char *spec, const char *message, const char *hint)
{
    struct expected x = { DIAG_ERROR, 5, "cert", message, hint };
    struct diags d = { 0 };
    struct file f;

    cr_expect_lt(file_password(spec, where, &f, &d), 0);
    cr_expect(find_finding(&d, &x) != NULL, "%s", findings(&d));
    cr_expect_null(f.data);
    diags_free(&d);
}

Test(file, password_that_is_not_there)
{
    char *nul = write_file("nul", "a\0b", 3), *missing = path_to("missing");
    char *wide = write_file("wide", "\xff\xfe" "a\0\n\0", 6);

    setenv("UNIT_PASSWORD", "spoken", 1);
    password_is("env:UNIT_PASSWORD", "spoken");
    setenv("UNIT_PASSWORD", "", 1);
    password_refused("env:UNIT_PASSWORD", "the variable is empty", NULL);
    unsetenv("UNIT_PASSWORD");
    password_refused("env:UNIT_PASSWORD", "the variable is not set", NULL);
    password_refused("fd:987", "no such descriptor was inherited", NULL);
    password_refused("fd:", "not the number of a descriptor", NULL);
    password_refused(nul, "NUL byte", NULL);
    password_refused(wide, "NUL byte", "UTF-16");
    password_refused(missing, "no such file", NULL);
    free(nul);
    free(wide);
    free(missing);
}
