#include "tls/load.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tls/certinfo.h"
#include "tls/chain.h"
#include "tls/entry.h"
#include "tls/key_uri.h"
#include "tls/keypair.h"
#include "tls/parts.h"
#include "tls/sslerr.h"

/* A private key of the store, with the file it came from. */
struct found_key {
    EVP_PKEY *key;              /* in its parts */
    const struct parts *from;
    EVP_PKEY *proven;           /* of a URI: the public key it signed for; of a certificate */
    bool used;
};

/* A certificate whose key is in the store. */
struct leaf {
    X509 *x;                    /* in its parts */
    struct found_key *key;
    const struct parts *from;
};

struct work {
    struct parts *files;        /* certificate files first */
    size_t ncert_files, nfiles;
    struct found_key *keys;
    size_t nkeys;
    struct leaf *leaves;
    size_t nleaves;
    bool mixed;
    bool *exposed;
    const struct passwords *pw;
    bool *refused;
    bool incomplete;            /* a key was left unopened, after an error of another */
    struct diags *d;
};

static void collect_keys(struct work *w)
{
    for (size_t i = 0; i < w->nfiles; i++) {
        const struct parts *p = &w->files[i];
        for (size_t k = 0; k < p->nkeys; k++) {
            bool known = p->keys[k].key == NULL;
            for (size_t j = 0; j < w->nkeys && !known; j++)
                known = EVP_PKEY_eq(w->keys[j].key, p->keys[k].key) == 1;
            if (known)
                continue;       /* one file named as both cert and key, for one */
            w->keys = mem_grow(w->keys, w->nkeys + 1, sizeof(w->keys[0]));
            w->keys[w->nkeys++] = (struct found_key){ .key = p->keys[k].key, .from = p };
        }
    }
    sslerr_clear();
}

/* A key that stays in its token has to sign: each certificate is asked about several
   times, so what it showed is kept. */
static bool belongs(struct found_key *k, EVP_PKEY *pub)
{
    if (!k->from->in->uri)
        return EVP_PKEY_eq(pub, k->key) == 1;
    if (k->proven != NULL)
        return EVP_PKEY_eq(pub, k->proven) == 1;
    if (!key_uri_matches(k->key, pub))
        return false;
    k->proven = pub;
    return true;
}

static struct found_key *key_of(const struct work *w, const X509 *x)
{
    EVP_PKEY *pub = X509_get0_pubkey(x);

    for (size_t i = 0; pub != NULL && i < w->nkeys; i++)
        if (belongs(&w->keys[i], pub))
            return &w->keys[i];
    return NULL;
}

static struct leaf *known_leaf(const struct work *w, const X509 *x)
{
    for (size_t i = 0; i < w->nleaves; i++)
        if (cert_same(w->leaves[i].x, x))
            return &w->leaves[i];
    return NULL;
}

static int chain_length(X509 *leaf, const struct parts *file)
{
    STACK_OF(X509) *chain = chain_of(leaf, file, 1);
    int n = sk_X509_num(chain);

    sk_X509_free(chain);
    return n;
}

/* cert.pem and fullchain.pem, both named: the chain is the longer one. */
static void meet_again(struct leaf *l, const struct parts *p, X509 *x)
{
    if (chain_length(x, p) <= chain_length(l->x, l->from))
        return;
    l->x = x;
    l->from = p;
}

static void collect_leaf(struct work *w, const struct parts *p, const struct part_cert *c)
{
    struct found_key *key = key_of(w, c->x);
    struct leaf *known = key != NULL ? known_leaf(w, c->x) : NULL;

    if (known != NULL && !w->mixed && !parts_is_keystore(p))
        meet_again(known, p, c->x);
    if (key == NULL || known != NULL)
        return;
    /* A keystore says which is the certificate of its key; another for the same key,
       the one before it for instance, may lie beside it. */
    if (parts_is_keystore(p) && c->place != ENTRY_LEAF && key->used)
        return;
    key->used = true;
    w->leaves = mem_grow(w->leaves, w->nleaves + 1, sizeof(w->leaves[0]));
    w->leaves[w->nleaves++] = (struct leaf){ .x = c->x, .key = key, .from = p };
}

