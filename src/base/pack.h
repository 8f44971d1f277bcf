/*
 * pack: numbers and runs of bytes, one behind the other, and back.
 *
 * For what travels between processes of one program (a bundle's settings, findings,
 * key pairs): numbers are in this machine's order and nothing has a version. What
 * is read back is not believed all the same: every length is checked against what
 * is left, and the first that does not fit makes the whole unpack bad, after which
 * every call gives zero or NULL. So a reader may take a whole record and look once.
 */
#ifndef SALLYPORT_BASE_PACK_H
#define SALLYPORT_BASE_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct pack {
    uint8_t *p;                 /* the caller's to free(), or pack_free() */
    size_t len, cap;
};

void pack_bytes(struct pack *k, const void *p, size_t n);   /* as they are, without a length */
void pack_u32(struct pack *k, uint32_t v);
void pack_u64(struct pack *k, uint64_t v);
void pack_blob(struct pack *k, const void *p, size_t n);    /* a length of 4 bytes, and n bytes */
void pack_str(struct pack *k, const char *s);               /* NULL is kept apart from "" */
void pack_text(struct pack *k, const char *s);  /* the same, to be used where it lies */
/* Make room for n more bytes at once. */
void pack_reserve(struct pack *k, size_t n);
void pack_free(struct pack *k);                             /* wipes: it may hold keys */

struct unpack {
    const uint8_t *p;
    size_t left;
    bool bad;
};

/* n bytes where they lie, or NULL. */
const uint8_t *unpack_bytes(struct unpack *u, size_t n);
uint32_t unpack_u32(struct unpack *u);
uint64_t unpack_u64(struct unpack *u);
/* The bytes where they lie; never NULL unless bad. */
const uint8_t *unpack_blob(struct unpack *u, size_t *n);
/* A copy, the caller's to free(); NULL if it was packed so (and when bad). A text
   with a NUL within is bad. */
char *unpack_str(struct unpack *u);
/* Of pack_text(): the text where it lies, with its end; NULL if it was packed so (and
   when bad). */
const char *unpack_text(struct unpack *u);
/* Of pack_str(): the text where it lies; p is NULL if it was packed so. */
struct span unpack_span(struct unpack *u);

#endif
