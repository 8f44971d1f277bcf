/*
 * memfile: bytes too many for a message, as a file in memory whose descriptor rides
 * along with it. It cannot be changed any more.
 */
#ifndef SALLYPORT_APP_MEMFILE_H
#define SALLYPORT_APP_MEMFILE_H

#include <stdbool.h>
#include <stddef.h>

/* The descriptor, close-on-exec, or -1. The name is for /proc. */
int memfile_write(const char *name, const void *p, size_t len);

/* All of it, the caller's to free(); NULL when it cannot be read, or is too long. */
void *memfile_read(int fd, size_t max, size_t *len);

/* Whether nobody can change it any more: the one that memfile_write() made. */
bool memfile_is_sealed(int fd);

#endif
