#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/dial.h"
#include "net/sock.h"

/* A socket that root alone may connect to: what is refused with EACCES, without a sandbox. */
static char folder[] = "/tmp/sallyport-dial-XXXXXX";
static struct addr place;
static int listener = -1, ends[2] = { -1, -1 };

static void setup(void)
{
    struct err e = ERR_INIT;
    char text[64];

    if (geteuid() != 0)
        cr_skip_test("not root, whom alone nothing is refused");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(text, sizeof(text), "unix:%s/s", folder);
    cr_assert_eq(addr_parse(str_span(text), &place, &e), 0);
    listener = sock_listen(&place, 8, &e);
    cr_assert_geq(listener, 0);
    cr_assert_eq(chmod(folder, 0755), 0);
    cr_assert_eq(chmod(place.u.un.sun_path, 0600), 0);
    cr_assert_eq(dial_pair(ends, &e), 0);
}

static void teardown(void)
{
    if (geteuid() != 0)
        return;
    unlink(place.u.un.sun_path);
    rmdir(folder);
}

TestSuite(dial, .init = setup, .fini = teardown);

static pid_t helper(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        close(ends[0]);
        dial_serve(ends[1]);
        _exit(0);
    }
    close(ends[1]);
    return pid;
}

static int ended(pid_t pid)
{
    int status = -1;

    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert(WIFEXITED(status), "signal %d", WTERMSIG(status));
    return WEXITSTATUS(status);
}

/* As nobody, by that helper: 0, or the errno. */
static int dialled(int by)
{
    pid_t pid = fork();

    if (pid == 0) {
        char byte = 'x';
        if (setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0)
            _exit(99);
        int fd = dial_connect(by, &place);
        _exit(fd < 0 ? errno : write(fd, &byte, 1) == 1 ? 0 : 98);
    }
    return ended(pid);
}

static void expect_a_byte(void)
{
    struct peer from;
    char byte = 0;
    int fd = sock_accept(listener, &from);

    cr_assert_geq(fd, 0);
    cr_expect_eq(read(fd, &byte, 1), 1);
    cr_expect_eq(byte, 'x');
    close(fd);
}

Test(dial, asks_whom_nothing_is_refused)
{
    pid_t pid = helper();

    cr_expect_eq(dialled(-1), EACCES);
    cr_expect_eq(dialled(ends[0]), 0);
    expect_a_byte();
    cr_expect_eq(dialled(ends[0]), 0, "more than once");
    expect_a_byte();
    close(ends[0]);
    cr_expect_eq(ended(pid), 0, "nobody is left who could ask");
}

Test(dial, is_told_why_not)
{
    close(listener);

    pid_t pid = helper();
    cr_expect_eq(dialled(ends[0]), ECONNREFUSED);
    close(ends[0]);
    cr_expect_eq(ended(pid), 0);
}

Test(dial, goes_without_a_helper_that_is_gone)
{
    pid_t pid = helper();

    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    cr_expect_eq(dialled(ends[0]), EACCES);
}

/* Whoever asks may be no friend. */
Test(dial, serves_on_after_nonsense)
{
    struct addr odd = place;
    int reply[2], error = 0;
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } c = { .room = { 0 } };
    struct iovec v = { &odd, sizeof(odd) };
    struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = c.room,
                        .msg_controllen = sizeof(c.room) };
    pid_t pid = helper();

    cr_assert_eq(send(ends[0], "?", 1, 0), 1);
    cr_assert_eq(send(ends[0], &odd, sizeof(odd), 0), (ssize_t)sizeof(odd), "no way to answer");

    cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, reply), 0);
    c.head = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET,
                               .cmsg_type = SCM_RIGHTS };
    memcpy(CMSG_DATA(&c.head), &reply[1], sizeof(int));
    odd.u.un.sun_path[0] = '\0';        /* an abstract socket */
    cr_assert_eq(sendmsg(ends[0], &m, 0), (ssize_t)sizeof(odd));
    cr_expect_eq(read(reply[0], &error, sizeof(error)), (ssize_t)sizeof(error));
    cr_expect_eq(error, EACCES);

    cr_expect_eq(dialled(ends[0]), 0);
    expect_a_byte();
    close(ends[0]);
    cr_expect_eq(ended(pid), 0);
}

/* The room for one descriptor has room for two: none of them may stay open at the helper. */
Test(dial, keeps_nothing_of_two_descriptors)
{
    struct addr odd = place;
    int reply[2];
    char byte;
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(2 * sizeof(int))];
    } c = { .room = { 0 } };
    struct iovec v = { &odd, sizeof(odd) };
    struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = c.room,
                        .msg_controllen = sizeof(c.room) };
    pid_t pid = helper();

    cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, reply), 0);
    c.head = (struct cmsghdr){ .cmsg_len = CMSG_LEN(2 * sizeof(int)), .cmsg_level = SOL_SOCKET,
                               .cmsg_type = SCM_RIGHTS };
    memcpy(CMSG_DATA(&c.head), (int[]){ reply[1], reply[1] }, 2 * sizeof(int));
    cr_assert_eq(sendmsg(ends[0], &m, 0), (ssize_t)sizeof(odd));
    close(reply[1]);

    cr_expect_eq(dialled(ends[0]), 0, "what came before has been dealt with");
    cr_expect_eq(recv(reply[0], &byte, 1, MSG_DONTWAIT), 0, "the other end is closed everywhere");
    expect_a_byte();
    close(ends[0]);
    cr_expect_eq(ended(pid), 0);
}
