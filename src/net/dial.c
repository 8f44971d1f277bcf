#include "net/dial.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "net/sock.h"

#define ANSWER_MS 1000          /* a helper that is stopped stops whoever asks so long */

union control {
    struct cmsghdr head;
    char room[CMSG_SPACE(sizeof(int))];
};

/* One packet, with a descriptor where fd is one. */
static int send_with(int to, const void *p, size_t len, int fd)
{
    union control c = { .room = { 0 } };
    struct iovec v = { .iov_base = (void *)(uintptr_t)p, .iov_len = len };
    struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };

    if (fd >= 0) {
        m.msg_control = c.room;
        m.msg_controllen = sizeof(c.room);
        c.head = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)),
                                   .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
        memcpy(CMSG_DATA(&c.head), &fd, sizeof(fd));
    }
    return sendmsg(to, &m, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)len ? 0 : -1;
}

/* The one descriptor that came. The room for one has, for its alignment, room for a second, and
   whoever sends two shall not fill our table with what nobody closes: those are closed here. */
static int only_fd(struct msghdr *m)
{
    struct cmsghdr *h = CMSG_FIRSTHDR(m);
    int fd = -1;

    if (h == NULL || h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
        return -1;
    size_t n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < n; i++) {
        memcpy(&fd, CMSG_DATA(h) + i * sizeof(int), sizeof(fd));
        if (n > 1)
            close(fd);
    }
    return n == 1 ? fd : -1;
}

/* Its length; *fd is -1 when none came. */
static ssize_t receive_with(int from, void *p, size_t room, int *fd)
{
    union control c = { .room = { 0 } };
    struct iovec v = { .iov_base = p, .iov_len = room };
    struct msghdr m = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = c.room, .msg_controllen = sizeof(c.room)
    };
    ssize_t n;

    *fd = -1;
    do
        n = recvmsg(from, &m, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);

    if (n >= 0)
        *fd = only_fd(&m);
    return n;
}

/* --- who asks --- */

static int await(int reply)
{
    struct pollfd p = { .fd = reply, .events = POLLIN };
    int error, fd;

    if (poll(&p, 1, ANSWER_MS) == 1 && receive_with(reply, &error, sizeof(error), &fd)
                                           == (ssize_t)sizeof(error)) {
        errno = error;
        return fd;
    }
    errno = EACCES;
    return -1;
}

static int ask(int helper, const struct addr *a)
{
    int reply[2], fd = -1, rc, error;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, reply) != 0)
        return -1;
    rc = send_with(helper, a, sizeof(*a), reply[1]);
    error = errno == EAGAIN ? EAGAIN : EACCES;
    close(reply[1]);            /* if the helper ends, so does the wait */
    if (rc == 0) {
        fd = await(reply[0]);
        error = errno;
    }
    close(reply[0]);
    errno = error;
    return fd;
}

int dial_connect(int helper, const struct addr *a)
{
    int fd = sock_connect(a);

    return fd < 0 && errno == EACCES && helper >= 0 ? ask(helper, a) : fd;
}

/* --- the helper --- */

int dial_pair(int ends[2], struct err *e)
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return err_set(e, "cannot make a pair of sockets");
    return 0;
}

static bool is_sound(const struct addr *a)
{
    switch (a->u.sa.sa_family) {
    case AF_INET: return a->len == sizeof(a->u.in);
    case AF_INET6: return a->len == sizeof(a->u.in6);
    case AF_UNIX: return a->len <= sizeof(a->u.un) && a->u.un.sun_path[0] == '/';
    default: return false;
    }
}

static void answer(const struct addr *a, int reply)
{
    int fd = is_sound(a) ? sock_connect(a) : -1;
    int error = fd >= 0 ? 0 : is_sound(a) ? errno : EACCES;

    (void)send_with(reply, &error, sizeof(error), fd);
    if (fd >= 0)
        close(fd);
}

void dial_serve(int end)
{
    struct addr a;
    int reply;
    ssize_t n;

    while ((n = receive_with(end, &a, sizeof(a), &reply)) > 0) {
        if (n == (ssize_t)sizeof(a) && reply >= 0)
            answer(&a, reply);
        if (reply >= 0)
            close(reply);
    }
}
