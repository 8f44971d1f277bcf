#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/listeners.h"
#include "conf/settings.h"
#include "net/sock.h"
#include "scratch.h"

#define WORKERS 3

static struct diags diags;

static void teardown(void)
{
    diags_free(&diags);
}

TestSuite(listeners, .fini = teardown);

/* A configuration that listens on these addresses (NULL ends the list). */
static struct conf *conf_on(const char *const *addresses)
{
    struct settings s = { 0 };
    struct origin at = { "test", 0 };

    settings_add(&s, "store", "s", "cert", "memory:cert", at);
    settings_add(&s, "route", "r", "store", "s", at);
    settings_add(&s, "route", "r", "upstream", "127.0.0.1:9", at);
    for (; *addresses != NULL; addresses++)
        settings_add(&s, "route", "r", "listen", *addresses, at);
    struct conf *c = conf_build(&s, &diags);
    cr_assert_not_null(c);
    settings_free(&s);
    return c;
}

#define ON(...) conf_on((const char *const[]){ __VA_ARGS__, NULL })

static struct listen_set *open_set(const struct listen_set *running, struct conf *c)
{
    struct listen_set *s = listen_set_open(running, c, WORKERS, &diags);

    conf_free(c);
    return s;
}

static bool accepts(const struct addr *a)
{
    int fd = socket(a->u.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool good = connect(fd, &a->u.sa, a->len) == 0;

    close(fd);
    return good;
}

/* "127.0.0.1:PORT" or "unix:PATH" of the i-th. */
static const char *text_of(const struct listen_set *s, size_t i)
{
    static char text[ADDR_TEXT_MAX];

    return addr_text(listen_set_addr(s, i), text);
}

Test(listeners, port_0_is_one_port_for_all_workers)
{
    struct listen_set *s = open_set(NULL, ON("127.0.0.1:0", "[::1]:0"));

    cr_assert_not_null(s);
    cr_assert_eq(listen_set_count(s), 2);
    for (size_t i = 0; i < 2; i++) {
        cr_expect(listen_set_is_new(s, i));
        for (size_t w = 0; w < WORKERS; w++) {
            struct addr a;
            cr_assert_eq(sock_local_addr(listen_set_fds(s, w)[i], &a), 0);
            cr_expect(addr_equal(&a, listen_set_addr(s, i)));
            for (size_t v = 0; v < w; v++)
                cr_expect_neq(listen_set_fds(s, w)[i], listen_set_fds(s, v)[i]);
        }
    }
    cr_expect_str_neq(text_of(s, 0), "127.0.0.1:0");
    listen_set_free(s);
}

Test(listeners, what_both_have_is_shared_and_what_is_gone_closes)
{
    struct listen_set *old = open_set(NULL, ON("127.0.0.1:0", "127.0.0.2:0"));
    struct addr gone = *listen_set_addr(old, 1), stays = *listen_set_addr(old, 0);
    struct listen_set *new = open_set(old, ON("127.0.0.3:0", "127.0.0.1:0"));

    cr_assert_not_null(new);
    cr_expect(listen_set_is_new(new, 0));
    cr_expect_not(listen_set_is_new(new, 1));
    for (size_t w = 0; w < WORKERS; w++)
        cr_expect_eq(listen_set_fds(new, w)[1], listen_set_fds(old, w)[0]);
    cr_expect(accepts(&gone));
    listen_set_free(old);
    cr_expect_not(accepts(&gone));
    cr_expect(accepts(&stays));
    listen_set_free(new);
    cr_expect_not(accepts(&stays));
}

Test(listeners, a_failing_address_leaves_everything_as_it_was)
{
    struct listen_set *old = open_set(NULL, ON("127.0.0.1:0"));
    struct addr other;
    struct err e;
    char taken[ADDR_TEXT_MAX];

    /* A socket without SO_REUSEPORT keeps its port for itself. */
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(addr_parse((struct span){ "127.0.0.4:0", 11 }, &other, &e), 0);
    cr_assert_eq(bind(fd, &other.u.sa, other.len), 0);
    cr_assert_eq(listen(fd, 1), 0);
    cr_assert_eq(sock_local_addr(fd, &other), 0);
    addr_text(&other, taken);

    unsigned before = scratch_open_fds();
    cr_expect_null(open_set(old, ON("127.0.0.1:0", taken, "127.0.0.2:0", "192.0.2.1:0")));
    cr_expect_eq(diags.errors, 2, "each address that fails is a finding");
    cr_expect_eq(scratch_open_fds(), before);
    cr_expect(accepts(listen_set_addr(old, 0)));
    listen_set_free(old);
    close(fd);
}

Test(listeners, a_unix_socket_is_one_for_all_and_its_file_goes)
{
    char dir[SCRATCH_PATH_MAX], path[2 * SCRATCH_PATH_MAX];
    struct stat st;

    scratch_make(dir);
    snprintf(path, sizeof(path), "unix:%s/s", dir);
    struct listen_set *s = open_set(NULL, ON(path));
    cr_assert_not_null(s);
    for (size_t w = 1; w < WORKERS; w++)
        cr_expect_eq(listen_set_fds(s, w)[0], listen_set_fds(s, 0)[0]);
    cr_expect_str_eq(text_of(s, 0), path);
    cr_expect(accepts(listen_set_addr(s, 0)));

    /* Shared by the next set, it stays. */
    struct listen_set *next = open_set(s, ON(path));
    listen_set_free(s);
    cr_expect_eq(stat(path + 5, &st), 0);
    cr_expect(accepts(listen_set_addr(next, 0)));
    listen_set_free(next);
    cr_expect_eq(stat(path + 5, &st), -1);
    scratch_remove(dir);
}

Test(listeners, a_unix_socket_that_another_has_replaced_stays)
{
    char dir[SCRATCH_PATH_MAX], path[2 * SCRATCH_PATH_MAX];
    struct err e;

    scratch_make(dir);
    snprintf(path, sizeof(path), "unix:%s/s", dir);
    struct listen_set *s = open_set(NULL, ON(path));
    struct addr a = *listen_set_addr(s, 0);
    cr_assert_eq(unlink(path + 5), 0);
    int fd = sock_listen(&a, 1, &e);
    cr_assert_geq(fd, 0);
    listen_set_free(s);
    cr_expect(accepts(&a));
    close(fd);
    scratch_remove(dir);
}
