/*
 * clock: monotonic time for what lasts, wall time for what people read, and
 * durations as users write them.
 */
#ifndef SALLYPORT_BASE_CLOCK_H
#define SALLYPORT_BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

uint64_t clock_mono_us(void);  /* microseconds since some fixed point; never goes back */
uint64_t clock_wall_us(void);  /* microseconds since 1970, UTC */

/* Wall time as 2026-11-22T18:48:10.123456Z (27 characters and a NUL). */
#define CLOCK_TEXT_MAX 32
void clock_text(uint64_t wall_us, char out[CLOCK_TEXT_MAX]);

/*
 * A duration: a whole number and ms, s, m, h or d; `0` needs no unit.
 * False when it is not one, or does not fit. *out in milliseconds.
 */
bool duration_parse(struct span s, uint64_t *out_ms);

/* The same in the largest unit that divides it: "30s", "250ms", "0". */
#define DURATION_TEXT_MAX 24
void duration_text(uint64_t ms, char out[DURATION_TEXT_MAX]);

#endif
