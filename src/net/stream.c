#include "net/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static enum stream_io raw_handshake(struct stream *s)
{
    (void)s;
    return STREAM_OK;
}

static enum stream_io raw_shut(struct stream *s)
{
    /* ENOTCONN: the peer's reset was here first; the reading side tells of it. */
    if (shutdown(s->fd, SHUT_WR) == 0 || errno == ENOTCONN)
        return STREAM_OK;
    s->sys_errno = errno;
    return STREAM_ERROR;
}

static void raw_free(struct stream *s)
{
    (void)s;
}

static const struct stream_ops raw_ops = {
    .handshake = raw_handshake,
    .read = stream_recv,
    .write = stream_send,
    .shut = raw_shut,
    .free = raw_free,
};

static void on_ready(void *arg, unsigned ready)
{
    struct stream *s = arg;

    if (ready & LOOP_READ)
        s->blocked_read = false;
    if (ready & LOOP_WRITE)
        s->blocked_write = false;
    s->wake(s->owner);
}

int stream_open(struct stream *s, struct loop *l, int fd, stream_wake_fn *wake, void *owner)
{
    *s = (struct stream){
        .ops = &raw_ops,
        .wake = wake,
        .owner = owner,
        .fd = fd,
        .blocked_read = true,   /* not before the loop says so */
    };
    s->io = loop_fd_new(l, fd, on_ready, s);
    if (s->io == NULL) {
        close(fd);
        s->fd = -1;
        s->ops = NULL;
        return -1;
    }
    return 0;
}

bool stream_is_open(const struct stream *s)
{
    return s->ops != NULL;
}

void stream_close(struct stream *s)
{
    if (!stream_is_open(s))
        return;
    s->ops->free(s);
    loop_fd_free(s->io);
    free(s->held.p);
    s->held.p = NULL;
    close(s->fd);
    s->io = NULL;
    s->ops = NULL;
    s->fd = -1;
}

void stream_abort(struct stream *s)
{
    struct linger none = { .l_onoff = 1, .l_linger = 0 };

    if (!stream_is_open(s))
        return;
    /* On a Unix socket this does nothing, and nothing like a reset exists there. */
    (void)setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
    stream_close(s);
}

int stream_want(struct stream *s, unsigned want)
{
    return loop_fd_want(s->io, want);
}

int stream_take_error(struct stream *s)
{
    int error = 0;
    socklen_t len = sizeof(error);

    if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        return errno;
    return error;
}

/*
 * A read that does not fill its buffer has emptied the socket: the next try would
 * fail, so it is not made before the loop has reported more. Readiness is level
 * triggered, so an EOF or a reset behind those bytes is reported as well.
 */
static enum stream_io receive(struct stream *s, void *p, size_t cap, size_t *n)
{
    ssize_t got;

    if (s->blocked_read)
        return STREAM_AGAIN;
    do
        got = recv(s->fd, p, cap, 0);
    while (got < 0 && errno == EINTR);

    if (got > 0) {
        *n = (size_t)got;
        s->blocked_read = *n < cap;
        return STREAM_OK;
    }
    if (got == 0)
        return STREAM_EOF;
    if (errno == EAGAIN) {
        s->blocked_read = true;
        return STREAM_AGAIN;
    }
    s->sys_errno = errno;
    return STREAM_ERROR;
}

enum stream_io stream_recv(struct stream *s, void *p, size_t cap, size_t *n)
{
    size_t here = s->held.len - s->held.off;

    if (s->held.p == NULL)
        return s->ending == STREAM_OK ? receive(s, p, cap, n) : s->ending;
    *n = here < cap ? here : cap;
    memcpy(p, s->held.p + s->held.off, *n);
    stream_skip(s, *n);
    return STREAM_OK;
}

/* --- looking before reading --- */

#define HOLD_FIRST 1024u        /* a ClientHello is seldom longer */

static int grow_held(struct stream *s, size_t cap)
{
    size_t room = s->held.cap > 0 ? 2 * (size_t)s->held.cap : HOLD_FIRST;
    uint8_t *p;

    if (s->held.off > 0) {
        s->held.len -= s->held.off;
        memmove(s->held.p, s->held.p + s->held.off, s->held.len);
        s->held.off = 0;
    }
    if (s->held.len < s->held.cap)
        return 0;
    room = room < cap ? room : cap;
    p = room > s->held.len ? realloc(s->held.p, room) : NULL;
    if (p == NULL)
        return -1;
    s->held.p = p;
    s->held.cap = (uint32_t)room;
    return 0;
}

enum stream_io stream_hold(struct stream *s, size_t cap)
{
    size_t n = 0;
    enum stream_io io;

    if (s->blocked_read)
        return STREAM_AGAIN;
    if (grow_held(s, cap) != 0) {
        s->sys_errno = ENOMEM;
        return STREAM_ERROR;
    }
    io = receive(s, s->held.p + s->held.len, s->held.cap - s->held.len, &n);
    s->held.len += (uint32_t)n;
    if (io != STREAM_OK && io != STREAM_AGAIN)
        s->ending = io;
    if (s->held.len == 0)
        stream_skip(s, 0);
    return io;
}

const uint8_t *stream_held(const struct stream *s, size_t *n)
{
    *n = s->held.p != NULL ? s->held.len - s->held.off : 0;
    return *n > 0 ? s->held.p + s->held.off : NULL;
}

void stream_skip(struct stream *s, size_t n)
{
    s->held.off += (uint32_t)n;
    if (s->held.off < s->held.len)
        return;
    free(s->held.p);
    s->held.p = NULL;
    s->held.len = s->held.off = s->held.cap = 0;
}

enum stream_io stream_send(struct stream *s, const void *p, size_t len, size_t *n)
{
    ssize_t put;

    if (s->blocked_write)
        return STREAM_AGAIN;
    do
        put = send(s->fd, p, len, MSG_NOSIGNAL);
    while (put < 0 && errno == EINTR);

    if (put >= 0) {
        *n = (size_t)put;
        s->blocked_write = *n < len;
        return *n > 0 ? STREAM_OK : STREAM_AGAIN;
    }
    if (errno == EAGAIN) {
        s->blocked_write = true;
        return STREAM_AGAIN;
    }
    s->sys_errno = errno;
    return STREAM_ERROR;
}
