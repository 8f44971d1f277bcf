/* JKS and JCEKS: certificates and keys of a Java keystore. */
#include <limits.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "base/mem.h"
#include "proto/jks.h"
#include "tls/jks_crypt.h"
#include "tls/parts.h"
#include "tls/sslerr.h"

struct reader {
    struct parts *out;
    const struct passwords *pw;
    struct diags *d;
    struct jks_bytes *sealed;   /* of each key, in the file */
    struct passwords rest;      /* what is left of pw when the keystore's is wrong */
    bool refused;               /* an error was told, and what can be shown is read on */
    int64_t rounds;             /* left for opening keys */
};

static char *alias_of(const struct jks_entry *e)
{
    char *text = mem_zalloc(e->alias.len + 1);
    ptrdiff_t len = jks_text(e->alias, text);
    char *alias;

    if (len >= 0)
        alias = parts_alias(text, (size_t)len);
    else                        /* made by something that is not Java */
        alias = parts_alias((const char *)e->alias.p, e->alias.len);
    free(text);
    return alias;
}

static int refuse_secret(struct reader *r, const struct jks *k, const struct jks_entry *e)
{
    char *alias = alias_of(e);
    char *hint = mem_printf("copy the entry that is meant to a keystore of its own: keytool "
                            "-importkeystore -srckeystore %s -srcalias ALIAS -destkeystore NEW.p12 "
                            "-deststoretype pkcs12", r->out->in->path);

    diag_add(r->d, DIAG_ERROR, r->out->in->where, hint,
             "%s holds a secret key (entry %u, \"%s\"); what comes after one cannot be read",
             r->out->in->path, k->next, alias);
    free(hint);
    free(alias);
    return -1;
}

/* It can be shown, and so can what comes before it. */
static int meet_secret(struct reader *r, const struct jks *k, const struct jks_entry *e)
{
    if (r->out->use != PARTS_SHOW)
        return refuse_secret(r, k, e);
    parts_add_entry_secret(r->out, alias_of(e));
    r->refused = k->next < k->entries && refuse_secret(r, k, e) != 0;
    return 0;
}

/* Is the whole file well formed? Before the digest: damage can be told from a password
   that is wrong only by what does not fit together. */
static int walk(struct reader *r, struct jks *k)
{
    struct err e = ERR_INIT;
    struct jks_entry entry;
    int rc;

    if (jks_open(k, r->out->in->data, r->out->in->len, &e) != 0)
        return parts_damaged(r->out, e.text, r->d);
    while ((rc = jks_next(k, &entry, &e)) > 0)
        if (entry.kind == JKS_SECRET)
            return meet_secret(r, k, &entry);
    return rc == 0 ? 0 : parts_damaged(r->out, e.text, r->d);
}

static int check_digest(struct reader *r, const struct jks *k)
{
    if (r->pw->store != NULL) {
        if (jks_digest_fits(k, r->pw->store))
            return 0;
        parts_wrong_password(r->out, r->pw, r->d);
        if (r->out->use != PARTS_SHOW)
            return -1;
        r->refused = true;
        r->rest = (struct passwords){ .key = r->pw->key, .decoder = r->pw->decoder };
        r->pw = &r->rest;
        return 0;
    }
    if (r->out->use != PARTS_TRUST_FILE && r->out->use != PARTS_SHOW)
        return parts_needs_password(r->out, r->d);
    parts_unchecked(r->out, r->d);
    return 0;
}

static int add_cert(struct reader *r, struct jks_bytes der, const char *alias, bool trusted,
                    enum entry_place place)
{
    const unsigned char *p = der.p;
    X509 *x = d2i_X509(NULL, &p, (long)der.len);
    char why[128], *all;

    if (x != NULL && p == der.p + der.len) {
        parts_add_entry_cert(r->out, x, mem_strdup(alias), trusted, place);
        return 0;
    }
    all = mem_printf("a certificate of its entry \"%s\" cannot be read: %s", alias,
                     x == NULL ? sslerr_text(why, sizeof(why)) : "there are bytes behind it");
    X509_free(x);
    parts_damaged(r->out, all, r->d);
    free(all);
    return -1;
}

static int add_entry(struct reader *r, const struct jks *k, struct jks_entry *e)
{
    char *alias = alias_of(e);
    bool trusted = e->kind == JKS_TRUSTED;
    enum entry_place place = trusted ? ENTRY_NONE : ENTRY_LEAF;
    struct jks_bytes der;
    int rc = 0;

    if (e->kind == JKS_KEY) {
        r->sealed = mem_grow(r->sealed, r->out->nkeys + 1, sizeof(r->sealed[0]));
        r->sealed[r->out->nkeys] = e->key;
        parts_add_entry_key(r->out, mem_strdup(alias));
    }
    while (rc == 0 && jks_cert(k, e, &der)) {
        rc = add_cert(r, der, alias, trusted, place);
        place = trusted ? ENTRY_NONE : ENTRY_ISSUER;
    }
    free(alias);
    return rc;
}

static int add_entries(struct reader *r)
{
    struct err e = ERR_INIT;
    struct jks_entry entry;
    struct jks k;
    int rc = 0;

    jks_open(&k, r->out->in->data, r->out->in->len, &e);
    while (rc == 0 && jks_next(&k, &entry, &e) > 0 && entry.kind != JKS_SECRET)
        rc = add_entry(r, &k, &entry);
    return rc;
}

static int open_key(struct reader *r, size_t key)
{
    const char *password = key_password(r->pw);
    PKCS8_PRIV_KEY_INFO *info;
    enum key_opened why;
    char how[80];
    int rc;

    if (password == NULL)
        return parts_entry_closed(r->out, key, KEY_NO_PASSWORD, NULL, r->pw, r->d);
    why = jks_open_key(r->sealed[key], password, &r->rounds, &info, how);
    /* keytool and others know one password for both, whatever they were told. */
    if (why == KEY_WRONG_PASSWORD && password != r->pw->store && r->pw->store != NULL) {
        why = jks_open_key(r->sealed[key], r->pw->store, &r->rounds, &info, how);
        if (why == KEY_OPEN)
            parts_entry_otherwise(r->out, key, r->d);
    }
    if (why != KEY_OPEN)
        return parts_entry_closed(r->out, key, why, how, r->pw, r->d);
    rc = parts_entry_key(r->out, key, info, r->d);
    PKCS8_PRIV_KEY_INFO_free(info);
    return rc;
}

int parts_jks(struct parts *out, const struct passwords *pw, struct diags *d)
{
    struct reader r = { .out = out, .pw = pw, .d = d, .rounds = PBE_ROUNDS_MAX };
    struct jks k;
    int rc;

    sslerr_clear();
    rc = walk(&r, &k);
    if (rc == 0)
        rc = check_digest(&r, &k);
    if (rc == 0)
        rc = add_entries(&r);
    for (size_t i = 0; i < out->nkeys && rc == 0; i++)
        if (parts_entry_meant(out, i))
            rc = open_key(&r, i);
    free(r.sealed);
    sslerr_clear();
    return r.refused ? -1 : rc;
}
