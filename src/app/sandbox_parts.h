/* What the files of sandbox share. */
#ifndef SALLYPORT_APP_SANDBOX_PARTS_H
#define SALLYPORT_APP_SANDBOX_PARTS_H

#include "app/sandbox.h"

/* Of Landlock, what version this kernel speaks: 1 has files, 4 (Linux 6.7) ports, 6 (6.12)
   abstract Unix sockets and signals; 0: it has none. */
#define LANDLOCK_FILES 1
#define LANDLOCK_PORTS 4
#define LANDLOCK_SCOPES 6
int sandbox_landlock_version(void);

/* 0, or -1 and e. What the kernel's version has not is left out. */
int sandbox_landlock_enter(const struct sandbox *s, enum sandbox_role role, struct err *e);

/* Whether system calls can be filtered, by kernel and build. */
bool sandbox_calls_known(void);
int sandbox_calls_enter(const struct sandbox *s, enum sandbox_role role, struct err *e);

#endif
