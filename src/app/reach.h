/*
 * reach: what a process cannot read any more once it has become its user.
 *
 * With `workers = 0` and a user, one process does everything: it reads the files as root at
 * the start and as that user at each reload. What the user may not read would show when the
 * first file is replaced, months later. So it is asked in advance, by a process that has
 * become that user.
 */
#ifndef SALLYPORT_APP_REACH_H
#define SALLYPORT_APP_REACH_H

#include <stddef.h>

#include "app/privs.h"
#include "base/diag.h"
#include "conf/conf.h"
#include "net/watch.h"

/* Of these files and folders; a warning for each of the first few, at the key `user`. */
void reach_warn(const struct privs *who, const struct conf_proxy *p, const struct watch_path *v,
                size_t n, struct diags *d);

#endif
