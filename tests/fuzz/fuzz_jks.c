/* JKS and JCEKS; also behind the digest, which a fuzzer would not guess. */
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "proto/jks.h"

static void put_digest(uint8_t *p, size_t len)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    EVP_DigestInit_ex(ctx, EVP_sha1(), NULL);
    for (const char *c = FUZZ_PASSWORD; *c != '\0'; c++) {
        EVP_DigestUpdate(ctx, "", 1);
        EVP_DigestUpdate(ctx, c, 1);
    }
    EVP_DigestUpdate(ctx, "Mighty Aphrodite", 16);
    EVP_DigestUpdate(ctx, p, len - JKS_DIGEST_LEN);
    EVP_DigestFinal_ex(ctx, p + len - JKS_DIGEST_LEN, NULL);
    EVP_MD_CTX_free(ctx);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy;

    fuzz_read(data, size, NULL);
    if (jks_form(data, size) == JKS_NOT || size <= JKS_DIGEST_LEN
        || (copy = malloc(size)) == NULL)
        return 0;
    memcpy(copy, data, size);
    put_digest(copy, size);
    fuzz_read(copy, size, NULL);
    fuzz_read(copy, size, "alpha");
    free(copy);
    return 0;
}