static void collect_leaves(struct work *w)
{
    for (size_t i = 0; i < w->ncert_files; i++) {
        const struct parts *p = &w->files[i];
        for (size_t c = 0; c < p->ncerts; c++)
            if (p->certs[c].place == ENTRY_LEAF)
                collect_leaf(w, p, &p->certs[c]);
        for (size_t c = 0; c < p->ncerts; c++)
            if (p->certs[c].place != ENTRY_LEAF)
                collect_leaf(w, p, &p->certs[c]);
    }
    sslerr_clear();
}

/* --- findings --- */

static const struct parts *first_cert_file(const struct work *w)
{
    for (size_t i = 0; i < w->ncert_files; i++)
        if (w->files[i].ncerts > 0)
            return &w->files[i];
    return NULL;
}

/* A key without certificate. The certificate meant is most likely one without key. */
static void report_lone_key(const struct work *w, const struct found_key *k)
{
    const struct parts *meant = first_cert_file(w);
    char name[CERT_TEXT_MAX], has[KEY_TEXT_MAX], needs[KEY_TEXT_MAX];

    if (meant == NULL && w->mixed)
        diag_add(w->d, DIAG_ERROR, k->from->in->where,
                 "put its certificate beside it, with the same name up to the ending; if the "
                 "folder as a whole is one pair, name the folder above it",
                 "no certificate for the private key in %s", k->from->in->path);
    if (meant == NULL)
        return;
    for (size_t i = 0; i < w->ncert_files; i++)
        if (w->files[i].ncerts > 0 && key_of(w, w->files[i].certs[0].x) == NULL) {
            meant = &w->files[i];
            break;
        }
    X509 *x = meant->certs[0].x;
    EVP_PKEY *pub = X509_get0_pubkey(x);
    cert_subject(x, name);
    key_text(k->key, has);
    if (pub != NULL)
        key_text(pub, needs);
    diag_add(w->d, DIAG_ERROR, k->from->in->where,
             w->mixed ? "put the key of that certificate in its place, or ask for a certificate "
                        "for this key"
                      : "name the key of that certificate, or ask for a certificate for this key",
             "the private key in %s (%s) does not belong to the certificate %s in %s (%s)",
             k->from->in->path, has, name, meant->in->path, pub != NULL ? needs : "unknown key");
}

/* Two files may hold the same leaf. */
static bool holds(const struct parts *p, const X509 *x)
{
    for (size_t i = 0; i < p->ncerts; i++)
        if (cert_same(p->certs[i].x, x))
            return true;
    return false;
}

/* A leaf's chain is what its own file holds of it, or all files of the pair. */
static STACK_OF(X509) *chain_for(const struct work *w, const struct leaf *l)
{
    return w->mixed ? chain_of(l->x, w->files, w->nfiles) : chain_of(l->x, l->from, 1);
}

/* Is x in the chain of a leaf of this file? */
static bool in_a_chain(const struct work *w, const struct parts *p, X509 *x)
{
    bool yes = false;

    for (size_t i = 0; i < w->nleaves && !yes; i++) {
        if (!w->mixed && !holds(p, w->leaves[i].x))
            continue;
        STACK_OF(X509) *chain = chain_for(w, &w->leaves[i]);
        yes = chain_has(chain, x);
        sk_X509_free(chain);
    }
    return yes;
}

static void report_lone_cert(const struct work *w, const struct parts *p)
{
    X509 *x = p->certs[0].x;
    char name[CERT_TEXT_MAX], *hint;

    for (size_t i = 0; i < w->nleaves; i++) {
        if (cert_signed_by(w->leaves[i].x, x)) {
            hint = mem_printf("it is the issuer of the certificate in %s: append it to that file",
                              w->leaves[i].from->in->path);
            diag_add(w->d, DIAG_ERROR, p->in->where, hint,
                     "no private key for the certificate %s in %s", cert_subject(x, name),
                     p->in->path);
            free(hint);
            return;
        }
    }
    diag_add(w->d, DIAG_ERROR, p->in->where,
             w->mixed ? "put its private key beside it, with the same name up to the ending; if "
                        "the folder as a whole is one pair, name the folder above it"
                      : "name its private key: key = FILE",
             "no private key for the certificate %s in %s%s", cert_subject(x, name), p->in->path,
             p->ncerts > 1 ? ", the first of that file" : "");
}

