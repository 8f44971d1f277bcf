#include "proxy/relay.h"

#include <errno.h>

#define SHARE (8 * BUF_SIZE)    /* bytes one flow may move in one turn */

void relay_init(struct relay *r, struct stream *client, struct stream *upstream)
{
    *r = (struct relay){
        .up = { .from = client, .to = upstream },
        .down = { .from = upstream, .to = client },
    };
}

enum step { STEP_ON, STEP_STOP, STEP_FAILED };

/* The sink failed. After an orderly end of its own direction this flow alone is lost. */
static enum step sink_failed(struct flow *f, struct bufpool *pool)
{
    if (f->to->sys_errno != EPIPE)
        return STEP_FAILED;
    f->lost = true;
    f->state = FLOW_SHUT;
    buf_drop(&f->buf, pool);
    return STEP_STOP;
}

/* Write what is held. STEP_ON: nothing is held any more. */
static enum step push(struct flow *f, struct bufpool *pool)
{
    while (f->buf.len > 0) {
        size_t n = 0;

        switch (stream_write(f->to, f->buf.block + f->buf.off, f->buf.len, &n)) {
        case STREAM_OK:
            buf_consume(&f->buf, n);
            f->bytes += n;
            break;
        case STREAM_AGAIN:
            return STEP_STOP;
        default:
            return sink_failed(f, pool);
        }
    }
    return STEP_ON;
}

/* The source has ended and all is written: end the sink's direction. */
static enum step shut(struct flow *f)
{
    switch (stream_shut(f->to)) {
    case STREAM_AGAIN:
        return STEP_STOP;
    default:
        /* A peer that left before it heard the end has lost nothing. */
        f->state = FLOW_SHUT;
        return STEP_STOP;
    }
}

/* Read once into the empty buf. STEP_ON: something is held, or the source ended. */
static enum step pull(struct flow *f)
{
    size_t n = 0;

    switch (stream_read(f->from, buf_tail(&f->buf), buf_room(&f->buf), &n)) {
    case STREAM_OK:
        f->buf.len += (uint32_t)n;
        return STEP_ON;
    case STREAM_AGAIN:
        return STEP_STOP;
    case STREAM_CUT:
        f->cut = true;
        f->state = FLOW_DRAINING;
        return STEP_ON;
    case STREAM_EOF:
        f->state = FLOW_DRAINING;
        return STEP_ON;
    default:
        return STEP_FAILED;
    }
}

static enum relay_status pump(struct flow *f, struct bufpool *pool, struct stream **failed)
{
    uint64_t stop_at = f->bytes + SHARE;

    while (f->state != FLOW_SHUT) {
        enum step s = push(f, pool);

        if (s == STEP_FAILED) {
            *failed = f->to;
            return RELAY_FAILED;
        }
        if (s == STEP_ON && f->state == FLOW_DRAINING)
            s = shut(f);
        if (s == STEP_STOP)
            break;
        if (f->bytes >= stop_at)
            return RELAY_MORE;
        if (buf_open(&f->buf, pool) != 0)
            return RELAY_NO_MEMORY;
        s = pull(f);
        if (s == STEP_FAILED) {
            *failed = f->from;
            return RELAY_FAILED;
        }
        if (s == STEP_STOP)
            break;
    }
    return RELAY_WAIT;
}

/* What each stream waits for follows from the flows: it is derived, never toggled. */
static int set_interest(struct flow *out, struct flow *in)
{
    struct stream *s = in->from;    /* == out->to */
    unsigned want = 0;

    if (in->state == FLOW_OPEN && in->buf.len == 0)
        want |= LOOP_READ;
    if (s->blocked_write && (out->state != FLOW_SHUT || in->state == FLOW_OPEN))
        want |= LOOP_WRITE;
    return stream_want(s, want);
}

enum relay_status relay_turn(struct relay *r, struct bufpool *pool, struct stream **failed)
{
    enum relay_status up = pump(&r->up, pool, failed), down = RELAY_WAIT;

    if (up == RELAY_WAIT || up == RELAY_MORE)
        down = pump(&r->down, pool, failed);
    buf_settle(&r->up.buf, pool);
    buf_settle(&r->down.buf, pool);

    if (up == RELAY_FAILED || up == RELAY_NO_MEMORY)
        return up;
    if (down == RELAY_FAILED || down == RELAY_NO_MEMORY)
        return down;
    if (r->up.state == FLOW_SHUT && r->down.state == FLOW_SHUT)
        return RELAY_DONE;
    if (set_interest(&r->down, &r->up) != 0 || set_interest(&r->up, &r->down) != 0)
        return RELAY_NO_MEMORY;
    return up == RELAY_MORE || down == RELAY_MORE ? RELAY_MORE : RELAY_WAIT;
}

void relay_drop(struct relay *r, struct bufpool *pool)
{
    buf_drop(&r->up.buf, pool);
    buf_drop(&r->down.buf, pool);
}
