/*
 * The CRLs of a trust: proved against its CAs while a person can still read the reason.
 *
 * At a handshake a CRL that does not fit is as good as none, and everybody is refused.
 */
#include <limits.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tls/certinfo.h"
#include "tls/load.h"
#include "tls/parts.h"
#include "tls/sslerr.h"

struct listed {                 /* a CRL, and where findings about it go */
    X509_CRL *crl;
    char *path;
    struct diag_at where;
};

struct work {
    struct listed *crls;
    size_t ncrls;
    X509 **cas;                 /* the anchors that may issue */
    bool *covered;              /* of each: one of the CRLs is its */
    size_t ncas;
    struct diag_at at;
    struct diags *d;
};

static void list(struct work *w, X509_CRL *crl, const char *path, struct diag_at where)
{
    w->crls = mem_grow(w->crls, w->ncrls + 1, sizeof(w->crls[0]));
    w->crls[w->ncrls++] = (struct listed){ crl, mem_strdup(path), where };
}

/* --- what is there --- */

static void put_crl(X509_CRL *crl, const struct tls_input *file, struct ders *out)
{
    unsigned char *p = NULL;
    int len = i2d_X509_CRL(crl, &p);

    out->v = mem_grow(out->v, out->n + 1, sizeof(out->v[0]));
    out->facts = mem_grow(out->facts, out->n + 1, sizeof(out->facts[0]));
    out->v[out->n] = (struct der){ mem_dup(p, len > 0 ? (size_t)len : 0),
                                   len > 0 ? (size_t)len : 0 };
    struct fact *f = &out->facts[out->n++];
    *f = (struct fact){ .path = mem_strdup(file->path), .file_time = file->time };
    fact_of_crl(crl, f);
    OPENSSL_free(p);
}

void load_put_crls(const struct parts *p, struct ders *out)
{
    for (size_t i = 0; i < p->ncrls; i++)
        put_crl(p->crls[i], p->in, out);
}

static void read_file(struct work *w, const struct tls_input *file, struct ders *out)
{
    const struct passwords none = { 0 };
    struct parts p;

    if (parts_read(file, PARTS_CRL_FILE, &none, &p, w->d) == 0) {
        load_put_crls(&p, out);
        for (size_t i = 0; i < p.ncrls; i++) {
            X509_CRL_up_ref(p.crls[i]);
            list(w, p.crls[i], file->path, file->where);
        }
    }
    parts_free(&p);
}

static void take_anchor(struct work *w, const struct der *der)
{
    const unsigned char *p = der->p;
    X509 *x = der->len <= INT_MAX ? d2i_X509(NULL, &p, (long)der->len) : NULL;

    if (x == NULL || !cert_is_ca(x)) {
        X509_free(x);
        return;
    }
    w->cas = mem_grow(w->cas, w->ncas + 1, sizeof(X509 *));
    w->cas[w->ncas++] = x;
}

/* What the files of `ca` held. */
static void take_trust(struct work *w, const struct ders *s)
{
    for (size_t i = 0; i < s->n; i++) {
        const unsigned char *p = s->v[i].p;
        if (s->facts[i].kind != FACT_CRL) {
            take_anchor(w, &s->v[i]);
            continue;
        }
        X509_CRL *crl = s->v[i].len <= INT_MAX ? d2i_X509_CRL(NULL, &p, (long)s->v[i].len) : NULL;
        if (crl != NULL)
            list(w, crl, s->facts[i].path, w->at);
    }
}

/* --- kinds of CRLs that OpenSSL, as we use it, passes over --- */

static const char *unsupported(X509_CRL *crl)
{
    ISSUING_DIST_POINT *scope =
        X509_CRL_get_ext_d2i(crl, NID_issuing_distribution_point, NULL, NULL);
    const char *kind = NULL;

    if (X509_CRL_get_ext_by_NID(crl, NID_delta_crl, -1) >= 0)
        kind = "a delta CRL";
    else if (scope != NULL && scope->indirectCRL > 0)
        kind = "an indirect CRL";
    else if (scope != NULL && scope->onlysomereasons != NULL)
        kind = "a CRL for some reasons only";
    else if (scope != NULL && scope->onlyattr > 0)
        kind = "a CRL for attribute certificates";
    ISSUING_DIST_POINT_free(scope);
    sslerr_clear();
    return kind;
}

/* --- findings --- */

static const char *issuer_name(const struct listed *l, char out[CERT_TEXT_MAX])
{
    return name_text(X509_CRL_get_issuer(l->crl), out);
}

static bool is_by(X509_CRL *crl, X509 *ca)
{
    EVP_PKEY *key = X509_get0_pubkey(ca);
    bool yes = key != NULL && X509_CRL_verify(crl, key) == 1;

    sslerr_clear();
    return yes;
}

