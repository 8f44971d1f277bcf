/*
 * types: what a value may be, one parser, printer and destructor per type.
 *
 * A parser is given one value; a list's parser is called once per value and
 * appends. Printing is the inverse: it gives the lines that make the same field.
 */
#ifndef SALLYPORT_CONF_TYPES_H
#define SALLYPORT_CONF_TYPES_H

#include <stdbool.h>

#include "base/err.h"
#include "conf/schema.h"

/* Why a value is refused, and how to mend it (hint: empty if there is nothing to say). */
struct refusal {
    struct err why;
    struct err hint;
    bool secret;                /* the value is not to be told: a password is in it */
};

/* `file` names the value: a relative path is resolved against its folder (the
   command line and the environment have none, and mean the current one). 0 or -1. */
int type_parse(const struct key_row *row, struct span text, const char *file, void *field,
               struct refusal *r);

/* Back to "not set", memory freed. */
void type_clear(const struct key_row *row, void *field);

/* Calls fn once per line of the file that `field` takes; not at all if it is not set. */
typedef void type_line_fn(const char *value, void *arg);
void type_each(const struct key_row *row, const void *field, type_line_fn *fn, void *arg);

/* The word for a value of a key that takes one of several: "bridge" for KEY_ROUTE_MODE. */
const char *type_word(enum conf_key key, int value);

/* For --help and the manual: "DURATION", "text|json". */
const char *type_metavar(enum conf_type t);

/* The field of a row in a section object. */
static inline void *type_field(const struct key_row *row, struct conf_head *head)
{
    return (char *)head + row->offset;
}

/* As a user writes a file: joined to the folder of `file` if relative. The caller's. */
char *type_resolve(struct span path, const char *file);

#endif
