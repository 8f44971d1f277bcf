/*
 * given: keys that flags and variables set, on their way to settings.
 */
#ifndef SALLYPORT_CMD_GIVEN_H
#define SALLYPORT_CMD_GIVEN_H

#include "conf/schema.h"

struct given {
    const struct key_row *row;
    char *value;
    const char *origin;         /* ORIGIN_COMMAND_LINE or ORIGIN_ENVIRONMENT */
};

struct givens {
    struct given *v;
    size_t n;
};

void givens_add(struct givens *g, const struct key_row *row, const char *value, const char *origin);

/* Puts the weaker ones before g's own, but for keys that g has itself. */
void givens_merge(struct givens *g, const struct givens *weaker);

/* The first that belongs to the route; of the command line if there is one. NULL: none. */
const struct given *givens_route(const struct givens *g);

/* As settings: [proxy], and [route cli] with the sections that it refers to. */
void givens_settings(const struct givens *g, struct settings *out);

void givens_free(struct givens *g);

#endif
