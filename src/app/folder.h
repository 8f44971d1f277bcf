/*
 * folder: what lies in a folder of key pairs, by which files belong together.
 *
 * Files of one name up to the ending make a unit (a.crt and a.key, or a.pem alone), and
 * so do all files of a subfolder. What is in them is not looked at here.
 */
#ifndef SALLYPORT_APP_FOLDER_H
#define SALLYPORT_APP_FOLDER_H

#include <stddef.h>

#include "base/diag.h"
#include "conf/file.h"

struct folder_file {
    char *path;
    struct file_stamp stamp;
};

struct folder_unit {
    char *name;                 /* "a": of the files without their ending, or of the subfolder */
    struct folder_file *v;      /* by name */
    size_t n;
};

struct folder {
    struct folder_unit *v;      /* by name */
    size_t n;
};

/* 0; or -1 with a finding at `where` when the folder cannot be read. */
int folder_read(const char *path, struct diag_at where, struct folder *out, struct diags *d);
void folder_free(struct folder *f);

#endif
