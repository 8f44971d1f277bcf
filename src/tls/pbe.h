/*
 * pbe: encryption by password, judged before it is tried.
 *
 * How many rounds turn a password into a key is said by the file, so a damaged or a
 * malicious one could keep the reader busy for hours. A file has a budget.
 */
#ifndef SALLYPORT_TLS_PBE_H
#define SALLYPORT_TLS_PBE_H

#include <openssl/x509.h>
#include <stdint.h>

/* What came of opening a key, or anything that a password locks. */
enum key_opened {
    KEY_OPEN, KEY_NO_PASSWORD, KEY_WRONG_PASSWORD, KEY_UNSUPPORTED, KEY_TOO_SLOW, KEY_DAMAGED
};

#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
#define PBE_ROUNDS_MAX 20000    /* a fuzzer wants to try many files, not one for long */
#else
#define PBE_ROUNDS_MAX 5000000  /* a second or two; keystores have 10 to 600 thousand */
#endif

/* KEY_OPEN, and the rounds are taken off *left; KEY_TOO_SLOW when there are not so many
   left; KEY_UNSUPPORTED (such as scrypt, whose cost is not in rounds), KEY_DAMAGED.
   Takes the schemes of PKCS#5 and PKCS#12, and PBMAC1. */
enum key_opened pbe_judge(const X509_ALGOR *how, int64_t *left);

/* The same for a plain number; NULL counts as 1, PKCS#12's default. */
enum key_opened pbe_judge_rounds(const ASN1_INTEGER *rounds, int64_t *left);

/* "pbeWithSHA1And40BitRC2-CBC", or the dotted number; cut to its room. Returns out. */
#define PBE_TEXT_MAX 80
char *pbe_text(const X509_ALGOR *how, char out[PBE_TEXT_MAX]);

/*
 * The algorithms of yesterday, such as RC2-40 in PKCS#12 files of Java 8: OpenSSL keeps
 * them in a provider of its own. It is loaded when first asked for, into a context that
 * nothing but the reading of this file uses, so that the handshakes never see it.
 */
struct pbe_legacy {
    OSSL_LIB_CTX *ctx;
    OSSL_PROVIDER *old, *usual;
};

/* NULL when it cannot be loaded: it is not installed. */
OSSL_LIB_CTX *pbe_legacy(struct pbe_legacy *l);
void pbe_legacy_free(struct pbe_legacy *l);

#endif
