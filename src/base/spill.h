/*
 * spill: bytes for a descriptor that may not take them now.
 *
 * A log's reader can stall (a pager, a stuck log driver), and nothing else may stall
 * with it. What cannot be written at once waits here, in order, up to SPILL_MAX;
 * what does not fit is dropped whole and counted. The descriptor stays blocking, for
 * it is shared with whoever gave it to us; poll() says whether a write would wait,
 * and a pipe that is ready takes at least PIPE_BUF bytes.
 */
#ifndef SALLYPORT_BASE_SPILL_H
#define SALLYPORT_BASE_SPILL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPILL_MAX (256u * 1024)

struct spill {
    char *waiting;
    size_t len;
    uint64_t dropped;           /* writes, since the caller last set it to 0 */
};

/* All of p, now or later, or nothing. `n` is at most PIPE_BUF. True: it is written. */
bool spill_write(struct spill *s, int fd, const char *p, size_t n);

/* Write what waits, as far as the descriptor takes it within `ms`. True: nothing waits. */
bool spill_flush(struct spill *s, int fd, int ms);

void spill_forget(struct spill *s);

#endif
