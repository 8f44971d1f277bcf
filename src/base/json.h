/*
 * json: JSON to a FILE, value by value.
 *
 * Keeps track of commas and line breaks, and of nothing else: who opens a container
 * closes it. A container is written in one line, or with each member in a line of its
 * own. Text is taken for UTF-8; bytes that are none become U+FFFD, so that whatever a
 * file or a peer chose, what comes out can be read.
 */
#ifndef SALLYPORT_BASE_JSON_H
#define SALLYPORT_BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define JSON_DEPTH_MAX 31

struct json {                   /* = { .out = FILE } */
    FILE *out;
    unsigned depth;
    uint32_t filled, lines, arrays;     /* a bit per depth: has members; each in a line of
                                           its own; is an array */
};

enum json_style { JSON_LINE, JSON_LINES };

/* `name` is that of a member of an object; NULL in an array, and of the whole. */
void json_object(struct json *j, const char *name, enum json_style style);
void json_array(struct json *j, const char *name, enum json_style style);
void json_end(struct json *j);          /* of the innermost; after the whole, a newline */

void json_text(struct json *j, const char *name, const char *s);       /* NULL: null */
/* The same of a text that is escaped for who looks at it (str_escape()): a program is given it as
   it was. */
void json_escaped(struct json *j, const char *name, const char *escaped);
void json_number(struct json *j, const char *name, int64_t n);
/* Seconds since 1970, as RFC 3339 has it: "2026-11-23T20:00:00Z". INT64_MIN, INT64_MAX, and what
   no calendar has: null. */
void json_time(struct json *j, const char *name, int64_t t);
void json_bool(struct json *j, const char *name, bool yes);

#endif
