#include "tls/digest.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "base/mem.h"

/* SHA-256 fails only where memory is out or OpenSSL is broken: nothing goes on then. */
static void must(int ok)
{
    if (ok != 1)
        abort();
}

struct digester {
    EVP_MD_CTX *ctx;
    EVP_MD *sha256;
};

struct digester *digester_new(void)
{
    struct digester *g = mem_zalloc(sizeof(*g));

    g->ctx = EVP_MD_CTX_new();
    g->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    must(g->ctx != NULL && g->sha256 != NULL);
    return g;
}

void digester_free(struct digester *g)
{
    EVP_MD_CTX_free(g->ctx);
    EVP_MD_free(g->sha256);
    free(g);
}

void digest_bytes(struct digester *g, const void *p, size_t n, uint8_t out[DIGEST_LEN])
{
    must(EVP_DigestInit_ex(g->ctx, g->sha256, NULL));
    must(EVP_DigestUpdate(g->ctx, p, n));
    must(EVP_DigestFinal_ex(g->ctx, out, NULL));
}

void digest_ders(const struct der *v, size_t n, uint8_t out[DIGEST_LEN])
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();

    must(md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL));
    for (size_t i = 0; i < n; i++) {
        uint64_t len = v[i].len;
        must(EVP_DigestUpdate(md, &len, sizeof(len)));
        must(EVP_DigestUpdate(md, v[i].p, v[i].len));
    }
    must(EVP_DigestFinal_ex(md, out, NULL));
    EVP_MD_CTX_free(md);
}
