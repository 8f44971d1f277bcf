#include "app/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/list.h"
#include "base/mem.h"

/* A packet. One message is one packet, but for a BUNDLE with more descriptors than
   the kernel lets ride on one (253): then it is several, told apart by their number. */
struct wire {
    uint32_t magic;
    uint32_t kind;
    uint64_t number;
    int32_t log_format, log_level;
    uint32_t nfds;              /* of the whole message */
    uint32_t first_fd;          /* of these, the first that rides on this packet */
    char text[ERR_TEXT_MAX];
};

#define WIRE_MAGIC 0x53504d31u
#define FDS_PER_PACKET 200u
#define TURN_MAX 64u            /* packets; then it is the turn of whoever else waits */
#define QUEUE_MAX 256u          /* packets; a worker that leaves so many unread is stuck */

struct packet {
    struct list link;
    struct wire wire;
    size_t nfds;
    int fds[];                  /* ours while the packet waits */
};

struct channel {
    struct loop_fd *io;
    channel_fn *on_msg;
    channel_closed_fn *on_closed;
    void *arg;
    int fd;
    bool broken;                /* the other end is gone; told once */
    bool *freed;                /* set while a handler runs, to see it free us */
    struct list queue;          /* of packets */
    unsigned nqueued;

    struct wire part;           /* the message being put together, nfds 0: none */
    int *fds;
    size_t nfds;
};

int channel_pair(int fds[2], struct err *e)
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0)
        return err_set(e, "cannot make a socket pair");
    return 0;
}

static void close_all(int *fds, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

static void watch(struct channel *c)
{
    if (c->broken)
        loop_fd_want(c->io, 0);
    else
        loop_fd_want(c->io, LOOP_READ | (list_empty(&c->queue) ? 0u : (unsigned)LOOP_WRITE));
}

static void break_off(struct channel *c)
{
    if (c->broken)
        return;
    c->broken = true;
    watch(c);
    c->on_closed(c->arg);
}

/* --- sending --- */

/* 0, or -1 with errno. */
static int send_packet(int fd, const struct wire *w, const int *fds, size_t nfds)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * FDS_PER_PACKET)];
    } control = { 0 };
    struct wire copy = *w;      /* an iovec is not const */
    struct iovec iov = { .iov_base = &copy, .iov_len = sizeof(copy) };
    struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };

    if (nfds > 0) {
        h.msg_control = control.bytes;
        h.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
        control.align = (struct cmsghdr){
            .cmsg_len = CMSG_LEN(sizeof(int) * nfds),
            .cmsg_level = SOL_SOCKET,
            .cmsg_type = SCM_RIGHTS,
        };
        memcpy(CMSG_DATA(&control.align), fds, sizeof(int) * nfds);
    }

    ssize_t n;
    do
        n = sendmsg(fd, &h, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -1 : 0;
}

static bool must_wait(int code)
{
    /* ETOOMANYREFS: too many descriptors are on their way already. */
    return code == EAGAIN || code == ENOBUFS || code == ETOOMANYREFS;
}

static void packet_free(struct packet *p)
{
    close_all(p->fds, p->nfds);
    free(p);
}

static int enqueue(struct channel *c, const struct wire *w, const int *fds, size_t nfds)
{
    if (c->nqueued >= QUEUE_MAX)
        return -1;

    struct packet *p = mem_zalloc(sizeof(*p) + nfds * sizeof(int));
    p->wire = *w;
    for (; p->nfds < nfds; p->nfds++) {
        int copy = fcntl(fds[p->nfds], F_DUPFD_CLOEXEC, 0);
        if (copy < 0) {
            packet_free(p);
            return -1;
        }
        p->fds[p->nfds] = copy;
    }
    list_append(&c->queue, &p->link);
    c->nqueued++;
    return 0;
}

static int send_or_queue(struct channel *c, const struct wire *w, const int *fds, size_t nfds)
{
    if (list_empty(&c->queue)) {
        if (send_packet(c->fd, w, fds, nfds) == 0)
            return 0;
        if (!must_wait(errno))
            return -1;
    }
    return enqueue(c, w, fds, nfds);
}

int channel_send(struct channel *c, const struct channel_msg *m)
{
    struct wire w = {
        .magic = WIRE_MAGIC,
        .kind = (uint32_t)m->kind,
        .number = m->number,
        .log_format = m->log_format,
        .log_level = m->log_level,
        .nfds = (uint32_t)m->nfds,
    };
    size_t done = 0;

    if (c->broken || m->nfds > CHANNEL_FDS_MAX)
        return -1;
    memcpy(w.text, m->text, sizeof(w.text));
    do {
        size_t n = m->nfds - done < FDS_PER_PACKET ? m->nfds - done : FDS_PER_PACKET;
        w.first_fd = (uint32_t)done;
        if (send_or_queue(c, &w, m->fds + done, n) != 0)
            return -1;
        done += n;
    } while (done < m->nfds);
    watch(c);
    return 0;
}

bool channel_flushed(const struct channel *c)
{
    return c->broken || list_empty(&c->queue);
}

