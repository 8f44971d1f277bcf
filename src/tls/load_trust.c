#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tls/certinfo.h"
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
    return c->trusted || cert_is_ca(c->x) || cert_self_signed(c->x);
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
    if (p.nclosed > 0)
        diag_add(d, DIAG_WARNING, file->where,
                 "keep it where only the CA can read it; trust needs the certificate alone",
                 "%s holds a private key", file->path);
    for (size_t i = 0; i < p.ncerts; i++)
        any = any || is_anchor(&p.certs[i]);
    for (size_t i = 0; i < p.ncerts; i++)
        check_anchor(&p, &p.certs[i], any, d);
    for (size_t i = 0; i < p.ncerts; i++)
        check_dates(&p, p.certs[i].x, d);
    if (d->errors == before) {
        out->v = mem_zalloc(sizeof(out->v[0]) * p.ncerts);
        out->facts = mem_zalloc(sizeof(out->facts[0]) * p.ncerts);
        for (size_t i = 0; i < p.ncerts; i++) {
            struct fact *f = &out->facts[out->n];
            *f = (struct fact){ .kind = FACT_ANCHOR, .path = mem_strdup(file->path),
                                .file_time = file->time };
            fact_of_cert(p.certs[i].x, f);
            out->v[out->n++] = parts_cert_der(p.certs[i].x);
        }
    }
    parts_free(&p);
    sslerr_clear();
    return d->errors == before ? 0 : -1;
}
