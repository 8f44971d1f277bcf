/*
 * parts: the certificates and private keys in one file, whatever its form.
 *
 * The first half of loading: parts_read() tells the form by content, takes the
 * file apart and reports what is damaged, locked or of another kind. Who belongs
 * to whom is load.c's business. Files: parts.c chooses, parts_pem.c and
 * parts_der.c read, parts_key.c opens keys, parts_alien.c knows what else people
 * put into these files.
 */
#ifndef SALLYPORT_TLS_PARTS_H
#define SALLYPORT_TLS_PARTS_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/diag.h"
#include "tls/material.h"

enum alien {                    /* what is neither certificate nor key, but known */
    ALIEN_NONE,
    ALIEN_CSR,
    ALIEN_PUBLIC_KEY,
    ALIEN_CRL,
    ALIEN_PKCS7,
    ALIEN_PKCS12,
    ALIEN_JKS,
    ALIEN_JCEKS,
    ALIEN_OPENSSH,
    ALIEN_PGP,
    ALIEN_PARAMETERS,
    ALIEN_UTF16
};

/* What the file is read for. For trust, keys are counted and stay closed. A pair file
   is one of those that make up a pair: certificates, a key, or both. */
enum parts_use { PARTS_CERT_FILE, PARTS_KEY_FILE, PARTS_TRUST_FILE, PARTS_PAIR_FILE };

enum parts_form { FORM_PEM, FORM_DER, FORM_PKCS12, FORM_JKS, FORM_JCEKS };

struct part_cert {
    X509 *x;
    char *alias;                /* of its keystore entry, escaped; NULL: it has none */
    bool trusted;               /* marked as an anchor: "BEGIN TRUSTED CERTIFICATE", or a
                                   trusted entry of a keystore */
};

struct part_key {
    EVP_PKEY *key;
    char *alias;                /* as above */
};

struct parts {
    const struct tls_input *in;
    enum parts_use use;
    enum parts_form form;
    struct part_cert *certs;
    size_t ncerts;
    struct part_key *keys;
    size_t nkeys;
    struct key_decoder *decoder;
    size_t nclosed;             /* keys that were seen and not opened, or could not be */
    enum alien alien;           /* the first of its kind in the file */
};

/* 0; or -1 when it reported an error, with what could be read in *out. */
int parts_read(const struct tls_input *in, enum parts_use use, const struct passwords *pw,
               struct parts *out, struct diags *d);
void parts_free(struct parts *p);

/* The readers. `p` is the file's bytes; -1 when an error was reported. */
int parts_pem(struct parts *out, const uint8_t *p, size_t len, const struct passwords *pw,
              struct diags *d);
int parts_der(struct parts *out, const struct passwords *pw, struct diags *d);

void parts_add_cert(struct parts *p, X509 *x, bool trusted);    /* takes x */

struct der parts_cert_der(const X509 *x);       /* p is the caller's */

/* Forms of a private key. PEM blocks say which; DER is tried in this order. */
enum key_form { KEY_PKCS8, KEY_PKCS8_ENCRYPTED, KEY_RSA, KEY_EC, KEY_DSA };

/* Decode, decrypt (`dek` is a PEM block's DEK-Info header, or "") and keep a key, or
   report why not; `line` is where its block begins, 0 if that means nothing. The
   bytes may be decrypted in place. 0 or -1. */
int parts_add_key(struct parts *p, enum key_form form, char *dek, uint8_t *der, size_t len,
                  size_t line, const char *password, struct diags *d);

/* By content, for what is not PEM. */
enum alien alien_of_bytes(const uint8_t *p, size_t len);
enum alien alien_of_pem(const char *block);
const char *alien_text(enum alien a);           /* "a certificate signing request" */
/* What to do with it instead; the caller's to free(), or NULL. */
char *alien_hint(enum alien a, enum parts_use use, const char *path);

#endif
