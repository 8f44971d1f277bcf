/*
 * presets: what known services need, by name (presets.tbl).
 *
 * A route with `preset = NAME` gets the keys of these rows, and its upstream gets
 * those that are an upstream's. Whatever was written wins, wherever it was written.
 * build_presets() (conf/build.h) does it, once routes know their upstreams.
 */
#ifndef SALLYPORT_CONF_PRESETS_H
#define SALLYPORT_CONF_PRESETS_H

#include "conf/types.h"

/* The origin of a key that was filled: "preset NAME", line 0. */
#define PRESET_ORIGIN "preset "
/* The preset's name out of such an origin; NULL for all others. */
const char *preset_of(struct origin at);

struct preset {
    const char *name;
    const char *use;            /* the channel that it is for */
};

struct preset_row {
    const char *preset;
    enum conf_key key;          /* of the route, or of its upstream */
    const char *value, *why;
    bool weakens;               /* less than our default: warned of */
};

/* Both end with a name that is NULL. */
extern const struct preset presets[];
extern const struct preset_row preset_rows[];

/* Is there one of that name? 0, or -1 with the nearest one, and all of them. */
int preset_find(struct span name, struct refusal *r);

#endif
