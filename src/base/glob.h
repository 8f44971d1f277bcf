/*
 * glob: patterns with `*`, for names that have parts.
 *
 * `*` stands for any run of bytes without the barrier, `**` for any run at all; without a
 * barrier both are the same. There are no other special characters, and none is escaped.
 * The time is at most the product of both lengths, whatever the pattern.
 */
#ifndef SALLYPORT_BASE_GLOB_H
#define SALLYPORT_BASE_GLOB_H

#include <stdbool.h>

#include "base/str.h"

/* Of the text, bytes from fold_from to before fold_to are compared without regard to case
   (ASCII); there the pattern is in lower case. barrier 0: none. */
bool glob_match(struct span pattern, struct span text, char barrier, size_t fold_from,
                size_t fold_to);

#endif
