/*
 * glob: patterns with `*`, for names that have parts.
 *
 * `*` stands for any run of bytes without a barrier, also for none; `**` for any run at all;
 * where there are no barriers both are the same. There are no other special characters, and
 * none is escaped. The time is at most the product of both lengths, whatever the pattern.
 */
#ifndef SALLYPORT_BASE_GLOB_H
#define SALLYPORT_BASE_GLOB_H

#include <stdbool.h>

#include "base/str.h"

#define GLOB_MAX 1024           /* of a pattern from its first star on; longer ones match nothing */

/* Of the text, bytes from fold_from to before fold_to are compared without regard to case
   (ASCII); there the pattern is in lower case. `barriers` is a set of characters: "/". */
bool glob_match(struct span pattern, struct span text, const char *barriers, size_t fold_from,
                size_t fold_to);

#endif
