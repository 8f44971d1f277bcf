/*
 * digest: by what unchanged material is known again. SHA-256 over runs of bytes, each
 * with its length, so that no two lists come to the same bytes.
 */
#ifndef SALLYPORT_TLS_DIGEST_H
#define SALLYPORT_TLS_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "tls/material.h"

#define DIGEST_LEN 32

/* Many in a row: what OpenSSL looks up for one is kept for the next. */
struct digester;
struct digester *digester_new(void);
void digester_free(struct digester *g);
void digest_bytes(struct digester *g, const void *p, size_t n, uint8_t out[DIGEST_LEN]);

void digest_ders(const struct der *v, size_t n, uint8_t out[DIGEST_LEN]);

#endif
