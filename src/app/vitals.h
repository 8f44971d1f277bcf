/*
 * vitals: from single checks to up and down.
 *
 * The first check decides at once, for nothing is known before it. After it `fall` failed
 * checks in a row take a server that is up down, and `rise` good ones bring it back.
 */
#ifndef SALLYPORT_APP_VITALS_H
#define SALLYPORT_APP_VITALS_H

#include <stdbool.h>
#include <stdint.h>

struct vitals {
    bool known;                 /* it was checked */
    bool down;
    uint32_t against;           /* checks in a row that contradict that */
};

/* One more check. True: it is up now and was down, or the other way. */
static inline bool vitals_take(struct vitals *v, bool good, uint32_t rise, uint32_t fall)
{
    bool first = !v->known;

    v->known = true;
    if (good == !v->down) {
        v->against = 0;
        return false;
    }
    v->against++;
    if (!first && v->against < (good ? rise : fall))
        return false;
    v->down = !good;
    v->against = 0;
    return true;
}

#endif
