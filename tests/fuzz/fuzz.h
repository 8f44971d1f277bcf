/*
 * fuzz: what the fuzz targets share.
 *
 * A target gives bytes to parts_read(), as the loader does with a file that a user
 * named, and may only not crash, not leak and not take long. With a compiler that has
 * libFuzzer (configure --enable-fuzz CC=clang) each is a fuzzer:
 *
 *     ./fuzz_p12 corpus tests/unit/tls/data tests/fuzz/seeds/p12
 *
 * With any other, `make check` runs it over the seeds (replay.c). What a fuzzer finds
 * becomes a seed.
 */
#ifndef SALLYPORT_TESTS_FUZZ_H
#define SALLYPORT_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "tls/parts.h"

#define FUZZ_PASSWORD "changeit"    /* as in the fixtures */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Each use, once with the password and once without. */
void fuzz_read(const uint8_t *data, size_t size, const char *alias);

#endif
