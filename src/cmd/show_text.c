/* show, for people. */
#include <stdio.h>
#include <stdlib.h>

#include "cmd/readable.h"
#include "cmd/show_print.h"
#include "tls/certinfo.h"

static const char *plural(size_t n)
{
    return n == 1 ? "" : "s";
}

static void print_dates(FILE *out, const struct fact *f, int64_t now)
{
    bool crl = f->kind == FACT_CRL;
    char from[DATE_TEXT_MAX], until[DATE_TEXT_MAX], near[DATE_TEXT_MAX];
    int64_t edge = f->not_before > now ? f->not_before : f->not_after;

    fprintf(out, "      %-10s %s to %s", crl ? "in force" : "valid", date_text(f->not_before, from),
           f->not_after != INT64_MAX ? date_text(f->not_after, until) : "whenever");
    if (edge != INT64_MIN && edge != INT64_MAX)
        fprintf(out, ", %s %s", edge == f->not_before ? "begins" : edge < now ? "ended" : "ends",
               distance_text(edge, now, near));
    putc('\n', out);
}

static void print_line(FILE *out, const char *label, const char *text)
{
    if (text != NULL && text[0] != '\0')
        fprintf(out, "      %-10s %s\n", label, text);
}

static void print_cert(FILE *out, const struct fact *f, int64_t now)
{
    print_line(out, "subject", f->subject[0] != '\0' ? f->subject : "(empty)");
    print_line(out, "issuer", f->self_signed ? "itself (self-signed)" : f->issuer);
    print_line(out, "names", f->names);
    print_line(out, "key", f->key);
    print_dates(out, f, now);
    print_line(out, "serial", f->serial);
    fprintf(out, "      %-10s %d%s\n", "version", f->version, f->ca ? ", a CA" : "");
    print_line(out, "sha256", f->sha256);
    fprintf(out, "      %-10s sha256:%s\n", "pin", f->spki_sha256);
}

static void print_crl(FILE *out, const struct item *e, int64_t now)
{
    const struct fact *f = &e->facts[0];

    print_line(out, "issuer", f->issuer);
    print_line(out, "number", f->serial);
    print_dates(out, f, now);
    fprintf(out, "      %-10s %zu certificate%s\n", "revokes", e->revoked, plural(e->revoked));
    print_line(out, "sha256", f->sha256);
}

static void print_entry(FILE *out, const struct item *e, size_t number, int64_t now)
{
    fprintf(out, "\n[%zu] %s", number, e->what);
    if (e->kind == ITEM_KEY && e->nfacts > 1)
        fprintf(out, " with a chain of %zu certificates", e->nfacts);
    else if (e->kind == ITEM_KEY && e->nfacts == 1)
        fprintf(out, " with its certificate");
    putc('\n', out);
    print_line(out, "alias", e->alias);
    if (e->kind == ITEM_KEY)
        print_line(out, "key",
                   e->key != NULL ? e->key : "closed: no password was given that opens it");
    if (e->kind == ITEM_REQUEST) {
        print_line(out, "subject", e->subject);
        print_line(out, "key", e->key);
    }
    if (e->kind == ITEM_CRL) {
        print_crl(out, e, now);
        return;
    }
    for (size_t i = 0; i < e->nfacts; i++) {
        if (e->kind == ITEM_KEY)
            fprintf(out, "   %zu. %s\n", i + 1, e->facts[i].name);
        print_cert(out, &e->facts[i], now);
    }
}

static void print_all(FILE *out, const char *path, const struct listing *l,
                      const struct diags *d, int64_t now)
{
    if (l->form != NULL)
        fprintf(out, "%s: %s, %zu entr%s\n", path, l->form, l->n, l->n == 1 ? "y" : "ies");
    for (size_t i = 0; i < l->n; i++)
        print_entry(out, &l->v[i], i + 1, now);
    if (l->form != NULL && d->n > 0)
        putc('\n', out);
    diags_print(d, out);
}

void show_text(const char *file, const struct listing *l, const struct diags *d, int64_t now)
{
    locale_t user = readable_locale();
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    if (out == NULL)
        abort();                /* no memory */
    print_all(out, file, l, d, now);
    fclose(out);
    if (user != (locale_t)0) {
        char *clear = readable(text, user);
        free(text);
        text = clear;
        freelocale(user);
    }
    fputs(text, stdout);
    free(text);
}
