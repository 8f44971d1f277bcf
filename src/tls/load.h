/*
 * load: key and certificate files, as users have them, to plain DER.
 *
 * This runs in the loader (and in `check` and `show`), never in a worker: the
 * bytes that leave here are certificates and PKCS#8 keys in DER, and no password; but of a
 * key that stays in a token, its URI and PIN (key_uri.h).
 * The format is told by content, never by name: PEM — bundles, text around the
 * blocks, any order, PKCS#1 / SEC1 / PKCS#8 keys, encrypted PKCS#8 and the older
 * "DEK-Info" encryption (RFC 7468, RFC 5208, RFC 1421 4.6.1.1) —, DER certificates and
 * keys, PKCS#12 (RFC 7292), and Java's keystores, JKS and JCEKS. Anything else is
 * refused by what it is, if known.
 */
#ifndef SALLYPORT_TLS_LOAD_H
#define SALLYPORT_TLS_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "tls/facts.h"
#include "tls/material.h"

struct keypair;

/* One private key with its certificate chain, leaf first. */
struct keymat {
    struct der key;             /* PKCS#8, unencrypted; or key_uri_record() */
    struct der *chain;
    struct fact *facts;         /* of each certificate of the chain */
    size_t nchain;
    int type;                   /* EVP_PKEY_RSA, EVP_PKEY_EC … */
    unsigned bits;              /* keypair_bits() */
    char **names;               /* that a client may ask for it by (cert_server_names) */
    size_t nnames;
    struct keypair *pair;       /* the same, parsed */
    const char *path;           /* the file the leaf came from (the input's string) */
    struct diag_at where;
};

struct keymats {
    struct keymat *v;
    size_t n;
};

/*
 * Every certificate file of a store and the key files beside them. Each key finds its certificate
 * by public key; the chain is what else lies in the leaf's file, ordered by issuer (where two
 * files hold one leaf, the longer); what is in no chain is left out with a warning. Findings:
 * not a certificate file, a file whose first certificate has no key (unless it issued
 * one that has), a key that belongs to no certificate, encrypted without password,
 * wrong password, two leaves of one key type. A key of a URI is opened (key_uri.h) unless
 * there was an error already, of whichever store, and signs for its certificate. Of a
 * keystore, the key of the alias is taken, or the only one (tls/entry.h), with the
 * certificate that is tied to it; what else is in it may be part of the chain, and is no
 * finding. 0, or -1 when any error was added or a key was not opened.
 * *out is the caller's either way (keymats_free).
 */
int load_store(const struct store_input *in, struct keymats *out, struct diags *d);

void keymats_free(struct keymats *k);       /* keys are wiped */

struct ders {
    struct der *v;
    struct fact *facts;         /* of each */
    size_t n;
};

/*
 * The certificates of a trust file. Each is an anchor, but one that was surely
 * not meant to be is refused: a file of nothing but certificates that a CA issued
 * to somebody (no CA, not self-signed) is most likely the server's own certificate
 * where the CA's belongs, and would admit itself alone; that is an error. Who does mean
 * to trust such a certificate alone marks it (`openssl x509 -trustout` writes
 * BEGIN TRUSTED CERTIFICATE), or has it in a keystore. Beside a CA it is a warning: an
 * anchor for itself alone. Of a keystore, those are anchors that Java believes: trusted
 * entries, and the certificate of each key without the chain behind it; and all in a
 * PKCS#12 file without keys. Other errors: no certificate in it. Warnings: a private
 * key in PEM or DER; a certificate that is expired or not yet valid; what judge_anchor()
 * has to say of one that is not marked. CRLs in the file follow the anchors in *out; their
 * facts tell them apart. 0 or -1.
 */
int load_trust(const struct tls_input *file, const struct passwords *pw, struct ders *out,
               struct diags *d);

/*
 * The CRLs in the files of a trust, whose `ca` files were loaded into `trust`; those that
 * lay in there are judged too. Errors: no CRL in a file; a CRL that the CA of its name did
 * not sign, or may not; one of a kind that is not supported (delta, indirect, for some
 * reasons); none for any CA. Warnings, because clients will be refused: none for one of the
 * CAs, expired, not yet in force. A CRL of a CA that is not in `trust` is for intermediates
 * that clients send: a note. 0 or -1; *out is the caller's either way.
 */
int load_crls(const struct tls_input *files, size_t n, const struct ders *trust, size_t ntrust,
              struct diag_at at, struct ders *out, struct diags *d);

/* The CRLs of a file, behind what is in *out. */
struct parts;
void load_put_crls(const struct parts *p, struct ders *out);

void ders_free(struct ders *s);

#endif
