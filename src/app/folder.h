/*
 * folder: what lies in a folder of key pairs, by which files belong together.
 *
 * Files of one name up to the ending make a unit (a.crt and a.key, or a.pem alone), and
 * so do all files of a subfolder. What is in them is not looked at here. Passed over, and
 * told of, are folders with such files in a subfolder, and truststores by their ending.
 */
#ifndef SALLYPORT_APP_FOLDER_H
#define SALLYPORT_APP_FOLDER_H

#include <stdbool.h>
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
    char **passed;              /* what somebody may have meant and is not looked at, with why */
    size_t npassed;
};

/* Names of units, sorted. */
struct folder_names {
    char **v;
    size_t n;
};

/* Only of these units; NULL: of all. 0; or -1 with a finding at `where` when the folder
   cannot be read. */
int folder_read(const char *path, const struct folder_names *only, struct diag_at where,
                struct folder *out, struct diags *d);
void folder_free(struct folder *f);

/*
 * Which units the changed files, given by their real paths, belong to. False when that
 * cannot be said: one of them is not a file in this very folder, or is one of the links
 * through which kubelet swaps all files of a folder at once (`..data`).
 */
bool folder_changes(const char *path, char *const *changed, size_t n, struct folder_names *out);
bool folder_has_name(const struct folder_names *names, const char *name);
void folder_names_free(struct folder_names *names);

#endif
