#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tls/certinfo.h"
#include "tls/judge.h"
#include "tls/load.h"
#include "tls/parts.h"
#include "tls/sslerr.h"

void ders_free(struct ders *s)
{
    for (size_t i = 0; i < s->n; i++) {
        free(s->v[i].p);
        fact_free(&s->facts[i]);
    }
    free(s->v);
    free(s->facts);
    *s = (struct ders){ 0 };
}

/* Can others be verified by it, or at least itself by intent? */
static bool is_anchor(const struct part_cert *c)
{
    return c->trusted || c->place == ENTRY_LEAF || cert_is_ca(c->x) || cert_self_signed(c->x);
}

static void check_anchor(const struct parts *p, const struct part_cert *c, bool any,
                         struct diags *d)
{
    char name[CERT_TEXT_MAX], issuer[CERT_TEXT_MAX], *hint;

    if (is_anchor(c))
        return;
    cert_subject(c->x, name);
    cert_issuer(c->x, issuer);
    if (any) {
        diag_add(d, DIAG_WARNING, p->in->where, NULL,
                 "%s: %s is not a CA (%s issued it); it is trusted for itself alone", p->in->path,
                 name, issuer);
        return;
    }
    hint = mem_printf("name the certificate of %s; to trust just this one, say so in the file: "
                      "openssl x509 -trustout -in %s -out NEW", issuer, p->in->path);
    diag_add(d, DIAG_ERROR, p->in->where, hint,
             "%s is not a CA: %s is a certificate that %s issued", p->in->path, name, issuer);
    free(hint);
}

static void check_dates(const struct parts *p, X509 *x, struct diags *d)
{
    int64_t now = (int64_t)(clock_wall_us() / 1000000u);
    int64_t from = time_of(X509_get0_notBefore(x)), until = time_of(X509_get0_notAfter(x));
    char name[CERT_TEXT_MAX], date[DATE_TEXT_MAX], when[DATE_TEXT_MAX];

    if (until < now)
        diag_add(d, DIAG_WARNING, p->in->where,
                 "clients whose certificates it issued are refused: name its successor",
                 "%s: %s expired %s (%s)", p->in->path, cert_subject(x, name),
                 distance_text(until, now, when), date_text(until, date));
    else if (from > now)
        diag_add(d, DIAG_WARNING, p->in->where, "look at the clock of this machine",
                 "%s: %s is valid from %s, %s", p->in->path, cert_subject(x, name),
                 date_text(from, date), distance_text(from, now, when));
}

/*
 * As Java has it: of a truststore the trusted entries and, of an entry with a key, its
 * own certificate, but not the chain behind it.
 */
static void check_keystore(const struct parts *p, struct diags *d)
{
    size_t believed = 0, trusted = 0;

    for (size_t i = 0; i < p->ncerts; i++) {
        believed += p->certs[i].place != ENTRY_ISSUER;
        trusted += p->certs[i].place == ENTRY_NONE;
    }
    if (believed == p->ncerts || trusted > 0)
        return;
    char *hint = mem_printf("import the certificate of the CA as an entry of its own: keytool "
                            "-importcert -alias ca -file ca.pem -keystore %s", p->in->path);
    diag_add(d, DIAG_WARNING, p->in->where, hint,
             "%s has no trusted certificates; as in Java, the certificate of its key is believed, "
             "and what issued that one is not", p->in->path);
    free(hint);
}

static void add_anchor(const struct parts *p, const struct part_cert *c, struct ders *out)
{
    struct fact *f = &out->facts[out->n];

    *f = (struct fact){ .kind = FACT_ANCHOR, .path = mem_strdup(p->in->path),
                        .file_time = p->in->time };
    if (c->alias != NULL)
        f->alias = mem_strdup(c->alias);
    fact_of_cert(c->x, f);
    out->v[out->n++] = parts_cert_der(c->x);
}

/* The certificates of `p` that are meant to be believed; the rest is dropped. */
static void keep_anchors(struct parts *p)
{
    size_t n = 0;

    for (size_t i = 0; i < p->ncerts; i++) {
        if (p->certs[i].place != ENTRY_ISSUER) {
            p->certs[n++] = p->certs[i];
            continue;
        }
        X509_free(p->certs[i].x);
        free(p->certs[i].alias);
    }
    p->ncerts = n;
}

int load_trust(const struct tls_input *file, const struct passwords *pw, struct ders *out,
               struct diags *d)
{
    size_t before = d->errors;
    struct parts p;
    bool any = false;

    *out = (struct ders){ 0 };
    if (parts_read(file, PARTS_TRUST_FILE, pw, &p, d) != 0) {
        parts_free(&p);
        return -1;
    }
    /* One keystore for both uses is usual in Java; a key in PEM is there by mistake. */
    if (p.nclosed > 0 && !parts_is_keystore(&p))
        diag_add(d, DIAG_WARNING, file->where,
                 "keep it where only the CA can read it; trust needs the certificate alone",
                 "%s holds a private key", file->path);
    check_keystore(&p, d);
    keep_anchors(&p);
    for (size_t i = 0; i < p.ncerts; i++)
        any = any || is_anchor(&p.certs[i]);
    for (size_t i = 0; i < p.ncerts; i++)
        check_anchor(&p, &p.certs[i], any, d);
    for (size_t i = 0; i < p.ncerts; i++) {
        /* Who marked it, or has it in a truststore, means it as it is. */
        if (!p.certs[i].trusted && p.certs[i].place != ENTRY_LEAF)
            judge_anchor(&(struct judge_at){ file->path, file->where, d }, p.certs[i].x);
        check_dates(&p, p.certs[i].x, d);
    }
    if (d->errors == before) {
        out->v = mem_zalloc(sizeof(out->v[0]) * p.ncerts);
        out->facts = mem_zalloc(sizeof(out->facts[0]) * p.ncerts);
        for (size_t i = 0; i < p.ncerts; i++)
            add_anchor(&p, &p.certs[i], out);
        load_put_crls(&p, out);
    }
    parts_free(&p);
    sslerr_clear();
    return d->errors == before ? 0 : -1;
}
