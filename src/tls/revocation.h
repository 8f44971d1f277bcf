/*
 * revocation: what is checked against CRLs when a trust has any, and what is told of it.
 *
 * Who configures CRLs wants every certificate below the anchor checked, and nobody let
 * in whom no valid CRL covers. The anchor itself is believed because it is listed;
 * OpenSSL would ask for a CRL for it too, which for an intermediate or a leaf that is
 * an anchor its issuer would have to have made: that is let pass.
 */
#ifndef SALLYPORT_TLS_REVOCATION_H
#define SALLYPORT_TLS_REVOCATION_H

#include <openssl/x509_vfy.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Have the store's verifications check CRLs. 0 or -1. */
int revocation_require(X509_STORE *store);

/* In a verify callback: is the error that there is no CRL for the anchor? Then it is
   taken back, and the callback answers 1. */
bool revocation_spares(X509_STORE_CTX *store);

/* When, for an error about a revoked certificate or a CRL's dates: "3 days ago
   (2026-11-19 18:48 UTC), reason keyCompromise". False: it is none of these. */
bool revocation_when(X509_STORE_CTX *store, X509 *x, char *out, size_t cap);

/* When the first of the store's CRLs expires that may have cleared a certificate of this
   chain, which was found good `now`; INT64_MAX: none has. NULLs are fine. */
int64_t revocation_until(X509_STORE *store, STACK_OF(X509) *chain, int64_t now);

#endif
