/*
 * buf: a byte queue whose memory is borrowed only while bytes are in it.
 *
 * A relay direction has one buf. Nearly always what is read is written at once,
 * so one block, hot in the cache, serves all connections of a worker in turn;
 * only a reader that is slower than its writer keeps a block. An idle
 * connection holds none.
 */
#ifndef SALLYPORT_BASE_BUF_H
#define SALLYPORT_BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

#define BUF_SIZE 32768u        /* of one block: the most a direction holds */

/* A worker's spare blocks. Blocks above the keep limit go back to the system. */
struct bufpool {
    void *free;                /* chain through the blocks' first bytes */
    unsigned nfree;
    unsigned nlent;            /* blocks that are in use now */
};

struct buf {
    uint8_t *block;            /* NULL while empty */
    uint32_t off, len;         /* bytes at block + off */
};

void bufpool_free(struct bufpool *p);

/* Make sure there is a block, and bytes moved to its front if there is no room
   behind them. 0, or -1 when memory is out. */
int buf_open(struct buf *b, struct bufpool *p);

/* Give the block back if no bytes are left in it. */
void buf_settle(struct buf *b, struct bufpool *p);

/* Give the block back, bytes or not. */
void buf_drop(struct buf *b, struct bufpool *p);

static inline uint8_t *buf_tail(const struct buf *b)
{
    return b->block + b->off + b->len;
}

static inline size_t buf_room(const struct buf *b)
{
    return b->block ? BUF_SIZE - b->off - b->len : BUF_SIZE;
}

static inline void buf_consume(struct buf *b, size_t n)
{
    b->off += (uint32_t)n;
    b->len -= (uint32_t)n;
    if (b->len == 0)
        b->off = 0;
}

#endif
