/*
 * askers: who asked for a reload and wants to hear how it went.
 */
#ifndef SALLYPORT_APP_ASKERS_H
#define SALLYPORT_APP_ASKERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"

/* Called once. generation: the one in force then. */
typedef void reload_asked_fn(void *arg, bool ok, uint64_t generation, const struct diags *d);

struct asker;

struct askers {
    struct asker *v;
    size_t n;
};

void askers_add(struct askers *s, reload_asked_fn *done, void *arg);

/* A load begins: it is the one for all who have asked until now. */
void askers_begin(struct askers *s);

/* It is over: they are told. They may ask again while they are. */
void askers_tell(struct askers *s, bool ok, uint64_t generation, const struct diags *d);

/* There will be no load any more, and nobody is left. */
void askers_refuse(struct askers *s, uint64_t generation);

#endif
