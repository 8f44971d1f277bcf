#include "tls/describe_words.h"

#include <stdlib.h>

#include "base/mem.h"
#include "tls/certinfo.h"
#include "tls/chain.h"
#include "tls/judge.h"

/* The findings are about the file alone: the message names it. */
static struct diag_at nowhere(void)
{
    return (struct diag_at){ 0 };
}

/* --- chains --- */

/* Where the file has it among its certificates: 0 is the first. */
static size_t place_of(const struct parts *p, const X509 *x)
{
    size_t i = 0;

    while (i < p->ncerts && !cert_same(p->certs[i].x, x))
        i++;
    return i;
}

/* Does each member come later in the file than the one before it? */
static bool in_file_order(const struct parts *p, STACK_OF(X509) *chain)
{
    for (int i = 1; i < sk_X509_num(chain); i++)
        if (place_of(p, sk_X509_value(chain, i)) < place_of(p, sk_X509_value(chain, i - 1)))
            return false;
    return true;
}

/* Of a chain that is in order: how far it goes. */
static void say_end(const struct description *s, STACK_OF(X509) *chain, const char *alias)
{
    int n = sk_X509_num(chain);
    X509 *leaf = sk_X509_value(chain, 0), *top = sk_X509_value(chain, n - 1);
    struct judge_at at = { s->p->in->path, nowhere(), s->d };
    char name[CERT_TEXT_MAX], end[CERT_TEXT_MAX];

    if (n == 1) {
        if (!judge_issuer_missing(&at, leaf, alias))
            judge_note_alone(&at, leaf, alias);
        return;
    }
    cert_subject(leaf, name);
    if (cert_self_signed(top))
        diag_add(s->d, DIAG_NOTE, nowhere(),
                 "it may be left out: clients have it, or do not believe it",
                 "%s: the chain of %s is whole: it ends with the root %s", s->p->in->path,
                 name, cert_subject(top, end));
    else
        diag_add(s->d, DIAG_NOTE, nowhere(), NULL,
                 "%s: the chain of %s has %d certificates; clients must know the issuer %s",
                 s->p->in->path, name, n, cert_issuer(top, end));
}

void describe_chain(const struct description *s, STACK_OF(X509) *chain, const char *alias)
{
    char name[CERT_TEXT_MAX], wanted[CERT_TEXT_MAX];

    for (int i = 1; i < sk_X509_num(chain); i++) {
        X509 *below = sk_X509_value(chain, i - 1), *x = sk_X509_value(chain, i);
        if (cert_signed_by(below, x))
            continue;
        diag_add(s->d, DIAG_WARNING, nowhere(),
                 "import the whole chain anew: the certificate, its issuer, the issuer's issuer",
                 "%s: the chain has a gap or is out of order: %s follows, where the issuer %s is "
                 "expected", s->p->in->path, cert_subject(x, name), cert_issuer(below, wanted));
        return;
    }
    if (s->p->form == FORM_PEM && !in_file_order(s->p, chain))
        diag_add(s->d, DIAG_WARNING, nowhere(),
                 "put the certificate first, then its issuer, then the issuer's issuer",
                 "%s: the certificates of the chain of %s are not in order", s->p->in->path,
                 cert_subject(sk_X509_value(chain, 0), name));
    say_end(s, chain, alias);
}

/* A bundle without its key: the first that is no CA is what it is about. */
static void describe_bundle(const struct description *s)
{
    for (size_t i = 0; i < s->p->ncerts; i++) {
        X509 *x = s->p->certs[i].x;
        if (s->p->certs[i].trusted || cert_is_ca(x))
            continue;
        STACK_OF(X509) *chain = chain_of(x, s->p, 1);
        if (chain == NULL)
            chain = sk_X509_new_null();
        sk_X509_unshift(chain, x);
        describe_chain(s, chain, NULL);
        sk_X509_free(chain);
        return;
    }
}

/* --- one by one --- */

static void say_dates(const struct description *s, X509 *x)
{
    int64_t from = time_of(X509_get0_notBefore(x)), until = time_of(X509_get0_notAfter(x));
    char name[CERT_TEXT_MAX], date[DATE_TEXT_MAX], when[DATE_TEXT_MAX];

    if (until < s->now)
        diag_add(s->d, DIAG_WARNING, nowhere(), "renew it", "%s: %s expired %s (%s)",
                 s->p->in->path, cert_subject(x, name), distance_text(until, s->now, when),
                 date_text(until, date));
    else if (from > s->now)
        diag_add(s->d, DIAG_WARNING, nowhere(), "wait, or look at the clock of this machine",
                 "%s: %s is valid from %s, %s", s->p->in->path, cert_subject(x, name),
                 date_text(from, date), distance_text(from, s->now, when));
}

static bool seen_before(const struct parts *p, size_t at)
{
    return place_of(p, p->certs[at].x) < at;
}

void describe_certs(const struct description *s)
{
    struct judge_at at = { s->p->in->path, nowhere(), s->d };

    for (size_t i = 0; i < s->p->ncerts; i++) {
        X509 *x = s->p->certs[i].x;
        if (seen_before(s->p, i))
            continue;
        say_dates(s, x);
        judge_strength(&at, x);
        if (s->owner[i] != NULL && !cert_is_ca(x) && judge_is_for_servers(x))
            judge_server_form(&at, x);
    }
    if (s->p->nkeys == 0 && (s->p->form == FORM_PEM || s->p->ncerts == 1))
        describe_bundle(s);
}

void describe_lone_key(const struct description *s, const struct part_key *k)
{
    char type[KEY_TEXT_MAX];

    if (s->p->ncerts == 0 || k->key == NULL)
        return;                 /* a file of its own; nobody knows whose it is */
    diag_add(s->d, DIAG_WARNING, nowhere(),
             "find the certificate that was made for it, or take it out of the file",
             "%s: the private key (%s) belongs to none of the certificates in the file",
             s->p->in->path, key_text(k->key, type));
}

void describe_crl(const struct description *s, const struct fact *crl)
{
    char date[DATE_TEXT_MAX], when[DATE_TEXT_MAX];

    if (crl->not_after != INT64_MAX && crl->not_after < s->now)
        diag_add(s->d, DIAG_WARNING, nowhere(), "get the CA's newest CRL",
                 "%s: the CRL of %s was to be replaced %s (%s)", s->p->in->path, crl->name,
                 distance_text(crl->not_after, s->now, when), date_text(crl->not_after, date));
}

void describe_other(const struct description *s, const struct part_other *o)
{
    const char *path = s->p->in->path, *alias = o->alias != NULL ? o->alias : "";

    if (o->kind == ALIEN_SECRET_KEY) {
        diag_add(s->d, DIAG_NOTE, nowhere(), "TLS needs a private key with its certificate",
                 "%s: the secret key \"%s\" cannot be served", path, alias);
        return;
    }
    char *hint = alien_hint(o->kind, PARTS_SHOW, path);
    if (hint != NULL)
        diag_add(s->d, DIAG_NOTE, nowhere(), hint, "%s holds %s, which no setting takes", path,
                 alien_text(o->kind));
    free(hint);
}
