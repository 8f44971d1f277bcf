/*
 * parts: the certificates, private keys and CRLs in one file, whatever its form.
 *
 * The first half of loading: parts_read() tells the form by content, takes the
 * file apart and reports what is damaged, locked or of another kind. Who belongs
 * to whom is load.c's business. Files: parts.c chooses; parts_pem.c, parts_der.c,
 * parts_jks.c and parts_p12.c read; parts_key.c opens keys; parts_entry.c is what
 * the keystores have in common; parts_alien.c knows what else people put into these
 * files.
 */
#ifndef SALLYPORT_TLS_PARTS_H
#define SALLYPORT_TLS_PARTS_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/diag.h"
#include "tls/material.h"
#include "tls/pbe.h"

enum alien {                    /* what is neither certificate nor key, but known */
    ALIEN_NONE,
    ALIEN_CSR,
    ALIEN_PUBLIC_KEY,
    ALIEN_CRL,
    ALIEN_PKCS7,
    ALIEN_BCFKS,
    ALIEN_BKS,
    ALIEN_OPENSSH,
    ALIEN_OPENSSH_ED25519,
    ALIEN_PGP,
    ALIEN_PARAMETERS,
    ALIEN_UTF16,
    ALIEN_SECRET_KEY
};

/*
 * What the file is read for. For trust and of a CRL file, keys are counted and stay
 * closed. A pair file is one of those that make up a pair: certificates, a key, or both.
 * To be shown, everything is taken: a key that no password opens is no error but an entry
 * (part_key.key is NULL), and what is neither key, certificate nor CRL is kept as it is
 * (parts.others).
 */
enum parts_use {
    PARTS_CERT_FILE, PARTS_KEY_FILE, PARTS_TRUST_FILE, PARTS_PAIR_FILE, PARTS_CRL_FILE, PARTS_SHOW
};

enum parts_form { FORM_PEM, FORM_DER, FORM_PKCS12, FORM_JKS, FORM_JCEKS };

/* Where a certificate stands in its keystore, if it does not stand alone. */
enum entry_place {
    ENTRY_NONE,
    ENTRY_LEAF,                 /* the certificate of a private key */
    ENTRY_ISSUER                /* behind such a one, in the chain of a key */
};

struct part_cert {
    X509 *x;
    char *alias;                /* of its keystore entry, escaped; NULL: it has none */
    bool trusted;               /* marked as an anchor: "BEGIN TRUSTED CERTIFICATE", or a
                                   trusted entry of a keystore */
    enum entry_place place;
};

struct part_key {
    EVP_PKEY *key;              /* NULL: it stayed closed: a keystore's entry that is not the
                                   one meant, or not to be opened; PARTS_SHOW: any */
    char *alias;                /* as above */
    bool encrypted;             /* it lay in the file under a password */
};

struct part_other {
    enum alien kind;
    char *alias;                /* of its keystore entry, escaped; NULL: it has none */
    struct der der;             /* empty for a secret key */
};

struct parts {
    const struct tls_input *in;
    enum parts_use use;
    const char *alias;          /* the entry that is meant; NULL: the only one */
    enum parts_form form;
    struct part_cert *certs;
    size_t ncerts;
    struct part_key *keys;
    size_t nkeys;
    struct key_decoder *decoder;
    size_t nclosed;             /* keys that were seen and not opened, or could not be */
    X509_CRL **crls;            /* of a trust or CRL file, and to be shown */
    size_t ncrls;
    struct part_other *others;  /* PARTS_SHOW alone */
    size_t nothers;
    enum alien alien;           /* the first of its kind in the file */
    bool stray;                 /* reported for being nothing that could be meant: not damaged, but
                                   plainly something else, or empty */
};

static inline bool parts_is_keystore(const struct parts *p)
{
    return p->form == FORM_PKCS12 || p->form == FORM_JKS || p->form == FORM_JCEKS;
}

/* "a Java keystore (JKS)", "a PKCS#12 keystore" */
const char *parts_form_text(const struct parts *p);

/* 0; or -1 when it reported an error, with what could be read in *out. */
int parts_read(const struct tls_input *in, enum parts_use use, const struct passwords *pw,
               struct parts *out, struct diags *d);

/* The same with the alias of the keystore entry that is meant (NULL: the only one): of
   several keys in a keystore that one alone is opened, for each can have a password of
   its own; the others are listed. */
