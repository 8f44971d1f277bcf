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

/* Sorted. */
struct folder_names {
    char **v;
    size_t n;
};

/* What is looked at; NULL: everything. */
struct folder_part {
    struct folder_names units;  /* these alone, */
    struct folder_names files;  /* and of theirs those that have changed; */
    bool known;                 /* then there are no other files than these */
};

/* 0; or -1 with a finding at `where` when the folder cannot be read. */
int folder_read(const char *path, struct folder_part *part, struct diag_at where,
                struct folder *out, struct diags *d);
void folder_free(struct folder *f);

/*
 * Which units the changed files, given by their real paths, belong to. False when that
 * cannot be said: one of them is not a file in this very folder, or is one of the links
 * through which kubelet swaps all files of a folder at once (`..data`).
 */
bool folder_changes(const char *path, char *const *changed, size_t n, struct folder_part *out);
bool folder_has_name(const struct folder_names *names, const char *name);

/* What follows the unit's name in those of its files, each after a '/'; NULL when one of them
   is not called so. The caller frees it. */
char *folder_unit_endings(const char *path, const struct folder_unit *u);
/* One more of the files that there may be: such a text, with the unit's name. */
void folder_expect(struct folder_part *part, const char *unit, const char *rest);
void folder_part_free(struct folder_part *part);

#endif