static void flush(struct channel *c)
{
    LIST_EACH(pos, tmp, &c->queue) {
        struct packet *p = LIST_OF(struct packet, link, pos);
        if (send_packet(c->fd, &p->wire, p->fds, p->nfds) != 0)
            return; /* wait for room; an end that is gone is seen by the reader */
        list_remove(&p->link);
        c->nqueued--;
        packet_free(p);
    }
}

/* --- receiving --- */

static bool is_sane(const struct wire *w, size_t nfds, const struct channel *c)
{
    if (w->magic != WIRE_MAGIC || w->kind < CHANNEL_BUNDLE || w->kind > CHANNEL_LAST
        || memchr(w->text, '\0', sizeof(w->text)) == NULL)
        return false;
    if (w->nfds > CHANNEL_FDS_MAX || w->first_fd != c->nfds || w->first_fd + nfds > w->nfds
        || (w->nfds > 0 && nfds == 0))
        return false;
    /* The parts of one message follow each other. */
    return c->nfds == 0
        || (w->kind == c->part.kind && w->number == c->part.number && w->nfds == c->part.nfds);
}

/* Descriptors that came, into fds (room for FDS_PER_PACKET); false if any was lost. */
static bool take_fds(struct msghdr *h, int *fds, size_t *nfds)
{
    bool whole = !(h->msg_flags & (MSG_CTRUNC | MSG_TRUNC));

    *nfds = 0;
    for (struct cmsghdr *cm = CMSG_FIRSTHDR(h); cm != NULL; cm = CMSG_NXTHDR(h, cm)) {
        if (cm->cmsg_level != SOL_SOCKET || cm->cmsg_type != SCM_RIGHTS)
            continue;
        size_t n = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        if (n > FDS_PER_PACKET - *nfds)
            n = FDS_PER_PACKET - *nfds; /* cannot be: the buffer has no room for more */
        memcpy(fds + *nfds, CMSG_DATA(cm), n * sizeof(int));
        *nfds += n;
    }
    return whole;
}

/* 1: a packet; 0: none now; -1: the end, or nonsense. */
static int receive_packet(struct channel *c, struct wire *w, int *fds, size_t *nfds)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * FDS_PER_PACKET)];
    } control;
    struct iovec iov = { .iov_base = w, .iov_len = sizeof(*w) };
    struct msghdr h = {
        .msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof(control.bytes),
    };
    ssize_t n;

    do
        n = recvmsg(c->fd, &h, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return must_wait(errno) ? 0 : -1;
    if (n == 0)
        return -1;
    if (take_fds(&h, fds, nfds) && (size_t)n == sizeof(*w) && is_sane(w, *nfds, c))
        return 1;
    close_all(fds, *nfds);
    return -1;
}

/* Hand the message over. False when the handler freed the channel. */
static bool deliver(struct channel *c)
{
    bool freed = false;
    struct channel_msg m = {
        .kind = (enum channel_kind)c->part.kind,
        .number = c->part.number,
        .log_format = c->part.log_format,
        .log_level = c->part.log_level,
        .fds = c->fds,
        .nfds = c->nfds,
    };

    memcpy(m.text, c->part.text, sizeof(m.text));
    c->fds = NULL;
    c->nfds = 0;
    c->freed = &freed;
    c->on_msg(c->arg, &m);
    close_all(m.fds, m.nfds);
    free(m.fds);
    if (freed)
        return false;
    c->freed = NULL;
    return true;
}

static void on_ready(void *arg, unsigned ready)
{
    struct channel *c = arg;
    int fds[FDS_PER_PACKET];
    size_t n;

    if (ready & LOOP_WRITE)
        flush(c);
    for (unsigned i = 0; i < TURN_MAX && ready & LOOP_READ; i++) {
        struct wire w;
        int rc = receive_packet(c, &w, fds, &n);
        if (rc == 0)
            break;
        if (rc < 0) {
            break_off(c);
            return;
        }
        if (n > 0) {
            c->fds = mem_grow(c->fds, c->nfds + n, sizeof(int));
            memcpy(c->fds + c->nfds, fds, n * sizeof(int));
            c->nfds += n;
        }
        c->part = w;
        if (c->nfds == w.nfds && !deliver(c))
            return;
    }
    watch(c);
}

/* --- life --- */

struct channel *channel_new(struct loop *l, int fd, channel_fn *on_msg,
                            channel_closed_fn *on_closed, void *arg)
{
    struct channel *c = mem_zalloc(sizeof(*c));

    *c = (struct channel){ .fd = fd, .on_msg = on_msg, .on_closed = on_closed, .arg = arg };
    list_init(&c->queue);
    c->io = loop_fd_new(l, fd, on_ready, c);
    if (c->io == NULL || loop_fd_want(c->io, LOOP_READ) != 0) {
        channel_free(c);
        return NULL;
    }
    return c;
}

void channel_free(struct channel *c)
{
    if (c == NULL)
        return;
    if (c->freed != NULL)
        *c->freed = true;
    loop_fd_free(c->io);
    LIST_EACH(pos, tmp, &c->queue)
        packet_free(LIST_OF(struct packet, link, pos));
    close_all(c->fds, c->nfds);
    free(c->fds);
    close(c->fd);
    free(c);
}
