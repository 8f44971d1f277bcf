#include "base/spill.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool ready(int fd, int ms)
{
    struct pollfd p = { .fd = fd, .events = POLLOUT };

    return poll(&p, 1, ms) == 1;
}

/* Bytes that were taken, or -1: no reader any more, or no disk. */
static ssize_t put(int fd, const char *p, size_t n)
{
    ssize_t w;

    do
        w = write(fd, p, n < PIPE_BUF ? n : PIPE_BUF);
    while (w < 0 && errno == EINTR);
    return w < 0 && errno == EAGAIN ? 0 : w;
}

static void keep(struct spill *s, const char *p, size_t n)
{
    if (s->waiting == NULL)
        s->waiting = malloc(SPILL_MAX);
    if (s->waiting == NULL || n > SPILL_MAX - s->len) {
        s->dropped++;
        return;
    }
    memcpy(s->waiting + s->len, p, n);
    s->len += n;
}

bool spill_flush(struct spill *s, int fd, int ms)
{
    size_t done = 0;

    while (done < s->len && ready(fd, ms)) {
        ssize_t n = put(fd, s->waiting + done, s->len - done);
        if (n == 0)
            break;
        if (n < 0) {
            s->dropped++;
            done = s->len;
        } else {
            done += (size_t)n;
        }
    }
    s->len -= done;
    if (s->len == 0) {
        free(s->waiting);
        s->waiting = NULL;
        return true;
    }
    memmove(s->waiting, s->waiting + done, s->len);
    return false;
}

bool spill_write(struct spill *s, int fd, const char *p, size_t n)
{
    ssize_t done = 0;

    if (spill_flush(s, fd, 0) && ready(fd, 0))
        done = put(fd, p, n);
    if (done < 0)
        s->dropped++;
    else if ((size_t)done < n)
        keep(s, p + done, n - (size_t)done);
    return done == (ssize_t)n;
}

void spill_forget(struct spill *s)
{
    free(s->waiting);
    *s = (struct spill){ 0 };
}
