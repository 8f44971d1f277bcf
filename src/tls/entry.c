#include "tls/entry.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

#define LISTED_MAX 20

const char *entry_alias(const struct parts *p, const X509 *x)
{
    for (size_t i = 0; i < p->ncerts; i++)
        if (p->certs[i].x == x)
            return p->certs[i].alias;
    return NULL;
}

/* `"a", "b" and 3 more`; the caller's. */
static char *list_of(const struct parts *p)
{
    char *out = mem_strdup("");

    for (size_t i = 0; i < p->nkeys && i < LISTED_MAX; i++) {
        char *more = mem_printf("%s%s\"%s\"", out, i > 0 ? ", " : "",
                                p->keys[i].alias != NULL ? p->keys[i].alias : "");
        free(out);
        out = more;
    }
    if (p->nkeys > LISTED_MAX) {
        char *more = mem_printf("%s and %zu more", out, p->nkeys - LISTED_MAX);
        free(out);
        out = more;
    }
    return out;
}

static size_t meant(const struct parts *p, const char *alias)
{
    size_t n = 0;

    for (size_t i = 0; i < p->nkeys; i++)
        n += parts_alias_is(p->keys[i].alias, alias);
    return n;
}

static void report_unknown(const struct store_input *in, const struct parts *p, struct diags *d)
{
    const char **words = mem_zalloc((p->nkeys + 1) * sizeof(words[0]));
    char *list = list_of(p), *hint = NULL, *alias = parts_alias(in->alias, strlen(in->alias));
    const char *near;
    bool trusted = false;

    for (size_t i = 0; i < p->nkeys; i++)
        words[i] = p->keys[i].alias != NULL ? p->keys[i].alias : "";
    for (size_t i = 0; i < p->ncerts; i++)
        trusted = trusted || (p->certs[i].trusted && p->certs[i].alias != NULL
                              && parts_alias_is(p->certs[i].alias, in->alias));
    near = str_nearest(in->alias, words, p->nkeys);
    if (near != NULL)
        hint = mem_printf("did you mean \"%s\"?", near);
    diag_add(d, DIAG_ERROR, in->alias_at, hint,
             trusted ? "the entry \"%s\" of %s is a trusted certificate, without a private key; "
                       "there is a key in %s"
                     : "no private key entry \"%s\" in %s; there is %s",
             alias, p->in->path, list);
    free(alias);
    free(hint);
    free(list);
    free(words);
}

static void check_keystore(const struct store_input *in, const struct parts *p, struct diags *d)
{
    if (p->nkeys == 0) {
        /* Certificates alone are fine where the key is another file, or in a folder. */
        if (in->nkeys == 0 && !in->mixed)
            diag_add(d, DIAG_ERROR, p->in->where,
                     "name the keystore that holds the key; trusted certificates go into `ca`",
                     "no private key entry in %s (%zu trusted certificate%s)", p->in->path,
                     p->ncerts, p->ncerts == 1 ? "" : "s");
        return;
    }
    if (in->alias == NULL && p->nkeys > 1) {
        char *list = list_of(p);
        diag_add(d, DIAG_ERROR, p->in->where, "say which one is meant: alias = ALIAS",
                 "%s holds %zu private keys: %s", p->in->path, p->nkeys, list);
        free(list);
        return;
    }
    if (in->alias == NULL)
        return;
    size_t n = meant(p, in->alias);
    if (n == 0)
        report_unknown(in, p, d);
    else if (n > 1)
        diag_add(d, DIAG_ERROR, in->alias_at, "give them names of their own: keytool -changealias",
                 "%zu private key entries of %s have this alias", n, p->in->path);
}

void entry_check(const struct store_input *in, const struct parts *files, struct diags *d)
{
    bool any = false;

    for (size_t i = 0; i < in->ncerts + in->nkeys; i++) {
        if (!parts_is_keystore(&files[i]))
            continue;
        any = true;
        check_keystore(in, &files[i], d);
    }
    /* In a folder, keystores may lie beside others. */
    if (in->alias != NULL && !any && in->ncerts > 0 && !in->mixed)
        diag_add(d, DIAG_ERROR, in->alias_at, "remove it: a PEM or DER file has no aliases",
                 "an alias chooses an entry of a keystore, and %s is none", in->certs[0].path);
}
