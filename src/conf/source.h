/*
 * source: an ini file to settings, through inih behind our own line reader.
 *
 * inih (release 55 on Debian 12) cuts lines at 200 bytes and parses the rest as a
 * new line, ends a section's name at the first ']' (an IPv6 address has one), cuts
 * names at 49 bytes, drops what follows the ']', takes ':' for '=', keeps inline
 * comments of continuation lines that it strips elsewhere, and tells its handler no
 * line number. So the reader looks at each line first: it counts, takes section
 * heads itself, removes comments, and hands inih only lines that can be read in
 * one way. What is refused is a finding; nothing is ever silently cut.
 *
 *   [section name]      name: everything up to the last ']'
 *   key = value
 *       value           indented: one more value for the list key above
 *   ; comment           `;` or `#`, at the start of a line or after a blank
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
