#include "tls/chain.h"

#include <string.h>

#include "tls/certinfo.h"
#include "tls/entry.h"

bool chain_has(STACK_OF(X509) *chain, const X509 *x)
{
    for (int i = 0; i < sk_X509_num(chain); i++)
        if (cert_same(sk_X509_value(chain, i), x))
            return true;
    return false;
}

/* `alias`: only among the issuers that came with this entry; NULL: among all. */
static bool is_candidate(const struct part_cert *c, const char *alias)
{
    return alias == NULL
           || (c->place == ENTRY_ISSUER && c->alias != NULL && strcmp(c->alias, alias) == 0);
}

static X509 *issuer_in(const struct parts *files, size_t n, X509 *x, STACK_OF(X509) *have,
                       const char *alias)
{
    for (size_t f = 0; f < n; f++) {
        for (size_t i = 0; i < files[f].ncerts; i++) {
            X509 *c = files[f].certs[i].x;
            if (is_candidate(&files[f].certs[i], alias) && !cert_same(c, x) && !chain_has(have, c)
                && cert_signed_by(x, c))
                return c;
        }
    }
    return NULL;
}

static const char *alias_in(const struct parts *files, size_t n, const X509 *leaf)
{
    const char *alias = NULL;

    for (size_t f = 0; f < n && alias == NULL; f++)
        alias = entry_alias(&files[f], leaf);
    return alias;
}

STACK_OF(X509) *chain_of(X509 *leaf, const struct parts *files, size_t n)
{
    STACK_OF(X509) *chain = NULL;
    const char *alias = alias_in(files, n, leaf);

    for (X509 *x = leaf; !cert_self_signed(x);) {
        /* Of two certificates of one CA the entry's own is the one that was meant. */
        X509 *issuer = alias != NULL ? issuer_in(files, n, x, chain, alias) : NULL;
        if (issuer == NULL)
            issuer = issuer_in(files, n, x, chain, NULL);
        if (issuer == NULL)
            break;
        if (chain == NULL)
            chain = sk_X509_new_null();
        if (chain == NULL || !sk_X509_push(chain, issuer))
            break;
        x = issuer;
    }
    return chain;
}
