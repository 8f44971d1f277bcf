/*
 * key_decoder: private keys out of DER, many of them quickly.
 *
 * OpenSSL 3 looks for a decoder through all of its providers each time it is given a
 * key, which costs ten times what decoding does (0.4 ms against 0.02). Kept decoders
 * are asked first here; what they do not know takes the general way. One per thread;
 * it holds nothing of a key between two calls.
 */
#ifndef SALLYPORT_TLS_KEY_DECODER_H
#define SALLYPORT_TLS_KEY_DECODER_H

#include <openssl/evp.h>
#include <stddef.h>
#include <stdint.h>

enum key_syntax {
    KEY_SYNTAX_PKCS8,           /* RFC 5208 PrivateKeyInfo */
    KEY_SYNTAX_RSA,             /* RFC 8017 A.1.2 RSAPrivateKey */
    KEY_SYNTAX_EC,              /* RFC 5915 ECPrivateKey, with its parameters */
    KEY_SYNTAX_DSA
};

struct key_decoder;

struct key_decoder *key_decoder_new(void);      /* NULL when memory is out */
void key_decoder_free(struct key_decoder *k);   /* NULL is fine */

/* The caller's key; or NULL, with the reason in OpenSSL's error queue. `k` may be
   NULL: the general way then. */
EVP_PKEY *key_decode(struct key_decoder *k, enum key_syntax syntax, const uint8_t *der, size_t len);

#endif
