/*
 * str: small questions about text that more than one layer asks.
 */
#ifndef SALLYPORT_BASE_STR_H
#define SALLYPORT_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A run of bytes in somebody else's memory; may hold NULs. */
struct span {
    const char *p;
    size_t len;
};

/* All of a text. */
static inline struct span str_span(const char *text)
{
    return (struct span){ text, strlen(text) };
}

struct span str_trim(struct span s);                 /* without blanks at both ends */
bool str_eq(struct span s, const char *word);        /* the same bytes */

/*
 * Take the next item of a list separated by `sep` off the front of *rest, trimmed.
 * Returns false when nothing is left. "a,,b" gives an empty item between.
 */
bool str_next(struct span *rest, char sep, struct span *item);

/* Whole decimal number, no sign, no blanks; false if not one or above max. */
bool str_u64(struct span s, uint64_t max, uint64_t *out);

/*
 * The word of `words` (n of them) nearest to `s` by edit distance, ignoring case,
 * or NULL if none is near enough to be what was meant.
 */
const char *str_nearest(const char *s, const char *const *words, size_t n);

/*
 * Copy `s` into dst (cap > 0, always terminated) with every byte outside
 * printable ASCII, and the backslash, written as \xNN; cut at the end of the room.
 * Returns dst.
 */
char *str_escape(char *dst, size_t cap, struct span s);

/* What str_escape() wrote, as it was, in place; but a NUL, which ends a text, stays
   written out. Returns s. */
char *str_unescape(char *s);

#endif
