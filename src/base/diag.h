/*
 * diag: findings about what a user wrote or supplied.
 *
 * Everything that reads configuration or files adds to one list and goes on, so
 * that all findings of a run are shown at once. Each says where (file:line, or
 * "command line", or "environment"), which key and value, what is wrong, and how
 * to mend it. One error in the list means: nothing is applied.
 *
 *   sallyport.conf:12: error: [route cql] client_auth = "requird": not one of none,
 *   request, require (did you mean "require"?)
 */
#ifndef SALLYPORT_BASE_DIAG_H
#define SALLYPORT_BASE_DIAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/json.h"

/* Where a value was set. line 0: the file as a whole, or no file. */
struct origin {
    const char *file;
    unsigned line;
};

/* A note is no complaint: something changed, and this is what. */
enum diag_level { DIAG_ERROR, DIAG_WARNING, DIAG_NOTE };

struct diag {
    enum diag_level level;
    char *file;                 /* may be NULL */
    unsigned line;
    char *section;              /* "route cql"; may be NULL */
    char *key, *value;          /* may be NULL */
    char *message, *hint;       /* hint may be NULL */
};

struct diags {
    struct diag *v;
    size_t n, errors;
};

/* Where a finding belongs; any member may be zero. Strings are copied. */
struct diag_at {
    struct origin at;
    const char *section, *key, *value;
};

/* hint may be NULL; the message has no newline and no trailing full stop. */
void diag_add(struct diags *d, enum diag_level level, struct diag_at where, const char *hint,
              const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* Copies: of one, and of all. */
void diags_put(struct diags *d, const struct diag *g);
void diags_join(struct diags *d, const struct diags *more);

/* Whether a very finding is among others, which stay as they are for as long as it lives. */
struct diags_index {
    const struct diag **v;      /* sorted */
    size_t n;
};

struct diags_index diags_index(const struct diags *d);
bool diags_index_has(const struct diags_index *x, const struct diag *g);
void diags_index_free(struct diags_index *x);

/* One finding as one line without newline; returned memory is the caller's (free()). */
char *diag_text(const struct diag *g);

void diags_print(const struct diags *d, FILE *out);        /* a line each */
void diags_print_json(const struct diags *d, FILE *out);   /* an array of objects */
void diags_put_json(const struct diags *d, struct json *j, const char *name); /* within more */
void diags_log(const struct diags *d);                     /* a log line each */
void diags_log_only(const struct diags *d, bool notes);    /* the notes, or all but those */

/* For the trip from the loader process to the master. pack: caller frees *bytes. */
void diags_pack(const struct diags *d, char **bytes, size_t *len);
bool diags_unpack(const char *bytes, size_t len, struct diags *out);

void diags_free(struct diags *d);

#endif
