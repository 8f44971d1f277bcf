/*
 * admission: a client whose certificate is good may be sent away all the same, by the rules
 * of its route (terms.h), and is told so: with the alert access_denied (RFC 8446 6.2: "a
 * valid certificate [...] was received, but when access control was applied, the sender
 * decided not to proceed").
 *
 * OpenSSL has an alert of its own for what a callback refuses, and none that can be chosen.
 * So in TLS 1.2 its alert, which is plaintext there, is given another number on its way out.
 * In TLS 1.3 the handshake goes on to its end, where a ticket would be sent: the maker of
 * an extension for tickets may fail, with an alert that it chooses.
 */
#ifndef SALLYPORT_TLS_ADMISSION_H
#define SALLYPORT_TLS_ADMISSION_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

/* The context's connections will be able to refuse. 0 or -1. */
int admission_prepare(SSL_CTX *ctx);

/* From the verify callback, when the leaf has been found good: what the callback answers. */
int admission_judge(X509_STORE_CTX *store);

/* Of a run of bytes on their way out: is it the alert of a refusal in TLS 1.2? Then what is to go
   in its place, of the same length. */
#define ADMISSION_ALERT_LEN 7
bool admission_alert(const SSL *ssl, const char *p, size_t len, char out[ADMISSION_ALERT_LEN]);

#endif
