/*
 * key_uri: private keys that stay where they are, in a token for instance.
 *
 * `key = pkcs11:…` names a key that nobody can read, only use. So what reaches the
 * workers is not the key but how to get at it: the URI and the PIN, the one secret
 * that is handed on. Every process opens the key for itself, for a PKCS#11 module
 * does not outlive a fork: the loader to prove it, each worker to use it, once its
 * privileges are gone.
 *
 * Whoever serves the scheme in OpenSSL 3 (a provider with an OSSL_STORE loader) is
 * asked first; pkcs11: falls back on the engine of that name, which is what Debian 12
 * has. Nobody is ever asked for a PIN.
 */
#ifndef SALLYPORT_TLS_KEY_URI_H
#define SALLYPORT_TLS_KEY_URI_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "tls/material.h"

/* Why a key could not be had, and how to mend it (hint: empty if there is nothing to say). */
struct key_uri_refusal {
    struct err why, hint;
};

/* The caller's, and it has signed something; or NULL and the reason. `pin` may be NULL: whoever
   holds the key needs none, or the URI says where it is (pin-source). */
EVP_PKEY *key_uri_open(const char *uri, const char *pin, struct key_uri_refusal *r);

/* Does it sign (still)? A token can be taken away. Reasons stay in OpenSSL's queue. */
bool key_uri_works(EVP_PKEY *key);

/* Is it the private key of this public one? Shown by a signature, since some keep the public
   part to themselves. */
bool key_uri_matches(EVP_PKEY *key, EVP_PKEY *pub);

/* --- in place of PKCS#8 in the record of a pair --- */

/* The bytes are the caller's, to wipe and free. They do not begin as DER does. */
struct der key_uri_record(const char *uri, const char *pin);
bool key_uri_is_record(const uint8_t *p, size_t len);

/* key_uri_open() of a record; NULL and e. */
EVP_PKEY *key_uri_open_record(const uint8_t *p, size_t len, struct err *e);

#endif