static void check_issuer(struct work *w, const struct listed *l)
{
    char name[CERT_TEXT_MAX];
    bool named = false, signed_by = false;

    issuer_name(l, name);
    for (size_t i = 0; i < w->ncas; i++) {
        if (X509_NAME_cmp(X509_get_subject_name(w->cas[i]), X509_CRL_get_issuer(l->crl)) != 0)
            continue;
        named = true;
        if (!is_by(l->crl, w->cas[i]))
            continue;
        signed_by = w->covered[i] = true;
        if (!(X509_get_key_usage(w->cas[i]) & KU_CRL_SIGN))
            diag_add(w->d, DIAG_ERROR, l->where,
                     "make the CA's certificate again with keyUsage = keyCertSign, cRLSign",
                     "%s: %s may not sign CRLs: its key usage lacks cRLSign", l->path, name);
    }
    if (named && !signed_by)
        diag_add(w->d, DIAG_ERROR, l->where,
                 "was the CA made anew under its old name? name the CRL that goes with it",
                 "%s: the CRL of %s is not signed by the %s in `ca`", l->path, name, name);
    else if (!named)
        diag_add(w->d, DIAG_NOTE, l->where, NULL,
                 "%s: the CRL of %s counts for clients that send that CA's certificate along; no "
                 "CA of this name is in `ca`", l->path, name);
}

static void check_dates(const struct work *w, const struct listed *l)
{
    int64_t now = (int64_t)(clock_wall_us() / 1000000u);
    const ASN1_TIME *next = X509_CRL_get0_nextUpdate(l->crl);
    int64_t from = time_of(X509_CRL_get0_lastUpdate(l->crl));
    int64_t until = next != NULL ? time_of(next) : INT64_MAX;
    char name[CERT_TEXT_MAX], date[DATE_TEXT_MAX], when[DATE_TEXT_MAX];

    issuer_name(l, name);
    if (until < now)
        diag_add(w->d, DIAG_WARNING, l->where, "put the CA's newest CRL in its place",
                 "%s: the CRL of %s expired %s (%s); clients that this CA issued are refused",
                 l->path, name, distance_text(until, now, when), date_text(until, date));
    else if (from > now)
        diag_add(w->d, DIAG_WARNING, l->where, "look at the clock of this machine",
                 "%s: the CRL of %s is in force from %s, %s; until then clients that this CA "
                 "issued are refused", l->path, name, date_text(from, date),
                 distance_text(from, now, when));
}

static void check_crl(struct work *w, const struct listed *l)
{
    const char *kind = unsupported(l->crl);
    char name[CERT_TEXT_MAX];

    if (kind != NULL) {
        diag_add(w->d, DIAG_ERROR, l->where, "name a full CRL of that CA",
                 "%s: the CRL of %s is %s, which is not supported", l->path, issuer_name(l, name),
                 kind);
        return;
    }
    check_issuer(w, l);
    check_dates(w, l);
}

/* A root beside an intermediate that it issued: chains end at the nearer anchor. */
static bool issued_another(const struct work *w, size_t i)
{
    for (size_t k = 0; k < w->ncas; k++)
        if (k != i && !cert_same(w->cas[k], w->cas[i]) && cert_signed_by(w->cas[k], w->cas[i]))
            return true;
    return false;
}

static void check_coverage(const struct work *w)
{
    char name[CERT_TEXT_MAX], *hint;
    bool any = w->ncas == 0;    /* leaves alone: nothing below them is to be checked */

    for (size_t i = 0; i < w->ncas; i++)
        any = any || w->covered[i];
    for (size_t i = 0; i < w->ncas; i++) {
        if (w->covered[i] || issued_another(w, i))
            continue;
        cert_subject(w->cas[i], name);
        hint = mem_printf("add the CRL of %s", name);
        diag_add(w->d, any ? DIAG_WARNING : DIAG_ERROR, w->at, hint,
                 "there are CRLs, and none of %s; clients that this CA issued are refused", name);
        free(hint);
    }
}

int load_crls(const struct tls_input *files, size_t n, const struct ders *trust, size_t ntrust,
              struct diag_at at, struct ders *out, struct diags *d)
{
    struct work w = { .at = at, .d = d };
    size_t before = d->errors;

    *out = (struct ders){ 0 };
    for (size_t i = 0; i < ntrust; i++)
        take_trust(&w, &trust[i]);
    w.covered = mem_zalloc(sizeof(bool) * (w.ncas + 1));
    for (size_t i = 0; i < n; i++)
        read_file(&w, &files[i], out);
    for (size_t i = 0; i < w.ncrls; i++)
        check_crl(&w, &w.crls[i]);
    if (w.ncrls > 0 && d->errors == before)
        check_coverage(&w);

    for (size_t i = 0; i < w.ncrls; i++) {
        X509_CRL_free(w.crls[i].crl);
        free(w.crls[i].path);
    }
    for (size_t i = 0; i < w.ncas; i++)
        X509_free(w.cas[i]);
    free(w.crls);
    free(w.cas);
    free(w.covered);
    sslerr_clear();
    return d->errors == before ? 0 : -1;
}
