/*
 * show_print: what `show` found in a file, for people and for programs.
 */
#ifndef SALLYPORT_CMD_SHOW_PRINT_H
#define SALLYPORT_CMD_SHOW_PRINT_H

#include <stdint.h>

#include "base/diag.h"
#include "tls/describe.h"

/* `file` as the user named it. Both go to stdout. */
void show_text(const char *file, const struct listing *l, const struct diags *d, int64_t now);

/* The names of the members are a promise (doc/show.md). Findings that name no file get this
   one. */
void show_json(const char *file, const struct listing *l, struct diags *d);

#endif
