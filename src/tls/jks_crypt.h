/*
 * jks_crypt: what guards a Java keystore: a digest over all of it, and a protection of
 * its own around each private key.
 *
 * Both are Sun's, from the 1990s, and quick to guess against; they are here so that
 * such a file can be read, and nothing is ever written with them. Passwords are UTF-8,
 * as they come out of a password file; Java makes UTF-16 of them.
 */
#ifndef SALLYPORT_TLS_JKS_CRYPT_H
#define SALLYPORT_TLS_JKS_CRYPT_H

#include <openssl/x509.h>
#include <stdbool.h>

#include "proto/jks.h"
#include "tls/pbe.h"

/* SHA-1 over the password, two words, and the file. */
bool jks_digest_fits(const struct jks *k, const char *password);

/* DER of an EncryptedPrivateKeyInfo under JKS's or JCEKS's protection to PKCS#8, which
   is the caller's to free. *rounds: what may still be spent. `how`: the encryption's
   name, set when the result is KEY_UNSUPPORTED. */
enum key_opened jks_open_key(struct jks_bytes sealed, const char *password, int64_t *rounds,
                             PKCS8_PRIV_KEY_INFO **out, char how[80]);

#endif
