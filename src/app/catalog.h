/*
 * catalog: the facts of an edition's certificates and lists, by whom they belong to.
 *
 * The monitor's copy of what the inventory has in the bundle, which it does not get: there are
 * keys in it.
 */
#ifndef SALLYPORT_APP_CATALOG_H
#define SALLYPORT_APP_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/inventory.h"

struct catalog {                /* zeroed: empty, of no generation */
    uint64_t generation;
    void *bytes;                /* the texts are in it */
    struct inventory_item *v;   /* by owner; those of one stay as they came */
    size_t n;
};

/* From the file that edition_facts() made. False, and an empty one of that generation, when it
   is damaged. */
bool catalog_read(int fd, uint64_t generation, struct catalog *out);
void catalog_free(struct catalog *c);

/* The first of an owner's ("store node"), and how many there are. */
const struct inventory_item *catalog_of(const struct catalog *c, const char *owner, size_t *n);

#endif