/* The first certificate of a file has a key, or is in the chain of one that has. */
static void check_file(const struct work *w, const struct parts *p)
{
    X509 *first = p->certs[0].x;
    char name[CERT_TEXT_MAX];

    if (key_of(w, first) != NULL)
        return;
    if (in_a_chain(w, p, first) && w->mixed)
        return;
    if (in_a_chain(w, p, first))
        diag_add(w->d, DIAG_WARNING, p->in->where,
                 "put the server's own certificate first, then its issuer, and so on",
                 "%s begins with %s, an issuer; the certificates are sent in their right order",
                 p->in->path, cert_subject(first, name));
    else
        report_lone_cert(w, p);
}

/* Certificates that are sent to nobody. */
static void report_strays(const struct work *w, const struct parts *p)
{
    char name[CERT_TEXT_MAX];

    for (size_t c = 1; c < p->ncerts; c++) {
        X509 *x = p->certs[c].x;
        if (key_of(w, x) != NULL || in_a_chain(w, p, x))
            continue;
        diag_add(w->d, DIAG_WARNING, p->in->where, "remove it from the file",
                 "%s: the certificate %s is in no chain and is not sent", p->in->path,
                 cert_subject(x, name));
    }
}

static void strs_free(char **v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(v[i]);
    free(v);
}

