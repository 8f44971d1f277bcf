/*
 * names: from texts to numbers, in the order they were added; and DNS names and URIs as
 * they are compared.
 *
 * One text may have several numbers: they are found in the order of adding. The texts
 * are borrowed and must outlive the table. Nothing is ever taken out.
 */
#ifndef SALLYPORT_BASE_NAMES_H
#define SALLYPORT_BASE_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct names_item {
    struct span text;
    uint32_t hash;
    uint32_t value;
    uint32_t next;              /* with the same text: its place in items, and 1; 0: none */
    uint32_t last;              /* of the first with its text: the end of that chain */
};

struct names {                  /* zeroed: empty */
    struct names_item *items;
    size_t n, room;
    uint32_t *slots;            /* open addressing: place in items, and 1; 0: empty */
    size_t nslots;              /* a power of two, or 0 */
};

/* Aborts when memory is out (base/mem.h): tables are made by what starts and reloads. */
void names_add(struct names *t, struct span text, uint32_t value);
void names_free(struct names *t);

/* The first with that text, or NULL; and the one after it. */
const struct names_item *names_find(const struct names *t, struct span text);
const struct names_item *names_next(const struct names *t, const struct names_item *i);

uint32_t names_hash(struct span text);

#define DNS_NAME_MAX 255        /* of a name on the wire, and of its folded copy */

/*
 * As DNS names are compared: lower case (ASCII), without the dot at the end, which is not
 * allowed in SNI (RFC 6066 3) and is seen. The length; 0 for one that is empty,
 * too long or has a NUL.
 */
size_t dns_fold(struct span name, char out[DNS_NAME_MAX + 1]);

/*
 * The wildcard that stands for a folded name: "*.example.com" for a.example.com. Written
 * over it; where it begins is returned, or NULL for a name of one label.
 */
char *dns_wildcard(char *name);

/* Where a URI's path begins, or what comes in its place: up to there case is of no account
   (RFC 3986 6.2.2.1). Without a host that is at the colon, and another "://" is of the path. */
size_t uri_path(struct span uri);

#endif
