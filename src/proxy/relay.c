#include "proxy/relay.h"

#include <errno.h>
#include <string.h>

#define SHARE (8 * BUF_SIZE)    /* bytes one flow may move in one turn */
#define READS 64                /* and reads it may make, however small */

void relay_init(struct relay *r, struct stream *client, struct stream *upstream)
{
    *r = (struct relay){
        .up = { .from = client, .to = upstream },
        .down = { .from = upstream, .to = client },
    };
}

int relay_prefix(struct relay *r, const void *p, size_t n, struct bufpool *pool)
{
    struct flow *f = &r->up;

    if (buf_open(&f->buf, pool) != 0)
        return -1;
    memcpy(buf_tail(&f->buf), p, n);
    f->buf.len += (uint32_t)n;
    f->prefix = (uint32_t)n;
    return 0;
}

/* Of n bytes that the sink took. */
static void count(struct flow *f, size_t n)
{
    uint32_t ours = n < f->prefix ? (uint32_t)n : f->prefix;

    f->prefix -= ours;
    f->bytes += n - ours;
}

enum step { STEP_ON, STEP_STOP, STEP_FAILED };

static void give_up(struct flow *f, struct bufpool *pool)
{
    f->lost = f->buf.len > 0;
    f->state = FLOW_SHUT;
    buf_drop(&f->buf, pool);
}

/* The sink failed. If it had ended its own direction in order, this flow alone is lost. */
static enum step sink_failed(struct flow *f, const struct flow *back, struct bufpool *pool)
{
    if (f->to->sys_errno != EPIPE && back->state == FLOW_OPEN)
        return STEP_FAILED;
    give_up(f, pool);
    return STEP_STOP;
}

/* Write what is held. STEP_ON: nothing is held any more. */
static enum step push(struct flow *f, const struct flow *back, struct bufpool *pool)
{
    while (f->buf.len > 0) {
        size_t n = 0;

        switch (stream_write(f->to, f->buf.block + f->buf.off, f->buf.len, &n)) {
        case STREAM_OK:
            buf_consume(&f->buf, n);
            count(f, n);
            break;
        case STREAM_AGAIN:
            return STEP_STOP;
        default:
            return sink_failed(f, back, pool);
        }
    }
    return STEP_ON;
}

/* The source has ended and all is written: end the sink's direction. */
static void shut(struct flow *f)
{
    /* A peer that left before it heard the end has lost nothing. */
    if (stream_shut(f->to) != STREAM_AGAIN)
        f->state = FLOW_SHUT;
}

/* Read what there is, as far as there is room. STEP_ON: bytes are held, or the source
   has ended. `reads` counts down to 0. */
static enum step pull(struct flow *f, unsigned *reads)
{
    while (*reads > 0 && buf_room(&f->buf) > 0) {
        size_t n = 0;
        enum stream_io io = stream_read(f->from, buf_tail(&f->buf), buf_room(&f->buf), &n);

        (*reads)--;
        if (io == STREAM_OK) {
            f->buf.len += (uint32_t)n;
            continue;
        }
        if (io == STREAM_AGAIN)
            break;
        if (io == STREAM_ERROR)
            return STEP_FAILED;
        f->cut = io == STREAM_CUT;
        f->state = FLOW_DRAINING;
        return STEP_ON;
    }
    return f->buf.len > 0 ? STEP_ON : STEP_STOP;
}

static enum relay_status pump(struct flow *f, const struct flow *back, struct bufpool *pool,
                              struct stream **failed)
{
    uint64_t stop_at = f->bytes + SHARE;
    unsigned reads = READS;

    while (f->state != FLOW_SHUT) {
        enum step s = push(f, back, pool);

        if (s == STEP_FAILED) {
            *failed = f->to;
            return RELAY_FAILED;
        }
        if (s == STEP_STOP)
            break;
        if (f->state == FLOW_DRAINING && f->cut && f->whole) {
            *failed = f->from;
            return RELAY_FAILED;
        }
        if (f->state == FLOW_DRAINING) {
            shut(f);
            break;
        }
        if (f->bytes >= stop_at || reads == 0)
            return RELAY_MORE;
        if (buf_open(&f->buf, pool) != 0)
            return RELAY_NO_MEMORY;
        s = pull(f, &reads);
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
        want |= stream_read_interest(s);
    if (s->blocked_write && (out->state != FLOW_SHUT || in->state == FLOW_OPEN))
        want |= LOOP_WRITE;
    return stream_want(s, want);
}

enum relay_status relay_turn(struct relay *r, struct bufpool *pool, struct stream **failed)
{
    enum relay_status up = pump(&r->up, &r->down, pool, failed), down = RELAY_WAIT;

    if (up == RELAY_WAIT || up == RELAY_MORE)
        down = pump(&r->down, &r->up, pool, failed);
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

void relay_give_up(struct relay *r, const struct stream *sink, struct bufpool *pool)
{
    give_up(sink == r->up.to ? &r->up : &r->down, pool);
}
