/* capture: what is written between capture_begin() and capture_end(), as text. */
#ifndef SALLYPORT_TESTS_UNIT_BASE_CAPTURE_H
#define SALLYPORT_TESTS_UNIT_BASE_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/log.h"

/* Log lines go into a pipe from here on; at most what a pipe holds (64 KiB). */
void capture_begin(enum log_format format, enum log_level level);
/* All of it, terminated, in memory that lasts until the next call. */
const char *capture_end(void);

/* The text is exactly one JSON value (RFC 8259), blanks around it allowed. */
bool json_is_valid(const char *text);

/* One member of a JSON object of strings and numbers, unescaped ("\\" and "\"" only)
   into out; numbers as they stand. False when it is not there. */
bool json_member(const char *object, const char *name, char *out, size_t cap);

#endif
