/*
 * keystores: files that keytool and openssl made (tests/unit/tls/data), loaded and looked at.
 */
#ifndef SALLYPORT_TESTS_KEYSTORES_H
#define SALLYPORT_TESTS_KEYSTORES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/diag.h"
#include "tls/load.h"

#define PASS  "changeit"
#define OTHER "other-pass"

/* The path is "/k/NAME". Bytes have memory of exactly their size: reading beyond is found
   by the sanitizer. */
struct tls_input keystore(const char *name);
void keystore_free(struct tls_input *in);

struct loaded {
    int rc;
    struct keymats k;           /* of a store */
    struct ders t;              /* of a truststore */
    struct diags d;
};

struct how {
    const char *store, *key;    /* passwords */
    const char *alias;
};

struct loaded load_as_store(const struct tls_input *in, struct how how);
struct loaded load_as_trust(const struct tls_input *in, const char *password);
void loaded_free(struct loaded *l);

/* One key, and no finding; the chain as "CN=node1/node1 CN=ca/ca": names and aliases. The key
   belongs to it. */
void serves(const char *name, struct how how, const char *chain);

/* One error, with this text. */
void refuses_store(const char *name, struct how how, const char *text);
void refuses_trust(const char *name, const char *password, const char *text);

/* Anchors, written as above, and one warning, or none (NULL). */
void believes(const char *name, const char *password, const char *anchors, const char *warning);

/* Java's digest over file and password, put at the end where it belongs. */
void put_digest(uint8_t *p, size_t len, const char *ascii_password);

/* Damages a copy of `len` bytes in one of several ways, `n` choosing; *len may change. */
uint8_t *damaged_copy(const uint8_t *p, size_t *len, unsigned n);

#endif
