/*
 * certinfo: certificates in words, for findings and log lines.
 *
 * Names in certificates are bytes that somebody else chose: every text made here
 * is escaped, and cut to its room.
 */
#ifndef SALLYPORT_TLS_CERTINFO_H
#define SALLYPORT_TLS_CERTINFO_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>

#define CERT_TEXT_MAX 192

/* "CN=alice"; without a CN the whole name as RFC 2253 has it; "an empty name". */
char *name_text(const X509_NAME *name, char out[CERT_TEXT_MAX]);

/* The whole name as RFC 2253 has it, escaped, "" for none; the caller's to free(). */
char *name_full(const X509_NAME *name);

/* Whom it is for: the subject, or the first alternative name where the subject is empty. */
char *cert_subject(X509 *x, char out[CERT_TEXT_MAX]);
char *cert_issuer(const X509 *x, char out[CERT_TEXT_MAX]);

/* The alternative names a client may dial: "DNS:a.example, IP:10.0.0.1, ..."; "no name". */
char *cert_dialled_names(X509 *x, char out[CERT_TEXT_MAX]);

/* All its alternative names, of the other kinds too, or ""; the caller's to free(). A comma
   is between two names and nowhere else. */
char *cert_names(X509 *x);

/*
 * The names under which a client may ask for it (SNI): its DNS names in lower case,
 * wildcards as they are; the common name where there are none. Names with bytes that no
 * name on the wire has are left out. Each, and the array, are the caller's to free().
 */
char **cert_server_names(X509 *x, size_t *n);

/* Issued by itself, and its own key says so. */
bool cert_self_signed(X509 *x);

/* May it sign others, in the eyes of OpenSSL? A self-signed X.509 v1 certificate may. */
bool cert_is_ca(X509 *x);

bool cert_same(const X509 *a, const X509 *b);

/* Did `issuer` sign `x`? Names, key identifiers, key usage, and the signature itself. */
bool cert_signed_by(X509 *x, X509 *issuer);

/* "RSA 2048", "EC P-256", "ED25519". */
#define KEY_TEXT_MAX 32
char *key_text(const EVP_PKEY *key, char out[KEY_TEXT_MAX]);

/* Seconds since 1970; INT64_MIN for a time that is none. */
int64_t time_of(const ASN1_TIME *t);

/* "2026-11-19 18:48 UTC" */
#define DATE_TEXT_MAX 40
char *date_text(int64_t t, char out[DATE_TEXT_MAX]);

/* "3 days ago", "in 2 hours", "now" */
char *distance_text(int64_t t, int64_t now, char out[DATE_TEXT_MAX]);

#endif
