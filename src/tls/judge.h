/*
 * judge: what is to be said of a certificate by itself, wherever it is used.
 *
 * Findings that `check`, start, reload and `show` share; who uses it for what (a server's
 * certificate, an anchor) judges the rest. All are warnings, each with the fix.
 */
#ifndef SALLYPORT_TLS_JUDGE_H
#define SALLYPORT_TLS_JUDGE_H

#include <openssl/x509.h>
#include <stdbool.h>

#include "base/diag.h"

struct judge_at {
    const char *path;           /* the file it lies in, for the message */
    struct diag_at where;
    struct diags *d;
};

/* A key or a signature that clients no longer accept. The signature of what is
   self-signed is not looked at: nobody relies on it. */
void judge_strength(const struct judge_at *at, X509 *x);

/* What a client that checks the server's name wants of its certificate. */
void judge_server_form(const struct judge_at *at, X509 *x);

/* What keeps a certificate in a trust from being the issuer it is to be. */
void judge_anchor(const struct judge_at *at, X509 *x);

/* May it be a server's, by its extended key usage? Without one it may be anything. */
bool judge_is_for_servers(X509 *x);
bool judge_is_for_clients(X509 *x);

/*
 * Of a server's certificate that is sent alone, since the file holds no issuer. Does it name
 * a place where the issuer can be had? Who publishes that is a public CA, and works through
 * intermediates: a warning. A private CA often signs with its root, which clients have, and
 * nothing in the file tells: a note. `alias`: the keystore entry; NULL: in no keystore.
 */
bool judge_issuer_missing(const struct judge_at *at, X509 *leaf, const char *alias); /* it warned */
void judge_note_alone(const struct judge_at *at, X509 *leaf, const char *alias);

#endif
