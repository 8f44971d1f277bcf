/*
 * suites: which protocol versions, cipher suites and groups a context has, set
 * from what the operator wrote, with the word at fault named when one is wrong.
 *
 * OpenSSL ignores words it does not know in a cipher list as long as one is left;
 * here they are findings. IANA names (TLS_RSA_WITH_AES_128_CBC_SHA, as Java's
 * documents have them) are accepted beside OpenSSL's own (AES128-SHA).
 */
#ifndef SALLYPORT_TLS_SUITES_H
#define SALLYPORT_TLS_SUITES_H

#include <openssl/ssl.h>
#include <stddef.h>

#include "base/diag.h"
#include "tls/keypair.h"
#include "tls/policy.h"

/* Each 0, or -1 with a finding. Versions come first, suites before certificates:
   both set the security level that keys are then judged by. */
int suites_set_versions(SSL_CTX *ctx, const struct tls_policy *p, struct diags *d);
int suites_set_ciphers(SSL_CTX *ctx, const struct tls_policy *p, struct diags *d);
int suites_set_groups(SSL_CTX *ctx, const struct tls_policy *p, struct diags *d);

/* Once all is set: has every version a suite that the certificates can serve? */
int suites_check(SSL_CTX *ctx, const struct tls_policy *p, struct keypair *const *certs,
                 size_t ncerts, struct diags *d);

/* A set of versions in words: "TLS 1.2-1.3", "TLS 1.0, 1.2". */
char *versions_text(unsigned versions, char *out, size_t cap);
#define VERSIONS_TEXT_MAX 40

#endif