int parts_read_entry(const struct tls_input *in, enum parts_use use, const struct passwords *pw,
                     const char *alias, struct parts *out, struct diags *d);
void parts_free(struct parts *p);

/* Does an entry's alias, escaped as it is, stand for what a user wrote? As Java has it,
   in either case; non-ASCII characters can also be written as they are shown. */
bool parts_alias_is(const char *alias, const char *written);

/* The readers. `p` is the file's bytes; -1 when an error was reported. */
int parts_pem(struct parts *out, const uint8_t *p, size_t len, const struct passwords *pw,
              struct diags *d);
int parts_der(struct parts *out, const struct passwords *pw, struct diags *d);
int parts_jks(struct parts *out, const struct passwords *pw, struct diags *d);
int parts_p12(struct parts *out, const struct passwords *pw, struct diags *d);

void parts_add_cert(struct parts *p, X509 *x, bool trusted);    /* takes x */
void parts_add_crl(struct parts *p, X509_CRL *crl);             /* takes crl */
/* Of another kind: the first is remembered, for who wanted something else; of what is
   read to be shown, all are. */
void parts_add_alien(struct parts *p, enum alien kind, const uint8_t *der, size_t len);

bool parts_wants_crls(const struct parts *p);

/* Does the outermost element of DER end behind the file's end? *whole is how many bytes
   it says that it has. */
bool parts_cut_short(const uint8_t *p, size_t len, size_t *whole);

struct der parts_cert_der(const X509 *x);       /* p is the caller's */

/* --- what keystores have in common (parts_entry.c) --- */

char *parts_alias(const char *utf8, size_t len);        /* escaped; the caller's */

/* A certificate and a key, which is closed yet. Both take what they are given. */
void parts_add_entry_cert(struct parts *p, X509 *x, char *alias, bool trusted,
                          enum entry_place place);
void parts_add_entry_key(struct parts *p, char *alias);

/* A key for something that is not TLS, which Java keeps beside the others; takes alias. */
void parts_add_entry_secret(struct parts *p, char *alias);

/* Is the key of this number the one to open? */
bool parts_entry_meant(const struct parts *p, size_t key);

/* PKCS#8, open: becomes the key of an entry, or is reported. 0 or -1. */
int parts_entry_key(struct parts *p, size_t key, const PKCS8_PRIV_KEY_INFO *info,
                    struct diags *d);
/* Reports; -1, and 0 of what is read to be shown. `how` is the encryption's name, or NULL. */
int parts_entry_closed(const struct parts *p, size_t key, enum key_opened why, const char *how,
                       const struct passwords *pw, struct diags *d);

/* To be shown, and opened by the keystore's password alone: says that the one which was
   given for keys is none. */
void parts_entry_otherwise(const struct parts *p, size_t key, struct diags *d);

/* Findings about a keystore as a whole; -1. */
int parts_needs_password(const struct parts *p, struct diags *d);
int parts_wrong_password(const struct parts *p, const struct passwords *pw, struct diags *d);
int parts_damaged(const struct parts *p, const char *why, struct diags *d);
void parts_unchecked(const struct parts *p, struct diags *d);  /* a warning */

/* A key that cannot serve TLS is reported. 0 or -1. */
int parts_usable_key(const struct parts *p, const EVP_PKEY *key, struct diags *d);

/* Forms of a private key. PEM blocks say which; DER is tried in this order. */
enum key_form { KEY_PKCS8, KEY_PKCS8_ENCRYPTED, KEY_RSA, KEY_EC, KEY_DSA };

/* Decode, decrypt (`dek` is a PEM block's DEK-Info header, or "") and keep a key, or
   report why not; `line` is where its block begins, 0 if that means nothing. The
   bytes may be decrypted in place. 0 or -1. */
int parts_add_key(struct parts *p, enum key_form form, char *dek, uint8_t *der, size_t len,
                  size_t line, const char *password, struct diags *d);

/* A key that was opened elsewhere (key_uri.h); takes it. */
void parts_add_token_key(struct parts *p, EVP_PKEY *key);

/* By content, for what is not PEM. */
enum alien alien_of_bytes(const uint8_t *p, size_t len);
enum alien alien_of_pem(const char *block, const uint8_t *der, size_t len);
const char *alien_text(enum alien a);           /* "a certificate signing request" */
/* What to do with it instead; the caller's to free(), or NULL. */
char *alien_hint(enum alien a, enum parts_use use, const char *path);

#endif
