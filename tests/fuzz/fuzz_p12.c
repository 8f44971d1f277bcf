/* PKCS#12; also behind the MAC, which a fuzzer would not guess. */
#include <openssl/pkcs12.h>

#include "fuzz.h"
#include "tls/sslerr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const unsigned char *p = data;
    PKCS12 *p12;
    unsigned char *mended = NULL;
    int len = 0;

    fuzz_read(data, size, NULL);
    p12 = d2i_PKCS12(NULL, &p, (long)size);
    if (p12 != NULL && PKCS12_mac_present(p12)
        && PKCS12_set_mac(p12, FUZZ_PASSWORD, -1, NULL, 0, 1, EVP_sha256()))
        len = i2d_PKCS12(p12, &mended);
    sslerr_clear();
    if (len > 0) {
        fuzz_read(mended, (size_t)len, NULL);
        fuzz_read(mended, (size_t)len, "alpha");
    }
    OPENSSL_free(mended);
    PKCS12_free(p12);
    return 0;
}
