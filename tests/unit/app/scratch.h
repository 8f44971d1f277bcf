/*
 * scratch: a directory for one test, with files in it.
 */
#ifndef SALLYPORT_TEST_APP_SCRATCH_H
#define SALLYPORT_TEST_APP_SCRATCH_H

#define SCRATCH_PATH_MAX 256

void scratch_make(char dir[SCRATCH_PATH_MAX]);
/* Directories on the way are made. */
void scratch_write(const char *dir, const char *path, const char *text);
void scratch_remove(const char *dir);

/* How many descriptors this process has open. */
unsigned scratch_open_fds(void);

#endif
