/*
 * caps: of root's capabilities, those that are needed.
 *
 * Started by root, the master keeps those with which it binds ports, reads keys of others,
 * makes log files and sockets, and starts children as another user; its children keep none, but
 * for the loader, which reads. What is given up cannot be had again: no_new_privs holds, and the
 * bounding set shrinks too.
 */
#ifndef SALLYPORT_APP_CAPS_H
#define SALLYPORT_APP_CAPS_H

#include <stdbool.h>

#include "base/err.h"

/* The master. What fails leaves it with more than it needs, and is no reason not to start. */
void caps_master(void);

/* A child; `reads`: one that reads the files of others, `writes`: and may write them (tokens).
   0, or -1 and e. */
int caps_drop(bool reads, bool writes, struct err *e);

#endif
