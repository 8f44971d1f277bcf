/*
 * key_engine: keys of pkcs11: URIs through OpenSSL's older interface, engines.
 *
 * Debian 12 has no PKCS#11 provider, but libengine-pkcs11-openssl. Engines are
 * deprecated in OpenSSL 3 and may be missing from it; this file is all there is of them.
 */
#ifndef SALLYPORT_TLS_KEY_ENGINE_H
#define SALLYPORT_TLS_KEY_ENGINE_H

#include <openssl/evp.h>
#include <openssl/ui.h>
#include <stdbool.h>

#include "base/str.h"

/* false: there is no such engine. Else *key is the caller's, or NULL with the reason in
   OpenSSL's error queue. `module` is the path of the PKCS#11 module (p NULL: the engine's
   default), taken by the first that is opened. */
bool key_engine_open(const char *uri, const char *pin, struct span module, UI_METHOD *ui,
                     void *ui_arg, EVP_PKEY **key);

#endif
