/*
 * file: the bytes of a file that a key names, with errors people can act on.
 */
#ifndef SALLYPORT_CONF_FILE_H
#define SALLYPORT_CONF_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"

#define FILE_BYTES_MAX (10u * 1024 * 1024)

struct file {
    char *path;
    uint8_t *data;              /* NUL behind the last byte, not counted in len */
    size_t len;
    int64_t time;               /* last written, seconds since 1970; 0: not a file */
    struct diag_at where;       /* which key named it, for findings; strings are the conf's */
};

/*
 * Read a whole regular file (or FIFO) of at most FILE_BYTES_MAX. A missing,
 * unreadable, empty or too large file is a finding at `where` that names path
 * and reason (and, for a permission error, owner and mode). 0 or -1.
 */
int file_read(const char *path, struct diag_at where, struct file *out, struct diags *d);

/*
 * A password from "PATH", "fd:N" or "env:NAME": one trailing newline (LF or CRLF)
 * is dropped. out->data is the password. 0 or -1.
 */
int file_password(const char *spec, struct diag_at where, struct file *out, struct diags *d);

/* Wipes and frees. */
void file_free(struct file *f);

#endif
