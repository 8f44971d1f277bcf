/*
 * stream: a connected, non-blocking byte stream.
 *
 * Raw and TLS streams differ in the five functions of stream_ops and in nothing
 * else; a raw stream can be turned into a TLS one in place (tls/tls_stream.h).
 * The owner is woken when something may have changed, tries what it wants to do,
 * and sets what it waits for with stream_want(); nothing is pushed at it.
 *
 * The streams know no buffers: reading and writing use the caller's memory, so an
 * idle stream holds none.
 */
#ifndef SALLYPORT_NET_STREAM_H
#define SALLYPORT_NET_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/loop.h"

enum stream_io {
    STREAM_OK,
    STREAM_AGAIN,       /* nothing now; stream_want() and wait */
    STREAM_EOF,         /* read: the peer ended its direction (raw: FIN; TLS: close_notify) */
    STREAM_CUT,         /* read, TLS only: FIN without close_notify */
    STREAM_ERROR,       /* the connection is lost: s->sys_errno, or 0 for a protocol error */
};

struct stream;

struct stream_ops {
    enum stream_io (*handshake)(struct stream *s);
    enum stream_io (*read)(struct stream *s, void *p, size_t cap, size_t *n);
    enum stream_io (*write)(struct stream *s, const void *p, size_t len, size_t *n);
    /* End our direction. raw: FIN. TLS: close_notify; the FIN comes with the close. */
    enum stream_io (*shut)(struct stream *s);
    void (*free)(struct stream *s);
};

typedef void stream_wake_fn(void *owner);

struct stream {
    const struct stream_ops *ops;
    struct loop_fd *io;
    void *upper;                /* the TLS object of a TLS stream */
    stream_wake_fn *wake;
    void *owner;
    struct {                    /* received and not given out yet: stream_hold() */
        uint8_t *p;             /* NULL: nothing */
        uint32_t len, off, cap;
    } held;
    enum stream_io ending;      /* what stream_hold() met behind it; STREAM_OK: nothing */
    int fd;                     /* -1: closed, or not opened yet */
    int sys_errno;              /* of the last STREAM_ERROR */
    bool blocked_read;          /* the last try to receive found nothing */
    bool blocked_write;         /* the last try to send found no room */
    bool read_needs_room;       /* the last read, or handshake, can go on only after a send */
};

/* Take a connected (or connecting) non-blocking descriptor. The stream owns it,
   even when this fails (-1, memory is out). */
int stream_open(struct stream *s, struct loop *l, int fd, stream_wake_fn *wake, void *owner);

/* Close and free what belongs to it. Safe on a stream that was zeroed or closed. */
void stream_close(struct stream *s);

/* Close so that the peer gets a reset (SO_LINGER 0): it shall see the truncation. */
void stream_abort(struct stream *s);

bool stream_is_open(const struct stream *s);

/* Set of LOOP_READ / LOOP_WRITE. 0 or -1. */
int stream_want(struct stream *s, unsigned want);

/* The socket's pending error, which is taken from it: after a connect() in progress
   became writable, or when the peer is found to be gone. 0: none. */
int stream_take_error(struct stream *s);

/* The plain socket calls, for the layer above that speaks on the descriptor itself.
   They keep blocked_* and sys_errno. *n > 0 exactly with STREAM_OK. */
enum stream_io stream_recv(struct stream *s, void *p, size_t cap, size_t *n);
enum stream_io stream_send(struct stream *s, const void *p, size_t len, size_t *n);

/*
 * Look at what comes before it is decided who reads it: receive what is there, up to
 * `cap` bytes in all, and hold it. stream_held() are those bytes, stream_skip() drops the
 * first n of them; whoever reads the stream gets what is left before anything else.
 * STREAM_OK: there is more than before. AGAIN, EOF, ERROR as for stream_recv(); with the
 * bound reached, or memory out (sys_errno is ENOMEM), ERROR.
 */
enum stream_io stream_hold(struct stream *s, size_t cap);
const uint8_t *stream_held(const struct stream *s, size_t *n);
void stream_skip(struct stream *s, size_t n);

/*
 * What to wait for, so as to read (or shake hands) again after STREAM_AGAIN. TLS may
 * have to answer before it reads on; waiting for bytes that nobody takes would spin.
 */
static inline unsigned stream_read_interest(const struct stream *s)
{
    return s->blocked_write && s->read_needs_room ? LOOP_WRITE : LOOP_READ;
}

static inline enum stream_io stream_handshake(struct stream *s)
{
    return s->ops->handshake(s);
}

static inline enum stream_io stream_read(struct stream *s, void *p, size_t cap, size_t *n)
{
    return s->ops->read(s, p, cap, n);
}

static inline enum stream_io stream_write(struct stream *s, const void *p, size_t len, size_t *n)
{
    return s->ops->write(s, p, len, n);
}

static inline enum stream_io stream_shut(struct stream *s)
{
    return s->ops->shut(s);
}

#endif
