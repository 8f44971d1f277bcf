#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/inherited.h"
#include "app/memfile.h"
#include "app/takeover.h"
#include "base/mem.h"
#include "net/sock.h"
#include "scratch.h"

static struct addr addr(const char *text)
{
    struct err e = ERR_INIT;
    struct addr a;

    cr_assert_eq(addr_parse((struct span){ text, strlen(text) }, &a, &e), 0, "%s", e.text);
    return a;
}

static int listening(const char *text)
{
    struct err e = ERR_INIT;
    struct addr a = addr(text);
    int fd = sock_listen(&a, 8, &e);

    cr_assert_geq(fd, 0, "%s", e.text);
    return fd;
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

Test(inherited, what_was_another_sallyports_is_taken_once_and_in_order)
{
    int a = listening("127.0.0.1:0"), b = listening("127.0.0.1:0"), c = listening("127.0.0.1:0");

    inherited_add("127.0.0.1:1", a);
    inherited_add("127.0.0.1:2", b);
    inherited_add("127.0.0.1:1", c);
    cr_expect_eq(inherited_count("127.0.0.1:1"), 2);
    cr_expect_eq(inherited_take("127.0.0.1:1"), a);
    cr_expect_eq(inherited_take("127.0.0.1:1"), c);
    cr_expect_eq(inherited_take("127.0.0.1:1"), -1);
    inherited_close_rest();
    cr_expect(is_open(a) && is_open(c));
    cr_expect(!is_open(b), "nobody wanted it");
    cr_expect_eq(inherited_take("127.0.0.1:2"), -1);
}

Test(inherited, systemds_stay)
{
    struct err e = ERR_INIT;
    struct addr a = addr("systemd:web"), other = addr("systemd:other");
    int fd = listening("127.0.0.1:0"), none;

    inherited_add("systemd:web", fd);
    for (int i = 0; i < 2; i++) {
        int copy = inherited_from_name(&a, &e);
        cr_assert_geq(copy, 0, "%s", e.text);
        cr_expect_neq(copy, fd);
        close(copy);
    }
    inherited_close_rest();
    cr_expect(is_open(fd));
    cr_expect_eq(inherited_from_name(&other, &e), -1);
    cr_expect_str_eq(e.text, "systemd handed over no socket named other; it has web");
    cr_expect_str_eq(inherited_systemd(0, &none), "systemd:web");
    cr_expect_eq(none, fd);
    cr_expect_null(inherited_systemd(1, &none));
}

Test(inherited, a_unix_socket_that_nobody_wants_leaves_no_file)
{
    char folder[SCRATCH_PATH_MAX];

    scratch_make(folder);
    char *text = mem_printf("unix:%s/a.sock", folder);
    int fd = listening(text);

    inherited_add(text, fd);
    cr_expect_eq(access(text + 5, F_OK), 0);
    inherited_close_rest();
    cr_expect_neq(access(text + 5, F_OK), 0);
    free(text);
    scratch_remove(folder);
}

/* As the old one puts it into the environment; the descriptors in it are written as they are. */
static int receive(const char *text, struct takeover **t, struct err *e)
{
    char number[16];
    int fd = memfile_write("takeover", text, strlen(text));

    cr_assert_geq(fd, 0);
    snprintf(number, sizeof(number), "%d", fd);
    setenv(TAKEOVER_ENV, number, 1);
    int rc = takeover_receive(t, e);
    cr_expect_null(getenv(TAKEOVER_ENV), "no child may see it");
    return rc;
}

Test(takeover, nothing_to_take_over)
{
    struct err e = ERR_INIT;
    struct takeover *t;

    cr_expect_eq(takeover_receive(&t, &e), 0);
    cr_expect_null(t);
    cr_expect_eq(takeover_tickets(NULL), -1);
}

Test(takeover, each_line_is_a_descriptor)
{
    struct err e = ERR_INIT;
    struct takeover *t;
    int talk[2], sock = listening("127.0.0.1:0"), strange = dup(0), tickets = dup(0);

    cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, talk), 0);
    char *text = mem_printf(TAKEOVER_HEAD "talk %d\nsocket %d unix:/a b\nlater %d x\ntickets %d\n",
                            talk[1], sock, strange, tickets);
    cr_assert_eq(receive(text, &t, &e), 0, "%s", e.text);
    cr_assert_not_null(t);
    cr_expect_eq(inherited_take("unix:/a b"), sock, "keys may have blanks");
    cr_expect_eq(fcntl(sock, F_GETFD), FD_CLOEXEC);
    cr_expect_not(is_open(strange), "a later version's, perhaps");
    cr_expect_eq(takeover_tickets(t), tickets);
    cr_expect_eq(takeover_tickets(t), -1, "it is given away once");
    cr_expect_eq(takeover_endpoints(t), -1);
    cr_expect(inherited_files_stay(), "they are the old one's still");
    takeover_fail(t, "no reason");
    char said[64] = "";
    cr_expect_gt(recv(talk[0], said, sizeof(said) - 1, 0), 0);
    cr_expect_str_eq(said, "failed no reason");
    takeover_free(t);
    free(text);
}

Test(takeover, what_is_wrong_is_said)
{
    static const struct {
        const char *text, *reason;
    } cases[] = {
        { "sallyport-takeover 2\ntalk 0\n", "in a way this version does not know" },
        { "", "in a way this version does not know" },
        { TAKEOVER_HEAD, "nobody to talk to" },
        { TAKEOVER_HEAD "talk\n", "damaged" },
        { TAKEOVER_HEAD "talk -1\n", "damaged" },
        { TAKEOVER_HEAD "talk 987654\n", "descriptor 987654 was not handed over" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err e = ERR_INIT;
        struct takeover *t;
        cr_expect_eq(receive(cases[i].text, &t, &e), -1, "case %zu", i);
        cr_expect_null(t);
        cr_expect_not_null(strstr(e.text, cases[i].reason), "case %zu: %s", i, e.text);
    }
}
