/*
 * relay: bytes from one stream to another, in both directions at once.
 *
 * The two directions (flows) are independent. Each reads only when it holds
 * nothing, so a slow reader stops the reading of the other side, and what is held
 * is at most one block (buf.h). When a source ends, its flow drains, then ends the
 * sink's direction; the other flow goes on. The relay is over when both are shut.
 *
 * A sink that cannot take bytes any more, but ended its own direction in order (its
 * end was read, or EPIPE says that a FIN came before the reset for what we still
 * sent), loses the one flow; what it had sent before still goes to the other side.
 * Any other error ends the relay.
 */
#ifndef SALLYPORT_PROXY_RELAY_H
#define SALLYPORT_PROXY_RELAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "net/stream.h"

enum flow_state {
    FLOW_OPEN,          /* the source may send */
    FLOW_DRAINING,      /* the source has ended, bytes or the sink's end are outstanding */
    FLOW_SHUT,          /* the sink's direction is ended, or given up */
};

struct flow {
    struct stream *from, *to;
    struct buf buf;
    uint64_t bytes;     /* of the source's, taken by the sink */
    uint32_t prefix;    /* at the front of buf: not the source's, and not counted */
    enum flow_state state;
    bool cut;           /* the source ended without close_notify */
    bool whole;         /* and so has failed: its end is to be believed only when it is told */
    bool lost;          /* bytes that the sink did not take were thrown away */
};

struct relay {
    struct flow up, down;       /* client to upstream, upstream to client */
};

enum relay_status {
    RELAY_WAIT,         /* interest is set on both streams; call again when one wakes */
    RELAY_MORE,         /* this turn's share is used up; call again in the next turn */
    RELAY_DONE,         /* both flows are shut */
    RELAY_FAILED,       /* a stream is lost: see *failed */
    RELAY_NO_MEMORY,
};

void relay_init(struct relay *r, struct stream *client, struct stream *upstream);

/* Have these bytes go to the upstream before any of the client's: right after relay_init(), at
   most BUF_SIZE. 0, or -1 when memory is out. */
int relay_prefix(struct relay *r, const void *p, size_t n, struct bufpool *pool);

/* Move what can be moved, within one turn's share. *failed is set with RELAY_FAILED. */
enum relay_status relay_turn(struct relay *r, struct bufpool *pool, struct stream **failed);

/* `sink` is known to be gone: give up the flow towards it. Ask for a turn afterwards. */
void relay_give_up(struct relay *r, const struct stream *sink, struct bufpool *pool);

void relay_drop(struct relay *r, struct bufpool *pool);     /* gives the blocks back */

#endif
