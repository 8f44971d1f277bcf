#include "tls/describe.h"

#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tls/certinfo.h"
#include "tls/chain.h"
#include "tls/describe_words.h"
#include "tls/parts.h"
#include "tls/sslerr.h"

static const char *const form_names[] = {
    [FORM_PEM] = "PEM", [FORM_DER] = "DER", [FORM_PKCS12] = "PKCS#12",
    [FORM_JKS] = "JKS", [FORM_JCEKS] = "JCEKS",
};

static bool same_alias(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

/* --- which certificates belong to which key --- */

/* An entry of a Java keystore has its chain; elsewhere a chain is what names and
   signatures say. */
static bool has_chains(const struct parts *p)
{
    return p->form == FORM_JKS || p->form == FORM_JCEKS;
}

static bool is_leaf_of(const struct parts *p, const struct part_key *k, const struct part_cert *c)
{
    EVP_PKEY *pub = X509_get0_pubkey(c->x);

    if (c->trusted)
        return false;
    if (c->place == ENTRY_LEAF && (k->key == NULL || has_chains(p)))
        return same_alias(k->alias, c->alias);
    return k->key != NULL && pub != NULL && EVP_PKEY_eq(pub, k->key) == 1;
}

/* With the leaf; the stack is the caller's, its members are the file's. */
static STACK_OF(X509) *chain_at(const struct parts *p, size_t leaf)
{
    STACK_OF(X509) *chain = has_chains(p) ? NULL : chain_of(p->certs[leaf].x, p, 1);

    if (chain == NULL)
        chain = sk_X509_new_null();
    sk_X509_unshift(chain, p->certs[leaf].x);
    for (size_t i = leaf + 1;
         has_chains(p) && i < p->ncerts && p->certs[i].place == ENTRY_ISSUER; i++)
        sk_X509_push(chain, p->certs[i].x);
    return chain;
}

static void claim(struct description *s, const struct part_key *k, size_t leaf)
{
    const struct parts *p = s->p;

    s->owner[leaf] = k;
    if (has_chains(p)) {
        for (size_t i = leaf + 1; i < p->ncerts && p->certs[i].place == ENTRY_ISSUER; i++)
            s->in_chain[i] = true;
        return;
    }
    STACK_OF(X509) *chain = chain_at(p, leaf);
    for (size_t i = 0; i < p->ncerts; i++)
        if (!p->certs[i].trusted && i != leaf && chain_has(chain, p->certs[i].x))
            s->in_chain[i] = true;
    sk_X509_free(chain);
}

static bool has_certificate(const struct description *s, const struct part_key *k)
{
    for (size_t c = 0; c < s->p->ncerts; c++)
        if (s->owner[c] == k)
            return true;
    return false;
}

static void find_leaf(struct description *s, const struct part_key *k, bool same_name)
{
    const struct parts *p = s->p;

    for (size_t c = 0; c < p->ncerts; c++)
        if (s->owner[c] == NULL
            && (!same_name || same_alias(k->alias, p->certs[c].alias))
            && is_leaf_of(p, k, &p->certs[c])) {
            claim(s, k, c);
            return;
        }
}

/* One key may have several certificates, in entries of different names: so those of its
   own name come first. */
static void find_owners(struct description *s)
{
    for (size_t k = 0; k < s->p->nkeys; k++)
        if (s->p->keys[k].alias != NULL)
            find_leaf(s, &s->p->keys[k], true);
    for (size_t k = 0; k < s->p->nkeys; k++)
        if (!has_certificate(s, &s->p->keys[k]))
            find_leaf(s, &s->p->keys[k], false);
    sslerr_clear();
}

/* --- entries --- */

static struct item *add_item(struct listing *l, enum item_kind kind, const char *alias,
                               const char *what)
{
    l->v = mem_grow(l->v, l->n + 1, sizeof(l->v[0]));
    l->v[l->n] = (struct item){
        .kind = kind,
        .alias = alias != NULL ? mem_strdup(alias) : NULL,
        .what = mem_strdup(what),
    };
    return &l->v[l->n++];
}

static void add_fact(struct item *e, const struct parts *p, X509 *x, enum fact_kind kind)
{
    e->facts = mem_grow(e->facts, e->nfacts + 1, sizeof(e->facts[0]));
    struct fact *f = &e->facts[e->nfacts++];
    *f = (struct fact){ .kind = kind, .path = mem_strdup(p->in->path),
                        .file_time = p->in->time };
    fact_of_cert(x, f);
}

#define NO_LEAF SIZE_MAX

static void add_key(struct description *s, const struct part_key *k, size_t leaf)
{
    bool encrypted = k->encrypted || parts_is_keystore(s->p);
    struct item *e = add_item(s->out, ITEM_KEY, k->alias,
                                encrypted ? "private key (encrypted)" : "private key");
    char text[KEY_TEXT_MAX];

    e->encrypted = encrypted;
    e->key = k->key != NULL ? mem_strdup(key_text(k->key, text)) : NULL;
    if (leaf == NO_LEAF)
        return;
    STACK_OF(X509) *chain = chain_at(s->p, leaf);
    for (int i = 0; i < sk_X509_num(chain); i++)
        add_fact(e, s->p, sk_X509_value(chain, i), i == 0 ? FACT_LEAF : FACT_CHAIN);
    describe_chain(s, chain, k->alias);
    sk_X509_free(chain);
}

static void add_certs(struct description *s)
{
    for (size_t i = 0; i < s->p->ncerts; i++) {
        const struct part_cert *c = &s->p->certs[i];
        if (s->owner[i] != NULL) {
            add_key(s, s->owner[i], i);
        } else if (!s->in_chain[i]) {
            struct item *e =
                add_item(s->out, c->trusted ? ITEM_TRUSTED : ITEM_CERTIFICATE, c->alias,
                          c->trusted ? "trusted certificate" : "certificate");
            char text[KEY_TEXT_MAX];
            EVP_PKEY *pub = X509_get0_pubkey(c->x);
            e->key = pub != NULL ? mem_strdup(key_text(pub, text)) : NULL;
            add_fact(e, s->p, c->x, c->trusted ? FACT_ANCHOR : FACT_CHAIN);
        }
    }
}

static void add_crl(struct description *s, X509_CRL *crl)
{
    struct item *e = add_item(s->out, ITEM_CRL, NULL, "certificate revocation list");

    e->facts = mem_zalloc(sizeof(e->facts[0]));
    e->nfacts = 1;
    e->facts[0] = (struct fact){ .path = mem_strdup(s->p->in->path),
                                 .file_time = s->p->in->time };
    fact_of_crl(crl, &e->facts[0]);
    e->revoked = (size_t)sk_X509_REVOKED_num(X509_CRL_get_REVOKED(crl));
    if (sk_X509_REVOKED_num(X509_CRL_get_REVOKED(crl)) < 0)
        e->revoked = 0;
    describe_crl(s, &e->facts[0]);
}

static void add_request(struct item *e, const struct der *der)
{
    const unsigned char *p = der->p;
    X509_REQ *req = d2i_X509_REQ(NULL, &p, (long)der->len);
    EVP_PKEY *pub = req != NULL ? X509_REQ_get0_pubkey(req) : NULL;
    char text[KEY_TEXT_MAX];

    if (req != NULL)
        e->subject = name_full(X509_REQ_get_subject_name(req));
    if (pub != NULL)
        e->key = mem_strdup(key_text(pub, text));
    X509_REQ_free(req);
    sslerr_clear();
}

static enum item_kind kind_of(enum alien a)
{
    return a == ALIEN_CSR ? ITEM_REQUEST : a == ALIEN_SECRET_KEY ? ITEM_SECRET : ITEM_OTHER;
}

static void add_other(struct description *s, const struct part_other *o)
{
    const char *what = alien_text(o->kind);
    struct item *e;

    if (o->kind == ALIEN_PARAMETERS && s->out->n > 0)
        return;                 /* they lie beside a key that has them, too */
    what += strncmp(what, "a ", 2) == 0 ? 2 : strncmp(what, "an ", 3) == 0 ? 3 : 0;
    e = add_item(s->out, kind_of(o->kind), o->alias, what);
    e->encrypted = o->kind == ALIEN_SECRET_KEY;
    if (o->kind == ALIEN_CSR)
        add_request(e, &o->der);
    describe_other(s, o);
}

int describe(const struct tls_input *in, const struct passwords *pw, int64_t now,
             struct listing *out, struct diags *d)
{
    struct parts p;
    size_t before = d->errors;

    *out = (struct listing){ 0 };
    bool read = parts_read(in, PARTS_SHOW, pw, &p, d) == 0;

    struct description s = {
        .p = &p, .out = out, .d = d, .now = now,
        .owner = mem_zalloc(sizeof(struct part_key *) * (p.ncerts + 1)),
        .in_chain = mem_zalloc(sizeof(bool) * (p.ncerts + 1)),
    };
    find_owners(&s);
    add_certs(&s);
    for (size_t i = 0; i < p.nkeys; i++)
        if (!has_certificate(&s, &p.keys[i])) {
            add_key(&s, &p.keys[i], NO_LEAF);
            describe_lone_key(&s, &p.keys[i]);
        }
    for (size_t i = 0; i < p.ncrls; i++)
        add_crl(&s, p.crls[i]);
    for (size_t i = 0; i < p.nothers; i++)
        add_other(&s, &p.others[i]);
    describe_certs(&s);
    out->form = read || out->n > 0 ? form_names[p.form] : NULL;
    free(s.owner);
    free(s.in_chain);
    parts_free(&p);
    sslerr_clear();
    return d->errors == before ? 0 : -1;
}

void listing_free(struct listing *l)
{
    for (size_t i = 0; i < l->n; i++) {
        struct item *e = &l->v[i];
        free(e->alias);
        free(e->what);
        free(e->key);
        free(e->subject);
        for (size_t k = 0; k < e->nfacts; k++)
            fact_free(&e->facts[k]);
        free(e->facts);
    }
    free(l->v);
    *l = (struct listing){ 0 };
}
