/*
 * exposure: can everybody on this machine read a file?
 *
 * Its own mode is half the answer: a file that all may read, in a folder that only its
 * owner may enter, is nobody else's to read.
 */
#ifndef SALLYPORT_CONF_EXPOSURE_H
#define SALLYPORT_CONF_EXPOSURE_H

#include <stdbool.h>
#include <sys/stat.h>

/* `mode` is that of the file; links on the way to it are followed. */
bool exposure_to_all(const char *path, mode_t mode);

#endif
