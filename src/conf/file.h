/*
 * file: the bytes of a file that a key names, with errors people can act on.
 */
#ifndef SALLYPORT_CONF_FILE_H
#define SALLYPORT_CONF_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"

#define FILE_BYTES_MAX (10u * 1024 * 1024)

/* What tells that a file is still the one that was read. */
struct file_stamp {
    uint64_t dev, ino, size;
    int64_t mtime_ns, ctime_ns; /* since 1970 */
};

struct file {
    char *path;
    uint8_t *data;              /* NUL behind the last byte, not counted in len */
    size_t len;
    int64_t time;               /* last written, seconds since 1970; 0: not a file */
    unsigned mode;              /* its permissions; 0: not a file */
    bool exposed;               /* everybody on this machine can read it (conf/exposure.h) */
    struct diag_at where;       /* which key named it, for findings; strings are the conf's */
};

/*
 * Read a whole regular file (or FIFO) of at most FILE_BYTES_MAX. A missing,
 * unreadable, empty or too large file is a finding at `where` that names path
 * and reason (and, for a permission error, owner and mode). 0 or -1.
 */
int file_read(const char *path, struct diag_at where, struct file *out, struct diags *d);

/* The same of standard input, which findings call by this name. */
int file_read_stdin(struct diag_at where, struct file *out, struct diags *d);

/* What file_read() says of a path that cannot be opened, for this reason (an errno). */
void file_complain(const char *path, struct diag_at where, int reason, struct diags *d);

/*
 * A password from "PATH", "fd:N" or "env:NAME": one trailing newline (LF or CRLF)
 * is dropped. out->data is the password. 0 or -1.
 */
int file_password(const char *spec, struct diag_at where, struct file *out, struct diags *d);

struct stat;
struct file_stamp file_stamp_of(const struct stat *st);

/*
 * May a file with this stamp be taken as unchanged, if it shows the same one later? Its
 * clock ticks in milliseconds (and network file systems' more slowly), so what was
 * written just before `now_ns` may be written again without a trace.
 */
bool file_stamp_is_settled(const struct file_stamp *s, int64_t now_ns);

/* Wipes and frees. */
void file_free(struct file *f);

#endif
