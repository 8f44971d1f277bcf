/*
 * watch_dirs: which directories to watch, for which names, to hear of a path's change.
 */
#ifndef SALLYPORT_NET_WATCH_DIRS_H
#define SALLYPORT_NET_WATCH_DIRS_H

#include <stdbool.h>
#include <stddef.h>

/* One name in one directory. */
struct watch_name {
    char *dir;                  /* as the kernel sees it: absolute, no symbolic link in it */
    char *name;                 /* NULL: every name */
    bool content;               /* what is written into it matters, too (it is no directory) */
};

struct watch_names {
    struct watch_name *v;       /* after watch_names_sort(): by dir, then name; each once */
    size_t n;
    char *last, *last_real;     /* a directory that was walked to before, and where that led */
};

/* All on the way to `path`, which is absolute, and in it if it is a directory. */
void watch_names_add(struct watch_names *s, const char *path);
void watch_names_sort(struct watch_names *s);
void watch_names_free(struct watch_names *s);

#endif
