/*
 * source: an ini file to settings, through inih behind our own line reader.
 *
 * inih (release 55 on Debian 12) cuts lines at 200 bytes and parses the rest as a
 * new line, cuts section names at 49 bytes, and tells its handler no line number.
 * So the reader counts lines, refuses those inih could not hold, and sees section
 * heads itself; nothing is ever silently cut.
 */
#ifndef SALLYPORT_CONF_SOURCE_H
#define SALLYPORT_CONF_SOURCE_H

#include <stddef.h>

#include "base/diag.h"
#include "conf/settings.h"

/* Parse `len` bytes; `path` is what findings call the file. Findings go to d. */
void source_parse(const char *bytes, size_t len, const char *path, struct settings *out,
                  struct diags *d);

/* Read the file and parse it. A file that cannot be read is a finding. */
void source_read(const char *path, struct settings *out, struct diags *d);

#endif
