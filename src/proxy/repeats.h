/*
 * repeats: failed handshakes that are the same again, summed.
 *
 * A client with the wrong CA tries again each second, and a scanner a thousand times in one:
 * their lines would bury those of everybody else. So the first failure of a source (its
 * address, or an IPv6 /64, on a listener) for a cause is told at once, and so are the next
 * that say something else: another certificate's name, another offer. What was said already
 * is counted, and told of in one line when the window (`sum_failures`) ends. While they go
 * on, that is one line a window.
 *
 * A worker has its own. It holds no more than REPEATS_MAX sources: of what comes from more
 * in one window only the number is told.
 */
#ifndef SALLYPORT_PROXY_REPEATS_H
#define SALLYPORT_PROXY_REPEATS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "tls/failure.h"

#define REPEATS_MAX   1024u
#define REPEATS_TOLD  16u       /* different ones of a source and cause, in a window */

/* What is told of one that failed, and of those like it. */
struct occurrence {
    uint64_t source;            /* source_key() of its address on its listener; or a server's */
    const char *upstream, *server;      /* it was ours, with that server; NULL: a client's */
    struct peer client;         /* its port is of no account */
    const char *listener, *route, *reason;
    const struct tls_failure *failure;
};

struct repeats;

struct repeats *repeats_new(void);          /* NULL: memory is out */
void repeats_free(struct repeats *r);       /* NULL is fine; nothing more is told */

/* Is it to be told? Otherwise it is counted. `now_us` is monotonic; window_ms 0, or r NULL:
   each is told. */
bool repeats_tell(struct repeats *r, const struct occurrence *o, uint64_t window_ms,
                  uint64_t now_us);

/* Tell of those whose window has ended; with `all`, of every one. To be called now and then. */
void repeats_sweep(struct repeats *r, uint64_t now_us, bool all);

#endif
