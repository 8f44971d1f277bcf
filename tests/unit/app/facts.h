/*
 * facts: inventories written down as tables.
 */
#ifndef SALLYPORT_TEST_APP_FACTS_H
#define SALLYPORT_TEST_APP_FACTS_H

#include "app/inventory.h"

/* What a test says of a fact; what is left out is filled in. */
struct row {
    const char *owner;          /* NULL: the end of the table */
    enum fact_kind kind;
    const char *path, *alias, *name, *serial, *names, *key;
    int64_t from, until, written;
    bool ca;
};

/* The print is made of name and serial: the same two are the same certificate. */
struct inventory inventory_of(const struct row *rows);

/* As a load would leave them: a record for the rows of a store that follow one another with one
   path. The caller frees it. */
struct bundle *bundle_of_pairs(const struct row *rows);

#endif
