/* distributed/comm/tcp.py: a message is its length, and in it the number of its frames, the
   length of each, and the frames; all numbers 8 bytes, little endian. Both sides begin with one. */
#include "proto/probe_parts.h"

#define FRAMES_MAX 64u

size_t probe_dask_ask(const struct probe_to *to, uint8_t *out)
{
    (void)to;
    (void)out;
    return 0;
}

static uint64_t le64(const uint8_t *p)
{
    uint64_t v = 0;

    for (int i = 7; i >= 0; i--)
        v = v << 8 | p[i];
    return v;
}

enum probe_verdict probe_dask_judge(const uint8_t *p, size_t n, struct err *why)
{
    if (n < 16)
        return PROBE_MORE;

    uint64_t left = le64(p), frames = le64(p + 8);
    if (frames == 0 || frames > FRAMES_MAX || left > PROBE_ANSWER_MAX || left < 8 * (1 + frames))
        return probe_alien(p, n, "Dask's protocol", why);
    if (n < 8 * (2 + frames))
        return PROBE_MORE;
    left -= 8 * (1 + frames);
    for (uint64_t i = 0; i < frames; i++) {
        uint64_t len = le64(p + 8 * (2 + i));
        if (len > left)
            return probe_alien(p, n, "Dask's protocol", why);
        left -= len;
    }
    return left == 0 ? PROBE_UP : probe_alien(p, n, "Dask's protocol", why);
}
