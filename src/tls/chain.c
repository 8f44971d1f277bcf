#include "tls/chain.h"

#include "tls/certinfo.h"

bool chain_has(STACK_OF(X509) *chain, const X509 *x)
{
    for (int i = 0; i < sk_X509_num(chain); i++)
        if (cert_same(sk_X509_value(chain, i), x))
            return true;
    return false;
}

static X509 *issuer_in(const struct parts *files, size_t n, X509 *x, STACK_OF(X509) *have)
{
    for (size_t f = 0; f < n; f++) {
        for (size_t i = 0; i < files[f].ncerts; i++) {
            X509 *c = files[f].certs[i].x;
            if (!cert_same(c, x) && !chain_has(have, c) && cert_signed_by(x, c))
                return c;
        }
    }
    return NULL;
}

STACK_OF(X509) *chain_of(X509 *leaf, const struct parts *files, size_t n)
{
    STACK_OF(X509) *chain = NULL;

    for (X509 *x = leaf; !cert_self_signed(x) && (x = issuer_in(files, n, x, chain)) != NULL;) {
        if (chain == NULL)
            chain = sk_X509_new_null();
        if (chain == NULL || !sk_X509_push(chain, x))
            break;
    }
    return chain;
}
