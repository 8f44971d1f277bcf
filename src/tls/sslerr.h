/*
 * sslerr: OpenSSL's error queue, read once and left empty.
 *
 * The queue belongs to the thread, not to the object that failed: what one call
 * leaves behind is charged to the next. So whoever calls OpenSSL clears it before
 * and takes it after.
 */
#ifndef SALLYPORT_TLS_SSLERR_H
#define SALLYPORT_TLS_SSLERR_H

#include <stdbool.h>
#include <stddef.h>

void sslerr_clear(void);

/* The most telling entry's reason, in OpenSSL's words ("bad decrypt"); the queue is
   empty afterwards. "unknown error" when there was none. Returns out. */
char *sslerr_text(char *out, size_t cap);

/* Is an entry with this library and reason queued? Leaves the queue as it is, so it
   goes before sslerr_text(). */
bool sslerr_last_is(int lib, int reason);

/* Does the queue say that an algorithm is not available? Empties it. */
bool sslerr_take_unsupported(void);

#endif