static bool has_name(char *const *names, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* Is there no name by which a client would get b rather than a? */
static bool is_hidden(X509 *a, X509 *b)
{
    size_t na, nb, found = 0;
    char **of_a = cert_server_names(a, &na), **of_b = cert_server_names(b, &nb);

    for (size_t i = 0; i < nb; i++)
        found += has_name(of_a, na, of_b[i]);
    strs_free(of_a, na);
    strs_free(of_b, nb);
    return found == nb;
}

static void check_leaf(const struct work *w, size_t i)
{
    const struct leaf *a = &w->leaves[i];
    char one[CERT_TEXT_MAX], two[CERT_TEXT_MAX], type[KEY_TEXT_MAX];

    for (size_t j = 0; j < i; j++) {
        const struct leaf *b = &w->leaves[j];
        if (EVP_PKEY_get_base_id(a->key->key) != EVP_PKEY_get_base_id(b->key->key)
            || !is_hidden(b->x, a->x))
            continue;
        diag_add(w->d, DIAG_ERROR, a->from->in->where,
                 "keep one; a second certificate is for other names, or has another type of key "
                 "(RSA beside EC)",
                 "two certificates for the same names with a key of one type (%s): %s in %s and "
                 "%s in %s", key_text(a->key->key, type), cert_subject(b->x, one),
                 b->from->in->path, cert_subject(a->x, two), a->from->in->path);
        return;
    }
}

/* Of a folder's files: certificates of CAs that lie beside the pairs. */
static bool only_authorities(const struct work *w)
{
    if (!w->mixed || w->nkeys > 0)
        return false;
    for (size_t i = 0; i < w->nfiles; i++)
        for (size_t c = 0; c < w->files[i].ncerts; c++)
            if (!cert_is_ca(w->files[i].certs[c].x))
                return false;
    return true;
}

/* A key that lies open. One under a password is as safe as the password is. */
static void check_exposure(const struct work *w, size_t at)
{
    const struct parts *p = &w->files[at];
    bool open = false;

    for (size_t i = 0; i < at; i++)
        if (strcmp(w->files[i].in->path, p->in->path) == 0)
            return;
    for (size_t i = 0; i < p->nkeys; i++)
        open = open || !p->keys[i].encrypted;
    if (!open || !p->in->exposed || (p->form != FORM_PEM && p->form != FORM_DER)
        || (w->exposed != NULL && *w->exposed))
        return;
    if (w->exposed != NULL)
        *w->exposed = true;

    char *hint = mem_printf(w->mixed ? "chmod o-rwx %s, and look at the others of the folder"
                                     : "chmod o-rwx %s", p->in->path);
    diag_add(w->d, DIAG_WARNING, p->in->where, hint,
             "everybody on this machine can read the private key in %s (mode %04o)", p->in->path,
             p->in->mode);
    free(hint);
}

static void check(const struct work *w)
{
    size_t before = w->d->errors;
    bool lone_key = false;

    if (only_authorities(w))
        return;

    for (size_t i = 0; i < w->nkeys; i++) {
        if (!w->keys[i].used) {
            report_lone_key(w, &w->keys[i]);
            lone_key = true;
        }
    }
    for (size_t i = 0; i < w->ncert_files; i++) {
        /* What else lies in a keystore was put there for other purposes. */
        if (w->files[i].ncerts == 0 || parts_is_keystore(&w->files[i]))
            continue;
        /* One mistake, one finding: the missing key is the one just named. */
        if (!lone_key)
            check_file(w, &w->files[i]);
    }
    /* Whose chain they are in may be the certificate without key. */
    for (size_t i = 0; i < w->ncert_files && w->d->errors == before; i++)
        if (w->files[i].ncerts > 0 && !parts_is_keystore(&w->files[i]))
            report_strays(w, &w->files[i]);
    for (size_t i = 0; i < w->nfiles; i++)
        check_exposure(w, i);
    /* Of a folder's, who comes later knows all pairs (app/roster.h). */
    for (size_t i = 0; i < w->nleaves && !w->mixed; i++)
        check_leaf(w, i);
}

/* --- what leaves --- */

static struct der der_of_key(const EVP_PKEY *key)
{
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
    unsigned char *p = NULL;
    int len = info != NULL ? i2d_PKCS8_PRIV_KEY_INFO(info, &p) : -1;
    struct der out = { NULL, 0 };

    if (len > 0)
        out = (struct der){ .p = mem_dup(p, (size_t)len), .len = (size_t)len };
    OPENSSL_clear_free(p, len > 0 ? (size_t)len : 0);
    PKCS8_PRIV_KEY_INFO_free(info);
    return out;
}

static struct der leaving_key(const struct work *w, const struct found_key *k)
{
    const struct tls_input *in = k->from->in;

    return in->uri ? key_uri_record(in->path, key_password(w->pw)) : der_of_key(k->key);
}

static void put_cert(struct keymat *m, const struct leaf *l, X509 *x, enum fact_kind kind)
{
    struct fact *f = &m->facts[m->nchain];
    const char *alias = entry_alias(l->from, x);

    m->chain[m->nchain++] = parts_cert_der(x);
    *f = (struct fact){ .kind = kind, .path = mem_strdup(l->from->in->path),
                        .file_time = l->from->in->time };
    if (alias != NULL)
        f->alias = mem_strdup(alias);
    fact_of_cert(x, f);
}

static void put_leaf(const struct work *w, const struct leaf *l, struct keymats *out)
{
    STACK_OF(X509) *chain = chain_for(w, l);
    int n = sk_X509_num(chain);
    struct keymat m = {
        .key = leaving_key(w, l->key),
        .chain = mem_zalloc(sizeof(struct der) * ((size_t)(n > 0 ? n : 0) + 1)),
        .facts = mem_zalloc(sizeof(struct fact) * ((size_t)(n > 0 ? n : 0) + 1)),
        .type = EVP_PKEY_get_base_id(X509_get0_pubkey(l->x)),
        .pair = keypair_of(l->key->key, l->x, chain),
        .path = l->from->in->path,
        .where = l->from->in->where,
    };

    m.bits = m.pair != NULL ? keypair_bits(m.pair) : 0;
    m.names = cert_server_names(l->x, &m.nnames);
    if (m.pair != NULL)
        m.pair->proven = l->key->proven != NULL;

    put_cert(&m, l, l->x, FACT_LEAF);
    for (int i = 0; i < n; i++)
        put_cert(&m, l, sk_X509_value(chain, i), FACT_CHAIN);
    sk_X509_free(chain);
    out->v = mem_grow(out->v, out->n + 1, sizeof(out->v[0]));
    out->v[out->n++] = m;
}

/* After an error no token is opened: a PIN that was wrong once would be wrong again for the
   next key of the token, and it is soon locked. */
static void read_uri(struct work *w, const struct tls_input *in, struct parts *out)
{
    struct key_uri_refusal r;
    EVP_PKEY *key;

    *out = (struct parts){ .in = in, .use = PARTS_KEY_FILE };
    if (w->d->errors > 0) {
        w->incomplete = true;
        return;
    }
    key = key_uri_open(in->path, key_password(w->pw), &r);
    if (key == NULL && w->refused != NULL)
        *w->refused = true;
    if (key == NULL)
        diag_add(w->d, DIAG_ERROR, in->where, r.hint.text[0] != '\0' ? r.hint.text : NULL, "%s",
                 r.why.text);
    else
        parts_add_token_key(out, key);
}

static void read_file(struct work *w, const struct store_input *in, const struct tls_input *file,
                      enum parts_use use, struct parts *out)
{
    struct diags d = { 0 };

    if (file->uri) {
        read_uri(w, file, out);
        return;
    }
    if (in->strays == NULL) {
        parts_read_entry(file, use, &in->pw, in->alias, out, w->d);
        return;
    }
    parts_read_entry(file, use, &in->pw, in->alias, out, &d);
    diags_join(out->stray ? in->strays : w->d, &d);
    diags_free(&d);
}

/* Of a folder: a keystore that is there for its trusted certificates. */
static void report_truststores(const struct work *w, struct diags *strays)
{
    for (size_t i = 0; i < w->nfiles && w->nkeys == 0; i++) {
        const struct parts *p = &w->files[i];
        if (parts_is_keystore(p) && p->ncerts > 0 && p->nkeys + p->nclosed == 0)
            diag_add(strays, DIAG_ERROR, p->in->where, NULL,
                     "%s is %s without a private key (%zu trusted certificate%s)", p->in->path,
                     parts_form_text(p), p->ncerts, p->ncerts == 1 ? "" : "s");
    }
}

int load_store(const struct store_input *in, struct keymats *out, struct diags *d)
{
    size_t before = d->errors;
    struct work w = {
        .files = mem_zalloc(sizeof(struct parts) * (in->ncerts + in->nkeys)),
        .ncert_files = in->ncerts,
        .nfiles = in->ncerts + in->nkeys,
        .mixed = in->mixed,
        .exposed = in->exposed,
        .pw = &in->pw,
        .refused = in->refused,
        .d = d,
    };

    *out = (struct keymats){ 0 };
    for (size_t i = 0; i < w.nfiles; i++) {
        bool cert = i < in->ncerts;
        const struct tls_input *file = cert ? &in->certs[i] : &in->keys[i - in->ncerts];
        enum parts_use use = !cert ? PARTS_KEY_FILE : in->mixed ? PARTS_PAIR_FILE : PARTS_CERT_FILE;
        read_file(&w, in, file, use, &w.files[i]);
    }
    if (d->errors == before)
        entry_check(in, w.files, d);
    collect_keys(&w);
    collect_leaves(&w);
    if (in->strays != NULL && d->errors == before)
        report_truststores(&w, in->strays);
    /* Else what is missing may be in the file that failed. */
    if (d->errors == before && !w.incomplete)
        check(&w);
    if (d->errors == before && !w.incomplete)
        for (size_t i = 0; i < w.nleaves; i++)
            put_leaf(&w, &w.leaves[i], out);

    for (size_t i = 0; i < w.nfiles; i++)
        parts_free(&w.files[i]);
    free(w.files);
    free(w.keys);
    free(w.leaves);
    sslerr_clear();
    return d->errors == before && !w.incomplete ? 0 : -1;
}

void keymats_free(struct keymats *k)
{
    for (size_t i = 0; i < k->n; i++) {
        mem_wipe_free(k->v[i].key.p, k->v[i].key.len);
        strs_free(k->v[i].names, k->v[i].nnames);
        keypair_free(k->v[i].pair);
        ders_free(&(struct ders){ k->v[i].chain, k->v[i].facts, k->v[i].nchain });
    }
    free(k->v);
    *k = (struct keymats){ 0 };
}
