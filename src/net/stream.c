#include "net/stream.h"

#include <errno.h>
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
enum stream_io stream_recv(struct stream *s, void *p, size_t cap, size_t *n)
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
